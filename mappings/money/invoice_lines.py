"""Invoice lines, for destinations that record money: unit prices, charges as lines, and the check of the total.

Each destination writes the lines in its own way.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from mappings.lookup_tables import LookupTableField
from mappings.money.allocation import apply_to_lines, to_cents
from mappings.order import Line, Order, Shipping
from mappings.order_request import OrderRequest
from mappings.problems import ParamValue, Problem
from mappings.setting_fields import OneOf, String
from mappings.settings import NOT_BLANK

CHARGE_KINDS = ["tip", "fee", "rounding", "duties"]


class ChargeTableField(LookupTableField):
    """The setting `charges`: kind of charge -> the SKU of its invoice line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(String(validate=NOT_BLANK), keys=String(validate=OneOf(CHARGE_KINDS)), **kwargs)


#: A row that becomes lines: name, SKU, quantity, and the total for the whole quantity.
SaleRow = tuple[str | None, str | None, int, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """Units of one price, after discounts and with tax."""

    number: int  # of the row
    name: str | None
    sku: str | None
    quantity: int
    unit_cents: int

    @property
    def total_cents(self) -> int:
        return self.quantity * self.unit_cents

    @property
    def unit_price(self) -> Decimal:
        return Decimal(self.unit_cents).scaleb(-2)


def product_rows(order: Order) -> list[SaleRow]:
    return [(line.name or line.sku, line.sku, line.quantity, line.total) for line in order.lines]


def charge_rows(order: Order, skus: Mapping[str, str]) -> list[SaleRow]:
    """Return the charges that become lines; `charge_problems` reports the others."""
    return [
        (charge.name or charge.kind, skus[charge.kind], 1, charge.total)
        for charge in order.charges
        if charge.total > 0 and charge.kind in skus
    ]


def split_unit_prices(rows: Sequence[SaleRow]) -> list[InvoiceLine]:
    """Return one line for each row, or two if its total does not divide by its quantity: the dearer units first."""
    return [
        InvoiceLine(number=number, name=name, sku=sku, quantity=units, unit_cents=cents)
        for number, (name, sku, quantity, total) in enumerate(rows, start=1)
        for units, cents in split_evenly(total, quantity)
    ]


def split_evenly(total: Decimal, quantity: int) -> list[tuple[int, int]]:
    """Return pairs of units and cents per unit: one pair, or two if `total` does not divide, the dearer units first."""
    floor, dearer_units = divmod(to_cents(total), quantity)
    return [(units, cents) for units, cents in ((dearer_units, floor + 1), (quantity - dearer_units, floor)) if units]


def normalize_charges(order: Order, skus: Mapping[str, str]) -> Order:
    """Return the order with the charges that have no line of their own moved to the products.

    Negative charges are taken off the products, and a rounding without a SKU of its own is added to them. What they
    cannot absorb stays a charge, which `charge_problems` reports.
    """
    for charge in order.charges:
        if charge.total < 0 or (charge.total and charge.kind == "rounding" and charge.kind not in skus):
            other_charges = [other for other in order.charges if other is not charge]
            order = apply_to_lines(replace(order, charges=other_charges), charge.total) or order
    return order


def charge_problems(order_request: OrderRequest, bookable_order: Order, vendor: str) -> Iterator[Problem]:
    """Yield the charges that cannot be booked: negative ones, and those without a SKU."""
    for charge in bookable_order.charges:
        params: dict[str, ParamValue] = {"kind": charge.kind, "amount": str(charge.total)}
        if charge.total < 0:
            yield Problem(code="negative_charge", path=("charges",), params={**params, "vendor": vendor})
        elif charge.total > 0 and charge.kind not in order_request.account.charges:
            yield order_request.build_missing_row_problem(
                "no_charge_sku", "charges", charge.kind, placeholder="SKU", path=("charges",), **params
            )


def charge_warnings(order: Order, bookable_order: Order, vendor: str) -> Iterator[Problem]:
    """Yield the charges that do not become a line of their own."""
    for charge in order.charges:
        if all(charge is not bookable_charge for bookable_charge in bookable_order.charges):
            code = "charge_taken_off" if charge.total < 0 else "charge_added"
            params: dict[str, ParamValue] = {"kind": charge.kind, "amount": str(charge.total), "vendor": vendor}
            yield Problem(code=code, path=("charges",), params=params)


def find_total_mismatch(order: Order) -> Problem | None:
    """Return the arithmetic if the order's parts do not add up to what was charged."""
    terms = {"products": sum_cents(order.lines), "shipping": sum_cents(order.shipping)}
    for charge in order.charges:
        terms[charge.kind] = terms.get(charge.kind, 0) + to_cents(charge.total)
    return build_total_mismatch("total_mismatch", terms, order)


def build_total_mismatch(code: str, cents: Mapping[str, int], order: Order) -> Problem | None:
    """Return the arithmetic of these terms if their sum is not what was charged.

    Args:
        cents: key of `WORDS`, or a gateway's name in quotes -> cents.
    """
    if sum(cents.values()) == to_cents(order.total):
        return None
    terms = [(name, value) for name, value in cents.items() if value] or [next(iter(cents.items()))]
    params: dict[str, ParamValue] = {
        "terms": tuple((name, format_cents(value)) for name, value in terms),
        "sum": format_cents(sum(cents.values())),
        "charged": format_cents(to_cents(order.total)),
    }
    return Problem(code=code, params=params)


def sum_cents(parts: Sequence[Line | Shipping]) -> int:
    return sum((to_cents(part.total) for part in parts), 0)


def format_cents(cents: int) -> str:
    return str(Decimal(cents).scaleb(-2))
