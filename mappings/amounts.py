"""Money: cents, shares, and what makes an order's parts add up to its total. Pure arithmetic, for every spoke."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

from mappings.order import Charge, Order

ZERO = Decimal(0)
CENT = Decimal("0.01")


def round_to_cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def to_cents(amount: Decimal) -> int:
    """Return whole cents, halves up."""
    return int(round_to_cent(amount) * 100)


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


def charges_of(**amounts: Decimal | None) -> list[Charge]:
    """Return a charge for each kind that was charged at all."""
    return [Charge(kind=kind, total=amount) for kind, amount in amounts.items() if amount]


def add_rounding(order: Order, rounding: Decimal) -> Order:
    """Add the rounding of an order as a charge, where the total then is the sum; else it is left alone."""
    if not rounding or order.summed + rounding != order.total:
        return order
    return replace(order, charges=[*order.charges, Charge(kind="rounding", total=rounding)])


def take_off_discount(order: Order, discount: Decimal) -> Order:
    """Take the order's discount off its lines, each in proportion; only what exceeds them comes off the shipping.

    A discount that does not explain the total is left alone: the difference then shows in the sum.
    """
    totals = [line.total for line in order.lines]
    shipping = [each.total for each in order.shipping]
    if discount <= 0 or order.summed - discount != order.total or order.total < 0 or min(totals + shipping) < 0:
        return order
    of_lines = min(discount, sum(totals, ZERO))
    shares = spread(of_lines, totals)
    shares_of_shipping = spread(discount - of_lines, shipping)
    return replace(
        order,
        lines=[replace(line, total=line.total - share) for line, share in zip(order.lines, shares, strict=True)],
        shipping=[
            replace(each, total=each.total - share)
            for each, share in zip(order.shipping, shares_of_shipping, strict=True)
        ],
    )
