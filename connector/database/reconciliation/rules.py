"""The rules that every event and every delivery must meet, so that each order is accounted for.

Pure functions over rows. Their messages contain ids, states and times, and nothing of what orders contain.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.core.messages import build_message
from connector.core.retry import MAX_RETRY_AFTER_S
from connector.database.circuits import CircuitState, circuit_state
from connector.database.events import CANCELLED, CANCELLED_BEFORE
from connector.database.models import REASONS_BY_STATE, Circuit, Delivery, Event, Reason, State
from mappings import DESTINATIONS
from mappings.destination import Outcome
from mappings.problems import Problem
from mappings.settings import Account

#: Reasons of deliveries that are brought to the newest version of their order when it arrives.
FOLLOWING_REASONS = (Reason.UNMAPPABLE, Reason.REFUSED, Reason.EXHAUSTED, Reason.HELD, Reason.FILTERED)
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
    resolved_at: datetime | None  # when a named person last resolved it, or it expired
    newest_event_id: int | None  # of its order, if it follows it
    is_cancelled: bool  # its order, after any override by a person
    event_matches_order: bool  # its event is about the same order, and contains it
    has_body: bool


def event_differences(event: Event, order: OrderHistory) -> Iterator[Problem]:
    if event.status == "ignored":
        yield from ignored_differences(event, order)
    elif event.status != "accepted":
        yield build_message("unknown_event_status", status=event.status)
    elif event.order_id is None:
        yield build_message("accepted_without_order")
    elif not order.accounts:
        yield build_message("accepted_without_delivery")
    elif not order.was_cancelled:  # a cancelled order gets no new ones
        for account in sorted(set(event.accounts) - set(order.accounts)):
            yield build_message("route_without_delivery", account=account)


def ignored_differences(event: Event, order: OrderHistory) -> Iterator[Problem]:
    if not event.reason:
        yield build_message("ignored_without_reason")
    elif event.order_id is None:
        return
    elif event.reason["code"] in (CANCELLED.code, CANCELLED_BEFORE.code):
        if not order.was_cancelled:
            yield build_message("ignored_as_cancelled")
    elif event.accounts and order.had_order:
        yield build_message("ignored_with_routes", accounts=", ".join(event.accounts))


def delivery_differences(delivery: Delivery, evidence: Evidence, context: RuleContext) -> Iterator[Problem]:
    if delivery.state not in list(State) or delivery.reason not in REASONS_BY_STATE[State(delivery.state)]:
        if delivery.reason is None:
            yield build_message("impossible_without_reason", delivery_state=delivery.state)
        else:
            states = {"delivery_state": delivery.state, "delivery_reason": delivery.reason}
            yield build_message("impossible_reason", **states)
        return
    if not evidence.event_matches_order:
        yield build_message("event_of_other_order", event=delivery.event_id)
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
        yield build_message("newer_event_not_applied", newest=evidence.newest_event_id, event=delivery.event_id)


def follows_newest_event(delivery: Delivery) -> bool:
    """True if its next attempt is made from the newest event, since no attempt may have been processed."""
    return delivery.locked_since is None and (delivery.state == State.WAITING or delivery.reason in FOLLOWING_REASONS)


def attempts_differences(delivery: Delivery, evidence: Evidence) -> Iterator[Problem]:
    expected = set(range(1, delivery.attempts + 1))
    numbers = {attempt.number for attempt in evidence.attempts}
    if missing := expected - numbers:
        yield build_message("attempts_missing", count=delivery.attempts, numbers=format_numbers(missing))
    if unexpected := numbers - expected:
        yield build_message("attempts_unexpected", count=delivery.attempts, numbers=format_numbers(unexpected))
    unfinished = {attempt.number for attempt in evidence.attempts if attempt.outcome == State.SENDING}
    under_way = {delivery.attempts} if delivery.state == State.SENDING else set()
    if under_way - unfinished:
        yield build_message("sending_with_outcome")
    if without_outcome := unfinished - under_way:
        yield build_message("attempts_without_outcome", numbers=format_numbers(without_outcome))


def format_numbers(numbers: Collection[int]) -> str:
    """Return the first few numbers: "1, 2, 3"."""
    return ", ".join(map(str, sorted(numbers)[:5]))


def format_time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def waiting_differences(delivery: Delivery, evidence: Evidence, context: RuleContext) -> Iterator[Problem]:
    if evidence.is_cancelled:
        yield build_message("waiting_but_cancelled")
    if has_excessive_lease(delivery, context):
        yield build_message("waiting_lease_too_long")
    if delivery.due_at is None:
        yield build_message("never_due")
        return
    max_s = max_delay_s(context.accounts.get(delivery.account))
    if delivery.due_at > context.from_now(max_s + CLOCK_SKEW_S):
        yield build_message("due_too_late", due_at=format_time(delivery.due_at), seconds=round(max_s))
    is_free = delivery.claim_expires_at is None or delivery.claim_expires_at <= context.now
    is_late = is_free and delivery.due_at < context.ago(context.late_s)
    if is_late and blocked_by(context.circuits.get(delivery.account), context) is None:
        yield build_message("due_but_unclaimed", due_at=format_time(delivery.due_at))


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


def sending_differences(delivery: Delivery, evidence: Evidence, context: RuleContext) -> Iterator[Problem]:
    if delivery.claimed_by is None or delivery.claim_expires_at is None:
        yield build_message("sending_unclaimed")
    elif delivery.claim_expires_at <= context.ago(RECOVERY_S):
        yield build_message("sending_lease_ended", ended_at=format_time(delivery.claim_expires_at))
    elif has_excessive_lease(delivery, context):
        yield build_message("sending_lease_too_long")
    elif delivery.updated_at <= context.ago(RECOVERY_S) and context.is_dead(delivery.claimed_by):
        yield build_message("sending_process_ended")
    destination = DESTINATIONS.get(delivery.destination)
    if not evidence.has_body:
        yield build_message("sending_without_body")
    if destination is not None and destination.supports_idempotency and not delivery.idempotency_key:
        yield build_message("sending_without_key")


def delivered_differences(delivery: Delivery, evidence: Evidence) -> Iterator[Problem]:
    last = evidence.attempts[-1] if evidence.attempts else None
    if evidence.resolved_at is not None and (last is None or evidence.resolved_at >= last.started_at):
        return  # a named person resolved it
    if last is None or last.outcome != Outcome.DELIVERED:
        yield build_message("delivered_by_nothing")
    elif not last.has_response and delivery.pruned_at is not None and delivery.pruned_at >= last.started_at:
        if not delivery.remote_id:
            yield build_message("delivered_without_id")
    elif evidence.reclassified is None or evidence.reclassified[0] is not Outcome.DELIVERED:
        yield build_message("delivered_without_success")
    elif evidence.reclassified[1] != delivery.remote_id:
        yield build_message("delivered_with_other_id")


def reason_differences(delivery: Delivery, evidence: Evidence) -> Iterator[Problem]:
    """Of a parked or discarded delivery: whether the row has what its reason implies."""
    awaits_correction = delivery.state == State.PARKED and delivery.reason not in (Reason.UNCERTAIN, Reason.HELD)
    if (awaits_correction or delivery.reason == Reason.FILTERED) and evidence.is_cancelled:
        yield build_message("held_but_cancelled", delivery_reason=delivery.reason)
    if delivery.reason in REASONS_AFTER_ATTEMPT and not delivery.attempts:
        yield build_message("reason_without_attempt", delivery_reason=delivery.reason)
    if delivery.reason == Reason.BY_HAND and evidence.resolved_at is None:
        yield build_message("discarded_by_nobody")
    if delivery.reason == Reason.EXPIRED and evidence.resolved_at is None:
        yield build_message("expired_without_note")
    is_explained = bool(delivery.problems) or delivery.pruned_at is not None
    if delivery.reason in (Reason.UNMAPPABLE, Reason.HELD, Reason.FILTERED) and not is_explained:
        yield build_message("reason_without_problem", delivery_reason=delivery.reason)
