"""Orders with WooCommerce's arithmetic: net amounts and their tax, each rounded to the displayed decimals.

The arithmetic is that of https://github.com/woocommerce/woocommerce, class-wc-cart-totals.php and
trait-wc-item-totals.php, read 2026-11-22: tax is rounded for each line, or once where the shop "rounds at subtotal".
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from hypothesis import strategies as st

from tests.support.shops.placed import PARTS, PRICES, QUANTITIES, RATES, Placed, half_up, part_of, text


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
        return str(rounded // 100) if self.decimals == 0 else text(rounded)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The net amount and tax of a line, shipping or fee, in fractional cents."""

    net: Fraction
    tax: Fraction

    def written(self, rounding: Rounding) -> tuple[int, int]:
        tax = rounding.round(self.tax) if rounding.at_subtotal else rounding.round_tax(self.tax)
        return rounding.round(self.net), tax


def figure(cents: Fraction | int, rate: int, *, included: bool) -> Figure:
    net = Fraction(cents) * 1000 / (1000 + rate) if included else Fraction(cents)
    return Figure(net=net, tax=net * rate / 1000)


def show(item_id: int, amount: Figure, rounding: Rounding, **more: Any) -> dict[str, Any]:
    net, tax = amount.written(rounding)
    return {"id": item_id, "total": rounding.write(net), "total_tax": rounding.write(tax), **more}


@st.composite
def woocommerce_orders(draw: st.DrawFn) -> Placed:
    rounding = Rounding(
        decimals=draw(st.sampled_from([2, 2, 0])), at_subtotal=draw(st.booleans()), included=draw(st.booleans())
    )
    unit, kinds = rounding.unit, set()
    kinds |= {"no decimals"} if unit == 100 else set()
    kinds |= {"rounds at subtotal"} if rounding.at_subtotal else set()
    quantities, figures, written = [], [], []
    for number in range(draw(st.integers(1, 4))):
        price, quantity, rate = draw(PRICES) // unit * unit, draw(QUANTITIES), draw(RATES)
        gross = price * quantity
        gross -= rounding.round(part_of(gross, draw(PARTS))) if draw(st.booleans()) else 0
        quantities.append(quantity)
        figures.append(figure(gross, rate, included=rounding.included))
        more = {"sku": f"SKU-{number}", "name": f"Producto {number}", "quantity": quantity}
        written.append(show(100 + number, figures[-1], rounding, **more))
    products = sum(net + tax for net, tax in (each.written(rounding) for each in figures))
    shipping = []
    for number in range(draw(st.integers(1, 2))):
        # A rate that comes to a round price with tax is entered with more decimals than are shown.
        figures.append(figure(draw(PRICES) // unit * unit, draw(RATES), included=draw(st.booleans())))
        shipping.append(show(200 + number, figures[-1], rounding, method_id="flat_rate", method_title="Correo"))
    fees = []
    if draw(st.integers(0, 2)) == 0:
        kinds.add("fee")
        figures.append(figure(draw(PRICES) // unit * unit, draw(RATES), included=False))
        fees.append(show(300, figures[-1], rounding, name="Envoltorio"))
    if draw(st.integers(0, 2)) == 0:
        off = rounding.round(part_of(products, draw(st.integers(0, 60))))
        kinds |= {"discount by a fee"} if off else set()
        figures.append(figure(-off, draw(RATES), included=True))
        fees.append(show(301, figures[-1], rounding, name="10 % por transferencia"))
    exact = sum((each.net + each.tax for each in figures), Fraction(0))
    as_written = sum(net + tax for net, tax in (each.written(rounding) for each in figures))
    total = rounding.round(exact) if rounding.at_subtotal else as_written
    kinds |= {"rounded"} if total != as_written else set()
    slack = 2 * unit * len(figures)

    items, refunded, left = [], 0, list(quantities)
    if draw(st.integers(0, 2)) == 0:
        for place, quantity in enumerate(quantities):
            back = draw(st.one_of(st.just(0), st.integers(0, quantity)))
            net, tax = (rounding.round(Fraction(each * back, quantity)) for each in figures[place].written(rounding))
            if back and refunded + net + tax <= total:
                left[place] -= back
                refunded += net + tax
                meta = [{"key": "_refunded_item_id", "value": str(100 + place)}]
                money = {"total": rounding.write(-net), "total_tax": rounding.write(-tax)}
                items.append({"id": 900 + place, "quantity": -back, **money, "meta_data": meta})
        slack += 2 * unit * len(items)
    kinds |= {"refunded"} if items else set()
    refunds = [{"id": 1, "amount": rounding.write(refunded), "line_items": items}] if items else []

    charged = total - refunded
    card = 0
    if charged > 2 * slack and draw(st.integers(0, 3)) == 0:
        # More than rounding may leave: of a card of a cent nothing could tell whether the total is less it.
        card = max(rounding.round(part_of(charged, draw(st.integers(1, 100)))), slack + unit)
        kinds.add("gift card")
    cards = [{"number": "REGALO-1", "amount": rounding.write(card)}] if card else []
    taxes = sum((tax for _, tax in (each.written(rounding) for each in figures)), 0)
    products_left = sum(
        sum(figures[place].written(rounding)) - given_back(figures[place], rounding, quantity, quantity - left[place])
        for place, quantity in enumerate(quantities)
        if left[place]
    )
    off = -sum(sum(each.written(rounding)) for each in figures if each.net < 0)
    bears = products_left + sum(
        sum(each.written(rounding)) for each in figures[len(quantities) : len(quantities) + len(shipping)]
    )
    fields = {
        "status": "processing",
        "currency": "ARS",
        "prices_include_tax": rounding.included,
        "payment_method": "mercado_pago" if charged > card else "",
        "payment_method_title": "Mercado Pago" if charged > card else "",
        "line_items": written,
        "shipping_lines": shipping,
        "fee_lines": fees,
        "total": rounding.write(total - card),
        "total_tax": rounding.write(taxes),
        "refunds": refunds,
        draw(st.sampled_from(["gift_cards", "pw_gift_cards_redeemed"])): cards,
    }
    return Placed(
        fields=fields,
        charged=charged,
        units={f"SKU-{place}": units for place, units in enumerate(left) if units},
        kinds=frozenset(kinds),
        slack=slack,
        bears=bears,
        off=off,
    )


def given_back(amount: Figure, rounding: Rounding, quantity: int, back: int) -> int:
    return sum(rounding.round(Fraction(each * back, quantity)) for each in amount.written(rounding))
