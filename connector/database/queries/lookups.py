"""Reads events and deliveries to show them. Changes nothing."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, Table, cast, func, or_, select

from connector.core.exceptions import NotFoundError
from connector.database.engine import Database
from connector.database.models import (
    Attempt,
    Circuit,
    Delivery,
    Event,
    Note,
    State,
    attempts,
    circuits,
    deliveries,
    events,
    notes,
    read_row,
    read_rows,
)
from connector.database.orders import matches_order, select_newest
from connector.database.stats.overview import ID_ORDER_TOLERANCE, first_id_since
from mappings.storefront import CANONICAL_TOPICS

#: In one question: databases take only so many values.
MAX_IDS_PER_QUERY = 500

#: Times that can be moved a little: what is asked for may lie at an end of the calendar.
MIN_TIME, MAX_TIME = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)


def load_event(database: Database, event_id: int) -> Event:
    """Raises `NotFoundError`."""
    with database.read() as connection:
        event: Event | None = read_row(connection.execute(select(events).where(events.c.id == event_id)))
    if event is None:
        raise NotFoundError(f"no event {event_id}")
    return event


def list_events(
    database: Database,
    *,
    store: str | None = None,
    topic: str | None = None,
    order: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> list[Event]:
    """Newest first, without their bodies. `before` is the id of the last one seen."""
    conditions: list[ColumnElement[bool]] = []
    if store is not None:
        conditions.append(events.c.store == store)
    if topic is not None:
        conditions.append(topic_condition(topic))
    if order is not None:
        conditions.append(or_(events.c.order_id == order, events.c.order_number == order))
    if before is not None:
        conditions.append(events.c.id < before)
    columns = [column for column in events.c if column.name != "body"]
    with database.read() as connection:
        conditions += time_conditions(connection, events, events.c.received_at, since, until)
        statement = select(*columns).where(*conditions).order_by(events.c.id.desc()).limit(limit)
        return read_rows(connection.execute(statement))


def topic_condition(topic: str) -> ColumnElement[bool]:
    """Events of a platform's topic, or of a hub word."""
    if topic in CANONICAL_TOPICS:
        return cast(events.c.topics, String).like(f'%"{topic}"%')
    return events.c.topic == topic


def delivery_ids_by_order(database: Database, orders: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[int]]:
    """The delivery ids of each (store, order id)."""
    ids_by_order: dict[tuple[str, str], list[int]] = {}
    with database.read() as connection:
        for store, order_id in set(orders):
            statement = (
                select(deliveries.c.id).where(matches_order(deliveries, store, order_id)).order_by(deliveries.c.id)
            )
            ids_by_order[store, order_id] = list(connection.execute(statement).scalars())
    return ids_by_order


def load_delivery(database: Database, delivery_id: int) -> Delivery:
    """Raises `NotFoundError`."""
    with database.read() as connection:
        delivery: Delivery | None = read_row(
            connection.execute(select(deliveries).where(deliveries.c.id == delivery_id))
        )
    if delivery is None:
        raise NotFoundError(f"no delivery {delivery_id}")
    return delivery


def load_newest_event(database: Database, delivery: Delivery) -> Event:
    """The newest event that carries a delivery's order: what it would be sent from."""
    newest = select_newest(delivery.store, delivery.order_id).scalar_subquery()
    with database.read() as connection:
        event: Event = read_row(connection.execute(select(events).where(events.c.id == newest)))
    return event


def list_deliveries(
    database: Database,
    *,
    state: str | None = None,
    reason: str | None = None,
    account: str | None = None,
    store: str | None = None,
    order: str | None = None,
    remote_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> list[Delivery]:
    """Newest first. `order` is an id or a number; `before` is the id of the last one seen.

    `since` and `until` are of when they were made.
    """
    exact = {"state": state, "reason": reason, "account": account, "store": store, "remote_id": remote_id}
    conditions: list[ColumnElement[bool]] = [
        deliveries.c[name] == value for name, value in exact.items() if value is not None
    ]
    if order is not None:
        conditions.append(or_(deliveries.c.order_id == order, deliveries.c.order_number == order))
    if before is not None:
        conditions.append(deliveries.c.id < before)
    with database.read() as connection:
        conditions += time_conditions(connection, deliveries, deliveries.c.created_at, since, until)
        statement = select(deliveries).where(*conditions).order_by(deliveries.c.id.desc()).limit(limit)
        return read_rows(connection.execute(statement))


def time_conditions(
    connection: Connection, table: Table, at: ColumnElement[Any], since: datetime | None, until: datetime | None
) -> Iterator[ColumnElement[bool]]:
    """Rows of a time. Between which ids they lie is looked up first: they are numbered as they come."""
    if since is not None:
        yield at >= since
        if since > MIN_TIME:
            yield table.c.id >= first_id_since(connection, table, at, since - ID_ORDER_TOLERANCE)
    if until is not None:
        yield at < until
        if until < MAX_TIME:
            yield table.c.id <= first_id_since(connection, table, at, until + ID_ORDER_TOLERANCE)


def iter_states(database: Database, ids: Sequence[int], *, now: datetime) -> Iterator[tuple[int, str, bool]]:
    """Yield each delivery's id, its state with the reason, and whether it moves: it is being sent, or due to be."""
    columns = (deliveries.c.id, deliveries.c.state, deliveries.c.reason, deliveries.c.due_at)
    for start in range(0, len(ids), MAX_IDS_PER_QUERY):
        statement = select(*columns).where(deliveries.c.id.in_(ids[start : start + MAX_IDS_PER_QUERY]))
        with database.read() as connection:
            rows = read_rows(connection.execute(statement))
        for id_, state, reason, due_at in rows:
            is_due = state == State.WAITING and due_at <= now
            yield id_, f"{state} ({reason})" if reason else state, is_due or state == State.SENDING


def list_attempts(database: Database, delivery_id: int) -> list[Attempt]:
    statement = select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.number)
    with database.read() as connection:
        return read_rows(connection.execute(statement))


def list_notes(database: Database, delivery_id: int) -> list[Note]:
    statement = select(notes).where(notes.c.delivery_id == delivery_id).order_by(notes.c.id)
    with database.read() as connection:
        return read_rows(connection.execute(statement))


def count_states(database: Database) -> dict[str, dict[str, int]]:
    """How many deliveries of each account are waiting, sending and parked; what has ended is not counted."""
    counts: dict[str, dict[str, int]] = {}
    open_states = [State.WAITING, State.SENDING, State.PARKED]
    statement = (
        select(deliveries.c.account, deliveries.c.state, func.count())
        .where(deliveries.c.state.in_(open_states))
        .group_by(deliveries.c.account, deliveries.c.state)
    )
    with database.read() as connection:
        for account, state, count in read_rows(connection.execute(statement)):
            counts.setdefault(account, dict.fromkeys(map(str, open_states), 0))[state] = count
    return counts


def all_circuits(database: Database) -> dict[str, Circuit]:
    with database.read() as connection:
        rows: list[Circuit] = read_rows(connection.execute(select(circuits)))
    return {row.account: row for row in rows}
