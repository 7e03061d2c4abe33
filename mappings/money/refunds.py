"""What is left of lines and shipping after refunds and edits. Pure arithmetic: it knows no platform's words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from mappings.money.allocation import ZERO, round_to_cent
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
    is_tip: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """Units of a line that were given back."""

    line_id: str | None = None
    quantity: int
    subtotal: Decimal = ZERO  # in the terms of the line's price: tax in, or apart
    tax: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """Money given back that belongs to no line: of the shipping, or for nothing that was bought."""

    is_of_shipping: bool
    amount: Decimal  # negative; tax apart, unless it is not said: then in the terms of the shipping's price
    tax: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    lines: list[Refunded] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)


def is_in_proportion(sold: Sold, refunds: Iterable[Refund]) -> bool:
    """Whether units are gone that no refund tells of: what is left of the line is then reckoned, and rounded."""
    told = sum(each.quantity for refund in refunds for each in refund.lines if each.line_id == sold.line_id)
    return bool(sold.current_quantity) and sold.current_quantity != sold.quantity - told


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


def take_off_shipping_refunds(
    shipping: Sequence[Shipping], refunds: Iterable[Refund], *, is_tax_included: bool
) -> list[Shipping]:
    """Return the shipping that stays charged: what was given back comes off the first methods that hold it.

    Where nothing says how much of it was tax, it is as much in proportion.
    """
    of_tax = sum((each.tax or ZERO for each in shipping), ZERO)
    whole = sum((each.total for each in shipping), ZERO)
    back = tax_back = ZERO
    for given in (each for refund in refunds for each in refund.adjustments if each.is_of_shipping):
        of_price = whole if is_tax_included else whole - of_tax
        tax = -given.tax if given.tax is not None else round_to_cent(-given.amount * of_tax / (of_price or 1))
        is_tax_in = is_tax_included and given.tax is None
        back += -given.amount + (ZERO if is_tax_in else tax)
        tax_back += tax
    left = []
    for each in shipping:
        off, tax_off = min(back, each.total), min(tax_back, each.tax or ZERO)
        back, tax_back = back - off, tax_back - tax_off
        left.append(replace(each, total=each.total - off, tax=None if each.tax is None else each.tax - tax_off))
    return left


def sum_goodwill(refunds: Iterable[Refund]) -> Decimal:
    """Return what was given back for nothing that was bought; less than zero where less went back than was due."""
    return -sum(
        (each.amount + (each.tax or ZERO) for r in refunds for each in r.adjustments if not each.is_of_shipping), ZERO
    )
