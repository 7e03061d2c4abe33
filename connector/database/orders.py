"""What the database knows of one order: its newest version, whether it was cancelled, and its alerts."""

from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from connector.database.engine import Database, Transaction
from connector.database.models import Alert, Delivery, Event, Reason, State, deliveries, events, notes
from mappings.labels import N_

CANCELLED_LATE = N_("The order was cancelled at the store after it had been sent: act at the destination.")
CANCELLED_MEANWHILE = N_("The order was cancelled at the store, and may have reached the destination: look there.")


def matches_order(table: Any, store: str, order_id: str) -> ColumnElement[bool]:
    return and_(table.c.store == store, table.c.order_id == order_id)


def row_id(row: Delivery | Event | Alert) -> int:
    """The id of a row that came from the database, and so has one."""
    return cast(int, row.id)


def select_newest(store: str, order_id: str) -> Any:
    """The id of the newest event that carries the order: by the source's time, then by arrival.

    Created and paid may bear the same second and come in any order: of those, paid is the later.
    """
    return (
        select(events.c.id)
        .where(matches_order(events, store, order_id), events.c.has_order)
        .order_by(events.c.source_updated_at.desc(), events.c.is_paid.desc(), events.c.id.desc())
        .limit(1)
    )


def is_cancelled(connection: Connection, store: str, order_id: str, *, override_event_id: int | None = None) -> bool:
    """True when the store cancelled the order, after event `overruled` if a person let it go on at that one."""
    cancellation = select(1).where(
        matches_order(events, store, order_id), events.c.is_cancellation, events.c.id > (override_event_id or 0)
    )
    return connection.execute(cancellation.limit(1)).first() is not None


def cancellation_values(delivery: Delivery) -> tuple[dict[str, Any], str | None]:
    """What a cancellation makes of a delivery: the values that change, and what to alert a person to.

    What has surely not been sent is discarded; the retries of what may have been end.
    """
    if delivery.state == State.DISCARDED and delivery.reason != Reason.FILTERED:  # that one would come back by itself
        return {}, None
    if delivery.state in (State.SENDING, State.DELIVERED) or delivery.reason == Reason.UNCERTAIN:
        return {}, CANCELLED_LATE
    released_claim = {"claimed_by": None, "claim_expires_at": None, "due_at": None}
    if delivery.locked_since is not None:  # it waits to repeat an attempt that was ambiguous
        return {"state": State.PARKED, "reason": Reason.UNCERTAIN, **released_claim}, CANCELLED_MEANWHILE
    return {"state": State.DISCARDED, "reason": Reason.CANCELLED, **released_claim}, None


def apply_cancellation(transaction: Transaction, delivery: Delivery) -> None:
    values, alert = cancellation_values(delivery)
    if values:
        values["updated_at"] = transaction.now
        transaction.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(values))
    if alert:
        add_note(transaction, row_id(delivery), "alert", alert)


def add_note(transaction: Transaction, delivery_id: int, kind: str, text: str, actor: str | None = None) -> None:
    values = {"delivery_id": delivery_id, "at": transaction.now, "kind": kind, "text": text, "who": actor}
    transaction.execute(insert(notes).values(values))


def set_order_number(database: Database, delivery_id: int, number: str) -> None:
    """Keep the number that people know the order by, where the webhook did not say it."""
    statement = update(deliveries).where(deliveries.c.id == delivery_id).values(order_number=number)
    database.transact(lambda transaction: transaction.execute(statement))
