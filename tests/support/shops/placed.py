"""A generated order of any platform: its payload, and the facts that hold for it.

Amounts are cents, computed with integers and fractions only, independently of the tested code.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

from hypothesis import strategies as st

#: Per mille of value added tax.
RATES = st.sampled_from([210, 105, 270, 0])
QUANTITIES = st.one_of(st.integers(1, 4), st.integers(1, 60))
PRICES = st.one_of(st.integers(0, 3_000), st.integers(1, 5_000_000))
#: How much of something, in hundredths.
PARTS = st.integers(0, 100)


@dataclass(frozen=True, kw_only=True)
class GeneratedOrder:
    fields: dict[str, Any]  # what stands in the place of a sample's figures
    charged: int  # after refunds
    units: dict[str, int]  # SKU -> what is left of it
    kinds: frozenset[str] = frozenset()  # what is special about it
    slack: int = 0  # how far the platform's own rounding may leave its figures from its total
    rounded: int = 0  # by how much the total exceeds its parts for that, where that is known
    store: dict[str, Any] = field(default_factory=dict)  # settings
    currency: str = "ARS"
    bears: int = 0  # what products and shipping still cost, before discounts that are fees and before goodwill
    off: int = 0  # those discounts


def half_up(amount: Fraction | int) -> int:
    return floor(amount + Fraction(1, 2))


def fraction_of(amount: int, hundredths: int) -> int:
    return amount * hundredths // 100


def money_text(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def cents(value: str) -> int:
    amount = Fraction(value) * 100
    assert amount.denominator == 1
    return int(amount)
