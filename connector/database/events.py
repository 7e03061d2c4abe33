"""Records events, and keeps each order's deliveries in step with the newest that is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or_ignore

from connector.database.deliveries import fresh_start
from connector.database.engine import Database
from connector.database.orders import add_note, is_cancelled, of_order, select_newest, stop_for_cancellation
from connector.database.tables import Delivery, Reason, State, deliveries, events
from mappings.spoke import Identity

CANCELLED_FIRST = "the order was cancelled before: a person decides"
UNCANCELLED = "The order was cancelled, and a newer version of it is not: a person decides."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    status: str  # "accepted", "duplicate" or "ignored"
    event_id: int
    reason: str | None = None


def record_event(
    database: Database, *, store: str, identity: Identity, body: bytes, accounts: Mapping[str, str], now: datetime
) -> Recorded:
    """Record one webhook and what follows from it, in one transaction; it is on disk when this returns.

    Args:
        store: the store's id.
        accounts: account id to destination name, for every account whose routes want the event's topics.
    """
    with database.write() as connection:
        event_id = insert_event(connection, store, identity, body, now)
        if event_id is None:
            if identity.repeat_is_news and identity.order_id is not None:
                wake_deliveries(connection, store, identity.order_id, now)
            return count_duplicate(connection, store, identity.event_key)
        if identity.ignored or identity.order_id is None:
            return close_event(connection, event_id, ignored=identity.ignored or "it speaks of no order")
        order = of_order(events, store, identity.order_id)
        version = identity.version or now
        if identity.is_cancelled and not exists(connection, order, events.c.version > version, events.c.id != event_id):
            connection.execute(update(events).where(events.c.id == event_id).values(cancels=True))
            mine = select(deliveries).where(of_order(deliveries, store, identity.order_id))
            for row in connection.execute(mine).all():
                stop_for_cancellation(connection, Delivery(**row._mapping), now)
        is_known_cancelled = is_cancelled(connection, store, identity.order_id)
        if not is_known_cancelled:
            insert_deliveries(connection, store, identity.order_id, identity.order_number, accounts, now)
        apply_newest(connection, store, identity.order_id, event_id, now)
        if exists(connection, of_order(deliveries, store, identity.order_id)):
            return close_event(connection, event_id)
        if is_known_cancelled:
            return close_event(connection, event_id, ignored="cancelled" if identity.is_cancelled else CANCELLED_FIRST)
        return close_event(connection, event_id, ignored="no route takes its topic")


def insert_event(connection: Connection, store: str, identity: Identity, body: bytes, now: datetime) -> int | None:
    """Insert it unless its key is there; the unique index decides, however many try at once."""
    statement = (
        insert_or_ignore(events)
        .values(
            store=store,
            event_key=identity.event_key,
            topic=identity.topic,
            topics=sorted(identity.topics),
            order_id=None if identity.ignored else identity.order_id,  # what is no order has no say in one
            order_number=identity.order_number,
            version=identity.version or now,
            received_at=now,
            status="accepted",
            duplicates=0,
            carries_order=identity.carries_order and identity.ignored is None,
            says_paid="paid" in identity.topics,
            cancels=False,
            body=body,
        )
        .on_conflict_do_nothing(index_elements=["store", "event_key"])
        .returning(events.c.id)
    )
    return connection.execute(statement).scalar_one_or_none()


def count_duplicate(connection: Connection, store: str, event_key: str) -> Recorded:
    statement = (
        update(events)
        .where(events.c.store == store, events.c.event_key == event_key)
        .values(duplicates=events.c.duplicates + 1)
        .returning(events.c.id)
    )
    return Recorded(status="duplicate", event_id=connection.execute(statement).scalar_one())


def close_event(connection: Connection, event_id: int, *, ignored: str | None = None) -> Recorded:
    if ignored is None:
        return Recorded(status="accepted", event_id=event_id)
    connection.execute(update(events).where(events.c.id == event_id).values(status="ignored", reason=ignored))
    return Recorded(status="ignored", event_id=event_id, reason=ignored)


def insert_deliveries(
    connection: Connection,
    store: str,
    order_id: str,
    order_number: str | None,
    accounts: Mapping[str, str],
    now: datetime,
    *,
    overruled: int | None = None,
) -> list[int]:
    """Make one waiting delivery per account, unless the order is on its way there already. Returns the new ids."""
    newest = connection.execute(select_newest(store, order_id)).scalar_one_or_none()
    if newest is None or not accounts:
        return []
    rows = [
        {
            "account": account,
            "store": store,
            "destination": destination,
            "order_id": order_id,
            "order_number": order_number,
            "event_id": newest,
            "state": State.WAITING,
            "problems": [],
            "warnings": [],
            "created_at": now,
            "updated_at": now,
            "due_at": now,
            "attempts": 0,
            "is_manual": False,
            "run_tries": 0,
            "run_open_s": 0.0,
            "revision": 1,
            "overruled": overruled,
        }
        for account, destination in sorted(accounts.items())
    ]
    statement = (
        insert_or_ignore(deliveries)
        .values(rows)
        .on_conflict_do_nothing(index_elements=["account", "store", "order_id"])
        .returning(deliveries.c.id)
    )
    return list(connection.execute(statement).scalars())


def apply_newest(connection: Connection, store: str, order_id: str, event_id: int, now: datetime) -> None:
    """Bring the order's deliveries to event `event_id`, if that is the newest. What is `sending` comes to it later."""
    if connection.execute(select_newest(store, order_id)).scalar_one_or_none() != event_id:
        return
    mine = and_(
        of_order(deliveries, store, order_id), deliveries.c.event_id != event_id, deliveries.c.frozen_since.is_(None)
    )
    newer = update(deliveries).where(mine).values(event_id=event_id)
    holds = and_(deliveries.c.state == State.PARKED, deliveries.c.reason.in_([Reason.REFUSED, Reason.EXHAUSTED]))
    connection.execute(newer.where(or_(deliveries.c.state == State.WAITING, comes_back(), holds)))
    wake_deliveries(connection, store, order_id, now)
    cancelled = and_(
        of_order(deliveries, store, order_id),
        deliveries.c.state == State.DISCARDED,
        deliveries.c.reason == Reason.CANCELLED,
    )
    says_cancelled = connection.execute(select(events.c.cancels).where(events.c.id == event_id)).scalar_one()
    if not says_cancelled:
        for delivery_id in connection.execute(select(deliveries.c.id).where(cancelled)).scalars().all():
            add_note(connection, delivery_id, "alert", UNCANCELLED, now)


def wake_deliveries(connection: Connection, store: str, order_id: str, now: datetime) -> None:
    """Look again at once at what waits, could not be mapped, or was filtered: the order may have changed."""
    mine = and_(of_order(deliveries, store, order_id), deliveries.c.frozen_since.is_(None))
    waiting = deliveries.c.state == State.WAITING
    connection.execute(update(deliveries).where(mine, waiting).values(due_at=now, updated_at=now))
    connection.execute(update(deliveries).where(mine, comes_back()).values(updated_at=now, **fresh_start(now)))


def comes_back() -> ColumnElement[bool]:
    """Deliveries that a newer version of their order lets go on by themselves."""
    unmappable = and_(deliveries.c.state == State.PARKED, deliveries.c.reason == Reason.UNMAPPABLE)
    filtered = and_(deliveries.c.state == State.DISCARDED, deliveries.c.reason == Reason.FILTERED)
    return or_(unmappable, filtered)


def exists(connection: Connection, *conditions: ColumnElement[bool]) -> bool:
    return connection.execute(select(1).where(*conditions).limit(1)).first() is not None
