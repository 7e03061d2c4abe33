"""Orders with Shopify's arithmetic: amounts in cents, discounts by line, tax included or added, separate refunds.

Sources: https://shopify.dev/docs/api/admin-rest/latest/resources/order and …/refund, read 2026-11-22.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from tests.support.shops.placed import (
    PARTS,
    PRICES,
    QUANTITIES,
    RATES,
    GeneratedOrder,
    fraction_of,
    half_up,
    money_text,
)

GATEWAYS = ["mercado_pago", "gift_card", "shopify_store_credit", "shopify_payments"]


@dataclass(frozen=True, kw_only=True)
class Money:
    """Writes an amount as Shopify does: in the shop's currency, and in both in a set."""

    shop: str = "ARS"
    customer: str = "ARS"
    rate: Fraction = Fraction(1)  # the shop's currency for one of the customer's

    def in_shop(self, cents: int) -> int:
        return half_up(cents * self.rate)

    def both(self, name: str, cents: int) -> dict[str, Any]:
        return {name: money_text(self.in_shop(cents)), **self.set(name, cents)}

    def set(self, name: str, cents: int) -> dict[str, Any]:
        return {
            f"{name}_set": {
                "shop_money": {"amount": money_text(self.in_shop(cents)), "currency_code": self.shop},
                "presentment_money": {"amount": money_text(cents), "currency_code": self.customer},
            }
        }

    def listed(self, name: str, amounts: list[int]) -> list[dict[str, Any]]:
        return [self.both(name, amount) for amount in amounts]


@dataclass(frozen=True, kw_only=True)
class SoldLine:
    """A purchased line and what remains of it, in the customer's cents."""

    written: dict[str, Any]
    refunded: dict[str, Any] | None
    bought: int  # with tax
    left: int
    tax: int
    tax_left: int
    exact_tax: Fraction
    units_left: int


def tax_of(net: int, rate: int, *, included: bool) -> Fraction:
    return Fraction(net * rate, 1000 + rate if included else 1000)


@st.composite
def lines(draw: st.DrawFn, number: int, money: Money, *, included: bool, may_be_edited: bool) -> SoldLine:
    price, quantity, rate = draw(PRICES), draw(QUANTITIES), draw(RATES)
    discounts = []
    net = price * quantity
    for hundredths in draw(st.lists(PARTS, max_size=2)):
        discounts.append(fraction_of(net, hundredths))
        net -= discounts[-1]
    exact_tax = tax_of(net, rate, included=included)
    tax = half_up(exact_tax)
    bought = net if included else net + tax
    refunded_units = draw(st.one_of(st.just(0), st.integers(0, quantity)))
    remaining_units = quantity - refunded_units
    net_back, tax_back = (
        half_up(Fraction(net * refunded_units, quantity)),
        half_up(Fraction(tax * refunded_units, quantity)),
    )
    refunded = None
    if refunded_units and may_be_edited and remaining_units and draw(st.booleans()):
        # An edit: no refund tells of it, and the discount that stays is what Shopify rounds it to.
        remaining_discount = (
            half_up(Fraction(sum(discounts) * remaining_units, quantity)) if rate == 0 or included else None
        )
        if remaining_discount is not None:
            net_back = net - (price * remaining_units - remaining_discount)
            tax_back = tax - half_up(tax_of(net - net_back, rate, included=included))
    elif refunded_units:
        refunded = {
            "line_item_id": 7000 + number,
            "quantity": refunded_units,
            **money.both("subtotal", net_back),
            **money.both("total_tax", tax_back),
        }
    line_payload = {
        "id": 7000 + number,
        "name": f"Producto {number}",
        "sku": f"SKU-{number}",
        "quantity": quantity,
        "current_quantity": remaining_units,
        **money.both("price", price),
        **money.both("total_discount", 0),
        "discount_allocations": money.listed("amount", discounts),
        "tax_lines": money.listed("price", [tax]),
        "requires_shipping": True,
    }
    return SoldLine(
        written=line_payload,
        refunded=refunded,
        bought=bought,
        left=bought - net_back - (0 if included else tax_back),
        tax=tax,
        tax_left=tax - tax_back,
        exact_tax=exact_tax,
        units_left=remaining_units,
    )


