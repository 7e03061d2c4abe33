"""Tests of the verdict: each kind of fault is detected. And of the plans and the shops, as far as it relies on them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread
from types import MappingProxyType
from typing import Any

import pytest

from connector.sandbox.state import AcceptedOrder, SeenRequest
from tests.chaos.acts import Incident
from tests.chaos.causes import Causes
from tests.chaos.plan import Act, plan_acts, plan_faults
from tests.chaos.reported import ReportedAttempt, ReportedDelivery, ReportedEvent
from tests.chaos.run import wait_until
from tests.chaos.shop_apis import ShopApis
from tests.chaos.shops import (
    BETWEEN_CHANGES_S,
    CAFE,
    DOBLE,
    MATE,
    YERBA,
    OrderTimes,
    PlannedEvent,
    PlannedOrder,
    Shop,
    plan_deaths,
    plan_orders,
)
from tests.chaos.storefront import CLIENTS, PostedEvent, Storefront, WebhookResponse
from tests.chaos.verdict import DeliveryKey, judge

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
KEY = ("bodega", "cafe-mx", "5500000000007")


def posted_event(
    word: str, version: int = 1, *, at: float = NOON, status: int | None = 200, **changes: Any
) -> PostedEvent:
    planned = PlannedEvent(word=word, version=version, due_s=(0.0,))
    order = PlannedOrder(shop=CAFE, number=7, events=(planned,))
    fields = {"status_text": "accepted", "event_id": "1"} | changes
    response = WebhookResponse(posted_at=at, answered_at=at + 0.1, status=status, **fields)
    return PostedEvent(order=order, planned=planned, open_posts=0, changed_at=at, answers=[response])


def lost_event(word: str, version: int = 1, *, at: float = NOON) -> PostedEvent:
    """A change of the order whose webhook never came."""
    event = posted_event(word, version, at=at)
    event.planned = replace(event.planned, due_s=())
    event.is_repeated = False
    event.answers.clear()
    return event


def recorded_event(*topics: str, source: str = "webhook") -> ReportedEvent:
    return ReportedEvent(id="1", store="cafe-mx", order_id="5500000000007", topics=list(topics), source=source)


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
    recorded: list[ReportedEvent] | None = None,
    recorded_in_time: set[DeliveryKey] | None = None,
) -> dict[str, int]:
    """Return the number of faults by kind. By default, events are on record as they were accepted, and none is late."""
    causes = Causes(incidents=incidents or [], timeout_s=2.0)
    causes.note(requests or [])
    verdict = judge(
        events=events,
        deliveries=deliveries,
        accepted=accepted,
        causes=causes,
        attempts=lambda _: tried or [],
        recorded=[recorded_event(*(event.planned.word for event in events))] if recorded is None else recorded,
        recorded_in_time={KEY} if recorded_in_time is None else recorded_in_time,
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


def test_paid_order_of_the_shop_is_lost_without_a_delivery_though_no_webhook_came() -> None:
    assert count_faults([lost_event("paid")], [], []) == {"lost": 1}
    assert count_faults([lost_event("paid"), lost_event("updated", 2)], [], []) == {"lost": 1}
    assert count_faults([posted_event("created"), lost_event("paid", 2)], [], []) == {"lost": 1}
    unheard = posted_event("paid", status=None)
    unheard.is_repeated = False
    assert count_faults([unheard], [], []) == {"lost": 1}


def test_unpaid_or_unmade_order_needs_no_delivery() -> None:
    unmade = lost_event("paid", 2)
    unmade.changed_at = None
    assert count_faults([posted_event("created", status_text="ignored"), unmade], [], []) == {}


def test_paid_order_is_late_if_it_became_known_after_two_intervals() -> None:
    assert count_faults([lost_event("paid")], [reported_delivery()], [accepted_order()], recorded_in_time=set()) == {
        "late": 1
    }
    assert count_faults([lost_event("paid")], [reported_delivery()], [accepted_order()]) == {}


def test_order_that_catch_up_found_may_not_be_sent_twice() -> None:
    copies = [accepted_order(), accepted_order("ref-2")]
    assert count_faults([lost_event("paid")], [reported_delivery()], copies) == {"doubled": 1}


def test_lost_cancellation_must_be_caught_up_if_the_order_has_a_delivery() -> None:
    events = [posted_event("paid"), lost_event("cancelled", 2, at=NOON + 2)]
    discarded = reported_delivery("discarded", "cancelled", None)
    assert count_faults(events, [discarded], [], recorded=[recorded_event("paid")]) == {"cancellation missed": 1}
    caught_up = recorded_event("cancelled", source="catch-up")
    assert count_faults(events, [discarded], [], recorded=[caught_up]) == {}


def test_order_cancelled_before_anybody_heard_of_it_needs_no_delivery() -> None:
    assert count_faults([lost_event("paid"), lost_event("cancelled", 2, at=NOON + 2)], [], []) == {}


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
    assert count_faults([posted_event("paid", status=503)], [], []) == {"never accepted": 1, "lost": 1}


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
    shops, acts = [CAFE, YERBA, MATE], [Act.KILL_WEB, Act.STOP_WORKER, Act.FILL_DISK, Act.STOP_API, Act.JUMP_CLOCK]
    assert plan_orders(5, shops, 50, 60, lost_share=0.2) == plan_orders(5, shops, 50, 60, lost_share=0.2)
    assert plan_deaths(5, shops, 60) == plan_deaths(5, shops, 60)
    assert plan_acts(5, acts, 60, lease_s=17) == plan_acts(5, acts, 60, lease_s=17)
    assert plan_faults(5, ["rayo"], ["tiendanube"], 60) == plan_faults(5, ["rayo"], ["tiendanube"], 60)


@pytest.mark.parametrize("shop", [CAFE, YERBA, MATE])
def test_each_order_state_has_its_own_payload(shop: Any) -> None:
    events = [PlannedEvent(word=word, version=1, due_s=(0.0,)) for word in ("created", "paid", "cancelled")]
    order = PlannedOrder(shop=shop, number=7, events=tuple(events))
    times = OrderTimes(created_at=datetime(2026, 11, 20, tzinfo=UTC), changed_at=datetime(2026, 11, 21, tzinfo=UTC))
    created, paid, cancelled = (
        shop.platform.storefront.order_schema().load(order.write(event, times)) for event in events
    )
    assert (created.is_paid, created.is_cancelled) == (False, False)
    assert (paid.is_paid, paid.is_cancelled) == (True, False)
    assert cancelled.is_cancelled


def test_a_shop_makes_the_versions_of_an_order_in_order_and_before_their_webhooks() -> None:
    for order in plan_orders(3, [CAFE, YERBA, MATE, DOBLE], 300, 60, lost_share=0.2):
        events = sorted(order.events, key=lambda event: event.version)
        for earlier, later in pairwise(events):
            assert later.changed_s - earlier.changed_s > BETWEEN_CHANGES_S - 0.001
        assert all(event.changed_s <= due_s for event in events for due_s in event.due_s)
        assert events[0].changed_s >= 0


def test_a_fifth_of_the_webhooks_is_lost_where_platforms_do_not_repeat_them() -> None:
    events = [event for order in plan_orders(3, [CAFE], 1000, 60, lost_share=0.2) for event in order.events]
    assert sum(not event.due_s for event in events) / len(events) == pytest.approx(0.2, abs=0.03)
    assert all(event.due_s for order in plan_orders(3, [CAFE], 100, 60) for event in order.events)


class Responder(BaseHTTPRequestHandler):
    """Counts the posts, and answers each with the server's status."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts += 1  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def responder() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Responder) as server:
        server.posts, server.status = 0, 503  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def play(responder: Any, shop: Shop, orders: int, *, deaths: Mapping[str, float] = MappingProxyType({})) -> Storefront:
    """Have `orders` orders paid at once, whose webhooks nobody repeats."""
    planned = PlannedEvent(word="paid", version=1, due_s=(0.0,))
    with ExitStack() as stack:
        apis = ShopApis([shop], stack)
        url = f"http://127.0.0.1:{responder.server_port}"
        plan = [PlannedOrder(shop=shop, number=number, events=(planned,)) for number in range(1, orders + 1)]
        storefront = Storefront(url, plan, apis, repeats=False, deaths=deaths)
        storefront.start()
        stack.callback(storefront.stop)
        assert wait_until(storefront.is_done, 20)
        assert len(apis.servers[shop.store].store_orders()) == orders
    return storefront


