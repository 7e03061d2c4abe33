"""State changes of a claimed delivery without an attempt, and of deliveries that lacked lookup rows.

A delivery is changed only while the caller's claim on it holds and nothing new about its order has arrived.
"""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, update
from sqlmodel import col, func, select

from connector.database.circuits import release_probe
from connector.database.engine import Database, Transaction
from connector.database.models import Delivery, Reason, State
from connector.database.sql.run import parse_time, run
from connector.database.sql.statements import LOCK_DELIVERIES
from mappings.problems import Problem, dump_problems, missing_rows_in

#: Parked because lookup tables lack rows.
LACKS_ROWS = and_(
    col(Delivery.state) == State.PARKED,
    col(Delivery.reason) == Reason.UNMAPPABLE,
    col(Delivery.missing_rows).is_not(None),
)


class LockedDelivery(NamedTuple):
    """The columns of a delivery that decide what may happen to it, in the order of `LOCK_DELIVERIES`."""

    id: int
    account: str
    store: str
    destination: str
    order_id: str
    event_id: int
    state: str
    reason: str | None
    remote_id: str | None
    claimed_by: str | None
    attempts: int
    override_event_id: int | None
    sent_before_restore: bool | None
    due_at: datetime | None
    claim_expires_at: datetime | None
    locked_since: datetime | None
    first_forbidden_at: datetime | None

    def is_claimed_by(self, worker_id: str | None, *, state: State) -> bool:
        return self.state == state and self.claimed_by is not None and self.claimed_by == worker_id


def lock_deliveries(transaction: Transaction, ids: Collection[int]) -> dict[int, LockedDelivery]:
    """Lock deliveries until the transaction ends. Returns them by id."""
    if not ids:
        return {}
    locked = [parse_locked(row) for row in run(transaction.connection, LOCK_DELIVERIES, {"ids": list(ids)})]
    return {delivery.id: delivery for delivery in locked}


def parse_locked(row: Sequence[Any]) -> LockedDelivery:
    *others, due_at, claim_expires_at, locked_since, first_forbidden_at = row
    times = map(parse_time, (due_at, claim_expires_at, locked_since, first_forbidden_at))
    return LockedDelivery._make([*others, *times])


def update_delivery(transaction: Transaction, delivery_id: int, values: dict[str, Any]) -> None:
    transaction.execute(update(Delivery).where(col(Delivery.id) == delivery_id).values(values))


def reset_values(now: datetime) -> dict[str, Any]:
    """The values of a delivery that is queued again: due at once, with a new run."""
    return {
        "state": State.WAITING,
        "reason": None,
        "problems": [],
        "missing_rows": None,
        "due_at": now,
        "claimed_by": None,
        "claim_expires_at": None,
        "attempts_in_run": 0,
        "run_started_at": None,
        "first_forbidden_at": None,
    }


def is_still_claimed(current: LockedDelivery, delivery: Delivery) -> bool:
    """True if `current` still has the claim of `delivery`, which was read earlier, and nothing new happened to it.

    A repeated thin webhook, or a person, makes a delivery due without a new event: that changes its due time.
    """
    is_claimed = current.is_claimed_by(delivery.claimed_by, state=State.WAITING)
    is_unchanged = current.event_id == delivery.event_id and current.due_at == delivery.due_at
    return is_claimed and is_unchanged and current.attempts == delivery.attempts


def park_unmappable(database: Database, delivery: Delivery, problems: list[Problem]) -> bool:
    """Park it with its problems. False if the claim is lost or the order changed: then it must be read again."""
    reason = Reason.UNCERTAIN if delivery.locked_since else Reason.UNMAPPABLE  # an attempt may have been processed
    rows = missing_rows_in(problems)
    missing_rows = json.dumps(rows) if rows else None
    values = {"problems": dump_problems(problems), "missing_rows": missing_rows}
    return finish_without_attempt(database, delivery, state=State.PARKED, reason=reason, **values)


def discard(database: Database, delivery: Delivery, reason: Reason, problems: Sequence[Problem]) -> bool:
    """Discard it. False as for `park_unmappable`."""
    values = {"reason": reason, "problems": dump_problems(problems)}
    return finish_without_attempt(database, delivery, state=State.DISCARDED, **values)


def hold(database: Database, delivery: Delivery, problem: Problem, *, may_be_sent: bool = False) -> bool:
    """Park it until a person decides. False as for `park_unmappable`.

    Args:
        may_be_sent: before the database was restored from a backup.
    """
    marked = {"sent_before_restore": True} if may_be_sent else {}
    return finish_without_attempt(database, delivery, **held_values(problem), **marked)


def held_values(problem: Problem) -> dict[str, Any]:
    """The column changes of a delivery about which a person must decide."""
    return {
        "state": State.PARKED,
        "reason": Reason.HELD,
        "problems": dump_problems([problem]),
        "missing_rows": None,
        "claimed_by": None,
        "claim_expires_at": None,
        "due_at": None,
    }


def postpone(database: Database, delivery: Delivery, due_at: datetime) -> bool:
    """Release it until `due_at`. False as for `park_unmappable`."""
    return finish_without_attempt(database, delivery, due_at=due_at)


def finish_without_attempt(database: Database, delivery: Delivery, **values: Any) -> bool:
    def finish(transaction: Transaction) -> bool:
        current = lock_deliveries(transaction, [delivery.id])[delivery.id]
        if not is_still_claimed(current, delivery):
            return False
        changes = {
            "claimed_by": None,
            "claim_expires_at": None,
            "due_at": None,
            "updated_at": transaction.now,
            **values,
        }
        update_delivery(transaction, delivery.id, changes)
        release_probe(transaction, current.account, current.claim_expires_at)
        return True

    return database.transact(finish)


def deliveries_missing_rows(database: Database) -> list[tuple[int, str, str]]:
    """The id, account and `missing_rows` of each delivery that is parked because lookup tables lack rows."""
    statement = (
        select(Delivery.id, Delivery.account, Delivery.missing_rows).where(LACKS_ROWS).order_by(col(Delivery.id))
    )
    with database.read() as session:
        return [(id_, account, missing_rows or "[]") for id_, account, missing_rows in session.exec(statement)]


def count_missing_rows(database: Database) -> list[tuple[str, str, int, int]]:
    """For each account and `missing_rows` of parked deliveries: how many lack them, and the newest id."""
    statement = (
        select(Delivery.account, Delivery.missing_rows, func.count(), func.max(Delivery.id))
        .where(LACKS_ROWS)
        .group_by(col(Delivery.account), col(Delivery.missing_rows))
    )
    with database.read() as session:
        return [(account, rows or "[]", count, newest) for account, rows, count, newest in session.exec(statement)]


def requeue_deliveries(database: Database, ids: Collection[int]) -> int:
    """Queue those that are still parked because lookup tables lack rows. Returns their number."""

    def requeue(transaction: Transaction) -> int:
        values = {**reset_values(transaction.now), "updated_at": transaction.now}
        statement = update(Delivery).where(col(Delivery.id).in_(sorted(ids)), LACKS_ROWS).values(values)
        count = transaction.execute(statement).rowcount
        if count:
            transaction.notify()
        return count

    return database.transact(requeue)
