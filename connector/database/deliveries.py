"""Moves deliveries from state to state. A row is changed only as it was expected to be, and by who holds its claim."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from connector.database.circuits import CircuitReport, load_circuits, record_outcomes, release_probe, seconds_open
from connector.database.engine import Database, Transaction
from connector.database.models import Delivery, Reason, State, attempts, deliveries
from connector.database.orders import add_note, apply_cancellation, is_cancelled, row_id, select_newest
from connector.database.sql.execute import insert_ignore_returning_ids, select_by, update_by, update_rows
from mappings.destination import Outcome
from mappings.problems import Problem, dump_problems, missing_rows_in

#: What may be long, and decides nothing.
LARGE_COLUMNS = {"body", "problems", "warnings", "missing_rows"}
GUARD_COLUMNS = tuple(column.name for column in deliveries.c if column.name not in LARGE_COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Where an attempt leaves its delivery."""

    state: State
    reason: Reason | None = None
    due_at: datetime | None = None
    remote_id: str | None = None
    locked_since: datetime | None = None
    is_forbidden: bool = False  # 401 or 403
    keeps_claim: bool = False  # the same claimant goes on at once


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """What is kept of one attempt."""

    number: int
    outcome: Outcome
    started_at: datetime
    duration_ms: int
    status: int | None = None
    error: str | None = None
    reply: bytes | None = None


@dataclass(slots=True, kw_only=True)
class SendStart:
    """A delivery whose next attempt is about to open a socket, and with which bytes."""

    delivery: Delivery  # as it was read
    body: bytes
    idempotency_key: str | None
    warnings: list[Problem]
    circuits: tuple[str, ...]  # the time in which these are open does not count for its retries
    lease_s: float
    may_be_committed: bool = False  # a transaction that held it failed, and may have been committed all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """An attempt and what came of it."""

    delivery: Delivery  # as it was read
    attempt: AttemptRecord
    decision: Decision
    circuit_report: CircuitReport


def reset_values(now: datetime) -> dict[str, Any]:
    """The values of a delivery that waits anew: due at once, its retries counted from nothing."""
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


def lock_deliveries(transaction: Transaction, ids: Collection[int]) -> dict[int, Delivery]:
    """Their rows without what is bulky, by id; nobody else changes them before this transaction ends."""
    rows = select_by(transaction.connection, deliveries, GUARD_COLUMNS, "id", list(ids), lock_clause="FOR UPDATE")
    return {row.id: row for row in rows}


def mark_sending(database: Database, start: SendStart) -> bool:
    """Commit that attempt `delivery.attempts + 1` is about to open a socket.

    False, and nothing is changed, unless the claim still holds, its lease runs, and no news of the order came
    since `delivery` was read: then no socket may be opened.
    """
    return database.commit(mark_all_sending, start, no_timeout=True)  # what is given up might be marked all the same


def mark_all_sending(transaction: Transaction, starts: Sequence[SendStart]) -> list[bool]:
    now = transaction.now
    rows = lock_deliveries(transaction, [row_id(start.delivery) for start in starts])
    circuits = load_circuits(transaction.connection, {name for start in starts for name in start.circuits})
    changes: dict[int, dict[str, Any]] = {}
    new_attempts = []
    results = []
    for start in starts:
        delivery, number = start.delivery, start.delivery.attempts + 1
        row = rows[row_id(delivery)]
        is_marked = row.state == State.SENDING and row.attempts == number and row.claimed_by == delivery.claimed_by
        may_be_committed, start.may_be_committed = start.may_be_committed, True
        if may_be_committed and is_marked:  # by this very mark: the database did not live to tell of its commit
            results.append(True)
            continue
        if not (is_still_claimed(row, delivery) and row.claim_expires_at and row.claim_expires_at > now):
            results.append(False)
            continue
        results.append(True)
        open_s = sum(seconds_open(circuits.get(name), now) for name in start.circuits)
        changes[row_id(delivery)] = {
            "state": State.SENDING,
            "attempts": number,
            "body": start.body,
            "idempotency_key": start.idempotency_key,
            "warnings": dump_problems(start.warnings),
            "claim_expires_at": now + timedelta(seconds=start.lease_s),
            "updated_at": now,
            **run_values(delivery, now, open_s),
        }
        new_attempts.append(
            {
                "delivery_id": delivery.id,
                "number": number,
                "started_at": now,
                "is_manual": delivery.is_manual,
                "outcome": State.SENDING,
            }
        )
    if new_attempts:
        update_rows(transaction.connection, deliveries, changes)
        unique = ["delivery_id", "number"]
        if len(insert_ignore_returning_ids(transaction.connection, attempts, new_attempts, unique=unique)) != len(
            new_attempts
        ):
            raise RuntimeError("an attempt of that number is there already")
    return results


