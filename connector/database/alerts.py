"""Stores alerts: new problems, each collected once from the rows, and the sent notifications. Sends nothing.

The send path does not write here. New problems are found by reading indexes of few rows.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, insert, tuple_, update
from sqlmodel import and_, col, func, select

from connector.core.messages import build_message
from connector.database.coordination import get_checkpoint, set_checkpoint
from connector.database.engine import Database, Transaction
from connector.database.insert_ignore import insert_ignore
from connector.database.models import (
    REASONS_BY_STATE,
    Alert,
    Attempt,
    Circuit,
    Delivery,
    Note,
    PrivacyRequest,
    SeenAlert,
    State,
    omit,
)
from connector.database.privacy_requests import load_open_requests
from mappings.problems import Problem, dump_problems, load_problems

PARKED_REASONS = tuple(reason for reason in REASONS_BY_STATE[State.PARKED] if reason is not None)
#: Kinds of alerts that begin and end. The other kinds count orders.
CONDITION_KINDS = (
    "circuit",
    "backlog",
    "silent",
    "signature",
    "store_errors",
    "webhooks",
    "catch_up",
    "lost_webhooks",
    "stopped",
    "expiring",
    "worker",
    "restored",
)
BATCH_SIZE = 500
#: How far back each run reads again: clocks are set, and on PostgreSQL a change is visible when its transaction ends.
OVERLAP_S = 60.0
#: How long before its due date people are reminded of a request about personal data.
REMIND_BEFORE_DUE = timedelta(days=7)
#: Stage of such a request -> what to say.
REQUEST_CAUSES = {"due": "request_due_soon", "overdue": "request_overdue"}
#: How long alerts and their sources are stored.
RETENTION = timedelta(days=90)
MAX_EXAMPLES = 5
MAX_CAUSES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """An order that people are alerted to."""

    fingerprint: str  # the same when the same problem is read again
    kind: str
    account: str | None
    causes: Sequence[Problem]  # without order data
    example: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OngoingCondition:
    """A condition that people are alerted to when it begins and when it ends."""

    kind: str
    since: datetime
    account: str | None = None
    store: str | None = None
    causes: Sequence[Problem] = ()


def collect_parked(database: Database, accounts: Collection[str]) -> int:
    """Collect deliveries that were parked since the last run. Returns their number."""
    began_at = database.clock()
    checkpoint = datetime.fromtimestamp(get_checkpoint(database, "alerts:parked"), UTC)
    added = 0
    for account in sorted(accounts):
        for reason in PARKED_REASONS:
            for rows in read_parked(database, account, reason, checkpoint - overlap(database)):
                added += add_alert_events(database, [alert_event_from_delivery(*row) for row in rows])
    if added or began_at - checkpoint > overlap(database):
        new_checkpoint = int(began_at.timestamp())
        database.transact(lambda transaction: set_checkpoint(transaction, "alerts:parked", new_checkpoint))
    return added


def overlap(database: Database) -> timedelta:
    return timedelta(seconds=OVERLAP_S + database.backend.max_commit_lag_s)


def read_parked(
    database: Database, account: str, reason: str, since: datetime
) -> Iterator[Sequence[tuple[Delivery, Mapping[str, Any] | None]]]:
    """Yield batches of deliveries, without their bodies, each with its last attempt's error."""
    position = tuple_(col(Delivery.updated_at), col(Delivery.id))
    is_last = and_(col(Attempt.delivery_id) == col(Delivery.id), col(Attempt.number) == col(Delivery.attempts))
    statement = (
        select(Delivery, Attempt.error)
        .outerjoin(Attempt, is_last)
        .where(Delivery.state == State.PARKED, Delivery.account == account, Delivery.reason == reason)
        .order_by(col(Delivery.updated_at), col(Delivery.id))
        .options(*omit(Delivery.body, Delivery.warnings))
        .limit(BATCH_SIZE)
    )
    after: tuple[datetime, int] = (since, 0)
    is_over = False
    while not is_over:
        with database.read() as session:
            rows = [(delivery, error) for delivery, error in session.exec(statement.where(position > after))]
        if rows:
            yield rows
            last, _ = rows[-1]
            after = (last.updated_at, last.id)
        is_over = len(rows) < BATCH_SIZE


def alert_event_from_delivery(delivery: Delivery, error: Mapping[str, Any] | None) -> AlertEvent:
    """A newer version of the order, or another attempt, that leaves it parked is a new event."""
    problems = load_problems(delivery.problems) or load_problems([error] if error else [])
    return AlertEvent(
        fingerprint=f"delivery:{delivery.id}:{delivery.event_id}:{delivery.attempts}:{delivery.reason}",
        kind=delivery.reason or "",
        account=delivery.account,
        causes=causes_of(problems),
        example=build_example(delivery),
    )


