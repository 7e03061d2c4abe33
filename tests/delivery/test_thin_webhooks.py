"""Thin webhooks: the worker fetches the order, duplicates fetch it again, and other shops' webhooks are refused."""

from collections.abc import Callable
from typing import Any

import pytest

from connector.core.messages import build_message
from connector.database.deliveries import park_unmappable
from connector.delivery.deliver import deliver
from connector.sandbox.server import SandboxServer
from tests.support.service import Service
from tests.support.thin_webhooks import SHOP, THIN_CONFIGURATION, nube_order, post, put


def told(service: Service) -> tuple[Any, ...]:
    [delivery] = service.deliveries()
    return delivery["state"], delivery["reason"], delivery["attempts"]


@pytest.fixture
def nube(open_service: Callable[..., Service], sandbox: SandboxServer) -> Service:
    return open_service(text=THIN_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))


WITHOUT_COLONIA = {"shipping_address": nube_order()["shipping_address"] | {"locality": None}}


def test_the_order_is_fetched_and_arrives(nube: Service) -> None:
    put(nube)
    assert post(nube).json["status"] == "accepted"
    assert nube.sandbox.requests("tiendanube") == []  # no request is made before the webhook is answered
    nube.drain()
    [order] = nube.sandbox.orders("rayo")
    assert order.body["consumidor_destino"]["colonia"] == "Americana"
    assert told(nube) == ("delivered", None, 1)
    assert nube.only_delivery()["order_number"] == "501"


def test_another_shops_webhook_is_refused_though_the_apps_secret_signed_it(nube: Service) -> None:
    answer = post(nube, shop=SHOP + 1)
    assert answer.status_code == 401
    assert nube.api("/events").json["items"] == []


def test_a_repeat_is_a_duplicate_and_fetches_what_may_have_changed(nube: Service) -> None:
    put(nube, **WITHOUT_COLONIA)
    post(nube)
    post(nube, "order/updated")
    nube.drain()
    assert told(nube) == ("parked", "unmappable", 0)
    put(nube)
    assert post(nube, "order/updated").json["status"] == "duplicate"
    nube.drain()
    assert told(nube) == ("delivered", None, 1)


def test_a_repeat_after_delivery_sends_nothing(nube: Service) -> None:
    put(nube)
    post(nube)
    nube.drain()
    for _ in range(3):
        post(nube, "order/updated")
        nube.drain()
    assert len(nube.sandbox.orders("rayo")) == 1
    assert len(nube.sandbox.requests("tiendanube")) == 1


def test_an_order_said_to_be_paid_that_is_not_waits_until_it_is(nube: Service) -> None:
    put(nube, payment_status="pending")
    post(nube)
    nube.drain()
    assert told(nube) == ("discarded", "filtered", 0)
    put(nube)
    post(nube)
    nube.drain()
    assert told(nube) == ("delivered", None, 1)


def test_an_order_that_the_shop_cancelled_meanwhile_is_discarded(nube: Service) -> None:
    put(nube, status="cancelled", cancelled_at="2026-11-20T13:00:00+0000")
    post(nube)
    nube.drain()
    assert told(nube) == ("discarded", "cancelled", 0)
    assert nube.sandbox.orders() == []


def test_an_order_that_is_not_there_is_unmappable(nube: Service) -> None:
    post(nube)
    nube.drain()
    assert told(nube) == ("parked", "unmappable", 0)
    assert nube.only_delivery()["problems"] == ["The order is not at the store any more (404)."]


@pytest.mark.parametrize(
    ("fault", "options"),
    [("status", {"status": 500}), ("status", {"status": 429}), ("drop_after_reading", {}), ("garbage_json", {})],
)
def test_a_fetch_that_fails_is_repeated(nube: Service, fault: str, options: dict[str, Any]) -> None:
    put(nube)
    nube.sandbox.inject_fault("tiendanube", fault, **options)
    post(nube)
    nube.deliver_due()
    assert told(nube) == ("waiting", None, 1)
    nube.clock.forward(60)
    nube.drain()
    assert told(nube) == ("delivered", None, 2)
    assert len(nube.sandbox.orders("rayo")) == 1


def test_a_store_that_refuses_the_token_is_left_alone_until_a_probe_passes(nube: Service) -> None:
    for number in (9001, 9002, 9003):
        put(nube, id=number)
    nube.sandbox.inject_fault("tiendanube", "status", status=401)
    post(nube)
    nube.deliver_due()
    for number in (9002, 9003):
        post(nube, order_id=number)
    nube.deliver_due()
    assert len(nube.sandbox.requests("tiendanube")) == 1
    assert {delivery["state"] for delivery in nube.deliveries()} == {"waiting"}
    nube.clock.forward(61)
    nube.drain()
    nube.clock.forward(61)
    nube.drain()
    assert {delivery["state"] for delivery in nube.deliveries()} == {"delivered"}
    assert len(nube.sandbox.orders("rayo")) == 3


def test_the_token_is_in_no_url_and_in_no_answer_of_ours(nube: Service) -> None:
    put(nube)
    post(nube)
    nube.drain()
    seen = [f"{request.path}?{request.query}" for request in nube.sandbox.requests()]
    shown = nube.api("/deliveries/1").get_data(as_text=True) + nube.api("/events/1").get_data(as_text=True)
    assert "token-de-nube" not in "".join(seen) + shown


def test_a_repeat_that_comes_after_the_fetch_makes_it_fetched_again(nube: Service) -> None:
    put(nube)
    post(nube)
    post(nube, "order/updated")
    [claimed] = nube.worker().claim_due()
    post(nube, "order/updated")
    assert not park_unmappable(nube.database, claimed.delivery, [build_message("order_not_at_store")])
    deliver(nube.runtime, claimed)
    assert told(nube) == ("delivered", None, 1)


def test_an_order_that_is_gone_shows_that_its_store_answers_again(nube: Service) -> None:
    nube.sandbox.inject_fault("tiendanube", "status", status=401, retry_after_s=100)
    post(nube)
    nube.deliver_due()
    put(nube, id=9002, number=502)
    post(nube, order_id=8888)
    post(nube, order_id=9002)
    nube.clock.forward(31)
    nube.drain()
    assert [(one["order_id"], one["state"], one["reason"]) for one in nube.deliveries()] == [
        ("9001", "waiting", None),
        ("8888", "parked", "unmappable"),
        ("9002", "delivered", None),
    ]
