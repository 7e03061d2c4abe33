"""Counts events and deliveries by store and day, and finds every one that is not accounted for. Changes nothing.

Rows are read in pieces, each as the database was at one moment: the service goes on, and memory does not grow.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, and_, exists, func, or_, select

from connector.core.http_result import HttpResult
from connector.core.outcomes import classify
from connector.core.worker_id import is_dead
from connector.database.engine import Database
from connector.database.models import Delivery, Event, State, attempts, circuits, deliveries, events, notes, read_rows
from connector.database.orders import row_id
from connector.database.reconciliation.rules import (
    Evidence,
    OrderHistory,
    RecordedAttempt,
    RuleContext,
    blocked_by,
    delivery_differences,
    event_differences,
    follows_newest_event,
    newest_event,
)
from mappings import DESTINATIONS
from mappings.destination import Outcome
from mappings.settings import Account

#: Rows that are read at a time.
BATCH_SIZE = 500
#: How far rows' times may lie apart from the order of their ids: by clocks, and by transactions that take long.
RECONCILE_ORDER_TOLERANCE = timedelta(minutes=10)
#: Differences that are listed; the rest is counted.
MAX_LISTED = 1_000

EVENT_COLUMNS = [column for column in events.c if column.name not in ("body", "topics")]
#: A body is looked for, not read.
DELIVERY_COLUMNS = [column for column in deliveries.c if column.name not in ("body", "warnings")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which events, by when they came, and which deliveries, by when they were made."""

    store: str | None = None  # its id
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, store: Column[str], at: Column[datetime]) -> list[Any]:
        return [
            *([store == self.store] if self.store is not None else []),
            *([at >= self.since] if self.since is not None else []),
            *([at < self.until] if self.until is not None else []),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    kind: str  # "event" or "delivery"
    id: int
    store: str
    day: str
    account: str | None  # of a delivery
    order: str | None  # its number, else its id
    what: str


@dataclass(slots=True, kw_only=True)
class ReconciliationReport:
    """What was found.

    Args:
        days: by store id and UTC day, how many of what.
        held: by account and what keeps it from orders, how many wait for it.
    """

    max_listed: int = MAX_LISTED
    days: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    differences: list[Discrepancy] = field(default_factory=list)
    total: int = 0  # differences, listed or not

    def add(self, discrepancy: Discrepancy) -> None:
        self.total += 1
        self.days[discrepancy.store, discrepancy.day]["differences"] += 1
        if len(self.differences) < self.max_listed:
            self.differences.append(discrepancy)


def reconcile(
    database: Database,
    scope: Scope,
    *,
    accounts: Mapping[str, Account],
    lease_s: float,
    late_s: float,
    batch_size: int = BATCH_SIZE,
    max_listed: int = MAX_LISTED,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ReconciliationReport:
    """Look at every event and every delivery of `scope`.

    Args:
        accounts: those that are configured, by id.
        late_s: how long what is due may lie unclaimed while its account takes orders.
        piece: how many rows are read at a time.
        most_listed: how many differences are kept; the rest is counted.
        tell: is told after each piece how many of the sum of `last_ids` are behind it.
    """
    report = ReconciliationReport(max_listed=max_listed)
    last_event_id, _ = last_ids(database)
    for connection, rows in read_batches(database, EVENT_COLUMNS, scope, events.c.received_at, batch_size):
        check_events(report, connection, rows)
        on_progress(rows[-1].id)
    has_body = (func.coalesce(func.length(deliveries.c.body), 0) > 0).label("body")
    for connection, rows in read_batches(
        database, [*DELIVERY_COLUMNS, has_body], scope, deliveries.c.created_at, batch_size
    ):
        context = RuleContext(
            now=database.clock(),
            accounts=accounts,
            circuits={row.account: row for row in read_rows(connection.execute(select(circuits)))},
            lease_s=lease_s,
            late_s=late_s,
            is_dead=is_dead,
        )
        check_deliveries(report, connection, rows, context)
        on_progress(last_event_id + rows[-1].id)
    return report


def last_ids(database: Database) -> tuple[int, int]:
    """Of events and of deliveries."""
    statement = select(
        select(func.max(events.c.id)).scalar_subquery(), select(func.max(deliveries.c.id)).scalar_subquery()
    )
    with database.read() as connection:
        event_id, delivery_id = connection.execute(statement).one()
    return event_id or 0, delivery_id or 0


def read_batches(
    database: Database, columns: list[Any], scope: Scope, at: Column[Any], batch_size: int
) -> Iterator[tuple[Connection, list[Any]]]:
    """A table's rows by id, `piece` at a time, and the transaction that read them. What comes meanwhile is left."""
    table = at.table
    with database.read() as connection:
        last_id = connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
        after_id = (
            0 if scope.since is None else id_before(connection, at, scope.since - RECONCILE_ORDER_TOLERANCE, last_id)
        )
    conditions = scope.conditions(table.c.store, at)
    is_over = False
    while not is_over:
        statement = select(*columns).where(table.c.id > after_id, table.c.id <= last_id, *conditions)
        with database.read() as connection:
            rows = read_rows(connection.execute(statement.order_by(table.c.id).limit(batch_size)))
            if rows:
                yield connection, rows
                after_id = rows[-1].id
        is_over = len(rows) < batch_size


def id_before(connection: Connection, at: Column[Any], since: datetime, last_id: int) -> int:
    """An id after which are all rows since then, by some twenty look-ups: no index has the time; ids grow with it."""
    low, high = 0, last_id
    while low < high:
        middle = (low + high) // 2
        next_row = select(at).where(at.table.c.id > middle).order_by(at.table.c.id).limit(1)
        if connection.execute(next_row).scalar_one() < since:
            low = middle + 1
        else:
            high = middle
    return low


def check_events(report: ReconciliationReport, connection: Connection, rows: list[Event]) -> None:
    accounts_by_id = accounts_by_event(connection, [row_id(row) for row in rows])
    suspicious = []
    for row in rows:
        count = report.days[row.store, utc_day(row.received_at)]
        count[row.status] += 1
        count["duplicates"] += row.duplicates
        order = OrderHistory(accounts=accounts_by_id[row_id(row)], was_cancelled=False, had_order=True)
        if any(event_differences(row, order)):
            suspicious.append(row)
    history = prior_history(connection, [row_id(row) for row in suspicious])
    for row in suspicious:  # a cancelled order may rightly lack deliveries
        was_cancelled, had_order = history[row_id(row)]
        order = OrderHistory(accounts=accounts_by_id[row_id(row)], was_cancelled=was_cancelled, had_order=had_order)
        for description in event_differences(row, order):
            report.add(mismatch("event", row, utc_day(row.received_at), None, description))


def mismatch(kind: str, row: Any, day: str, account: str | None, description: str) -> Discrepancy:
    order = row.order_number or row.order_id
    return Discrepancy(kind=kind, id=row.id, store=row.store, day=day, account=account, order=order, what=description)


def utc_day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def same_order(left: Any, right: Any) -> Any:
    return and_(left.c.store == right.c.store, left.c.order_id == right.c.order_id)


def accounts_by_event(connection: Connection, ids: Iterable[int]) -> dict[int, set[str]]:
    """By event id, the accounts for which its order has a delivery."""
    joined = events.join(deliveries, same_order(events, deliveries))
    statement = select(events.c.id, deliveries.c.account).select_from(joined).where(events.c.id.in_(ids))
    accounts: dict[int, set[str]] = defaultdict(set)
    for event_id, account in read_rows(connection.execute(statement)):
        accounts[event_id].add(account)
    return accounts


def prior_history(connection: Connection, ids: list[int]) -> dict[int, tuple[bool, bool]]:
    """By event id, whether its order was cancelled when it came, and whether an event held the order."""
    if not ids:
        return {}
    earlier_event = events.alias()
    is_earlier = and_(same_order(earlier_event, events), earlier_event.c.id <= events.c.id)
    columns = [
        exists().where(is_earlier, earlier_event.c[name]).correlate(events) for name in ("is_cancellation", "has_order")
    ]
    statement = select(events.c.id, *columns).where(events.c.id.in_(ids))
    return {row[0]: (row[1], row[2]) for row in read_rows(connection.execute(statement))}


def check_deliveries(
    report: ReconciliationReport, connection: Connection, rows: list[Delivery], context: RuleContext
) -> None:
    ids = [row_id(row) for row in rows]
    attempts_by_id = attempts_by_delivery(connection, ids)
    reclassified = reclassify_responses(connection, ids)
    resolution_times = last_resolutions(connection, ids)
    mismatched_ids = deliveries_with_wrong_event(connection, ids)
    events_by_id = events_by_delivery(connection, [row_id(row) for row in rows if depends_on_events(row)])
    for row in rows:
        delivery_id, created_day = row_id(row), utc_day(row.created_at)
        report.days[row.store, created_day][row.state] += 1
        circuit = context.circuits.get(row.account)
        if row.state == State.WAITING and (blocker := blocked_by(circuit, context)) is not None:
            report.held[row.account, blocker] += 1
        order_events = events_by_id[delivery_id]
        newest = newest_event(order_events)
        evidence = Evidence(
            attempts=attempts_by_id[delivery_id],
            reclassified=reclassified.get(delivery_id),
            resolved_at=resolution_times.get(delivery_id),
            newest_event_id=newest.id if newest else None,
            is_cancelled=any(
                event.is_cancellation and event.id > (row.override_event_id or 0) for event in order_events
            ),
            event_matches_order=delivery_id not in mismatched_ids,
        )
        for description in delivery_differences(row, evidence, context):
            report.add(mismatch("delivery", row, created_day, row.account, description))


def depends_on_events(delivery: Delivery) -> bool:
    return follows_newest_event(delivery) or delivery.state in (State.WAITING, State.PARKED)


def attempts_by_delivery(connection: Connection, ids: list[int]) -> dict[int, list[RecordedAttempt]]:
    column_names = ("delivery_id", "number", "outcome", "started_at")
    has_response = attempts.c.reply.is_not(None)
    statement = select(*(attempts.c[name] for name in column_names), has_response).where(
        attempts.c.delivery_id.in_(ids)
    )
    records: dict[int, list[RecordedAttempt]] = defaultdict(list)
    for row in read_rows(connection.execute(statement.order_by(attempts.c.delivery_id, attempts.c.number))):
        delivery_id, number, outcome, started_at, response_exists = row
        record = RecordedAttempt(number=number, outcome=outcome, started_at=started_at, has_response=response_exists)
        records[delivery_id].append(record)
    return records


def reclassify_responses(connection: Connection, ids: list[int]) -> dict[int, tuple[Outcome, str | None]]:
    """Judge anew, as when it came, the last attempt's reply of what is `delivered`. One reply is held at a time."""
    is_last = and_(attempts.c.delivery_id == deliveries.c.id, attempts.c.number == deliveries.c.attempts)
    statement = (
        select(deliveries.c.id, deliveries.c.destination, attempts.c.status, attempts.c.reply)
        .select_from(deliveries.join(attempts, is_last))
        .where(deliveries.c.id.in_(ids), deliveries.c.state == State.DELIVERED, attempts.c.reply.is_not(None))
    )
    reclassified = {}
    for id_, destination, status, response in connection.execute(statement, execution_options={"yield_per": 20}):
        if destination in DESTINATIONS:
            reclassified[id_] = classify(DESTINATIONS[destination], HttpResult(status=status, body=response))
    return reclassified


def last_resolutions(connection: Connection, ids: list[int]) -> dict[int, datetime]:
    """By delivery, when a person last settled it whose name is on record."""
    has_actor = and_(notes.c.who.is_not(None), notes.c.who != "")
    statement = (
        select(notes.c.delivery_id, func.max(notes.c.at))
        .where(notes.c.delivery_id.in_(ids), notes.c.kind == "resolve", has_actor)
        .group_by(notes.c.delivery_id)
    )
    return {row[0]: row[1] for row in read_rows(connection.execute(statement))}


def deliveries_with_wrong_event(connection: Connection, ids: list[int]) -> set[int]:
    """The deliveries whose event speaks of another order, or does not hold it."""
    is_mismatched = or_(events.c.order_id.is_(None), ~same_order(events, deliveries), ~events.c.has_order)
    joined = deliveries.join(events, events.c.id == deliveries.c.event_id)
    statement = select(deliveries.c.id).select_from(joined).where(deliveries.c.id.in_(ids), is_mismatched)
    return set(connection.execute(statement).scalars())


def events_by_delivery(connection: Connection, ids: list[int]) -> dict[int, list[Any]]:
    """The events of the deliveries' orders: what of them decides which is the newest, and whether one cancels."""
    joined = deliveries.join(events, same_order(events, deliveries))
    columns = [events.c[name] for name in ("id", "source_updated_at", "is_paid", "has_order", "is_cancellation")]
    statement = select(deliveries.c.id.label("delivery_id"), *columns).select_from(joined)
    events_by_id: dict[int, list[Any]] = defaultdict(list)
    if ids:
        for row in read_rows(connection.execute(statement.where(deliveries.c.id.in_(ids)))):
            events_by_id[row.delivery_id].append(row)
    return events_by_id
