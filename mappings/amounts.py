"""What is left of lines, shipping and money after refunds and edits. Pure arithmetic, for every storefront."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal

from mappings.order import Charge, Line, Shipping

ZERO = Decimal(0)
CENT = Decimal("0.01")


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
    is_gift_card: bool = False


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
        is_gift_card=sold.is_gift_card,
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


def charges_of(**amounts: Decimal | None) -> list[Charge]:
    """Return a charge for each kind that was charged at all."""
    return [Charge(kind=kind, total=amount) for kind, amount in amounts.items() if amount]


def spread(amount: Decimal, over: Sequence[Decimal]) -> list[Decimal]:
    """Return a share of `amount` for each of `over`, in proportion to it: whole cents, together exactly `amount`.

    Cents that do not divide go to the largest remainders first. None of `over` may be negative; together they are at
    least `amount`, so that no share exceeds what it is taken of.
    """
    cents, weights = to_cents(amount), [to_cents(each) for each in over]
    whole = sum(weights)
    if cents == 0 or whole == 0:
        return [ZERO for _ in over]
    shares = [divmod(cents * weight, whole) for weight in weights]
    left = cents - sum(floor for floor, _ in shares)
    by_remainder = sorted(range(len(shares)), key=lambda place: -shares[place][1])
    dearer = set(by_remainder[:left])
    return [Decimal(floor + (place in dearer)).scaleb(-2) for place, (floor, _) in enumerate(shares)]


def round_to_cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def to_cents(amount: Decimal) -> int:
    """Return whole cents, halves up."""
    return int(round_to_cent(amount) * 100)
