"""Amounts of a Shopify order: currencies, rounding, shipping and payments."""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from mappings.money.allocation import CENT, ZERO
from mappings.money.payments import remaining_payments, sole_payment
from mappings.money.refunds import (
    PurchasedLine,
    is_prorated,
)
from mappings.order import Line, Order, Payment, Shipping
from mappings.storefronts.shopify.store import ShopifyStore
from mappings.text import clean_text

#: `financial_status`: whether the money is there. What is not listed does not say ("partially_paid" is a no).
IS_PAID_BY_FINANCIAL_STATUS = {
    "paid": True,
    "partially_refunded": True,
    "refunded": True,
    "pending": False,
    "authorized": False,
    "partially_paid": False,
    "voided": False,
    "expired": False,
}


Priced = TypeVar("Priced", Line, Shipping)


def to_presentment_currency(payload: Any, store: ShopifyStore) -> Any:
    """Return an order as though the shop's currency were the customer's, where the store's `money` says so.

    Beside each amount stands a set of both: `price` and `price_set`. A tip outside the lines has none, and is left in
    the shop's currency: the sum then shows it.
    """
    if store.money == "shop" or not isinstance(payload, Mapping):
        return payload
    currency = payload.get("presentment_currency")
    if currency is None or currency == payload.get("currency"):
        return payload
    return {**replace_with_presentment(payload), "currency": currency}


def replace_with_presentment(part: Any) -> Any:
    if isinstance(part, list):
        return [replace_with_presentment(item) for item in part]
    if not isinstance(part, Mapping):
        return part
    converted = {key: replace_with_presentment(value) for key, value in part.items()}
    for key, value in part.items():
        money = value.get("presentment_money") if key.endswith("_set") and isinstance(value, Mapping) else None
        if isinstance(money, Mapping):
            converted |= {key.removesuffix("_set"): money.get("amount"), key: {**value, "shop_money": money}}
    return converted


def is_converted(data: Mapping[str, Any]) -> bool:
    """Whether the customer paid in another currency: then each figure in the shop's was converted by itself."""
    return bool(data.get("presentment_currency", data["currency"]) != data["currency"])


def with_nonnegative_total(part: Priced) -> Priced:
    """Return a part that was free in the customer's currency as free, though its converted figures leave less."""
    return replace(part, total=max(part.total, ZERO))


def max_rounding(data: Mapping[str, Any], order: Order) -> Decimal:
    """Return what rounding can leave between the figures and their total, in all.

    A line that an edit cut is reckoned here. Tax that comes on top may be rounded in one sum, and then is not what its
    lines say: https://help.shopify.com/en/manual/taxes/us/us-tax-manage#tax-rounding, read 2026-11-22.
    """
    purchased: list[PurchasedLine] = data["lines"]
    taxed: list[Line | Shipping] = [*order.lines, *order.shipping]
    # Of a cash payment. Unverified: no page says whether `total_price` holds it, so the sum decides.
    limit: Decimal = abs(data.get("rounding", ZERO))
    limit += 2 * CENT * sum(is_prorated(line, data.get("refunds", [])) for line in purchased)
    if not data.get("taxes_included") and order.tax is not None:
        unexplained_tax = abs(order.tax - sum((part.tax or ZERO for part in taxed), ZERO))
        limit += unexplained_tax if unexplained_tax <= CENT * len(taxed) else ZERO
    if is_converted(data):
        limit += CENT * (sum(line.quantity for line in purchased) + 2 * len(taxed) + len(order.charges))
    return limit


def build_shipping(method: Mapping[str, Any], *, is_tax_included: bool) -> Shipping:
    """Return what one method cost. `discounted_price` lacks discounts on the whole order, the allocations do not."""
    if discount := method.get("discount"):
        price = method["price"] - discount
    else:
        price = method.get("discounted_price", method["price"])
    tax = method.get("tax", ZERO)
    return Shipping(
        name=method.get("name"), code=method.get("code"), total=price + (ZERO if is_tax_included else tax), tax=tax
    )


def build_payments(data: Mapping[str, Any], *, total: Decimal, is_paid: bool | None) -> list[Payment] | None:
    """One gateway was paid the whole total. What each of several was paid, only the transactions say."""
    transactions = [transaction for transaction in data.get("transactions", []) if transaction is not None]
    if transactions and is_paid is not False and total != 0:
        return remaining_payments(transactions)
    gateway = sole_gateway(data.get("gateways"))
    return sole_payment(total, is_paid=is_paid, gateway=gateway, name=gateway)


def sole_gateway(gateway_names: Any) -> str | None:
    names = {clean_text(name) for name in gateway_names} if isinstance(gateway_names, list) else set()
    return names.pop() if len(names) == 1 else None


def last_digits(details: Any) -> str | None:
    """Return the last digits of the card: it is written as "•••• •••• •••• 4242"."""
    number = details.get("credit_card_number") if isinstance(details, Mapping) else None
    match = re.search(r"[0-9]{4}\s*$", number) if isinstance(number, str) else None
    return match[0].strip() if match else None
