"""The send path: commit `sending` before the request, record the outcome after it.

A delivery is changed only by the worker that holds its claim.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlmodel import col, select

from connector.core.exceptions import DatabaseRestoredError
from connector.core.messages import build_message
from connector.database.circuits import CircuitReport, load_circuits, record_outcomes, release_probe, seconds_open
from connector.database.deliveries import (
    LockedDelivery,
    held_values,
    is_still_claimed,
    lock_deliveries,
    update_delivery,
)
from connector.database.engine import Database, Transaction
from connector.database.generation import Generation
from connector.database.models import Attempt, Delivery, Reason, State
from connector.database.orders import (
    CAME_BACK,
    MAX_EVENT_ID,
    add_alert,
    cancellation_values,
    has_come_back,
    is_cancelled,
    is_doubtful_deletion,
    load_order_events,
    newest_event,
    select_newest,
)
from connector.database.sql.run import run, run_many
from connector.database.sql.statements import (
    INSERT_ATTEMPT,
    LAST_ATTEMPT,
    MARK_SENDING,
    READ_GENERATION,
    RECORD_ATTEMPT,
    RECORD_OUTCOME,
)
from mappings.destination import Outcome
from mappings.problems import ParamValue, Problem, dump_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The state of a delivery after an attempt."""

    state: State
    reason: Reason | None = None
    due_at: datetime | None = None
    remote_id: str | None = None
    locked_since: datetime | None = None
    is_forbidden: bool = False  # 401 or 403
    keeps_claim: bool = False  # the same worker continues at once


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """What is stored of one attempt."""

    number: int
    outcome: Outcome
    started_at: datetime
    duration_ms: int
    status: int | None = None
    error: Problem | None = None
    reply: bytes | None = None


@dataclass(slots=True, kw_only=True)
class SendStart:
    """A delivery whose next attempt is about to send these bytes.

    Args:
        delivery: as it was read when it was claimed.
        circuits: while these are open, the time does not count towards `retry_for_s`.
        generation: the database's, as the worker knew it when it prepared the request.
        credentials_version: of the entered credentials with which it is sent.
    """

    delivery: Delivery
    body: bytes
    idempotency_key: str | None
    warnings: list[Problem]
    circuits: tuple[str, ...]
    lease_s: float
    generation: Generation | None
    credentials_version: int = 0
    may_be_committed: bool = False  # a transaction with it failed, but may have been committed


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """An attempt and its outcome."""

    delivery: Delivery  # as it was read when it was claimed
    attempt: AttemptRecord
    decision: Decision
    circuit_report: CircuitReport


def mark_sending(database: Database, start: SendStart) -> bool:
    """Commit that attempt `delivery.attempts + 1` is about to send.

    False, without any change, if the claim is lost, the lease has expired, the account's credentials were replaced, or
    the order changed since `delivery` was read: then nothing may be sent.

    Raises `DatabaseRestoredError` if the database is of another generation. Nothing may be sent then, either.
    """
    number = database.commit(mark_all_sending, start, no_timeout=True)  # it might be committed after a timeout
    if number is None or start.generation is None:
        return False
    file = database.backend.generation_file
    is_revised = start.delivery.revision > 1
    if file is not None and not file.advance(start.generation.id, number, is_revised=is_revised):
        raise DatabaseRestoredError("the file of its generation is of another database")
    return True


def mark_all_sending(transaction: Transaction, starts: Sequence[SendStart]) -> list[int | None]:
    """Returns for each the number that `GenerationFile.advance` takes; None if it may not be sent."""
    now = transaction.now
    generation, server = read_generation(transaction)
    if any(start.generation is None or start.generation.id != generation for start in starts):
        raise DatabaseRestoredError("it was restored from a backup")
    if server != transaction.backend.read_server(transaction.connection):
        raise DatabaseRestoredError("it is on another server, or was recovered")
    current_by_id = lock_deliveries(transaction, [start.delivery.id for start in starts])
    circuits = load_circuits(transaction, {name for start in starts for name in start.circuits})
    changes: list[dict[str, Any]] = []
    new_attempts: list[dict[str, Any]] = []
    may_send: list[bool] = []
    for start in starts:
        delivery, number = start.delivery, start.delivery.attempts + 1
        current = current_by_id[delivery.id]
        is_marked = current.is_claimed_by(delivery.claimed_by, state=State.SENDING) and current.attempts == number
        may_be_committed, start.may_be_committed = start.may_be_committed, True
        if may_be_committed and is_marked:  # by the earlier transaction, whose commit was not confirmed
            may_send.append(True)
            continue
        has_lease = current.claim_expires_at is not None and current.claim_expires_at > now
        circuit = circuits.get(delivery.account)
        is_outdated = circuit is not None and circuit.credentials_version > start.credentials_version
        if is_outdated or not (is_still_claimed(current, delivery) and has_lease):
            may_send.append(False)
            continue
        may_send.append(True)
        open_s = sum(seconds_open(circuits.get(name), now) for name in start.circuits)
        changes.append(
            {
                "id": delivery.id,
                "attempts": number,
                "body": start.body,
                "idempotency_key": start.idempotency_key,
                "warnings": json.dumps(dump_problems(start.warnings)),
                "claim_expires_at": now + timedelta(seconds=start.lease_s),
                "updated_at": now,
                **run_values(delivery, now, open_s),
            }
        )
        new_attempts.append(
            {"delivery_id": delivery.id, "number": number, "started_at": now, "is_manual": delivery.is_manual}
        )
    if changes:
        run_many(transaction.connection, MARK_SENDING, changes)
        run_many(transaction.connection, INSERT_ATTEMPT, new_attempts)
    last_attempt = read_last_attempt(transaction)
    return [last_attempt if is_allowed else None for is_allowed in may_send]