def is_still_claimed(row: Delivery, delivery: Delivery) -> bool:
    """True when `row` is `delivery` as it was read: still claimed by the same, and nothing newer came of its order.

    A thin webhook's repeat, or a person, wakes a delivery without a new event: then its due time tells.
    """
    is_held = row.state == State.WAITING and row.claimed_by == delivery.claimed_by and row.claimed_by is not None
    is_unchanged = row.event_id == delivery.event_id and row.due_at == delivery.due_at
    return is_held and is_unchanged and row.attempts == delivery.attempts


def run_values(delivery: Delivery, now: datetime, circuit_open_s: float) -> dict[str, Any]:
    """The run's count after one more attempt; its beginning, if this is its first."""
    is_first = delivery.run_started_at is None
    return {
        "attempts_in_run": 1 if is_first else delivery.attempts_in_run + 1,
        "run_started_at": now if is_first else delivery.run_started_at,
        "circuit_open_s_at_start": circuit_open_s if is_first else delivery.circuit_open_s_at_start,
    }


def record_sent(database: Database, result: AttemptResult) -> bool:
    """Record the outcome of an attempt that was `sending`. False when the claim was lost meanwhile."""
    return database.commit(record_all_sent, result, no_timeout=True)


def record_all_sent(transaction: Transaction, batch: Sequence[AttemptResult]) -> list[bool]:
    rows = lock_deliveries(transaction, [row_id(result.delivery) for result in batch])
    changes: dict[int, dict[str, Any]] = {}
    attempts_by_delivery: dict[int, AttemptRecord] = {}
    recorded = []
    for result in batch:
        delivery, row = result.delivery, rows[row_id(result.delivery)]
        holds_claim = (
            row.state == State.SENDING
            and row.claimed_by == delivery.claimed_by
            and row.attempts == result.attempt.number
        )
        if holds_claim:
            changes[row_id(delivery)] = outcome_values(delivery, result.decision, transaction.now)
            attempts_by_delivery[row_id(delivery)] = result.attempt
        recorded.append(holds_claim or is_recorded(transaction, result))
    if changes:
        update_rows(transaction.connection, deliveries, changes)
        update_attempts(transaction, attempts_by_delivery)
    for result, was_recorded in zip(batch, recorded, strict=True):
        if not was_recorded:
            record_late_response(transaction, result)
        elif result.decision.state != State.DELIVERED:
            apply_missed_events(transaction, row_id(result.delivery))
    record_outcomes(transaction, [result.circuit_report for result in batch])
    return recorded


def update_attempts(transaction: Transaction, attempts_by_delivery: dict[int, AttemptRecord]) -> None:
    rows = [
        (attempt_values(attempt), (delivery_id, attempt.number))
        for delivery_id, attempt in attempts_by_delivery.items()
    ]
    column_names = tuple(rows[0][0])
    update_by(transaction.connection, attempts, column_names, ("delivery_id", "number"), rows)


def is_recorded(transaction: Transaction, result: AttemptResult) -> bool:
    """True when this very outcome is recorded already: the database did not live to tell of its commit."""
    statement = select(attempts.c.outcome, attempts.c.duration_ms, attempts.c.reply).where(
        attempts.c.delivery_id == result.delivery.id, attempts.c.number == result.attempt.number
    )
    attempt = result.attempt
    return tuple(transaction.execute(statement).one()) == (attempt.outcome, attempt.duration_ms, attempt.reply)


def record_unsent(database: Database, result: AttemptResult, *, circuit_open_s: float) -> bool:
    """Record an attempt that ended before the order's own request: no token, or not the order itself, was had."""

    def record(transaction: Transaction) -> bool:
        delivery, attempt = result.delivery, result.attempt
        row = lock_deliveries(transaction, [row_id(delivery)])[row_id(delivery)]
        is_held = row.state == State.WAITING and row.claimed_by == delivery.claimed_by and row.claimed_by is not None
        holds_claim = is_held and row.attempts == delivery.attempts
        if holds_claim:
            values = {
                **outcome_values(delivery, result.decision, transaction.now),
                **run_values(delivery, transaction.now, circuit_open_s),
                "attempts": attempt.number,
            }
            update_rows(transaction.connection, deliveries, {row_id(delivery): values})
            values = {"delivery_id": delivery.id, "number": attempt.number, "is_manual": delivery.is_manual}
            transaction.execute(insert(attempts).values({**values, **attempt_values(attempt)}))
            release_probe(transaction, row)
            apply_missed_events(transaction, row_id(delivery))
        record_outcomes(transaction, [result.circuit_report])
        return holds_claim

    return database.transact(record)


