"""Monotonic counters, computed from the rows: each row is read once, and its counts are added up in a table.

So the counters agree with the rows, whichever process died, and the send path counts nothing.
"""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import case, update
from sqlalchemy import select as select_rows
from sqlmodel import Session, and_, col, func, select

from connector.database.coordination import lock_checkpoint, set_checkpoint
from connector.database.engine import Database, Transaction
from connector.database.insert_ignore import insert_ignore
from connector.database.models import Attempt, Checkpoint, Delivery, Event, EventSource, State
from connector.database.models import Counter as StoredCounter
from mappings.destination import Outcome

#: Counts by name and labels.
Counts = dict[tuple[str, tuple[tuple[str, str], ...]], float]
#: Counts a table's rows after one id up to another.
CountFunction = Callable[[Session, int, int], Counts]

BATCH_SIZE = 5_000
#: Batches per call. In a database with many rows, the first calls do not count all of them.
MAX_BATCHES = 20
#: An attempt is counted when its outcome is recorded. After this time, it never will be.
ABANDONED_AFTER = timedelta(hours=1)
#: Rows not yet added up that are counted in each read. There are more only if nothing ever read the counters.
MAX_LIVE_ROWS = 100_000

ATTEMPT_BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
AGE_BOUNDS_S = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 172_800.0)

EVENTS, ATTEMPTS, AGES = "events", "attempt_seconds", "age_seconds"
#: Orders, or versions of them, that catch-up took in.
CAUGHT_UP = "caught_up"
#: Rows whose content was deleted because of its age, and parked deliveries that were discarded because of theirs.
PRUNED, EXPIRED = "pruned", "expired"
#: Times: of a store's last webhook, and of the last one with an order.
LAST_EVENT, LAST_ORDER = "last_event", "last_order"
#: Rejected requests leave no row: processes count them themselves.
REJECTED, DENIED = "rejected", "access_denied"


def roll_up_counters(database: Database, names: Collection[str] = ("events", "attempts")) -> None:
    """Add up the counts of rows that have become final since the last call."""
    for name in names:
        for _ in range(MAX_BATCHES):
            now = database.clock()
            with database.read() as session:
                after_id = checkpoint_of(session, name)
                last_id = last_complete_id(
                    session, name, after_id, now, now - timedelta(seconds=database.backend.max_commit_lag_s)
                )
            if last_id <= after_id or not database.transact(partial(roll_up, name, last_id)):
                break


def checkpoint_of(session: Session, name: str) -> int:
    return session.exec(select(Checkpoint.number).where(Checkpoint.name == f"tally:{name}")).one_or_none() or 0


def last_complete_id(session: Session, name: str, after_id: int, now: datetime, cutoff: datetime) -> int:
    """The last id of the next batch up to which all rows are final."""
    statement = (
        select(Event.id, Event.received_at, Event.status).where(col(Event.id) > after_id).order_by(col(Event.id))
        if name == "events"
        else select(Attempt.id, Attempt.started_at, Attempt.outcome)
        .where(col(Attempt.id) > after_id)
        .order_by(col(Attempt.id))
    )
    last_id = after_id
    for id_, at, outcome in session.exec(statement.limit(BATCH_SIZE)):
        is_open = outcome == State.SENDING and at > now - ABANDONED_AFTER
        if is_open or at > cutoff:
            break
        last_id = id_
    return last_id


def roll_up(name: str, last_id: int, transaction: Transaction) -> bool:
    """Add up the rows until `last_id`. False if another process has done so."""
    after_id = lock_checkpoint(transaction, f"tally:{name}")
    if after_id >= last_id:
        return False
    with Session(transaction.connection) as session:
        counts = COUNT_FUNCTIONS[name](session, after_id, last_id)
    add_counts(transaction, counts)
    set_checkpoint(transaction, f"tally:{name}", last_id)
    return True


def add_counts(transaction: Transaction, counts: Counts) -> None:
    name_column, value_column = col(StoredCounter.name), col(StoredCounter.value)
    for (name, labels), value in counts.items():
        key = {"name": name, "labels": json.dumps(dict(labels))}
        row = {**key, "value": value}
        if insert_ignore(transaction.connection, StoredCounter, [row], unique=("name", "labels")):
            continue
        is_same_counter = (name_column == key["name"]) & (col(StoredCounter.labels) == key["labels"])
        latest = case((value_column < value, value), else_=value_column)
        new_value = latest if name in (LAST_EVENT, LAST_ORDER) else value_column + value
        transaction.execute(update(StoredCounter).where(is_same_counter).values(value=new_value))


