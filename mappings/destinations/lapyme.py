"""LaPyme: an ERP of Argentina. Writes POST /api/v1/orders; it neither sends nor makes keys.

Fields stand in the order of LaPyme's own page: https://docs.lapyme.com.ar/api-reference/api/crear-pedido,
read 2026-11-21. Money is whole centavos there, and sales hold VAT in `unit_price`
(https://docs.lapyme.com.ar/api-reference/api/crear-venta, read 2026-11-21).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import Length, OneOf, Range, Regexp

from mappings.contracts import load_contract
from mappings.customer_lookup import CustomerApi, CustomerPage, CustomerQuery
from mappings.fields import Nested, Quantity, StrictInteger, Text, UTCDateTime
from mappings.integration import Destination, Outcome, get_path
from mappings.lookup_tables import LookupTable, LookupTableField
from mappings.money.allocation import to_cents
from mappings.money.invoice_lines import (
    ChargeTableField,
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
from mappings.person_names import buyer_name
from mappings.schema import DestinationSchema
from mappings.settings import CURRENCY_CODE, NOT_BLANK, Account, AccountSchema, HeaderValue, Template
from mappings.tax_ids import TaxId, parse_tax_id
from mappings.text import match_key

UUID_PATTERN = r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z"
UUID_VALIDATOR = Regexp(UUID_PATTERN, error="must be a UUID as LaPyme shows it.")

#: ARCA's ids of VAT rates, in percent. https://github.com/LaPyme/arca.ts, packages/arca/src/constants.ts,
#: read 2026-11-21, and LaPyme's sales examples (5 is 21 %).
TAX_RATES = {3: Decimal(0), 4: Decimal("10.5"), 5: Decimal(21), 6: Decimal(27)}
#: ARCA's words for currencies (same source). Newer releases of LaPyme's SDK say ARS and USD.
ARCA_CURRENCY_CODES = {"ARS": "PES", "USD": "DOL"}
CURRENCY_CHOICES = ["PES", "DOL", "ARS", "USD"]
DELIVERY_METHODS = ["shipping", "local_delivery", "pickup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LapymeAccount(Account):
    api_key: str = field(repr=False)
    customer_id: str  # whom every order is booked on
    customer_id_by_document: LookupTable[str] = field(default_factory=LookupTable, repr=False)
    customers: Literal["default", "find", "find_or_create"] = "default"  # what is done where that has no row
    assigned_warehouse_id: str
    warehouses: LookupTable[str] = field(
        default_factory=LookupTable
    )  # location, or branch of a pickup -> assigned_warehouse_id
    currencies: LookupTable[str] = field(default_factory=lambda: LookupTable(ARCA_CURRENCY_CODES))
    tax_rate_id: int = 5
    tax_rates: dict[int, Decimal] = field(default_factory=lambda: dict(TAX_RATES))  # id -> percent
    tax_rate_id_by_sku: LookupTable[int] = field(default_factory=LookupTable)
    product_id_by_sku: LookupTable[str] = field(default_factory=LookupTable)
    delivery_method_by_shipping: LookupTable[str] = field(default_factory=LookupTable)  # method of shipping -> LaPyme's
    shipping_sku: str = "ENVIO"
    shipping_name: str = "Envío"
    charges: LookupTable[str] = field(default_factory=LookupTable)  # kind of charge -> SKU
    tax_rounding: Literal["order", "line"] = "order"
    notes: str = "{storefront} {number}"


class LapymeAccountSchema(AccountSchema):
    model: ClassVar[type[LapymeAccount]] = LapymeAccount
    documented_base_url = "https://api.lapyme.com.ar"

    api_key = HeaderValue(required=True)
    customer_id = fields.String(validate=UUID_VALIDATOR, required=True)
    customer_id_by_document = LookupTableField(fields.String(validate=UUID_VALIDATOR), normalize_key=match_key)
    customers = fields.String(validate=OneOf(["default", "find", "find_or_create"]))
    assigned_warehouse_id = fields.String(validate=UUID_VALIDATOR, required=True)
    warehouses = LookupTableField(fields.String(validate=UUID_VALIDATOR), normalize_key=match_key)
    currencies = LookupTableField(
        fields.String(validate=OneOf(CURRENCY_CHOICES)), keys=fields.String(validate=CURRENCY_CODE)
    )
    tax_rate_id = fields.Integer(strict=True)
    tax_rates = fields.Dict(keys=fields.Integer(), values=fields.Decimal(validate=Range(min=0, max=100)))
    tax_rate_id_by_sku = LookupTableField(fields.Integer(strict=True))
    product_id_by_sku = LookupTableField(fields.String(validate=UUID_VALIDATOR))
    delivery_method_by_shipping = LookupTableField(
        fields.String(validate=OneOf(DELIVERY_METHODS)), normalize_key=match_key
    )
    shipping_sku = fields.String(validate=NOT_BLANK)
    shipping_name = fields.String(validate=NOT_BLANK)
    charges = ChargeTableField()
    tax_rounding = fields.String(validate=OneOf(["order", "line"]))
    notes = Template()

    @validates_schema(skip_on_field_errors=False)
    def validate_tax_rates(self, data: Mapping[str, Any], **_: Any) -> None:
        rates = data.get("tax_rates", TAX_RATES)
        if data.get("tax_rate_id", 5) not in rates:
            raise ValidationError("has no percentage in `tax_rates`.", "tax_rate_id")
        for sku, rate_id in data.get("tax_rate_id_by_sku", {}).items():
            if rate_id not in rates:
                raise ValidationError(
                    f"gives “{sku}” a rate without a percentage in `tax_rates`.", "tax_rate_id_by_sku"
                )


class LapymeTotalsSchema(DestinationSchema):
    subtotal = StrictInteger(attribute="subtotal_cents", validate=Range(min=0), required=True)
    tax_amount = StrictInteger(attribute="tax_cents", validate=Range(min=0), required=True)
    total = StrictInteger(attribute="total_cents", validate=Range(min=0), required=True)


class LapymeLineSchema(DestinationSchema):
    product_name_snapshot = Text(attribute="portion.name", required=True)
    sku_snapshot = Text(attribute="portion.sku", required=True)
    ordered_quantity = Quantity(attribute="portion.quantity", required=True)
    unit_price = StrictInteger(
        attribute="portion.unit_cents", validate=Range(min=0, error="must not be negative."), required=True
    )
    product_id = fields.String(validate=UUID_VALIDATOR)
    tax_rate_id = StrictInteger()
    # LaPyme's own discounts are never written: whether they go per unit or per line, it does not say.
    discount_amount = StrictInteger(validate=Range(min=0), load_only=True)
    discount_percentage = fields.Float(validate=Range(min=0, max=100), load_only=True)


class LapymeOrderSchema(DestinationSchema):
    customer_id = fields.String(validate=UUID_VALIDATOR, required=True)
    assigned_warehouse_id = fields.String(validate=UUID_VALIDATOR, required=True)
    totals = Nested(LapymeTotalsSchema, required=True)
    lines = fields.List(
        Nested(LapymeLineSchema),
        attribute="products",
        required=True,
        validate=Length(min=1, error="are missing: nothing was charged."),
    )
    delivery_method = fields.String(validate=OneOf(DELIVERY_METHODS))
    order_date = UTCDateTime(attribute="order.placed_at")
    currency = fields.String(validate=OneOf(CURRENCY_CHOICES))
    notes = Text()
    discount_amount = StrictInteger(validate=Range(min=0), load_only=True)


#: Tables of which each product may need a row: what it lacks without one, and what the row holds.
SKU_TABLES = [
    ("product_id_by_sku", "product", "PRODUCT_ID"),
    ("tax_rate_id_by_sku", "tax rate", "TAX_RATE_ID"),
]


class LapymeLine(NamedTuple):
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
        """Everything charged, as lines: LaPyme has no field for shipping, tips and the like."""
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
        """The sums as LaPyme is to reckon them from its own rates, so that net and tax always make the total."""
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
        """The customer's own, by the table or by LaPyme's word."""
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

    def problems(self) -> Iterator[str]:
        if self.currency is None:
            yield f"Currency “{self.order.currency}” is not served; only {', '.join(self.account.currencies)}."
        yield from charge_problems(self, self.bookable_order, "LaPyme")
        yield from self.missing_row_problems()
        if self.account.totals == "exact" and self.sum_mismatch:
            yield self.sum_mismatch

    def missing_row_problems(self) -> Iterator[str]:
        order = self.order
        for line in order.lines:
            for table, label, value in SKU_TABLES:
                message = f"Products > SKU “{line.sku}” has no {label} at LaPyme"
                yield from self.required_row_problems(message, table, line.sku, value=value)
        shipping_names, locations = (
            order.shipping_names,
            [location for location in (order.location, order.pickup_name) if location],
        )
        message = f"Shipping > “{next(iter(shipping_names), None)}” has no delivery method at LaPyme"
        yield from self.required_row_problems(
            message, "delivery_method_by_shipping", *shipping_names, value="DELIVERY_METHOD"
        )
        message = f"Location “{next(iter(locations), None)}” has no warehouse at LaPyme"
        yield from self.required_row_problems(message, "warehouses", *locations, value="WAREHOUSE_ID")
        document = normalized_document(order)
        is_lookup_pending = self.account.customers != "default" and self.customer_match is None
        if self.matched_customer_id is None and not is_lookup_pending:
            message = f"Tax document “{document}” has no customer at LaPyme"
            yield from self.required_row_problems(message, "customer_id_by_document", document, value="CUSTOMER_ID")

    def customer_warnings(self) -> Iterator[str]:
        """What is not said of whom the order is booked on: the account's customer."""
        order = self.order
        if self.account.customers == "default":
            if order.document:
                yield "Tax document is not sent: LaPyme books the order on the account's customer."
        elif self.customer_match is None:
            yield "Customer: the account's is shown; for a delivery, LaPyme is asked for the order's own."
        else:
            yield (
                self.customer_match.warning
                or "Customer: LaPyme has none of this document or e-mail; the account's is taken."
            )
        if any(address and address.company for address in (order.ship_to, order.bill_to)):
            yield "Company is not sent: LaPyme books the order on the account's customer."

    @cached_property
    def sum_mismatch(self) -> str | None:
        return find_total_mismatch(self.order) or find_total_mismatch(self.bookable_order)

    def warnings(self) -> Iterator[str]:
        order = self.order
        if self.sum_mismatch:
            yield self.sum_mismatch
        yield from charge_warnings(order, self.bookable_order, "LaPyme")
        tax_cents = self.totals.tax_cents
        if order.tax is not None and abs(to_cents(order.tax) - tax_cents) > len(self.products):
            storefront_tax = format_cents(to_cents(order.tax))
            yield f"Tax: the storefront reckoned {storefront_tax}, the account's rates give {format_cents(tax_cents)}."
        if self.matched_customer_id is None:
            yield from self.customer_warnings()
        if order.ship_to and not order.is_pickup:
            yield "Shipping address is not sent: LaPyme has no field for it."
        if order.note:
            yield "Customer note is not sent: LaPyme has no field for it."


