"""Delivers one claimed order: prepare, authorize, mark as sending, send, classify, decide, record.

Until `sending` is committed nothing has been sent,
and every step may be repeated. `send` takes a
`Sending`, which only that commit creates, and is
called once per `Sending`. Another attempt needs another commit: after an ambiguous one, only
`next_state` may ask for it, and only if the destination has an idempotency key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from time import monotonic

from connector.clients.tokens import TokenError
from connector.core.http_result import HttpResult
from connector.core.messages import build_message
from connector.core.outcomes import classify, is_api_key_rejected
from connector.database.attempts import SendStart, mark_sending
from connector.database.claims import ClaimedDelivery
from connector.database.corrections import load_corrections
from connector.database.generation import Generation
from connector.database.models import Delivery, Event, State
from connector.database.queries.deliveries import load_delivery
from connector.database.queries.events import load_event
from connector.delivery.decision import next_state
from connector.delivery.prepare import NotReady, PrerequisiteFailed, Ready, prepare
from connector.delivery.recording import (
    circuits_of,
    load_retry_context,
    record_attempt,
    record_not_ready,
    retry_while_database_down,
    to_attempt_record,
)
from connector.runtime import Runtime
from mappings.corrections import Correction
from mappings.destination import Outcome
from mappings.problems import render_cause

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
    delivery, event, corrections = claimed.delivery, claimed.event, claimed.corrections
    may_refresh_token = True
    for _ in range(MAX_RELOADS):
        progress = attempt_delivery(
            runtime, delivery, event, corrections, may_refresh_token=may_refresh_token, on_response=on_response
        )
        if progress is Progress.DONE:
            return
        may_refresh_token = may_refresh_token and progress is not Progress.TOKEN_EXPIRED
        claimed_by, delivery = delivery.claimed_by, load_delivery(runtime.database, delivery.id)
        if delivery.state != State.WAITING or delivery.claimed_by != claimed_by:
            return
        event = load_event(runtime.database, delivery.event_id)
        corrections = load_corrections(runtime.database, delivery.store, delivery.order_id)


def attempt_delivery(
    runtime: Runtime,
    delivery: Delivery,
    event: Event,
    corrections: Sequence[Correction],
    *,
    may_refresh_token: bool,
    on_response: Callable[[], None],
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
    prepare_started_at, generation = runtime.clock(), runtime.database.generation
    with runtime.tracing.span("map") as span:
        prepared = prepare(runtime, delivery, event, corrections)
        if not isinstance(prepared, Ready):
            span.mark_failed(type(prepared).__name__)
    if not isinstance(prepared, Ready):
        return end_unsent(runtime, delivery, prepared, prepare_started_at)
    authorized = authorize(runtime, delivery)
    if not isinstance(authorized, Authorized):
        return end_unsent(runtime, delivery, authorized, prepare_started_at)
    sending = start_sending(runtime, delivery, prepared, authorized, generation)
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
    record_attempt(runtime, delivery, attempt, decision)
    return Progress.TOKEN_EXPIRED if outcome is Outcome.TOKEN_EXPIRED else Progress.DONE


def end_unsent(runtime: Runtime, delivery: Delivery, not_ready: NotReady, started_at: datetime) -> Progress:
    is_recorded = record_not_ready(runtime, delivery, not_ready, started_at)
    return Progress.DONE if is_recorded else Progress.STALE


def authorize(runtime: Runtime, delivery: Delivery) -> Authorized | PrerequisiteFailed:
    try:
        with runtime.tracing.span("token", kind="client"):
            return Authorized(bearer=runtime.account_clients[delivery.account].tokens.bearer())
    except TokenError as error:
        outcome = Outcome.UNAUTHORIZED if is_api_key_rejected(error.result.status) else Outcome.NOT_PROCESSED
        return PrerequisiteFailed(code="no_token", circuit=delivery.account, outcome=outcome, result=error.result)


def start_sending(
    runtime: Runtime, delivery: Delivery, request: Ready, authorized: Authorized, generation: Generation | None
) -> Sending | None:
    """Commit that the next attempt is about to be sent. None if it must not be: nothing was changed.

    Raises `DatabaseRestoredError`.

    Args:
        generation: the database's, as it was when the request was prepared.
    """
    account = runtime.settings.accounts[delivery.account]
    lease_s = runtime.settings.environment.lease_s
    start = SendStart(
        delivery=delivery,
        body=request.body,
        idempotency_key=request.idempotency_key,
        warnings=request.warnings,
        circuits=circuits_of(delivery),
        lease_s=lease_s,
        generation=generation,
        credentials_version=runtime.settings.entered_credentials_version or 0,
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
