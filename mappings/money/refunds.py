"""What remains of lines and shipping after refunds and edits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from mappings.money.allocation import ZERO, round_to_cent
from mappings.order import Line, Shipping


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchasedLine:
    """One line as purchased, and the quantity that remains."""

    line_id: str | None = None
    sku: str | None = None
    barcode: str | None = None
    name: str | None = None
    title: str | None = None
    quantity: int
    current_quantity: int | None = None  # None: unknown
    fulfillable_quantity: int | None = None  # still to be sent by the shop; None: unknown
    fulfillment_status: str | None = None
    fulfillment_service: str | None = None  # None: the shop itself
    price: Decimal  # per unit, before discounts
    line_discount: Decimal = ZERO  # used only if `discount` is zero
    discount: Decimal = ZERO  # the line's share of every discount
    tax: Decimal = ZERO
    is_shippable: bool = True
    is_tip: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLine:
    """Refunded units of a line."""

    line_id: str | None = None
    quantity: int
    subtotal: Decimal = ZERO  # with or without tax, as the line's price
    tax: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """A refund that belongs to no line: of the shipping, or unrelated to the products."""

    is_of_shipping: bool
    amount: Decimal  # negative; without tax, or as the shipping's price if the tax is unknown
    tax: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    lines: list[RefundLine] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)


def is_prorated(purchased: PurchasedLine, refunds: Iterable[Refund]) -> bool:
    """Return whether units are missing that no refund explains: the rest of the line is then prorated and rounded."""
    refunded_units = sum(
        refund_line.quantity
        for refund in refunds
        for refund_line in refund.lines
        if refund_line.line_id == purchased.line_id
    )
    return bool(purchased.current_quantity) and purchased.current_quantity != purchased.quantity - refunded_units


def remaining_line(purchased: PurchasedLine, refunds: Iterable[Refund], *, is_tax_included: bool) -> Line | None:
    """Return what remains of a line; None if nothing does.

    If refunds account for every unit that is gone, exactly the refunded amounts are subtracted. Units that an edit
    removed are subtracted in proportion.
    """
    refund_lines = [
        refund_line
        for refund in refunds
        for refund_line in refund.lines
        if refund_line.line_id is not None and refund_line.line_id == purchased.line_id
    ]
    refunded_units = sum(refund_line.quantity for refund_line in refund_lines)
    remaining_quantity = purchased.current_quantity
    if remaining_quantity is None:
        remaining_quantity = max(purchased.quantity - refunded_units, 0)
    if remaining_quantity == 0 or purchased.quantity == 0:
        return None
    total = (
        purchased.price * purchased.quantity
        - (purchased.discount or purchased.line_discount)
        + (ZERO if is_tax_included else purchased.tax)
    )
    tax = purchased.tax
    if refunded_units == purchased.quantity - remaining_quantity:
        refunded_tax = sum((refund_line.tax for refund_line in refund_lines), ZERO)
        total -= sum((refund_line.subtotal for refund_line in refund_lines), ZERO) + (
            ZERO if is_tax_included else refunded_tax
        )
        tax -= refunded_tax
    else:
        total, tax = (round_to_cent(amount * remaining_quantity / purchased.quantity) for amount in (total, tax))
    return Line(
        line_id=purchased.line_id,
        sku=purchased.sku,
        barcode=purchased.barcode,
        name=purchased.name or purchased.title,
        quantity=remaining_quantity,
        total=total,
        tax=tax,
        is_shippable=purchased.is_shippable,
    )


def subtract_shipping_refunds(
    shipping: Sequence[Shipping], refunds: Iterable[Refund], *, is_tax_included: bool
) -> list[Shipping]:
    """Return the shipping after refunds, which are subtracted from the first methods that can cover them.

    If nothing says how much of a refund was tax, the tax is in proportion.
    """
    tax_total = sum((item.tax or ZERO for item in shipping), ZERO)
    shipping_total = sum((item.total for item in shipping), ZERO)
    refunded = refunded_tax = ZERO
    for adjustment in (item for refund in refunds for item in refund.adjustments if item.is_of_shipping):
        price_total = shipping_total if is_tax_included else shipping_total - tax_total
        tax = (
            -adjustment.tax
            if adjustment.tax is not None
            else round_to_cent(-adjustment.amount * tax_total / (price_total or 1))
        )
        includes_tax = is_tax_included and adjustment.tax is None
        refunded += -adjustment.amount + (ZERO if includes_tax else tax)
        refunded_tax += tax
    remaining = []
    for item in shipping:
        reduction, tax_reduction = min(refunded, item.total), min(refunded_tax, item.tax or ZERO)
        refunded, refunded_tax = refunded - reduction, refunded_tax - tax_reduction
        remaining.append(
            replace(item, total=item.total - reduction, tax=None if item.tax is None else item.tax - tax_reduction)
        )
    return remaining


def sum_unallocated_refunds(refunds: Iterable[Refund]) -> Decimal:
    """Return the refunds that belong neither to lines nor to shipping; negative if less was refunded than was due."""
    return -sum(
        (
            adjustment.amount + (adjustment.tax or ZERO)
            for refund in refunds
            for adjustment in refund.adjustments
            if not adjustment.is_of_shipping
        ),
        ZERO,
    )