def normalized_document(order: Order) -> str | None:
    """The tax document without what people write around it, where it is one."""
    document = parse_tax_id(order.document) if order.document else None
    return document.number if document else order.document


# LaPyme's customers: https://docs.lapyme.com.ar/api-reference/api, listar-clientes and crear-cliente, as the SDK that
# is made of their OpenAPI has them: github.com/LaPyme/lapyme-ts, docs/sdks/customers/README.md,
# src/models/api-customer-list-response.ts and api-customer-mutation-request.ts. Read 2026-11-22.

#: `tax_id_type` by what `read_tax_document` calls it.
TAX_ID_TYPES = {"cuit": "CUIL/CUIT", "dni": "DNI"}


def customer_queries(order: Order, account: LapymeAccount) -> list[CustomerQuery]:
    """The document, then the e-mail; nobody where a row says who it is, or the account has nobody looked for."""
    if account.customers == "default" or account.customer_id_by_document.find(normalized_document(order)):
        return []
    queries = []
    if document := tax_id_of(order):
        number = document.number
        # Unverified: whether LaPyme keeps a CUIT with its dashes, and finds it by the digits alone.
        dashed = (f"{number[:2]}-{number[2:10]}-{number[10]}",) if document.kind == "cuit" else ()
        queries.append(CustomerQuery(label="tax document", value=number, search_terms=(number, *dashed)))
    if email := email_of(order):
        queries.append(CustomerQuery(label="e-mail", value=email.casefold(), search_terms=(email,)))
    return queries


