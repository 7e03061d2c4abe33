"""One order on its way to one account: what a destination's schema is dumped from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mappings.addresses.postcodes import describe_mismatch
from mappings.labels import LABELS
from mappings.lookup_tables import MissingRowProblem
from mappings.order import Address, Order
from mappings.settings import Store
from mappings.tax_ids import parse_tax_id


@dataclass(frozen=True, kw_only=True)
class OrderRequest:
    """One order on its way to one account: what a destination's schema is dumped from.

    A destination that reckons something of its own (totals, split lines) extends it with properties.
    """

    order: Order
    account: Any  # the destination's own `Account`
    store: Store
    customer_match: Any = None  # `Booked`, where the destination was asked for the order's customer

    @property
    def labels(self) -> Mapping[str, str]:
        """How this account calls parts of the hub, where that is not how `LABELS` does."""
        return {}

    def format_template(self, template: str) -> str:
        """Return a setting's template with what it names. `{store}` is the store's id, which outlives a new name."""
        order = self.order
        return template.format(
            storefront=order.storefront, store=self.store.id, order_id=order.order_id, number=order.number
        )

    def required_row_problems(
        self, description: str, table: str, *keys: str | None, value: str
    ) -> Iterator[MissingRowProblem]:
        """Say that an order misses a row, where the account has the table among its `required_tables`.

        Args:
            keys: any of which may have the row; those that the order does not hold are None.
        """
        present_keys = [key for key in keys if key]
        if (
            present_keys
            and table in self.account.required_tables
            and getattr(self.account, table).find(*present_keys) is None
        ):
            yield self.build_missing_row_problem(description, table, *present_keys, value=value)

    def build_missing_row_problem(self, description: str, table: str, *keys: str, value: str) -> MissingRowProblem:
        return MissingRowProblem.create(description, account=self.account.name, table=table, keys=keys, value=value)

    def order_line_number(self, index: int) -> int:
        """Return which line of the order stands at `place` of the body, for a merchant who counts from 1."""
        return index + 1

    @property
    def sent_address(self) -> Address | None:
        """The address that this destination is told street by street; None where it is told none."""
        return None

    @property
    def ambiguities(self) -> list[str]:
        """How the address may also be read: a problem, or a warning where the store has it sent as it is."""
        address = self.sent_address
        return [f"{LABELS['ship_to']} > {address.ambiguity}"] if address and address.ambiguity else []

    @property
    def data_quality_warnings(self) -> list[str]:
        """What looks wrong and still goes: shops sell to foreigners, and people move."""
        address = self.sent_address
        mismatch = address and describe_mismatch(address.postal_code, country=address.country, state=address.state)
        tax_id = parse_tax_id(self.order.document) if self.order.document else None
        has_bad_check_digit = tax_id and tax_id.kind == "rfc" and not tax_id.has_good_check_digit
        return [
            *([f"{LABELS['ship_to']} > {mismatch}"] if mismatch else []),
            *(
                [f"{LABELS['document']}: the check digit of RFC {tax_id.number} is wrong."]
                if tax_id and has_bad_check_digit
                else []
            ),
        ]

    def problems(self) -> Iterator[str]:
        """Say what stops this order here and no single field can say, in a merchant's words."""
        yield from ()

    def warnings(self) -> Iterator[str]:
        """Say what the order holds and the body cannot, or what looks odd and still goes."""
        yield from ()
