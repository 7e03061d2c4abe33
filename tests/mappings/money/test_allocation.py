from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.money.allocation import allocate


def decimals(*texts: str) -> list[Any]:
    return [Decimal(text) for text in texts]


@pytest.mark.parametrize(
    ("amount", "over", "shares"),
    [
        ("50.00", ["750.00", "100.00"], ["44.12", "5.88"]),
        ("10.00", ["30.00", "30.00", "30.00"], ["3.34", "3.33", "3.33"]),
        ("0.02", ["1.00", "2.00", "1.00"], ["0.01", "0.01", "0.00"]),
        ("5.00", ["0.00", "5.00"], ["0.00", "5.00"]),
        ("0", ["3.00"], ["0"]),
        ("0", ["0.00"], ["0"]),
        ("0", [], []),
    ],
)
def test_amount_is_allocated_by_largest_remainder(amount: str, over: list[Any], shares: list[Any]) -> None:
    assert allocate(Decimal(amount), decimals(*over)) == decimals(*shares)


cents = st.integers(min_value=0, max_value=10**12)


@given(st.lists(cents, min_size=1, max_size=8), st.floats(min_value=0, max_value=1))
def test_shares_add_up_and_never_exceed_their_base(weights: list[int], part: float) -> None:
    over = [Decimal(weight).scaleb(-2) for weight in weights]
    amount = min(Decimal(int(sum(weights) * part)).scaleb(-2), sum(over, Decimal(0)))
    shares = allocate(amount, over)
    assert sum(shares) == amount
    assert all(0 <= share <= base for share, base in zip(shares, over, strict=True))
