"""Drops the payloads, bodies and replies of orders that ended long ago. Never a row.

Event keys and deliveries stay, so that a repeat that comes after years is still a repeat, and makes no delivery.
SQLite uses the space again; VACUUM returns it, and clears what stood there until then
(https://www.sqlite.org/lang_vacuum.html, 2026-11-21).
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, not_, null, or_, select, update

from connector.database.engine import Database, Transaction
from connector.database.models import State, attempts, deliveries, events, read_rows

ENDED = (State.DELIVERED, State.DISCARDED)

#: Drops what the rows of a condition hold, and says of how many.
ClearRows = Callable[[Transaction, ColumnElement[bool]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneResult:
    """How many gave up what they held."""

    deliveries: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneCriteria:
    """What may go.

    Args:
        before: nothing may have happened to its order since.
        thin_stores: ids of stores whose webhooks only name the order. Such a payload holds nobody's data, and a
            later change of the order, which these stores tell in the very same bytes, is fetched by it: it stays.
    """

    before: datetime
    thin_stores: Collection[str]

    def delivery_condition(self) -> ColumnElement[bool]:
        is_due = or_(deliveries.c.pruned_at.is_(None), deliveries.c.pruned_at < deliveries.c.updated_at)
        # As much is asked of its whole order; asking it first spares the young ones that look.
        has_ended = and_(deliveries.c.state.in_(ENDED), deliveries.c.updated_at < self.before)
        return and_(has_ended, is_due, self.is_order_inactive(deliveries))

    def event_condition(self) -> ColumnElement[bool]:
        """An accepted one without a delivery is a fault: its payload is all that is left of the order."""
        is_thin = and_(events.c.store.in_(sorted(self.thin_stores)), events.c.order_id.is_not(None))
        is_prunable = and_(events.c.received_at < self.before, func.length(events.c.body) > 0, not_(is_thin))
        is_linked = or_(events.c.status == "ignored", exists().where(same_order(deliveries, events)).correlate(events))
        return and_(is_prunable, is_linked, or_(events.c.order_id.is_(None), self.is_order_inactive(events)))

    def is_order_inactive(self, table: Any) -> ColumnElement[bool]:
        """All deliveries of a row's order ended long ago, and no event of it came since."""
        delivery, event = deliveries.alias(), events.alias()
        is_open = or_(delivery.c.state.not_in(ENDED), delivery.c.updated_at >= self.before)
        has_open_delivery = exists().where(same_order(delivery, table), is_open).correlate(table)
        has_recent_event = exists().where(same_order(event, table), event.c.received_at >= self.before).correlate(table)
        return and_(not_(has_open_delivery), not_(has_recent_event))


def same_order(left: Any, right: Any) -> ColumnElement[bool]:
    return and_(left.c.store == right.c.store, left.c.order_id == right.c.order_id)


def prune(
    database: Database, criteria: PruneCriteria, *, batch_size: int, dry_run: bool, pause: Callable[[], None]
) -> PruneResult:
    """Drop what may go, `batch` rows in a transaction. Stopped at any point, it goes on when it is called again.

    Args:
        is_dry: only count.
        rest: called after each transaction, so that webhooks need not wait.
    """

    def prune_table(table: Any, clear: ClearRows, condition: ColumnElement[bool]) -> int:
        cleared = 0
        for ids in batches(database, table, condition, batch_size):
            if dry_run:
                cleared += len(ids)
            else:
                cleared += database.transact(
                    partial(clear_locked, table=table, ids=ids, clear=clear, condition=condition)
                )
                pause()
        return cleared

    return PruneResult(
        deliveries=prune_table(deliveries, clear_deliveries, criteria.delivery_condition()),
        events=prune_table(events, clear_events, criteria.event_condition()),
    )


def batches(database: Database, table: Any, condition: ColumnElement[bool], batch_size: int) -> Iterator[list[int]]:
    """The ids of what may go at present; it is asked again before it goes."""
    ids = [0]
    while ids:
        statement = select(table.c.id).where(table.c.id > ids[-1], condition).order_by(table.c.id).limit(batch_size)
        with database.read() as connection:
            ids = list(connection.execute(statement).scalars())
        if ids:
            yield ids


def clear_locked(
    transaction: Transaction, *, table: Any, ids: list[int], clear: ClearRows, condition: ColumnElement[bool]
) -> int:
    """Have the orders of these rows to ourselves: no event of them comes in, and no person wakes them, meanwhile."""
    orders = select(table.c.store, table.c.order_id).where(table.c.id.in_(ids), table.c.order_id.is_not(None))
    transaction.lock_orders([(row.store, row.order_id) for row in read_rows(transaction.execute(orders))])
    delivery = deliveries.alias()
    delivery_ids = select(delivery.c.id).join(table, same_order(delivery, table)).where(table.c.id.in_(ids))
    lock_statement = (
        select(deliveries.c.id).where(deliveries.c.id.in_(delivery_ids)).order_by(deliveries.c.id).with_for_update()
    )
    read_rows(transaction.execute(lock_statement))
    return clear(transaction, and_(table.c.id.in_(ids), condition))


def clear_deliveries(transaction: Transaction, condition: ColumnElement[bool]) -> int:
    """Their bodies and replies, and what was wrong with them, which may quote the customer. Errors and ids stay.

    So do the bytes of what may have landed for all that is known: it may go again only as the same bytes.
    """
    resendable_body = case((deliveries.c.locked_since.is_(None), null()), else_=deliveries.c.body)
    values: dict[str, Any] = {
        "body": resendable_body,
        "problems": [],
        "missing_rows": None,
        "warnings": [],
        "pruned_at": transaction.now,
    }
    statement = update(deliveries).where(condition).values(values).returning(deliveries.c.id)
    ids = list(transaction.execute(statement).scalars())
    if ids:
        transaction.execute(update(attempts).where(attempts.c.delivery_id.in_(ids)).values(reply=None))
    return len(ids)


def clear_events(transaction: Transaction, condition: ColumnElement[bool]) -> int:
    return transaction.execute(update(events).where(condition).values(body=b"")).rowcount
