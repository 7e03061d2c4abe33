"""What the customer paid for shipping, the order's shipments, and what the shop has sent already."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from marshmallow import fields, post_load

from mappings.fields import Quantity, Text
from mappings.order import Order, Shipping
from mappings.problems import Problem
from mappings.schema import StorefrontSchema
from mappings.shipments import Shipment, ShipmentItem, subtract_shipments

#: `shipping_status` of an order that was sent, and of one of which a part was. "unpacked", "unshipped", "unfulfilled"
#: and "packed" say that nothing was. https://tiendanube.github.io/api-documentation/resources/order, read 2026-11-30.
#: Unverified: "delivered" and those that begin with "partially".
SENT_STATUSES = {"shipped", "fulfilled", "delivered"}
PARTLY_SENT_STATUSES = {"partially_shipped", "partially_fulfilled", "partially_delivered"}
#: `status` of a shipment that has left, and of one that never will.
#: https://tiendanube.github.io/api-documentation/resources/fulfillment-order, read 2026-11-30.
SENT_SHIPMENT_STATUSES = {"dispatched", "marked_as_fulfilled", "delivered", "not_delivered"}
CANCELLED_SHIPMENT = "cancelled"


class TiendanubeShipmentItemSchema(StorefrontSchema):
    """A product of a shipment. Unverified: which of these names the order's product."""

    model = ShipmentItem

    id = Text()
    line_item_id = Text()
    external_id = Text()
    sku = Text()
    quantity = Quantity(minimum=0, required=True)

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> ShipmentItem:
        return ShipmentItem(quantity=data.pop("quantity"), references=frozenset(data.values()))


class TiendanubeShippingTypeSchema(StorefrontSchema):
    model = dict

    type = Text()


class TiendanubeShipmentSchema(StorefrontSchema):
    """A part of the order that goes its own way, which the page calls a fulfillment order."""

    model = Shipment

    status = Text()
    shipping = fields.Nested(TiendanubeShippingTypeSchema)
    line_items = fields.List(fields.Nested(TiendanubeShipmentItemSchema), attribute="items")

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Shipment | None:
        """Return the shipment; None for one that was cancelled."""
        status = data.get("status", "").casefold()
        if status == CANCELLED_SHIPMENT:
            return None
        return Shipment(
            is_sent=status in SENT_SHIPMENT_STATUSES,
            is_collected=data.get("shipping", {}).get("type") == "pickup",
            items=data.get("items", []),
        )


def build_shipping_list(data: Mapping[str, Any]) -> list[Shipping]:
    """Return what the customer paid for shipping; 0 if it was free.

    An order that is shipped from several locations has only the cost of its first shipment, and does not add up
    (https://tiendanube.github.io/api-documentation/guides/multi-inventory, read 2026-11-21).
    """
    if "shipping_cost" not in data:
        return []
    return [
        Shipping(name=data.get("shipping_option"), code=data.get("shipping_option_code"), total=data["shipping_cost"])
    ]


def mark_sent(order: Order, shipments: Sequence[Shipment], shipping_status: str) -> Order:
    """Return the order with what the shop has sent already."""
    if shipping_status in SENT_STATUSES:
        return replace(order, lines=[replace(line, quantity_fulfilled=line.quantity) for line in order.lines])
    if len(shipments) == 1 and shipments[0].is_collected and not shipments[0].is_sent:
        return order  # `is_pickup` says it
    order = subtract_shipments(order, shipments)
    is_explained = any(line.quantity_fulfilled for line in order.lines) or order.unknown_to_ship
    if shipping_status in PARTLY_SENT_STATUSES and not is_explained:
        return replace(order, unknown_to_ship=[Problem(code="partly_sent")])
    return order
