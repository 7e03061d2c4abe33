"""Says of one event or one delivery what is not as the promise to account for every order has it.

Pure: judges rows that were read, and trusts no other row's word where it can look itself. Its texts name ids, states
and times, never what stands in a body.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.core.retry import LONGEST_RETRY_AFTER_S
from connector.database.events import CANCELLED_FIRST
from connector.database.models import Circuit, Delivery, Event, Reason, State
from mappings import DESTINATIONS
from mappings.integration import Outcome
from mappings.settings import Account

REASONS: Mapping[str, Collection[str | None]] = {
    State.WAITING: (None,),
    State.SENDING: (None,),
    State.DELIVERED: (None,),
    State.PARKED: (Reason.UNMAPPABLE, Reason.REFUSED, Reason.UNCERTAIN, Reason.EXHAUSTED),
    State.DISCARDED: (Reason.CANCELLED, Reason.FILTERED, Reason.BY_HAND),
}
#: What is brought to the newest version of its order as soon as that comes.
FOLLOWING = (Reason.UNMAPPABLE, Reason.REFUSED, Reason.EXHAUSTED, Reason.FILTERED)
AFTER_AN_ATTEMPT = (Reason.REFUSED, Reason.UNCERTAIN, Reason.EXHAUSTED)
#: How long a forwarder may take to settle what a dead process left; it looks every two seconds.
SETTLE_S = 10.0
#: How far the clocks of machines may lie apart.
SKEW_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a row's times are judged by.

    Args:
        accounts: those that are configured, by id.
        circuits: by name.
        late_s: how long what is due may lie unclaimed while its account takes orders.
        is_dead: whether a claimant surely runs no more.
    """

    now: datetime
    accounts: Mapping[str, Account]
    circuits: Mapping[str, Circuit]
    lease_s: float
    late_s: float
    is_dead: Callable[[str], bool]

    def ago(self, seconds: float) -> datetime:
        return self.now - timedelta(seconds=seconds)

    def hence(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsOrder:
    """What is known of the order that an event speaks of."""

    accounts: Collection[str]  # that it has deliveries for
    was_cancelled: bool  # by this event or one before it
    was_carried: bool  # this event or one before it holds the order


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt, as it is on record."""

    number: int
    outcome: str
    started_at: datetime
    has_reply: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What other rows say of a delivery."""

    attempts: Sequence[Tried]  # by number
    judged: tuple[Outcome, str | None] | None  # the last attempt's reply, anew, where it is `delivered`
    resolved_at: datetime | None  # when a person, who is named, last settled it
    newest_event: int | None  # of its order, where it is one that follows
    is_cancelled: bool  # its order, after whatever a person overruled
    is_of_order: bool  # its event speaks of the same order, and holds it


def event_differences(event: Event, order: EventsOrder) -> Iterator[str]:
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


def ignored_differences(event: Event, order: EventsOrder) -> Iterator[str]:
    if not event.reason:
        yield "ignored without a reason"
    elif event.order_id is None:
        return
    elif event.reason in (Reason.CANCELLED, CANCELLED_FIRST):
        if not order.was_cancelled:
            yield "ignored as cancelled, and no event cancels its order"
    elif event.accounts and order.was_carried:
        yield f"ignored, and its routes named {', '.join(event.accounts)}"


def delivery_differences(delivery: Delivery, evidence: Evidence, rules: Rules) -> Iterator[str]:
    if delivery.reason not in REASONS.get(delivery.state, ()):
        yield f"{delivery.state} because {delivery.reason or 'of nothing'}: there is no such state"
        return
    if not evidence.is_of_order:
        yield f"its event {delivery.event_id} does not hold its order"
    yield from attempts_differences(delivery, evidence)
    match delivery.state:
        case State.WAITING:
            yield from waiting_differences(delivery, evidence, rules)
        case State.SENDING:
            yield from sending_differences(delivery, rules)
        case State.DELIVERED:
            yield from delivered_differences(delivery, evidence)
        case _:
            yield from reason_differences(delivery, evidence)
    if evidence.newest_event not in (None, delivery.event_id) and follows(delivery):
        yield f"its order's newest event is {evidence.newest_event}, and event {delivery.event_id} was applied"


def follows(delivery: Delivery) -> bool:
    """True of what is to be made from the newest event: nothing of it may have been processed."""
    return delivery.frozen_since is None and (delivery.state == State.WAITING or delivery.reason in FOLLOWING)


def attempts_differences(delivery: Delivery, evidence: Evidence) -> Iterator[str]:
    numbers = [tried.number for tried in evidence.attempts]
    if numbers != list(range(1, delivery.attempts + 1)):
        missing = sorted(set(range(1, delivery.attempts + 1)) - set(numbers))
        more = sorted(set(numbers) - set(range(1, delivery.attempts + 1)))
        said = [f"{name} {', '.join(map(str, some[:5]))}" for name, some in (("lacks", missing), ("has", more)) if some]
        yield f"it counts {delivery.attempts} attempts, and {' and '.join(said)}"
    under_way = [delivery.attempts] if delivery.state == State.SENDING else []
    told = [tried.number for tried in evidence.attempts if tried.outcome == State.SENDING]
    if told != under_way:
        yield f"{delivery.state}, and of attempts {told} it is not told what came of them"


def waiting_differences(delivery: Delivery, evidence: Evidence, rules: Rules) -> Iterator[str]:
    if evidence.is_cancelled:
        yield "waiting, and its order was cancelled"
    if has_long_lease(delivery, rules):
        yield "waiting, on a lease that is longer than LEASE_S"
    if delivery.due_at is None:
        yield "waiting, and never due"
        return
    longest_s = longest_delay_s(rules.accounts.get(delivery.account))
    if delivery.due_at > rules.hence(longest_s + SKEW_S):
        yield f"waiting until {delivery.due_at:%Y-%m-%dT%H:%M:%SZ}: no delay is longer than {longest_s:.0f} s"
    is_free = delivery.claim_expires_at is None or delivery.claim_expires_at <= rules.now
    is_late = is_free and delivery.due_at < rules.ago(rules.late_s)
    if is_late and held_by(rules.circuits.get(delivery.account), rules) is None:
        yield f"waiting, due since {delivery.due_at:%Y-%m-%dT%H:%M:%SZ}, and no forwarder took it"


def longest_delay_s(account: Account | None) -> float:
    """How far off the next attempt may be; a Retry-After is honoured that long."""
    own = (account.retry_max_s, account.breaker_open_s) if account else ()
    return max(LONGEST_RETRY_AFTER_S, *own) if own else LONGEST_RETRY_AFTER_S


def held_by(circuit: Circuit | None, rules: Rules) -> str | None:
    """What keeps an account from orders; None where nothing does, or a probe is due that nobody makes."""
    if circuit is None:
        return None
    if circuit.paused_at is not None:
        return "paused"
    is_probed = circuit.probe_at is not None and circuit.probe_at > rules.ago(rules.late_s)
    return "circuit open" if circuit.opened_at is not None and is_probed else None


def has_long_lease(delivery: Delivery, rules: Rules) -> bool:
    ends = delivery.claim_expires_at
    return ends is not None and ends > rules.hence(rules.lease_s + SKEW_S)


def sending_differences(delivery: Delivery, rules: Rules) -> Iterator[str]:
    if delivery.claim is None or delivery.claim_expires_at is None:
        yield "sending, and nobody claims it"
    elif delivery.claim_expires_at <= rules.ago(SETTLE_S):
        yield f"sending, and its lease ended at {delivery.claim_expires_at:%Y-%m-%dT%H:%M:%SZ}"
    elif has_long_lease(delivery, rules):
        yield "sending, on a lease that is longer than LEASE_S"
    elif delivery.updated_at <= rules.ago(SETTLE_S) and rules.is_dead(delivery.claim):
        yield "sending, and the process that sent it runs no more"
    destination = DESTINATIONS.get(delivery.destination)
    if not delivery.body:
        yield "sending, and its body is not kept"
    if destination is not None and destination.has_key and not delivery.key:
        yield "sending, and its key is not kept"


def delivered_differences(delivery: Delivery, evidence: Evidence) -> Iterator[str]:
    last = evidence.attempts[-1] if evidence.attempts else None
    if evidence.resolved_at is not None and (last is None or evidence.resolved_at >= last.started_at):
        return  # by the word of a person who is named
    if last is None or last.outcome != Outcome.DELIVERED:
        yield "delivered, by no attempt and by nobody's word"
    elif not last.has_reply and delivery.pruned_at is not None and delivery.pruned_at >= last.started_at:
        if not delivery.remote_id:
            yield "delivered, and the destination's id is not kept"
    elif evidence.judged is None or evidence.judged[0] is not Outcome.DELIVERED:
        yield "delivered, and the reply that is kept is no success"
    elif evidence.judged[1] != delivery.remote_id:
        yield "delivered, and the reply that is kept gives another id than remote_id"


def reason_differences(delivery: Delivery, evidence: Evidence) -> Iterator[str]:
    """Of what is parked or discarded: that it bears what its reason needs."""
    is_stopped = delivery.state == State.PARKED and delivery.reason != Reason.UNCERTAIN  # uncertain is a person's
    if (is_stopped or delivery.reason == Reason.FILTERED) and evidence.is_cancelled:
        yield f"{delivery.reason}, and its order was cancelled"
    if delivery.reason in AFTER_AN_ATTEMPT and not delivery.attempts:
        yield f"{delivery.reason} without an attempt"
    if delivery.reason == Reason.BY_HAND and evidence.resolved_at is None:
        yield "discarded by hand, and by nobody's word"
    is_explained = bool(delivery.problems) or delivery.pruned_at is not None
    if delivery.reason in (Reason.UNMAPPABLE, Reason.FILTERED) and not is_explained:
        yield f"{delivery.reason}, and no problem says why"


def newest_of(known: Sequence[Any]) -> Any | None:
    """Of an order's events that hold it, the newest: by the source's time, then paid, then by arrival."""
    whole = [event for event in known if event.carries_order]
    return max(whole, key=lambda event: (event.version, event.says_paid, event.id), default=None)
