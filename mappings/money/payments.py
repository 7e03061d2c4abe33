"""What was paid: by one gateway, or as movements of money say. Pure arithmetic: it knows no platform's words."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from mappings.order import Payment


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Money that went to the store, or back to the customer."""

    transaction_id: str
    parent_id: str | None = None  # of the movement that this one gives back
    is_refund: bool = False
    payment: Payment


def remaining_payments(transactions: Iterable[Transaction]) -> list[Payment] | None:
    """Return every payment less what was given back of it, without those of which nothing is left.

    None where more went back than what it gives back had brought: then some payment is not told.
    """
    transactions = list(transactions)
    paid = {
        transaction.transaction_id: transaction.payment for transaction in transactions if not transaction.is_refund
    }
    for refund in (transaction for transaction in transactions if transaction.is_refund):
        payment = paid.get(refund.parent_id or "")
        if payment is None or payment.amount < refund.payment.amount:
            return None
        paid[refund.parent_id or ""] = replace(payment, amount=payment.amount - refund.payment.amount)
    return [payment for payment in paid.values() if payment.amount]


def sole_payment(
    total: Decimal,
    *,
    is_paid: bool | None,
    gateway: str | None,
    name: str | None,
    transaction_id: str | None = None,
) -> list[Payment] | None:
    """Return the payment of an order that one gateway was paid for, the whole of it; none where nothing is paid.

    None where the storefront does not say whether, or in which way.
    """
    if is_paid is False or total == 0:
        return []
    if not is_paid or (gateway is None and name is None):
        return None
    return [Payment(gateway=gateway, name=name, amount=total, transaction_id=transaction_id)]