def tax_id_of(order: Order) -> TaxId | None:
    document = parse_tax_id(order.document) if order.document else None
    return document if document and document.kind in TAX_ID_TYPES else None


def email_of(order: Order) -> str | None:
    email = order.email or (order.customer.email if order.customer else None)
    return email if email and "@" in email else None


def parse_customer_page(response: Any, query: CustomerQuery, order: Order) -> CustomerPage | None:
    """Return who surely is the one: the search finds names, too, and parts of numbers."""
    customers = response.get("data") if isinstance(response, Mapping) else None
    if not isinstance(customers, list) or not all(isinstance(customer, Mapping) for customer in customers):
        return None
    document = tax_id_of(order)
    ids = [
        customer.get("id")
        for customer in customers
        if matches_query(customer, query, document.number if document else None)
    ]
    cursor = response.get("next_cursor") if response.get("has_more") is True else None
    return CustomerPage(ids=[id_ for id_ in ids if is_uuid(id_)], cursor=cursor if isinstance(cursor, str) else None)


def matches_query(customer: Mapping[str, Any], query: CustomerQuery, document: str | None) -> bool:
    """An e-mail tells who it is only where the documents do not contradict it: people share addresses."""
    tax_id = match_key(str(customer.get("tax_id") or ""))
    if query.label == "tax document":
        return tax_id == query.value
    has_other_tax_id = bool(tax_id and document and tax_id != document)
    return str(customer.get("email") or "").casefold() == query.value and not has_other_tax_id


