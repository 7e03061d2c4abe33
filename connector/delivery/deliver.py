"""Carries one claimed delivery: pack it, get a token, commit `sending`, send, decide.

Everything before the commit of `sending` may be repeated freely. Nothing after it may be repeated by itself unless
the destination knows the attempt by its key.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic, sleep

from connector.clients.customers import CustomerError
from connector.clients.storefront_api import NotFetchedError
from connector.core.exceptions import DatabaseUnavailableError
from connector.core.retry import Answer, delay_s, judge, retry_after_s
from connector.database.circuits import Health, has_passed_since, open_seconds
from connector.database.claims import Claimed
from connector.database.deliveries import (
    Decision,
    Ended,
    Mark,
    Tried,
    discard,
    mark_sending,
    park_unmappable,
    postpone,
    record_sent,
    record_unsent,
)
from connector.database.models import Delivery, Reason, State
from connector.database.orders import row_id
from connector.database.queries.lookups import load_delivery, load_event
from connector.delivery.prepare import DiscardedError, Parcel, StoreShutError, pack, store_circuit
from connector.runtime import Outbound, Runtime
from mappings.integration import Destination, Outcome
from mappings.schema import MappingError
from mappings.settings import Account

#: How often an order is read anew because a newer version came in between; more would be a storm.
MOST_READINGS = 5


def deliver(runtime: Runtime, claimed: Claimed, *, on_answer: Callable[[], None] = lambda: None) -> None:
    """Bring a claimed delivery as far as it goes now: delivered, parked, discarded, or waiting for another try.

    Args:
        on_answer: called when all that is left to do is to record what came of it.
    """
    delivery, event = claimed.delivery, claimed.event
    may_refresh = True
    for _ in range(MOST_READINGS):
        try:
            with runtime.tracing.span("map"):
                parcel = pack(runtime, delivery, event)
        except MappingError as error:
            is_done = park_unmappable(runtime.database, delivery, error.problems)
            if is_done:
                log_left(runtime, delivery, Reason.UNMAPPABLE, problems=len(error.problems))
        except DiscardedError as error:
            is_done = discard(runtime.database, delivery, error.reason, str(error))
            if is_done:
                log_left(runtime, delivery, error.reason)
        except StoreShutError as error:
            is_done = postpone(runtime.database, delivery, error.until)
        except NotFetchedError as error:
            record_not_fetched(runtime, delivery, error.answer)
            return
        except CustomerError as error:
            record_no_customer(runtime, delivery, error.answer)
            return
        else:
            outcome = attempt(runtime, delivery, parcel, may_refresh=may_refresh, on_answer=on_answer)
            may_refresh = may_refresh and outcome is not Outcome.TOKEN_EXPIRED
            is_done = outcome not in (None, Outcome.TOKEN_EXPIRED)
        if is_done:
            return
        # A newer version came in between, the claim was lost, or a fresh token is to be tried: look again.
        claim, delivery = delivery.claim, load_delivery(runtime.database, row_id(delivery))
        if delivery.state != State.WAITING or delivery.claim != claim:
            return
        event = load_event(runtime.database, delivery.event_id)


def attempt(
    runtime: Runtime, delivery: Delivery, parcel: Parcel, *, may_refresh: bool, on_answer: Callable[[], None]
) -> Outcome | None:
    """Try once, and record what came of it. None: the claim was lost before a socket opened, so none did."""
    account = runtime.settings.accounts[delivery.account]
    destination = runtime.settings.destination(account)
    outbound = runtime.outbound[account.id]
    started_at = runtime.clock()
    with runtime.tracing.span("token", kind="client"):
        bearer = outbound.tokens.bearer()
    if isinstance(bearer, Answer):  # surely not processed: the order's own request was not begun
        outcome = Outcome.UNAUTHORIZED if is_credentials_fault(bearer) else Outcome.NOT_PROCESSED
        tried = tell(delivery, outcome, started_at, bearer, prefix="no token: ")
        record_unasked(runtime, delivery, account, tried, bearer, circuit=account.id)
        return outcome
    begun_at = monotonic()
    mark = Mark(
        delivery=delivery,
        body=parcel.body,
        key=parcel.key,
        warnings=parcel.warnings,
        circuits=circuits_of(delivery),
        lease_s=runtime.settings.environment.lease_s,
    )
    started_at = runtime.clock()
    if not surely(runtime, lambda: mark_sending(runtime.database, mark)):
        return None
    if monotonic() - begun_at > mark.lease_s - account.timeout_s:  # stopped meanwhile: what it held may be settled
        answer = Answer(was_sent=False, error="too late to send: the commit took too long")
    else:
        with runtime.tracing.span("send", kind="client") as span:
            answer = send(outbound, account, destination, parcel, bearer)
            span.tell(attempt=delivery.attempts + 1, status=answer.status, error=answer.error)
    outcome, remote_id = judge(destination, answer)
    if outcome is Outcome.TOKEN_EXPIRED:
        if bearer is not None:
            outbound.tokens.forget(bearer)
        if not (may_refresh and outbound.tokens.can_refresh):
            outcome = Outcome.UNAUTHORIZED
    tried = tell(delivery, outcome, started_at, answer)
    decision = decide(runtime, delivery, account, tried, retry_after=answer.retry_after, remote_id=remote_id)
    ended = Ended(
        delivery=delivery, tried=tried, decision=decision, health=health_of(account, account.id, tried.outcome)
    )
    if not decision.keeps_claim:
        on_answer()
    is_settled = surely(runtime, lambda: record_sent(runtime.database, ended))
    log_attempt(runtime, delivery, tried, decision if is_settled else None)
    return outcome


def record_not_fetched(runtime: Runtime, delivery: Delivery, answer: Answer) -> None:
    """Record an attempt that ended at the storefront's API: the order was not had, so nothing can have been sent."""
    account = runtime.settings.accounts[delivery.account]
    outcome = Outcome.UNAUTHORIZED if answer.status in (401, 403) else Outcome.NOT_PROCESSED
    tried = tell(delivery, outcome, runtime.clock(), answer, prefix="not fetched: ")
    # The store's circuit, not the account's: a shop that is away must not keep the account from others' orders.
    record_unasked(runtime, delivery, account, tried, answer, circuit=store_circuit(delivery.store))


