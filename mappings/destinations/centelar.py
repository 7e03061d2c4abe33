"""Centelar: an ERP of Argentina for online shops. Writes POST /api/v1.1/order; it does not send.

Fields stand in the order of Centelar's own page: https://developer.centelar.com/v1_1/order/create, read 2026-11-21.
Where its example differs from its tables (`documentType`, `geoc_oordinates`, a number for `amount`, no
`billing_address`), the tables are followed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, post_load
from marshmallow.validate import Length, OneOf, Range, Regexp

from mappings.contracts import load_contract
from mappings.fields import MoneyNumber, Nested, Quantity, StrictBoolean, StrictInteger, Text
from mappings.integration import Destination, Outcome
from mappings.lookup_tables import LookupTable, LookupTableField
from mappings.money.allocation import ZERO, to_cents
from mappings.money.invoice_lines import (
    ChargeTableField,
    InvoiceLine,
    charge_problems,
    charge_rows,
    charge_warnings,
    describe_total_mismatch,
    find_total_mismatch,
    format_cents,
    normalize_charges,
    product_rows,
    split_unit_prices,
)
from mappings.order import Address, Order, Payment
from mappings.order_request import OrderRequest
from mappings.person_names import buyer_name
from mappings.phones import format_e164
from mappings.schema import DestinationSchema
from mappings.settings import (
    CURRENCY_CODE,
    NOT_BLANK,
    Account,
    AccountSchema,
    SettingsSchema,
    Template,
    require_order_reference,
    validate_timezone,
)
from mappings.tax_ids import TaxId, parse_tax_id
from mappings.text import match_key

PAYMENT_TYPE_CHOICES = ["mercadopago", "creditcard", "promissory"]

#: Gateways by letters and digits alone, as `squeeze` leaves them.
PAYMENT_TYPE_BY_GATEWAY = {
    # Tiendanube's word (https://tiendanube.github.io/api-documentation/resources/order), and Shopify's without the
    # blank. WooCommerce: https://github.com/mercadopago/cart-woocommerce. Read 2026-11-21.
    "mercadopago": "mercadopago",
    "woomercadopagobasic": "mercadopago",
    "woomercadopagocustom": "mercadopago",
    "woomercadopagoticket": "mercadopago",
    "woomercadopagocredits": "mercadopago",
    # https://shopify.dev/docs/api/admin-rest/latest/resources/order shows `authorize_net`; WooCommerce's own plugins
    # are `stripe` and `woocommerce_payments`. Read 2026-11-21.
    "authorizenet": "creditcard",
    "shopifypayments": "creditcard",
    "stripe": "creditcard",
    "woocommercepayments": "creditcard",
    # Unverified: what Argentine card processors and shops of their own accord call themselves.
    "payway": "creditcard",
    "decidir": "creditcard",
    "creditcard": "creditcard",
    "debitcard": "creditcard",
    "tarjeta": "creditcard",
    "tarjetadecredito": "creditcard",
    "tarjetadedebito": "creditcard",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationRef:
    """What Centelar knows a branch or a stock's location by: the id, else the name."""

    id: int | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CentelarAccount(Account):
    connection_id: int  # of the shop's integration in Centelar
    currency: str = "ARS"  # Centelar has no field for it
    timezone: str = "America/Argentina/Buenos_Aires"  # of `creation_date`, which has no offset
    ext_code: str = "{order_id}"
    product_code_by_sku: LookupTable[str] = field(default_factory=LookupTable)  # SKU -> product_code, where they differ
    payment_types: LookupTable[str] = field(default_factory=LookupTable)  # gateway -> type, before `PAYMENT_TYPES`
    free_orders: Literal["problem", "send"] = "problem"
    locations: LookupTable[LocationRef] = field(
        default_factory=LookupTable
    )  # location, or branch of a pickup -> where its stock is
    pickups: LookupTable[LocationRef] = field(default_factory=LookupTable)  # branch of a pickup -> Centelar's
    last_name_missing: str = "problem"  # or the text to send
    charges: LookupTable[str] = field(default_factory=LookupTable)  # kind of charge -> SKU


