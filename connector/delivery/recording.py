"""Records and logs how an attempt ended, or why a claimed delivery was not attempted."""

from collections.abc import Callable
from datetime import datetime
from time import monotonic, sleep

from connector.core.exceptions import DatabaseUnavailableError
from connector.core.http_result import HttpResult
from connector.core.messages import build_message
from connector.database.attempts import (
    AttemptRecord,
    AttemptResult,
    Decision,
    record_sent,
    record_unsent,
)
from connector.database.circuits import (
    CircuitReport,
    has_delivered_since,
    has_newer_credentials,
    store_circuit,
    total_seconds_open,
)
from connector.database.deliveries import discard, hold, park_unmappable, postpone
from connector.database.models import Delivery, Reason
from connector.delivery.decision import RetryContext, next_state
from connector.delivery.prepare import (
    Discarded,
    Held,
    NotReady,
    Postponed,
    PrerequisiteFailed,
    Unmappable,
)
from connector.runtime import Runtime
from mappings.destination import Outcome
from mappings.problems import Problem, render_cause
from mappings.settings import Account


def record_attempt(runtime: Runtime, delivery: Delivery, attempt: AttemptRecord, decision: Decision) -> None:
    """Record the outcome of an attempt that was sent. If its claim was lost, the outcome is noted."""
    attempt_result = AttemptResult(
        delivery=delivery,
        attempt=attempt,
        decision=decision,
        circuit_report=circuit_report(runtime, delivery, attempt.outcome, circuit=delivery.account),
    )
    is_recorded = retry_while_database_down(runtime, lambda: record_sent(runtime.database, attempt_result))
    log_attempt(runtime, delivery, attempt, decision if is_recorded else None)


def record_not_ready(runtime: Runtime, delivery: Delivery, not_ready: NotReady, started_at: datetime) -> bool:
    """Record why nothing was sent. False if that no longer applies: the claim is lost, or the order changed."""
    database = runtime.database
    match not_ready:
        case Unmappable(problems=problems):
            is_recorded = park_unmappable(database, delivery, problems)
            if is_recorded:
                log_finished(runtime, delivery, Reason.UNMAPPABLE, problems=len(problems))
        case Discarded(reason=reason, problems=problems):
            is_recorded = discard(database, delivery, reason, problems)
            if is_recorded:
                log_finished(runtime, delivery, reason)
        case Held(problem=problem, may_be_sent=may_be_sent):
            is_recorded = hold(database, delivery, problem, may_be_sent=may_be_sent)
            if is_recorded:
                log_finished(runtime, delivery, Reason.HELD)
        case Postponed(until=until):
            is_recorded = postpone(database, delivery, until)
        case PrerequisiteFailed():
            record_prerequisite_failed(runtime, delivery, not_ready, started_at)
            is_recorded = True
    return is_recorded


def record_prerequisite_failed(
    runtime: Runtime, delivery: Delivery, failed: PrerequisiteFailed, started_at: datetime
) -> None:
    """Record an attempt that ended before its order was sent."""
    error = build_message(failed.code, error=failed.result.failure)
    attempt = to_attempt_record(delivery, failed.outcome, started_at, failed.result, error=error)
    context = load_retry_context(runtime, delivery, attempt)
    retry_after = failed.result.retry_after
    decision = next_state(delivery, attempt, context, retry_after=retry_after, was_order_sent=False)
    attempt_result = AttemptResult(
        delivery=delivery,
        attempt=attempt,
        decision=decision,
        circuit_report=circuit_report(runtime, delivery, attempt.outcome, circuit=failed.circuit),
    )
    circuit_open_s = total_seconds_open(runtime.database, circuits_of(delivery))
    is_recorded = record_unsent(runtime.database, attempt_result, circuit_open_s=circuit_open_s)
    log_attempt(runtime, delivery, attempt, decision if is_recorded else None)


