"""The rules that every event and every delivery must meet, so that each order is accounted for.

Pure functions over rows. Their texts contain ids, states and times, and nothing of what orders contain.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.core.retry import MAX_RETRY_AFTER_S
from connector.database.circuits import CircuitState, circuit_state
from connector.database.events import CANCELLED, CANCELLED_BEFORE
from connector.database.models import REASONS_BY_STATE, Circuit, Delivery, Event, Reason, State
from mappings import DESTINATIONS
from mappings.destination import Outcome
from mappings.settings import Account

#: Reasons of deliveries that are brought to the newest version of their order when it arrives.
FOLLOWING_REASONS = (Reason.UNMAPPABLE, Reason.REFUSED, Reason.EXHAUSTED, Reason.FILTERED)
REASONS_AFTER_ATTEMPT = (Reason.REFUSED, Reason.UNCERTAIN, Reason.EXHAUSTED)
#: How long a worker may take to recover what a dead process left. It checks every two seconds.
RECOVERY_S = 10.0
#: How far the clocks of machines may differ.
CLOCK_SKEW_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleContext:
    """What a row's times are compared with.

    Args:
        accounts: the configured accounts, by id.
        circuits: by name.
        late_s: how long a due delivery may be unclaimed while its account takes orders.
        is_dead: whether the worker of an id certainly no longer runs.
    """

    now: datetime
    accounts: Mapping[str, Account]
    circuits: Mapping[str, Circuit]
    lease_s: float
    late_s: float
    is_dead: Callable[[str], bool]

    def ago(self, seconds: float) -> datetime:
        return self.now - timedelta(seconds=seconds)

    def from_now(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderHistory:
    """What is known of an event's order."""

    accounts: Collection[str]  # for which it has deliveries
    was_cancelled: bool  # by this event or an earlier one
    had_order: bool  # this event or an earlier one contains the order


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAttempt:
    """An attempt, as stored."""

    number: int
    outcome: str
    started_at: datetime
    has_response: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What other rows show about a delivery."""

    attempts: Sequence[RecordedAttempt]  # by number
    reclassified: tuple[Outcome, str | None] | None  # of the last attempt's response, if it is `delivered`
    resolved_at: datetime | None  # when a named person last resolved it
    newest_event_id: int | None  # of its order, if it follows it
    is_cancelled: bool  # its order, after any override by a person
    event_matches_order: bool  # its event is about the same order, and contains it
    has_body: bool


def event_differences(event: Event, order: OrderHistory) -> Iterator[str]:
    if event.status == "ignored":
        yield from ignored_differences(event, order)
    elif event.status != "accepted":
        yield f"its status is {event.status!r}"
    elif event.order_id is None:
        yield "accepted, and it speaks of no order"
    elif not order.accounts:
        yield "accepted, and its order has no delivery"
    elif not order.was_cancelled:  # a cancelled order gets no new ones
        for account in sorted(set(event.accounts) - set(order.accounts)):
            yield f"its routes named account {account}, and its order has no delivery there"


def ignored_differences(event: Event, order: OrderHistory) -> Iterator[str]:
    if not event.reason:
        yield "ignored without a reason"
    elif event.order_id is None:
        return
    elif event.reason["code"] in (CANCELLED.code, CANCELLED_BEFORE.code):
        if not order.was_cancelled:
            yield "ignored as cancelled, and no event cancels its order"
    elif event.accounts and order.had_order:
        yield f"ignored, and its routes named {', '.join(event.accounts)}"


def delivery_differences(delivery: Delivery, evidence: Evidence, context: RuleContext) -> Iterator[str]:
    if delivery.state not in list(State) or delivery.reason not in REASONS_BY_STATE[State(delivery.state)]:
        yield f"{delivery.state} because {delivery.reason or 'of nothing'}: there is no such state"
        return
    if not evidence.event_matches_order:
        yield f"its event {delivery.event_id} does not hold its order"
    yield from attempts_differences(delivery, evidence)
    match delivery.state:
        case State.WAITING:
            yield from waiting_differences(delivery, evidence, context)
        case State.SENDING:
            yield from sending_differences(delivery, evidence, context)
        case State.DELIVERED:
            yield from delivered_differences(delivery, evidence)
        case _:
            yield from reason_differences(delivery, evidence)
    if evidence.newest_event_id not in (None, delivery.event_id) and follows_newest_event(delivery):
        yield f"its order's newest event is {evidence.newest_event_id}, and event {delivery.event_id} was applied"


def follows_newest_event(delivery: Delivery) -> bool:
    """True if its next attempt is made from the newest event, since no attempt may have been processed."""
    return delivery.locked_since is None and (delivery.state == State.WAITING or delivery.reason in FOLLOWING_REASONS)


def attempts_differences(delivery: Delivery, evidence: Evidence) -> Iterator[str]:
    numbers = [attempt.number for attempt in evidence.attempts]
    if numbers != list(range(1, delivery.attempts + 1)):
        absent = sorted(set(range(1, delivery.attempts + 1)) - set(numbers))
        unexpected = sorted(set(numbers) - set(range(1, delivery.attempts + 1)))
        parts = [
            f"{name} {', '.join(map(str, subset[:5]))}"
            for name, subset in (("lacks", absent), ("has", unexpected))
            if subset
        ]
        yield f"it counts {delivery.attempts} attempts, and {' and '.join(parts)}"
    expected_unfinished = [delivery.attempts] if delivery.state == State.SENDING else []
    unfinished = [attempt.number for attempt in evidence.attempts if attempt.outcome == State.SENDING]
    if unfinished != expected_unfinished:
        yield f"{delivery.state}, and of attempts {unfinished} it is not told what came of them"


def waiting_differences(delivery: Delivery, evidence: Evidence, context: RuleContext) -> Iterator[str]:
    if evidence.is_cancelled:
        yield "waiting, and its order was cancelled"
    if has_excessive_lease(delivery, context):
        yield "waiting, on a lease that is longer than LEASE_S"
    if delivery.due_at is None:
        yield "waiting, and never due"
        return
    max_s = max_delay_s(context.accounts.get(delivery.account))
    if delivery.due_at > context.from_now(max_s + CLOCK_SKEW_S):
        yield f"waiting until {delivery.due_at:%Y-%m-%dT%H:%M:%SZ}: no delay is longer than {max_s:.0f} s"
    is_free = delivery.claim_expires_at is None or delivery.claim_expires_at <= context.now
    is_late = is_free and delivery.due_at < context.ago(context.late_s)
    if is_late and blocked_by(context.circuits.get(delivery.account), context) is None:
        yield f"waiting, due since {delivery.due_at:%Y-%m-%dT%H:%M:%SZ}, and no forwarder took it"


def max_delay_s(account: Account | None) -> float:
    """The longest possible delay of the next attempt, in seconds."""
    account_limits = (account.retry_max_s, account.breaker_open_s) if account else ()
    return max(MAX_RETRY_AFTER_S, *account_limits) if account_limits else MAX_RETRY_AFTER_S


def blocked_by(circuit: Circuit | None, context: RuleContext) -> CircuitState | None:
    """What keeps an account from orders. None if nothing does, or if a probe is overdue."""
    state = circuit_state(circuit)
    if circuit is None or state is CircuitState.FLOWING:
        return None
    is_probed = circuit.probe_at is not None and circuit.probe_at > context.ago(context.late_s)
    return state if state is CircuitState.PAUSED or is_probed else None


def has_excessive_lease(delivery: Delivery, context: RuleContext) -> bool:
    lease_end = delivery.claim_expires_at
    return lease_end is not None and lease_end > context.from_now(context.lease_s + CLOCK_SKEW_S)


def sending_differences(delivery: Delivery, evidence: Evidence, context: RuleContext) -> Iterator[str]:
    if delivery.claimed_by is None or delivery.claim_expires_at is None:
        yield "sending, and nobody claims it"
    elif delivery.claim_expires_at <= context.ago(RECOVERY_S):
        yield f"sending, and its lease ended at {delivery.claim_expires_at:%Y-%m-%dT%H:%M:%SZ}"
    elif has_excessive_lease(delivery, context):
        yield "sending, on a lease that is longer than LEASE_S"
    elif delivery.updated_at <= context.ago(RECOVERY_S) and context.is_dead(delivery.claimed_by):
        yield "sending, and the process that sent it runs no more"
    destination = DESTINATIONS.get(delivery.destination)
    if not evidence.has_body:
        yield "sending, and its body is not kept"
    if destination is not None and destination.supports_idempotency and not delivery.idempotency_key:
        yield "sending, and its key is not kept"


def delivered_differences(delivery: Delivery, evidence: Evidence) -> Iterator[str]:
    last = evidence.attempts[-1] if evidence.attempts else None
    if evidence.resolved_at is not None and (last is None or evidence.resolved_at >= last.started_at):
        return  # a named person resolved it
    if last is None or last.outcome != Outcome.DELIVERED:
        yield "delivered, by no attempt and by nobody's word"
    elif not last.has_response and delivery.pruned_at is not None and delivery.pruned_at >= last.started_at:
        if not delivery.remote_id:
            yield "delivered, and the destination's id is not kept"
    elif evidence.reclassified is None or evidence.reclassified[0] is not Outcome.DELIVERED:
        yield "delivered, and the reply that is kept is no success"
    elif evidence.reclassified[1] != delivery.remote_id:
        yield "delivered, and the reply that is kept gives another id than remote_id"


def reason_differences(delivery: Delivery, evidence: Evidence) -> Iterator[str]:
    """Of a parked or discarded delivery: whether the row has what its reason implies."""
    awaits_correction = delivery.state == State.PARKED and delivery.reason != Reason.UNCERTAIN
    if (awaits_correction or delivery.reason == Reason.FILTERED) and evidence.is_cancelled:
        yield f"{delivery.reason}, and its order was cancelled"
    if delivery.reason in REASONS_AFTER_ATTEMPT and not delivery.attempts:
        yield f"{delivery.reason} without an attempt"
    if delivery.reason == Reason.BY_HAND and evidence.resolved_at is None:
        yield "discarded by hand, and by nobody's word"
    is_explained = bool(delivery.problems) or delivery.pruned_at is not None
    if delivery.reason in (Reason.UNMAPPABLE, Reason.FILTERED) and not is_explained:
        yield f"{delivery.reason}, and no problem says why"
