"""Thin webhooks: the worker fetches the order, duplicates fetch it again, and other shops' webhooks are refused."""

from collections.abc import Callable
from typing import Any

import pytest

from connector.core.messages import build_message
from connector.database.deliveries import park_unmappable
from connector.delivery.deliver import deliver
from connector.sandbox.server import SandboxServer
from tests.support.service import Service
from tests.support.thin_webhooks import SHOP, THIN_CONFIGURATION, post_thin_webhook, store_order, tiendanube_order


def state_and_reason(service: Service) -> tuple[Any, ...]:
    [delivery] = service.deliveries()
    return delivery["state"], delivery["reason"], delivery["attempts"]


@pytest.fixture
def tiendanube_service(open_service: Callable[..., Service], sandbox: SandboxServer) -> Service:
    return open_service(text=THIN_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))


WITHOUT_COLONIA = {"shipping_address": tiendanube_order()["shipping_address"] | {"locality": None}}


def test_order_is_fetched_and_delivered(tiendanube_service: Service) -> None:
    store_order(tiendanube_service)
    assert post_thin_webhook(tiendanube_service).json["status"] == "accepted"
    assert tiendanube_service.sandbox.requests("tiendanube") == []  # no request is made before the webhook is answered
    tiendanube_service.drain()
    [order] = tiendanube_service.sandbox.orders("rayo")
    assert order.body["consumidor_destino"]["colonia"] == "Americana"
    assert state_and_reason(tiendanube_service) == ("delivered", None, 1)
    assert tiendanube_service.only_delivery()["order_number"] == "501"


def test_webhook_of_another_shop_is_refused_despite_a_valid_signature(tiendanube_service: Service) -> None:
    response = post_thin_webhook(tiendanube_service, shop=SHOP + 1)
    assert response.status_code == 401
    assert tiendanube_service.api("/events").json["items"] == []


def test_duplicate_fetches_the_order_again(tiendanube_service: Service) -> None:
    store_order(tiendanube_service, **WITHOUT_COLONIA)
    post_thin_webhook(tiendanube_service)
    post_thin_webhook(tiendanube_service, "order/updated")
    tiendanube_service.drain()
    assert state_and_reason(tiendanube_service) == ("parked", "unmappable", 0)
    store_order(tiendanube_service)
    assert post_thin_webhook(tiendanube_service, "order/updated").json["status"] == "duplicate"
    tiendanube_service.drain()
    assert state_and_reason(tiendanube_service) == ("delivered", None, 1)


def test_duplicate_after_delivery_sends_nothing(tiendanube_service: Service) -> None:
    store_order(tiendanube_service)
    post_thin_webhook(tiendanube_service)
    tiendanube_service.drain()
    for _ in range(3):
        post_thin_webhook(tiendanube_service, "order/updated")
        tiendanube_service.drain()
    assert len(tiendanube_service.sandbox.orders("rayo")) == 1
    assert len(tiendanube_service.sandbox.requests("tiendanube")) == 1


def test_unpaid_order_waits_until_it_is_paid(tiendanube_service: Service) -> None:
    store_order(tiendanube_service, payment_status="pending")
    post_thin_webhook(tiendanube_service)
    tiendanube_service.drain()
    assert state_and_reason(tiendanube_service) == ("discarded", "filtered", 0)
    store_order(tiendanube_service)
    post_thin_webhook(tiendanube_service)
    tiendanube_service.drain()
    assert state_and_reason(tiendanube_service) == ("delivered", None, 1)


def test_order_cancelled_before_the_fetch_is_discarded(tiendanube_service: Service) -> None:
    store_order(tiendanube_service, status="cancelled", cancelled_at="2026-11-20T13:00:00+0000")
    post_thin_webhook(tiendanube_service)
    tiendanube_service.drain()
    assert state_and_reason(tiendanube_service) == ("discarded", "cancelled", 0)
    assert tiendanube_service.sandbox.orders() == []


