"""Carries one claimed delivery: read the order, write the body, get a token, commit `sending`, send, decide.

Everything before the commit of `sending` may be repeated freely. Nothing after it may be repeated by itself unless
the destination knows the attempt by its key.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic, sleep

from connector.database.circuits import has_passed_since, note_health, open_seconds
from connector.database.deliveries import (
    Decision,
    Tried,
    discard_filtered,
    mark_sending,
    park_unmappable,
    record_sent,
    record_unsent,
)
from connector.database.lookups import load_delivery, load_event
from connector.database.orders import row_id
from connector.database.tables import Delivery, Event, Reason, State
from connector.errors import DatabaseUnavailableError
from connector.retry import Answer, delay_s, judge, retry_after_s
from connector.runtime import Outbound, Runtime
from connector.settings import Route
from mappings.order import Order
from mappings.schema import MappingError
from mappings.settings import Account
from mappings.spoke import Destination, Outcome

#: How often an order is read anew because a newer version came in between; more would be a storm.
MOST_READINGS = 5


class FilteredError(Exception):
    """No current route takes this order. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What an attempt sends."""

    body: bytes
    key: str | None
    warnings: list[str]


def deliver(runtime: Runtime, delivery: Delivery) -> None:
    """Bring a claimed delivery as far as it goes now: delivered, parked, discarded, or waiting for another try."""
    may_refresh = True
    for _ in range(MOST_READINGS):
        account = runtime.settings.accounts.get(delivery.account)
        if account is None:  # retired, with orders still on their way
            park_unmappable(runtime.database, delivery, ["Its account is no longer configured."], runtime.clock())
            return
        try:
            parcel = pack(runtime, delivery, account)
        except MappingError as error:
            if park_unmappable(runtime.database, delivery, error.problems, runtime.clock()):
                log_left(runtime, delivery, Reason.UNMAPPABLE, problems=len(error.problems))
                return
        except FilteredError as error:
            if discard_filtered(runtime.database, delivery, str(error), runtime.clock()):
                log_left(runtime, delivery, Reason.FILTERED)
                return
        else:
            outcome = attempt(runtime, delivery, account, parcel, may_refresh=may_refresh)
            if outcome is Outcome.TOKEN_EXPIRED:
                may_refresh = False
            elif outcome is not None:
                return
        # A newer version came in between, the claim was lost, or a fresh token is to be tried: look again.
        claim, delivery = delivery.claim, load_delivery(runtime.database, row_id(delivery))
        if delivery.state != State.WAITING or delivery.claim != claim:
            return


def pack(runtime: Runtime, delivery: Delivery, account: Account) -> Parcel:
    """Return what to send: the bytes of an attempt that was ambiguous, else the order as it stands now.

    Raises `MappingError`, `FilteredError`.
    """
    if delivery.frozen_since is not None and delivery.body is not None:
        return Parcel(body=delivery.body, key=delivery.key, warnings=delivery.warnings)
    event = load_event(runtime.database, delivery.event_id)
    try:
        store = runtime.settings.store_by_id(delivery.store)
    except KeyError:
        raise MappingError(["Its store is no longer configured."]) from None
    destination = runtime.settings.destination(account)
    try:
        order = runtime.settings.storefront(store).read(json.loads(event.body), store)
        if delivery.overruled is None:
            require_route(runtime.settings.routes_between(store.id, account.id), event, order)
        written = destination.write(order, account, store)
    except (MappingError, FilteredError):
        raise
    except Exception as error:  # ours to mend; the order waits for it, and other orders go on
        runtime.log.error("mapping_failed", delivery_id=delivery.id, error=type(error).__name__)
        raise MappingError(
            [f"The connector failed to map this order ({type(error).__name__}): a fault of ours."]
        ) from None
    return Parcel(body=written.bytes, key=idempotency_key(delivery, destination), warnings=written.warnings)


def require_route(routes: Sequence[Route], event: Event, order: Order) -> None:
    """Raises `FilteredError` unless some route between the order's store and account takes it as it is now."""
    refusals = [why for route in routes if (why := refusal(route, event, order))]
    if len(refusals) == len(routes):
        raise FilteredError("; ".join(dict.fromkeys(refusals)) or "no route leads to the account now")


def refusal(route: Route, event: Event, order: Order) -> str | None:
    """Why a route does not take an order; None when it does."""
    is_for_paid = all(topic == "paid" or topic.endswith("/paid") for topic in route.topics)
    if is_for_paid and order.is_paid is False and not route.wants(event.topics):
        return "its newest version is not paid"
    return route.only.passes(order)


def idempotency_key(delivery: Delivery, destination: Destination) -> str | None:
    """`order:<store id>:<order id>:r<revision>`: the same for every event and attempt of one revision of the order."""
    if not destination.has_key:
        return None
    order_id = delivery.order_id
    if not order_id.isascii() or not order_id.isprintable() or len(order_id) > 150:
        order_id = sha256(order_id.encode()).hexdigest()  # a header takes ASCII, and the key 255 characters
    return f"order:{delivery.store}:{order_id}:r{delivery.revision}"


