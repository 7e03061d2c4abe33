"""What destinations that book money share: unit prices, charges that become lines, and whether an order adds up.

Pure arithmetic on the hub's order; how a destination writes it is the destination's own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from marshmallow import fields
from marshmallow.validate import OneOf

from mappings.lookup_tables import Table
from mappings.money.allocation import share_out, to_cents
from mappings.order import Dispatch, Line, Order, Shipping
from mappings.settings import NOT_BLANK

CHARGE_KINDS = ["tip", "fee", "rounding", "duties"]


class ChargeTable(Table):
    """The setting `charges`: kind of charge to the SKU that it is booked under."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(fields.String(validate=NOT_BLANK), keys=fields.String(validate=OneOf(CHARGE_KINDS)), **kwargs)


#: What becomes lines: name, SKU, quantity, and what was paid for the whole of it.
Row = tuple[str | None, str | None, int, Decimal]


class Portion(NamedTuple):  # there are hundreds in a body: a frozen dataclass takes thrice as long to make
    """Some units of one price, which is what was paid for each: discounts taken off, tax included."""

    number: int  # of the row
    name: str | None
    sku: str | None
    quantity: int
    unit_cents: int

    @property
    def cents(self) -> int:
        return self.quantity * self.unit_cents

    @property
    def unit_price(self) -> Decimal:
        return Decimal(self.unit_cents).scaleb(-2)


def product_rows(order: Order) -> list[Row]:
    return [(line.name or line.sku, line.sku, line.quantity, line.total) for line in order.lines]


def charge_rows(order: Order, skus: Mapping[str, str]) -> list[Row]:
    """Return each charge that becomes a line; `charge_problems` names the others."""
    return [
        (charge.name or charge.kind, skus[charge.kind], 1, charge.total)
        for charge in order.charges
        if charge.total > 0 and charge.kind in skus
    ]


def cut_portions(rows: Sequence[Row]) -> list[Portion]:
    """Return one portion of each row, or two where the price paid does not divide: some units a cent dearer, first."""
    return [
        Portion(number=number, name=name, sku=sku, quantity=units, unit_cents=cents)
        for number, (name, sku, quantity, total) in enumerate(rows, start=1)
        for units, cents in split_evenly(total, quantity)
    ]


def split_evenly(total: Decimal, quantity: int) -> list[tuple[int, int]]:
    """Return units and the cents of each: one pair, or two where `total` does not divide, the dearer units first."""
    floor, dearer = divmod(to_cents(total), quantity)
    return [(units, cents) for units, cents in ((dearer, floor + 1), (quantity - dearer, floor)) if units]


def settle_charges(order: Order, skus: Mapping[str, str]) -> Order:
    """Return the order as it can be booked: what is negative comes off the products, and a rounding without a SKU of
    its own goes on them. What they cannot bear stays, for `charge_problems` to name.
    """
    for charge in order.charges:
        if charge.total < 0 or (charge.total and charge.kind == "rounding" and charge.kind not in skus):
            others = [each for each in order.charges if each is not charge]
            order = share_out(replace(order, charges=others), charge.total) or order
    return order


def charge_problems(dispatch: Dispatch, settled: Order, vendor: str) -> Iterator[str]:
    for charge in settled.charges:
        if charge.total < 0:
            why = f"{vendor} takes no negative lines"
            yield f"Charges > {charge.kind} of {charge.total} is more than the products cost, and {why}."
        elif charge.total > 0 and charge.kind not in dispatch.account.charges:
            what = f"Charges > {charge.kind} of {charge.total} has no SKU"
            yield dispatch.missing_row(what, "charges", charge.kind, value="SKU")


def charge_warnings(order: Order, settled: Order, vendor: str) -> Iterator[str]:
    """Say which charges are no lines of their own."""
    for charge in order.charges:
        if all(charge is not each for each in settled.charges):
            is_off = charge.total < 0
            where = f"taken off the products: {vendor} takes no negative lines" if is_off else "put on the products"
            yield f"Charges > {charge.kind} of {charge.total} is {where}."


def find_sum_fault(order: Order) -> str | None:
    """Return the arithmetic, where what the order holds is not what was charged."""
    terms = {"products": sum_cents(order.lines), "shipping": sum_cents(order.shipping)}
    for charge in order.charges:
        terms[charge.kind] = terms.get(charge.kind, 0) + to_cents(charge.total)
    return find_difference("Total", terms, order)


def find_difference(what: str, cents: Mapping[str, int], order: Order) -> str | None:
    """Return the arithmetic of these terms, where their sum is not what was charged."""
    if sum(cents.values()) == to_cents(order.total):
        return None
    first, *others = [(name, value) for name, value in cents.items() if value] or [next(iter(cents.items()))]
    terms = f"{first[0]} {show_cents(first[1])}" + "".join(
        f" {'−' if value < 0 else '+'} {name} {show_cents(abs(value))}" for name, value in others
    )
    charged = show_cents(to_cents(order.total))
    return f"{what}: {terms} = {show_cents(sum(cents.values()))}, but {charged} was charged."


def sum_cents(parts: Sequence[Line | Shipping]) -> int:
    return sum((to_cents(part.total) for part in parts), 0)


def show_cents(cents: int) -> str:
    return str(Decimal(cents).scaleb(-2))
