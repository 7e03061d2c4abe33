"""What is on record about the stores' APIs: how far catch-up has read, the webhooks there, and tokens obtained."""

from collections.abc import Mapping
from datetime import datetime

from sqlmodel import col, func, select

from connector.database.engine import Database
from connector.database.models import Event, EventSource, StoreReading, StoreToken, StoreWebhooks, omit


def load_readings(database: Database) -> Mapping[str, StoreReading]:
    """By store id."""
    with database.read() as session:
        return {row.store: row for row in session.exec(select(StoreReading))}


def load_webhook_checks(database: Database) -> Mapping[str, StoreWebhooks]:
    """By store id."""
    with database.read() as session:
        return {row.store: row for row in session.exec(select(StoreWebhooks))}


def load_token_dates(database: Database) -> Mapping[str, StoreToken]:
    """By store id, the tokens that the connector obtained, without their texts."""
    with database.read() as session:
        return {row.store: row for row in session.exec(select(StoreToken).options(*omit(StoreToken.token)))}


def count_caught_up(database: Database, since: datetime) -> Mapping[str, int]:
    """Return how many orders catch-up has recorded since then, by store id."""
    statement = (
        select(Event.store, func.count(col(Event.order_id).distinct()))
        .where(Event.source == EventSource.CATCH_UP, Event.received_at >= since)
        .group_by(Event.store)
    )
    with database.read() as session:
        return dict(session.exec(statement).all())
