"""Which methods of a WooCommerce order are collections, what each carries, and what the shop has sent already."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mappings.order import Order
from mappings.problems import Problem
from mappings.text import clean_text

#: `method_id` of shipping lines for orders that the customer collects.
PICKUP_METHODS = frozenset(
    {
        # https://github.com/woocommerce/woocommerce: `woocommerce_local_pickup_methods` in class-wc-order.php, and the
        # block checkout's PickupLocation.php. Read 2026-11-30.
        "local_pickup",
        "legacy_local_pickup",
        "pickup_location",
        # https://woocommerce.com/products/local-pickup-plus/, read 2026-11-30.
        "local_pickup_plus",
        # https://wordpress.org/plugins/wc-pickup-store/, read 2026-11-30.
        "wc_pickup_store",
        # Unverified: an older plug-in's method, whose page is gone.
        "wc_local_pickup",
    }
)
#: Where a shipping line has the branch: the block checkout, and Local Pickup Plus.
BRANCH_PATHS = ("meta_data:pickup_location", "meta_data:_pickup_location_name")
#: `created_via` of orders that the customer placed. A cart with anything to ship then has a shipping line:
#: https://github.com/woocommerce/woocommerce, class-wc-checkout.php and src/StoreApi, read 2026-11-30.
CHECKOUTS = {"checkout", "store-api"}
#: A product in a package: class-wc-shipping-method.php, add_rate(), writes "Name &times; 2, Other &times; 1" under a
#: key in the shop's language. Read 2026-11-30.
PACKAGE_ITEM = re.compile(r"(.+?) \u00d7 (\d{1,9})(?:, |$)")
#: `_fulfillment_status` in the order's meta data since 10.1: src/Admin/Features/Fulfillments/FulfillmentUtils.php,
#: read 2026-11-30.
FULFILLED, PARTLY_FULFILLED = "fulfilled", "partially_fulfilled"


def parse_package(meta_data: Any) -> tuple[tuple[str, int], ...] | None:
    """Return the name and quantity of each product in a shipping line; None if it does not say."""
    for entry in meta_data if isinstance(meta_data, list) else ():
        value = entry.get("value") if isinstance(entry, Mapping) else None
        text = clean_text(value, is_escaped=True) if isinstance(value, str) else None
        items = PACKAGE_ITEM.findall(text) if text else []
        if text and items and "".join(f"{name} \u00d7 {quantity}, " for name, quantity in items) == f"{text}, ":
            return tuple((name, int(quantity)) for name, quantity in items)
    return None


def mark_virtual(order: Order, *, created_via: str | None, has_shipping_address: bool) -> Order:
    """Return the order with nothing to ship if the shop says that everything in it is virtual.

    It then has no shipping line: the classic checkout also leaves the shipping address blank.
    """
    if order.shipping or (has_shipping_address and created_via not in CHECKOUTS):
        return order
    return replace(order, ship_to=None, lines=[replace(line, is_shippable=False) for line in order.lines])


def mark_sent(order: Order, *, status: str | None, fulfillment_status: str | None, completed: str) -> Order:
    """Return the order with what the shop has sent already.

    Args:
        completed: the store's setting.
    """
    if fulfillment_status == PARTLY_FULFILLED:
        # The webhook does not say which products are in the fulfilments.
        return replace(order, unknown_to_ship=[*order.unknown_to_ship, Problem(code="partly_sent")])
    is_completed = status == "completed" and completed == "sent"
    if not is_completed and fulfillment_status != FULFILLED:
        return order
    return replace(
        order,
        lines=[replace(line, quantity_fulfilled=line.quantity) for line in order.lines],
        sent_reason=Problem(code="woocommerce_completed") if is_completed else None,
        unknown_to_ship=[],
    )