def record_no_customer(runtime: Runtime, delivery: Delivery, answer: Answer) -> None:
    """Record an attempt that ended where the destination was asked for the customer: no order can have been sent."""
    account = runtime.settings.accounts[delivery.account]
    outcome = Outcome.UNAUTHORIZED if answer.status in (401, 403) else Outcome.NOT_PROCESSED
    tried = tell(delivery, outcome, runtime.clock(), answer, prefix="no customer: ")
    record_unasked(runtime, delivery, account, tried, answer, circuit=account.id)


def record_unasked(
    runtime: Runtime, delivery: Delivery, account: Account, tried: Tried, answer: Answer, *, circuit: str
) -> None:
    """Record an attempt that ended before the order's own request was begun."""
    decision = decide(runtime, delivery, account, tried, retry_after=answer.retry_after, was_asked=False)
    ended = Ended(delivery=delivery, tried=tried, decision=decision, health=health_of(account, circuit, tried.outcome))
    is_settled = record_unsent(
        runtime.database, ended, run_open_s=open_seconds(runtime.database, circuits_of(delivery))
    )
    log_attempt(runtime, delivery, tried, decision if is_settled else None)


def health_of(account: Account, circuit: str, outcome: Outcome) -> Health:
    return Health(circuit=circuit, outcome=outcome, failures=account.breaker_failures, open_s=account.breaker_open_s)


def circuits_of(delivery: Delivery) -> tuple[str, str]:
    """What may keep a delivery from being tried, through no fault of its own."""
    return delivery.account, store_circuit(delivery.store)


def log_attempt(runtime: Runtime, delivery: Delivery, tried: Tried, decision: Decision | None) -> None:
    """One line per attempt. No decision: the claim was lost, so none of ours counts."""
    runtime.log.info(
        "attempt",
        event_id=delivery.event_id,
        delivery_id=delivery.id,
        account=delivery.account,
        attempt=tried.number,
        outcome=str(tried.outcome),
        status=tried.status,
        error=tried.error,
        state=str(decision.state) if decision else "claim lost",
        reason=str(decision.reason) if decision and decision.reason else None,
        duration_ms=tried.duration_ms,
    )


def send(outbound: Outbound, account: Account, destination: Destination, parcel: Parcel, bearer: str | None) -> Answer:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    if destination.idempotency_header and parcel.key:
        headers[destination.idempotency_header] = parcel.key
    return outbound.client.request(
        "POST",
        destination.path,
        body=parcel.body,
        headers=headers,
        query=destination.query(account),
        timeout_s=account.timeout_s,
    )