def build_customer_body(order: Order) -> dict[str, Any] | None:
    """Return the body that makes a customer, of what the order says alone; None where it names nobody."""
    company = order.bill_to.company if order.bill_to else None
    document = tax_id_of(order)
    is_company = document is not None and document.is_company is True
    name = (company if is_company else None) or " ".join(part for part in buyer_name(order) if part)
    if not name:
        return None
    values = {
        "name": name,
        "company_name": company if is_company else None,
        "email": email_of(order),
        "phone": order.phone_to_call,
        "tax_id": document.number if document else None,
        "tax_id_type": TAX_ID_TYPES[document.kind] if document else None,
    }
    return {key: value for key, value in values.items() if value is not None}


def created_customer_id(response: Any) -> str | None:
    customer_id = get_path(response, "data.customer.id")
    return customer_id if is_uuid(customer_id) else None


def is_uuid(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(UUID_PATTERN, value) is not None


CUSTOMER_API = CustomerApi(
    path="/api/v1/customers",
    queries_for=customer_queries,
    may_create=lambda account: account.customers == "find_or_create",
    search_params=lambda spelling, cursor: {
        "query": spelling,
        "limit": "100",
        **({"cursor": cursor} if cursor else {}),
    },
    parse_page=parse_customer_page,
    build_request=build_customer_body,
    created_id=created_customer_id,
    is_duplicate=lambda status, body: status == 409,  # its document is there, or its key was used
    is_in_progress=lambda status, body: classify_response(status, body) in (Outcome.CONFLICT, Outcome.AMBIGUOUS),
)


def net_cents(cents: int, percent: Decimal) -> int:
    """Return the part of `cents` that is no tax, halves up."""
    return to_cents(Decimal(cents) / (100 + percent))


def classify_response(status: int, body: Any) -> Outcome | None:
    """Read 409, which LaPyme answers to a key that was used with another body, or that is in use.

    https://docs.lapyme.com.ar/api-reference/api/crear-pedido and its OpenAPI, read 2026-11-21.
    """
    if status != 409:
        return None
    error = body.get("error") if isinstance(body, Mapping) else None
    error = error if isinstance(error, Mapping) else {}
    if error.get("code") == "IDEMPOTENCY_CONFLICT":
        return Outcome.CONFLICT
    return Outcome.AMBIGUOUS if error.get("retryable") is True else Outcome.REFUSED


DESTINATION = Destination(
    name="lapyme",
    schema_class=LapymeOrderSchema,
    contract=load_contract("lapyme"),
    path="/api/v1/orders",
    order_id_path="data.order.id",
    settings_schema_class=LapymeAccountSchema,
    sample_settings={
        "api_key": "clave",
        "customer_id": "5b0c7a1e-52d3-4f6a-9e0b-6d1f0c2a3b4c",
        "assigned_warehouse_id": "7a1f0c52-93be-4b6f-8c2d-0e5f6a7b8c9d",
        "charges": {"tip": "PROPINA", "fee": "RECARGO"},
    },
    request_class=LapymeOrderRequest,
    bearer=lambda account: account.api_key,
    idempotency_header="Idempotency-Key",
    probe_path="/api/v1/warehouses",  # its OpenAPI, read 2026-11-21; needs the scope warehouses:read
    classify_response=classify_response,
    customer_api=CUSTOMER_API,
)
