"""Carries one claimed delivery: pack it, get a token, commit `sending`, send, decide.

Everything before the commit of `sending` may be repeated freely. Nothing after it may be repeated by itself unless
the destination knows the attempt by its key.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any

from connector.clients.customers import CustomerError
from connector.clients.storefront_api import NotFetchedError
from connector.core.exceptions import DatabaseUnavailableError
from connector.core.http_result import HttpResult
from connector.core.outcomes import classify
from connector.core.retry import delay_s, parse_retry_after
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
from connector.database.deliveries import discard, park_unmappable, postpone
from connector.database.models import Delivery, Reason, State
from connector.database.queries.deliveries import load_delivery
from connector.database.queries.events import load_event
from connector.delivery.prepare import DiscardedError, PreparedRequest, StoreCircuitOpenError, prepare
from connector.runtime import AccountClients, Runtime
from mappings.destination import Destination, Outcome
from mappings.schema import MappingError
from mappings.settings import Account

#: How often an order is read anew because a newer version came in between; more would be a storm.
MAX_RELOADS = 5


def deliver(runtime: Runtime, claimed: ClaimedDelivery, *, on_response: Callable[[], None] = lambda: None) -> None:
    """Bring a claimed delivery as far as it goes now: delivered, parked, discarded, or waiting for another try.

    Args:
        on_answer: called when all that is left to do is to record what came of it.
    """
    delivery, event = claimed.delivery, claimed.event
    may_refresh = True
    for _ in range(MAX_RELOADS):
        try:
            with runtime.tracing.span("map"):
                prepared = prepare(runtime, delivery, event)
        except MappingError as error:
            is_done = park_unmappable(runtime.database, delivery, error.problems)
            if is_done:
                log_finished(runtime, delivery, Reason.UNMAPPABLE, problems=len(error.problems))
        except DiscardedError as error:
            is_done = discard(runtime.database, delivery, error.reason, str(error))
            if is_done:
                log_finished(runtime, delivery, error.reason)
        except StoreCircuitOpenError as error:
            is_done = postpone(runtime.database, delivery, error.until)
        except NotFetchedError as error:
            record_failed_fetch(runtime, delivery, error.result)
            return
        except CustomerError as error:
            record_failed_customer_lookup(runtime, delivery, error.result)
            return
        else:
            outcome = run_attempt(runtime, delivery, prepared, may_refresh=may_refresh, on_response=on_response)
            may_refresh = may_refresh and outcome is not Outcome.TOKEN_EXPIRED
            is_done = outcome not in (None, Outcome.TOKEN_EXPIRED)
        if is_done:
            return
        # A newer version came in between, the claim was lost, or a fresh token is to be tried: look again.
        claimed_by, delivery = delivery.claimed_by, load_delivery(runtime.database, delivery.id)
        if delivery.state != State.WAITING or delivery.claimed_by != claimed_by:
            return
        event = load_event(runtime.database, delivery.event_id)


def run_attempt(
    runtime: Runtime,
    delivery: Delivery,
    prepared: PreparedRequest,
    *,
    may_refresh: bool,
    on_response: Callable[[], None],
) -> Outcome | None:
    """Try once, and record what came of it. None: the claim was lost before a socket opened, so none did."""
    account = runtime.settings.accounts[delivery.account]
    destination = runtime.settings.destination(account)
    clients = runtime.account_clients[account.id]
    started_at = runtime.clock()
    with runtime.tracing.span("token", kind="client"):
        bearer = clients.tokens.bearer()
    if isinstance(bearer, HttpResult):  # surely not processed: the order's own request was not begun
        outcome = Outcome.UNAUTHORIZED if is_credentials_error(bearer) else Outcome.NOT_PROCESSED
        record = to_attempt_record(delivery, outcome, started_at, bearer, prefix="no token: ")
        record_before_request(runtime, delivery, account, record, bearer, circuit=account.id)
        return outcome
    commit_started_at = monotonic()
    send_start = SendStart(
        delivery=delivery,
        body=prepared.body,
        idempotency_key=prepared.idempotency_key,
        warnings=prepared.warnings,
        circuits=circuits_of(delivery),
        lease_s=runtime.settings.environment.lease_s,
    )
    started_at = runtime.clock()
    if not retry_while_database_down(runtime, lambda: mark_sending(runtime.database, send_start)):
        return None
    commit_s = monotonic() - commit_started_at
    if commit_s > send_start.lease_s - account.timeout_s:  # the lease may have run out meanwhile
        result = HttpResult(was_sent=False, error="too late to send: the commit took too long")
    else:
        with runtime.tracing.span("send", kind="client") as span:
            result = send(clients, account, destination, prepared, bearer)
            span.set_attributes(attempt=delivery.attempts + 1, status=result.status, error=result.error)
    outcome, remote_id = classify(destination, result)
    if outcome is Outcome.TOKEN_EXPIRED:
        if bearer is not None:
            clients.tokens.invalidate(bearer)
        if not (may_refresh and clients.tokens.can_refresh):
            outcome = Outcome.UNAUTHORIZED
    record = to_attempt_record(delivery, outcome, started_at, result)
    decision = next_state(runtime, delivery, account, record, retry_after=result.retry_after, remote_id=remote_id)
    attempt_result = AttemptResult(
        delivery=delivery,
        attempt=record,
        decision=decision,
        circuit_report=circuit_report(account, account.id, record.outcome),
    )
    if not decision.keeps_claim:
        on_response()
    is_recorded = retry_while_database_down(runtime, lambda: record_sent(runtime.database, attempt_result))
    log_attempt(runtime, delivery, record, decision if is_recorded else None)
    return outcome


def record_failed_fetch(runtime: Runtime, delivery: Delivery, result: HttpResult) -> None:
    """Record an attempt that ended at the storefront's API: the order was not had, so nothing can have been sent."""
    account = runtime.settings.accounts[delivery.account]
    outcome = Outcome.UNAUTHORIZED if result.status in (401, 403) else Outcome.NOT_PROCESSED
    record = to_attempt_record(delivery, outcome, runtime.clock(), result, prefix="not fetched: ")
    # The store's circuit, not the account's: a shop that is away must not keep the account from others' orders.
    record_before_request(runtime, delivery, account, record, result, circuit=store_circuit(delivery.store))


