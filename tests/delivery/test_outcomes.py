"""The outcome of every response and failure: no delivery is lost, duplicated or misreported."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connector.clients.tokens import TokenError
from connector.core.http_result import HttpResult
from connector.core.outcomes import classify
from connector.core.retry import parse_retry_after
from connector.database.claims import Limit, claim_deliveries
from mappings import DESTINATIONS
from mappings.destination import Outcome
from tests.support.destinations import LAPYME, POST, RAYO
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service

#: What takes longer than a timeout of one second. No other test has one: a busy machine can take that long, too.
SLOW_FAULTS = ("latency", "slow_drip")
SHORT_TIMEOUT_S = 1.0


def post_and_deliver(service: Service, destination: str) -> dict[str, Any]:
    """Post one order and try it once."""
    post, order = POST[destination]
    getattr(service, post)(order())
    service.deliver_due()
    return service.only_delivery()


def state_and_reason(delivery: dict[str, Any]) -> tuple[str, str | None]:
    return delivery["state"], delivery["reason"]


#: Fault, options, and the resulting delivery at Rayo (no idempotency key) and at LaPyme (key).
WAITING = ("waiting", None)
UNCERTAIN = ("parked", "uncertain")
REFUSED = ("parked", "refused")
OUTCOMES: list[tuple[str, dict[str, Any], tuple[str, str | None], tuple[str, str | None]]] = [
    ("drop_unread", {}, UNCERTAIN, WAITING),
    ("drop_after_reading", {}, UNCERTAIN, WAITING),
    ("process_then_drop", {}, UNCERTAIN, WAITING),
    ("garbage", {}, UNCERTAIN, WAITING),
    ("garbage_json", {}, UNCERTAIN, WAITING),
    ("cut_body", {}, UNCERTAIN, WAITING),
    ("latency", {"latency_s": 2.5}, UNCERTAIN, WAITING),
    ("slow_drip", {"latency_s": 0.2}, UNCERTAIN, WAITING),
    ("process_then_status", {"status": 500}, UNCERTAIN, WAITING),
    ("process_then_status", {"status": 502}, UNCERTAIN, WAITING),
    ("process_then_status", {"status": 504}, UNCERTAIN, WAITING),
    ("process_then_status", {"status": 524}, UNCERTAIN, WAITING),
    ("status", {"status": 503, "retry_after_s": 30}, UNCERTAIN, WAITING),
    ("process_then_status", {"status": 409}, UNCERTAIN, REFUSED),
    ("process_then_status", {"status": 204}, UNCERTAIN, WAITING),
    ("status", {"status": 301}, REFUSED, REFUSED),
    ("status", {"status": 400}, REFUSED, REFUSED),
    ("status", {"status": 404}, REFUSED, REFUSED),
    ("status", {"status": 413}, REFUSED, REFUSED),
    ("status", {"status": 422}, REFUSED, REFUSED),
    ("status", {"status": 403}, WAITING, WAITING),
    ("status", {"status": 408}, WAITING, WAITING),
    ("status", {"status": 425}, WAITING, WAITING),
    ("status", {"status": 429, "retry_after_s": 30}, WAITING, WAITING),
]


@pytest.mark.parametrize("destination", [RAYO, LAPYME])
@pytest.mark.parametrize(("fault", "options", "at_rayo", "at_lapyme"), OUTCOMES)
def test_each_response_leads_to_its_outcome(
    open_service: Callable[..., Service],
    destination: str,
    fault: str,
    options: dict[str, Any],
    at_rayo: tuple[str, str | None],
    at_lapyme: tuple[str, str | None],
) -> None:
    service = open_service(timeout_s=SHORT_TIMEOUT_S) if fault in SLOW_FAULTS else open_service()
    service.sandbox.inject_fault(destination, fault, **options)
    delivery = post_and_deliver(service, destination)
    assert state_and_reason(delivery) == (at_rayo if destination == RAYO else at_lapyme)
    assert delivery["attempts"] == 1
    assert delivery["attempt_log"][0]["error"]
    if state_and_reason(delivery) == WAITING:
        retries = 5 if fault in SLOW_FAULTS else 1
        while retries and state_and_reason(service.only_delivery()) == WAITING:
            service.clock.forward(60)
            service.drain()
            retries -= 1
        assert state_and_reason(service.only_delivery()) == ("delivered", None)
    else:
        service.clock.forward(100_000)
        service.drain()
        assert service.only_delivery()["attempts"] == 1
    assert len(service.sandbox.orders(destination)) <= 1


def test_connection_failure_is_retried(open_service: Callable[..., Service]) -> None:
    from tests.support.service import CONFIGURATION

    nowhere = CONFIGURATION.replace('base_url = "{rayo}"', 'base_url = "http://127.0.0.1:9/x"')
    service = open_service(text=nowhere)
    delivery = post_and_deliver(service, RAYO)
    assert state_and_reason(delivery) == WAITING
    assert delivery["attempt_log"][0]["outcome"] == "not_processed"


def test_lost_response_is_retried_with_the_same_body_and_idempotency_key(service: Service) -> None:
    service.sandbox.inject_fault(LAPYME, "process_then_drop")
    post_and_deliver(service, LAPYME)
    later = woo_order(customer_note="changed meanwhile", date_modified_gmt="2026-11-20T16:00:00", total="1.00")
    service.post_woo(later)
    service.clock.forward(60)
    service.drain()
    first, second = service.sandbox.requests(LAPYME)
    assert (first.body, first.key) == (second.body, second.key)
    assert second.outcome == "replayed"
    assert state_and_reason(service.only_delivery()) == ("delivered", None)
    assert len(service.sandbox.orders(LAPYME)) == 1


def test_a_refusal_after_an_ambiguous_attempt_is_uncertain(service: Service) -> None:
    service.sandbox.inject_fault(LAPYME, "process_then_drop")
    service.sandbox.inject_fault(LAPYME, "status", status=422)
    post_and_deliver(service, LAPYME)
    service.clock.forward(60)
    service.drain()
    assert state_and_reason(service.only_delivery()) == UNCERTAIN


def test_ambiguous_attempts_end_in_uncertain(service: Service) -> None:
    service.sandbox.inject_fault(LAPYME, "drop_after_reading", times=None)
    post_and_deliver(service, LAPYME)
    for _ in range(4):
        service.clock.forward(1_300)
        service.drain()
    assert state_and_reason(service.only_delivery()) == UNCERTAIN


def test_definite_failures_end_in_exhausted(open_service: Callable[..., Service]) -> None:
    service = open_service(more="retry_for_s = 7200")
    service.sandbox.inject_fault(LAPYME, "status", status=429, times=None)
    post_and_deliver(service, LAPYME)
    for _ in range(13):
        service.clock.forward(601)
        service.drain()
    assert state_and_reason(service.only_delivery()) == ("parked", "exhausted")


def test_an_idempotency_conflict_is_uncertain(service: Service) -> None:
    service.sandbox.inject_fault(LAPYME, "status", status=409, code="IDEMPOTENCY_CONFLICT")
    assert state_and_reason(post_and_deliver(service, LAPYME)) == UNCERTAIN


def test_retry_after_is_honoured(service: Service) -> None:
    service.sandbox.inject_fault(LAPYME, "status", status=429, retry_after_s=100)
    post_and_deliver(service, LAPYME)
    service.clock.forward(95)
    service.drain()
    assert service.only_delivery()["attempts"] == 1
    service.clock.forward(10)
    service.drain()
    assert state_and_reason(service.only_delivery()) == ("delivered", None)


# Rayo's token


def test_token_is_exchanged_once_for_many_orders(service: Service) -> None:
    for number in range(3):
        service.post_shopify(shopify_order(number))
    service.drain()
    assert [request.outcome for request in service.sandbox.requests(RAYO)] == [
        "token",
        "accepted",
        "accepted",
        "accepted",
    ]


def test_expired_token_is_refreshed_in_a_new_attempt(service: Service) -> None:
    service.post_shopify(shopify_order(1))
    service.drain()
    service.sandbox.inject_fault(RAYO, "expire_tokens")
    service.post_shopify(shopify_order(2))
    service.drain()
    newest = service.api(f"/deliveries/{service.deliveries()[-1]['id']}").json
    assert state_and_reason(newest) == ("delivered", None)
    assert [attempt["outcome"] for attempt in newest["attempt_log"]] == ["token_expired", "delivered"]


def test_token_refresh_is_tried_once_before_the_account_pauses(service: Service) -> None:
    service.sandbox.inject_fault(RAYO, "status", status=400, code="invalid-jwt", times=None)
    delivery = post_and_deliver(service, RAYO)
    assert state_and_reason(delivery) == WAITING
    assert [attempt["outcome"] for attempt in delivery["attempt_log"]] == ["token_expired", "unauthorized"]


def test_failing_token_exchange_is_not_processed(service: Service) -> None:
    service.sandbox.inject_fault(RAYO, "token_status", status=500)
    delivery = post_and_deliver(service, RAYO)
    assert (state_and_reason(delivery), delivery["attempts"]) == (WAITING, 1)
    assert delivery["attempt_log"][0]["outcome"] == "not_processed"
    service.clock.forward(60)
    service.drain()
    assert state_and_reason(service.only_delivery()) == ("delivered", None)


def test_hanging_token_exchange_fails_once_for_all_waiters(service: Service) -> None:
    service.sandbox.inject_fault(RAYO, "token_status", status=500, latency_s=0.5)
    tokens = service.runtime.account_clients["bodega"].tokens
    with ThreadPoolExecutor(3) as pool:
        exchanges = [pool.submit(tokens.bearer) for _ in range(3)]
    errors = [exchange.exception() for exchange in exchanges]
    assert [error.result.status for error in errors if isinstance(error, TokenError)] == [500] * 3
    assert len(service.sandbox.requests(RAYO)) == 1
    assert isinstance(tokens.bearer(), str)


def test_rayo_unexpected_400_is_ambiguous(service: Service) -> None:
    service.sandbox.inject_fault(RAYO, "status", status=400, code="unexpected")
    assert state_and_reason(post_and_deliver(service, RAYO)) == UNCERTAIN


# Circuits


def test_rejected_credentials_open_the_circuit_until_a_probe_succeeds(service: Service) -> None:
    service.sandbox.inject_fault(LAPYME, "status", status=401)
    assert state_and_reason(post_and_deliver(service, LAPYME)) == WAITING
    service.post_woo(woo_order(2))
    service.drain()
    assert len(service.sandbox.requests(LAPYME)) == 1
    service.clock.forward(31)
    service.drain()
    assert {state_and_reason(delivery) for delivery in service.deliveries()} == {("delivered", None)}


def test_open_circuit_lets_one_order_probe(service: Service) -> None:
    service.sandbox.inject_fault(LAPYME, "status", status=403, times=None)
    post_and_deliver(service, LAPYME)
    for number in range(5):
        service.post_woo(woo_order(number))
    service.drain()
    assert len(service.sandbox.requests(LAPYME)) == 1
    service.clock.forward(31)
    service.drain()
    assert len(service.sandbox.requests(LAPYME)) == 2


def test_order_forbidden_alone_is_refused(service: Service) -> None:
    service.sandbox.inject_fault(LAPYME, "status", status=403, match="YERBA-BAD", times=None)
    bad = woo_order(1)
    bad["line_items"][0]["sku"] = "YERBA-BAD"
    service.post_woo(bad)
    service.drain()
    service.post_woo(woo_order(2))
    for _ in range(4):
        service.clock.forward(31)
        service.drain()
    assert [state_and_reason(delivery) for delivery in service.deliveries()] == [REFUSED, ("delivered", None)]


def test_consecutive_failures_open_the_circuit(open_service: Callable[..., Service]) -> None:
    service = open_service(more="retry_first_s = 0.001")
    from dataclasses import replace

    erp = replace(service.runtime.settings.accounts["erp"], breaker_failures=2)
    settings = replace(service.runtime.settings, accounts={**service.runtime.settings.accounts, "erp": erp})
    service.runtime = replace(service.runtime, settings=settings)
    service.sandbox.inject_fault(LAPYME, "status", status=429, times=None)
    for number in range(6):
        service.post_woo(woo_order(number))
        service.drain()
    assert len(service.sandbox.requests(LAPYME)) == 2


def test_rate_limit_is_respected(open_service: Callable[..., Service]) -> None:
    service = open_service(more="rate_per_s = 2")
    for number in range(5):
        service.post_woo(woo_order(number))
    assert len(service.worker().claim_due()) == 2
    service.clock.forward(1)
    assert len(service.worker().claim_due()) == 2


def test_minimal_lapyme_response_with_an_order_id_is_success() -> None:
    response = HttpResult(status=201, body=b'{"data": {"order": {"id": "abc"}}, "more": 1}')
    assert classify(DESTINATIONS["lapyme"], response) == (Outcome.DELIVERED, "abc")


@pytest.mark.parametrize(
    "response",
    [b"", b"{}", b'{"orden": {}}', b'{"orden": {"ordenRef": null}}', b'{"orden": {"ordenRef": "not-a-uuid"}}', b"[]"],
)
def test_rayo_response_without_a_uuid_is_no_success(response: bytes) -> None:
    assert classify(DESTINATIONS["rayo"], HttpResult(status=200, body=response)) == (Outcome.AMBIGUOUS, None)


def test_rejected_token_is_not_attributed_to_an_earlier_forbidden_order(service: Service) -> None:
    service.sandbox.inject_fault(RAYO, "status", status=403, retry_after_s=50)
    post_and_deliver(service, RAYO)
    service.post_shopify(shopify_order(2))
    service.clock.forward(31)
    service.deliver_due()
    service.sandbox.inject_fault(RAYO, "token_status", status=401)
    service.clock.forward(100_000)  # after the token expired
    service.deliver_due()
    assert [state_and_reason(delivery) for delivery in service.deliveries()] == [WAITING, ("delivered", None)]
    log = service.api("/deliveries/1").json["attempt_log"]
    assert [attempt["outcome"] for attempt in log] == ["unauthorized", "unauthorized"]


def test_unmappable_order_does_not_consume_a_probe(service: Service) -> None:
    service.sandbox.inject_fault(LAPYME, "status", status=401, retry_after_s=100)
    post_and_deliver(service, LAPYME)
    bad = woo_order(2)
    bad["line_items"][0]["sku"] = ""
    service.post_woo(bad)
    service.post_woo(woo_order(3))
    service.clock.forward(31)
    service.drain()
    assert [state_and_reason(delivery) for delivery in service.deliveries()][1:] == [
        ("parked", "unmappable"),
        ("delivered", None),
    ]


def test_busy_account_keeps_its_probe(service: Service) -> None:
    service.sandbox.inject_fault(LAPYME, "status", status=401, retry_after_s=100)
    post_and_deliver(service, LAPYME)
    service.post_woo(woo_order(2))
    service.clock.forward(31)
    busy = claim_deliveries(service.database, worker_id="x", limits={"erp": Limit(0)}, lease_s=60)
    assert busy == []
    service.drain()
    assert state_and_reason(service.deliveries()[1]) == ("delivered", None)


def test_unstorable_lapyme_id_is_no_success() -> None:
    response = HttpResult(status=201, body=b'{"data": {"order": {"id": "\\ud800"}}}')
    assert classify(DESTINATIONS["lapyme"], response) == (Outcome.AMBIGUOUS, None)


@pytest.mark.parametrize("date", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "soon", "", "-1", "\u0661"])
def test_invalid_retry_after_is_ignored(service: Service, date: str) -> None:
    assert parse_retry_after(date, service.clock()) is None