def outcome_values(delivery: Delivery, decision: Decision, now: datetime) -> dict[str, Any]:
    return {
        "state": decision.state,
        "reason": decision.reason,
        "due_at": decision.due_at,
        "remote_id": decision.remote_id or delivery.remote_id,
        "locked_since": decision.locked_since,
        "first_forbidden_at": (delivery.first_forbidden_at or now) if decision.is_forbidden else None,
        "is_manual": False,
        "updated_at": now,
        **({} if decision.keeps_claim else {"claimed_by": None, "claim_expires_at": None}),
    }


def attempt_values(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "outcome": attempt.outcome,
        "started_at": attempt.started_at,
        "duration_ms": attempt.duration_ms,
        "status": attempt.status,
        "error": attempt.error,
        "reply": attempt.reply,
    }


def apply_missed_events(transaction: Transaction, delivery_id: int) -> None:
    """Apply what came in while the attempt was under way: a cancellation, or a newer version."""
    current = lock_deliveries(transaction, [delivery_id])[delivery_id]
    if current.state != State.WAITING and current.reason not in (Reason.REFUSED, Reason.EXHAUSTED):
        return
    if is_cancelled(
        transaction.connection, current.store, current.order_id, override_event_id=current.override_event_id
    ):
        apply_cancellation(transaction, current)
    elif current.locked_since is None:
        newest = transaction.execute(select_newest(current.store, current.order_id)).scalar_one()
        if newest != current.event_id:
            update_rows(transaction.connection, deliveries, {delivery_id: {"event_id": newest}})


def record_late_response(transaction: Transaction, result: AttemptResult) -> None:
    """An answer that comes after its claim was lost: success settles the current attempt, the rest is noted."""
    attempt, decision, delivery_id = result.attempt, result.decision, row_id(result.delivery)
    current = lock_deliveries(transaction, [delivery_id])[delivery_id]
    is_current = current.attempts == attempt.number
    may_apply = current.state == State.WAITING or current.reason == Reason.UNCERTAIN
    if is_current and may_apply and decision.state == State.DELIVERED:
        update_rows(
            transaction.connection, deliveries, {delivery_id: outcome_values(current, decision, transaction.now)}
        )
        update_attempts(transaction, {delivery_id: attempt})
        return
    summary = f"Attempt {attempt.number} was answered after its claim was lost: {attempt.outcome}"
    remote_id_text = f", the destination's id is {decision.remote_id}" if decision.remote_id else ""
    add_note(transaction, delivery_id, "alert", f"{summary}{remote_id_text}. Compare with the destination.")


def park_unmappable(database: Database, delivery: Delivery, problems: list[Problem]) -> bool:
    """Park it with its problems. False when the claim was lost, or there is news of the order: read it again."""
    reason = Reason.UNCERTAIN if delivery.locked_since else Reason.UNMAPPABLE  # an attempt may have been processed
    rows = missing_rows_in(problems)
    missing_rows = json.dumps(rows) if rows else None
    values = {"problems": dump_problems(problems), "missing_rows": missing_rows}
    return finish_without_attempt(database, delivery, state=State.PARKED, reason=reason, **values)


def discard(database: Database, delivery: Delivery, reason: Reason, problems: Sequence[Problem]) -> bool:
    values = {"reason": reason, "problems": dump_problems(problems)}
    return finish_without_attempt(database, delivery, state=State.DISCARDED, **values)


def postpone(database: Database, delivery: Delivery, due_at: datetime) -> bool:
    """Give it back until then, without an attempt."""
    return finish_without_attempt(database, delivery, due_at=due_at)


def finish_without_attempt(database: Database, delivery: Delivery, **values: Any) -> bool:
    def change(transaction: Transaction) -> bool:
        row = lock_deliveries(transaction, [row_id(delivery)])[row_id(delivery)]
        if not is_still_claimed(row, delivery):
            return False
        changes = {
            "claimed_by": None,
            "claim_expires_at": None,
            "due_at": None,
            "updated_at": transaction.now,
            **values,
        }
        update_rows(transaction.connection, deliveries, {row_id(delivery): changes})
        release_probe(transaction, row)
        return True

    return database.transact(change)
