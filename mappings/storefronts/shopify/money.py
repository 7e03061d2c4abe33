"""Amounts of a Shopify order: currencies, rounding, shipping and payments."""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from mappings.money.allocation import CENT, ZERO
from mappings.money.payments import remaining_payments, sole_payment
from mappings.money.refunds import PurchasedLine, is_prorated
from mappings.order import Line, Order, Payment, Shipping
from mappings.storefronts.shopify.store import ShopifyStore
from mappings.text import clean_text

#: Whether an order is paid, by its `financial_status`. Any other status is a problem.
#: https://shopify.dev/docs/api/admin-rest/latest/resources/order and
#: https://shopify.dev/docs/api/admin-graphql/latest/enums/OrderDisplayFinancialStatus, read 2026-11-21.
IS_PAID_BY_FINANCIAL_STATUS = {
    "paid": True,
    "partially_refunded": True,
    "refunded": False,
    "pending": False,
    "authorized": False,
    "partially_paid": False,
    "voided": False,
    "expired": False,
}
#: The order is not sent, whatever topics a route lists.
RETURNED_STATUSES = {"refunded", "voided"}

Priced = TypeVar("Priced", Line, Shipping)


def to_presentment_currency(payload: Any, store: ShopifyStore) -> Any:
    """Return the order in the customer's currency if the store's `money` is “presentment”.

    Each amount has a set with both currencies: `price` and `price_set`. A tip outside the lines has none. It stays in
    the shop's currency, and the order then does not add up.
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
    """Return whether the customer paid in another currency. Shopify then converted each amount separately."""
    return bool(data.get("presentment_currency", data["currency"]) != data["currency"])


def with_nonnegative_total(part: Priced) -> Priced:
    """Return a part with its total not below zero: converted amounts may leave less of a part that was free."""
    return replace(part, total=max(part.total, ZERO))


def max_rounding(data: Mapping[str, Any], order: Order) -> Decimal:
    """Return the largest difference that rounding can cause between the parts of an order and its total.

    It includes the prorated amounts of a line that an edit reduced. Tax that is added to prices may be rounded once per
    order, and then differs from the sum of its lines:
    https://help.shopify.com/en/manual/taxes/us/us-tax-manage#tax-rounding, read 2026-11-22.
    """
    purchased: list[PurchasedLine] = data["lines"]
    taxed: list[Line | Shipping] = [*order.lines, *order.shipping]
    # Rounding of a cash payment. Unverified: no page says whether `total_price` includes it, so the sum decides.
    limit: Decimal = abs(data.get("rounding", ZERO))
    limit += 2 * CENT * sum(is_prorated(line, data.get("refunds", [])) for line in purchased)
    if not data.get("taxes_included") and order.tax is not None:
        unexplained_tax = abs(order.tax - sum((part.tax or ZERO for part in taxed), ZERO))
        limit += unexplained_tax if unexplained_tax <= CENT * len(taxed) else ZERO
    if is_converted(data):
        limit += CENT * (sum(line.quantity for line in purchased) + 2 * len(taxed) + len(order.charges))
    return limit


def build_shipping(method: Mapping[str, Any], *, is_tax_included: bool) -> Shipping:
    """Return the cost of one shipping method.

    The discount allocations include discounts on the whole order; `discounted_price` does not.
    """
    if discount := method.get("discount"):
        price = method["price"] - discount
    else:
        price = method.get("discounted_price", method["price"])
    tax = method.get("tax", ZERO)
    return Shipping(
        name=method.get("name"), code=method.get("code"), total=price + (ZERO if is_tax_included else tax), tax=tax
    )


def build_payments(data: Mapping[str, Any], *, total: Decimal, is_paid: bool | None) -> list[Payment] | None:
    """Return the payments. If several gateways were paid, only the transactions say how much each received."""
    transactions = [transaction for transaction in data.get("transactions", []) if transaction is not None]
    if transactions and is_paid is not False and total != 0:
        return remaining_payments(transactions)
    gateway = sole_gateway(data.get("gateways"))
    return sole_payment(total, is_paid=is_paid, gateway=gateway, name=gateway)


def sole_gateway(gateway_names: Any) -> str | None:
    names = {clean_text(name) for name in gateway_names} if isinstance(gateway_names, list) else set()
    return names.pop() if len(names) == 1 else None


def last_digits(details: Any) -> str | None:
    """Return the last four digits of the card, which Shopify writes as "•••• •••• •••• 4242"."""
    number = details.get("credit_card_number") if isinstance(details, Mapping) else None
    match = re.search(r"[0-9]{4}\s*$", number) if isinstance(number, str) else None
    return match[0].strip() if match else None
