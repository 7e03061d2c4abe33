"""Erases the personal data of orders. Ids, keys, hashes, states and times stay, so no repeat makes a second delivery.

If a delivery of the order has not ended, the order is erased when it has. Until then, a row stores the request.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, insert, not_, or_, update
from sqlmodel import col, select

from connector.core.messages import build_message
from connector.database.coordination import get_checkpoint, lock_checkpoint, set_checkpoint
from connector.database.engine import Database, Transaction
from connector.database.idempotency import RETENTION
from connector.database.insert_ignore import insert_ignore
from connector.database.models import (
    Attempt,
    Delivery,
    ErasedOrder,
    Event,
    IdempotencyKey,
    Job,
    JobDelivery,
    Note,
    OperatorAction,
    OrderCorrection,
    Reason,
    State,
)
from connector.database.operator_actions import apply_resolution
from connector.database.order_batch import OrderKey
from connector.database.orders import matches_order
from connector.database.personal_columns import ERASED_VALUES, FREE_TEXTS, PROBLEM_COLUMNS, RESPONSES, personal_columns
from mappings.problems import Problem

ENDED = (State.DELIVERED, State.DISCARDED)
#: A checkpoint: 0 if nothing was erased since the free space of the file was emptied, 1 if only the WAL is left.
UNCLEANED = "erasure:uncleaned"
ONLY_LOG_LEFT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRequest:
    """A person's request to erase an order.

    Args:
        mentions: by what texts of people mention the customer: addresses, telephone numbers, names.
        discards_parked: end deliveries that are parked and certainly were not sent.
    """

    actor: str
    mentions: Collection[str] = ()
    discards_parked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderErasure:
    """What was done with an order.

    Args:
        open_deliveries: those that have not ended. If there are some, the order is erased once they have.
    """

    store: str
    order_id: str
    order_number: str | None
    open_deliveries: tuple[Delivery, ...]

    @property
    def is_erased(self) -> bool:
        return not self.open_deliveries


def erase_order(database: Database, order: OrderKey, request: ErasureRequest) -> OrderErasure:
    """Erase an order, or have it erased once its deliveries have ended."""

    def erase(transaction: Transaction) -> OrderErasure:
        transaction.lock_orders([order])
        row = {"store": order[0], "order_id": order[1], "requested_at": transaction.now}
        insert_ignore(
            transaction.connection,
            ErasedOrder,
            [{**row, "requested_by": request.actor, "erased_at": None}],
            unique=("store", "order_id"),
        )
        deliveries = lock_order_deliveries(transaction, order)
        if request.discards_parked:
            for delivery in filter(is_discardable, deliveries):
                discard(transaction, delivery, request.actor)
            deliveries = lock_order_deliveries(transaction, order)
        open_deliveries = tuple(delivery for delivery in deliveries if delivery.state not in ENDED)
        if not open_deliveries:
            empty_order(transaction, order, [delivery.id for delivery in deliveries], request.mentions)
        number = next((delivery.order_number for delivery in deliveries if delivery.order_number), None)
        return OrderErasure(store=order[0], order_id=order[1], order_number=number, open_deliveries=open_deliveries)

    return database.transact(erase)


def record_request(database: Database, *, actor: str, orders: int) -> None:
    """Add an entry to the audit trail: who had how many orders erased, and not whose."""
    record_action(database, "erase", build_message("erasure_requested", orders=orders), actor=actor)


def record_export(database: Database, *, actor: str, orders: int) -> None:
    """Add an entry to the audit trail: who exported how many orders, and not whose."""
    record_action(database, "export", build_message("data_exported", orders=orders), actor=actor)


def record_action(database: Database, kind: str, message: Problem, *, actor: str) -> None:
    values = {"kind": kind, "who": actor, "text": "", "message": message.to_json()}
    database.transact(
        lambda transaction: transaction.execute(insert(OperatorAction).values(at=transaction.now, **values))
    )


def lock_order_deliveries(transaction: Transaction, order: OrderKey) -> Sequence[Delivery]:
    statement = select(Delivery).where(matches_order(Delivery, *order)).order_by(col(Delivery.id))
    return transaction.load_all(statement.with_for_update())


def is_discardable(delivery: Delivery) -> bool:
    """Whether it is parked, and no attempt may have been processed."""
    is_doubtful = delivery.reason == Reason.UNCERTAIN or delivery.locked_since is not None
    return delivery.state == State.PARKED and not is_doubtful


def discard(transaction: Transaction, delivery: Delivery, actor: str) -> None:
    apply_resolution(
        transaction, delivery, new_state=State.DISCARDED, remote_id=None, note="privacy erase", actor=actor
    )


def empty_order(
    transaction: Transaction, order: OrderKey, delivery_ids: Collection[int], mentions: Collection[str]
) -> None:
    """Empty all columns with personal data of an order whose deliveries have ended."""
    of_delivery = col(Attempt.delivery_id).in_(delivery_ids)
    of_note = col(Note.delivery_id).in_(delivery_ids)
    conditions: dict[Any, ColumnElement[bool]] = {
        Event: matches_order(Event, *order),
        Delivery: matches_order(Delivery, *order),
        Attempt: of_delivery,
        Note: of_note,
    }
    for model, condition in conditions.items():
        empty_rows(transaction, model, condition)
    times = {"erased_at": transaction.now, "pruned_at": transaction.now, "compare_at": None}
    transaction.execute(update(Delivery).where(conditions[Delivery]).values(times))
    transaction.execute(delete(OrderCorrection).where(matches_order(OrderCorrection, *order)))
    jobs = select(JobDelivery.job_id).where(col(JobDelivery.delivery_id).in_(delivery_ids))
    empty_free_texts(transaction, {Job: col(Job.id).in_(jobs), OperatorAction: col(OperatorAction.job_id).in_(jobs)})
    empty_mentions(transaction, mentions)
    empty_responses(transaction, order)
    is_order = and_(col(ErasedOrder.store) == order[0], col(ErasedOrder.order_id) == order[1])
    transaction.execute(update(ErasedOrder).where(is_order).values(erased_at=transaction.now))
    request_cleaning(transaction)


def empty_rows(transaction: Transaction, model: Any, condition: ColumnElement[bool]) -> None:
    """Empty the columns of an order's rows, and keep the codes of problems."""
    if (name := PROBLEM_COLUMNS.get(model)) is not None:
        column = getattr(model, name)
        rows = transaction.execute(select(model.id, column).where(condition, column.is_not(None))).all()
        for id_, value in rows:
            stripped = Problem.from_json(value).without_order_data().to_json()
            transaction.execute(update(model).where(model.id == id_).values({name: stripped}))
    transaction.execute(update(model).where(condition).values(ERASED_VALUES[model]))


