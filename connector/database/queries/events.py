"""Reads events."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, cast, or_
from sqlmodel import Session, col, func, select

from connector.core.exceptions import NotFoundError
from connector.database.engine import Database
from connector.database.models import Delivery, Event, omit
from connector.database.orders import matches_order, select_newest
from connector.database.queries.id_ranges import id_range
from connector.database.queries.pages import SearchPage, build_page, scan_floor, without_index
from connector.database.queries.terms import MAX_MATCHES, event_ids_by_order
from mappings.storefront import CANONICAL_TOPICS

Conditions = list[ColumnElement[bool]]

#: The largest body of an event that a list reads. Orders have some 10 KB.
MAX_LISTED_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events. A field that is None does not restrict them.

    Args:
        topic: a platform's topic, or a canonical one such as `paid`.
        order: an order's id or number.
        status: "accepted", "ignored", or "duplicates" for events that were repeated.
        source: an `EventSource`.
        since, until: when the event was received.
    """

    store: str | None = None
    topic: str | None = None
    order: str | None = None
    status: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> Conditions:
        conditions: Conditions = []
        if self.store is not None:
            conditions.append(col(Event.store) == self.store)
        if self.topic is not None:
            conditions.append(topic_condition(self.topic))
        if self.order is not None:
            conditions.append(or_(col(Event.order_id) == self.order, col(Event.order_number) == self.order))
        if self.status == "duplicates":
            conditions.append(col(Event.duplicates) > 0)
        elif self.status is not None:
            conditions.append(col(Event.status) == self.status)
        if self.source is not None:
            conditions.append(col(Event.source) == self.source)
        if self.since is not None:
            conditions.append(col(Event.received_at) >= self.since)
        if self.until is not None:
            conditions.append(col(Event.received_at) < self.until)
        return conditions


def topic_condition(topic: str) -> ColumnElement[bool]:
    if topic in CANONICAL_TOPICS:
        return cast(Event.topics, String).like(f'%"{topic}"%')
    return col(Event.topic) == topic


def list_events(
    database: Database, event_filter: EventFilter, *, before_id: int | None = None, limit: int
) -> list[Event]:
    """All that match, newest first, without their bodies.

    Args:
        before_id: the id of the last one on the previous page.
    """
    conditions = event_filter.conditions()
    with database.read() as session:
        if event_filter.since is not None or event_filter.until is not None:
            conditions.append(col(Event.id).between(*received_between(session, event_filter)))
        if before_id is not None:
            conditions.append(col(Event.id) < before_id)
        statement = select_without_body().where(*conditions).order_by(col(Event.id).desc()).limit(limit)
        return list(session.exec(statement).all())


def search_events(
    database: Database,
    event_filter: EventFilter,
    *,
    before_id: int | None = None,
    limit: int,
    stores: Collection[str] = (),
) -> SearchPage[Event]:
    """Newest first, without their bodies. Reads a bounded number of rows.

    Args:
        before_id: `next` of the previous page.
        stores: the ids of all stores, to look an order's id up by index.
    """
    conditions = unindexed_conditions(event_filter)
    with database.read() as session:
        low, high = received_between(session, event_filter, before_id)
        stop_id = None
        if event_filter.order is not None:
            conditions.append(col(Event.id).in_(event_ids_by_order(session, event_filter.order, stores)))
        elif conditions:
            low, stop_id = scan_floor(low, high)
        statement = select_without_body().where(col(Event.id).between(low, high), *conditions)
        rows = session.exec(statement.order_by(col(Event.id).desc()).limit(limit + 1)).all()
    return build_page(rows, limit, stop_id)


def unindexed_conditions(event_filter: EventFilter) -> Conditions:
    """The conditions that no index answers in the order of ids."""
    conditions = replace(event_filter, store=None, order=None).conditions()
    if event_filter.store is not None:
        conditions.append(without_index(col(Event.store)) == event_filter.store)
    return conditions


def select_without_body() -> Any:
    """Events. Their bodies may be large and are not loaded."""
    return select(Event).options(*omit(Event.body))


def received_between(session: Session, event_filter: EventFilter, before_id: int | None = None) -> tuple[int, int]:
    since, until = event_filter.since, event_filter.until
    return id_range(session, Event, Event.received_at, since=since, until=until, before_id=before_id)


def load_event(database: Database, event_id: int) -> Event:
    """Raises `NotFoundError`."""
    with database.read() as session:
        event = session.exec(select(Event).where(Event.id == event_id)).one_or_none()
    if event is None:
        raise NotFoundError(f"no event {event_id}")
    return event


def list_small_event_ids(database: Database, ids: Collection[int]) -> set[int]:
    """Of these ids, those of events whose body is there and small enough for a list."""
    is_small = func.length(col(Event.body)).between(1, MAX_LISTED_BYTES)
    with database.read() as session:
        return set(session.exec(select(Event.id).where(col(Event.id).in_(ids), is_small)))


def load_events(database: Database, ids: Collection[int]) -> list[Event]:
    """Events with their bodies."""
    if not ids:
        return []
    with database.read() as session:
        return list(session.exec(select(Event).where(col(Event.id).in_(ids))).all())


def load_newest_event(database: Database, row: Delivery | Event) -> Event:
    """The newest event that contains the order of a delivery or an event: the next attempt is made from it."""
    newest_id = select_newest(row.store, row.order_id or "").scalar_subquery()
    with database.read() as session:
        return session.exec(select(Event).where(col(Event.id) == newest_id)).one()


def events_of_order(database: Database, store: str, order_id: str) -> list[Event]:
    """The events of one order, oldest first, without their bodies."""
    statement = select_without_body().where(matches_order(Event, store, order_id)).order_by(col(Event.id))
    with database.read() as session:
        return list(session.exec(statement.limit(MAX_MATCHES)).all())
