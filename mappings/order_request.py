"""One order on its way to one account: what a destination's schema is dumped from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mappings.addresses.postcodes import find_mismatch
from mappings.money.allocation import round_to_cent
from mappings.order import Address, Line, Order
from mappings.problems import ParamValue, Problem
from mappings.settings import Store
from mappings.tax_ids import parse_tax_id


@dataclass(frozen=True, kw_only=True)
class OrderRequest:
    """One order on its way to one account: the object that a destination's schema dumps.

    A destination extends it with properties for what it computes, such as totals or split lines.
    """

    order: Order
    account: Any  # the destination's own `Account`
    store: Store
    customer_match: Any = None  # `CustomerMatch`, if the destination was searched for the customer

    @property
    def label_keys(self) -> Mapping[str, str]:
        """Attributes that merchants of this account know by another label: attribute -> key of `LABELS`."""
        return {}

    def format_template(self, template: str) -> str:
        """Return a setting's template with its placeholders filled; `{store}` is the store's id."""
        order = self.order
        return template.format(
            storefront=order.storefront, store=self.store.id, order_id=order.order_id, number=order.number
        )

    def required_row_problems(
        self,
        code: str,
        table: str,
        *keys: str | None,
        placeholder: str,
        path: tuple[str | int, ...] = (),
        **params: ParamValue,
    ) -> Iterator[Problem]:
        """Yield a problem if the order lacks a row, and the table is among the account's `required_tables`.

        Args:
            keys: any of which may have the row; None for those that the order does not have.
        """
        if table not in self.account.required_tables:
            return
        present_keys = [key for key in keys if key]
        if present_keys and getattr(self.account, table).find(*present_keys) is None:
            yield self.build_missing_row_problem(
                code, table, *present_keys, placeholder=placeholder, path=path, **params
            )

    def build_missing_row_problem(
        self,
        code: str,
        table: str,
        *keys: str,
        placeholder: str,
        path: tuple[str | int, ...] = (),
        **params: ParamValue,
    ) -> Problem:
        """Return a problem that one more row of a table solves.

        Args:
            placeholder: what the row holds, in capitals, for the example: `PRODUCT_ID`, or `id=ID`.
        """
        values = {**params, "account": self.account.name, "placeholder": placeholder}
        return Problem(code=code, path=path, params=values, table=table, keys=keys)

    def order_line_number(self, index: int) -> int:
        """Return the number, from 1, of the order's line that the body's product at `index` comes from."""
        return index + 1

    def is_shipped(self, line: Line) -> bool:
        """Return whether a product is one that is shipped at all."""
        return line.is_shippable

    @property
    def lines_to_ship(self) -> list[Line]:
        """What a destination that ships is to send."""
        return [line for line in self.order.lines_to_ship if self.is_shipped(line)]

    @property
    def nothing_to_ship(self) -> Problem | None:
        """Why a destination that ships has nothing to do with the order; None if something is left to ship."""
        if self.lines_to_ship or not self.order.lines:
            return None
        if not any(map(self.is_shipped, self.order.lines)):
            return Problem(code="nothing_is_shipped")
        return self.order.sent_reason or Problem(code="nothing_left_to_ship")

    @property
    def sent_address(self) -> Address | None:
        """The address that this destination receives street by street; None if it receives none."""
        return None

    @property
    def ambiguities(self) -> list[Problem]:
        """An address that can be read in two ways: a problem, or a warning if the store's `unsure` is `send_as_is`."""
        address = self.sent_address
        return [within("ship_to", address.ambiguity)] if address and address.ambiguity else []

    @property
    def data_quality_warnings(self) -> list[Problem]:
        """Yield what looks wrong but is sent: shops sell to foreigners, and people move."""
        warnings = []
        if address := self.sent_address:
            mismatch = find_mismatch(address.postal_code, country=address.country, state=address.state)
            warnings += [within("ship_to", mismatch)] if mismatch else []
        tax_id = parse_tax_id(self.order.document) if self.order.document else None
        if tax_id and tax_id.kind == "rfc" and not tax_id.has_good_check_digit:
            warnings.append(Problem(code="wrong_rfc_check_digit", path=("document",), params={"number": tax_id.number}))
        if self.order.unallocated_refund:
            params: dict[str, ParamValue] = {"amount": str(round_to_cent(self.order.unallocated_refund))}
            warnings.append(Problem(code="refund_without_products", path=("refunds",), params=params))
        return warnings

    def problems(self) -> Iterator[Problem]:
        """Yield what stops this order at this account and is not about a single field."""
        yield from ()

    def warnings(self) -> Iterator[Problem]:
        """Yield warnings: what the body has no field for, and what looks odd but is sent."""
        yield from ()


def within(parent: str, problem: Problem) -> Problem:
    """Return an address's problem as one of the order."""
    return replace(problem, path=(parent, *problem.path))
