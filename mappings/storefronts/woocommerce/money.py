"""Amounts of a WooCommerce order: refunds, gift cards, wallets, store credit and rounding."""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from mappings.money.allocation import CENT, ZERO, allocate, apply_to_lines, round_to_cent
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
    has_items: bool  # False: a webhook's, which says only how much was refunded

    def is_readable(self, item_ids: Set[str], rounding_unit: Decimal) -> bool:
        """Return whether it is known what was refunded.

        Every returned unit must be of a line of the order, and the items must not contradict the amount.
        """
        if not self.has_items:
            return self.amount == 0
        is_known = all(item.item_id in item_ids for item in self.items if item.quantity)
        return is_known and self.unallocated(item_ids, rounding_unit) <= self.amount

    def unallocated(self, item_ids: Set[str], rounding_unit: Decimal) -> Decimal:
        """Return what was refunded of no line: shops refund a sum, and name no product. Zero if it is only rounding.

        Negative if the shop refunded less than the lines cost.
        """
        items = [item for item in self.items if item.item_id in item_ids]
        difference = self.amount - sum((item.total for item in items), ZERO)
        return difference if abs(difference) > rounding_unit * count_amounts(items) else ZERO


def subtract_refunds(entry: Mapping[str, Any], refund_items: Iterable[RefundItem]) -> dict[str, Any]:
    """Return what is left of a line after refunds, with tax.

    The API's lines are those that were bought; refunds are separate. WooCommerce writes amounts without tax, whatever
    `prices_include_tax` says.
    """
    entry = {key: value for key, value in entry.items() if key not in {"subtotal", "subtotal_tax", "payment_key"}}
    item_id = entry.pop("item_id", None)
    refunded_items = [item for item in refund_items if item.item_id is not None and item.item_id == item_id]
    entry["total"] += entry.get("tax", ZERO) - sum((item.total for item in refunded_items), ZERO)
    if "tax" in entry:
        entry["tax"] -= sum((item.tax or ZERO for item in refunded_items), ZERO)
    if "quantity" in entry:
        entry["quantity"] = max(entry["quantity"] - sum(item.quantity for item in refunded_items), 0)
    return entry


#: The keys of the fees below zero by which plug-ins write what a wallet, store credit or gift card paid: TeraWallet's
#: `_via_wallet_partial_payment`, https://github.com/malsubrata/woo-wallet, includes/class-woo-wallet-frontend.php, and
#: `via_wallet_partial_payment`, https://github.com/wpswings/wallet-system-for-woocommerce. Read 2026-11-30.
# Unverified: that plug-ins of points of sale have "store_credit" or "gift_card" in theirs.
PAYMENT_FEE_KEY = re.compile(r"wallet_partial_payment|store_credit|gift_card")
#: TeraWallet knows its fee by this name as well, where the key is missing (is_partial_payment_order_item).
WALLET_FEE_NAME = "via wallet"
#: The type of the coupons of https://woocommerce.com/products/smart-coupons that are store credit, as
#: https://github.com/wcpos/wcpos-storeapps-smart-coupons knows them, read 2026-11-30.
STORE_CREDIT_COUPON = "smart_coupon"


def find_payment_key(fee: Mapping[str, Any]) -> str | None:
    """Return the key of a fee that is a payment; None if it is a fee.

    Args:
        fee: with `name`, `total` and `meta_data`.
    """
    if fee["total"] >= 0:
        return None
    items = list_metas(fee.get("meta_data"))
    legacy_keys = [item.get("value") for item in items if item.get("key") == "_legacy_fee_key"]
    for key in (*legacy_keys, *(item.get("key") for item in items)):
        if isinstance(key, str) and PAYMENT_FEE_KEY.search(key):
            return key
    return "_via_wallet_partial_payment" if (fee.get("name") or "").casefold() == WALLET_FEE_NAME else None


