"""Compares the shops' orders, webhook responses, reported deliveries and the orders at the destinations."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from connector.sandbox.state import AcceptedOrder, SeenRequest
from tests.chaos.causes import Causes
from tests.chaos.reported import ReportedAttempt, ReportedDelivery, ReportedEvent
from tests.chaos.shops import MARK, PlannedOrder
from tests.chaos.storefront import PostedEvent

#: Account, store and order id.
DeliveryKey = tuple[str, str, str]
#: Reasons that nothing in a run gives: its orders can be mapped, pass every route, and are retried for 48 hours.
NEVER_DUE = {"unmappable", "exhausted", "filtered", "by hand"}


#: The outcome that the sandbox records for an order it refuses for good.
REFUSAL = "status 422"


@dataclass(slots=True, kw_only=True)
class Verdict:
    counts: Counter[str] = field(default_factory=Counter)
    states: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # by destination, state and reason
    causes: Counter[str] = field(default_factory=Counter)  # of what is uncertain
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # by kind, each in a sentence


#: All kinds of fault, so that a table shows those that did not happen.
KINDS = (
    "lost",
    "late",
    "doubled",
    "unsettled",
    "wrongly told",
    "uncertain without a cause",
    "cancellation missed",
    "sent after cancelled",
    "sent in an old version",
    "wrongly answered",
    "never accepted",
)


def orders_at_destinations(orders: Iterable[AcceptedOrder]) -> dict[tuple[str, int], list[AcceptedOrder]]:
    """Return what the destinations have, by destination and the order's number."""
    orders_by_id: dict[tuple[str, int], list[AcceptedOrder]] = defaultdict(list)
    for order in orders:
        if mark := MARK.search(repr(order.body)):
            orders_by_id[order.destination, int(mark[1])].append(order)
    return orders_by_id


def judge(
    *,
    events: Sequence[PostedEvent],
    recorded: Sequence[ReportedEvent],
    deliveries: Sequence[ReportedDelivery],
    recorded_in_time: Set[DeliveryKey],
    accepted: Iterable[AcceptedOrder],
    causes: Causes,
    attempts: Callable[[ReportedDelivery], list[ReportedAttempt]],
    restored_at: float | None = None,
) -> Verdict:
    """Compare all of them.

    Args:
        recorded: the events that the connector has.
        recorded_in_time: which deliveries there were when all orders had to be known.
        attempts: loads those of a delivery.
        restored_at: when the database was restored from a backup. What was sent before may be held, or may be unknown
            if the shop cancelled it since.
    """
    verdict = Verdict()
    events_of: dict[int, list[PostedEvent]] = defaultdict(list)
    for event in events:
        events_of[event.order.number].append(event)
    numbers = {(event.order.shop.store, event.order.order_id): event.order for event in events}
    deliveries_by_order = {(reported.account, reported.store, reported.order_id): reported for reported in deliveries}
    have = orders_at_destinations(accepted)
    event_ids = {event.id for event in recorded}
    cancellations = {(event.store, event.order_id) for event in recorded if "cancelled" in event.topics}

    verdict.counts["orders"] = len(events_of)
    verdict.counts["changes of orders"] = len(events)
    count_webhooks(verdict, events)
    count_posts(verdict, events)
    verdict.counts["events taken in by catch-up"] = sum(event.source == "catch-up" for event in recorded)
    verdict.counts["deliveries"] = len(deliveries)
    verdict.counts["at destinations"] = sum(len(copies) for copies in have.values())

    for reported in events_of.values():
        judge_responses(verdict, reported)
        judge_records(verdict, reported, event_ids)
        judge_loss(verdict, reported, deliveries_by_order, recorded_in_time)
        judge_cancellation(verdict, reported, deliveries_by_order, cancellations)
    for (destination, number), copies in have.items():
        if len(copies) > 1:
            ids = ", ".join(str(copy.remote_id) for copy in copies)
            verdict.faults["doubled"].append(f"order {number} is at {destination} {len(copies)} times: {ids}")
        order = events_of[number][0].order
        accounts = [account for account, name in order.shop.destinations.items() if name == destination]
        is_known = any((account, order.shop.store, order.order_id) in deliveries_by_order for account in accounts)
        if not is_known and restored_at is not None and cancelled_at(events_of[number]) is not None:
            verdict.counts["sent before the restore, and cancelled"] += 1
        elif not is_known:
            verdict.faults["wrongly told"].append(f"order {number} is at {destination}, and no delivery says so")
    for delivery in deliveries:
        verdict.states[delivery.destination, delivery.state, delivery.reason or ""] += 1
        order = numbers[delivery.store, delivery.order_id]
        copies = have.get((delivery.destination, order.number), [])
        was_cancelled = cancelled_at(events_of[order.number]) is not None
        was_sent_before = [copy for copy in copies if restored_at and copy.received_at.timestamp() <= restored_at]
        if restored_at is not None and (delivery.reason == "held" or (was_cancelled and was_sent_before)):
            verdict.counts[f"{delivery.reason or delivery.state} since the restore"] += 1
            verdict.counts[f"{delivery.reason or delivery.state} since the restore, and there"] += bool(copies)
            continue
        judge_state(verdict, delivery, order, copies)
        was_refused = causes.was_refused(delivery.destination, order.number)
        judge_reason(verdict, delivery, order, was_cancelled=was_cancelled, was_refused=was_refused)
        is_uncertain = delivery.reason == "uncertain"
        mattered = [event for event in events_of[order.number] if event.planned.version > 1]
        if is_uncertain or (mattered and copies):
            tried = attempts(delivery)
            if is_uncertain and restored_at is not None and was_cancelled and not tried:
                verdict.counts["cancelled while held since the restore"] += 1
            elif is_uncertain:
                judge_uncertain(verdict, delivery, order, tried, causes)
            if copies and not was_sent_before:
                judge_version(verdict, delivery, events_of[order.number], tried, copies[0])
    return verdict


