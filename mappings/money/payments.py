"""Payments of an order: a single one, or the sums of its transactions."""

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from mappings.order import Payment
from mappings.problems import Problem

MAX_STATUS_LENGTH = 40  # characters that a problem shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A payment to the store, or a refund to the customer."""

    transaction_id: str
    parent_id: str | None = None  # for a refund: the transaction that it refunds
    is_refund: bool = False
    payment: Payment


def find_unknown_status(status: str | None, documented: Container[str], *, vendor: str) -> Problem | None:
    """Return the problem of a payment status that the platform does not document. An order without one is not paid."""
    if not status or status in documented:
        return None
    return Problem(code="unknown_payment_status", params={"value": status[:MAX_STATUS_LENGTH], "vendor": vendor})


def remaining_payments(transactions: Iterable[Transaction]) -> list[Payment] | None:
    """Return every payment minus its refunds, without those that were refunded completely.

    None if more was refunded of a payment than was paid: then a payment is missing.
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
    """Return the one payment of an order that was paid in full by one gateway; empty if nothing is paid.

    None if the storefront does not say whether or how it was paid.
    """
    if is_paid is False or total == 0:
        return []
    if not is_paid or (gateway is None and name is None):
        return None
    return [Payment(gateway=gateway, name=name, amount=total, transaction_id=transaction_id)]