class PickupSchema(SettingsSchema):
    id = fields.Integer(strict=True)
    name = fields.String(validate=NOT_BLANK)

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> LocationRef:
        if not data:
            raise ValidationError("needs an id or a name.")
        return LocationRef(id=data.get("id"), name=None if "id" in data else data["name"])


class LocationSchema(PickupSchema):
    id = fields.Integer(data_key="location_id", strict=True)
    name = fields.String(data_key="location_name", validate=NOT_BLANK)


class CentelarAccountSchema(AccountSchema):
    model: ClassVar[type[CentelarAccount]] = CentelarAccount

    connection_id = fields.Integer(strict=True, required=True)
    currency = fields.String(validate=CURRENCY_CODE)
    timezone = fields.String(validate=validate_timezone)
    ext_code = Template(validate=require_order_reference)
    product_code_by_sku = LookupTableField(fields.String(validate=NOT_BLANK))
    payment_types = LookupTableField(
        fields.String(validate=OneOf(PAYMENT_TYPE_CHOICES)),
        keys=fields.String(validate=Regexp(r".*[^\W_]", error="must name a gateway.")),
        normalize_key=match_key,
    )
    free_orders = fields.String(validate=OneOf(["problem", "send"]))
    locations = LookupTableField(fields.Nested(LocationSchema), normalize_key=match_key)
    pickups = LookupTableField(fields.Nested(PickupSchema), normalize_key=match_key)
    last_name_missing = fields.String(validate=NOT_BLANK)
    charges = ChargeTableField()


class CentelarCustomerSchema(DestinationSchema):
    first_name = Text(required=True)
    last_name = Text(required=True)
    document_type = fields.String(attribute="document.kind", validate=OneOf(["cuit", "dni"]))
    document = Text(attribute="document.number")
    email = Text()
    phone = Text()
    is_corporate = StrictBoolean()


class CentelarItemSchema(DestinationSchema):
    product_code = Text(attribute="sku", required=True)
    quantity = Quantity(attribute="portion.quantity", required=True)
    price = MoneyNumber(
        attribute="portion.unit_price", validate=Range(min=0, error="must not be negative."), required=True
    )
    location_id = StrictInteger(attribute="location.id")
    location_name = Text(attribute="location.name")


class CentelarAddressSchema(DestinationSchema):
    disposition = Text()
    street = Text(attribute="address.street")
    number = Text(attribute="address.number")
    complement = Text(attribute="address.unit_and_reference")
    neighborhood = Text(attribute="address.district")
    postal_code = Text(attribute="address.postal_code")
    city = Text(attribute="address.city")
    state = Text(attribute="address.state")
    country = Text(attribute="address.country")
    receiver_name = Text(attribute="receiver")
    geo_coordinates = fields.List(fields.Float(), attribute="coordinates", validate=Length(equal=2))
    id = StrictInteger(attribute="pickup_id")
    name = Text(attribute="pickup_name")

    def make(self, data: dict[str, Any]) -> dict[str, Any]:
        """What is needed depends on `disposition`."""
        if data.get("disposition") == "pickup":
            if "pickup_id" not in data and "pickup_name" not in data:
                raise ValidationError("is missing.", "id")
        elif "address.street" not in data:
            raise ValidationError("is missing.", "street")
        return data


class CentelarPaymentSchema(DestinationSchema):
    type = fields.String(validate=OneOf(PAYMENT_TYPE_CHOICES), required=True)
    payment_system = Text(attribute="payment.name")
    amount = fields.String(validate=Regexp(r"\d+\.\d\d\Z", error="is no text of two decimals."), required=True)
    last_digits = Text(attribute="payment.last_digits")
    transaction_id = Text(attribute="payment.transaction_id")
    payment_system_data = fields.String(load_only=True)  # the page has it as text, its example as an object