def record_failed_customer_lookup(runtime: Runtime, delivery: Delivery, result: HttpResult) -> None:
    """Record an attempt that ended where the destination was asked for the customer: no order can have been sent."""
    account = runtime.settings.accounts[delivery.account]
    outcome = Outcome.UNAUTHORIZED if result.status in (401, 403) else Outcome.NOT_PROCESSED
    record = to_attempt_record(delivery, outcome, runtime.clock(), result, prefix="no customer: ")
    record_before_request(runtime, delivery, account, record, result, circuit=account.id)


def record_before_request(
    runtime: Runtime, delivery: Delivery, account: Account, record: AttemptRecord, result: HttpResult, *, circuit: str
) -> None:
    """Record an attempt that ended before the order's own request was begun."""
    decision = next_state(runtime, delivery, account, record, retry_after=result.retry_after, was_requested=False)
    attempt_result = AttemptResult(
        delivery=delivery,
        attempt=record,
        decision=decision,
        circuit_report=circuit_report(account, circuit, record.outcome),
    )
    is_recorded = record_unsent(
        runtime.database, attempt_result, circuit_open_s=total_seconds_open(runtime.database, circuits_of(delivery))
    )
    log_attempt(runtime, delivery, record, decision if is_recorded else None)


def circuit_report(account: Account, circuit: str, outcome: Outcome) -> CircuitReport:
    return CircuitReport(
        circuit=circuit,
        outcome=outcome,
        failure_threshold=account.breaker_failures,
        probe_after_s=account.breaker_open_s,
    )


def circuits_of(delivery: Delivery) -> tuple[str, str]:
    """What may keep a delivery from being tried, through no fault of its own."""
    return delivery.account, store_circuit(delivery.store)


def log_attempt(runtime: Runtime, delivery: Delivery, record: AttemptRecord, decision: Decision | None) -> None:
    """One line per attempt. No decision: the claim was lost, so none of ours counts."""
    runtime.log.info(
        "attempt",
        event_id=delivery.event_id,
        delivery_id=delivery.id,
        account=delivery.account,
        attempt=record.number,
        outcome=str(record.outcome),
        status=record.status,
        error=record.error,
        state=str(decision.state) if decision else "claim lost",
        reason=str(decision.reason) if decision and decision.reason else None,
        duration_ms=record.duration_ms,
    )


def send(
    clients: AccountClients,
    account: Account,
    destination: Destination[Any],
    prepared: PreparedRequest,
    bearer: str | None,
) -> HttpResult:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    if destination.idempotency_header and prepared.idempotency_key:
        headers[destination.idempotency_header] = prepared.idempotency_key
    return clients.client.request(
        "POST",
        destination.path,
        body=prepared.body,
        headers=headers,
        query=destination.query_params(account),
        timeout_s=account.timeout_s,
    )


