from decimal import Decimal
from typing import Any

import pytest

from mappings.money.payments import Transaction, remaining_payments
from mappings.order import Payment


def payment_transaction(movement_id: str, amount: str, gateway: str = "visa") -> Transaction:
    return Transaction(transaction_id=movement_id, payment=Payment(gateway=gateway, amount=Decimal(amount)))


def refund_transaction(parent_id: str | None, amount: str) -> Transaction:
    payment = Payment(gateway="visa", amount=Decimal(amount))
    return Transaction(transaction_id="r", parent_id=parent_id, is_refund=True, payment=payment)


@pytest.mark.parametrize(
    ("movements", "remaining"),
    [
        ([], []),
        (
            [payment_transaction("1", "10"), payment_transaction("2", "5", "gift_card")],
            [("visa", 10), ("gift_card", 5)],
        ),
        ([payment_transaction("1", "10"), refund_transaction("1", "4"), refund_transaction("1", "1")], [("visa", 5)]),
        ([refund_transaction("1", "4"), payment_transaction("1", "10")], [("visa", 6)]),
        (
            [payment_transaction("1", "10"), payment_transaction("2", "5", "gift_card"), refund_transaction("2", "5")],
            [("visa", 10)],
        ),
    ],
)
def test_refund_reduces_its_parent_payment(movements: list[Any], remaining: list[Any]) -> None:
    payments = remaining_payments(iter(movements))
    assert payments is not None
    assert [(payment.gateway, payment.amount) for payment in payments] == remaining


@pytest.mark.parametrize(
    "refund", [refund_transaction("1", "10.01"), refund_transaction("9", "1"), refund_transaction(None, "1")]
)
def test_payments_are_unknown_when_refunds_exceed_them(refund: Transaction) -> None:
    assert remaining_payments([payment_transaction("1", "10"), refund]) is None