def read_counters(database: Database) -> Counts:
    """All counts: those added up, and those of newer rows."""
    with database.read() as session:
        counts: Counts = {
            (counter.name, tuple(json.loads(counter.labels).items())): counter.value
            for counter in session.exec(select(StoredCounter))
        }
        for name, count in COUNT_FUNCTIONS.items():
            after_id = checkpoint_of(session, name)
            merge_counts(counts, count(session, after_id, after_id + MAX_LIVE_ROWS))
    return counts


def merge_counts(counts: Counts, more: Counts) -> None:
    for key, value in more.items():
        is_time = key[0] in (LAST_EVENT, LAST_ORDER)
        counts[key] = max(counts.get(key, value), value) if is_time else counts.get(key, 0.0) + value


def last_event_times(database: Database) -> dict[str, datetime]:
    """By store, when its last webhook arrived, among the rows added up."""
    statement = select(StoredCounter.labels, StoredCounter.value).where(StoredCounter.name == LAST_EVENT)
    with database.read() as session:
        rows = session.exec(statement).all()
    return {json.loads(labels)["store"]: datetime.fromtimestamp(value, UTC) for labels, value in rows}


def count_events(session: Session, after_id: int, last_id: int) -> Counts:
    has_order = and_(col(Event.has_order), col(Event.order_id).is_not(None))
    columns = (col(Event.store), col(Event.source), col(Event.status), col(Event.reason)["code"].as_string(), has_order)
    statement = (
        select_rows(*columns, func.count(), func.max(Event.received_at))
        .where(col(Event.id) > after_id, col(Event.id) <= last_id)
        .group_by(*columns)
    )
    counts: Counts = {}
    for store, source, status, reason, is_order, count, last_at in session.execute(statement):
        if source == EventSource.CATCH_UP:  # says nothing about the store's webhooks
            merge_counts(counts, {(CAUGHT_UP, make_labels(store=store)): float(count)})
            continue
        merge_counts(counts, {(EVENTS, make_labels(store=store, status=status, reason=reason or "")): float(count)})
        for name in (LAST_EVENT, LAST_ORDER) if is_order else (LAST_EVENT,):
            merge_counts(counts, {(name, make_labels(store=store)): last_at.timestamp()})
    return counts


def make_labels(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(values.items())


def count_attempts(session: Session, after_id: int, last_id: int) -> Counts:
    """Histograms in seconds: of attempts' durations, and of orders' ages at delivery."""
    statement = (
        select_rows(
            col(Delivery.account),
            col(Delivery.created_at),
            col(Attempt.outcome),
            col(Attempt.started_at),
            col(Attempt.duration_ms),
        )
        .join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
        .where(col(Attempt.id) > after_id, col(Attempt.id) <= last_id, col(Attempt.outcome) != State.SENDING)
    )
    counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
    for account, created_at, outcome, started_at, duration_ms in session.execute(statement):
        duration_s = (duration_ms or 0) / 1000
        observe(counts, ATTEMPTS, {"account": account, "outcome": outcome}, duration_s, ATTEMPT_BOUNDS_S)
        if outcome == Outcome.DELIVERED:
            age_s = (started_at - created_at).total_seconds() + duration_s
            observe(counts, AGES, {"account": account}, age_s, AGE_BOUNDS_S)
    return dict(counts)


def observe(
    counts: Counter[tuple[str, tuple[tuple[str, str], ...]]],
    name: str,
    label_values: Mapping[str, str],
    value: float,
    bounds: tuple[float, ...],
) -> None:
    """Count a value in its bucket. Buckets are not cumulative."""
    index = bisect_left(bounds, value)
    le = str(bounds[index]) if index < len(bounds) else "+Inf"
    counts[name, make_labels(**label_values, le=le)] += 1
    counts[f"{name}_sum", make_labels(**label_values)] += value  # type: ignore[assignment]


COUNT_FUNCTIONS: Mapping[str, CountFunction] = {"events": count_events, "attempts": count_attempts}
