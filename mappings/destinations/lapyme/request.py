"""The values of a LaPyme order.

Amounts are whole centavos, and `unit_price` includes VAT, as in sales:
https://docs.lapyme.com.ar/api-reference/api/crear-venta, read 2026-11-21.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from mappings.destinations.lapyme.account import LapymeAccount
from mappings.destinations.lapyme.customers import normalized_document
from mappings.destinations.lapyme.problems import TEMPLATES
from mappings.money.allocation import to_cents
from mappings.money.invoice_lines import (
    InvoiceLine,
    charge_problems,
    charge_rows,
    charge_warnings,
    find_total_mismatch,
    format_cents,
    normalize_charges,
    product_rows,
    split_unit_prices,
)
from mappings.order import Order
from mappings.order_request import OrderRequest
from mappings.problems import Problem, register_templates

register_templates(TEMPLATES)

#: Tables in which a product may need a row: table, code of the problem without one, and placeholder of its value.
SKU_TABLES = [
    ("product_id_by_sku", "lapyme_no_product", "PRODUCT_ID"),
    ("tax_rate_id_by_sku", "lapyme_no_tax_rate", "TAX_RATE_ID"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LapymeLine:
    portion: InvoiceLine
    product_id: str | None
    tax_rate_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LapymeTotals:
    subtotal_cents: int  # without tax
    tax_cents: int

    @property
    def total_cents(self) -> int:
        return self.subtotal_cents + self.tax_cents


@dataclass(frozen=True, kw_only=True)
class LapymeOrderRequest(OrderRequest):
    account: LapymeAccount

    @cached_property
    def bookable_order(self) -> Order:
        return normalize_charges(self.order, self.account.charges)

    @cached_property
    def products(self) -> list[LapymeLine]:
        """Everything that was charged, as lines: LaPyme has no fields for shipping, tips and other charges."""
        order, account = self.bookable_order, self.account
        shipping = [
            (account.shipping_name, account.shipping_sku, 1, method.total) for method in order.shipping if method.total
        ]
        rows = [*product_rows(order), *shipping, *charge_rows(order, account.charges)]
        return [
            LapymeLine(
                portion=portion,
                product_id=account.product_id_by_sku.find(portion.sku),
                tax_rate_id=account.tax_rate_id_by_sku.get(portion.sku or "", account.tax_rate_id),
            )
            for portion in split_unit_prices(rows)
        ]

    def order_line_number(self, index: int) -> int:
        return self.products[index].portion.number

    @cached_property
    def totals(self) -> LapymeTotals:
        """The totals, calculated from the account's tax rates so that net and tax add up to the total."""
        # Unverified: LaPyme does not say whether it rounds the net per line or per order: `tax_rounding`.
        amounts_by_rate_id: dict[int, list[int]] = {}
        for line in self.products:
            amounts_by_rate_id.setdefault(line.tax_rate_id, []).append(line.portion.total_cents)
        net = 0
        for rate_id, amounts in amounts_by_rate_id.items():
            rate = self.account.tax_rates[rate_id]
            for cents in amounts if self.account.tax_rounding == "line" else [sum(amounts)]:
                net += net_cents(cents, rate)
        return LapymeTotals(subtotal_cents=net, tax_cents=sum(line.portion.total_cents for line in self.products) - net)

    @property
    def currency(self) -> str | None:
        return self.account.currencies.get(self.order.currency)

    @cached_property
    def matched_customer_id(self) -> str | None:
        """The id of the order's customer, from the table or from LaPyme's search."""
        customer_id = self.account.customer_id_by_document.find(normalized_document(self.order))
        return customer_id or (self.customer_match.customer_id if self.customer_match else None)

    @property
    def customer_id(self) -> str:
        return self.matched_customer_id or self.account.customer_id

    @property
    def assigned_warehouse_id(self) -> str:
        warehouse_id = self.account.warehouses.find(self.order.location, self.order.pickup_name)
        return warehouse_id or self.account.assigned_warehouse_id

    @property
    def delivery_method(self) -> str | None:
        default_method = {True: "pickup", False: "shipping", None: None}[self.order.is_pickup]
        return self.account.delivery_method_by_shipping.find(*self.order.shipping_names) or default_method

    @property
    def notes(self) -> str:
        return self.format_template(self.account.notes)

    def problems(self) -> Iterator[Problem]:
        if self.currency is None:
            params = {"value": self.order.currency, "choices": ", ".join(self.account.currencies)}
            yield Problem(code="not_served", path=("currency",), params=params)
        yield from charge_problems(self, self.bookable_order, "LaPyme")
        yield from self.missing_row_problems()
        if self.account.totals == "exact" and self.sum_mismatch:
            yield self.sum_mismatch

    def missing_row_problems(self) -> Iterator[Problem]:
        order = self.order
        for line in order.lines:
            for table, code, placeholder in SKU_TABLES:
                yield from self.required_row_problems(
                    code, table, line.sku, placeholder=placeholder, path=("lines", "sku"), value=line.sku
                )
        shipping_names, locations = (
            order.shipping_names,
            [location for location in (order.location, order.pickup_name) if location],
        )
        yield from self.required_row_problems(
            "lapyme_no_delivery_method",
            "delivery_method_by_shipping",
            *shipping_names,
            placeholder="DELIVERY_METHOD",
            path=("shipping",),
            value=next(iter(shipping_names), None),
        )
        yield from self.required_row_problems(
            "lapyme_no_warehouse",
            "warehouses",
            *locations,
            placeholder="WAREHOUSE_ID",
            value=next(iter(locations), None),
        )
        document = normalized_document(order)
        is_lookup_pending = self.account.customers != "default" and self.customer_match is None
        if self.matched_customer_id is None and not is_lookup_pending:
            yield from self.required_row_problems(
                "lapyme_no_customer",
                "customer_id_by_document",
                document,
                placeholder="CUSTOMER_ID",
                path=("document",),
                value=document,
            )

    def customer_warnings(self) -> Iterator[Problem]:
        """Yield why the order is booked on the account's customer, and what is then not sent."""
        order = self.order
        if self.account.customers == "default":
            if order.document:
                yield Problem(code="lapyme_document_not_sent", path=("document",))
        elif self.customer_match is None:
            yield Problem(code="lapyme_customer_not_searched", path=("customer",))
        else:
            yield self.customer_match.warning or Problem(code="lapyme_customer_not_found", path=("customer",))
        if any(address and address.company for address in (order.ship_to, order.bill_to)):
            yield Problem(code="lapyme_company_not_sent", path=("company",))

    @cached_property
    def sum_mismatch(self) -> Problem | None:
        return find_total_mismatch(self.order) or find_total_mismatch(self.bookable_order)

    def warnings(self) -> Iterator[Problem]:
        order = self.order
        if self.sum_mismatch:
            yield self.sum_mismatch
        yield from charge_warnings(order, self.bookable_order, "LaPyme")
        tax_cents = self.totals.tax_cents
        if order.tax is not None and abs(to_cents(order.tax) - tax_cents) > len(self.products):
            params = {"storefront_tax": format_cents(to_cents(order.tax)), "account_tax": format_cents(tax_cents)}
            yield Problem(code="lapyme_other_tax", path=("tax",), params=params)
        if self.matched_customer_id is None:
            yield from self.customer_warnings()
        if order.ship_to and not order.is_pickup:
            yield Problem(code="not_sent", path=("ship_to",), params={"vendor": "LaPyme"})
        if order.note:
            yield Problem(code="not_sent", path=("note",), params={"vendor": "LaPyme"})


def net_cents(cents: int, percent: Decimal) -> int:
    """Return `cents` without tax, rounded half up."""
    return to_cents(Decimal(cents) / (100 + percent))
