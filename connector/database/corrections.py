"""What people entered for fields of orders. It is stored beside the order, and each change of it is recorded.

A note says which fields were entered, and never what: that is personal data.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, update
from sqlmodel import Session, col, select

from connector.core.exceptions import ConflictError, NotFoundError
from connector.core.messages import build_message
from connector.database.engine import Database, Transaction
from connector.database.idempotency import IdempotentRequest, transact_idempotently
from connector.database.models import Delivery, OrderCorrection, Reason, State
from connector.database.operator_actions import RetriggerRequest, lock_delivery, queue_again
from connector.database.orders import add_note, matches_order
from mappings.corrections import Correction
from mappings.problems import Problem

IN_FORCE = col(OrderCorrection.withdrawn_at).is_(None)
#: Built once: it runs in every claim.
SELECT_OF_DELIVERIES = (
    select(Delivery.id, OrderCorrection)
    .where(matches_order(OrderCorrection, col(Delivery.store), col(Delivery.order_id)))
    .where(col(Delivery.id).in_(bindparam("ids", expanding=True)), IN_FORCE)
    .order_by(col(OrderCorrection.id))
)
#: What was delivered or discarded is not sent any more.
ENDED_STATES = (State.DELIVERED, State.DISCARDED)
#: Why a delivery was parked that is sent once the order was corrected.
CORRECTABLE_REASONS = (Reason.UNMAPPABLE, Reason.REFUSED, Reason.EXHAUSTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionResult:
    """The delivery after a change of its order's corrections, and what the change means for it."""

    delivery: Delivery
    effect: Problem

    @property
    def is_queued(self) -> bool:
        return self.effect.code == "correction_queued"


def list_corrections(database: Database, store: str, order_id: str) -> list[OrderCorrection]:
    """Those in force, oldest first."""
    statement = select(OrderCorrection).where(matches_order(OrderCorrection, store, order_id), IN_FORCE)
    with database.read() as session:
        return list(session.exec(statement.order_by(col(OrderCorrection.id))).all())


def load_corrections(database: Database, store: str, order_id: str | None) -> tuple[Correction, ...]:
    """Return those in force as values; none for an event without an order."""
    return () if order_id is None else tuple(map(to_value, list_corrections(database, store, order_id)))


def load_corrections_of(session: Session, delivery_ids: Collection[int]) -> dict[int, tuple[Correction, ...]]:
    """Return those in force by delivery, for the deliveries that have some."""
    corrections: dict[int, tuple[Correction, ...]] = {}
    for delivery_id, row in session.exec(SELECT_OF_DELIVERIES, params={"ids": list(delivery_ids)}):
        corrections[delivery_id] = (*corrections.get(delivery_id, ()), to_value(row))
    return corrections


def to_value(row: OrderCorrection) -> Correction:
    return Correction(field=row.field, value=row.value, entered_by=row.entered_by)


def enter_corrections(
    database: Database,
    delivery_id: int,
    values: Mapping[str, str],
    *,
    actor: str,
    note: str | None,
    destinations_with_idempotency: Collection[str],
    idempotency: IdempotentRequest | None = None,
) -> CorrectionResult:
    """Store the values for the delivery's order, in place of earlier ones, and queue what lacked them.

    Raises `NotFoundError`, `ConflictError`.

    Args:
        values: by field.
        destinations_with_idempotency: destinations that take an idempotency key.
    """

    def enter(transaction: Transaction) -> CorrectionResult:
        delivery, deliveries = lock_order(transaction, delivery_id)
        withdraw(transaction, delivery, list(values), actor)
        rows = [
            {
                "store": delivery.store,
                "order_id": delivery.order_id,
                "field": field,
                "value": value,
                "entered_by": actor,
                "entered_at": transaction.now,
                "reason": note or "",
            }
            for field, value in values.items()
        ]
        transaction.execute(insert(OrderCorrection), rows)
        message = build_message("fields_entered", entered=[(field,) for field in values])
        add_note(transaction, delivery_id, "correct", note or "", actor, message)
        request = RetriggerRequest(actor=actor)
        for other in deliveries:
            reasons = CORRECTABLE_REASONS if other.id == delivery_id else (Reason.UNMAPPABLE,)
            map_anew(transaction, other, request, reasons, destinations_with_idempotency)
        transaction.notify()
        return CorrectionResult(delivery=lock_delivery(transaction, delivery_id), effect=find_effect(delivery))

    return transact_idempotently(database, enter, idempotency)


