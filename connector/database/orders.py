"""What the database knows of one order: its newest version, whether it was cancelled, and its alerts."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from connector.database.engine import Database
from connector.database.tables import Delivery, Event, Reason, State, deliveries, events, notes

CANCELLED_LATE = "The order was cancelled at the store after it had been sent: act at the destination."
CANCELLED_MEANWHILE = "The order was cancelled at the store, and may have reached the destination: look there."


def of_order(table: Any, store: str, order_id: str) -> ColumnElement[bool]:
    return and_(table.c.store == store, table.c.order_id == order_id)


def row_id(row: Delivery | Event) -> int:
    """The id of a row that came from the database, and so has one."""
    return cast(int, row.id)


def select_newest(store: str, order_id: str) -> Any:
    """The id of the newest event that carries the order: by the source's time, then by arrival.

    Created and paid may bear the same second and come in any order: of those, paid is the later.
    """
    return (
        select(events.c.id)
        .where(of_order(events, store, order_id), events.c.carries_order)
        .order_by(events.c.version.desc(), events.c.says_paid.desc(), events.c.id.desc())
        .limit(1)
    )


def is_cancelled(connection: Connection, store: str, order_id: str, *, overruled: int | None = None) -> bool:
    """True when the store cancelled the order, after event `overruled` if a person let it go on at that one."""
    cancellation = select(1).where(of_order(events, store, order_id), events.c.cancels, events.c.id > (overruled or 0))
    return connection.execute(cancellation.limit(1)).first() is not None


def stop_for_cancellation(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """Discard what has surely not been sent; raise an alert on what may have been, and stop its retries."""
    values: dict[str, Any]
    if delivery.state == State.DISCARDED and delivery.reason != Reason.FILTERED:  # that one would come back by itself
        return
    if delivery.state in (State.SENDING, State.DELIVERED) or delivery.reason == Reason.UNCERTAIN:
        add_note(connection, row_id(delivery), "alert", CANCELLED_LATE, now)
        return
    if delivery.frozen_since is not None:  # it waits to repeat an attempt that was ambiguous
        values = {"state": State.PARKED, "reason": Reason.UNCERTAIN}
        add_note(connection, row_id(delivery), "alert", CANCELLED_MEANWHILE, now)
    else:
        values = {"state": State.DISCARDED, "reason": Reason.CANCELLED}
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery.id)
        .values(claim=None, claim_expires_at=None, due_at=None, updated_at=now, **values)
    )


def add_note(connection: Connection, delivery_id: int, kind: str, text: str, now: datetime) -> None:
    connection.execute(insert(notes).values(delivery_id=delivery_id, at=now, kind=kind, text=text))


def name_order(database: Database, delivery_id: int, number: str) -> None:
    """Keep the number that people know the order by, where the webhook did not say it."""
    with database.write() as connection:
        connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(order_number=number))
