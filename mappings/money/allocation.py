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
    return int(amount.scaleb(2).to_integral_value(ROUND_HALF_UP))


def spread(amount: Decimal, over: Sequence[Decimal]) -> list[Decimal]:
    """Return a share of `amount` for each of `over`, in proportion to it: whole cents, together exactly `amount`.

    Cents that do not divide go to the largest remainders first. None of `over` may be negative. Where `amount` is at
    most what they are together, no share exceeds what it is taken of.
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


def add_rounding(order: Order, *, at_most: Decimal) -> Order:
    """Add what lies between the parts and the total as a charge, where it is no more than rounding can leave."""
    rest = order.total - order.summed
    if not 0 < abs(rest) <= at_most:
        return order
    return replace(order, charges=[*order.charges, Charge(kind="rounding", total=rest)])


def share_out(order: Order, amount: Decimal) -> Order | None:
    """Put an amount on the lines of an order, or take it off where it is negative, each in proportion.

    Only what exceeds the lines comes off the shipping; only where they cost nothing is anything put on it. None where
    neither can bear it. The order's total stays.
    """
    totals = [line.total for line in order.lines]
    shipping = [each.total for each in order.shipping]
    if min(totals + shipping, default=ZERO) < 0:
        return None
    of_lines = sum(totals, ZERO)
    on_lines = (amount if of_lines else ZERO) if amount > 0 else max(amount, -of_lines)
    on_shipping = amount - on_lines
    if on_shipping and sum(shipping, ZERO) < max(-on_shipping, CENT):
        return None
    return replace(
        order,
        lines=[
            replace(line, total=line.total + share)
            for line, share in zip(order.lines, spread_signed(on_lines, totals), strict=True)
        ],
        shipping=[
            replace(each, total=each.total + share)
            for each, share in zip(order.shipping, spread_signed(on_shipping, shipping), strict=True)
        ],
    )


def spread_signed(amount: Decimal, over: Sequence[Decimal]) -> list[Decimal]:
    return [share.copy_sign(amount) for share in spread(abs(amount), over)]


def take_off_discount(order: Order, discount: Decimal) -> Order:
    """Take the order's discount off its lines, each in proportion; only what exceeds them comes off the shipping.

    A discount that does not explain the total becomes a charge: the sum then shows it, and the difference.
    """
    if discount <= 0:
        return order
    is_explained = order.summed - discount == order.total
    shared = share_out(order, -discount) if is_explained else None
    return shared or replace(order, charges=[*order.charges, Charge(kind="discount", total=-discount)])


def take_off_goodwill(order: Order, goodwill: Decimal) -> Order:
    """Take money that was given back for no line off the lines, and off a total that still holds it.

    Whether it does, the parts say: they hold it, so the total is nearer to them, or to what is left of them.
    """
    left = share_out(order, -goodwill) if goodwill > 0 else None
    if left is None:
        return order
    is_held = abs(order.total - order.summed) < abs(order.total - left.summed)
    return replace(left, total=order.total - goodwill) if is_held else left