def test_missing_order_is_unmappable(tiendanube_service: Service) -> None:
    post_thin_webhook(tiendanube_service)
    tiendanube_service.drain()
    assert state_and_reason(tiendanube_service) == ("parked", "unmappable", 0)
    assert tiendanube_service.only_delivery()["problems"] == ["The order is not at the store any more (404)."]


@pytest.mark.parametrize(
    ("fault", "options"),
    [("status", {"status": 500}), ("status", {"status": 429}), ("drop_after_reading", {}), ("garbage_json", {})],
)
def test_failed_fetch_is_retried(tiendanube_service: Service, fault: str, options: dict[str, Any]) -> None:
    store_order(tiendanube_service)
    tiendanube_service.sandbox.inject_fault("tiendanube", fault, **options)
    post_thin_webhook(tiendanube_service)
    tiendanube_service.deliver_due()
    assert state_and_reason(tiendanube_service) == ("waiting", None, 1)
    tiendanube_service.clock.forward(60)
    tiendanube_service.drain()
    assert state_and_reason(tiendanube_service) == ("delivered", None, 2)
    assert len(tiendanube_service.sandbox.orders("rayo")) == 1


def test_rejected_token_pauses_the_store_until_a_probe_succeeds(tiendanube_service: Service) -> None:
    for number in (9001, 9002, 9003):
        store_order(tiendanube_service, id=number)
    tiendanube_service.sandbox.inject_fault("tiendanube", "status", status=401)
    post_thin_webhook(tiendanube_service)
    tiendanube_service.deliver_due()
    for number in (9002, 9003):
        post_thin_webhook(tiendanube_service, order_id=number)
    tiendanube_service.deliver_due()
    assert len(tiendanube_service.sandbox.requests("tiendanube")) == 1
    assert {delivery["state"] for delivery in tiendanube_service.deliveries()} == {"waiting"}
    tiendanube_service.clock.forward(61)
    tiendanube_service.drain()
    tiendanube_service.clock.forward(61)
    tiendanube_service.drain()
    assert {delivery["state"] for delivery in tiendanube_service.deliveries()} == {"delivered"}
    assert len(tiendanube_service.sandbox.orders("rayo")) == 3


def test_token_appears_in_no_url_or_response(tiendanube_service: Service) -> None:
    store_order(tiendanube_service)
    post_thin_webhook(tiendanube_service)
    tiendanube_service.drain()
    urls = [f"{request.path}?{request.query}" for request in tiendanube_service.sandbox.requests()]
    responses = tiendanube_service.api("/deliveries/1").get_data(as_text=True) + tiendanube_service.api(
        "/events/1"
    ).get_data(as_text=True)
    assert "token-de-nube" not in "".join(urls) + responses


def test_duplicate_after_the_fetch_triggers_another_fetch(tiendanube_service: Service) -> None:
    store_order(tiendanube_service)
    post_thin_webhook(tiendanube_service)
    post_thin_webhook(tiendanube_service, "order/updated")
    [claimed] = tiendanube_service.worker().claim_due()
    post_thin_webhook(tiendanube_service, "order/updated")
    assert not park_unmappable(tiendanube_service.database, claimed.delivery, [build_message("order_not_at_store")])
    deliver(tiendanube_service.runtime, claimed)
    assert state_and_reason(tiendanube_service) == ("delivered", None, 1)


def test_missing_order_counts_as_a_successful_probe(tiendanube_service: Service) -> None:
    tiendanube_service.sandbox.inject_fault("tiendanube", "status", status=401, retry_after_s=100)
    post_thin_webhook(tiendanube_service)
    tiendanube_service.deliver_due()
    store_order(tiendanube_service, id=9002, number=502)
    post_thin_webhook(tiendanube_service, order_id=8888)
    post_thin_webhook(tiendanube_service, order_id=9002)
    tiendanube_service.clock.forward(31)
    tiendanube_service.drain()
    assert [
        (delivery["order_id"], delivery["state"], delivery["reason"]) for delivery in tiendanube_service.deliveries()
    ] == [
        ("9001", "waiting", None),
        ("8888", "parked", "unmappable"),
        ("9002", "delivered", None),
    ]
