"""Deletes the payloads, bodies and responses of orders that ended long ago. Never a row.

Event keys and deliveries stay, so that a webhook that is repeated after years creates no second delivery. SQLite reuses
the space. VACUUM returns it to the file system, and clears what it contained until then
(https://www.sqlite.org/lang_vacuum.html, 2026-11-21).
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, insert, not_, or_, text, tuple_, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from connector.core.messages import build_message
from connector.database.corrections import delete_corrections
from connector.database.engine import Database, Transaction
from connector.database.models import ENDED_WITH_CONTENT, Attempt, Delivery, Event, OperatorAction, Reason, State
from connector.database.stats.counters import PRUNED, add_counts, make_labels
from mappings.problems import Problem

ENDED = (State.DELIVERED, State.DISCARDED)

Model = type[Event] | type[Delivery]


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneResult:
    """How many rows were cleared."""

    deliveries: int = 0
    events: int = 0

    def __add__(self, other: "PruneResult") -> "PruneResult":
        return PruneResult(deliveries=self.deliveries + other.deliveries, events=self.events + other.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneCriteria:
    """What may be deleted.

    Args:
        before: nothing may have happened to the order since, except that it expired.
        thin_stores: ids of stores whose webhooks only name the order. Such a payload contains no personal data and is
            not deleted: a later change of the order is reported with the same bytes, and fetched with them.
    """

    before: datetime
    thin_stores: Collection[str]

    def delivery_condition(self) -> ColumnElement[bool]:
        return and_(text(ENDED_WITH_CONTENT), self.is_order_inactive(Delivery))

    def event_condition(self) -> ColumnElement[bool]:
        """An accepted event without a delivery is an error: its payload is all that is left of the order."""
        is_prunable = and_(col(Event.received_at) < self.before, col(Event.pruned_at).is_(None))
        has_delivery = exists(col(Delivery.id)).where(is_same_order(Delivery, Event)).correlate(Event)
        is_accounted_for = or_(col(Event.status) == "ignored", has_delivery)
        return and_(is_prunable, is_accounted_for, or_(col(Event.order_id).is_(None), self.is_order_inactive(Event)))

    def condition(self, model: Model) -> ColumnElement[bool]:
        return self.delivery_condition() if model is Delivery else self.event_condition()

    def is_thin(self) -> ColumnElement[bool]:
        return and_(col(Event.store).in_(sorted(self.thin_stores)), col(Event.order_id).is_not(None))

    def is_order_inactive(self, model: Model) -> ColumnElement[bool]:
        """All deliveries of a row's order ended before `before`, and no event of it arrived since."""
        delivery, event = aliased(Delivery), aliased(Event)
        open_deliveries = exists(col(delivery.id)).where(is_same_order(delivery, model), self.is_open(delivery))
        is_recent = col(event.received_at) >= self.before
        recent_events = exists(col(event.id)).where(is_same_order(event, model), is_recent)
        return and_(not_(open_deliveries.correlate(model)), not_(recent_events.correlate(model)))

    def is_open(self, delivery: Any) -> ColumnElement[bool]:
        """An expired delivery has ended long before it was discarded: nobody acted on it all that time."""
        has_ended_lately = and_(
            col(delivery.updated_at) >= self.before, col(delivery.reason).is_distinct_from(Reason.EXPIRED)
        )
        return or_(col(delivery.state).not_in(ENDED), has_ended_lately)


def is_same_order(left: Any, right: Any) -> ColumnElement[bool]:
    """The condition that rows of two models, or aliases of them, are of one order."""
    return and_(left.store == right.store, left.order_id == right.order_id)


def prune(
    database: Database,
    criteria: PruneCriteria,
    *,
    actor: str,
    batch_size: int,
    dry_run: bool,
    pause: Callable[[], None],
) -> PruneResult:
    """Clear what may be deleted, `batch_size` rows per transaction. It can be interrupted and called again.

    Args:
        actor: who does it, for the audit trail.
        dry_run: only count.
        pause: called after each transaction, so that webhooks need not wait.
    """
    if dry_run:
        has_content = not_(criteria.is_thin())
        return PruneResult(
            deliveries=sum(map(len, batches(database, Delivery, criteria, batch_size))),
            events=sum(map(len, batches(database, Event, criteria, batch_size, has_content))),
        )
    run = PruneRun(result=PruneResult())
    for model in (Delivery, Event):
        for ids in batches(database, model, criteria, batch_size):
            change = partial(prune_batch, model=model, ids=ids, criteria=criteria, actor=actor, run=run)
            run = database.transact(change)
            pause()
    return run.result