class CentelarOrderSchema(DestinationSchema):
    creation_date = Text(attribute="placed_at", required=True)
    ext_code = Text(required=True)
    price = MoneyNumber(attribute="order.total", validate=Range(min=0, error="must not be negative."), required=True)
    customer = Nested(CentelarCustomerSchema, required=True)
    items = fields.List(
        Nested(CentelarItemSchema),
        attribute="products",
        required=True,
        validate=Length(min=1, error="are missing: nothing was charged."),
    )
    payments = fields.List(Nested(CentelarPaymentSchema), required=True)
    shipping_address = Nested(CentelarAddressSchema, attribute="ship_to", required=True)
    billing_address = Nested(
        CentelarAddressSchema,
        attribute="bill_to",
        required=True,
        error_messages={"required": "is missing: the storefront gives no address with a street."},
    )
    shipping_cost = MoneyNumber(attribute="shipping", validate=Range(min=0, error="must not be negative."))
    shipping_ext_code = fields.String(load_only=True)  # no storefront names a shipment


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerData:
    first_name: str | None
    last_name: str | None
    document: TaxId | None
    email: str | None
    phone: str | None
    is_corporate: bool | None


class OrderItem(NamedTuple):
    sku: str | None  # as Centelar knows it
    portion: InvoiceLine
    location: LocationRef | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLine:
    type: str
    payment: Payment
    amount: str  # text with two decimals


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressOrBranch:
    """Where the order goes: to an address, or to a branch of the shop."""

    disposition: Literal["residential", "pickup"]
    receiver: str | None
    address: Address | None = None
    pickup_id: int | None = None
    pickup_name: str | None = None

    @property
    def coordinates(self) -> list[Decimal] | None:
        """Longitude first, as the page's example has them."""
        if self.address is None or self.address.longitude is None or self.address.latitude is None:
            return None
        return [self.address.longitude, self.address.latitude]


