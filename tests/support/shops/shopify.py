"""Orders with Shopify's arithmetic: amounts in cents, discounts by line, tax included or added, separate refunds.

Sources: https://shopify.dev/docs/api/admin-rest/latest/resources/order and …/refund, read 2026-11-22.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from tests.support.shops.placed import PARTS, PRICES, QUANTITIES, RATES, Placed, half_up, part_of, text

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
        return {name: text(self.in_shop(cents)), **self.set(name, cents)}

    def set(self, name: str, cents: int) -> dict[str, Any]:
        return {
            f"{name}_set": {
                "shop_money": {"amount": text(self.in_shop(cents)), "currency_code": self.shop},
                "presentment_money": {"amount": text(cents), "currency_code": self.customer},
            }
        }

    def listed(self, name: str, amounts: list[int]) -> list[dict[str, Any]]:
        return [self.both(name, amount) for amount in amounts]


@dataclass(frozen=True, kw_only=True)
class Sold:
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
def lines(draw: st.DrawFn, number: int, money: Money, *, included: bool, may_be_edited: bool) -> Sold:
    price, quantity, rate = draw(PRICES), draw(QUANTITIES), draw(RATES)
    discounts = []
    net = price * quantity
    for hundredths in draw(st.lists(PARTS, max_size=2)):
        discounts.append(part_of(net, hundredths))
        net -= discounts[-1]
    exact_tax = tax_of(net, rate, included=included)
    tax = half_up(exact_tax)
    bought = net if included else net + tax
    back = draw(st.one_of(st.just(0), st.integers(0, quantity)))
    left = quantity - back
    net_back, tax_back = half_up(Fraction(net * back, quantity)), half_up(Fraction(tax * back, quantity))
    refunded = None
    if back and may_be_edited and left and draw(st.booleans()):
        # An edit: no refund tells of it, and the discount that stays is what Shopify rounds it to.
        kept = half_up(Fraction(sum(discounts) * left, quantity)) if rate == 0 or included else None
        if kept is not None:
            net_back = net - (price * left - kept)
            tax_back = tax - half_up(tax_of(net - net_back, rate, included=included))
    elif back:
        refunded = {
            "line_item_id": 7000 + number,
            "quantity": back,
            **money.both("subtotal", net_back),
            **money.both("total_tax", tax_back),
        }
    written = {
        "id": 7000 + number,
        "name": f"Producto {number}",
        "sku": f"SKU-{number}",
        "quantity": quantity,
        "current_quantity": left,
        **money.both("price", price),
        **money.both("total_discount", 0),
        "discount_allocations": money.listed("amount", discounts),
        "tax_lines": money.listed("price", [tax]),
        "requires_shipping": True,
    }
    return Sold(
        written=written,
        refunded=refunded,
        bought=bought,
        left=bought - net_back - (0 if included else tax_back),
        tax=tax,
        tax_left=tax - tax_back,
        exact_tax=exact_tax,
        units_left=left,
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
    discount = part_of(price, draw(PARTS)) if draw(st.booleans()) else 0
    exact_tax = tax_of(price - discount, rate, included=included)
    tax = half_up(exact_tax)
    written = {
        "id": 8000 + number,
        "title": "Correo",
        "code": "correo",
        **money.both("price", price),
        **money.both("discounted_price", price),
        "discount_allocations": money.listed("amount", [discount] if discount else []),
        "tax_lines": money.listed("price", [tax]),
        "is_removed": False,
    }
    return written, price - discount + (0 if included else tax), tax, exact_tax


@st.composite
def shopify_orders(draw: st.DrawFn) -> Placed:
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
    total = sum(each.bought for each in sold) + sum(paid for _, paid, _, _ in methods)
    left = sum(each.left for each in sold) + sum(paid for _, paid, _, _ in methods)
    taxes = [*(each.tax for each in sold), *(tax for _, _, tax, _ in methods)]
    total_tax = sum(taxes)
    tax_left = sum(each.tax_left for each in sold) + sum(tax for _, _, tax, _ in methods)
    slack = rounded = 0

    if not included and not any(each.units_left != each.written["quantity"] for each in sold) and draw(st.booleans()):
        # Tax rounded once for the whole order: https://help.shopify.com/en/manual/taxes/us/us-tax-manage#tax-rounding.
        exact = half_up(
            sum((each.exact_tax for each in sold), Fraction(0)) + sum((e for *_, e in methods), Fraction(0))
        )
        kinds |= {"tax rounded in all"} if exact != total_tax else set()
        total, left = total + exact - total_tax, left + exact - total_tax
        slack += len(taxes)
        rounded = exact - total_tax
        total_tax = tax_left = exact

    refund: dict[str, Any] = {"id": 1, "refund_line_items": [], "order_adjustments": [], "refund_shipping_lines": []}
    refund["refund_line_items"] = [each.refunded for each in sold if each.refunded]
    if any(each.written["current_quantity"] != each.written["quantity"] and not each.refunded for each in sold):
        kinds.add("edited")
        slack += 2 * len(sold)
    if refund["refund_line_items"]:
        kinds.add("refunded")
    if refunds_shipping and len(methods) == 1:
        _, paid, tax, _ = methods[0]
        net = paid - tax
        back = part_of(paid if included else net, draw(PARTS))
        tax_back = half_up(Fraction(back * tax, paid if included else net)) if back else 0
        net_back = back - tax_back if included else back
        if back:
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
                refund["refund_shipping_lines"].append({"shipping_line_id": 8000, **money.set("subtotal_amount", back)})
            left -= net_back + tax_back
            tax_left -= tax_back

    bears = left
    extra: dict[str, Any] = {}
    written_lines = [each.written for each in sold]
    if draw(st.integers(0, 3)) == 0:
        tip = draw(PRICES)
        kinds |= {"tip"}
        is_line = bool(store) or draw(st.booleans())
        written_lines += [tip_line(tip, money)] if is_line else []
        extra["total_tip_received"] = text(money.in_shop(tip))
        total, left = total + tip, left + tip
    for name, kind in (("current_total_duties", "duties"), ("current_total_additional_fees", "fee")):
        if draw(st.integers(0, 7)) == 0:
            amount = draw(PRICES)
            kinds.add(kind)
            extra |= money.set(name, amount)
            total, left = total + amount, left + amount
    products_left = sum(each.left for each in sold)
    if products_left > 1_000 and money.shop != "USD" and draw(st.integers(0, 5)) == 0:
        goodwill = 100 + part_of(products_left - 100, draw(st.integers(0, 40)))
        kinds.add("goodwill")
        refund["order_adjustments"].append(
            {"kind": "refund_discrepancy", **money.both("amount", -goodwill), **money.both("tax_amount", 0)}
        )
        shown = left - goodwill if draw(st.booleans()) else left
        left -= goodwill
    else:
        shown = left
    rounding = 0
    if products_left > 10_000 and not kinds & {"goodwill", "edited", "two currencies"} and draw(st.integers(0, 7)) == 0:
        rounding = draw(st.integers(-4, 4))
        kinds |= {"cash rounding"} if rounding else set()
        slack += abs(rounding)
        rounded += rounding
        extra |= money.set("total_cash_rounding_payment_adjustment", rounding)
        total, left, shown = total + rounding, left + rounding, shown + rounding

    is_presented = store.get("money") == "presentment"
    if kinds & {"two currencies"} and not is_presented:
        slack += sum(each.written["quantity"] for each in sold) + 6 * len(sold) + 6
    charged = left if is_presented else money.in_shop(left)
    payments, transactions = draw(paid_by(charged if is_presented else money.in_shop(total), charged))
    if len(payments) > 1:
        kinds.add("several payments")
    has_refund = refund["refund_line_items"] or refund["order_adjustments"] or refund["refund_shipping_lines"]
    fields = {
        "currency": money.shop,
        "presentment_currency": money.customer,
        "taxes_included": included,
        "financial_status": "partially_refunded" if has_refund else "paid",
        "line_items": written_lines,
        "shipping_lines": [written for written, *_ in methods],
        "refunds": [refund] if has_refund else [],
        **money.both("total_price", total),
        **money.both("current_total_price", shown),
        **money.both("total_tax", total_tax),
        **money.both("current_total_tax", tax_left),
        "total_tip_received": "0.00",
        "total_cash_rounding_payment_adjustment_set": None,
        "payment_gateway_names": payments,
        "transactions": transactions,
        **extra,
    }
    return Placed(
        fields=fields,
        charged=charged,
        units={each.written["sku"]: each.units_left for each in sold if each.units_left},
        kinds=frozenset(kinds),
        slack=slack,
        rounded=rounded,
        bears=money.in_shop(bears),
        store={"api_url": "https://tienda.myshopify.com", "api_token": "ficha", **store},
        currency=money.customer if is_presented else money.shop,
    )


@st.composite
def paid_by(draw: st.DrawFn, total: int, charged: int) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the gateways, and the transactions if several paid, with a refund of the last."""
    count = draw(st.sampled_from([1, 1, 2, 3]))
    if count == 1 or charged < 100 or total < charged:
        return GATEWAYS[:1], []
    amounts, rest = [], charged
    for _ in range(count - 1):
        amounts.append(1 + part_of(rest - 2, draw(st.integers(0, 90))))
        rest -= amounts[-1]
    amounts.append(rest + total - charged)
    transactions = [
        {"id": place, "kind": "sale", "status": "success", "gateway": gateway, "amount": text(amount)}
        for place, (gateway, amount) in enumerate(zip(GATEWAYS, amounts, strict=False), start=1)
    ]
    if total > charged:
        last = transactions[-1]
        transactions.append(
            last | {"id": 9, "parent_id": last["id"], "kind": "refund", "amount": text(total - charged)}
        )
    return GATEWAYS[:count], transactions