def batches(
    database: Database, model: Model, criteria: PruneCriteria, batch_size: int, *conditions: ColumnElement[bool]
) -> Iterator[list[int]]:
    """Ids of rows that may be cleared now, oldest first. The condition is checked again when they are cleared."""
    at = col(Delivery.updated_at) if model is Delivery else col(Event.received_at)
    statement = (
        select(model.id, at)
        .where(at < criteria.before, criteria.condition(model), *conditions)
        .order_by(at, col(model.id))
        .limit(batch_size)
    )
    position, after = tuple_(at, col(model.id)), (datetime(1970, 1, 1, tzinfo=UTC), 0)
    is_over = False
    while not is_over:
        with database.read() as session:
            rows = session.exec(statement.where(position > after)).all()
        if rows:
            yield [id_ for id_, _ in rows]
            last_id, last_at = rows[-1]
            after = (last_at, last_id)
        is_over = len(rows) < batch_size


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRun:
    """What a run has cleared so far, and the row of the audit trail that says so."""

    result: PruneResult
    action_id: int | None = None  # None: nothing was cleared yet


def prune_batch(
    transaction: Transaction, *, model: Model, ids: list[int], criteria: PruneCriteria, actor: str, run: PruneRun
) -> PruneRun:
    """Clear those of the rows that may still be cleared. Returns the run with them."""
    lock_orders_of(transaction, model, ids)
    cleared = (
        PruneResult(deliveries=clear_deliveries(transaction, criteria, col(Delivery.id).in_(ids)))
        if model is Delivery
        else PruneResult(events=clear_events(transaction, criteria, col(Event.id).in_(ids)))
    )
    count_pruned(transaction, cleared)
    result = run.result + cleared
    action_id = run.action_id
    if result != PruneResult():
        message = build_message(
            "pruned", deliveries=result.deliveries, events=result.events, before=f"{criteria.before:%Y-%m-%d}"
        )
        action_id = record_action(transaction, action_id, actor, message)
    return PruneRun(result=result, action_id=action_id)


def lock_orders_of(transaction: Transaction, model: Model, ids: list[int]) -> None:
    """Lock the orders of these rows, so that no event arrives and no person queues them meanwhile."""
    orders = select(model.store, model.order_id).where(col(model.id).in_(ids), col(model.order_id).is_not(None))
    rows = transaction.execute(orders).all()
    transaction.lock_orders([(store, order_id) for store, order_id in rows])
    delivery, row = aliased(Delivery), aliased(model)
    delivery_ids = select(delivery.id).join(row, is_same_order(delivery, row)).where(col(row.id).in_(ids))
    lock = select(Delivery.id).where(col(Delivery.id).in_(delivery_ids)).order_by(col(Delivery.id)).with_for_update()
    transaction.load_all(lock)


def clear_deliveries(transaction: Transaction, criteria: PruneCriteria, condition: ColumnElement[bool]) -> int:
    """Clear all that may quote the customer: bodies, responses, problems, summaries, and what people entered.

    Errors and ids are not cleared. Nor is the idempotency key: only the bytes that were sent with it may be sent with
    it again, so that without them a person must choose a new key.
    """
    values: dict[str, Any] = {
        "body": None,
        "summary": None,
        "problems": [],
        "missing_rows": None,
        "warnings": [],
        "pruned_at": transaction.now,
    }
    statement = update(Delivery).where(condition, criteria.delivery_condition()).values(values)
    ids = list(transaction.execute(statement.returning(col(Delivery.id))).scalars())
    if ids:
        transaction.execute(update(Attempt).where(col(Attempt.delivery_id).in_(ids)).values(reply=None))
        delete_corrections(transaction, ids)
    return len(ids)


def clear_events(transaction: Transaction, criteria: PruneCriteria, condition: ColumnElement[bool]) -> int:
    """Clear payloads, except those that only name an order. Returns the number of the others."""
    is_thin = criteria.is_thin()
    values = {"body": case((is_thin, col(Event.body)), else_=b""), "pruned_at": transaction.now}
    statement = update(Event).where(condition, criteria.event_condition()).values(values)
    lengths = transaction.execute(statement.returning(func.length(col(Event.body)))).scalars()
    return sum(length == 0 for length in lengths)


def count_pruned(transaction: Transaction, cleared: PruneResult) -> None:
    """Add to the counters of the metrics."""
    counts = {"deliveries": cleared.deliveries, "events": cleared.events}
    add_counts(transaction, {(PRUNED, make_labels(of=of)): float(count) for of, count in counts.items() if count})


def record_action(transaction: Transaction, action_id: int | None, actor: str, message: Problem) -> int:
    """Write the row of the audit trail, or bring it up to date. Returns its id."""
    if action_id is not None:
        is_row = col(OperatorAction.id) == action_id
        transaction.execute(update(OperatorAction).where(is_row).values(message=message.to_json()))
        return action_id
    values = {"at": transaction.now, "kind": "prune", "who": actor, "text": "", "message": message.to_json()}
    statement = insert(OperatorAction).values(values).returning(col(OperatorAction.id))
    return int(transaction.execute(statement).scalar_one())
