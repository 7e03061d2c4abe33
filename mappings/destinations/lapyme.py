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
from mappings.customer_lookup import CustomerBook, Page, Sought
from mappings.fields import Moment, Part, Quantity, Text, Whole
from mappings.integration import Destination, Outcome, value_at
from mappings.lookup_tables import Rows, Table
from mappings.money.allocation import to_cents
from mappings.money.invoice_lines import (
    ChargeTable,
    Portion,
    charge_problems,
    charge_rows,
    charge_warnings,
    cut_portions,
    find_sum_fault,
    product_rows,
    settle_charges,
    show_cents,
)
from mappings.order import Dispatch, Order
from mappings.person_names import name_buyer
from mappings.schema import DestinationSchema
from mappings.settings import CURRENCY_CODE, NOT_BLANK, Account, AccountSchema, HeaderValue, Template
from mappings.tax_ids import TaxDocument, read_tax_document
from mappings.text import squeeze

UUID_FORM = r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z"
UUID = Regexp(UUID_FORM, error="must be a UUID as LaPyme shows it.")

#: ARCA's ids of VAT rates, in percent. https://github.com/LaPyme/arca.ts, packages/arca/src/constants.ts,
#: read 2026-11-21, and LaPyme's sales examples (5 is 21 %).
TAX_RATES = {3: Decimal(0), 4: Decimal("10.5"), 5: Decimal(21), 6: Decimal(27)}
#: ARCA's words for currencies (same source). Newer releases of LaPyme's SDK say ARS and USD.
CURRENCIES = {"ARS": "PES", "USD": "DOL"}
CURRENCY_WORDS = ["PES", "DOL", "ARS", "USD"]
DELIVERY_METHODS = ["shipping", "local_delivery", "pickup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LapymeAccount(Account):
    api_key: str = field(repr=False)
    customer_id: str  # whom every order is booked on
    customer_id_by_document: Rows[str] = field(default_factory=Rows, repr=False)
    customers: Literal["default", "find", "find_or_create"] = "default"  # what is done where that has no row
    assigned_warehouse_id: str
    warehouses: Rows[str] = field(default_factory=Rows)  # location, or branch of a pickup -> assigned_warehouse_id
    currencies: Rows[str] = field(default_factory=lambda: Rows(CURRENCIES))
    tax_rate_id: int = 5
    tax_rates: dict[int, Decimal] = field(default_factory=lambda: dict(TAX_RATES))  # id -> percent
    tax_rate_id_by_sku: Rows[int] = field(default_factory=Rows)
    product_id_by_sku: Rows[str] = field(default_factory=Rows)
    delivery_method_by_shipping: Rows[str] = field(default_factory=Rows)  # method of shipping -> LaPyme's
    shipping_sku: str = "ENVIO"
    shipping_name: str = "Envío"
    charges: Rows[str] = field(default_factory=Rows)  # kind of charge -> SKU
    tax_rounding: Literal["order", "line"] = "order"
    notes: str = "{storefront} {number}"


class LapymeAccountSchema(AccountSchema):
    model: ClassVar[type[LapymeAccount]] = LapymeAccount
    documented_base_url = "https://api.lapyme.com.ar"

    api_key = HeaderValue(required=True)
    customer_id = fields.String(validate=UUID, required=True)
    customer_id_by_document = Table(fields.String(validate=UUID), alike=squeeze)
    customers = fields.String(validate=OneOf(["default", "find", "find_or_create"]))
    assigned_warehouse_id = fields.String(validate=UUID, required=True)
    warehouses = Table(fields.String(validate=UUID), alike=squeeze)
    currencies = Table(fields.String(validate=OneOf(CURRENCY_WORDS)), keys=fields.String(validate=CURRENCY_CODE))
    tax_rate_id = fields.Integer(strict=True)
    tax_rates = fields.Dict(keys=fields.Integer(), values=fields.Decimal(validate=Range(min=0, max=100)))
    tax_rate_id_by_sku = Table(fields.Integer(strict=True))
    product_id_by_sku = Table(fields.String(validate=UUID))
    delivery_method_by_shipping = Table(fields.String(validate=OneOf(DELIVERY_METHODS)), alike=squeeze)
    shipping_sku = fields.String(validate=NOT_BLANK)
    shipping_name = fields.String(validate=NOT_BLANK)
    charges = ChargeTable()
    tax_rounding = fields.String(validate=OneOf(["order", "line"]))
    notes = Template()

    @validates_schema(skip_on_field_errors=False)
    def need_a_percentage_for_each_rate(self, table: Mapping[str, Any], **_: Any) -> None:
        rates = table.get("tax_rates", TAX_RATES)
        if table.get("tax_rate_id", 5) not in rates:
            raise ValidationError("has no percentage in `tax_rates`.", "tax_rate_id")
        for sku, rate in table.get("tax_rate_id_by_sku", {}).items():
            if rate not in rates:
                raise ValidationError(
                    f"gives “{sku}” a rate without a percentage in `tax_rates`.", "tax_rate_id_by_sku"
                )


class LapymeTotalsSchema(DestinationSchema):
    subtotal = Whole(attribute="subtotal_cents", validate=Range(min=0), required=True)
    tax_amount = Whole(attribute="tax_cents", validate=Range(min=0), required=True)
    total = Whole(attribute="total_cents", validate=Range(min=0), required=True)


class LapymeLineSchema(DestinationSchema):
    product_name_snapshot = Text(attribute="portion.name", required=True)
    sku_snapshot = Text(attribute="portion.sku", required=True)
    ordered_quantity = Quantity(attribute="portion.quantity", required=True)
    unit_price = Whole(
        attribute="portion.unit_cents", validate=Range(min=0, error="must not be negative."), required=True
    )
    product_id = fields.String(validate=UUID)
    tax_rate_id = Whole()
    # LaPyme's own discounts are never written: whether they go per unit or per line, it does not say.
    discount_amount = Whole(validate=Range(min=0), load_only=True)
    discount_percentage = fields.Float(validate=Range(min=0, max=100), load_only=True)


class LapymeOrder(DestinationSchema):
    customer_id = fields.String(validate=UUID, required=True)
    assigned_warehouse_id = fields.String(validate=UUID, required=True)
    totals = Part(LapymeTotalsSchema, required=True)
    lines = fields.List(
        Part(LapymeLineSchema),
        attribute="products",
        required=True,
        validate=Length(min=1, error="are missing: nothing was charged."),
    )
    delivery_method = fields.String(validate=OneOf(DELIVERY_METHODS))
    order_date = Moment(attribute="order.placed_at")
    currency = fields.String(validate=OneOf(CURRENCY_WORDS))
    notes = Text()
    discount_amount = Whole(validate=Range(min=0), load_only=True)


#: Tables of which each product may need a row: what it lacks without one, and what the row holds.
PER_SKU = [
    ("product_id_by_sku", "product", "PRODUCT_ID"),
    ("tax_rate_id_by_sku", "tax rate", "TAX_RATE_ID"),
]


class LapymeLine(NamedTuple):
    portion: Portion
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
class LapymeDispatch(Dispatch):
    account: LapymeAccount

    @cached_property
    def settled(self) -> Order:
        return settle_charges(self.order, self.account.charges)

    @cached_property
    def products(self) -> list[LapymeLine]:
        """Everything charged, as lines: LaPyme has no field for shipping, tips and the like."""
        order, account = self.settled, self.account
        shipping = [
            (account.shipping_name, account.shipping_sku, 1, each.total) for each in order.shipping if each.total
        ]
        rows = [*product_rows(order), *shipping, *charge_rows(order, account.charges)]
        return [
            LapymeLine(
                portion=portion,
                product_id=account.product_id_by_sku.find(portion.sku),
                tax_rate_id=account.tax_rate_id_by_sku.get(portion.sku or "", account.tax_rate_id),
            )
            for portion in cut_portions(rows)
        ]

    def number_line(self, place: int) -> int:
        return self.products[place].portion.number

    @cached_property
    def totals(self) -> LapymeTotals:
        """The sums as LaPyme is to reckon them from its own rates, so that net and tax always make the total."""
        # Unverified: LaPyme does not say whether it rounds the net per line or per order: `tax_rounding`.
        groups: dict[int, list[int]] = {}
        for line in self.products:
            groups.setdefault(line.tax_rate_id, []).append(line.portion.cents)
        net = 0
        for rate_id, amounts in groups.items():
            rate = self.account.tax_rates[rate_id]
            for cents in amounts if self.account.tax_rounding == "line" else [sum(amounts)]:
                net += net_cents(cents, rate)
        return LapymeTotals(subtotal_cents=net, tax_cents=sum(line.portion.cents for line in self.products) - net)

    @property
    def currency(self) -> str | None:
        return self.account.currencies.get(self.order.currency)

    @cached_property
    def own_customer_id(self) -> str | None:
        """The customer's own, by the table or by LaPyme's word."""
        found = self.account.customer_id_by_document.find(name_document(self.order))
        return found or (self.booked.customer_id if self.booked else None)

    @property
    def customer_id(self) -> str:
        return self.own_customer_id or self.account.customer_id

    @property
    def assigned_warehouse_id(self) -> str:
        found = self.account.warehouses.find(self.order.location, self.order.pickup_name)
        return found or self.account.assigned_warehouse_id

    @property
    def delivery_method(self) -> str | None:
        known = {True: "pickup", False: "shipping", None: None}[self.order.is_pickup]
        return self.account.delivery_method_by_shipping.find(*self.order.shipping_words) or known

    @property
    def notes(self) -> str:
        return self.fill_in(self.account.notes)

    def problems(self) -> Iterator[str]:
        if self.currency is None:
            yield f"Currency “{self.order.currency}” is not served; only {', '.join(self.account.currencies)}."
        yield from charge_problems(self, self.settled, "LaPyme")
        yield from self.row_problems()
        if self.account.totals == "exact" and self.sum_fault:
            yield self.sum_fault

    def row_problems(self) -> Iterator[str]:
        order = self.order
        for line in order.lines:
            for table, lacks, value in PER_SKU:
                what = f"Products > SKU “{line.sku}” has no {lacks} at LaPyme"
                yield from self.require_row(what, table, line.sku, value=value)
        words, places = order.shipping_words, [each for each in (order.location, order.pickup_name) if each]
        what = f"Shipping > “{next(iter(words), None)}” has no delivery method at LaPyme"
        yield from self.require_row(what, "delivery_method_by_shipping", *words, value="DELIVERY_METHOD")
        what = f"Location “{next(iter(places), None)}” has no warehouse at LaPyme"
        yield from self.require_row(what, "warehouses", *places, value="WAREHOUSE_ID")
        document = name_document(order)
        is_to_be_asked = self.account.customers != "default" and self.booked is None
        if self.own_customer_id is None and not is_to_be_asked:
            what = f"Tax document “{document}” has no customer at LaPyme"
            yield from self.require_row(what, "customer_id_by_document", document, value="CUSTOMER_ID")

    def customer_warnings(self) -> Iterator[str]:
        """What is not said of whom the order is booked on: the account's customer."""
        order = self.order
        if self.account.customers == "default":
            if order.document:
                yield "Tax document is not sent: LaPyme books the order on the account's customer."
        elif self.booked is None:
            yield "Customer: the account's is shown; for a delivery, LaPyme is asked for the order's own."
        else:
            yield (
                self.booked.warning or "Customer: LaPyme has none of this document or e-mail; the account's is taken."
            )
        if any(address and address.company for address in (order.ship_to, order.bill_to)):
            yield "Company is not sent: LaPyme books the order on the account's customer."

    @cached_property
    def sum_fault(self) -> str | None:
        return find_sum_fault(self.order) or find_sum_fault(self.settled)

    def warnings(self) -> Iterator[str]:
        order = self.order
        if self.sum_fault:
            yield self.sum_fault
        yield from charge_warnings(order, self.settled, "LaPyme")
        ours = self.totals.tax_cents
        if order.tax is not None and abs(to_cents(order.tax) - ours) > len(self.products):
            theirs = show_cents(to_cents(order.tax))
            yield f"Tax: the storefront reckoned {theirs}, the account's rates give {show_cents(ours)}."
        if self.own_customer_id is None:
            yield from self.customer_warnings()
        if order.ship_to and not order.is_pickup:
            yield "Shipping address is not sent: LaPyme has no field for it."
        if order.note:
            yield "Customer note is not sent: LaPyme has no field for it."


def name_document(order: Order) -> str | None:
    """The tax document without what people write around it, where it is one."""
    document = read_tax_document(order.document) if order.document else None
    return document.number if document else order.document


# LaPyme's customers: https://docs.lapyme.com.ar/api-reference/api, listar-clientes and crear-cliente, as the SDK that
# is made of their OpenAPI has them: github.com/LaPyme/lapyme-ts, docs/sdks/customers/README.md,
# src/models/api-customer-list-response.ts and api-customer-mutation-request.ts. Read 2026-11-22.

#: `tax_id_type` by what `read_tax_document` calls it.
TAX_ID_TYPES = {"cuit": "CUIL/CUIT", "dni": "DNI"}


def seek_customer(order: Order, account: LapymeAccount) -> list[Sought]:
    """The document, then the e-mail; nobody where a row says who it is, or the account has nobody looked for."""
    if account.customers == "default" or account.customer_id_by_document.find(name_document(order)):
        return []
    sought = []
    if document := tax_id_of(order):
        number = document.number
        # Unverified: whether LaPyme keeps a CUIT with its dashes, and finds it by the digits alone.
        dashed = (f"{number[:2]}-{number[2:10]}-{number[10]}",) if document.kind == "cuit" else ()
        sought.append(Sought(what="tax document", value=number, spellings=(number, *dashed)))
    if email := email_of(order):
        sought.append(Sought(what="e-mail", value=email.casefold(), spellings=(email,)))
    return sought


def tax_id_of(order: Order) -> TaxDocument | None:
    document = read_tax_document(order.document) if order.document else None
    return document if document and document.kind in TAX_ID_TYPES else None


def email_of(order: Order) -> str | None:
    email = order.email or (order.customer.email if order.customer else None)
    return email if email and "@" in email else None


def read_customers(reply: Any, sought: Sought, order: Order) -> Page | None:
    """Return who surely is the one: the search finds names, too, and parts of numbers."""
    found = reply.get("data") if isinstance(reply, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        return None
    document = tax_id_of(order)
    ids = [one.get("id") for one in found if is_customer(one, sought, document.number if document else None)]
    cursor = reply.get("next_cursor") if reply.get("has_more") is True else None
    return Page(ids=[id_ for id_ in ids if is_uuid(id_)], cursor=cursor if isinstance(cursor, str) else None)


def is_customer(known: Mapping[str, Any], sought: Sought, document: str | None) -> bool:
    """An e-mail tells who it is only where the documents do not contradict it: people share addresses."""
    tax_id = squeeze(str(known.get("tax_id") or ""))
    if sought.what == "tax document":
        return tax_id == sought.value
    is_other = bool(tax_id and document and tax_id != document)
    return str(known.get("email") or "").casefold() == sought.value and not is_other


def write_customer(order: Order) -> dict[str, Any] | None:
    """Return the body that makes a customer, of what the order says alone; None where it names nobody."""
    company = order.bill_to.company if order.bill_to else None
    document = tax_id_of(order)
    is_company = document is not None and document.is_company is True
    name = (company if is_company else None) or " ".join(part for part in name_buyer(order) if part)
    if not name:
        return None
    said = {
        "name": name,
        "company_name": company if is_company else None,
        "email": email_of(order),
        "phone": order.phone_to_call,
        "tax_id": document.number if document else None,
        "tax_id_type": TAX_ID_TYPES[document.kind] if document else None,
    }
    return {field: value for field, value in said.items() if value is not None}


def made_customer_id(reply: Any) -> str | None:
    found = value_at(reply, "data.customer.id")
    return found if is_uuid(found) else None


def is_uuid(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(UUID_FORM, value) is not None


CUSTOMERS = CustomerBook(
    path="/api/v1/customers",
    seek=seek_customer,
    may_make=lambda account: account.customers == "find_or_create",
    query=lambda spelling, cursor: {"query": spelling, "limit": "100", **({"cursor": cursor} if cursor else {})},
    read_page=read_customers,
    new=write_customer,
    made_id=made_customer_id,
    is_known=lambda status, body: status == 409,  # its document is there, or its key was used
    is_being_made=lambda status, body: judge(status, body) in (Outcome.CONFLICT, Outcome.AMBIGUOUS),
)


def net_cents(cents: int, percent: Decimal) -> int:
    """Return the part of `cents` that is no tax, halves up."""
    return to_cents(Decimal(cents) / (100 + percent))


def judge(status: int, body: Any) -> Outcome | None:
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
    order=LapymeOrder,
    contract=load_contract("lapyme"),
    path="/api/v1/orders",
    remote_id="data.order.id",
    settings=LapymeAccountSchema,
    example={
        "api_key": "clave",
        "customer_id": "5b0c7a1e-52d3-4f6a-9e0b-6d1f0c2a3b4c",
        "assigned_warehouse_id": "7a1f0c52-93be-4b6f-8c2d-0e5f6a7b8c9d",
        "charges": {"tip": "PROPINA", "fee": "RECARGO"},
    },
    dispatch=LapymeDispatch,
    bearer=lambda account: account.api_key,
    idempotency_header="Idempotency-Key",
    probe_path="/api/v1/warehouses",  # its OpenAPI, read 2026-11-21; needs the scope warehouses:read
    judge=judge,
    customers=CUSTOMERS,
)