def list_metas(items: Any) -> list[Mapping[str, Any]]:
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def meta_values(items: Any, key: str) -> list[Mapping[str, Any]]:
    """Return the objects that meta data has under a key."""
    values = [item.get("value") for item in list_metas(items) if item.get("key") == key]
    return [value for value in values if isinstance(value, Mapping)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    kind: str | None = None
    discount: Decimal = ZERO  # without tax; a point of sale may write it below zero
    discount_tax: Decimal = ZERO

    @property
    def is_store_credit(self) -> bool:
        return self.kind == STORE_CREDIT_COUPON

    @property
    def total(self) -> Decimal:
        return abs(self.discount) + abs(self.discount_tax)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """What a wallet, store credit and gift cards paid."""

    off_total: list[Payment] = field(default_factory=list)  # the total does not include it
    unclear: list[Payment] = field(default_factory=list)  # whether the total includes it, only the sum shows
    tax: Decimal = ZERO  # that it took off the order's tax


def separate_credit(data: dict[str, Any], refund_items: Sequence[RefundItem]) -> tuple[dict[str, Any], Credit]:
    """Return the order's loaded fields as if it had been paid in money alone, and what was paid in credit."""
    gift_cards = data.get("gift_cards", ZERO) + data.get("pw_gift_cards", ZERO)
    unclear = [Payment(gateway="gift_card", name="Gift card", amount=gift_cards)]
    fees: list[dict[str, Any]] = data.get("charges", [])
    off_total, tax = [], ZERO
    for fee in fees:
        if fee["payment_key"]:
            remaining = subtract_refunds(fee, refund_items)
            off_total.append(Payment(gateway=fee["payment_key"], name=fee.get("name"), amount=-remaining["total"]))
            tax -= remaining.get("tax", ZERO)
    coupons: list[Coupon] = data.get("coupons", [])
    lines, discounts = restore_store_credit(data["lines"], coupons)
    if discounts:  # what was paid for returned products is credit again
        unreturned = [
            discount
            for line, discount in zip(lines, discounts, strict=True)
            if subtract_refunds(line, refund_items)["quantity"]
        ]
        amount = sum((discount.total for discount in unreturned), ZERO)
        off_total.append(Payment(gateway=STORE_CREDIT_COUPON, name="Store credit", amount=amount))
        tax += sum((discount.tax for discount in unreturned), ZERO)
    else:
        amount = sum((coupon.total for coupon in coupons if coupon.is_store_credit), ZERO)
        unclear.append(Payment(gateway=STORE_CREDIT_COUPON, name="Store credit", amount=amount))
    charges = [fee for fee in fees if not fee["payment_key"]]
    return {**data, "lines": lines, "charges": charges}, Credit(off_total=off_total, unclear=unclear, tax=tax)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDiscount:
    total: Decimal  # tax included
    tax: Decimal


def restore_store_credit(
    lines: list[dict[str, Any]], coupons: Sequence[Coupon]
) -> tuple[list[dict[str, Any]], list[LineDiscount]]:
    """Return the lines without the discount by which store credit was applied before tax, and the discounts.

    Applied after tax, which is the default, store credit leaves the lines as they are, and lowers only the order's
    total. Then there are no discounts.
    """
    nets = [line.get("subtotal", line["total"]) - line["total"] for line in lines]
    taxes = [line.get("subtotal_tax", line.get("tax", ZERO)) - line.get("tax", ZERO) for line in lines]
    credit = sum((abs(coupon.discount) for coupon in coupons if coupon.is_store_credit), ZERO)
    credit_tax = sum((abs(coupon.discount_tax) for coupon in coupons if coupon.is_store_credit), ZERO)
    is_before_tax = credit and sum(nets, ZERO) >= sum((abs(coupon.discount) for coupon in coupons), ZERO)
    if not is_before_tax or min(*nets, *taxes) < 0:
        return lines, []
    restored, discounts = [], []
    for line, net, tax in zip(lines, allocate(credit, nets), allocate(credit_tax, taxes), strict=True):
        restored.append({**line, "total": line["total"] + net, "tax": line.get("tax", ZERO) + tax})
        discounts.append(LineDiscount(total=net + tax, tax=tax))
    return restored, discounts


def add_credit(order: Order, credit: Credit) -> Order:
    """Add what was paid in credit to the payments, and to the total where that does not include it."""
    payments = [payment for payment in credit.off_total if payment.amount]
    total = order.total + sum((payment.amount for payment in payments), ZERO)
    unclear = [payment for payment in credit.unclear if payment.amount]
    unclear_total = sum((payment.amount for payment in unclear), ZERO)
    if abs(order.parts_total - total - unclear_total) < abs(order.parts_total - total):
        payments, total = [*unclear, *payments], total + unclear_total
    if not payments:
        return order
    return replace(
        order,
        total=total,
        tax=None if order.tax is None else order.tax + credit.tax,
        payments=None if order.payments is None else [*(payments if order.is_paid else []), *order.payments],
    )


def subtract_refund_of_no_line(order: Order, amount: Decimal) -> Order:
    """Subtract a refund that the total already excludes from the products, in proportion to what each costs."""
    reduced = apply_to_lines(order, -amount) if amount > 0 else None
    if reduced is None:
        return order
    tax = None if order.tax is None else order.tax - round_to_cent(order.tax * amount / order.parts_total)
    return replace(reduced, unallocated_refund=amount, tax=tax)


def infer_rounding_unit(total: Decimal) -> Decimal:
    """Return the unit to which amounts are rounded: a peso if the shop shows no decimals, as many do in Argentina.

    https://github.com/woocommerce/woocommerce, class-wc-rest-orders-v2-controller.php, where `dp` is by default
    wc_get_price_decimals(), read 2026-11-22.
    """
    return Decimal(1) if total.as_tuple().exponent == 0 else CENT


def count_amounts(parts: Iterable[Line | Shipping | Charge | RefundItem]) -> int:
    return sum(1 if part.tax is None else 2 for part in parts)
