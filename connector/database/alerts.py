"""Keeps what people are told of: gathers what is new in the rows, each once, and what was told where. Sends nothing.

Nothing that carries orders writes here: what is new is found by looking, through indexes of what is rare.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import and_, delete, func, insert, select, tuple_, update

from connector.database.coordination import get_checkpoint, set_checkpoint
from connector.database.engine import Database, Transaction
from connector.database.models import (
    Alert,
    Reason,
    State,
    alerts,
    attempts,
    circuits,
    deliveries,
    notes,
    read_rows,
    seen_alerts,
)
from connector.database.sql.execute import insert_ignore
from mappings.problems import Problem, load_problems, render_cause

PARKED_REASONS = (Reason.UNMAPPABLE, Reason.REFUSED, Reason.UNCERTAIN, Reason.EXHAUSTED)
#: States, which begin and end. All other kinds are of orders, which are counted.
CONDITION_KINDS = ("circuit", "backlog", "silent")
BATCH_SIZE = 500
#: How far back each look reads again: clocks are set, and on PostgreSQL a change appears when its transaction ends.
OVERLAP_S = 60.0
#: How long it is remembered what was alerted.
RETENTION = timedelta(days=90)
MAX_EXAMPLES = 5
MAX_CAUSE_LENGTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """An order that people are to be told of."""

    fingerprint: str  # the same whenever the same is found again
    kind: str
    account: str | None
    cause: str
    example: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OngoingCondition:
    """A state that people are to be told of, at its beginning and its end."""

    kind: str
    cause: str
    since: datetime
    account: str | None = None
    store: str | None = None


def collect_parked(database: Database, accounts: Collection[str]) -> int:
    """Enter what was parked since the last look. Returns how many there were."""
    began_at = database.clock()
    checkpoint = datetime.fromtimestamp(get_checkpoint(database, "alerts:parked"), UTC)
    added = 0
    for account in sorted(accounts):
        for reason in PARKED_REASONS:
            for rows in read_parked(database, account, reason, checkpoint - overlap(database)):
                added += add_alert_events(database, [alert_event_from_delivery(row) for row in rows])
    if added or began_at - checkpoint > overlap(database):
        new_checkpoint = int(began_at.timestamp())
        database.transact(lambda transaction: set_checkpoint(transaction, "alerts:parked", new_checkpoint))
    return added


def overlap(database: Database) -> timedelta:
    return timedelta(seconds=OVERLAP_S + database.backend.max_commit_lag_s)


def read_parked(database: Database, account: str, reason: str, since: datetime) -> Iterator[list[Any]]:
    position = tuple_(deliveries.c.updated_at, deliveries.c.id)
    column_names = ("id", "account", "store", "order_id", "order_number", "event_id", "attempts", "reason", "problems")
    is_last = and_(attempts.c.delivery_id == deliveries.c.id, attempts.c.number == deliveries.c.attempts)
    statement = (
        select(*(deliveries.c[name] for name in column_names), deliveries.c.updated_at, attempts.c.error)
        .select_from(deliveries.outerjoin(attempts, is_last))
        .where(deliveries.c.state == State.PARKED, deliveries.c.account == account, deliveries.c.reason == reason)
        .order_by(deliveries.c.updated_at, deliveries.c.id)
        .limit(BATCH_SIZE)
    )
    after: tuple[datetime, int] = (since, 0)
    is_over = False
    while not is_over:
        with database.read() as connection:
            rows = read_rows(connection.execute(statement.where(position > after)))
        if rows:
            yield rows
            after = (rows[-1].updated_at, rows[-1].id)
        is_over = len(rows) < BATCH_SIZE


def alert_event_from_delivery(row: Any) -> AlertEvent:
    """A newer version, or another attempt, that leaves it parked is told again."""
    return AlertEvent(
        fingerprint=f"delivery:{row.id}:{row.event_id}:{row.attempts}:{row.reason}",
        kind=row.reason,
        account=row.account,
        cause=describe_cause(load_problems(row.problems)) if row.problems else row.error or "",
        example=build_example(row.id, row),
    )


def describe_cause(problems: Iterable[Problem]) -> str:
    """Return the problems without what the order says: the same text for all deliveries that fail alike."""
    return " ".join(dict.fromkeys(map(render_cause, problems)))[:MAX_CAUSE_LENGTH]


def build_example(delivery_id: int, row: Any) -> dict[str, Any]:
    return {"delivery": str(delivery_id), "store": row.store, "order": row.order_number or row.order_id}


def collect_notes(database: Database) -> int:
    """Enter the notes that a person must look at, which were made since the last look."""
    after = get_checkpoint(database, "alerts:notes")
    stable_before = database.clock() - overlap(database)
    added, is_over = 0, False
    while not is_over:
        statement = (
            select(notes, deliveries.c.account, deliveries.c.store, deliveries.c.order_number, deliveries.c.order_id)
            .select_from(notes.join(deliveries, notes.c.delivery_id == deliveries.c.id))
            .where(notes.c.id > after)
            .order_by(notes.c.id)
            .limit(BATCH_SIZE)
        )
        with database.read() as connection:
            rows = read_rows(connection.execute(statement))
        added += add_alert_events(database, [alert_event_from_note(row) for row in rows if row.kind == "alert"])
        stable_ids = [row.id for row in rows if row.at < stable_before]
        if stable_ids:
            database.transact(partial(set_checkpoint, name="alerts:notes", number=stable_ids[-1]))
        after = rows[-1].id if rows else after
        is_over = len(rows) < BATCH_SIZE
    return added


def alert_event_from_note(row: Any) -> AlertEvent:
    order_example = build_example(row.delivery_id, row)
    return AlertEvent(
        fingerprint=f"note:{row.id}", kind="attention", account=row.account, cause=row.text, example=order_example
    )


def add_alert_events(database: Database, alert_events: Sequence[AlertEvent]) -> int:
    """Count those that were not entered before, each in the alert of its like. Returns how many there were."""
    fingerprints = [event.fingerprint for event in alert_events]
    with database.read() as connection:
        seen = set(
            connection.execute(
                select(seen_alerts.c.source_key).where(seen_alerts.c.source_key.in_(fingerprints))
            ).scalars()
        )
    new_events = [event for event in alert_events if event.fingerprint not in seen]
    return database.transact(partial(insert_alert_events, new_events)) if new_events else 0


def insert_alert_events(alert_events: Sequence[AlertEvent], transaction: Transaction) -> int:
    rows = [{"source_key": event.fingerprint, "at": transaction.now} for event in alert_events]
    inserted = {
        row[0]
        for row in insert_ignore(
            transaction.connection, seen_alerts, rows, unique=["source_key"], returning=["source_key"]
        )
    }
    events_by_key: dict[str, list[AlertEvent]] = {}
    for event in alert_events:
        if event.fingerprint in inserted:
            events_by_key.setdefault(alert_key(event.kind, event.account, event.cause), []).append(event)
    for key, events_of_key in events_by_key.items():
        count_orders(transaction, key, events_of_key)
    return len(inserted)


def alert_key(*parts: str | None) -> str:
    return json.dumps(parts, ensure_ascii=False)


def count_orders(transaction: Transaction, key: str, alert_events: list[AlertEvent]) -> None:
    now = transaction.now
    new_examples = [dict(event.example) for event in reversed(alert_events)]
    row = transaction.execute(select(alerts).where(alerts.c.key == key).with_for_update()).one_or_none()
    if row is None:
        first_event = alert_events[0]
        initial_values: dict[str, Any] = {
            "kind": first_event.kind,
            "account": first_event.account,
            "cause": first_event.cause,
            "since": now,
            "notified": {},
        }
        values = {"orders": len(alert_events), "examples": new_examples[:MAX_EXAMPLES], "last_at": now}
        transaction.execute(insert(alerts).values(key=key, **initial_values, **values))
        return
    values = {
        "orders": row.orders + len(alert_events),
        "examples": [*new_examples, *row.examples][:MAX_EXAMPLES],
        "last_at": now,
    }
    transaction.execute(update(alerts).where(alerts.c.id == row.id).values(values))


def sync_conditions(database: Database, conditions: Iterable[OngoingCondition]) -> None:
    """Begin the alerts of states that stand now, and end those of states that do not any more."""
    current = {alert_key(condition.kind, condition.account, condition.store): condition for condition in conditions}
    with database.read() as connection:
        recorded = {
            row.key: row
            for row in read_rows(connection.execute(select(alerts).where(alerts.c.kind.in_(CONDITION_KINDS))))
        }
    begun = [key for key in current if key not in recorded or recorded[key].ended_at is not None]
    changed = [key for key, condition in current.items() if key not in begun and recorded[key].cause != condition.cause]
    ended = [key for key, row in recorded.items() if row.ended_at is None and key not in current]
    if not (begun or changed or ended):
        return

    def change(transaction: Transaction) -> None:
        for key in [*begun, *changed]:
            condition = current[key]
            values = {"cause": condition.cause, "since": condition.since, "ended_at": None, "last_at": transaction.now}
            if key in recorded:
                transaction.execute(update(alerts).where(alerts.c.key == key).values(values))
            else:
                initial_values = {
                    "key": key,
                    "kind": condition.kind,
                    "account": condition.account,
                    "store": condition.store,
                    "orders": 0,
                }
                transaction.execute(insert(alerts).values({**initial_values, **values, "examples": [], "notified": {}}))
        end_values = {"ended_at": transaction.now, "last_at": transaction.now}
        transaction.execute(update(alerts).where(alerts.c.key.in_(ended)).values(end_values))

    database.transact(change)


def collect_open_circuits(database: Database) -> list[OngoingCondition]:
    """Accounts, and stores' APIs, that are left alone because they fail. Not those that a person paused."""
    is_open = and_(circuits.c.opened_at.is_not(None), circuits.c.paused_at.is_(None))
    with database.read() as connection:
        rows = read_rows(connection.execute(select(circuits).where(is_open)))
    return [
        OngoingCondition(kind="circuit", account=row.account, cause=row.reason or "", since=row.opened_at)
        for row in rows
    ]