def judge_by_destination(
    events: Sequence[PostedEvent], accepted: Iterable[AcceptedOrder], requests: Iterable[SeenRequest]
) -> Verdict:
    """Check a peer, which reports no deliveries: each accepted order is there once unless it was refused."""
    verdict = Verdict()
    have = orders_at_destinations(accepted)
    refused = {mark[1] for request in requests if request.why == REFUSAL and (mark := MARK.search(request.body or ""))}
    paid = [event for event in events if event.planned.word == "paid"]
    verdict.counts["orders"] = len(paid)
    count_posts(verdict, paid)
    verdict.counts["accepted"] = sum(event.accepted_at is not None for event in paid)
    verdict.counts["at destinations"] = sum(len(copies) for copies in have.values())
    for event in paid:
        number = event.order.number
        if event.accepted_at is None:
            verdict.faults["never accepted"].append(
                f"order {number}: {[response.status for response in event.answers]}"
            )
            continue
        for destination in event.order.shop.destinations.values():
            copies = have.get((destination, number), [])
            if str(number) in refused:
                verdict.counts["refused"] += 1
            elif not copies:
                verdict.faults["lost"].append(f"order {number} was accepted, and is not at {destination}")
            if len(copies) > 1:
                verdict.faults["doubled"].append(f"order {number} is at {destination} {len(copies)} times")
    return verdict


def cancelled_at(events: Sequence[PostedEvent]) -> float | None:
    """Return when the shop cancelled the order; None if it did not."""
    return min(
        (e.changed_at for e in events if e.planned.word == "cancelled" and e.changed_at is not None), default=None
    )


def count_webhooks(verdict: Verdict, events: Iterable[PostedEvent]) -> None:
    """Count what became of each webhook."""
    for event in events:
        if not event.planned.due_s:
            verdict.counts["webhooks lost on the way"] += 1
        elif not event.answers:
            verdict.counts["webhooks not sent: the store's were dead"] += 1
        elif event.accepted_at is None:
            verdict.counts["webhooks not accepted, and not repeated"] += not event.is_repeated
        else:
            verdict.counts["webhooks accepted"] += 1


