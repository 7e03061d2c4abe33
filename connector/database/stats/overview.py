"""Counts what the dashboard shows, by indexes and bounded looks alone: no page reads a whole table. Changes nothing."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select

from connector.database.circuits import MAX_ATTEMPTS_SCANNED
from connector.database.engine import Database
from connector.database.models import Reason, State, account_actions, attempts, deliveries, events, notes, read_rows
from mappings.destination import Outcome
from mappings.problems import Problem, load_problems

#: How far a row's own time may lie from its neighbours': transactions that run at once commit in any order.
ID_ORDER_TOLERANCE = timedelta(minutes=5)
#: Parked deliveries whose problems are looked at.
MAX_PARKED_PER_REASON = 1_000
#: Events among which each store's last ones are looked for, before its own index is.
LAST_EVENTS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What an account has waiting."""

    count: int
    due_since: datetime | None  # when the first of them may have gone


@dataclass(slots=True, kw_only=True)
class FailureGroup:
    """Why deliveries are parked: those that share a problem, whatever values it names.

    Args:
        problem: the newest delivery's; None if an attempt failed instead.
        error: what the last attempt met.
    """

    reason: str
    problem: Problem | None = None
    error: str = ""
    accounts: Counter[str] = field(default_factory=Counter)
    orders: list[tuple[int, str]] = field(default_factory=list)  # delivery id, order number; newest first

    @property
    def count(self) -> int:
        return sum(self.accounts.values())


def id_bounds(connection: Connection, table: Table) -> tuple[int, int]:
    """The lowest and the highest id. SQLite reads the whole table where one SELECT asks for both."""
    subqueries = [select(aggregate(table.c.id)).scalar_subquery() for aggregate in (func.min, func.max)]
    low, high = connection.execute(select(*subqueries)).one()
    return low or 0, high or 0


def first_id_since(connection: Connection, table: Table, column: ColumnElement[Any], since: datetime) -> int:
    """The id from which on rows are no older than `since`. Rows are numbered as they come, so no index is needed."""
    low, high = id_bounds(connection, table)
    while low <= high:
        middle = (low + high) // 2
        at = connection.execute(select(column).where(table.c.id >= middle).order_by(table.c.id).limit(1)).scalar()
        if at is not None and at < since:
            low = middle + 1
        else:
            high = middle - 1
    first_id: int = low
    return first_id


def count_by_hour(database: Database, since: datetime, until: datetime) -> Counter[tuple[str, str]]:
    """How many deliveries were made in each hour (`2026-11-21 16`, UTC), by the state that they are in now."""
    hour = database.backend.utc_hour(deliveries.c.created_at)
    with database.read() as connection:
        first = first_id_since(connection, deliveries, deliveries.c.created_at, since - ID_ORDER_TOLERANCE)
        last = first_id_since(connection, deliveries, deliveries.c.created_at, until + ID_ORDER_TOLERANCE)
        statement = (
            select(hour, deliveries.c.state, func.count())
            .where(deliveries.c.id >= first, deliveries.c.id <= last)
            .where(deliveries.c.created_at >= since, deliveries.c.created_at < until)
            .group_by(hour, deliveries.c.state)
        )
        return Counter({(at, state): count for at, state, count in connection.execute(statement)})


def count_waiting(database: Database) -> dict[str, Waiting]:
    """By account. Read from the index of what is due."""
    statement = (
        select(deliveries.c.account, func.count(), func.min(deliveries.c.due_at))
        .where(deliveries.c.state == State.WAITING)
        .group_by(deliveries.c.account)
    )
    with database.read() as connection:
        rows = connection.execute(statement).all()
    return {account: Waiting(count=count, due_since=since) for account, count, since in rows}


def count_parked(database: Database) -> dict[str, int]:
    """By reason. Read from the index of states."""
    statement = (
        select(deliveries.c.reason, func.count())
        .where(deliveries.c.state == State.PARKED)
        .group_by(deliveries.c.reason)
    )
    with database.read() as connection:
        return {row[0]: row[1] for row in connection.execute(statement)}


def oldest_waiting(database: Database) -> datetime | None:
    """When the order came that has waited longest."""
    oldest = select(func.min(deliveries.c.id)).where(deliveries.c.state == State.WAITING).scalar_subquery()
    with database.read() as connection:
        at: datetime | None = connection.execute(
            select(deliveries.c.created_at).where(deliveries.c.id == oldest)
        ).scalar_one_or_none()
    return at


