"""A destination that ships gets what is left to ship; if nothing is left, the order is discarded with the reason."""

from typing import Any

import pytest

from tests.support.orders import shopify_order
from tests.support.service import Service

pytestmark = pytest.mark.sqlite
NOTHING_LEFT = "Nothing is left to ship: everything was sent already, is collected, or is sent by another service."


def order_with_left(quantity: int, **changes: Any) -> dict[str, Any]:
    """Return an order of which the shop has still to send `quantity` of each product."""
    order = shopify_order(**changes)
    return order | {"line_items": [line | {"fulfillable_quantity": quantity} for line in order["line_items"]]}


def test_sent_order_is_discarded_with_the_reason(service: Service) -> None:
    service.post_shopify(order_with_left(0))
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"], delivery["problems"]) == ("discarded", "filtered", [NOTHING_LEFT])
    assert service.sandbox.requests("rayo") == []


def test_order_comes_back_when_something_is_left_again(service: Service) -> None:
    service.post_shopify(order_with_left(0, updated_at="2026-11-20T10:01:00-06:00"))
    service.drain()
    service.post_shopify(order_with_left(1, updated_at="2026-11-20T10:02:00-06:00"), "orders/updated")
    service.drain()
    [order] = service.sandbox.orders("rayo")
    assert {product["cantidad"] for product in order.body["productos"]} == {1}


def test_operator_sends_it_all_the_same(service: Service) -> None:
    service.post_shopify(order_with_left(0))
    service.drain()
    delivery_id = service.only_delivery()["id"]
    preview = service.api(f"/deliveries/{delivery_id}/preview", json={}).json
    assert (preview["body"], preview["problems"]) == (None, [NOTHING_LEFT])
    service.api(f"/deliveries/{delivery_id}/retrigger", json={"force": True})
    service.drain()
    [order] = service.sandbox.orders("rayo")
    assert [product["cantidad"] for product in order.body["productos"]] == [
        line["quantity"] for line in shopify_order()["line_items"]
    ]
