"""Tests of the verdict: each kind of fault is detected."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.sandbox.state import AcceptedOrder, SeenRequest
from tests.chaos.acts import Incident
from tests.chaos.causes import Causes
from tests.chaos.plan import Act, plan_acts, plan_faults
from tests.chaos.reported import ReportedAttempt, ReportedDelivery
from tests.chaos.shops import CAFE, MATE, YERBA, PlannedEvent, PlannedOrder, plan_orders
from tests.chaos.storefront import PostedEvent, WebhookResponse
from tests.chaos.verdict import judge

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


def posted_event(
    word: str, version: int = 1, *, at: float = NOON, status: int | None = 200, **changes: Any
) -> PostedEvent:
    planned = PlannedEvent(word=word, version=version, due_s=(0.0,))
    order = PlannedOrder(shop=CAFE, number=7, events=(planned,))
    fields = {"status_text": "accepted", "event_id": "1"} | changes
    response = WebhookResponse(posted_at=at, answered_at=at + 0.1, status=status, **fields)
    return PostedEvent(order=order, planned=planned, open_posts=0, answers=[response])


def accepted_order(remote_id: str = "ref-1", version: int = 1) -> AcceptedOrder:
    return AcceptedOrder(
        destination="rayo",
        remote_id=remote_id,
        key=None,
        body={"productos": [{"identificador": f"PIEZA-7-V{version}"}]},
        headers={},
        received_at=datetime.fromtimestamp(NOON + 1, UTC),
    )


def reported_delivery(
    state: str = "delivered", reason: str | None = None, remote_id: str | None = "ref-1"
) -> ReportedDelivery:
    return ReportedDelivery(
        id="1",
        store="cafe-mx",
        account="bodega",
        destination="rayo",
        order_id="5500000000007",
        state=state,
        reason=reason,
        remote_id=remote_id,
    )


def reported_attempt(
    outcome: str = "ambiguous", *, at: float = NOON + 1, duration_s: float | None = 0.1
) -> ReportedAttempt:
    return ReportedAttempt(started_at=at, duration_s=duration_s, outcome=outcome)


def count_faults(
    events: list[PostedEvent],
    deliveries: list[ReportedDelivery],
    accepted: list[AcceptedOrder],
    *,
    tried: list[ReportedAttempt] | None = None,
    incidents: list[Incident] | None = None,
    requests: list[SeenRequest] | None = None,
) -> dict[str, int]:
    """Return the number of faults by kind."""
    causes = Causes(incidents=incidents or [], timeout_s=2.0)
    causes.note(requests or [])
    verdict = judge(
        events=events,
        deliveries=deliveries,
        accepted=accepted,
        causes=causes,
        attempts=lambda _: tried or [],
        event_ids={"1"},
    )
    return {kind: len(messages) for kind, messages in verdict.faults.items() if messages}


def request(outcome: str, *, body: str | None = "PIEZA-7-V1", at: float = NOON + 1.05) -> SeenRequest:
    return SeenRequest(
        destination="rayo",
        method="POST",
        path="/",
        query={},
        headers={},
        body=body,
        key=None,
        received_at=datetime.fromtimestamp(at, UTC),
        outcome="dropped",
        why=outcome,
    )


def test_delivered_order_is_no_fault() -> None:
    assert count_faults([posted_event("paid")], [reported_delivery()], [accepted_order()]) == {}


def test_an_accepted_order_without_a_delivery_is_lost() -> None:
    assert count_faults([posted_event("paid")], [], []) == {"lost": 1}


def test_accepted_event_without_a_record_is_lost() -> None:
    assert count_faults([posted_event("paid", event_id="2")], [reported_delivery()], [accepted_order()]) == {"lost": 1}


def test_order_cancelled_before_payment_needs_no_delivery() -> None:
    cancelled = posted_event("cancelled", 2, at=NOON - 1)
    assert count_faults([cancelled, posted_event("paid", status_text="ignored")], [], []) == {}


def test_order_received_twice_is_a_duplicate() -> None:
    assert count_faults([posted_event("paid")], [reported_delivery()], [accepted_order(), accepted_order("ref-2")]) == {
        "doubled": 1
    }


@pytest.mark.parametrize(
    ("delivery", "accepted"),
    [
        (reported_delivery(), []),
        (reported_delivery(remote_id="another"), [accepted_order()]),
        (reported_delivery("parked", "refused", None), [accepted_order()]),
        (reported_delivery("discarded", "cancelled", None), [accepted_order()]),
        (reported_delivery("parked", "exhausted", None), []),
        (reported_delivery("discarded", "filtered", None), []),
        (reported_delivery("parked", "unmappable", None), []),
        (reported_delivery("parked", "refused", None), []),
        (reported_delivery("discarded", "cancelled", None), []),
    ],
)
def test_delivery_state_that_contradicts_the_destination_is_wrong(
    delivery: ReportedDelivery, accepted: list[AcceptedOrder]
) -> None:
    assert set(count_faults([posted_event("paid")], [delivery], accepted)) == {"wrongly told"}


def test_refused_and_cancelled_states_are_accepted() -> None:
    refusal = replace(request("status 422"), outcome="refused")
    assert (
        count_faults([posted_event("paid")], [reported_delivery("parked", "refused", None)], [], requests=[refusal])
        == {}
    )
    events = [posted_event("paid"), posted_event("cancelled", 2)]
    assert count_faults(events, [reported_delivery("discarded", "cancelled", None)], []) == {}


def test_event_recorded_twice_is_a_wrong_response() -> None:
    event = posted_event("paid")
    event.answers.append(replace(event.answers[0], posted_at=NOON + 1, event_id="2"))
    assert count_faults([event], [reported_delivery()], [accepted_order()])["wrongly answered"] == 1


def test_waiting_delivery_is_unsettled() -> None:
    assert count_faults([posted_event("paid")], [reported_delivery("waiting", remote_id=None)], []) == {"unsettled": 1}


def test_ignoring_a_wanted_order_is_a_wrong_response() -> None:
    assert count_faults([posted_event("paid", status_text="ignored")], [reported_delivery()], [accepted_order()]) == {
        "wrongly answered": 1
    }


def test_repeated_event_must_be_accepted_eventually() -> None:
    assert count_faults([posted_event("paid", status=503)], [], []) == {"never accepted": 1}


def test_an_order_is_not_sent_after_its_cancellation_was_accepted() -> None:
    events = [posted_event("paid"), posted_event("cancelled", 2)]
    delivered_attempt = reported_attempt("delivered", at=NOON + 0.2)
    assert count_faults(events, [reported_delivery()], [accepted_order()], tried=[delivered_attempt]) == {
        "sent after cancelled": 1
    }


def test_order_is_not_sent_in_an_outdated_version() -> None:
    events = [posted_event("paid"), posted_event("updated", 2)]
    delivered_attempt = reported_attempt("delivered", at=NOON + 0.2)
    assert count_faults(events, [reported_delivery()], [accepted_order(version=1)], tried=[delivered_attempt]) == {
        "sent in an old version": 1
    }
    assert count_faults(events, [reported_delivery()], [accepted_order(version=2)], tried=[delivered_attempt]) == {}


UNCERTAIN = reported_delivery("parked", "uncertain", None)


def test_an_uncertain_delivery_needs_a_cause() -> None:
    assert count_faults([posted_event("paid")], [UNCERTAIN], [], tried=[reported_attempt()]) == {
        "uncertain without a cause": 1
    }


@pytest.mark.parametrize("outcome", ["drop_after_reading", "process_then_status 502", "status 503", "latency"])
def test_injected_fault_for_the_order_is_a_cause(outcome: str) -> None:
    assert (
        count_faults([posted_event("paid")], [UNCERTAIN], [], tried=[reported_attempt()], requests=[request(outcome)])
        == {}
    )


@pytest.mark.parametrize("outcome", ["status 429", "status 422", "status 401"])
def test_definite_response_is_no_cause(outcome: str) -> None:
    fault_counts = count_faults(
        [posted_event("paid")], [UNCERTAIN], [], tried=[reported_attempt()], requests=[request(outcome)]
    )
    assert fault_counts == {"uncertain without a cause": 1}


def test_unread_dropped_request_is_a_cause_once() -> None:
    tried = [reported_attempt(), reported_attempt(at=NOON + 1.1)]
    drop = request("drop_unread", body=None)
    fault_counts = count_faults([posted_event("paid")], [UNCERTAIN], [], tried=tried, requests=[drop])
    assert fault_counts == {"uncertain without a cause": 1}


def test_killed_worker_causes_only_unanswered_attempts() -> None:
    kill = Incident(act=Act.KILL_WORKER, began_at=NOON + 1.5, ended_at=NOON + 1.5, hit=1)
    unanswered, answered = [reported_attempt(duration_s=None)], [reported_attempt()]
    assert count_faults([posted_event("paid")], [UNCERTAIN], [], tried=unanswered, incidents=[kill]) == {}
    fault_counts = count_faults([posted_event("paid")], [UNCERTAIN], [], tried=answered, incidents=[kill])
    assert fault_counts == {"uncertain without a cause": 1}


def test_killed_web_process_is_no_cause() -> None:
    kill = Incident(act=Act.KILL_WEB, began_at=NOON + 1.5, ended_at=NOON + 1.5, hit=1)
    fault_counts = count_faults(
        [posted_event("paid")], [UNCERTAIN], [], tried=[reported_attempt(duration_s=None)], incidents=[kill]
    )
    assert fault_counts == {"uncertain without a cause": 1}


def test_the_same_seed_makes_the_same_plan() -> None:
    shops, acts = [CAFE, YERBA, MATE], [Act.KILL_WEB, Act.STOP_WORKER, Act.FILL_DISK, Act.JUMP_CLOCK]
    assert plan_orders(5, shops, 50, 60) == plan_orders(5, shops, 50, 60)
    assert plan_acts(5, acts, 60, lease_s=17) == plan_acts(5, acts, 60, lease_s=17)
    assert plan_faults(5, ["rayo"], ["tiendanube"], 60) == plan_faults(5, ["rayo"], ["tiendanube"], 60)


@pytest.mark.parametrize("shop", [CAFE, YERBA, MATE])
def test_each_order_state_has_its_own_payload(shop: Any) -> None:
    events = [PlannedEvent(word=word, version=1, due_s=(0.0,)) for word in ("created", "paid", "cancelled")]
    order = PlannedOrder(shop=shop, number=7, events=tuple(events))
    created, paid, cancelled = (shop.platform.storefront.order_schema().load(order.write(event)) for event in events)
    assert (created.is_paid, created.is_cancelled) == (False, False)
    assert (paid.is_paid, paid.is_cancelled) == (True, False)
    assert cancelled.is_cancelled