def read_generation(transaction: Transaction) -> tuple[str | None, str | None]:
    """The generation that is recorded in the database, and the server."""
    rows = run(transaction.connection, READ_GENERATION, {})
    return rows[0] if rows else (None, None)


def read_last_attempt(transaction: Transaction) -> int:
    ((number,),) = run(transaction.connection, LAST_ATTEMPT, {})
    return number or 0


def run_values(delivery: Delivery, now: datetime, circuit_open_s: float) -> dict[str, Any]:
    """The values of a delivery's run after one more attempt, which may be its first."""
    is_first = delivery.run_started_at is None
    return {
        "attempts_in_run": 1 if is_first else delivery.attempts_in_run + 1,
        "run_started_at": now if is_first else delivery.run_started_at,
        "circuit_open_s_at_start": circuit_open_s if is_first else delivery.circuit_open_s_at_start,
    }


def record_sent(database: Database, result: AttemptResult) -> bool:
    """Record the outcome of an attempt that was `sending`. False if the claim was lost meanwhile."""
    return database.commit(record_all_sent, result, no_timeout=True)


def record_all_sent(transaction: Transaction, batch: Sequence[AttemptResult]) -> list[bool]:
    current_by_id = lock_deliveries(transaction, [result.delivery.id for result in batch])
    outcomes: list[dict[str, Any]] = []
    attempts: list[dict[str, Any]] = []
    recorded = []
    for result in batch:
        delivery, attempt, current = result.delivery, result.attempt, current_by_id[result.delivery.id]
        is_claimed = current.is_claimed_by(delivery.claimed_by, state=State.SENDING)
        holds_claim = is_claimed and current.attempts == attempt.number
        if holds_claim:
            outcomes.append({"id": delivery.id, **outcome_values(current, result.decision, transaction.now)})
            attempts.append({"delivery_id": delivery.id, "number": attempt.number, **attempt_values(attempt)})
        recorded.append(holds_claim or is_recorded(transaction, result))
    if outcomes:
        run_many(transaction.connection, RECORD_OUTCOME, outcomes)
        run_many(transaction.connection, RECORD_ATTEMPT, attempts)
    for result, was_recorded in zip(batch, recorded, strict=True):
        if not was_recorded:
            record_late_response(transaction, result)
        elif result.decision.state != State.DELIVERED:
            apply_missed_events(transaction, result.delivery.id)
    record_outcomes(transaction, [result.circuit_report for result in batch])
    return recorded


def is_recorded(transaction: Transaction, result: AttemptResult) -> bool:
    """True if this outcome is recorded already, by a transaction whose commit was not confirmed."""
    attempt = result.attempt
    stored = transaction.load_one(
        select(Attempt).where(col(Attempt.delivery_id) == result.delivery.id, col(Attempt.number) == attempt.number)
    )
    if stored is None:
        return False
    return (stored.outcome, stored.duration_ms, stored.reply) == (attempt.outcome, attempt.duration_ms, attempt.reply)


def record_unsent(database: Database, result: AttemptResult, *, circuit_open_s: float) -> bool:
    """Record an attempt that ended before the order was sent, because it got no token or could not fetch something.

    False if the claim was lost meanwhile.
    """

    def record(transaction: Transaction) -> bool:
        delivery, attempt = result.delivery, result.attempt
        current = lock_deliveries(transaction, [delivery.id])[delivery.id]
        is_claimed = current.is_claimed_by(delivery.claimed_by, state=State.WAITING)
        holds_claim = is_claimed and current.attempts == delivery.attempts
        if holds_claim:
            values = {
                **outcome_values(current, result.decision, transaction.now),
                **run_values(delivery, transaction.now, circuit_open_s),
                "attempts": attempt.number,
            }
            update_delivery(transaction, delivery.id, values)
            key_values = {"delivery_id": delivery.id, "number": attempt.number, "is_manual": delivery.is_manual}
            transaction.execute(insert(Attempt).values({**key_values, **attempt_values(attempt)}))
            release_probe(transaction, current.account, current.claim_expires_at)
            apply_missed_events(transaction, delivery.id)
        record_outcomes(transaction, [result.circuit_report])
        return holds_claim

    return database.transact(record)


