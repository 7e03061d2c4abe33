from decimal import Decimal
from typing import Any

import pytest

from mappings.money.payments import Transaction, remaining_payments
from mappings.order import Payment


def paid(movement_id: str, amount: str, gateway: str = "visa") -> Transaction:
    return Transaction(transaction_id=movement_id, payment=Payment(gateway=gateway, amount=Decimal(amount)))


def given_back(parent_id: str | None, amount: str) -> Transaction:
    payment = Payment(gateway="visa", amount=Decimal(amount))
    return Transaction(transaction_id="r", parent_id=parent_id, is_refund=True, payment=payment)


@pytest.mark.parametrize(
    ("movements", "left"),
    [
        ([], []),
        ([paid("1", "10"), paid("2", "5", "gift_card")], [("visa", 10), ("gift_card", 5)]),
        ([paid("1", "10"), given_back("1", "4"), given_back("1", "1")], [("visa", 5)]),
        ([given_back("1", "4"), paid("1", "10")], [("visa", 6)]),
        ([paid("1", "10"), paid("2", "5", "gift_card"), given_back("2", "5")], [("visa", 10)]),
    ],
)
def test_what_was_given_back_comes_off_the_payment_that_it_names(movements: list[Any], left: list[Any]) -> None:
    payments = remaining_payments(iter(movements))
    assert payments is not None
    assert [(payment.gateway, payment.amount) for payment in payments] == left


@pytest.mark.parametrize("back", [given_back("1", "10.01"), given_back("9", "1"), given_back(None, "1")])
def test_payments_are_not_told_where_more_went_back_than_had_come(back: Transaction) -> None:
    assert remaining_payments([paid("1", "10"), back]) is None