def count_posts(verdict: Verdict, events: Iterable[PostedEvent]) -> None:
    for event in events:
        for response in event.answers:
            verdict.counts[f"posts answered {response.status or 'by nothing'}"] += 1


def judge_responses(verdict: Verdict, events: Sequence[PostedEvent]) -> None:
    """Check webhook responses: what is repeated gets 200 eventually, and no wanted order is ignored."""
    cancelled_from = cancelled_at(events)
    for event in events:
        name = f"order {event.order.number}, {event.planned.word} v{event.planned.version}"
        if event.accepted_at is None and event.is_repeated:
            verdict.faults["never accepted"].append(f"{name}: {[response.status for response in event.answers]}")
        event_ids_of_responses = {response.event_id for response in event.answers if response.status == 200}
        if len(event_ids_of_responses) > 1:
            verdict.faults["wrongly answered"].append(
                f"{name} is on record as {sorted(map(str, event_ids_of_responses))}"
            )
        is_thin = event.order.shop.platform.is_thin  # then all events of a word have the same bytes
        twins = [candidate for candidate in events if is_thin and candidate.planned.word == event.planned.word] or [
            event
        ]
        same = [response for twin in twins for response in twin.answers]
        for response in event.answers:
            if response.status not in (None, 200, 503):
                verdict.faults["wrongly answered"].append(f"{name} was answered {response.status}")
            was_cancelled = cancelled_from is not None and cancelled_from <= response.answered_at
            if response.status_text == "ignored" and event.order.is_wanted(event.planned) and not was_cancelled:
                verdict.faults["wrongly answered"].append(f"{name} is wanted, and was answered ignored")
            other_responses = [
                candidate
                for candidate in same
                if candidate is not response and candidate.posted_at <= response.answered_at
            ]
            if response.status_text == "duplicate" and not other_responses:
                verdict.faults["wrongly answered"].append(f"{name} was answered duplicate, and had never been posted")


def judge_records(verdict: Verdict, events: Sequence[PostedEvent], event_ids: Set[str]) -> None:
    """Check that accepted events are on record."""
    for event in events:
        for response in event.answers:
            if response.status == 200 and response.event_id not in event_ids:
                number, word = event.order.number, event.planned.word
                verdict.faults["lost"].append(f"order {number}, {word}: event {response.event_id} is not on record")


def judge_loss(
    verdict: Verdict,
    events: Sequence[PostedEvent],
    deliveries_by_order: Mapping[DeliveryKey, ReportedDelivery],
    recorded_in_time: Set[DeliveryKey],
) -> None:
    """Check that each paid order of the shop has a delivery per account, whether a webhook came or not.

    So has an order that the shop cancelled after a webhook said that it was paid.
    """
    order = events[0].order
    wanted_times = [e.accepted_at for e in events if e.order.is_wanted(e.planned) and e.accepted_at is not None]
    cancelled_from = cancelled_at(events)
    if cancelled_from is not None:
        if not wanted_times or cancelled_from <= min(wanted_times):
            return
        verdict.counts["orders cancelled after a webhook said that they were paid"] += 1
    elif any(event.changed_at is not None and order.is_paid(event.planned) for event in events):
        verdict.counts["paid orders of the shops"] += 1
        verdict.counts["of these, without an accepted webhook that said so"] += not wanted_times
    else:
        return
    for account in order.shop.destinations:
        key = (account, order.shop.store, order.order_id)
        if key not in deliveries_by_order:
            verdict.faults["lost"].append(f"order {order.number} was paid, and has no delivery to {account}")
        elif key not in recorded_in_time:
            verdict.faults["late"].append(f"order {order.number} was paid, and had no delivery to {account} in time")


