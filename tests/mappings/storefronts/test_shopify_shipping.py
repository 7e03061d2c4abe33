"""What of a Shopify order is left to ship, and what the customer collects."""

from copy import deepcopy
from typing import Any

import pytest

from tests.support.mapping_cases import SAMPLES, build_body, mapping_problems, parse_order

NOTHING_LEFT = "Nothing is left to ship: everything was sent already, is collected, or is sent by another service."


@pytest.fixture
def payload() -> dict[str, Any]:
    """Two serums, three creams, and a gift card."""
    return deepcopy(SAMPLES["shopify_mx"])


def quantities(payload: dict[str, Any], **store: Any) -> list[int]:
    products = build_body(parse_order("shopify", payload, **store), "rayo").body["productos"]
    return [product["cantidad"] for product in products]


def test_what_is_left_is_shipped_and_what_was_sold_is_booked(payload: dict[str, Any]) -> None:
    payload["line_items"][1] |= {"fulfillable_quantity": 1, "fulfillment_status": "partial"}
    order = parse_order("shopify", payload)
    assert quantities(payload) == [2, 1]
    assert [line.quantity for line in order.lines] == [2, 3, 1]


def test_quantity_is_never_more_than_what_was_sold(payload: dict[str, Any]) -> None:
    payload["line_items"][1] |= {"current_quantity": 2, "fulfillable_quantity": 3}
    assert quantities(payload) == [2, 2]


def test_lines_of_another_service_are_left_to_it(payload: dict[str, Any]) -> None:
    payload["line_items"][1]["fulfillment_service"] = "printful"
    assert quantities(payload) == [2]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"fulfillment_status": "fulfilled"}, None),
        ({"fulfillments": [{"status": "success", "line_items": [{"id": 11002, "quantity": 1}]}]}, [2, 2]),
        ({"fulfillments": [{"status": "cancelled", "line_items": [{"id": 11002, "quantity": 1}]}]}, [2, 3]),
        ({"fulfillments": [{"status": "success", "line_items": [{"id": 11001, "quantity": 2}]}]}, [3]),
    ],
)
def test_parcels_tell_where_lines_do_not(
    payload: dict[str, Any], changes: dict[str, Any], expected: list[int] | None
) -> None:
    for line in payload["line_items"]:
        del line["fulfillable_quantity"]
    if expected is None:
        assert mapping_problems(parse_order("shopify", payload | changes), "rayo") == [NOTHING_LEFT]
    else:
        assert quantities(payload | changes) == expected


def test_sent_order_has_nothing_left(payload: dict[str, Any]) -> None:
    for line in payload["line_items"]:
        line["fulfillable_quantity"] = 0
    assert mapping_problems(parse_order("shopify", payload), "rayo") == [NOTHING_LEFT]


def test_store_names_methods_of_collection(payload: dict[str, Any]) -> None:
    order = parse_order("shopify", payload, pickup_methods=["estandar"])
    assert (order.is_pickup, order.pickup_name) == (True, "Envío estándar")


def test_partly_collected_order_is_a_problem(payload: dict[str, Any]) -> None:
    [method] = payload["shipping_lines"]
    free = {"price": "0.00", "discounted_price": "0.00", "tax_lines": [], "discount_allocations": []}
    payload["shipping_lines"].append(method | free | {"title": "Mostrador", "code": "Mostrador"})
    order = parse_order("shopify", payload, pickup_methods=["mostrador"])
    assert mapping_problems(order, "rayo") == [
        "A part of the order is collected (“Mostrador”) and the rest is shipped, and the storefront does not say which "
        "products."
    ]


def test_all_digital_order_is_booked_with_the_billing_address(payload: dict[str, Any]) -> None:
    for line in payload["line_items"]:
        line |= {"requires_shipping": False, "sku": "CURSO"}
    order = parse_order("shopify", payload | {"shipping_address": None})
    assert mapping_problems(order, "rayo") == ["The order has nothing to ship: none of its products is shipped."]
    body = build_body(order, "centelar", currency="MXN", last_name_missing="-").body
    assert body["shipping_address"] == body["billing_address"]