def tip_line(cents: int, money: Money) -> dict[str, Any]:
    """As https://community.shopify.com/t/topic/410117 shows one, read 2026-11-22."""
    return {
        "id": 7900,
        "name": "Tip",
        "sku": None,
        "quantity": 1,
        "current_quantity": 1,
        **money.both("price", cents),
        "tip": {"payment_method": None, "payment_gateway": None},
        "discount_allocations": [],
        "tax_lines": [],
        "requires_shipping": False,
    }


@st.composite
def shipping(
    draw: st.DrawFn, number: int, money: Money, *, included: bool
) -> tuple[dict[str, Any], int, int, Fraction]:
    price, rate = draw(PRICES), draw(RATES)
    discount = fraction_of(price, draw(PARTS)) if draw(st.booleans()) else 0
    exact_tax = tax_of(price - discount, rate, included=included)
    tax = half_up(exact_tax)
    method_payload = {
        "id": 8000 + number,
        "title": "Correo",
        "code": "correo",
        **money.both("price", price),
        **money.both("discounted_price", price),
        "discount_allocations": money.listed("amount", [discount] if discount else []),
        "tax_lines": money.listed("price", [tax]),
        "is_removed": False,
    }
    return method_payload, price - discount + (0 if included else tax), tax, exact_tax


