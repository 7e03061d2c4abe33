"""What is known of one order: its newest event, whether it was cancelled, and the notes on its deliveries."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, SQLColumnExpression, and_, exists, insert, or_, update
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from connector.core.messages import build_message
from connector.database.deliveries import held_values
from connector.database.engine import Database, Transaction
from connector.database.models import Attempt, Delivery, Event, Note, OrderCorrection, Reason, State
from connector.database.sql.run import parse_required_time, run
from connector.database.sql.statements import SELECT_ERASED, SELECT_ORDER_EVENTS
from mappings.destination import Outcome
from mappings.problems import Problem

CANCELLED_AFTER_SENDING = build_message("cancelled_after_sending")
CANCELLED_WHILE_AMBIGUOUS = build_message("cancelled_while_ambiguous")
DELETED_AFTER_SENDING = build_message("deleted_after_sending")
#: Why an order is held that was cancelled, and of which a newer version is not.
CAME_BACK = build_message("came_back")
CAME_BACK_AFTER_SENDING = build_message("came_back_after_sending")
CAME_BACK_AFTER_DELETION = build_message("came_back_after_deletion")
#: Why an order is held of which it is not certain that it is deleted now.
DELETED_OR_BACK = build_message("deleted_or_back")
MAX_EVENT_ID = 2**63 - 1
#: Outcomes of attempts that the destination processed, or may have.
PROCESSED_OUTCOMES = (Outcome.DELIVERED, Outcome.REFUSED, Outcome.AMBIGUOUS, Outcome.CONFLICT, "sending")


@dataclass(slots=True, kw_only=True)
class EventSummary:
    """The columns of an event that matter for its order."""

    id: int
    source_updated_at: datetime
    is_paid: bool
    has_order: bool
    is_cancellation: bool
    undoes_deletion: bool = False

    def is_newer_than(self, cancellation: "EventSummary") -> bool:
        """True if this version of the order was made after the cancellation.

        A deletion only has the time when it arrived, which may be later than that of the version that undid it.
        """
        is_undone_deletion = self.undoes_deletion and not cancellation.has_order
        return is_undone_deletion or self.source_updated_at > cancellation.source_updated_at


OrderEvent = tuple[str, EventSummary]  # with the id of its order


def matches_order(
    model: type[Event] | type[Delivery] | type[OrderCorrection],
    store: str | SQLColumnExpression[str],
    order_id: str | SQLColumnExpression[str],
) -> ColumnElement[bool]:
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


def is_doubtful_deletion(event: EventSummary, events: Collection[EventSummary]) -> bool:
    """True if the event deletes an order that was already deleted or reported as restored.

    All deletions of an order have the same bytes, so this one may be a copy of an earlier one. The topic "restored" is
    not signed. So a person must decide whether such an order is stopped or sent.
    """
    earlier = [other for other in events if other.id < event.id]
    return not event.has_order and any(not other.has_order or other.undoes_deletion for other in earlier)


def last_deletion_id(events: Iterable[EventSummary]) -> int:
    """The id of the last event that deleted the order; 0 if there is none."""
    return max((event.id for event in events if not event.has_order), default=0)


def version_since_deletion(events: Collection[EventSummary]) -> EventSummary | None:
    """The order's newest version, if it arrived after the last deletion and is newer than all from before it."""
    newest = newest_event(events)
    deleted_id = last_deletion_id(events)
    if newest is None or newest.id < deleted_id:
        return None
    before = [event for event in events if event.has_order and event.id < deleted_id]
    return newest if all(event.source_updated_at < newest.source_updated_at for event in before) else None


def has_come_back(events: Collection[EventSummary]) -> bool:
    """True if the order was cancelled, and its newest version is paid and newer than that."""
    newest = newest_event(events)
    cancellations = [event for event in events if event.is_cancellation]
    if newest is None or not newest.is_paid or newest.is_cancellation or not cancellations:
        return False
    return all(newest.is_newer_than(cancellation) for cancellation in cancellations)


def load_order_events(connection: Connection, store: str, order_ids: list[str], *, before_id: int) -> list[OrderEvent]:
    """The events of some orders of a store, each with its order's id."""
    params = {"store": store, "order_ids": order_ids, "before_id": before_id}
    return [
        (
            order_id,
            EventSummary(
                id=id_,
                source_updated_at=parse_required_time(source_updated_at),
                is_paid=bool(is_paid),
                has_order=bool(has_order),
                is_cancellation=bool(is_cancellation),
                undoes_deletion=bool(undoes_deletion),
            ),
        )
        for order_id, id_, source_updated_at, is_paid, has_order, is_cancellation, undoes_deletion in run(
            connection, SELECT_ORDER_EVENTS, params
        )
    ]


