"""Delivers one claimed order: prepare, authorize, mark as sending, send, classify, decide, record.

Until `sending` is committed nothing has been sent, and every step may be repeated. `send` takes a `Sending`, which only
that commit makes, and is called once for each. Another attempt needs another commit: after an ambiguous one, only
`next_state` may ask for it, and only if the destination has an idempotency key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from time import monotonic, sleep

from connector.clients.tokens import TokenError
from connector.core.exceptions import DatabaseUnavailableError
from connector.core.http_result import HttpResult
from connector.core.messages import build_message
from connector.core.outcomes import classify
from connector.database.attempts import (
    AttemptRecord,
    AttemptResult,
    Decision,
    SendStart,
    mark_sending,
    record_sent,
    record_unsent,
)
from connector.database.circuits import CircuitReport, has_delivered_since, store_circuit, total_seconds_open
from connector.database.claims import ClaimedDelivery
from connector.database.deliveries import discard, hold, park_unmappable, postpone
from connector.database.models import Delivery, Event, Reason, State
from connector.database.queries.deliveries import load_delivery
from connector.database.queries.events import load_event
from connector.delivery.decision import RetryContext, next_state
from connector.delivery.prepare import (
    Discarded,
    Held,
    NotReady,
    Postponed,
    PrerequisiteFailed,
    Ready,
    Unmappable,
    prepare,
)
from connector.runtime import Runtime
from mappings.destination import Outcome
from mappings.problems import Problem, render_cause
from mappings.settings import Account

#: How often one claim reloads an order because a newer version arrived.
MAX_RELOADS = 5


class Progress(Enum):
    """How far an attempt came."""

    DONE = auto()  # its outcome is recorded, or the claim was lost after sending
    STALE = auto()  # nothing was sent: a newer version arrived, or the claim was lost
    TOKEN_EXPIRED = auto()  # recorded, under a claim that still holds: another attempt needs a new token


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorized:
    bearer: str | None  # None: the account sends no token


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """An attempt that is committed as `sending`, and may open one socket."""

    request: Ready
    bearer: str | None
    started_at: datetime
    deadline: float  # monotonic; an attempt that starts later could outlast its lease


def deliver(runtime: Runtime, claimed: ClaimedDelivery, *, on_response: Callable[[], None] = lambda: None) -> None:
    """Bring a claimed delivery as far as possible: delivered, parked, discarded, or waiting for its next attempt.

    Args:
        on_response: called when only the outcome is left to record.
    """
    delivery, event = claimed.delivery, claimed.event
    may_refresh_token = True
    for _ in range(MAX_RELOADS):
        progress = attempt_delivery(
            runtime, delivery, event, may_refresh_token=may_refresh_token, on_response=on_response
        )
        if progress is Progress.DONE:
            return
        may_refresh_token = may_refresh_token and progress is not Progress.TOKEN_EXPIRED
        claimed_by, delivery = delivery.claimed_by, load_delivery(runtime.database, delivery.id)
        if delivery.state != State.WAITING or delivery.claimed_by != claimed_by:
            return
        event = load_event(runtime.database, delivery.event_id)


def attempt_delivery(
    runtime: Runtime, delivery: Delivery, event: Event, *, may_refresh_token: bool, on_response: Callable[[], None]
) -> Progress:
    """Make one attempt.

    May be repeated:
      1. Prepare the request: load, fetch and map the order.
      2. Authorize it: get a token.
      3. Mark the delivery as sending: commit the request's bytes, its key and the attempt's number, if the claim holds.
    May not be repeated:
      4. Send the request.
      5. Classify the response.
      6. Decide the delivery's next state.
      7. Record the outcome.
    """
    prepare_started_at = runtime.clock()
    with runtime.tracing.span("map") as span:
        prepared = prepare(runtime, delivery, event)
        if not isinstance(prepared, Ready):
            span.mark_failed(type(prepared).__name__)
    if not isinstance(prepared, Ready):
        return record_not_ready(runtime, delivery, prepared, prepare_started_at)
    authorized = authorize(runtime, delivery)
    if not isinstance(authorized, Authorized):
        return record_not_ready(runtime, delivery, authorized, prepare_started_at)
    sending = start_sending(runtime, delivery, prepared, authorized)
    if sending is None:
        return Progress.STALE
    result = send(runtime, delivery, sending)
    account = runtime.settings.accounts[delivery.account]
    outcome, remote_id = classify(runtime.settings.destination(account), result)
    if outcome is Outcome.TOKEN_EXPIRED and not invalidate_token(runtime, delivery, sending, may_refresh_token):
        outcome = Outcome.UNAUTHORIZED
    attempt = to_attempt_record(delivery, outcome, sending.started_at, result)
    context = load_retry_context(runtime, delivery, attempt)
    decision = next_state(delivery, attempt, context, remote_id=remote_id, retry_after=result.retry_after)
    if not decision.keeps_claim:
        on_response()
    record(runtime, delivery, attempt, decision)
    return Progress.TOKEN_EXPIRED if outcome is Outcome.TOKEN_EXPIRED else Progress.DONE


def authorize(runtime: Runtime, delivery: Delivery) -> Authorized | PrerequisiteFailed:
    try:
        with runtime.tracing.span("token", kind="client"):
            return Authorized(bearer=runtime.account_clients[delivery.account].tokens.bearer())
    except TokenError as error:
        outcome = Outcome.UNAUTHORIZED if is_api_key_rejected(error.result) else Outcome.NOT_PROCESSED
        return PrerequisiteFailed(code="no_token", circuit=delivery.account, outcome=outcome, result=error.result)


def is_api_key_rejected(result: HttpResult) -> bool:
    """Whether the token exchange rejected the API key, as it would for every order of the account."""
    return result.status is not None and 400 <= result.status < 500 and result.status not in (408, 425, 429)


def start_sending(runtime: Runtime, delivery: Delivery, request: Ready, authorized: Authorized) -> Sending | None:
    """Commit that the next attempt is about to be sent. None if it must not be: nothing was changed."""
    account = runtime.settings.accounts[delivery.account]
    lease_s = runtime.settings.environment.lease_s
    start = SendStart(
        delivery=delivery,
        body=request.body,
        idempotency_key=request.idempotency_key,
        warnings=request.warnings,
        circuits=circuits_of(delivery),
        lease_s=lease_s,
    )
    deadline = monotonic() + lease_s - account.timeout_s
    started_at = runtime.clock()
    if not retry_while_database_down(runtime, lambda: mark_sending(runtime.database, start)):
        return None
    return Sending(request=request, bearer=authorized.bearer, started_at=started_at, deadline=deadline)


def send(runtime: Runtime, delivery: Delivery, sending: Sending) -> HttpResult:
    """Send the request once, unless the commit took so long that the attempt could outlast its lease."""
    if monotonic() > sending.deadline:
        return HttpResult(was_sent=False, error=build_message("too_late_to_send"))
    account = runtime.settings.accounts[delivery.account]
    destination = runtime.settings.destination(account)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if sending.bearer is not None:
        headers["Authorization"] = f"Bearer {sending.bearer}"
    if destination.idempotency_header and sending.request.idempotency_key:
        headers[destination.idempotency_header] = sending.request.idempotency_key
    with runtime.tracing.span("send", kind="client") as span:
        result = runtime.account_clients[account.id].client.request(
            "POST",
            destination.path,
            body=sending.request.body,
            headers=headers,
            query=destination.query_params(account),
            timeout_s=account.timeout_s,
        )
        error = render_cause(result.error) if result.error else None
        span.set_attributes(attempt=delivery.attempts + 1, status=result.status, error=error)
    return result


def invalidate_token(runtime: Runtime, delivery: Delivery, sending: Sending, may_refresh: bool) -> bool:
    """Drop a rejected token. Return whether an attempt with a new one is worth making."""
    tokens = runtime.account_clients[delivery.account].tokens
    if sending.bearer is not None:
        tokens.invalidate(sending.bearer)
    return may_refresh and tokens.can_refresh


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
    return RetryContext(
        account=account,
        supports_idempotency=supports_idempotency,
        now=now,
        retried_for_s=retried_for_s(runtime, delivery, attempt, now),
        do_others_pass=first_forbidden_at is not None
        and has_delivered_since(runtime.database, delivery.account, first_forbidden_at),
    )


def retried_for_s(runtime: Runtime, delivery: Delivery, attempt: AttemptRecord, now: datetime) -> float:
    """Return the seconds since the run's first attempt, without those in which its circuits were open or paused."""
    if delivery.run_started_at is None:
        return (now - attempt.started_at).total_seconds()
    open_s = total_seconds_open(runtime.database, circuits_of(delivery)) - delivery.circuit_open_s_at_start
    return (now - delivery.run_started_at).total_seconds() - open_s


