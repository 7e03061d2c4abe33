"""Account limits hold across processes, and accounts do not affect each other."""

from collections.abc import Callable
from typing import Any

import pytest

from connector.database.circuits import total_seconds_open
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service


def account_status(service: Service, account: str) -> dict[str, Any]:
    return next(item for item in service.api("/accounts").json["items"] if item["id"] == account)


def delivery_states(service: Service) -> list[str]:
    return [delivery["state"] for delivery in service.deliveries()]


def test_paused_account_receives_nothing(service: Service) -> None:
    service.api("/accounts/bodega/pause", json={"note": "the carrier moves house"})
    service.post_shopify(shopify_order())
    service.post_woo(woo_order())
    service.drain()
    assert delivery_states(service) == ["waiting", "delivered"]
    paused = account_status(service, "bodega")
    assert (paused["state"], paused["reason"]) == ("paused", "token:admin: the carrier moves house")
    assert paused["deliveries"] == {"waiting": 1, "sending": 0, "parked": 0}
    assert account_status(service, "erp")["state"] == "flowing"


def test_resumed_account_receives_waiting_deliveries(service: Service) -> None:
    service.api("/accounts/bodega/pause", json={})
    service.post_shopify(shopify_order())
    service.drain()
    service.api("/accounts/bodega/resume", json={})
    service.drain()
    assert delivery_states(service) == ["delivered"]
    assert account_status(service, "bodega")["state"] == "flowing"


def test_manual_resume_closes_the_circuit_breaker(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "status", status=401, times=3)
    service.post_shopify(shopify_order())
    service.drain()
    status = account_status(service, "bodega")
    assert (status["state"], status["reason"]) == ("circuit open", "credentials rejected")
    service.sandbox.clear_faults()
    service.api("/accounts/bodega/resume", json={})
    service.clock.forward(3)
    service.drain()
    assert delivery_states(service) == ["delivered"]


@pytest.mark.parametrize("path", ["/accounts/nobody/pause", "/accounts/nobody/resume"])
def test_unknown_account_is_404(service: Service, path: str) -> None:
    assert service.api(path, json={}).status_code == 404


def test_pause_does_not_count_toward_the_retry_window(service: Service) -> None:
    service.api("/accounts/bodega/pause", json={})
    service.clock.forward(100)
    service.sandbox.clear_faults()
    service.api("/accounts/bodega/resume", json={})
    service.clock.forward(50)
    assert 100 <= total_seconds_open(service.database, ["bodega"]) < 110


def test_overlapping_pause_and_open_circuit_count_once(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "status", status=401, times=3)
    service.post_shopify(shopify_order())
    service.drain()
    service.clock.forward(10)
    service.api("/accounts/bodega/pause", json={})
    service.clock.forward(20)
    assert 30 <= total_seconds_open(service.database, ["bodega"]) < 35
    service.api("/accounts/bodega/resume", json={})
    service.clock.forward(40)
    assert 30 <= total_seconds_open(service.database, ["bodega"]) < 35


def test_workers_share_the_account_concurrency_limit(open_service: Callable[..., Service]) -> None:
    service = open_service(more="concurrency = 3")
    for number in range(8):
        service.post_woo(woo_order(number))
    first, second = service.worker(), service.worker()
    for worker in (first, second):
        worker.recover()
    assert [len(first.claim_due()), len(second.claim_due())] == [3, 0]


def test_workers_share_the_account_rate_limit(open_service: Callable[..., Service]) -> None:
    service = open_service(more="rate_per_s = 2")
    for number in range(8):
        service.post_woo(woo_order(number))
    first, second = service.worker(), service.worker()
    for worker in (first, second):
        worker.recover()
    assert [len(first.claim_due()), len(second.claim_due())] == [2, 0]
    service.clock.forward(1)
    assert len(second.claim_due()) == 2


def test_unmappable_order_does_not_delay_others(service: Service) -> None:
    bad = woo_order(1)
    bad["line_items"][0]["sku"] = ""
    service.post_woo(bad)
    service.post_woo(woo_order(2))
    service.deliver_due()
    assert delivery_states(service) == ["parked", "delivered"]
