"""The connector's web application without a database: the upper limit of the speed of accepting webhooks.

Each application responds as the connector would. `create_forwarding` also sends the orders to the Unix socket
`ORDERS_TO`.
"""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from flask import Flask

from connector.database.engine import Database
from connector.database.events import IncomingWebhook, RecordedWebhook, record_events
from connector.database.group_commit import GroupCommitter
from connector.web.app import create_wsgi

RECORDED = RecordedWebhook(status="accepted", event_id=1)


def create_immediate() -> Flask:
    """The request's own thread responds at once."""
    return create_app(lambda webhook: RECORDED)


def create_threaded() -> Flask:
    """Requests wait for the thread that would commit them together."""
    committer: GroupCommitter[None] = GroupCommitter(begin_nothing)
    return create_app(lambda webhook: committer.commit(record_nothing, webhook, timeout_s=8.0))


def create_forwarding() -> Flask:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.connect(os.environ["ORDERS_TO"])

    def send(webhook: IncomingWebhook) -> RecordedWebhook:
        receiver.send(webhook.body)
        return RECORDED

    return create_app(send)


def create_app(record: Callable[[IncomingWebhook], RecordedWebhook]) -> Flask:
    """Return the web application, with `record` in place of the transaction that records a webhook."""
    commit = Database.commit

    def commit_or_record(database: Database, change: Any, item: Any, **options: Any) -> Any:
        return record(item) if change is record_events else commit(database, change, item, **options)

    Database.commit = commit_or_record  # type: ignore[method-assign,assignment]
    return create_wsgi()


@contextmanager
def begin_nothing() -> Iterator[None]:
    yield None


def record_nothing(transaction: None, webhooks: Sequence[IncomingWebhook]) -> list[RecordedWebhook]:
    return [RECORDED] * len(webhooks)