def collect_late_accounts(database: Database, accounts: Collection[str], after_s: float) -> list[OngoingCondition]:
    """Accounts that take orders, and whose oldest due delivery has not been taken for so long."""
    oldest = (
        select(func.min(deliveries.c.due_at))
        .where(deliveries.c.account == circuits.c.account, deliveries.c.state == State.WAITING)
        .scalar_subquery()
    )
    accepts_orders = and_(
        circuits.c.opened_at.is_(None), circuits.c.paused_at.is_(None), circuits.c.account.in_(accounts)
    )
    with database.read() as connection:
        rows = read_rows(connection.execute(select(circuits.c.account, oldest.label("due_at")).where(accepts_orders)))
    cutoff = database.clock() - timedelta(seconds=after_s)
    return [
        OngoingCondition(kind="backlog", account=row.account, cause="", since=row.due_at)
        for row in rows
        if row.due_at is not None and row.due_at < cutoff
    ]


def load_alerts(database: Database) -> list[Alert]:
    """All there are, oldest news first: one for each cause, of which there are few."""
    with database.read() as connection:
        return read_rows(connection.execute(select(alerts).order_by(alerts.c.last_at, alerts.c.id)))


def record_notified(database: Database, channel: str, notified: Mapping[int, Mapping[str, Any]]) -> None:
    """Keep what was told at a channel, by alert."""

    def record(transaction: Transaction) -> None:
        statement = select(alerts.c.id, alerts.c.notified).where(alerts.c.id.in_(notified)).with_for_update()
        for id_, previous in read_rows(transaction.execute(statement)):
            updated = {**previous, channel: dict(notified[id_])}
            transaction.execute(update(alerts).where(alerts.c.id == id_).values(notified=updated))

    database.transact(record)


def delete_old_alerts(database: Database) -> None:
    """Drop what is too old to come again."""
    cutoff = database.clock() - RETENTION

    def drop(transaction: Transaction) -> None:
        transaction.execute(delete(seen_alerts).where(seen_alerts.c.at < cutoff))
        transaction.execute(delete(alerts).where(alerts.c.last_at < cutoff, alerts.c.kind.not_in(CONDITION_KINDS)))

    database.transact(drop)