def find_failure_groups(database: Database, *, max_per_reason: int = MAX_PARKED_PER_REASON) -> list[FailureGroup]:
    """Why the newest parked deliveries are parked, the commonest first."""
    column_names = ("id", "account", "order_id", "order_number", "reason", "problems", "attempts")
    groups: dict[tuple[str, str], FailureGroup] = {}
    with database.read() as connection:
        for reason in (Reason.UNCERTAIN, Reason.REFUSED, Reason.UNMAPPABLE, Reason.EXHAUSTED):
            is_parked = and_(deliveries.c.state == State.PARKED, deliveries.c.reason == reason)
            newest_ids = select(deliveries.c.id).where(is_parked).order_by(deliveries.c.id.desc()).limit(max_per_reason)
            rows = read_rows(
                connection.execute(
                    select(*(deliveries.c[name] for name in column_names))
                    .where(deliveries.c.id.in_(newest_ids))
                    .order_by(deliveries.c.id.desc())
                )
            )
            errors_by_id = last_errors(connection, [row.id for row in rows if not row.problems])
            for row in rows:
                problems = {problem.fingerprint: problem for problem in reversed(load_problems(row.problems))}
                for key in problems or [errors_by_id.get(row.id, "")]:
                    problem = problems.get(key)
                    new_group = FailureGroup(reason=row.reason, problem=problem, error="" if problem else key)
                    group = groups.setdefault((row.reason, key), new_group)
                    group.accounts[row.account] += 1
                    group.orders.append((row.id, row.order_number or row.order_id))
    return sorted(groups.values(), key=lambda group: -group.count)


def last_errors(connection: Connection, ids: Collection[int]) -> dict[int, str]:
    """What each delivery's last attempt met: never the reply, which may quote the customer."""
    is_last = and_(attempts.c.delivery_id == deliveries.c.id, attempts.c.number == deliveries.c.attempts)
    errors_by_id: dict[int, str] = {}
    ids = list(ids)
    for start in range(0, len(ids), 500):
        statement = (
            select(deliveries.c.id, attempts.c.error)
            .select_from(deliveries.join(attempts, is_last))
            .where(deliveries.c.id.in_(ids[start : start + 500]))
        )
        errors_by_id |= {id_: error or "" for id_, error in connection.execute(statement)}
    return errors_by_id


def last_delivered(database: Database) -> dict[str, datetime]:
    """When each account last took an order, as far as the last attempts of all tell."""
    last = select(attempts).order_by(attempts.c.id.desc()).limit(MAX_ATTEMPTS_SCANNED).subquery()
    statement = (
        select(deliveries.c.account, func.max(last.c.started_at))
        .select_from(last.join(deliveries, last.c.delivery_id == deliveries.c.id))
        .where(last.c.outcome == Outcome.DELIVERED)
        .group_by(deliveries.c.account)
    )
    with database.read() as connection:
        return {row[0]: row[1] for row in connection.execute(statement)}


def last_webhook_by_store(database: Database, stores: Iterable[str]) -> dict[str, datetime | None]:
    """When each store's last webhook came; None: none ever did.

    A store that is not among the last events is looked up in the index of its orders, which then is the shorter way.
    """
    recent = select(events.c.store, events.c.received_at).order_by(events.c.id.desc()).limit(LAST_EVENTS).subquery()
    last_received = select(recent.c.store, func.max(recent.c.received_at)).group_by(recent.c.store)
    with database.read() as connection:
        last_by_store: dict[str, datetime | None] = {row[0]: row[1] for row in connection.execute(last_received)}
        for store in set(stores) - set(last_by_store):
            newest = select(func.max(events.c.id)).where(events.c.store == store).scalar_subquery()
            at = connection.execute(select(events.c.received_at).where(events.c.id == newest)).scalar_one_or_none()
            last_by_store[store] = at
    return last_by_store


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the audit trail: about a delivery, or about an account as a whole."""

    id: int  # of a note, or of an account's act
    at: datetime
    who: str | None  # none of an alert
    kind: str
    text: str
    account: str
    delivery_id: int | None = None
    order: str | None = None


def list_audit_entries(
    database: Database, *, kind: str | None, note: int | None = None, act: int | None = None, limit: int
) -> list[AuditEntry]:
    """What people did, and what the connector wanted a person to look at, newest first.

    Args:
        note, act: the ids of the last ones seen of deliveries and of accounts: many may bear one time.
    """
    order_label = func.coalesce(deliveries.c.order_number, deliveries.c.order_id)
    delivery_entries = select(
        *audit_columns(notes), deliveries.c.account, notes.c.delivery_id, order_label
    ).select_from(notes.join(deliveries, deliveries.c.id == notes.c.delivery_id))
    account_entries = select(*audit_columns(account_actions), account_actions.c.account)
    entries: list[AuditEntry] = []
    with database.read() as connection:
        for table, statement, before in ((notes, delivery_entries, note), (account_actions, account_entries, act)):
            if kind is not None:
                statement = statement.where(table.c.kind == kind)
            if before is not None:
                statement = statement.where(table.c.id < before)
            rows = connection.execute(statement.order_by(table.c.id.desc()).limit(limit)).all()
            entries += [AuditEntry(**dict(zip(AUDIT_FIELDS, row, strict=False))) for row in rows]
    return sorted(entries, key=lambda entry: (entry.at, entry.id), reverse=True)[:limit]


AUDIT_FIELDS = ("id", "at", "who", "kind", "text", "account", "delivery_id", "order")


def audit_columns(table: Table) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in AUDIT_FIELDS[:5]]
