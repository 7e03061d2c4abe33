"""What is left of lines and shipping after refunds and edits. Pure arithmetic: it knows no platform's words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from mappings.amounts import ZERO, round_to_cent
from mappings.order import Line, Shipping


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """One line as it was bought, and how many of it are left."""

    line_id: str | None = None
    sku: str | None = None
    barcode: str | None = None
    name: str | None = None
    title: str | None = None
    quantity: int
    current_quantity: int | None = None  # None: the platform does not say
    price: Decimal  # per unit, before discounts
    line_discount: Decimal = ZERO  # counts only where `discount` says nothing
    discount: Decimal = ZERO  # the line's share of every discount
    tax: Decimal = ZERO
    is_shippable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """Units of a line that were given back."""

    line_id: str | None = None
    quantity: int
    subtotal: Decimal = ZERO  # in the terms of the line's price: tax in, or apart
    tax: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """Money given back that belongs to no line."""

    kind: str | None = None
    amount: Decimal = ZERO  # negative
    tax: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    lines: list[Refunded] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)


def line_left(sold: Sold, refunds: Iterable[Refund], *, is_tax_included: bool) -> Line | None:
    """Return what is left of a line; None where nothing is.

    Refunds take off exactly what was given back, where they account for every unit that is gone; units that an edit
    took off are in proportion.
    """
    refunded = [
        each for refund in refunds for each in refund.lines if each.line_id is not None and each.line_id == sold.line_id
    ]
    refunded_units = sum(each.quantity for each in refunded)
    left = sold.current_quantity
    if left is None:
        left = max(sold.quantity - refunded_units, 0)
    if left == 0 or sold.quantity == 0:
        return None
    total = sold.price * sold.quantity - (sold.discount or sold.line_discount) + (ZERO if is_tax_included else sold.tax)
    tax = sold.tax
    if refunded_units == sold.quantity - left:
        taxes_back = sum((each.tax for each in refunded), ZERO)
        total -= sum((each.subtotal for each in refunded), ZERO) + (ZERO if is_tax_included else taxes_back)
        tax -= taxes_back
    else:
        total, tax = (round_to_cent(amount * left / sold.quantity) for amount in (total, tax))
    return Line(
        sku=sold.sku,
        barcode=sold.barcode,
        name=sold.name or sold.title,
        quantity=left,
        total=total,
        tax=tax,
        is_shippable=sold.is_shippable,
    )


def take_off_shipping_refunds(shipping: Sequence[Shipping], refunds: Iterable[Refund]) -> list[Shipping]:
    """Return the shipping that stays charged: what was given back comes off the first methods that hold it."""
    adjustments = [each for refund in refunds for each in refund.adjustments if each.kind == "shipping_refund"]
    back = -sum((each.amount + each.tax for each in adjustments), ZERO)
    tax_back = -sum((each.tax for each in adjustments), ZERO)
    left = []
    for each in shipping:
        off, tax_off = min(back, each.total), min(tax_back, each.tax or ZERO)
        back, tax_back = back - off, tax_back - tax_off
        left.append(replace(each, total=each.total - off, tax=None if each.tax is None else each.tax - tax_off))
    return left
