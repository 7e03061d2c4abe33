"""Deletes the payloads, bodies and responses of orders that ended long ago. Never a row.

Event keys and deliveries stay, so that a webhook that is repeated after years creates no second delivery. SQLite reuses
the space. VACUUM returns it to the file system, and clears what it contained until then
(https://www.sqlite.org/lang_vacuum.html, 2026-11-21).
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, not_, null, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from connector.database.corrections import delete_corrections
from connector.database.engine import Database, Transaction
from connector.database.models import Attempt, Delivery, Event, State

ENDED = (State.DELIVERED, State.DISCARDED)

Model = type[Event] | type[Delivery]
#: Clears the rows that match a condition. Returns their number.
ClearRows = Callable[[Transaction, ColumnElement[bool]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneResult:
    """How many rows were cleared."""

    deliveries: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneCriteria:
    """What may be deleted.

    Args:
        before: nothing may have happened to the order since.
        thin_stores: ids of stores whose webhooks only name the order. Such a payload contains no personal data and is
            not deleted: a later change of the order is reported with the same bytes, and fetched with them.
    """

    before: datetime
    thin_stores: Collection[str]

    def delivery_condition(self) -> ColumnElement[bool]:
        is_due = or_(col(Delivery.pruned_at).is_(None), col(Delivery.pruned_at) < col(Delivery.updated_at))
        # Implied by the condition on the whole order, but cheaper to check first.
        has_ended = and_(col(Delivery.state).in_(ENDED), col(Delivery.updated_at) < self.before)
        return and_(has_ended, is_due, self.is_order_inactive(Delivery))

    def event_condition(self) -> ColumnElement[bool]:
        """An accepted event without a delivery is an error: its payload is all that is left of the order."""
        is_thin = and_(col(Event.store).in_(sorted(self.thin_stores)), col(Event.order_id).is_not(None))
        is_prunable = and_(col(Event.received_at) < self.before, func.length(Event.body) > 0, not_(is_thin))
        has_delivery = exists(col(Delivery.id)).where(is_same_order(Delivery, Event)).correlate(Event)
        is_accounted_for = or_(col(Event.status) == "ignored", has_delivery)
        return and_(is_prunable, is_accounted_for, or_(col(Event.order_id).is_(None), self.is_order_inactive(Event)))

    def is_order_inactive(self, model: Model) -> ColumnElement[bool]:
        """All deliveries of a row's order ended before `before`, and no event of it arrived since."""
        delivery, event = aliased(Delivery), aliased(Event)
        is_open = or_(col(delivery.state).not_in(ENDED), col(delivery.updated_at) >= self.before)
        has_open_delivery = exists(col(delivery.id)).where(is_same_order(delivery, model), is_open).correlate(model)
        is_recent = col(event.received_at) >= self.before
        has_recent_event = exists(col(event.id)).where(is_same_order(event, model), is_recent).correlate(model)
        return and_(not_(has_open_delivery), not_(has_recent_event))


def is_same_order(left: Any, right: Any) -> ColumnElement[bool]:
    """The condition that rows of two models, or aliases of them, are of one order."""
    return and_(left.store == right.store, left.order_id == right.order_id)


def prune(
    database: Database, criteria: PruneCriteria, *, batch_size: int, dry_run: bool, pause: Callable[[], None]
) -> PruneResult:
    """Clear what may be deleted, `batch_size` rows per transaction. It can be interrupted and called again.

    Args:
        dry_run: only count.
        pause: called after each transaction, so that webhooks need not wait.
    """

    def prune_table(model: Model, clear: ClearRows, condition: ColumnElement[bool]) -> int:
        cleared = 0
        for ids in batches(database, model, condition, batch_size):
            if dry_run:
                cleared += len(ids)
            else:
                cleared += database.transact(
                    partial(clear_locked, model=model, ids=ids, clear=clear, condition=condition)
                )
                pause()
        return cleared

    return PruneResult(
        deliveries=prune_table(Delivery, clear_deliveries, criteria.delivery_condition()),
        events=prune_table(Event, clear_events, criteria.event_condition()),
    )


def batches(database: Database, model: Model, condition: ColumnElement[bool], batch_size: int) -> Iterator[list[int]]:
    """Ids of rows that may be cleared now. The condition is checked again when they are cleared."""
    ids = [0]
    while ids:
        statement = select(model.id).where(col(model.id) > ids[-1], condition).order_by(col(model.id))
        with database.read() as session:
            ids = list(session.exec(statement.limit(batch_size)).all())
        if ids:
            yield ids


def clear_locked(
    transaction: Transaction, *, model: Model, ids: list[int], clear: ClearRows, condition: ColumnElement[bool]
) -> int:
    """Lock the orders of these rows, so that no event arrives and no person queues them meanwhile, and clear them."""
    orders = select(model.store, model.order_id).where(col(model.id).in_(ids), col(model.order_id).is_not(None))
    rows = transaction.execute(orders).all()
    transaction.lock_orders([(store, order_id) for store, order_id in rows])
    delivery, row = aliased(Delivery), aliased(model)
    delivery_ids = select(delivery.id).join(row, is_same_order(delivery, row)).where(col(row.id).in_(ids))
    lock = select(Delivery.id).where(col(Delivery.id).in_(delivery_ids)).order_by(col(Delivery.id)).with_for_update()
    transaction.load_all(lock)
    return clear(transaction, and_(col(model.id).in_(ids), condition))


def clear_deliveries(transaction: Transaction, condition: ColumnElement[bool]) -> int:
    """Clear all that may quote the customer: bodies, responses, problems, summaries, and what people entered.

    Errors and ids are not cleared.

    Nor is the body of an attempt that may have been processed: only the same bytes may be sent again.
    """
    resendable_body = case((col(Delivery.locked_since).is_(None), null()), else_=col(Delivery.body))
    values: dict[str, Any] = {
        "body": resendable_body,
        "summary": None,
        "problems": [],
        "missing_rows": None,
        "warnings": [],
        "pruned_at": transaction.now,
    }
    statement = update(Delivery).where(condition).values(values).returning(col(Delivery.id))
    ids = list(transaction.execute(statement).scalars())
    if ids:
        transaction.execute(update(Attempt).where(col(Attempt.delivery_id).in_(ids)).values(reply=None))
        delete_corrections(transaction, ids)
    return len(ids)


def clear_events(transaction: Transaction, condition: ColumnElement[bool]) -> int:
    return transaction.execute(update(Event).where(condition).values(body=b"")).rowcount
