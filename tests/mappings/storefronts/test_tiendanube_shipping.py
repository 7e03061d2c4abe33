"""What of a Tiendanube order is left to ship."""

from copy import deepcopy
from typing import Any

import pytest

from mappings.order import Order
from tests.support.mapping_cases import SAMPLES, build_body, mapping_problems, parse_order

NOTHING_LEFT = "Nothing is left to ship: everything was sent already, is collected, or is sent by another service."
PARTLY_SENT = "A part of the order was sent already, and the storefront does not say which products."
COFFEE, FILTER = 2055001101, 2055001102


def tiendanube_order(**changes: Any) -> Order:
    """Return an order of three coffees and a filter."""
    return parse_order("tiendanube", deepcopy(SAMPLES["tiendanube_mx"]) | changes)


def shipment(status: str, *items: tuple[Any, int], type_: str = "ship") -> dict[str, Any]:
    lines = [{"external_id": line_id, "quantity": quantity} for line_id, quantity in items]
    return {"id": "01F", "status": status, "shipping": {"type": type_}, "line_items": lines}


@pytest.mark.parametrize("status", ["shipped", "fulfilled", "delivered"])
def test_sent_order_has_nothing_left(status: str) -> None:
    order = tiendanube_order(shipping_status=status)
    assert mapping_problems(order, "rayo") == [NOTHING_LEFT]
    assert [line.quantity for line in order.lines] == [3, 1]


@pytest.mark.parametrize("status", ["unpacked", "packed", "unshipped", "unfulfilled", None])
def test_packed_order_is_still_to_be_sent(status: str | None) -> None:
    assert mapping_problems(tiendanube_order(shipping_status=status), "rayo") == []


def test_partly_sent_order_without_shipments_is_a_problem() -> None:
    order = tiendanube_order(shipping_status="partially_fulfilled", fulfillments=["01F", "01G"])
    assert mapping_problems(order, "rayo") == [PARTLY_SENT]


@pytest.mark.parametrize("key", ["fulfillments", "fulfillment_orders"])
def test_shipments_say_what_is_left(key: str) -> None:
    sent = [
        shipment("DISPATCHED", (COFFEE, 2)),
        shipment("UNPACKED", (COFFEE, 1)),
        shipment("CANCELLED", (FILTER, 1)),
        shipment("PACKED", (FILTER, 1), type_="pickup"),
    ]
    order = tiendanube_order(shipping_status="partially_fulfilled", shipping_pickup_type="pickup", **{key: sent})
    products = build_body(order, "rayo").body["productos"]
    assert products == [{"identificador": "CAFE-COA-500", "cantidad": 1}]


def test_shipment_of_an_unknown_product_is_a_problem() -> None:
    shipments = [shipment("DISPATCHED", ("otro", 2)), shipment("UNPACKED", (FILTER, 1))]
    assert mapping_problems(tiendanube_order(fulfillments=shipments), "rayo") == [PARTLY_SENT]


def test_order_of_collected_shipments_only_is_a_pickup() -> None:
    order = tiendanube_order(
        fulfillments=[shipment("PACKED", (COFFEE, 3), type_="pickup"), shipment("PACKED", (FILTER, 1), type_="pickup")]
    )
    assert order.is_pickup is True