def withdraw_corrections(
    database: Database,
    delivery_id: int,
    fields: Sequence[str],
    *,
    actor: str,
    note: str | None,
    destinations_with_idempotency: Collection[str],
    idempotency: IdempotentRequest | None = None,
) -> CorrectionResult:
    """Withdraw what was entered for these fields. Deliveries that wait or could not be mapped are mapped again.

    Raises `NotFoundError`, `ConflictError`.
    """

    def withdraw_fields(transaction: Transaction) -> CorrectionResult:
        delivery, deliveries = lock_order(transaction, delivery_id)
        if withdraw(transaction, delivery, fields, actor) < len(set(fields)):
            raise NotFoundError("no value was entered for this field")
        message = build_message("fields_withdrawn", entered=[(field,) for field in fields])
        add_note(transaction, delivery_id, "withdraw", note or "", actor, message)
        request = RetriggerRequest(actor=actor)
        for other in deliveries:
            map_anew(transaction, other, request, (Reason.UNMAPPABLE,), destinations_with_idempotency)
        transaction.notify()
        effect = find_effect(delivery, reasons=(Reason.UNMAPPABLE,))
        return CorrectionResult(delivery=lock_delivery(transaction, delivery_id), effect=effect)

    return transact_idempotently(database, withdraw_fields, idempotency)


def lock_order(transaction: Transaction, delivery_id: int) -> tuple[Delivery, Sequence[Delivery]]:
    """Lock the order of a delivery. Returns the delivery, and all deliveries of the order.

    Raises `NotFoundError`, or `ConflictError` if the delivery has ended.
    """
    delivery = transaction.load_one(select(Delivery).where(Delivery.id == delivery_id))
    if delivery is None:
        raise NotFoundError(f"no delivery {delivery_id}")
    transaction.lock_orders([(delivery.store, delivery.order_id)])
    statement = select(Delivery).where(matches_order(Delivery, delivery.store, delivery.order_id))
    deliveries = transaction.load_all(statement.order_by(col(Delivery.id)).with_for_update())
    delivery = next(other for other in deliveries if other.id == delivery_id)
    ensure_open(delivery)
    return delivery, deliveries


def ensure_open(delivery: Delivery) -> None:
    """Raises `ConflictError` if nothing is sent any more."""
    if delivery.state in ENDED_STATES:
        raise ConflictError(f"it is {delivery.state}: a correction would not be sent")


def withdraw(transaction: Transaction, delivery: Delivery, fields: Sequence[str], actor: str) -> int:
    """Withdraw what is in force for these fields. Returns how many were."""
    statement = (
        update(OrderCorrection)
        .where(matches_order(OrderCorrection, delivery.store, delivery.order_id))
        .where(col(OrderCorrection.field).in_(fields), IN_FORCE)
        .values(withdrawn_by=actor, withdrawn_at=transaction.now)
    )
    return transaction.execute(statement).rowcount


def map_anew(
    transaction: Transaction,
    delivery: Delivery,
    request: RetriggerRequest,
    reasons: Collection[str],
    destinations_with_idempotency: Collection[str],
) -> None:
    """Queue a delivery that waits, or is parked for one of the reasons. A worker that holds it reads it again."""
    if find_effect(delivery, reasons=reasons).code == "correction_queued":
        supports_idempotency = delivery.destination in destinations_with_idempotency
        queue_again(transaction, delivery, request, supports_idempotency=supports_idempotency, ignores_routes=False)


def find_effect(delivery: Delivery, *, reasons: Collection[str] = CORRECTABLE_REASONS) -> Problem:
    """Return what a change of its order's corrections means for a delivery.

    Args:
        reasons: why it may be parked to be queued.
    """
    if delivery.locked_since is not None and delivery.body is not None:
        return build_message("correction_of_fixed_body")
    if delivery.state == State.SENDING:
        return build_message("correction_while_sending")
    if delivery.state == State.WAITING or delivery.reason in reasons:
        return build_message("correction_queued")
    if delivery.reason == Reason.UNCERTAIN:
        return build_message("correction_of_uncertain")
    return build_message("correction_of_parked")


def delete_corrections(transaction: Transaction, delivery_ids: Collection[int]) -> None:
    """Delete what was ever entered for the orders of these deliveries."""
    of_order = (
        select(Delivery.id)
        .where(col(Delivery.id).in_(delivery_ids))
        .where(matches_order(Delivery, col(OrderCorrection.store), col(OrderCorrection.order_id)))
    )
    transaction.execute(delete(OrderCorrection).where(of_order.exists()))
