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

from connector.database.coordination import lock_checkpoint, set_checkpoint
from connector.database.engine import Database, Transaction
from connector.database.models import State, attempts, checkpoints, counters, deliveries, events, read_rows
from connector.database.sql.execute import insert_ignore
from mappings.destination import Outcome

#: Name and labels to a count.
Counts = dict[tuple[str, tuple[tuple[str, str], ...]], float]
#: Reads a table's rows after one id up to another.
CountFunction = Callable[[Connection, int, int], Counts]

BATCH_SIZE = 5_000
#: Of one call: the first one of a database with many rows leaves the rest to the next.
MAX_BATCHES = 20
#: An attempt is counted when its outcome is known; what stays open for so long never will be.
ABANDONED_AFTER = timedelta(hours=1)
#: Rows whose counts are not kept yet are shown up to so many; more are there only where nobody ever asked.
MAX_LIVE_ROWS = 100_000

ATTEMPT_BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
AGE_BOUNDS_S = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 172_800.0)

EVENTS, ATTEMPTS, AGES, LAST_EVENT = "events", "attempt_seconds", "age_seconds", "last_event"
#: What leaves no row, and is counted by the processes.
REJECTED = "rejected"


def roll_up_counters(database: Database, names: Collection[str] = ("events", "attempts")) -> None:
    """Keep the counts of what has settled since the last time."""
    for name in names:
        for _ in range(MAX_BATCHES):
            now = database.clock()
            with database.read() as connection:
                after_id = checkpoint_of(connection, name)
                last_id = last_complete_id(
                    connection, name, after_id, now, now - timedelta(seconds=database.backend.max_commit_lag_s)
                )
            if last_id <= after_id or not database.transact(partial(roll_up, name, last_id)):
                break


def checkpoint_of(connection: Connection, name: str) -> int:
    return (
        connection.execute(
            select(checkpoints.c.number).where(checkpoints.c.name == f"tally:{name}")
        ).scalar_one_or_none()
        or 0
    )


def last_complete_id(connection: Connection, name: str, after_id: int, now: datetime, cutoff: datetime) -> int:
    """The last id of the next piece of which all is settled."""
    table, at, outcome = (
        (events, events.c.received_at, events.c.status)
        if name == "events"
        else (attempts, attempts.c.started_at, attempts.c.outcome)
    )
    statement = select(table.c.id, at.label("at"), outcome.label("outcome")).where(table.c.id > after_id)
    last_id = after_id
    for row in read_rows(connection.execute(statement.order_by(table.c.id).limit(BATCH_SIZE))):
        is_open = row.outcome == State.SENDING and row.at > now - ABANDONED_AFTER
        if is_open or row.at > cutoff:
            break
        last_id = row.id
    return last_id


def roll_up(name: str, last_id: int, transaction: Transaction) -> bool:
    """False when another process was faster."""
    after_id = lock_checkpoint(transaction, f"tally:{name}")
    if after_id >= last_id:
        return False
    add_counts(transaction, COUNT_FUNCTIONS[name](transaction.connection, after_id, last_id))
    set_checkpoint(transaction, f"tally:{name}", last_id)
    return True


def add_counts(transaction: Transaction, counts: Counts) -> None:
    for (name, labels), value in counts.items():
        key = {"name": name, "labels": json.dumps(dict(labels))}
        inserted = insert_ignore(
            transaction.connection, counters, [key | {"value": value}], unique=["name", "labels"], returning=["name"]
        )
        if not inserted:
            is_same_counter = (counters.c.name == key["name"]) & (counters.c.labels == key["labels"])
            latest = case((counters.c.value < value, value), else_=counters.c.value)
            new_value = latest if name == LAST_EVENT else counters.c.value + value
            transaction.execute(update(counters).where(is_same_counter).values(value=new_value))


def read_counters(database: Database) -> Counts:
    """All counts: those that are kept, and of what came since."""
    with database.read() as connection:
        counts: Counts = {
            (row.name, tuple(json.loads(row.labels).items())): row.value
            for row in read_rows(connection.execute(select(counters)))
        }
        for name, count in COUNT_FUNCTIONS.items():
            after_id = checkpoint_of(connection, name)
            merge_counts(counts, count(connection, after_id, after_id + MAX_LIVE_ROWS))
    return counts


def merge_counts(counts: Counts, more: Counts) -> None:
    for key, value in more.items():
        counts[key] = max(counts.get(key, value), value) if key[0] == LAST_EVENT else counts.get(key, 0.0) + value


def last_event_times(database: Database) -> dict[str, datetime]:
    """By store, when the last webhook came of those whose counts are kept."""
    statement = select(counters.c.labels, counters.c.value).where(counters.c.name == LAST_EVENT)
    with database.read() as connection:
        rows = read_rows(connection.execute(statement))
    return {json.loads(row.labels)["store"]: datetime.fromtimestamp(row.value, UTC) for row in rows}


def count_events(connection: Connection, after_id: int, last_id: int) -> Counts:
    group_columns = [events.c[name] for name in ("store", "status", "reason")]
    statement = (
        select(*group_columns, func.count().label("n"), func.max(events.c.received_at).label("last_at"))
        .where(events.c.id > after_id, events.c.id <= last_id)
        .group_by(*group_columns)
    )
    counts: Counts = {}
    for row in read_rows(connection.execute(statement)):
        counts[EVENTS, make_labels(store=row.store, status=row.status, reason=row.reason or "")] = float(row.n)
        merge_counts(counts, {(LAST_EVENT, make_labels(store=row.store)): row.last_at.timestamp()})
    return counts


def make_labels(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(values.items())


def count_attempts(connection: Connection, after_id: int, last_id: int) -> Counts:
    """How long attempts took, and how old an order was when it was delivered: as histograms, in seconds."""
    statement = (
        select(
            *(attempts.c[name] for name in ("outcome", "duration_ms", "started_at")),
            *(deliveries.c[name] for name in ("account", "created_at")),
        )
        .select_from(attempts.join(deliveries, attempts.c.delivery_id == deliveries.c.id))
        .where(attempts.c.id > after_id, attempts.c.id <= last_id, attempts.c.outcome != State.SENDING)
    )
    counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
    for row in read_rows(connection.execute(statement)):
        duration_s = (row.duration_ms or 0) / 1_000
        observe(counts, ATTEMPTS, {"account": row.account, "outcome": row.outcome}, duration_s, ATTEMPT_BOUNDS_S)
        if row.outcome == Outcome.DELIVERED:
            age_s = (row.started_at - row.created_at).total_seconds() + duration_s
            observe(counts, AGES, {"account": row.account}, age_s, AGE_BOUNDS_S)
    return dict(counts)


def observe(
    counts: Counter[tuple[str, tuple[tuple[str, str], ...]]],
    name: str,
    label_values: Mapping[str, str],
    value: float,
    bounds: tuple[float, ...],
) -> None:
    """Count a value in the one bucket that it falls into; who shows them adds them up."""
    index = bisect_left(bounds, value)
    le = str(bounds[index]) if index < len(bounds) else "+Inf"
    counts[name, make_labels(**label_values, le=le)] += 1
    counts[f"{name}_sum", make_labels(**label_values)] += value  # type: ignore[assignment]


COUNT_FUNCTIONS: Mapping[str, CountFunction] = {"events": count_events, "attempts": count_attempts}