def is_credentials_error(result: HttpResult) -> bool:
    """True when the exchange says that the API key is not good: every order of the account would meet the same."""
    return result.status is not None and 400 <= result.status < 500 and result.status not in (408, 425, 429)


def to_attempt_record(
    delivery: Delivery, outcome: Outcome, started_at: datetime, result: HttpResult, *, prefix: str = ""
) -> AttemptRecord:
    """What is kept of an attempt. The reply goes to the database alone: it may repeat the customer's data."""
    error = None if outcome is Outcome.DELIVERED else prefix + (result.error or f"status {result.status}")
    return AttemptRecord(
        number=delivery.attempts + 1,
        outcome=outcome,
        started_at=started_at,
        duration_ms=result.duration_ms,
        status=result.status,
        error=error,
        reply=result.body,
    )


def next_state(
    runtime: Runtime,
    delivery: Delivery,
    account: Account,
    record: AttemptRecord,
    *,
    retry_after: str | None,
    remote_id: str | None = None,
    was_requested: bool = True,
) -> Decision:
    """Return where an attempt leaves its delivery.

    Args:
        was_asked: the order's own request was made. A refusal of credentials before it says nothing about the order.
    """
    now = runtime.clock()
    locked_since = delivery.locked_since
    uncertain = Decision(state=State.PARKED, reason=Reason.UNCERTAIN, locked_since=locked_since)
    if record.outcome is Outcome.DELIVERED:
        return Decision(state=State.DELIVERED, remote_id=remote_id)
    if record.outcome is Outcome.TOKEN_EXPIRED:
        return Decision(state=State.WAITING, due_at=now, locked_since=locked_since, keeps_claim=True)
    if record.outcome is Outcome.REFUSED:  # after an ambiguous attempt it says nothing about that one
        return uncertain if locked_since else Decision(state=State.PARKED, reason=Reason.REFUSED)
    if record.outcome is Outcome.CONFLICT:
        return uncertain
    if record.outcome is Outcome.AMBIGUOUS:
        if not runtime.settings.destination(account).supports_idempotency:
            return uncertain
        locked_since = locked_since or record.started_at
    is_forbidden = record.outcome is Outcome.UNAUTHORIZED and was_requested
    if is_forbidden and locked_since is None and is_only_order_forbidden(runtime, delivery):
        return Decision(state=State.PARKED, reason=Reason.REFUSED)
    if locked_since and (now - locked_since).total_seconds() >= account.ambiguous_for_s:
        return Decision(state=State.PARKED, reason=Reason.UNCERTAIN, locked_since=locked_since)
    if not locked_since and retried_for_s(runtime, delivery, record, now) >= account.retry_for_s:
        return Decision(state=State.PARKED, reason=Reason.EXHAUSTED)
    wait_s = delay_s(account, delivery.attempts_in_run + 1, parse_retry_after(retry_after, now))
    due_at = now + timedelta(seconds=wait_s)
    return Decision(state=State.WAITING, due_at=due_at, locked_since=locked_since, is_forbidden=is_forbidden)


def is_only_order_forbidden(runtime: Runtime, delivery: Delivery) -> bool:
    """True when this order alone is refused as forbidden, twice, while others of its account pass."""
    since = delivery.first_forbidden_at
    return since is not None and has_delivered_since(runtime.database, delivery.account, since)


def retried_for_s(runtime: Runtime, delivery: Delivery, record: AttemptRecord, now: datetime) -> float:
    """Seconds since the run's first attempt, less those in which its circuits were open or its account paused."""
    if delivery.run_started_at is None:
        return (now - record.started_at).total_seconds()
    open_s = total_seconds_open(runtime.database, circuits_of(delivery)) - delivery.circuit_open_s_at_start
    return (now - delivery.run_started_at).total_seconds() - open_s


def retry_while_database_down(runtime: Runtime, change: Callable[[], bool]) -> bool:
    """Make a change that leaves doubt where it is not made, though the database be away for a while."""
    deadline = monotonic() + runtime.settings.environment.lease_s / 2
    while True:
        try:
            return change()
        except DatabaseUnavailableError:
            if monotonic() > deadline:
                raise
            sleep(0.5)


def log_finished(runtime: Runtime, delivery: Delivery, reason: Reason, **fields: int) -> None:
    runtime.log.info(
        "left",
        event_id=delivery.event_id,
        delivery_id=delivery.id,
        account=delivery.account,
        reason=str(reason),
        **fields,
    )
