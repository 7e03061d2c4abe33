"""Orders with WooCommerce's arithmetic: net amounts and their tax, each rounded to the displayed decimals.

The arithmetic is that of https://github.com/woocommerce/woocommerce, class-wc-cart-totals.php and
trait-wc-item-totals.php, read 2026-11-22: tax is rounded for each line, or once where the shop "rounds at subtotal".
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
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


@dataclass(frozen=True, kw_only=True)
class Rounding:
    decimals: int
    at_subtotal: bool
    included: bool  # prices were entered with tax

    @property
    def unit(self) -> int:
        return 100 if self.decimals == 0 else 1

    def round(self, cents: Fraction | int) -> int:
        return half_up(Fraction(cents) / self.unit) * self.unit

    def round_tax(self, cents: Fraction) -> int:
        """wc_get_tax_rounding_mode(): halves go down where prices hold tax."""
        return ceil(cents / self.unit - Fraction(1, 2)) * self.unit if self.included else self.round(cents)

    def write(self, cents: Fraction | int) -> str:
        rounded = self.round(cents)
        return str(rounded // 100) if self.decimals == 0 else money_text(rounded)


@dataclass(frozen=True, kw_only=True)
class TaxedAmount:
    """The net amount and tax of a line, shipping or fee, in fractional cents."""

    net: Fraction
    tax: Fraction

    def written(self, rounding: Rounding) -> tuple[int, int]:
        tax = rounding.round(self.tax) if rounding.at_subtotal else rounding.round_tax(self.tax)
        return rounding.round(self.net), tax


def taxed_amounts(cents: Fraction | int, rate: int, *, included: bool) -> TaxedAmount:
    net = Fraction(cents) * 1000 / (1000 + rate) if included else Fraction(cents)
    return TaxedAmount(net=net, tax=net * rate / 1000)


def format_amount(item_id: int, amount: TaxedAmount, rounding: Rounding, **more: Any) -> dict[str, Any]:
    net, tax = amount.written(rounding)
    return {"id": item_id, "total": rounding.write(net), "total_tax": rounding.write(tax), **more}


@st.composite
def woocommerce_orders(draw: st.DrawFn) -> GeneratedOrder:
    rounding = Rounding(
        decimals=draw(st.sampled_from([2, 2, 0])), at_subtotal=draw(st.booleans()), included=draw(st.booleans())
    )
    unit, kinds = rounding.unit, set()
    kinds |= {"no decimals"} if unit == 100 else set()
    kinds |= {"rounds at subtotal"} if rounding.at_subtotal else set()
    quantities, figures, line_payloads = [], [], []
    for number in range(draw(st.integers(1, 4))):
        price, quantity, rate = draw(PRICES) // unit * unit, draw(QUANTITIES), draw(RATES)
        gross = price * quantity
        gross -= rounding.round(fraction_of(gross, draw(PARTS))) if draw(st.booleans()) else 0
        quantities.append(quantity)
        figures.append(taxed_amounts(gross, rate, included=rounding.included))
        more = {"sku": f"SKU-{number}", "name": f"Producto {number}", "quantity": quantity}
        line_payloads.append(format_amount(100 + number, figures[-1], rounding, **more))
    products = sum(net + tax for net, tax in (amount.written(rounding) for amount in figures))
    shipping = []
    for number in range(draw(st.integers(1, 2))):
        # A rate that comes to a round price with tax is entered with more decimals than are shown.
        figures.append(taxed_amounts(draw(PRICES) // unit * unit, draw(RATES), included=draw(st.booleans())))
        shipping.append(
            format_amount(200 + number, figures[-1], rounding, method_id="flat_rate", method_title="Correo")
        )
    fees = []
    if draw(st.integers(0, 2)) == 0:
        kinds.add("fee")
        figures.append(taxed_amounts(draw(PRICES) // unit * unit, draw(RATES), included=False))
        fees.append(format_amount(300, figures[-1], rounding, name="Envoltorio"))
    if draw(st.integers(0, 2)) == 0:
        off = rounding.round(fraction_of(products, draw(st.integers(0, 60))))
        kinds |= {"discount by a fee"} if off else set()
        figures.append(taxed_amounts(-off, draw(RATES), included=True))
        fees.append(format_amount(301, figures[-1], rounding, name="10 % por transferencia"))
    exact = sum((amount.net + amount.tax for amount in figures), Fraction(0))
    as_written = sum(net + tax for net, tax in (amount.written(rounding) for amount in figures))
    total = rounding.round(exact) if rounding.at_subtotal else as_written
    kinds |= {"rounded"} if total != as_written else set()
    slack = 2 * unit * len(figures)

    items, refunded, remaining_units = [], 0, list(quantities)
    if draw(st.integers(0, 2)) == 0:
        for index, quantity in enumerate(quantities):
            refunded_units = draw(st.one_of(st.just(0), st.integers(0, quantity)))
            net, tax = (
                rounding.round(Fraction(amount * refunded_units, quantity))
                for amount in figures[index].written(rounding)
            )
            if refunded_units and refunded + net + tax <= total:
                remaining_units[index] -= refunded_units
                refunded += net + tax
                meta = [{"key": "_refunded_item_id", "value": str(100 + index)}]
                money = {"total": rounding.write(-net), "total_tax": rounding.write(-tax)}
                items.append({"id": 900 + index, "quantity": -refunded_units, **money, "meta_data": meta})
        slack += 2 * unit * len(items)
    kinds |= {"refunded"} if items else set()
    refunds = [{"id": 1, "amount": rounding.write(refunded), "line_items": items}] if items else []

    charged = total - refunded
    card = 0
    if charged > 2 * slack and draw(st.integers(0, 3)) == 0:
        # More than rounding may leave: of a card of a cent nothing could tell whether the total is less it.
        card = max(rounding.round(fraction_of(charged, draw(st.integers(1, 100)))), slack + unit)
        kinds.add("gift card")
    cards = [{"number": "REGALO-1", "amount": rounding.write(card)}] if card else []
    taxes = sum((tax for _, tax in (amount.written(rounding) for amount in figures)), 0)
    products_left = sum(
        sum(figures[index].written(rounding))
        - refund_of(figures[index], rounding, quantity, quantity - remaining_units[index])
        for index, quantity in enumerate(quantities)
        if remaining_units[index]
    )
    off = -sum(sum(amount.written(rounding)) for amount in figures if amount.net < 0)
    bears = products_left + sum(
        sum(amount.written(rounding)) for amount in figures[len(quantities) : len(quantities) + len(shipping)]
    )
    fields = {
        "status": "processing",
        "currency": "ARS",
        "prices_include_tax": rounding.included,
        "payment_method": "mercado_pago" if charged > card else "",
        "payment_method_title": "Mercado Pago" if charged > card else "",
        "line_items": line_payloads,
        "shipping_lines": shipping,
        "fee_lines": fees,
        "total": rounding.write(total - card),
        "total_tax": rounding.write(taxes),
        "refunds": refunds,
        draw(st.sampled_from(["gift_cards", "pw_gift_cards_redeemed"])): cards,
    }
    return GeneratedOrder(
        fields=fields,
        charged=charged,
        units={f"SKU-{index}": units for index, units in enumerate(remaining_units) if units},
        kinds=frozenset(kinds),
        slack=slack,
        bears=bears,
        off=off,
    )


def refund_of(amount: TaxedAmount, rounding: Rounding, quantity: int, refunded_units: int) -> int:
    return sum(rounding.round(Fraction(share * refunded_units, quantity)) for share in amount.written(rounding))
