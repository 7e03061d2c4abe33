"""Amounts of a WooCommerce order: refunds, gift cards and rounding."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from mappings.money.allocation import CENT, ZERO
from mappings.order import Charge, Line, Order, Payment, Shipping


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundItem:
    """What a refund returns of one product, shipping method or fee."""

    item_id: str | None  # the id of the order's line
    quantity: int = 0
    total: Decimal  # tax included; negative for a fee that was a discount
    tax: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWithItems:
    """A refund, and what it returns of each line."""

    amount: Decimal
    items: list[RefundItem]

    def is_itemized(self, item_ids: Set[str], rounding_unit: Decimal) -> bool:
        """Return whether the items are lines of the order and add up to the amount, except for rounding."""
        if any(item.item_id not in item_ids for item in self.items):
            return False
        difference = self.amount - sum((item.total for item in self.items), ZERO)
        return abs(difference) <= rounding_unit * count_amounts(self.items)


def subtract_refunds(entry: Mapping[str, Any], refund_items: Iterable[RefundItem]) -> dict[str, Any]:
    """Return what is left of a line after refunds, with tax.

    The API's lines are those that were bought; refunds are separate. WooCommerce writes amounts without tax, whatever
    `prices_include_tax` says.
    """
    entry = dict(entry)
    item_id = entry.pop("item_id", None)
    refunded_items = [item for item in refund_items if item.item_id is not None and item.item_id == item_id]
    entry["total"] += entry.get("tax", ZERO) - sum((item.total for item in refunded_items), ZERO)
    if "tax" in entry:
        entry["tax"] -= sum((item.tax or ZERO for item in refunded_items), ZERO)
    if "quantity" in entry:
        entry["quantity"] = max(entry["quantity"] - sum(item.quantity for item in refunded_items), 0)
    return entry


def add_gift_cards(order: Order, amount: Decimal) -> Order:
    """Add what gift cards paid to the payments, and to the total if it does not include it, as the sum shows."""
    if not amount or order.parts_total == order.total:
        return order
    card_payments = [Payment(gateway="gift_card", name="Gift card", amount=amount)] if order.is_paid else []
    payments = None if order.payments is None else [*card_payments, *order.payments]
    return replace(order, total=order.total + amount, payments=payments)


def infer_rounding_unit(total: Decimal) -> Decimal:
    """Return the unit to which amounts are rounded: a peso if the shop shows no decimals, as many do in Argentina.

    https://github.com/woocommerce/woocommerce, class-wc-rest-orders-v2-controller.php, where `dp` is by default
    wc_get_price_decimals(), read 2026-11-22.
    """
    return Decimal(1) if total.as_tuple().exponent == 0 else CENT


def count_amounts(parts: Iterable[Line | Shipping | Charge | RefundItem]) -> int:
    return sum(1 if part.tax is None else 2 for part in parts)