def record(runtime: Runtime, delivery: Delivery, attempt: AttemptRecord, decision: Decision) -> None:
    """Record the outcome of an attempt that was sent. If its claim was lost, the outcome is noted."""
    attempt_result = AttemptResult(
        delivery=delivery,
        attempt=attempt,
        decision=decision,
        circuit_report=circuit_report(runtime, delivery, attempt.outcome, circuit=delivery.account),
    )
    is_recorded = retry_while_database_down(runtime, lambda: record_sent(runtime.database, attempt_result))
    log_attempt(runtime, delivery, attempt, decision if is_recorded else None)


def record_not_ready(runtime: Runtime, delivery: Delivery, not_ready: NotReady, started_at: datetime) -> Progress:
    """Record why nothing was sent. `STALE` if that no longer applies."""
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
        case Held(problem=problem):
            is_recorded = hold(database, delivery, problem)
            if is_recorded:
                log_finished(runtime, delivery, Reason.HELD)
        case Postponed(until=until):
            is_recorded = postpone(database, delivery, until)
        case PrerequisiteFailed():
            record_prerequisite_failed(runtime, delivery, not_ready, started_at)
            return Progress.DONE
    return Progress.DONE if is_recorded else Progress.STALE


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


def circuit_report(runtime: Runtime, delivery: Delivery, outcome: Outcome, *, circuit: str) -> CircuitReport:
    account: Account = runtime.settings.accounts[delivery.account]
    return CircuitReport(
        circuit=circuit,
        outcome=outcome,
        failure_threshold=account.breaker_failures,
        probe_after_s=account.breaker_open_s,
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