def outcome_values(current: LockedDelivery, decision: Decision, now: datetime) -> dict[str, Any]:
    """The values of a delivery after an attempt."""
    first_forbidden_at = (current.first_forbidden_at or now) if decision.is_forbidden else None
    return {
        "state": decision.state,
        "reason": decision.reason,
        "due_at": decision.due_at,
        "remote_id": decision.remote_id or current.remote_id,
        "locked_since": decision.locked_since,
        "first_forbidden_at": first_forbidden_at,
        "is_manual": False,
        "updated_at": now,
        "claimed_by": current.claimed_by if decision.keeps_claim else None,
        "claim_expires_at": current.claim_expires_at if decision.keeps_claim else None,
    }


def attempt_values(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "outcome": attempt.outcome,
        "started_at": attempt.started_at,
        "duration_ms": attempt.duration_ms,
        "status": attempt.status,
        "error": attempt.error and attempt.error.to_json(),
        "reply": attempt.reply,
    }


def apply_missed_events(transaction: Transaction, delivery_id: int) -> None:
    """Apply what arrived while an attempt was under way: a cancellation, or a newer version."""
    current = lock_deliveries(transaction, [delivery_id])[delivery_id]
    if current.state != State.WAITING and current.reason not in (Reason.REFUSED, Reason.EXHAUSTED):
        return
    if is_cancelled(
        transaction.connection, current.store, current.order_id, override_event_id=current.override_event_id
    ):
        order_events = load_order_events(
            transaction.connection, current.store, [current.order_id], before_id=MAX_EVENT_ID
        )
        events = [event for _, event in order_events]
        newest = newest_event(events)
        if current.locked_since is None and newest is not None and has_come_back(events):
            values = {**held_values(CAME_BACK), "event_id": newest.id, "updated_at": transaction.now}
            update_delivery(transaction, delivery_id, values)
        else:
            cancellations = [
                event for event in events if event.is_cancellation and event.id > (current.override_event_id or 0)
            ]
            is_doubtful = all(is_doubtful_deletion(event, events) for event in cancellations)
            apply_cancellation(transaction, current, is_doubtful=is_doubtful)
    elif current.locked_since is None:
        newest_id = transaction.load_one(select_newest(current.store, current.order_id))
        if newest_id != current.event_id:
            update_delivery(transaction, delivery_id, {"event_id": newest_id})


def apply_cancellation(transaction: Transaction, current: LockedDelivery, *, is_doubtful: bool) -> None:
    values, alert = cancellation_values(
        state=current.state,
        reason=current.reason,
        locked_since=current.locked_since,
        is_doubtful=is_doubtful,
        may_be_sent=bool(current.sent_before_restore),
    )
    if values:
        update_delivery(transaction, current.id, {**values, "updated_at": transaction.now})
    if alert:
        add_alert(transaction, current.id, alert)


def record_late_response(transaction: Transaction, result: AttemptResult) -> None:
    """Record a response that arrives after its claim was lost.

    A success settles the delivery if no later attempt was made; anything else becomes an alert.
    """
    attempt, decision, delivery_id = result.attempt, result.decision, result.delivery.id
    current = lock_deliveries(transaction, [delivery_id])[delivery_id]
    is_last_attempt = current.attempts == attempt.number
    is_held_since_restore = current.reason == Reason.HELD and current.sent_before_restore
    may_apply = current.state == State.WAITING or current.reason == Reason.UNCERTAIN or is_held_since_restore
    if is_last_attempt and may_apply and decision.state == State.DELIVERED:
        update_delivery(transaction, delivery_id, outcome_values(current, decision, transaction.now))
        row = {"delivery_id": delivery_id, "number": attempt.number, **attempt_values(attempt)}
        run_many(transaction.connection, RECORD_ATTEMPT, [row])
        return
    params: dict[str, ParamValue] = {"attempt": attempt.number, "outcome": str(attempt.outcome)}
    if decision.remote_id:
        alert = build_message("late_response_with_id", **params, remote_id=decision.remote_id)
    else:
        alert = build_message("late_response", **params)
    add_alert(transaction, delivery_id, alert)
