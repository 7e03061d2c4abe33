"""Parked orders that nobody acted on for a long time: people are told, and then each is discarded as expired.

An order expires only if people were told of it `NOTICE` before and nothing has happened to it since: no newer version,
and nothing that a person did.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, exists, func, not_, text, tuple_, update
from sqlalchemy import select as select_rows
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from connector.core.messages import build_message
from connector.database.alerts import PARKED_REASONS
from connector.database.engine import Database, Transaction
from connector.database.models import Delivery, Event, Note, Reason, State
from connector.database.orders import add_note
from connector.database.prune import (
    PruneCriteria,
    PruneResult,
    clear_deliveries,
    clear_events,
    count_pruned,
    is_same_order,
    lock_orders_of,
)
from connector.database.stats.counters import EXPIRED, add_counts, make_labels

#: How long before an order expires people are told.
NOTICE = timedelta(days=14)
#: As the index `deliveries_parked` has it: SQLite compares the text.
IS_PARKED = text("state = 'parked'")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryCriteria:
    """When a parked delivery expires.

    Args:
        keep: how long nothing must have happened to it.
        now: the time to judge by.
        clearing: what may be deleted of expired orders, too; None: nothing.
    """

    keep: timedelta
    now: datetime
    clearing: PruneCriteria | None

    def is_to_be_announced(self) -> ColumnElement[bool]:
        return and_(IS_PARKED, is_untouched_since(self.now - self.keep + NOTICE), not_(is_announced()))

    def is_expired(self) -> ColumnElement[bool]:
        is_told = col(Delivery.expiry_announced_at) <= self.now - NOTICE
        return and_(IS_PARKED, is_untouched_since(self.now - self.keep), is_told, is_announced())


def is_announced() -> ColumnElement[bool]:
    """True if people were told that the delivery expires, and nothing has happened to it since."""
    announced_at = col(Delivery.expiry_announced_at)
    return and_(announced_at.is_not(None), is_untouched_since(announced_at))


def is_untouched_since(at: datetime | SQLColumnExpression[Any]) -> ColumnElement[bool]:
    event, note = aliased(Event), aliased(Note)
    newer_events = exists(col(event.id)).where(is_same_order(event, Delivery), col(event.received_at) >= at)
    is_by_person = and_(col(note.delivery_id) == col(Delivery.id), col(note.who).is_not(None))
    newer_notes = exists(col(note.id)).where(is_by_person, col(note.at) >= at)
    return and_(
        col(Delivery.updated_at) < at, not_(newer_events.correlate(Delivery)), not_(newer_notes.correlate(Delivery))
    )


def announce_expiry(
    database: Database,
    accounts: Collection[str],
    criteria: ExpiryCriteria,
    *,
    batch_size: int,
    pause: Callable[[], None],
) -> int:
    """Record that people are told of the deliveries that expire after `NOTICE`. Returns the number.

    The alert monitor, the dashboard and `connector doctor` read it.
    """

    def announce(ids: list[int], transaction: Transaction) -> int:
        is_of_batch = and_(col(Delivery.id).in_(ids), criteria.is_to_be_announced())
        values = {"expiry_announced_at": transaction.now}
        return transaction.execute(update(Delivery).where(is_of_batch).values(values)).rowcount

    announced = 0
    cutoff = criteria.now - criteria.keep + NOTICE
    for ids in batches(database, accounts, criteria.is_to_be_announced(), cutoff, batch_size):
        announced += database.transact(partial(announce, ids))
        pause()
    return announced


def expire_parked(
    database: Database,
    accounts: Collection[str],
    criteria: ExpiryCriteria,
    *,
    actor: str,
    batch_size: int,
    pause: Callable[[], None],
) -> int:
    """Discard what has expired, each with a note that says why, and clear its order. Returns the number."""
    expired = 0
    cutoff = criteria.now - criteria.keep
    for ids in batches(database, accounts, criteria.is_expired(), cutoff, batch_size):
        expired += database.transact(partial(expire_batch, ids=ids, criteria=criteria, actor=actor))
        pause()
    return expired


def batches(
    database: Database, accounts: Collection[str], condition: ColumnElement[bool], cutoff: datetime, batch_size: int
) -> Iterator[list[int]]:
    """Ids of parked deliveries that meet the condition, by the index of those that have not changed since `cutoff`."""
    position = tuple_(col(Delivery.updated_at), col(Delivery.id))
    statement = (
        select(Delivery.id, Delivery.updated_at)
        .where(IS_PARKED, col(Delivery.updated_at) < cutoff, condition)
        .order_by(col(Delivery.updated_at), col(Delivery.id))
        .limit(batch_size)
    )
    for account in sorted(accounts):
        for reason in PARKED_REASONS:
            of_account = statement.where(Delivery.account == account, Delivery.reason == reason)
            is_over, after = False, None
            while not is_over:
                with database.read() as session:
                    rows = session.exec(of_account if after is None else of_account.where(position > after)).all()
                if rows:
                    yield [id_ for id_, _ in rows]
                    last_id, last_at = rows[-1]
                    after = (last_at, last_id)
                is_over = len(rows) < batch_size


def expire_batch(transaction: Transaction, *, ids: list[int], criteria: ExpiryCriteria, actor: str) -> int:
    lock_orders_of(transaction, Delivery, ids)
    is_of_batch = and_(col(Delivery.id).in_(ids), criteria.is_expired())
    columns = select_rows(col(Delivery.id), col(Delivery.account), col(Delivery.reason)).where(is_of_batch)
    rows = transaction.execute(columns.order_by(col(Delivery.id))).all()
    expired_ids = [id_ for id_, _, _ in rows]
    values = {
        "state": State.DISCARDED,
        "reason": Reason.EXPIRED,
        "expiry_announced_at": None,
        "updated_at": transaction.now,
    }
    transaction.execute(update(Delivery).where(col(Delivery.id).in_(expired_ids)).values(values))
    for id_, account, reason in rows:
        message = build_message(f"expired_{reason}", days=criteria.keep.days)
        add_note(transaction, id_, "expire", "", actor, message)
        add_counts(transaction, {(EXPIRED, make_labels(account=account)): 1.0})
    if criteria.clearing is not None:
        clear_orders_of(transaction, expired_ids, criteria.clearing)
    return len(rows)


def clear_orders_of(transaction: Transaction, delivery_ids: list[int], clearing: PruneCriteria) -> None:
    """Clear the orders of these deliveries, except those that other deliveries still need."""
    expired, delivery, event = aliased(Delivery), aliased(Delivery), aliased(Event)
    is_expired = col(expired.id).in_(delivery_ids)
    deliveries = select(delivery.id).join(expired, is_same_order(delivery, expired)).where(is_expired)
    events = select(event.id).join(expired, is_same_order(event, expired)).where(is_expired)
    cleared = PruneResult(
        deliveries=clear_deliveries(transaction, clearing, col(Delivery.id).in_(deliveries)),
        events=clear_events(transaction, clearing, col(Event.id).in_(events)),
    )
    count_pruned(transaction, cleared)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringOrders:
    """The parked orders of an account that people were told of."""

    account: str
    orders: int
    announced_at: datetime  # the first of them
    expires_at: datetime  # the first of them, if nothing happens to it


def read_expiring(database: Database) -> list[ExpiringOrders]:
    """Return the orders that expire within `NOTICE` unless somebody acts on them, by account."""
    announced_at = col(Delivery.expiry_announced_at)
    statement = (
        select_rows(col(Delivery.account), func.count(), func.min(announced_at))
        .where(announced_at.is_not(None), IS_PARKED, is_announced())
        .group_by(col(Delivery.account))
        .order_by(col(Delivery.account))
    )
    with database.read() as session:
        rows = session.execute(statement).all()
    return [
        ExpiringOrders(account=account, orders=orders, announced_at=first, expires_at=first + NOTICE)
        for account, orders, first in rows
    ]