def attempt(
    runtime: Runtime, delivery: Delivery, account: Account, parcel: Parcel, *, may_refresh: bool
) -> Outcome | None:
    """Try once, and record what came of it. None: the claim was lost before a socket opened, so none did."""
    destination = runtime.settings.destination(account)
    outbound = runtime.outbound[account.id]
    open_s = open_seconds(runtime.database, account.id, runtime.clock())
    started_at = runtime.clock()
    bearer = outbound.tokens.bearer()
    if isinstance(bearer, Answer):  # surely not processed: the order's own request was not begun
        outcome = Outcome.UNAUTHORIZED if is_credentials_fault(bearer) else Outcome.NOT_PROCESSED
        tried = tell(delivery, outcome, started_at, bearer, prefix="no token: ")
        decision = decide(runtime, delivery, account, tried, open_s=open_s, retry_after=bearer.retry_after)
        now = runtime.clock()
        is_settled = record_unsent(runtime.database, delivery, tried, decision, run_open_s=open_s, now=now)
    else:
        started_at = runtime.clock()
        is_marked = mark_sending(
            runtime.database,
            delivery,
            body=parcel.body,
            key=parcel.key,
            warnings=parcel.warnings,
            run_open_s=open_s,
            now=started_at,
            lease_s=runtime.settings.environment.lease_s,
        )
        if not is_marked:
            return None
        answer = send(outbound, account, destination, parcel, bearer)
        outcome, remote_id = judge(destination, answer)
        if outcome is Outcome.TOKEN_EXPIRED:
            if bearer is not None:
                outbound.tokens.forget(bearer)
            if not (may_refresh and outbound.tokens.can_refresh):
                outcome = Outcome.UNAUTHORIZED
        tried = tell(delivery, outcome, started_at, answer)
        decision = decide(
            runtime, delivery, account, tried, open_s=open_s, retry_after=answer.retry_after, remote_id=remote_id
        )
        is_settled = record_surely(runtime, delivery, tried, decision)
    note_health(
        runtime.database,
        account.id,
        outcome,
        failures=account.breaker_failures,
        open_s=account.breaker_open_s,
        now=runtime.clock(),
    )
    runtime.log.info(
        "attempt",
        event_id=delivery.event_id,
        delivery_id=delivery.id,
        account=account.id,
        attempt=tried.number,
        outcome=str(outcome),
        status=tried.status,
        error=tried.error,
        state=str(decision.state) if is_settled else "claim lost",
        reason=decision.reason and str(decision.reason),
        duration_ms=tried.duration_ms,
    )
    return outcome


def send(outbound: Outbound, account: Account, destination: Destination, parcel: Parcel, bearer: str | None) -> Answer:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    if destination.idempotency_header and parcel.key:
        headers[destination.idempotency_header] = parcel.key
    return outbound.sender.post(
        destination.path, body=parcel.body, headers=headers, query=dict(destination.query(account))
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
    open_s: float,
    retry_after: str | None,
    remote_id: str | None = None,
) -> Decision:
    """Return where an attempt leaves its delivery."""
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
    is_forbidden = tried.outcome is Outcome.UNAUTHORIZED
    if is_forbidden and frozen is None and is_alone_forbidden(runtime, delivery):
        return Decision(state=State.PARKED, reason=Reason.REFUSED)
    if frozen and (now - frozen).total_seconds() >= account.ambiguous_for_s:
        return Decision(state=State.PARKED, reason=Reason.UNCERTAIN, frozen_since=frozen)
    if not frozen and retried_for_s(delivery, tried, now, open_s) >= account.retry_for_s:
        return Decision(state=State.PARKED, reason=Reason.EXHAUSTED)
    wait_s = delay_s(account, delivery.run_tries + 1, retry_after_s(retry_after, now))
    due_at = now + timedelta(seconds=wait_s)
    return Decision(state=State.WAITING, due_at=due_at, frozen_since=frozen, is_forbidden=is_forbidden)


def is_alone_forbidden(runtime: Runtime, delivery: Delivery) -> bool:
    """True when this order alone is refused as forbidden, twice, while others of its account pass."""
    since = delivery.forbidden_since
    return since is not None and has_passed_since(runtime.database, delivery.account, since)


def retried_for_s(delivery: Delivery, tried: Tried, now: datetime, open_s: float) -> float:
    """Seconds since the run's first attempt, less those in which the account's circuit was open."""
    if delivery.run_started_at is None:
        return (now - tried.started_at).total_seconds()
    return (now - delivery.run_started_at).total_seconds() - (open_s - delivery.run_open_s)


def record_surely(runtime: Runtime, delivery: Delivery, tried: Tried, decision: Decision) -> bool:
    """Record an outcome that is known, though the database be away for a while: forgotten, it would be doubtful."""
    give_up_at = monotonic() + runtime.settings.environment.lease_s / 2
    while True:
        try:
            return record_sent(runtime.database, delivery, tried, decision, now=runtime.clock())
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
