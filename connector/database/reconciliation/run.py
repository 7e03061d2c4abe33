"""Counts events and deliveries by store and day, and finds every one that is not accounted for. Changes nothing.

Rows are read in pieces, each as the database was at one moment: the service goes on, and memory does not grow.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, and_, exists, func, or_, select

from connector.core.retry import Answer, judge
from connector.core.worker_id import is_dead
from connector.database.engine import Database
from connector.database.models import Delivery, Event, State, attempts, circuits, deliveries, events, notes, read_rows
from connector.database.orders import row_id
from connector.database.reconciliation.rules import (
    EventsOrder,
    Evidence,
    Rules,
    Tried,
    delivery_differences,
    event_differences,
    follows,
    held_by,
    newest_of,
)
from mappings import DESTINATIONS
from mappings.integration import Outcome
from mappings.settings import Account

#: Rows that are read at a time.
PIECE = 500
#: How far rows' times may lie apart from the order of their ids: by clocks, and by transactions that take long.
OUT_OF_ORDER = timedelta(minutes=10)
#: Differences that are listed; the rest is counted.
MOST_LISTED = 1_000

OF_EVENT = [column for column in events.c if column.name not in ("body", "topics")]
#: A body is looked for, not read.
OF_DELIVERY = [column for column in deliveries.c if column.name not in ("body", "warnings")]


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
class Difference:
    kind: str  # "event" or "delivery"
    id: int
    store: str
    day: str
    account: str | None  # of a delivery
    order: str | None  # its number, else its id
    what: str


@dataclass(slots=True, kw_only=True)
class Report:
    """What was found.

    Args:
        days: by store id and UTC day, how many of what.
        held: by account and what keeps it from orders, how many wait for it.
    """

    most_listed: int = MOST_LISTED
    days: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    found: int = 0  # differences, listed or not

    def add(self, difference: Difference) -> None:
        self.found += 1
        self.days[difference.store, difference.day]["differences"] += 1
        if len(self.differences) < self.most_listed:
            self.differences.append(difference)


def reconcile(
    database: Database,
    scope: Scope,
    *,
    accounts: Mapping[str, Account],
    lease_s: float,
    late_s: float,
    piece: int = PIECE,
    most_listed: int = MOST_LISTED,
    tell: Callable[[int], None] = lambda _: None,
) -> Report:
    """Look at every event and every delivery of `scope`.

    Args:
        accounts: those that are configured, by id.
        late_s: how long what is due may lie unclaimed while its account takes orders.
        piece: how many rows are read at a time.
        most_listed: how many differences are kept; the rest is counted.
        tell: is told after each piece how many of the sum of `last_ids` are behind it.
    """
    report = Report(most_listed=most_listed)
    last_event, _ = last_ids(database)
    for connection, rows in read_pieces(database, OF_EVENT, scope, events.c.received_at, piece):
        check_events(report, connection, rows)
        tell(rows[-1].id)
    has_body = (func.coalesce(func.length(deliveries.c.body), 0) > 0).label("body")
    for connection, rows in read_pieces(database, [*OF_DELIVERY, has_body], scope, deliveries.c.created_at, piece):
        rules = Rules(
            now=database.clock(),
            accounts=accounts,
            circuits={row.account: row for row in read_rows(connection.execute(select(circuits)))},
            lease_s=lease_s,
            late_s=late_s,
            is_dead=is_dead,
        )
        check_deliveries(report, connection, rows, rules)
        tell(last_event + rows[-1].id)
    return report


def last_ids(database: Database) -> tuple[int, int]:
    """Of events and of deliveries."""
    statement = select(
        select(func.max(events.c.id)).scalar_subquery(), select(func.max(deliveries.c.id)).scalar_subquery()
    )
    with database.read() as connection:
        event, delivery = connection.execute(statement).one()
    return event or 0, delivery or 0


def read_pieces(
    database: Database, columns: list[Any], scope: Scope, at: Column[Any], piece: int
) -> Iterator[tuple[Connection, list[Any]]]:
    """A table's rows by id, `piece` at a time, and the transaction that read them. What comes meanwhile is left."""
    table = at.table
    with database.read() as connection:
        last = connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
        after = 0 if scope.since is None else id_before(connection, at, scope.since - OUT_OF_ORDER, last)
    conditions = scope.conditions(table.c.store, at)
    is_over = False
    while not is_over:
        statement = select(*columns).where(table.c.id > after, table.c.id <= last, *conditions)
        with database.read() as connection:
            rows = read_rows(connection.execute(statement.order_by(table.c.id).limit(piece)))
            if rows:
                yield connection, rows
                after = rows[-1].id
        is_over = len(rows) < piece