def load_erased(connection: Connection, orders: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of these orders whose personal data was erased on request."""
    by_store: dict[str, list[str]] = {}
    for store, order_id in orders:
        by_store.setdefault(store, []).append(order_id)
    return {
        (store, order_id)
        for store, order_ids in by_store.items()
        for (order_id,) in run(connection, SELECT_ERASED, {"store": store, "order_ids": order_ids})
    }


def may_have_been_processed(transaction: Transaction, store: str, order_id: str) -> bool:
    """True if an account has the order, or an attempt to send it was processed, or may have been."""
    is_of_order = matches_order(Delivery, store, order_id)
    is_there = or_(
        col(Delivery.state).in_([State.SENDING, State.DELIVERED]),
        col(Delivery.reason) == Reason.UNCERTAIN,
        col(Delivery.locked_since).is_not(None),
        exists(col(Attempt.id)).where(
            col(Attempt.delivery_id) == col(Delivery.id), col(Attempt.outcome).in_(PROCESSED_OUTCOMES)
        ),
    )
    return transaction.load_one(select(Delivery.id).where(is_of_order, is_there).limit(1)) is not None


def is_cancelled(connection: Connection, store: str, order_id: str, *, override_event_id: int | None = None) -> bool:
    """True if the store cancelled the order. If a person sent it anyway, events up to that one do not count."""
    cancellation = select(Event.id).where(
        matches_order(Event, store, order_id), col(Event.is_cancellation), col(Event.id) > (override_event_id or 0)
    )
    return connection.execute(cancellation.limit(1)).first() is not None


def cancellation_values(
    *,
    state: str,
    reason: str | None,
    locked_since: datetime | None,
    is_doubtful: bool = False,
    may_be_sent: bool = False,
) -> tuple[dict[str, Any], Problem | None]:
    """Return the column changes of a delivery whose order is cancelled, and the alert to raise, if any.

    What was certainly not sent is discarded, or held if the cancellation is doubtful. What may have been sent is not
    retried.

    Args:
        may_be_sent: before the database was restored from a backup.
    """
    if state == State.DISCARDED and reason != Reason.FILTERED:  # a filtered one could be sent later
        return {}, None
    if state in (State.SENDING, State.DELIVERED) or reason == Reason.UNCERTAIN:
        return {}, DELETED_AFTER_SENDING if is_doubtful else CANCELLED_AFTER_SENDING
    released_claim = {"claimed_by": None, "claim_expires_at": None, "due_at": None}
    # It waits to repeat an ambiguous attempt, or may have been sent before a restore.
    if locked_since is not None or (may_be_sent and state != State.DISCARDED):
        return {"state": State.PARKED, "reason": Reason.UNCERTAIN, **released_claim}, CANCELLED_WHILE_AMBIGUOUS
    if is_doubtful:
        return held_values(DELETED_OR_BACK), None
    return {"state": State.DISCARDED, "reason": Reason.CANCELLED, **released_claim}, None


def add_note(
    transaction: Transaction, delivery_id: int, kind: str, text: str, actor: str, message: Problem | None = None
) -> None:
    """Record what a person did to a delivery. The message is ours, the text is the person's."""
    values = {"delivery_id": delivery_id, "at": transaction.now, "kind": kind, "text": text, "who": actor}
    transaction.execute(insert(Note).values(values | {"message": message.to_json() if message else None}))


def add_alert(transaction: Transaction, delivery_id: int, message: Problem) -> None:
    """Record that a delivery needs a person's attention."""
    transaction.execute(insert(Note).values(alert_values(delivery_id, message, transaction.now)))


def alert_values(delivery_id: int | None, message: Problem, at: datetime) -> dict[str, Any]:
    """The values of the note of an alert."""
    return {"delivery_id": delivery_id, "at": at, "kind": "alert", "text": "", "message": message.to_json()}


def record_order(database: Database, delivery_id: int, number: str, summary: dict[str, Any] | None) -> None:
    """Store what the webhook did not contain: the order's number, and what lists show of it."""
    statement = update(Delivery).where(col(Delivery.id) == delivery_id).values(order_number=number, summary=summary)
    database.transact(lambda transaction: transaction.execute(statement))
