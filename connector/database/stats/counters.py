"""Counts what only grows, from the rows themselves: each row is read once, by whoever looks, and its count is kept.

So the counts agree with the rows, whatever process died, and what carries orders counts nothing.
"""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, case, func, select, update

from connector.database.coordination import lock_mark, move_mark
from connector.database.engine import Database, Transaction
from connector.database.models import State, attempts, deliveries, events, marks, read_rows, tallies
from connector.database.sql.execute import insert_new
from mappings.integration import Outcome

#: Name and labels to a count.
Counts = dict[tuple[str, tuple[tuple[str, str], ...]], float]
#: Reads a table's rows after one id up to another.
Count = Callable[[Connection, int, int], Counts]

PIECE = 5_000
#: Of one call: the first one of a database with many rows leaves the rest to the next.
MOST_PIECES = 20
#: An attempt is counted when its outcome is known; what stays open for so long never will be.
OPEN_FOR = timedelta(hours=1)
#: Rows whose counts are not kept yet are shown up to so many; more are there only where nobody ever asked.
MOST_UNKEPT = 100_000

ATTEMPT_BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
AGE_BOUNDS_S = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 172_800.0)

EVENTS, ATTEMPTS, AGES, LAST_EVENT = "events", "attempt_seconds", "age_seconds", "last_event"
#: What leaves no row, and is counted by the processes.
REJECTED = "rejected"


def fold_tallies(database: Database, names: Collection[str] = ("events", "attempts")) -> None:
    """Keep the counts of what has settled since the last time."""
    for name in names:
        for _ in range(MOST_PIECES):
            now = database.clock()
            with database.read() as connection:
                after = marked(connection, name)
                upto = settled_upto(connection, name, after, now, now - timedelta(seconds=database.dialect.settle_s))
            if upto <= after or not database.transact(partial(fold, name, upto)):
                break


def marked(connection: Connection, name: str) -> int:
    return connection.execute(select(marks.c.number).where(marks.c.name == f"tally:{name}")).scalar_one_or_none() or 0


def settled_upto(connection: Connection, name: str, after: int, now: datetime, before: datetime) -> int:
    """The last id of the next piece of which all is settled."""
    table, at, outcome = (
        (events, events.c.received_at, events.c.status)
        if name == "events"
        else (attempts, attempts.c.started_at, attempts.c.outcome)
    )
    statement = select(table.c.id, at.label("at"), outcome.label("outcome")).where(table.c.id > after)
    upto = after
    for row in read_rows(connection.execute(statement.order_by(table.c.id).limit(PIECE))):
        is_open = row.outcome == State.SENDING and row.at > now - OPEN_FOR
        if is_open or row.at > before:
            break
        upto = row.id
    return upto


def fold(name: str, upto: int, transaction: Transaction) -> bool:
    """False when another process was faster."""
    after = lock_mark(transaction, f"tally:{name}")
    if after >= upto:
        return False
    add_counts(transaction, COUNT[name](transaction.connection, after, upto))
    move_mark(transaction, f"tally:{name}", upto)
    return True


def add_counts(transaction: Transaction, counts: Counts) -> None:
    for (name, labels), value in counts.items():
        key = {"name": name, "labels": json.dumps(dict(labels))}
        made = insert_new(
            transaction.connection, tallies, [key | {"value": value}], unique=["name", "labels"], returning=["name"]
        )
        if not made:
            row = (tallies.c.name == key["name"]) & (tallies.c.labels == key["labels"])
            is_later = case((tallies.c.value < value, value), else_=tallies.c.value)
            grown = is_later if name == LAST_EVENT else tallies.c.value + value
            transaction.execute(update(tallies).where(row).values(value=grown))


def read_tallies(database: Database) -> Counts:
    """All counts: those that are kept, and of what came since."""
    with database.read() as connection:
        counts: Counts = {
            (row.name, tuple(json.loads(row.labels).items())): row.value
            for row in read_rows(connection.execute(select(tallies)))
        }
        for name, count in COUNT.items():
            after = marked(connection, name)
            merge(counts, count(connection, after, after + MOST_UNKEPT))
    return counts


def merge(counts: Counts, more: Counts) -> None:
    for key, value in more.items():
        counts[key] = max(counts.get(key, value), value) if key[0] == LAST_EVENT else counts.get(key, 0.0) + value


def last_events(database: Database) -> dict[str, datetime]:
    """By store, when the last webhook came of those whose counts are kept."""
    statement = select(tallies.c.labels, tallies.c.value).where(tallies.c.name == LAST_EVENT)
    with database.read() as connection:
        rows = read_rows(connection.execute(statement))
    return {json.loads(row.labels)["store"]: datetime.fromtimestamp(row.value, UTC) for row in rows}


def count_events(connection: Connection, after: int, upto: int) -> Counts:
    names = [events.c[name] for name in ("store", "status", "reason")]
    statement = (
        select(*names, func.count().label("n"), func.max(events.c.received_at).label("last_at"))
        .where(events.c.id > after, events.c.id <= upto)
        .group_by(*names)
    )
    counts: Counts = {}
    for row in read_rows(connection.execute(statement)):
        counts[EVENTS, labels(store=row.store, status=row.status, reason=row.reason or "")] = float(row.n)
        merge(counts, {(LAST_EVENT, labels(store=row.store)): row.last_at.timestamp()})
    return counts


def labels(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(values.items())


def count_attempts(connection: Connection, after: int, upto: int) -> Counts:
    """How long attempts took, and how old an order was when it was delivered: as histograms, in seconds."""
    statement = (
        select(
            *(attempts.c[name] for name in ("outcome", "duration_ms", "started_at")),
            *(deliveries.c[name] for name in ("account", "created_at")),
        )
        .select_from(attempts.join(deliveries, attempts.c.delivery_id == deliveries.c.id))
        .where(attempts.c.id > after, attempts.c.id <= upto, attempts.c.outcome != State.SENDING)
    )
    counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
    for row in read_rows(connection.execute(statement)):
        took_s = (row.duration_ms or 0) / 1_000
        observe(counts, ATTEMPTS, {"account": row.account, "outcome": row.outcome}, took_s, ATTEMPT_BOUNDS_S)
        if row.outcome == Outcome.DELIVERED:
            age_s = (row.started_at - row.created_at).total_seconds() + took_s
            observe(counts, AGES, {"account": row.account}, age_s, AGE_BOUNDS_S)
    return dict(counts)


def observe(
    counts: Counter[tuple[str, tuple[tuple[str, str], ...]]],
    name: str,
    of: Mapping[str, str],
    value: float,
    bounds: tuple[float, ...],
) -> None:
    """Count a value in the one bucket that it falls into; who shows them adds them up."""
    place = bisect_left(bounds, value)
    le = str(bounds[place]) if place < len(bounds) else "+Inf"
    counts[name, labels(**of, le=le)] += 1
    counts[f"{name}_sum", labels(**of)] += value  # type: ignore[assignment]


COUNT: Mapping[str, Count] = {"events": count_events, "attempts": count_attempts}