def judge_cancellation(
    verdict: Verdict,
    events: Sequence[PostedEvent],
    deliveries_by_order: Mapping[DeliveryKey, ReportedDelivery],
    cancellations: Set[tuple[str, str | None]],
) -> None:
    """Check that a cancellation is on record if the order has a delivery, whether its webhook came or not."""
    order = events[0].order
    if cancelled_at(events) is None or (order.shop.store, order.order_id) in cancellations:
        return
    for account in order.shop.destinations:
        if (account, order.shop.store, order.order_id) in deliveries_by_order:
            verdict.faults["cancellation missed"].append(
                f"order {order.number} was cancelled, has a delivery to {account}, and no event says so"
            )


def judge_state(
    verdict: Verdict, delivery: ReportedDelivery, order: PlannedOrder, copies: Sequence[AcceptedOrder]
) -> None:
    name = f"order {order.number}, delivery {delivery.id} to {delivery.account}"
    state = f"{delivery.state} {delivery.reason or ''}".strip()
    if delivery.state in ("waiting", "sending"):
        verdict.faults["unsettled"].append(f"{name} is {state}")
    elif delivery.state == "delivered" and delivery.remote_id not in [str(copy.remote_id) for copy in copies]:
        there = [copy.remote_id for copy in copies] or "nothing"
        verdict.faults["wrongly told"].append(f"{name} is delivered as {delivery.remote_id}, and there is {there}")
    elif delivery.state in ("parked", "discarded") and delivery.reason != "uncertain" and copies:
        verdict.faults["wrongly told"].append(f"{name} is {state}, and it is there")
    if delivery.reason == "uncertain":
        verdict.counts["uncertain"] += 1
        verdict.counts["uncertain, and there"] += bool(copies)


def judge_reason(
    verdict: Verdict, delivery: ReportedDelivery, order: PlannedOrder, *, was_cancelled: bool, was_refused: bool
) -> None:
    is_groundless = {"cancelled": not was_cancelled, "refused": not was_refused}
    if delivery.reason in NEVER_DUE or is_groundless.get(delivery.reason or "", False):
        name = f"order {order.number}, delivery {delivery.id} to {delivery.account}"
        verdict.faults["wrongly told"].append(
            f"{name} is {delivery.state} {delivery.reason}, for which there was no cause"
        )


def judge_uncertain(
    verdict: Verdict, delivery: ReportedDelivery, order: PlannedOrder, tried: Sequence[ReportedAttempt], causes: Causes
) -> None:
    """Check that every ambiguous attempt has a known cause."""
    name = f"order {order.number}, delivery {delivery.id} to {delivery.account}"
    ambiguous = [attempt for attempt in tried if attempt.outcome == "ambiguous"]
    if not ambiguous:
        verdict.faults["uncertain without a cause"].append(f"{name}: {tried}")
    for attempt in ambiguous:
        cause = causes.find(delivery.destination, order.number, attempt)
        verdict.causes[cause or "none"] += 1
        if cause is None:
            verdict.faults["uncertain without a cause"].append(f"{name}: {attempt}")


def judge_version(
    verdict: Verdict,
    delivery: ReportedDelivery,
    events: Sequence[PostedEvent],
    tried: Sequence[ReportedAttempt],
    copy: AcceptedOrder,
) -> None:
    """Check that the order was sent before any cancellation or newer version was accepted.

    The attempt that counts is the first that may have arrived: its bytes are all that may be sent again.
    """
    arrived = [attempt.started_at for attempt in tried if attempt.outcome in ("ambiguous", "delivered", "sending")]
    mark = MARK.search(repr(copy.body))
    if not arrived or mark is None:
        return
    name = f"order {events[0].order.number}, delivery {delivery.id} to {delivery.account}"
    for event in events:
        if event.accepted_at is None or event.accepted_at >= min(arrived):
            continue
        late = f"sent {min(arrived) - event.accepted_at:.3f} s after {event.planned.word} v{event.planned.version}"
        if event.planned.word == "cancelled":
            verdict.faults["sent after cancelled"].append(f"{name}: {late} was accepted")
        elif event.planned.version > int(mark[2]):
            verdict.faults["sent in an old version"].append(f"{name}: v{mark[2]} {late} was accepted")
