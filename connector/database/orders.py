"""What is known of one order: its newest event, whether it was cancelled, and the notes on its deliveries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, update
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from connector.core.messages import build_message
from connector.database.engine import Database, Transaction
from connector.database.models import Delivery, Event, Note, Reason, State
from mappings.problems import Problem

CANCELLED_AFTER_SENDING = build_message("cancelled_after_sending")
CANCELLED_WHILE_AMBIGUOUS = build_message("cancelled_while_ambiguous")


@dataclass(slots=True, kw_only=True)
class EventSummary:
    """The columns of an event that matter for its order."""

    id: int
    source_updated_at: datetime
    is_paid: bool
    has_order: bool
    is_cancellation: bool


def matches_order(model: type[Event] | type[Delivery], store: str, order_id: str) -> ColumnElement[bool]:
    return and_(col(model.store) == store, col(model.order_id) == order_id)


# The newest event of an order: by the source's time, then paid, then by arrival. `created` and `paid` may have the same
# second and arrive in any order; of those, `paid` is the later. The rule is here twice: in SQL and in Python.


def select_newest(store: str, order_id: str) -> SelectOfScalar[int]:
    """The id of the order's newest event that contains the order."""
    return (
        select(Event.id)
        .where(matches_order(Event, store, order_id), col(Event.has_order))
        .order_by(col(Event.source_updated_at).desc(), col(Event.is_paid).desc(), col(Event.id).desc())
        .limit(1)
    )


def newest_event(events: Iterable[EventSummary]) -> EventSummary | None:
    """The newest of an order's events that contains the order."""
    with_order = [event for event in events if event.has_order]
    return max(with_order, key=lambda event: (event.source_updated_at, event.is_paid, event.id), default=None)


def is_cancelled(connection: Connection, store: str, order_id: str, *, override_event_id: int | None = None) -> bool:
    """True if the store cancelled the order, after event `override_event_id` if a person sent it in spite of that."""
    cancellation = select(Event.id).where(
        matches_order(Event, store, order_id), col(Event.is_cancellation), col(Event.id) > (override_event_id or 0)
    )
    return connection.execute(cancellation.limit(1)).first() is not None


def cancellation_values(
    *, state: str, reason: str | None, locked_since: datetime | None
) -> tuple[dict[str, Any], Problem | None]:
    """Return the column changes of a delivery whose order is cancelled, and the alert to raise, if any.

    What was certainly not sent is discarded. What may have been sent is not retried.
    """
    if state == State.DISCARDED and reason != Reason.FILTERED:  # a filtered one could be sent later
        return {}, None
    if state in (State.SENDING, State.DELIVERED) or reason == Reason.UNCERTAIN:
        return {}, CANCELLED_AFTER_SENDING
    released_claim = {"claimed_by": None, "claim_expires_at": None, "due_at": None}
    if locked_since is not None:  # it waits to repeat an ambiguous attempt
        return {"state": State.PARKED, "reason": Reason.UNCERTAIN, **released_claim}, CANCELLED_WHILE_AMBIGUOUS
    return {"state": State.DISCARDED, "reason": Reason.CANCELLED, **released_claim}, None


def add_note(transaction: Transaction, delivery_id: int, kind: str, text: str, actor: str) -> None:
    """Record what a person did to a delivery."""
    values = {"delivery_id": delivery_id, "at": transaction.now, "kind": kind, "text": text, "who": actor}
    transaction.execute(insert(Note).values(values))


def add_alert(transaction: Transaction, delivery_id: int, message: Problem) -> None:
    """Record that a delivery needs a person's attention."""
    transaction.execute(insert(Note).values(alert_values(delivery_id, message, transaction.now)))


def alert_values(delivery_id: int | None, message: Problem, at: datetime) -> dict[str, Any]:
    """The values of the note of an alert."""
    return {"delivery_id": delivery_id, "at": at, "kind": "alert", "text": "", "message": message.to_json()}


def set_order_number(database: Database, delivery_id: int, number: str) -> None:
    """Store the order's number, if the webhook did not contain it."""
    statement = update(Delivery).where(col(Delivery.id) == delivery_id).values(order_number=number)
    database.transact(lambda transaction: transaction.execute(statement))