def causes_of(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems without the order's data: the same for all deliveries that fail alike."""
    return list(dict.fromkeys(problem.without_order_data() for problem in problems))[:MAX_CAUSES]


def build_example(delivery: Delivery) -> dict[str, Any]:
    order = delivery.order_number or delivery.order_id
    return {"delivery": str(delivery.id), "store": delivery.store, "order": order}


def collect_notes(database: Database) -> int:
    """Collect alert notes that were added since the last run. Returns their number."""
    after = get_checkpoint(database, "alerts:notes")
    stable_before = database.clock() - overlap(database)
    added, is_over = 0, False
    while not is_over:
        statement = (
            select(Note, Delivery)
            .join(Delivery, col(Note.delivery_id) == col(Delivery.id))
            .where(col(Note.id) > after)
            .order_by(col(Note.id))
            .options(*omit(Delivery.body, Delivery.warnings))
            .limit(BATCH_SIZE)
        )
        with database.read() as session:
            rows = session.exec(statement).all()
        added += add_alert_events(database, [alert_event_from_note(*row) for row in rows if row[0].kind == "alert"])
        stable_ids = [note.id for note, _ in rows if note.at < stable_before]
        if stable_ids:
            database.transact(partial(set_checkpoint, name="alerts:notes", number=stable_ids[-1]))
        after = rows[-1][0].id if rows else after
        is_over = len(rows) < BATCH_SIZE
    return added


def alert_event_from_note(note: Note, delivery: Delivery) -> AlertEvent:
    return AlertEvent(
        fingerprint=f"note:{note.id}",
        kind="attention",
        account=delivery.account,
        causes=causes_of(load_problems([note.message] if note.message else [])),
        example=build_example(delivery),
    )


def collect_requests(database: Database) -> int:
    """Collect requests about personal data that arrived, come due, or are overdue. Returns how many are new.

    An overdue one is new each day, so that people are reminded.
    """
    now = database.clock()
    alert_events = []
    for request in load_open_requests(database):
        alert_events.append(alert_event_from_request(request, "received"))
        if request.due_at < now:
            alert_events.append(alert_event_from_request(request, f"overdue:{(now - request.due_at).days}"))
        elif request.due_at - now < REMIND_BEFORE_DUE:
            alert_events.append(alert_event_from_request(request, "due"))
    return add_alert_events(database, alert_events)


def alert_event_from_request(request: PrivacyRequest, stage: str) -> AlertEvent:
    """Return an event without personal data."""
    code = REQUEST_CAUSES.get(stage.partition(":")[0])
    return AlertEvent(
        fingerprint=f"request:{request.id}:{stage}",
        kind="privacy",
        account=None,
        causes=[build_message(code)] if code else [],
        example={
            "request": str(request.id),
            "store": request.store,
            "kind": request.kind,
            "due_at": request.due_at.isoformat(),
        },
    )


def add_alert_events(database: Database, alert_events: Sequence[AlertEvent]) -> int:
    """Add those that are new, grouped by alert. Returns their number."""
    fingerprints = [event.fingerprint for event in alert_events]
    with database.read() as session:
        seen = set(session.exec(select(SeenAlert.source_key).where(col(SeenAlert.source_key).in_(fingerprints))))
    new_events = [event for event in alert_events if event.fingerprint not in seen]
    return database.transact(partial(insert_alert_events, new_events)) if new_events else 0


def insert_alert_events(alert_events: Sequence[AlertEvent], transaction: Transaction) -> int:
    rows = [{"source_key": event.fingerprint, "at": transaction.now} for event in alert_events]
    inserted = {row[0] for row in insert_ignore(transaction.connection, SeenAlert, rows, unique=("source_key",))}
    events_by_key: dict[str, list[AlertEvent]] = {}
    for event in alert_events:
        if event.fingerprint in inserted:
            key = alert_key(event.kind, event.account, digest_causes(event.causes))
            events_by_key.setdefault(key, []).append(event)
    for key, events_of_key in events_by_key.items():
        count_orders(transaction, key, events_of_key)
    return len(inserted)


def alert_key(*parts: str | None) -> str:
    return json.dumps(parts, ensure_ascii=False)


def digest_causes(causes: Iterable[Problem]) -> str:
    """Return a short text that is the same for the same causes: PostgreSQL limits what an index holds."""
    return sha256(json.dumps(dump_problems(causes), sort_keys=True).encode()).hexdigest()[:32]


def count_orders(transaction: Transaction, key: str, alert_events: list[AlertEvent]) -> None:
    now = transaction.now
    new_examples = [dict(event.example) for event in reversed(alert_events)]
    alert = transaction.load_one(select(Alert).where(Alert.key == key).with_for_update())
    if alert is None:
        first_event = alert_events[0]
        initial_values: dict[str, Any] = {
            "kind": first_event.kind,
            "account": first_event.account,
            "causes": dump_problems(first_event.causes),
            "since": now,
            "notified": {},
        }
        values = {"orders": len(alert_events), "examples": new_examples[:MAX_EXAMPLES], "last_at": now}
        transaction.execute(insert(Alert).values(key=key, **initial_values, **values))
        return
    values = {
        "orders": alert.orders + len(alert_events),
        "examples": [*new_examples, *alert.examples][:MAX_EXAMPLES],
        "last_at": now,
    }
    transaction.execute(update(Alert).where(col(Alert.id) == alert.id).values(values))


def sync_conditions(
    database: Database, conditions: Iterable[OngoingCondition], kinds: Collection[str] = CONDITION_KINDS
) -> None:
    """Begin an alert for each new condition of these kinds, and end those of conditions that are over."""
    current = {alert_key(condition.kind, condition.account, condition.store): condition for condition in conditions}
    with database.read() as session:
        stored = session.exec(select(Alert).where(col(Alert.kind).in_(kinds))).all()
    recorded = {alert.key: alert for alert in stored}
    begun = [key for key in current if key not in recorded or recorded[key].ended_at is not None]
    causes = {key: dump_problems(condition.causes) for key, condition in current.items()}
    changed = [key for key in current if key not in begun and recorded[key].causes != causes[key]]
    ended = [key for key, row in recorded.items() if row.ended_at is None and key not in current]
    if not (begun or changed or ended):
        return

    def change(transaction: Transaction) -> None:
        for key in [*begun, *changed]:
            condition = current[key]
            values = {
                "causes": causes[key],
                "since": condition.since,
                "ended_at": None,
                "last_at": transaction.now,
            }
            if key in recorded:
                transaction.execute(update(Alert).where(col(Alert.key) == key).values(values))
            else:
                initial_values = {
                    "key": key,
                    "kind": condition.kind,
                    "account": condition.account,
                    "store": condition.store,
                    "orders": 0,
                }
                transaction.execute(insert(Alert).values({**initial_values, **values, "examples": [], "notified": {}}))
        end_values = {"ended_at": transaction.now, "last_at": transaction.now}
        transaction.execute(update(Alert).where(col(Alert.key).in_(ended)).values(end_values))

    database.transact(change)


def collect_open_circuits(database: Database) -> list[OngoingCondition]:
    """Open circuits, of accounts and of stores' APIs. Not those that a person paused."""
    is_open = and_(col(Circuit.opened_at).is_not(None), col(Circuit.paused_at).is_(None))
    with database.read() as session:
        circuits = session.exec(select(Circuit).where(is_open)).all()
    return [
        OngoingCondition(
            kind="circuit",
            account=circuit.account,
            causes=load_problems([circuit.reason] if circuit.reason else []),
            since=circuit.opened_at,
        )
        for circuit in circuits
        if circuit.opened_at is not None
    ]


def collect_late_accounts(database: Database, accounts: Collection[str], after_s: float) -> list[OngoingCondition]:
    """Accounts that take orders, but whose oldest due delivery has waited longer than `after_s`."""
    oldest = (
        select(func.min(Delivery.due_at))
        .where(col(Delivery.account) == col(Circuit.account), Delivery.state == State.WAITING)
        .scalar_subquery()
    )
    takes_orders = and_(
        col(Circuit.opened_at).is_(None), col(Circuit.paused_at).is_(None), col(Circuit.account).in_(accounts)
    )
    with database.read() as session:
        rows = session.exec(select(Circuit.account, oldest).where(takes_orders)).all()
    cutoff = database.clock() - timedelta(seconds=after_s)
    return [
        OngoingCondition(kind="backlog", account=account, since=due_at)
        for account, due_at in rows
        if due_at is not None and due_at < cutoff
    ]


def load_alerts(database: Database) -> list[Alert]:
    """All alerts, the least recently changed first. There are few: one per cause."""
    with database.read() as session:
        return list(session.exec(select(Alert).order_by(col(Alert.last_at), col(Alert.id))).all())


def record_notified(database: Database, channel: str, notified: Mapping[int, Mapping[str, Any]]) -> None:
    """Store what was notified on a channel, by alert id."""

    def record(transaction: Transaction) -> None:
        statement = select(Alert).where(col(Alert.id).in_(notified)).with_for_update()
        for alert in transaction.load_all(statement):
            values = {"notified": {**alert.notified, channel: dict(notified[alert.id])}}
            transaction.execute(update(Alert).where(col(Alert.id) == alert.id).values(values))

    database.transact(record)


def delete_old_alerts(database: Database) -> None:
    """Delete alerts and sources that are older than `RETENTION`."""
    cutoff = database.clock() - RETENTION

    def delete_old(transaction: Transaction) -> None:
        transaction.execute(delete(SeenAlert).where(col(SeenAlert.at) < cutoff))
        is_old = and_(col(Alert.last_at) < cutoff, col(Alert.kind).not_in(CONDITION_KINDS))
        transaction.execute(delete(Alert).where(is_old))

    database.transact(delete_old)
