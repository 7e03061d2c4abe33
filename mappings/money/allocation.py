"""Rounding and allocation of money, and adjustments that make an order's parts add up to its total."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

from mappings.order import Charge, Order, Payment

ZERO = Decimal(0)
CENT = Decimal("0.01")


def round_to_cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def to_cents(amount: Decimal) -> int:
    """Return whole cents, rounding halves up."""
    return int(amount.scaleb(2).to_integral_value(ROUND_HALF_UP))


def allocate(amount: Decimal, bases: Sequence[Decimal]) -> list[Decimal]:
    """Return a share of `amount` for each of `bases`, in proportion: whole units that add up to exactly `amount`.

    A unit is a cent, or the smallest decimal of any of the amounts, if a shop calculates with more than two. Units that
    do not divide go to the largest remainders first. No base may be negative. If `amount` is at most the sum of the
    bases, no share exceeds its base.
    """
    places = max(2, *(count_decimals(value) for value in (amount, *bases)))
    units, weights = int(amount.scaleb(places)), [int(base.scaleb(places)) for base in bases]
    total_weight = sum(weights)
    if units == 0 or total_weight == 0:
        return [ZERO for _ in bases]
    shares = [divmod(units * weight, total_weight) for weight in weights]
    remainder_units = units - sum(floor for floor, _ in shares)
    by_remainder = sorted(range(len(shares)), key=lambda index: -shares[index][1])
    dearer = set(by_remainder[:remainder_units])
    return [Decimal(floor + (index in dearer)).scaleb(-places) for index, (floor, _) in enumerate(shares)]


def count_decimals(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0  # the exponent of NaN is text


def nonzero_charges(**amounts: Decimal | None) -> list[Charge]:
    """Return a charge for each amount that is not zero."""
    return [Charge(kind=kind, total=amount) for kind, amount in amounts.items() if amount]


def add_rounding_charge(order: Order, *, max_rounding: Decimal) -> Order:
    """Add the difference between parts and total as a charge if it is at most `max_rounding`."""
    difference = order.total - order.parts_total
    if not 0 < abs(difference) <= max_rounding:
        return order
    return replace(order, charges=[*order.charges, Charge(kind="rounding", total=difference)])


def round_amounts(order: Order) -> Order:
    """Return the order in whole cents, for shops that calculate with more decimals.

    Each amount is rounded, and a rounding charge takes what that adds to or leaves of the rounded total. A difference
    between the exact amounts stays.
    """
    paid = [payment.amount for payment in order.payments or ()]
    if all(count_decimals(amount) <= 2 for amount in (order.total, *(part.total for part in order.parts), *paid)):
        return order
    rounded = replace(
        order,
        total=round_to_cent(order.total),
        lines=[replace(line, total=round_to_cent(line.total)) for line in order.lines],
        shipping=[replace(method, total=round_to_cent(method.total)) for method in order.shipping],
        charges=[
            replace(charge, total=round_to_cent(charge.total)) for charge in order.charges if charge.kind != "rounding"
        ],
        payments=order.payments and round_payments(order.payments),
    )
    rounding = rounded.total - rounded.parts_total - round_to_cent(order.total - order.parts_total)
    return replace(rounded, charges=[*rounded.charges, *nonzero_charges(rounding=rounding)])


def round_payments(payments: Sequence[Payment]) -> list[Payment]:
    """Return the payments in whole cents that add up to their rounded sum. The largest takes what rounding leaves."""
    rounded = [replace(payment, amount=round_to_cent(payment.amount)) for payment in payments]
    largest = max(range(len(rounded)), key=lambda index: rounded[index].amount)
    total = round_to_cent(sum((payment.amount for payment in payments), ZERO))
    difference = total - sum((payment.amount for payment in rounded), ZERO)
    rounded[largest] = replace(rounded[largest], amount=rounded[largest].amount + difference)
    return rounded


def apply_to_lines(order: Order, amount: Decimal) -> Order | None:
    """Add an amount, which may be negative, to the lines of an order in proportion to their totals.

    What exceeds the lines is subtracted from the shipping. An increase goes to the shipping only if the lines cost
    nothing. None if neither can absorb it. The order's total does not change.
    """
    line_totals = [line.total for line in order.lines]
    shipping_totals = [method.total for method in order.shipping]
    if min(line_totals + shipping_totals, default=ZERO) < 0:
        return None
    lines_total = sum(line_totals, ZERO)
    lines_share = (amount if lines_total else ZERO) if amount > 0 else max(amount, -lines_total)
    shipping_share = amount - lines_share
    if shipping_share and sum(shipping_totals, ZERO) < max(-shipping_share, CENT):
        return None
    return replace(
        order,
        lines=[
            replace(line, total=line.total + share)
            for line, share in zip(order.lines, allocate_signed(lines_share, line_totals), strict=True)
        ],
        shipping=[
            replace(method, total=method.total + share)
            for method, share in zip(order.shipping, allocate_signed(shipping_share, shipping_totals), strict=True)
        ],
    )


def allocate_signed(amount: Decimal, bases: Sequence[Decimal]) -> list[Decimal]:
    return [share.copy_sign(amount) for share in allocate(abs(amount), bases)]


def subtract_discount(order: Order, discount: Decimal) -> Order:
    """Subtract the order's discount from its lines in proportion, and from the shipping what exceeds them.

    A discount that does not explain the total becomes a charge: the sum then shows it, and the difference.
    """
    if discount <= 0:
        return order
    is_explained = order.parts_total - discount == order.total
    discounted = apply_to_lines(order, -discount) if is_explained else None
    return discounted or replace(order, charges=[*order.charges, Charge(kind="discount", total=-discount)])


def subtract_unallocated_refund(order: Order, unallocated_refund: Decimal) -> Order:
    """Subtract a refund that belongs to no line from the lines, and from the total if that still includes it.

    The parts show whether it does. They include the refund, so the total is closer to their sum, or to their sum less
    the refund.
    """
    reduced = apply_to_lines(order, -unallocated_refund) if unallocated_refund > 0 else None
    if reduced is None:
        return order
    reduced = replace(reduced, unallocated_refund=unallocated_refund)
    is_held = abs(order.total - order.parts_total) < abs(order.total - reduced.parts_total)
    return replace(reduced, total=order.total - unallocated_refund) if is_held else reduced
