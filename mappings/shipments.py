"""What is left to ship of an order that a storefront splits into shipments."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mappings.order import Order
from mappings.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentItem:
    references: frozenset[str]  # whatever may name the order's line: its id, or the SKU
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """A part of an order that goes its own way."""

    is_sent: bool
    is_collected: bool
    items: list[ShipmentItem] = field(default_factory=list)


def subtract_shipments(order: Order, shipments: Sequence[Shipment]) -> Order:
    """Return the order without what was sent or is collected.

    If a product of those shipments cannot be found among the lines, it is not known what is left to ship.
    """
    gone = [shipment for shipment in shipments if shipment.is_sent or shipment.is_collected]
    if not gone:
        return order
    if len(gone) == len(shipments):
        lines = [replace(line, quantity_fulfilled=line.quantity) for line in order.lines]
        return replace(order, lines=lines)
    units: dict[int, int] = {}
    for item in (item for shipment in gone for item in shipment.items):
        matches = [
            index for index, line in enumerate(order.lines) if item.references & {line.line_id or "", line.sku or ""}
        ]
        if len(matches) != 1:
            return replace(order, unknown_to_ship=[Problem(code="partly_sent")])
        units[matches[0]] = units.get(matches[0], 0) + item.quantity
    if not all(shipment.items for shipment in gone):
        return replace(order, unknown_to_ship=[Problem(code="partly_sent")])
    lines = [
        replace(line, quantity_fulfilled=min(units.get(index, 0), line.quantity))
        for index, line in enumerate(order.lines)
    ]
    return replace(order, lines=lines)