def test_webhooks_are_posted_once_though_nothing_accepts_them(responder: Any) -> None:
    storefront = play(responder, CAFE, 10)
    assert responder.posts == 10
    assert [len(event.answers) for event in storefront.events] == 10 * [1]
    assert storefront.dead_stores() == []


def test_woocommerce_sends_nothing_any_more_after_failures_in_a_row(responder: Any) -> None:
    storefront = play(responder, YERBA, 40)
    assert storefront.dead_stores() == ["yerba-ar"]
    assert responder.posts < 7 + CLIENTS  # other clients may have begun theirs
    responder.status = 200
    assert play(responder, YERBA, 40).dead_stores() == []


def test_webhooks_of_a_store_die_for_good_when_they_are_planned_to(responder: Any) -> None:
    responder.status = 200
    storefront = play(responder, CAFE, 5, deaths={"cafe-mx": 0.0})
    assert (responder.posts, storefront.dead_stores()) == (0, ["cafe-mx"])


def test_an_api_that_is_down_comes_back() -> None:
    with ExitStack() as stack:
        apis = ShopApis([CAFE, YERBA], stack)
        for value in (0.1, 0.9):
            apis.stop(value)
        assert [len(server.faults()) for server in apis.servers.values()] == [1, 1]
        apis.start(0.9)
        assert [len(server.faults()) for server in apis.servers.values()] == [1, 0]
        apis.clear_faults()
        assert not any(server.faults() for server in apis.servers.values())