def id_before(connection: Connection, at: Column[Any], since: datetime, last: int) -> int:
    """An id after which are all rows since then, by some twenty look-ups: no index has the time; ids grow with it."""
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        next_row = select(at).where(at.table.c.id > middle).order_by(at.table.c.id).limit(1)
        if connection.execute(next_row).scalar_one() < since:
            low = middle + 1
        else:
            high = middle
    return low


def check_events(report: Report, connection: Connection, rows: list[Event]) -> None:
    there = accounts_there(connection, [row_id(row) for row in rows])
    doubtful = []
    for row in rows:
        count = report.days[row.store, day(row.received_at)]
        count[row.status] += 1
        count["duplicates"] += row.duplicates
        order = EventsOrder(accounts=there[row_id(row)], was_cancelled=False, was_carried=True)
        if any(event_differences(row, order)):
            doubtful.append(row)
    earlier = look_earlier(connection, [row_id(row) for row in doubtful])
    for row in doubtful:  # a cancelled order may rightly lack deliveries
        was_cancelled, was_carried = earlier[row_id(row)]
        order = EventsOrder(accounts=there[row_id(row)], was_cancelled=was_cancelled, was_carried=was_carried)
        for what in event_differences(row, order):
            report.add(differ("event", row, day(row.received_at), None, what))


def differ(kind: str, row: Any, day: str, account: str | None, what: str) -> Difference:
    order = row.order_number or row.order_id
    return Difference(kind=kind, id=row.id, store=row.store, day=day, account=account, order=order, what=what)


def day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def of_same_order(one: Any, other: Any) -> Any:
    return and_(one.c.store == other.c.store, one.c.order_id == other.c.order_id)


def accounts_there(connection: Connection, ids: Iterable[int]) -> dict[int, set[str]]:
    """By event id, the accounts for which its order has a delivery."""
    joined = events.join(deliveries, of_same_order(events, deliveries))
    statement = select(events.c.id, deliveries.c.account).select_from(joined).where(events.c.id.in_(ids))
    found: dict[int, set[str]] = defaultdict(set)
    for event_id, account in read_rows(connection.execute(statement)):
        found[event_id].add(account)
    return found


def look_earlier(connection: Connection, ids: list[int]) -> dict[int, tuple[bool, bool]]:
    """By event id, whether its order was cancelled when it came, and whether an event held the order."""
    if not ids:
        return {}
    other = events.alias()
    earlier = and_(of_same_order(other, events), other.c.id <= events.c.id)
    columns = [exists().where(earlier, other.c[name]).correlate(events) for name in ("cancels", "carries_order")]
    statement = select(events.c.id, *columns).where(events.c.id.in_(ids))
    return {row[0]: (row[1], row[2]) for row in read_rows(connection.execute(statement))}


def check_deliveries(report: Report, connection: Connection, rows: list[Delivery], rules: Rules) -> None:
    ids = [row_id(row) for row in rows]
    tried = attempts_by_delivery(connection, ids)
    judged = judge_replies(connection, ids)
    resolved = resolutions(connection, ids)
    strays = stray_ids(connection, ids)
    known = events_by_delivery(connection, [row_id(row) for row in rows if hangs_on_events(row)])
    for row in rows:
        delivery_id, made = row_id(row), day(row.created_at)
        report.days[row.store, made][row.state] += 1
        circuit = rules.circuits.get(row.account)
        if row.state == State.WAITING and (held := held_by(circuit, rules)) is not None:
            report.held[row.account, held] += 1
        of_order = known[delivery_id]
        newest = newest_of(of_order)
        evidence = Evidence(
            attempts=tried[delivery_id],
            judged=judged.get(delivery_id),
            resolved_at=resolved.get(delivery_id),
            newest_event=newest.id if newest else None,
            is_cancelled=any(event.cancels and event.id > (row.overruled or 0) for event in of_order),
            is_of_order=delivery_id not in strays,
        )
        for what in delivery_differences(row, evidence, rules):
            report.add(differ("delivery", row, made, row.account, what))