def is_credentials_fault(answer: Answer) -> bool:
    """True when the exchange says that the API key is not good: every order of the account would meet the same."""
    return answer.status is not None and 400 <= answer.status < 500 and answer.status not in (408, 425, 429)


def tell(delivery: Delivery, outcome: Outcome, started_at: datetime, answer: Answer, *, prefix: str = "") -> Tried:
    """What is kept of an attempt. The reply goes to the database alone: it may repeat the customer's data."""
    error = None if outcome is Outcome.DELIVERED else prefix + (answer.error or f"status {answer.status}")
    return Tried(
        number=delivery.attempts + 1,
        outcome=outcome,
        started_at=started_at,
        duration_ms=answer.duration_ms,
        status=answer.status,
        error=error,
        reply=answer.body,
    )


def decide(
    runtime: Runtime,
    delivery: Delivery,
    account: Account,
    tried: Tried,
    *,
    retry_after: str | None,
    remote_id: str | None = None,
    was_asked: bool = True,
) -> Decision:
    """Return where an attempt leaves its delivery.

    Args:
        was_asked: the order's own request was made. A refusal of credentials before it says nothing about the order.
    """
    now = runtime.clock()
    frozen = delivery.frozen_since
    uncertain = Decision(state=State.PARKED, reason=Reason.UNCERTAIN, frozen_since=frozen)
    if tried.outcome is Outcome.DELIVERED:
        return Decision(state=State.DELIVERED, remote_id=remote_id)
    if tried.outcome is Outcome.TOKEN_EXPIRED:
        return Decision(state=State.WAITING, due_at=now, frozen_since=frozen, keeps_claim=True)
    if tried.outcome is Outcome.REFUSED:  # after an ambiguous attempt it says nothing about that one
        return uncertain if frozen else Decision(state=State.PARKED, reason=Reason.REFUSED)
    if tried.outcome is Outcome.CONFLICT:
        return uncertain
    if tried.outcome is Outcome.AMBIGUOUS:
        if not runtime.settings.destination(account).has_key:
            return uncertain
        frozen = frozen or tried.started_at
    is_forbidden = tried.outcome is Outcome.UNAUTHORIZED and was_asked
    if is_forbidden and frozen is None and is_alone_forbidden(runtime, delivery):
        return Decision(state=State.PARKED, reason=Reason.REFUSED)
    if frozen and (now - frozen).total_seconds() >= account.ambiguous_for_s:
        return Decision(state=State.PARKED, reason=Reason.UNCERTAIN, frozen_since=frozen)
    if not frozen and retried_for_s(runtime, delivery, tried, now) >= account.retry_for_s:
        return Decision(state=State.PARKED, reason=Reason.EXHAUSTED)
    wait_s = delay_s(account, delivery.run_tries + 1, retry_after_s(retry_after, now))
    due_at = now + timedelta(seconds=wait_s)
    return Decision(state=State.WAITING, due_at=due_at, frozen_since=frozen, is_forbidden=is_forbidden)


def is_alone_forbidden(runtime: Runtime, delivery: Delivery) -> bool:
    """True when this order alone is refused as forbidden, twice, while others of its account pass."""
    since = delivery.forbidden_since
    return since is not None and has_passed_since(runtime.database, delivery.account, since)


def retried_for_s(runtime: Runtime, delivery: Delivery, tried: Tried, now: datetime) -> float:
    """Seconds since the run's first attempt, less those in which its circuits were open or its account paused."""
    if delivery.run_started_at is None:
        return (now - tried.started_at).total_seconds()
    open_s = open_seconds(runtime.database, circuits_of(delivery)) - delivery.run_open_s
    return (now - delivery.run_started_at).total_seconds() - open_s


def surely(runtime: Runtime, change: Callable[[], bool]) -> bool:
    """Make a change that leaves doubt where it is not made, though the database be away for a while."""
    give_up_at = monotonic() + runtime.settings.environment.lease_s / 2
    while True:
        try:
            return change()
        except DatabaseUnavailableError:
            if monotonic() > give_up_at:
                raise
            sleep(0.5)


def log_left(runtime: Runtime, delivery: Delivery, reason: Reason, **more: int) -> None:
    runtime.log.info(
        "left",
        event_id=delivery.event_id,
        delivery_id=delivery.id,
        account=delivery.account,
        reason=str(reason),
        **more,
    )
