"""Lost webhooks: orders that catch-up found without a webhook."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Text, cast, exists
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, func, select

from connector.database.engine import Database
from connector.database.models import Event, EventSource, KnownStore

#: The period of the counts.
RECENT = timedelta(hours=24)
#: How long a webhook may take.
PATIENCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class LostWebhooks:
    """What a store's webhooks missed in the last 24 hours."""

    orders: int
    since: datetime  # when the first was found
    last_at: datetime  # when the last was found


def read_lost_webhooks(database: Database) -> Mapping[str, LostWebhooks]:
    """Return the lost webhooks of the last 24 hours, by store id.

    Counts orders that routes accept and that had no webhook when catch-up found them. An order no longer counts when a
    webhook about the same version comes later. Later versions do not count, because a store may send webhooks of
    payments only. Versions from before the connector first ran with the store do not count, either.
    """
    now = database.clock()
    caught_up, webhook = aliased(Event), aliased(Event)
    had_webhook = exists(col(webhook.id)).where(
        and_(
            col(webhook.store) == col(caught_up.store),
            col(webhook.order_id) == col(caught_up.order_id),
            col(webhook.source) == EventSource.WEBHOOK,
            col(webhook.source_updated_at) <= col(caught_up.received_at),
            has_routes(webhook),
        )
    )
    statement = (
        select(
            caught_up.store,
            func.count(col(caught_up.order_id).distinct()),
            func.min(caught_up.received_at),
            func.max(caught_up.received_at),
        )
        .join(KnownStore, col(KnownStore.id) == col(caught_up.store))
        .where(
            col(caught_up.source) == EventSource.CATCH_UP,
            col(caught_up.received_at) >= now - RECENT,
            col(caught_up.source_updated_at) <= now - PATIENCE,
            col(caught_up.source_updated_at) >= col(KnownStore.first_run_at),
            has_routes(caught_up),
            ~had_webhook,
        )
        .group_by(col(caught_up.store))
    )
    with database.read() as session:
        rows = session.exec(statement).all()
    return {store: LostWebhooks(orders=orders, since=since, last_at=last_at) for store, orders, since, last_at in rows}


def has_routes(event: Any) -> Any:
    """The condition that a route took an event when it came."""
    return cast(col(event.accounts), Text) != "[]"