def to_attempt_record(
    delivery: Delivery, outcome: Outcome, started_at: datetime, result: HttpResult, *, error: Problem | None = None
) -> AttemptRecord:
    """Return what is stored of an attempt. The response is stored, never logged: it may repeat personal data.

    Args:
        error: why it failed, if that is not the result's own failure.
    """
    return AttemptRecord(
        number=delivery.attempts + 1,
        outcome=outcome,
        started_at=started_at,
        duration_ms=result.duration_ms,
        status=result.status,
        error=None if outcome is Outcome.DELIVERED else error or result.failure,
        reply=result.body,
    )


def load_retry_context(runtime: Runtime, delivery: Delivery, attempt: AttemptRecord) -> RetryContext:
    """Return what the next state depends on, with the database reads that its outcome calls for."""
    account = runtime.settings.accounts[delivery.account]
    supports_idempotency = runtime.settings.destination(account).supports_idempotency
    now = runtime.clock()
    if attempt.outcome is Outcome.DELIVERED:
        return RetryContext(account=account, supports_idempotency=supports_idempotency, now=now)
    first_forbidden_at = delivery.first_forbidden_at
    version = runtime.settings.entered_credentials_version or 0
    return RetryContext(
        account=account,
        supports_idempotency=supports_idempotency,
        now=now,
        retried_for_s=retried_for_s(runtime, delivery, attempt, now),
        do_others_pass=first_forbidden_at is not None
        and has_delivered_since(runtime.database, delivery.account, first_forbidden_at),
        has_newer_credentials=attempt.outcome is Outcome.UNAUTHORIZED
        and has_newer_credentials(runtime.database, delivery.account, version),
    )


def retried_for_s(runtime: Runtime, delivery: Delivery, attempt: AttemptRecord, now: datetime) -> float:
    """Return the seconds since the run's first attempt, without those in which its circuits were open or paused."""
    if delivery.run_started_at is None:
        return (now - attempt.started_at).total_seconds()
    open_s = total_seconds_open(runtime.database, circuits_of(delivery)) - delivery.circuit_open_s_at_start
    return (now - delivery.run_started_at).total_seconds() - open_s


def circuit_report(runtime: Runtime, delivery: Delivery, outcome: Outcome, *, circuit: str) -> CircuitReport:
    account: Account = runtime.settings.accounts[delivery.account]
    return CircuitReport(
        circuit=circuit,
        outcome=outcome,
        failure_threshold=account.breaker_failures,
        probe_after_s=account.breaker_open_s,
        credentials_version=runtime.settings.entered_credentials_version or 0,
    )


def circuits_of(delivery: Delivery) -> tuple[str, str]:
    """Return the circuits that keep a delivery from being attempted while they are open."""
    return delivery.account, store_circuit(delivery.store)


def retry_while_database_down(runtime: Runtime, change: Callable[[], bool]) -> bool:
    """Retry a database write until it succeeds or half the lease has passed. Raises `DatabaseUnavailableError`."""
    deadline = monotonic() + runtime.settings.environment.lease_s / 2
    while True:
        try:
            return change()
        except DatabaseUnavailableError:
            if monotonic() > deadline:
                raise
            sleep(0.5)


def log_attempt(runtime: Runtime, delivery: Delivery, attempt: AttemptRecord, decision: Decision | None) -> None:
    """Log one line per attempt. No decision: the claim was lost, so the outcome does not count."""
    runtime.log.info(
        "attempt",
        event_id=delivery.event_id,
        delivery_id=delivery.id,
        account=delivery.account,
        attempt=attempt.number,
        outcome=str(attempt.outcome),
        status=attempt.status,
        error=render_cause(attempt.error) if attempt.error else None,
        state=str(decision.state) if decision else "claim lost",
        reason=str(decision.reason) if decision and decision.reason else None,
        duration_ms=attempt.duration_ms,
    )


def log_finished(runtime: Runtime, delivery: Delivery, reason: Reason, **fields: int) -> None:
    """Log a delivery that ended without an attempt."""
    runtime.log.info(
        "left",
        event_id=delivery.event_id,
        delivery_id=delivery.id,
        account=delivery.account,
        reason=str(reason),
        **fields,
    )
