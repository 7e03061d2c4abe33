"""Tests of the verdict: each kind of fault is detected."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.sandbox.state import AcceptedOrder, SeenRequest
from tests.chaos.acts import Incident
from tests.chaos.causes import Causes
from tests.chaos.plan import Act, plan_acts, plan_faults
from tests.chaos.shops import CAFE, MATE, YERBA, PlannedEvent, PlannedOrder, plan_orders
from tests.chaos.storefront import Answer, PostedEvent
from tests.chaos.told import Told, ToldAttempt
from tests.chaos.verdict import judge

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


def posted(word: str, version: int = 1, *, at: float = NOON, status: int | None = 200, **changes: Any) -> PostedEvent:
    planned = PlannedEvent(word=word, version=version, due_s=(0.0,))
    order = PlannedOrder(shop=CAFE, number=7, events=(planned,))
    said = {"said": "accepted", "event_id": "1"} | changes
    answer = Answer(posted_at=at, answered_at=at + 0.1, status=status, **said)
    return PostedEvent(order=order, planned=planned, open_posts=0, answers=[answer])


def there(remote_id: str = "ref-1", version: int = 1) -> AcceptedOrder:
    return AcceptedOrder(
        destination="rayo",
        remote_id=remote_id,
        key=None,
        body={"productos": [{"identificador": f"PIEZA-7-V{version}"}]},
        headers={},
        received_at=datetime.fromtimestamp(NOON + 1, UTC),
    )


def told(state: str = "delivered", reason: str | None = None, remote_id: str | None = "ref-1") -> Told:
    return Told(
        id="1",
        store="cafe-mx",
        account="bodega",
        destination="rayo",
        order_id="5500000000007",
        state=state,
        reason=reason,
        remote_id=remote_id,
    )


def attempt(outcome: str = "ambiguous", *, at: float = NOON + 1, duration_s: float | None = 0.1) -> ToldAttempt:
    return ToldAttempt(started_at=at, duration_s=duration_s, outcome=outcome)


def faults(
    events: list[PostedEvent],
    deliveries: list[Told],
    accepted: list[AcceptedOrder],
    *,
    tried: list[ToldAttempt] | None = None,
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
        kept_events={"1"},
    )
    return {kind: len(found) for kind, found in verdict.faults.items() if found}


def request(why: str, *, body: str | None = "PIEZA-7-V1", at: float = NOON + 1.05) -> SeenRequest:
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
        why=why,
    )


def test_an_order_that_is_there_as_told_is_no_fault() -> None:
    assert faults([posted("paid")], [told()], [there()]) == {}


def test_an_accepted_order_without_a_delivery_is_lost() -> None:
    assert faults([posted("paid")], [], []) == {"lost": 1}


def test_an_accepted_event_that_is_not_on_record_is_lost() -> None:
    assert faults([posted("paid", event_id="2")], [told()], [there()]) == {"lost": 1}


def test_an_order_that_was_cancelled_first_needs_no_delivery() -> None:
    cancelled = posted("cancelled", 2, at=NOON - 1)
    assert faults([cancelled, posted("paid", said="ignored")], [], []) == {}


def test_an_order_that_is_there_twice_is_doubled() -> None:
    assert faults([posted("paid")], [told()], [there(), there("ref-2")]) == {"doubled": 1}


@pytest.mark.parametrize(
    ("delivery", "accepted"),
    [
        (told(), []),
        (told(remote_id="another"), [there()]),
        (told("parked", "refused", None), [there()]),
        (told("discarded", "cancelled", None), [there()]),
        (told("parked", "exhausted", None), []),
        (told("discarded", "filtered", None), []),
        (told("parked", "unmappable", None), []),
        (told("parked", "refused", None), []),
        (told("discarded", "cancelled", None), []),
    ],
)
def test_a_delivery_that_says_other_than_what_is_there_is_wrong(delivery: Told, accepted: list[AcceptedOrder]) -> None:
    assert set(faults([posted("paid")], [delivery], accepted)) == {"wrongly told"}


def test_what_was_refused_or_cancelled_may_be_told_so() -> None:
    refusal = replace(request("status 422"), outcome="refused")
    assert faults([posted("paid")], [told("parked", "refused", None)], [], requests=[refusal]) == {}
    events = [posted("paid"), posted("cancelled", 2)]
    assert faults(events, [told("discarded", "cancelled", None)], []) == {}


def test_an_event_that_is_kept_twice_was_wrongly_answered() -> None:
    event = posted("paid")
    event.answers.append(replace(event.answers[0], posted_at=NOON + 1, event_id="2"))
    assert faults([event], [told()], [there()])["wrongly answered"] == 1


def test_what_still_waits_is_unsettled() -> None:
    assert faults([posted("paid")], [told("waiting", remote_id=None)], []) == {"unsettled": 1}


def test_a_wanted_order_that_was_called_ignored_was_wrongly_answered() -> None:
    assert faults([posted("paid", said="ignored")], [told()], [there()]) == {"wrongly answered": 1}


def test_what_a_platform_repeats_must_be_accepted_in_the_end() -> None:
    assert faults([posted("paid", status=503)], [], []) == {"never accepted": 1}


def test_an_order_is_not_sent_after_its_cancellation_was_accepted() -> None:
    events = [posted("paid"), posted("cancelled", 2)]
    sent = attempt("delivered", at=NOON + 0.2)
    assert faults(events, [told()], [there()], tried=[sent]) == {"sent after cancelled": 1}


def test_an_order_is_not_sent_as_it_was_before_an_accepted_update() -> None:
    events = [posted("paid"), posted("updated", 2)]
    sent = attempt("delivered", at=NOON + 0.2)
    assert faults(events, [told()], [there(version=1)], tried=[sent]) == {"sent in an old version": 1}
    assert faults(events, [told()], [there(version=2)], tried=[sent]) == {}


UNCERTAIN = told("parked", "uncertain", None)


def test_an_uncertain_delivery_needs_a_cause() -> None:
    assert faults([posted("paid")], [UNCERTAIN], [], tried=[attempt()]) == {"uncertain without a cause": 1}


@pytest.mark.parametrize("why", ["drop_after_reading", "process_then_status 502", "status 503", "latency"])
def test_what_the_destination_did_to_that_order_is_a_cause(why: str) -> None:
    assert faults([posted("paid")], [UNCERTAIN], [], tried=[attempt()], requests=[request(why)]) == {}


@pytest.mark.parametrize("why", ["status 429", "status 422", "status 401"])
def test_a_clear_answer_is_no_cause(why: str) -> None:
    found = faults([posted("paid")], [UNCERTAIN], [], tried=[attempt()], requests=[request(why)])
    assert found == {"uncertain without a cause": 1}


def test_a_drop_that_was_not_read_is_a_cause_once() -> None:
    tried = [attempt(), attempt(at=NOON + 1.1)]
    drop = request("drop_unread", body=None)
    found = faults([posted("paid")], [UNCERTAIN], [], tried=tried, requests=[drop])
    assert found == {"uncertain without a cause": 1}


def test_a_kill_is_a_cause_of_what_was_never_answered_alone() -> None:
    kill = Incident(act=Act.KILL_WORKER, began_at=NOON + 1.5, ended_at=NOON + 1.5, hit=1)
    unanswered, answered = [attempt(duration_s=None)], [attempt()]
    assert faults([posted("paid")], [UNCERTAIN], [], tried=unanswered, incidents=[kill]) == {}
    found = faults([posted("paid")], [UNCERTAIN], [], tried=answered, incidents=[kill])
    assert found == {"uncertain without a cause": 1}


def test_a_kill_of_a_web_process_is_no_cause() -> None:
    kill = Incident(act=Act.KILL_WEB, began_at=NOON + 1.5, ended_at=NOON + 1.5, hit=1)
    found = faults([posted("paid")], [UNCERTAIN], [], tried=[attempt(duration_s=None)], incidents=[kill])
    assert found == {"uncertain without a cause": 1}


def test_the_same_seed_makes_the_same_plan() -> None:
    shops, acts = [CAFE, YERBA, MATE], [Act.KILL_WEB, Act.STOP_WORKER, Act.FILL_DISK, Act.JUMP_CLOCK]
    assert plan_orders(5, shops, 50, 60) == plan_orders(5, shops, 50, 60)
    assert plan_acts(5, acts, 60, lease_s=17) == plan_acts(5, acts, 60, lease_s=17)
    assert plan_faults(5, ["rayo"], ["tiendanube"], 60) == plan_faults(5, ["rayo"], ["tiendanube"], 60)


@pytest.mark.parametrize("shop", [CAFE, YERBA, MATE])
def test_each_state_of_an_order_is_its_own_to_the_platform(shop: Any) -> None:
    events = [PlannedEvent(word=word, version=1, due_s=(0.0,)) for word in ("created", "paid", "cancelled")]
    order = PlannedOrder(shop=shop, number=7, events=tuple(events))
    created, paid, cancelled = (shop.platform.storefront.order_schema().load(order.write(event)) for event in events)
    assert (created.is_paid, created.is_cancelled) == (False, False)
    assert (paid.is_paid, paid.is_cancelled) == (True, False)
    assert cancelled.is_cancelled