def empty_free_texts(transaction: Transaction, conditions: dict[Any, ColumnElement[bool]]) -> None:
    for model, condition in conditions.items():
        transaction.execute(update(model).where(condition).values(FREE_TEXTS[model]))


def empty_mentions(transaction: Transaction, mentions: Collection[str]) -> None:
    """Empty what people wrote, if it contains one of these texts."""
    contains = transaction.backend.contains_text
    needles = {mention.strip().lower() for mention in mentions if mention.strip()}
    if not needles:
        return
    for model, values in FREE_TEXTS.items():
        for name, empty in values.items():
            column = getattr(model, name)
            is_mentioned = or_(*(contains(column, needle) for needle in needles))
            transaction.execute(update(model).where(is_mentioned).values({name: empty}))


def empty_responses(transaction: Transaction, order: OrderKey) -> None:
    """Empty stored responses about the order, and the digests of the requests. Their keys are refused from then on."""
    transaction.execute(delete(IdempotencyKey).where(col(IdempotencyKey.at) < transaction.now - RETENTION))
    rows = transaction.execute(select(IdempotencyKey.key, IdempotencyKey.body)).all()
    keys = [key for key, body in rows if body and any(is_of_order(item, order) for item in iter_objects(body))]
    for key in keys:
        statement = update(IdempotencyKey).where(col(IdempotencyKey.key) == key)
        transaction.execute(statement.values(RESPONSES[IdempotencyKey]))


def is_of_order(item: dict[str, Any], order: OrderKey) -> bool:
    return (item.get("store"), item.get("order_id")) == order


def iter_objects(text: str) -> Iterator[dict[str, Any]]:
    """All objects in a JSON text."""
    values = [json.loads(text)]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            yield value
            values += value.values()
        elif isinstance(value, list):
            values += value


def erase_events(database: Database, event_ids: Collection[int], mentions: Collection[str]) -> None:
    """Erase events that name no order."""

    def erase(transaction: Transaction) -> None:
        empty_rows(transaction, Event, and_(col(Event.id).in_(event_ids), col(Event.order_id).is_(None)))
        empty_mentions(transaction, mentions)
        request_cleaning(transaction)

    database.transact(erase)


def list_pending(database: Database) -> list[ErasedOrder]:
    """Orders that are to be erased once their deliveries have ended, oldest request first."""
    statement = select(ErasedOrder).where(col(ErasedOrder.erased_at).is_(None))
    with database.read() as session:
        return list(session.exec(statement.order_by(col(ErasedOrder.requested_at))).all())


def list_due(database: Database, *, limit: int) -> list[ErasedOrder]:
    """Those of `list_pending` whose deliveries have ended."""
    is_same_order = matches_order(Delivery, col(ErasedOrder.store), col(ErasedOrder.order_id))
    is_open = exists(col(Delivery.id)).where(is_same_order, col(Delivery.state).not_in(ENDED)).correlate(ErasedOrder)
    statement = select(ErasedOrder).where(col(ErasedOrder.erased_at).is_(None), not_(is_open))
    with database.read() as session:
        return list(session.exec(statement.order_by(col(ErasedOrder.requested_at)).limit(limit)).all())


def request_cleaning(transaction: Transaction) -> None:
    set_checkpoint(transaction, UNCLEANED, max(lock_checkpoint(transaction, UNCLEANED), ONLY_LOG_LEFT) + 1)


def clean(database: Database) -> bool:
    """Empty the space that erased rows took in the database's files. True if nothing of them is left there.

    False if a reader kept the WAL from being emptied: then it must be called again. On SQLite it rewrites the file,
    and webhooks wait meanwhile.

    Raises `DatabaseUnavailableError`, for example if the disk has no space for a second copy.
    """
    number = get_checkpoint(database, UNCLEANED)
    if number == 0:
        return True
    if number > ONLY_LOG_LEFT:
        database.rewrite(personal_columns())
        advance_cleaning(database, number, ONLY_LOG_LEFT)
    is_clean = database.empty_log()
    if is_clean:
        advance_cleaning(database, ONLY_LOG_LEFT, 0)
    return is_clean and get_checkpoint(database, UNCLEANED) == 0


def advance_cleaning(database: Database, number: int, next_number: int) -> None:
    """Set the checkpoint, unless something was erased meanwhile."""

    def advance(transaction: Transaction) -> None:
        if lock_checkpoint(transaction, UNCLEANED) == number:
            set_checkpoint(transaction, UNCLEANED, next_number)

    database.transact(advance)