@st.composite
def shopify_orders(draw: st.DrawFn) -> GeneratedOrder:
    kinds: set[str] = set()
    money, store = Money(), {}
    if draw(st.integers(0, 4)) == 0:
        kinds.add("two currencies")
        money = Money(shop="USD", rate=Fraction(1, draw(st.integers(900, 2_000))))
        store = {"money": draw(st.sampled_from(["shop", "presentment"]))}
    included = draw(st.booleans())
    refunds_shipping = draw(st.sampled_from([None, None, "adjusted", "listed", "both"]))
    sold = [
        draw(lines(number, money, included=included, may_be_edited=len(kinds) == 0))
        for number in range(draw(st.integers(1, 4)))
    ]
    methods = [draw(shipping(number, money, included=included)) for number in range(draw(st.integers(0, 2)))]
    total = sum(line.bought for line in sold) + sum(paid for _, paid, _, _ in methods)
    remaining = sum(line.left for line in sold) + sum(paid for _, paid, _, _ in methods)
    taxes = [*(line.tax for line in sold), *(tax for _, _, tax, _ in methods)]
    total_tax = sum(taxes)
    tax_left = sum(line.tax_left for line in sold) + sum(tax for _, _, tax, _ in methods)
    slack = rounded = 0

    if not included and not any(line.units_left != line.written["quantity"] for line in sold) and draw(st.booleans()):
        # Tax rounded once for the whole order: https://help.shopify.com/en/manual/taxes/us/us-tax-manage#tax-rounding.
        exact = half_up(
            sum((line.exact_tax for line in sold), Fraction(0)) + sum((e for *_, e in methods), Fraction(0))
        )
        kinds |= {"tax rounded in all"} if exact != total_tax else set()
        total, remaining = total + exact - total_tax, remaining + exact - total_tax
        slack += len(taxes)
        rounded = exact - total_tax
        total_tax = tax_left = exact

    refund: dict[str, Any] = {"id": 1, "refund_line_items": [], "order_adjustments": [], "refund_shipping_lines": []}
    refund["refund_line_items"] = [line.refunded for line in sold if line.refunded]
    if any(line.written["current_quantity"] != line.written["quantity"] and not line.refunded for line in sold):
        kinds.add("edited")
        slack += 2 * len(sold)
    if refund["refund_line_items"]:
        kinds.add("refunded")
    if refunds_shipping and len(methods) == 1:
        _, paid, tax, _ = methods[0]
        net = paid - tax
        refunded = fraction_of(paid if included else net, draw(PARTS))
        tax_back = half_up(Fraction(refunded * tax, paid if included else net)) if refunded else 0
        net_back = refunded - tax_back if included else refunded
        if refunded:
            kinds.add("shipping refunded")
            if refunds_shipping != "listed":
                refund["order_adjustments"].append(
                    {
                        "kind": "shipping_refund",
                        **money.both("amount", -net_back),
                        **money.both("tax_amount", -tax_back),
                    }
                )
            if refunds_shipping != "adjusted":
                refund["refund_shipping_lines"].append(
                    {"shipping_line_id": 8000, **money.set("subtotal_amount", refunded)}
                )
            remaining -= net_back + tax_back
            tax_left -= tax_back

    bears = remaining
    extra: dict[str, Any] = {}
    written_lines = [line.written for line in sold]
    if draw(st.integers(0, 3)) == 0:
        tip = draw(PRICES)
        kinds |= {"tip"}
        is_line = bool(store) or draw(st.booleans())
        written_lines += [tip_line(tip, money)] if is_line else []
        extra["total_tip_received"] = money_text(money.in_shop(tip))
        total, remaining = total + tip, remaining + tip
    for name, kind in (("current_total_duties", "duties"), ("current_total_additional_fees", "fee")):
        if draw(st.integers(0, 7)) == 0:
            amount = draw(PRICES)
            kinds.add(kind)
            extra |= money.set(name, amount)
            total, remaining = total + amount, remaining + amount
    products_left = sum(line.left for line in sold)
    if products_left > 1_000 and money.shop != "USD" and draw(st.integers(0, 5)) == 0:
        goodwill = 100 + fraction_of(products_left - 100, draw(st.integers(0, 40)))
        kinds.add("goodwill")
        refund["order_adjustments"].append(
            {"kind": "refund_discrepancy", **money.both("amount", -goodwill), **money.both("tax_amount", 0)}
        )
        current_total = remaining - goodwill if draw(st.booleans()) else remaining
        remaining -= goodwill
    else:
        current_total = remaining
    rounding = 0
    if products_left > 10_000 and not kinds & {"goodwill", "edited", "two currencies"} and draw(st.integers(0, 7)) == 0:
        rounding = draw(st.integers(-4, 4))
        kinds |= {"cash rounding"} if rounding else set()
        slack += abs(rounding)
        rounded += rounding
        extra |= money.set("total_cash_rounding_payment_adjustment", rounding)
        total, remaining, current_total = total + rounding, remaining + rounding, current_total + rounding

    is_presented = store.get("money") == "presentment"
    if kinds & {"two currencies"} and not is_presented:
        slack += sum(line.written["quantity"] for line in sold) + 6 * len(sold) + 6
    charged = remaining if is_presented else money.in_shop(remaining)
    payments, transactions = draw(payment_transactions(charged if is_presented else money.in_shop(total), charged))
    if len(payments) > 1:
        kinds.add("several payments")
    has_refund = refund["refund_line_items"] or refund["order_adjustments"] or refund["refund_shipping_lines"]
    fields = {
        "currency": money.shop,
        "presentment_currency": money.customer,
        "taxes_included": included,
        "financial_status": "partially_refunded" if has_refund else "paid",
        "line_items": written_lines,
        "shipping_lines": [method_payload for method_payload, *_ in methods],
        "refunds": [refund] if has_refund else [],
        **money.both("total_price", total),
        **money.both("current_total_price", current_total),
        **money.both("total_tax", total_tax),
        **money.both("current_total_tax", tax_left),
        "total_tip_received": "0.00",
        "total_cash_rounding_payment_adjustment_set": None,
        "payment_gateway_names": payments,
        "transactions": transactions,
        **extra,
    }
    return GeneratedOrder(
        fields=fields,
        charged=charged,
        units={line.written["sku"]: line.units_left for line in sold if line.units_left},
        kinds=frozenset(kinds),
        slack=slack,
        rounded=rounded,
        bears=money.in_shop(bears),
        store={"api_url": "https://tienda.myshopify.com", "api_token": "ficha", **store},
        currency=money.customer if is_presented else money.shop,
    )


@st.composite
def payment_transactions(draw: st.DrawFn, total: int, charged: int) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the gateways, and the transactions if several paid, with a refund of the last."""
    count = draw(st.sampled_from([1, 1, 2, 3]))
    if count == 1 or charged < 100 or total < charged:
        return GATEWAYS[:1], []
    amounts, rest = [], charged
    for _ in range(count - 1):
        amounts.append(1 + fraction_of(rest - 2, draw(st.integers(0, 90))))
        rest -= amounts[-1]
    amounts.append(rest + total - charged)
    transactions = [
        {"id": transaction_id, "kind": "sale", "status": "success", "gateway": gateway, "amount": money_text(amount)}
        for transaction_id, (gateway, amount) in enumerate(zip(GATEWAYS, amounts, strict=False), start=1)
    ]
    if total > charged:
        last = transactions[-1]
        transactions.append(
            last | {"id": 9, "parent_id": last["id"], "kind": "refund", "amount": money_text(total - charged)}
        )
    return GATEWAYS[:count], transactions