@dataclass(frozen=True, kw_only=True)
class CentelarOrderRequest(OrderRequest):
    account: CentelarAccount

    @property
    def placed_at(self) -> str | None:
        # Unverified: whether Centelar reads it as local time. Its other pages show local time with an offset.
        if self.order.placed_at is None:
            return None
        try:
            local = self.order.placed_at.astimezone(ZoneInfo(self.account.timezone))
        except OverflowError:  # the first hours of year 1 have no earlier zone
            return None
        return local.replace(tzinfo=None).isoformat(timespec="seconds")

    @property
    def ext_code(self) -> str:
        return self.format_template(self.account.ext_code)

    @property
    def customer(self) -> CustomerData:
        first_name, last_name = buyer_name(self.order)
        fallback = self.account.last_name_missing
        document = self.tax_document
        phone = self.order.phone_to_call
        return CustomerData(
            first_name=first_name,
            last_name=last_name or (None if fallback == "problem" else fallback),
            document=document,
            email=self.order.email or (self.order.customer.email if self.order.customer else None),
            phone=format_e164(phone, self.order.country or "AR") if phone else None,
            # Whose document it is, it says itself. A company named for the bill counts where there is none.
            is_corporate=document.is_company if document else (True if self.billed_company else None),
        )

    @cached_property
    def tax_document(self) -> TaxId | None:
        document = parse_tax_id(self.order.document) if self.order.document else None
        return document if document and document.kind in {"cuit", "dni"} else None

    @property
    def billed_company(self) -> str | None:
        company = self.order.bill_to.company if self.order.bill_to else None
        return company if company and any(char.isalpha() for char in company) else None  # some write their DNI there

    @cached_property
    def bookable_order(self) -> Order:
        return normalize_charges(self.order, self.account.charges)

    @cached_property
    def products(self) -> list[OrderItem]:
        """What was sold, shipped or not, and charges by the table. A price that does not divide makes two of a line."""
        location = self.account.locations.find(self.order.location, self.order.pickup_name)
        rows = [*product_rows(self.bookable_order), *charge_rows(self.bookable_order, self.account.charges)]
        codes = self.account.product_code_by_sku
        return [
            OrderItem(sku=codes.find(portion.sku) or portion.sku, portion=portion, location=location)
            for portion in split_unit_prices(rows)
        ]

    def order_line_number(self, index: int) -> int:
        return self.products[index].portion.number

    @property
    def nonzero_payments(self) -> list[Payment]:
        return [payment for payment in self.order.payments or [] if payment.amount]

    @property
    def payments(self) -> list[PaymentLine]:
        """What was paid, in Centelar's types. What has none, or gave money back, is a problem of its own."""
        return [
            PaymentLine(type=type_, payment=payment, amount=format_cents(to_cents(payment.amount)))
            for payment in self.nonzero_payments
            if payment.amount > 0 and (type_ := self.find_payment_type(payment))
        ]

    def find_payment_type(self, payment: Payment) -> str | None:
        names = gateway_names(payment)
        types = (
            self.account.payment_types.find(name) or PAYMENT_TYPE_BY_GATEWAY.get(match_key(name)) for name in names
        )
        return next((type_ for type_ in types if type_), None)

    @property
    def ship_to(self) -> AddressOrBranch | None:
        address = self.order.ship_to
        receiver = address.full_name if address else None
        if not self.order.is_pickup:
            return AddressOrBranch(disposition="residential", receiver=receiver, address=address) if address else None
        # A branch without a row is named as it is, and stopped by `row_problems`.
        branch = self.account.pickups.find(self.order.pickup_name) or LocationRef(name=self.order.pickup_name)
        buyer = " ".join(part for part in buyer_name(self.order) if part) or None
        return AddressOrBranch(
            disposition="pickup", receiver=receiver or buyer, pickup_id=branch.id, pickup_name=branch.name
        )

    @property
    def sent_address(self) -> Address | None:
        return None if self.order.is_pickup else self.order.ship_to

    @property
    def bill_to(self) -> AddressOrBranch | None:
        """The bill's address, else the customer's: never the branch where an order is collected."""
        addresses = [address for address in (self.order.bill_to, self.order.ship_to) if address and address.street]
        if not addresses:
            return None
        return AddressOrBranch(disposition="residential", receiver=addresses[0].full_name, address=addresses[0])

    @property
    def shipping(self) -> Decimal | None:
        return sum((method.total for method in self.bookable_order.shipping), ZERO) if self.order.shipping else None

    @property
    def labels(self) -> Mapping[str, str]:
        return {"pickup_id": "branch where the customer collects"}

    def missing_row_problems(self) -> Iterator[str]:
        order = self.order
        branch = order.pickup_name
        if order.is_pickup and branch and self.account.pickups.find(branch) is None:
            message = f"Shipping address > branch “{branch}” is unknown to Centelar"
            yield self.build_missing_row_problem(message, "pickups", branch, value="id=ID")
        for line in order.lines:
            message = f"Products > SKU “{line.sku}” has no code at Centelar"
            yield from self.required_row_problems(message, "product_code_by_sku", line.sku, value="PRODUCT_CODE")
        locations = [location for location in (order.location, branch) if location]
        message = f"Location “{next(iter(locations), None)}” is unknown to Centelar"
        yield from self.required_row_problems(message, "locations", *locations, value="location_id=ID")

    def problems(self) -> Iterator[str]:
        order, account = self.order, self.account
        if order.currency != account.currency:
            yield f"Currency “{order.currency}” is not served; only {account.currency}."
        yield from charge_problems(self, self.bookable_order, "Centelar")
        yield from self.payment_problems()
        yield from self.missing_row_problems()
        if account.totals == "exact":
            yield from self.sum_mismatches

    def payment_problems(self) -> Iterator[str]:
        order = self.order
        for payment in self.nonzero_payments:
            if payment.amount < 0:
                yield f"Payments > {quoted_gateway(payment)} of {payment.amount} is negative."
            if not self.find_payment_type(payment):
                choices = f"{', '.join(PAYMENT_TYPE_CHOICES[:-1])} or {PAYMENT_TYPE_CHOICES[-1]}"
                message = f"Payments > {quoted_gateway(payment)} has no type ({choices})"
                yield self.build_missing_row_problem(message, "payment_types", *gateway_names(payment), value="TYPE")
        if order.total == 0:
            if not self.nonzero_payments and self.account.free_orders == "problem":
                yield "Payments are missing: the order is free. The account's `free_orders` can be “send”."
        elif order.payments is None:
            yield "Payments are missing: the storefront does not say how much was paid in which way."
        elif not self.nonzero_payments:
            yield "Payments are missing: the order is not paid."

    @cached_property
    def sum_mismatches(self) -> list[str]:
        cents_by_gateway: dict[str, int] = {}
        for payment in self.nonzero_payments:
            cents_by_gateway[quoted_gateway(payment)] = cents_by_gateway.get(quoted_gateway(payment), 0) + to_cents(
                payment.amount
            )
        mismatches = [
            find_total_mismatch(self.order) or find_total_mismatch(self.bookable_order),
            describe_total_mismatch("Payments", cents_by_gateway, self.order) if cents_by_gateway else None,
        ]
        return [mismatch for mismatch in mismatches if mismatch]

    def warnings(self) -> Iterator[str]:
        order, document = self.order, self.tax_document
        yield from self.sum_mismatches
        yield from charge_warnings(order, self.bookable_order, "Centelar")
        if order.document and document is None:
            yield f"Tax document “{order.document}” is not sent: it is neither a CUIT nor a DNI."
        if document and not document.has_good_check_digit:
            yield f"Tax document: the check digit of CUIT {document.number} is wrong; it is sent as it is."
        if any(address and address.company for address in (order.ship_to, order.bill_to)):
            yield "Company is not sent: Centelar has no field for its name."
        if order.bill_to and not order.bill_to.street:
            yield "Billing address has no street: the shipping address is sent in its place."
        elif order.is_pickup and order.ship_to and order.ship_to.street and order.bill_to:
            yield "Shipping address is not sent: the customer collects the order."
        if order.note:
            yield "Customer note is not sent: Centelar has no field for it."


