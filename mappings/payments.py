"""What was paid, from a list of movements of money. Pure arithmetic: it knows no platform's words."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mappings.order import Payment


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Money that went to the store, or back to the customer."""

    movement_id: str
    parent_id: str | None = None  # of the movement that this one gives back
    is_return: bool = False
    payment: Payment


def payments_left(movements: Iterable[Movement]) -> list[Payment] | None:
    """Return every payment less what was given back of it, without those of which nothing is left.

    None where more went back than what it gives back had brought: then some payment is not told.
    """
    movements = list(movements)
    paid = {each.movement_id: each.payment for each in movements if not each.is_return}
    for back in (each for each in movements if each.is_return):
        payment = paid.get(back.parent_id or "")
        if payment is None or payment.amount < back.payment.amount:
            return None
        paid[back.parent_id or ""] = replace(payment, amount=payment.amount - back.payment.amount)
    return [payment for payment in paid.values() if payment.amount]
