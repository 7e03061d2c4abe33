"""The connector's web application without what keeps the orders: how fast taking them could be, did that cost nothing.

Each says what the database would have said. `sent_on` sends the orders to the Unix socket that `ORDERS_TO` names.
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


def view() -> Flask:
    """The thread that has the request answers it at once."""
    return create_without(lambda arrival: RECORDED)


def handed_over() -> Flask:
    """It waits for the thread that would commit, for all that wait."""
    writer: GroupCommitter[None] = GroupCommitter(begin_nothing)
    return create_without(lambda arrival: writer.commit(record_nothing, arrival, timeout_s=8.0))


def sent_on() -> Flask:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.connect(os.environ["ORDERS_TO"])

    def send(arrival: IncomingWebhook) -> RecordedWebhook:
        receiver.send(arrival.body)
        return RECORDED

    return create_without(send)


def create_without(record: Callable[[IncomingWebhook], RecordedWebhook]) -> Flask:
    commit = Database.commit

    def commit_others(database: Database, change: Any, item: Any, **more: Any) -> Any:
        return record(item) if change is record_events else commit(database, change, item, **more)

    Database.commit = commit_others  # type: ignore[method-assign]
    return create_wsgi()


@contextmanager
def begin_nothing() -> Iterator[None]:
    yield None


def record_nothing(transaction: None, arrivals: Sequence[IncomingWebhook]) -> list[RecordedWebhook]:
    return [RECORDED] * len(arrivals)