def hangs_on_events(delivery: Delivery) -> bool:
    return follows(delivery) or delivery.state in (State.WAITING, State.PARKED)


def attempts_by_delivery(connection: Connection, ids: list[int]) -> dict[int, list[Tried]]:
    names = ("delivery_id", "number", "outcome", "started_at")
    has_reply = attempts.c.reply.is_not(None)
    statement = select(*(attempts.c[name] for name in names), has_reply).where(attempts.c.delivery_id.in_(ids))
    found: dict[int, list[Tried]] = defaultdict(list)
    for row in read_rows(connection.execute(statement.order_by(attempts.c.delivery_id, attempts.c.number))):
        delivery_id, number, outcome, started_at, is_there = row
        tried = Tried(number=number, outcome=outcome, started_at=started_at, has_reply=is_there)
        found[delivery_id].append(tried)
    return found


def judge_replies(connection: Connection, ids: list[int]) -> dict[int, tuple[Outcome, str | None]]:
    """Judge anew, as when it came, the last attempt's reply of what is `delivered`. One reply is held at a time."""
    is_last = and_(attempts.c.delivery_id == deliveries.c.id, attempts.c.number == deliveries.c.attempts)
    statement = (
        select(deliveries.c.id, deliveries.c.destination, attempts.c.status, attempts.c.reply)
        .select_from(deliveries.join(attempts, is_last))
        .where(deliveries.c.id.in_(ids), deliveries.c.state == State.DELIVERED, attempts.c.reply.is_not(None))
    )
    judged = {}
    for id_, destination, status, reply in connection.execute(statement, execution_options={"yield_per": 20}):
        if destination in DESTINATIONS:
            judged[id_] = judge(DESTINATIONS[destination], Answer(status=status, body=reply))
    return judged


def resolutions(connection: Connection, ids: list[int]) -> dict[int, datetime]:
    """By delivery, when a person last settled it whose name is on record."""
    is_named = and_(notes.c.who.is_not(None), notes.c.who != "")
    statement = (
        select(notes.c.delivery_id, func.max(notes.c.at))
        .where(notes.c.delivery_id.in_(ids), notes.c.kind == "resolve", is_named)
        .group_by(notes.c.delivery_id)
    )
    return {row[0]: row[1] for row in read_rows(connection.execute(statement))}


def stray_ids(connection: Connection, ids: list[int]) -> set[int]:
    """The deliveries whose event speaks of another order, or does not hold it."""
    of_another = or_(events.c.order_id.is_(None), ~of_same_order(events, deliveries), ~events.c.carries_order)
    joined = deliveries.join(events, events.c.id == deliveries.c.event_id)
    statement = select(deliveries.c.id).select_from(joined).where(deliveries.c.id.in_(ids), of_another)
    return set(connection.execute(statement).scalars())


def events_by_delivery(connection: Connection, ids: list[int]) -> dict[int, list[Any]]:
    """The events of the deliveries' orders: what of them decides which is the newest, and whether one cancels."""
    joined = deliveries.join(events, of_same_order(events, deliveries))
    columns = [events.c[name] for name in ("id", "version", "says_paid", "carries_order", "cancels")]
    statement = select(deliveries.c.id.label("delivery_id"), *columns).select_from(joined)
    found: dict[int, list[Any]] = defaultdict(list)
    if ids:
        for row in read_rows(connection.execute(statement.where(deliveries.c.id.in_(ids)))):
            found[row.delivery_id].append(row)
    return found