def gateway_name(payment: Payment) -> str:
    return payment.gateway or payment.name or "unnamed"


def gateway_names(payment: Payment) -> list[str]:
    """What a row of `payment_types` may call it."""
    return [name for name in (gateway_name(payment), payment.name) if name]


def quoted_gateway(payment: Payment) -> str:
    return f"“{gateway_name(payment)}”"


def classify_response(status: int, body: Any) -> Outcome | None:
    """Read Centelar's own word for no, which may come with a status that says yes."""
    # Unverified: the page shows `"success": true` alone.
    is_refusal = 200 <= status < 300 and isinstance(body, Mapping) and body.get("success") is False
    return Outcome.REFUSED if is_refusal else None


DESTINATION = Destination(
    name="centelar",
    schema_class=CentelarOrderSchema,
    contract=load_contract("centelar"),
    path="/api/v1.1/order",
    order_id_path="order_id",
    settings_schema_class=CentelarAccountSchema,
    sample_settings={
        "connection_id": 123,
        "charges": {"tip": "PROPINA", "fee": "RECARGO"},
        "payment_types": {"bacs": "promissory", "offline": "promissory"},
    },
    request_class=CentelarOrderRequest,
    query=lambda account: {"connection_id": str(account.connection_id)},
    required_details=lambda account: frozenset({"payments"}),
    order_reference_setting="ext_code",
    classify_response=classify_response,
)
