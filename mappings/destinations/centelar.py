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
from mappings.fields import Amount, Flag, Part, Quantity, Text, Whole
from mappings.integration import Destination, Outcome
from mappings.lookup_tables import Rows, Table
from mappings.money.allocation import ZERO, to_cents
from mappings.money.invoice_lines import (
    ChargeTable,
    Portion,
    charge_problems,
    charge_rows,
    charge_warnings,
    cut_portions,
    find_difference,
    find_sum_fault,
    product_rows,
    settle_charges,
    show_cents,
)
from mappings.order import Address, Dispatch, Order, Payment
from mappings.person_names import name_buyer
from mappings.phones import write_e164
from mappings.schema import DestinationSchema
from mappings.settings import (
    CURRENCY_CODE,
    NOT_BLANK,
    Account,
    AccountSchema,
    SettingsSchema,
    Template,
    need_the_order,
    refuse_unknown_timezone,
)
from mappings.tax_ids import TaxDocument, read_tax_document
from mappings.text import squeeze

TYPES = ["mercadopago", "creditcard", "promissory"]

#: Gateways by letters and digits alone, as `squeeze` leaves them.
PAYMENT_TYPES = {
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
class Place:
    """What Centelar knows a branch or a stock's location by: the id, else the name."""

    id: int | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CentelarAccount(Account):
    connection_id: int  # of the shop's integration in Centelar
    currency: str = "ARS"  # Centelar has no field for it
    timezone: str = "America/Argentina/Buenos_Aires"  # of `creation_date`, which has no offset
    ext_code: str = "{order_id}"
    product_code_by_sku: Rows[str] = field(default_factory=Rows)  # SKU -> product_code, where they differ
    payment_types: Rows[str] = field(default_factory=Rows)  # gateway -> type, before `PAYMENT_TYPES`
    free_orders: Literal["problem", "send"] = "problem"
    locations: Rows[Place] = field(default_factory=Rows)  # location, or branch of a pickup -> where its stock is
    pickups: Rows[Place] = field(default_factory=Rows)  # branch of a pickup -> Centelar's
    last_name_missing: str = "problem"  # or the text to send
    charges: Rows[str] = field(default_factory=Rows)  # kind of charge -> SKU


class PickupSchema(SettingsSchema):
    id = fields.Integer(strict=True)
    name = fields.String(validate=NOT_BLANK)

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> Place:
        if not data:
            raise ValidationError("needs an id or a name.")
        return Place(id=data.get("id"), name=None if "id" in data else data["name"])


class LocationSchema(PickupSchema):
    id = fields.Integer(data_key="location_id", strict=True)
    name = fields.String(data_key="location_name", validate=NOT_BLANK)


class CentelarAccountSchema(AccountSchema):
    model: ClassVar[type[CentelarAccount]] = CentelarAccount

    connection_id = fields.Integer(strict=True, required=True)
    currency = fields.String(validate=CURRENCY_CODE)
    timezone = fields.String(validate=refuse_unknown_timezone)
    ext_code = Template(validate=need_the_order)
    product_code_by_sku = Table(fields.String(validate=NOT_BLANK))
    payment_types = Table(
        fields.String(validate=OneOf(TYPES)),
        keys=fields.String(validate=Regexp(r".*[^\W_]", error="must name a gateway.")),
        alike=squeeze,
    )
    free_orders = fields.String(validate=OneOf(["problem", "send"]))
    locations = Table(fields.Nested(LocationSchema), alike=squeeze)
    pickups = Table(fields.Nested(PickupSchema), alike=squeeze)
    last_name_missing = fields.String(validate=NOT_BLANK)
    charges = ChargeTable()


class CentelarCustomer(DestinationSchema):
    first_name = Text(required=True)
    last_name = Text(required=True)
    document_type = fields.String(attribute="document.kind", validate=OneOf(["cuit", "dni"]))
    document = Text(attribute="document.number")
    email = Text()
    phone = Text()
    is_corporate = Flag()


class CentelarItem(DestinationSchema):
    product_code = Text(attribute="sku", required=True)
    quantity = Quantity(attribute="portion.quantity", required=True)
    price = Amount(attribute="portion.unit_price", validate=Range(min=0, error="must not be negative."), required=True)
    location_id = Whole(attribute="location.id")
    location_name = Text(attribute="location.name")


class CentelarAddress(DestinationSchema):
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
    id = Whole(attribute="pickup_id")
    name = Text(attribute="pickup_name")

    def build(self, said: dict[str, Any]) -> dict[str, Any]:
        """What is needed depends on `disposition`."""
        if said.get("disposition") == "pickup":
            if "pickup_id" not in said and "pickup_name" not in said:
                raise ValidationError("is missing.", "id")
        elif "address.street" not in said:
            raise ValidationError("is missing.", "street")
        return said


class CentelarPayment(DestinationSchema):
    type = fields.String(validate=OneOf(TYPES), required=True)
    payment_system = Text(attribute="payment.name")
    amount = fields.String(validate=Regexp(r"\d+\.\d\d\Z", error="is no text of two decimals."), required=True)
    last_digits = Text(attribute="payment.last_digits")
    transaction_id = Text(attribute="payment.transaction_id")
    payment_system_data = fields.String(load_only=True)  # the page has it as text, its example as an object


class CentelarOrder(DestinationSchema):
    creation_date = Text(attribute="placed_at", required=True)
    ext_code = Text(required=True)
    price = Amount(attribute="order.total", validate=Range(min=0, error="must not be negative."), required=True)
    customer = Part(CentelarCustomer, required=True)
    items = fields.List(
        Part(CentelarItem),
        attribute="products",
        required=True,
        validate=Length(min=1, error="are missing: nothing was charged."),
    )
    payments = fields.List(Part(CentelarPayment), required=True)
    shipping_address = Part(CentelarAddress, attribute="ship_to", required=True)
    billing_address = Part(
        CentelarAddress,
        attribute="bill_to",
        required=True,
        error_messages={"required": "is missing: the storefront gives no address with a street."},
    )
    shipping_cost = Amount(attribute="shipping", validate=Range(min=0, error="must not be negative."))
    shipping_ext_code = fields.String(load_only=True)  # no storefront names a shipment


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    first_name: str | None
    last_name: str | None
    document: TaxDocument | None
    email: str | None
    phone: str | None
    is_corporate: bool | None


class Item(NamedTuple):
    sku: str | None  # as Centelar knows it
    portion: Portion
    location: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    type: str
    payment: Payment
    amount: str  # text with two decimals


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
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
class CentelarDispatch(Dispatch):
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
        return self.fill_in(self.account.ext_code)

    @property
    def customer(self) -> Buyer:
        first_name, last_name = name_buyer(self.order)
        missing = self.account.last_name_missing
        document = self.tax_document
        phone = self.order.phone_to_call
        return Buyer(
            first_name=first_name,
            last_name=last_name or (None if missing == "problem" else missing),
            document=document,
            email=self.order.email or (self.order.customer.email if self.order.customer else None),
            phone=write_e164(phone, self.order.country or "AR") if phone else None,
            # Whose document it is, it says itself. A company named for the bill counts where there is none.
            is_corporate=document.is_company if document else (True if self.billed_company else None),
        )

    @cached_property
    def tax_document(self) -> TaxDocument | None:
        document = read_tax_document(self.order.document) if self.order.document else None
        return document if document and document.kind in {"cuit", "dni"} else None

    @property
    def billed_company(self) -> str | None:
        company = self.order.bill_to.company if self.order.bill_to else None
        return company if company and any(char.isalpha() for char in company) else None  # some write their DNI there

    @cached_property
    def settled(self) -> Order:
        return settle_charges(self.order, self.account.charges)

    @cached_property
    def products(self) -> list[Item]:
        """What was sold, shipped or not, and charges by the table. A price that does not divide makes two of a line."""
        location = self.account.locations.find(self.order.location, self.order.pickup_name)
        rows = [*product_rows(self.settled), *charge_rows(self.settled, self.account.charges)]
        codes = self.account.product_code_by_sku
        return [
            Item(sku=codes.find(portion.sku) or portion.sku, portion=portion, location=location)
            for portion in cut_portions(rows)
        ]

    def number_line(self, place: int) -> int:
        return self.products[place].portion.number

    @property
    def money_paid(self) -> list[Payment]:
        return [payment for payment in self.order.payments or [] if payment.amount]

    @property
    def payments(self) -> list[Paid]:
        """What was paid, in Centelar's types. What has none, or gave money back, is a problem of its own."""
        return [
            Paid(type=type_, payment=payment, amount=show_cents(to_cents(payment.amount)))
            for payment in self.money_paid
            if payment.amount > 0 and (type_ := self.type_payment(payment))
        ]

    def type_payment(self, payment: Payment) -> str | None:
        names = name_ways(payment)
        types = (self.account.payment_types.find(name) or PAYMENT_TYPES.get(squeeze(name)) for name in names)
        return next((type_ for type_ in types if type_), None)

    @property
    def ship_to(self) -> Spot | None:
        address = self.order.ship_to
        receiver = address.full_name if address else None
        if not self.order.is_pickup:
            return Spot(disposition="residential", receiver=receiver, address=address) if address else None
        # A branch without a row is named as it is, and stopped by `row_problems`.
        branch = self.account.pickups.find(self.order.pickup_name) or Place(name=self.order.pickup_name)
        buyer = " ".join(part for part in name_buyer(self.order) if part) or None
        return Spot(disposition="pickup", receiver=receiver or buyer, pickup_id=branch.id, pickup_name=branch.name)

    @property
    def shown_address(self) -> Address | None:
        return None if self.order.is_pickup else self.order.ship_to

    @property
    def bill_to(self) -> Spot | None:
        """The bill's address, else the customer's: never the branch where an order is collected."""
        addresses = [address for address in (self.order.bill_to, self.order.ship_to) if address and address.street]
        if not addresses:
            return None
        return Spot(disposition="residential", receiver=addresses[0].full_name, address=addresses[0])

    @property
    def shipping(self) -> Decimal | None:
        return sum((each.total for each in self.settled.shipping), ZERO) if self.order.shipping else None

    @property
    def labels(self) -> Mapping[str, str]:
        return {"pickup_id": "branch where the customer collects"}

    def row_problems(self) -> Iterator[str]:
        order = self.order
        branch = order.pickup_name
        if order.is_pickup and branch and self.account.pickups.find(branch) is None:
            what = f"Shipping address > branch “{branch}” is unknown to Centelar"
            yield self.missing_row(what, "pickups", branch, value="id=ID")
        for line in order.lines:
            what = f"Products > SKU “{line.sku}” has no code at Centelar"
            yield from self.require_row(what, "product_code_by_sku", line.sku, value="PRODUCT_CODE")
        places = [each for each in (order.location, branch) if each]
        what = f"Location “{next(iter(places), None)}” is unknown to Centelar"
        yield from self.require_row(what, "locations", *places, value="location_id=ID")

    def problems(self) -> Iterator[str]:
        order, account = self.order, self.account
        if order.currency != account.currency:
            yield f"Currency “{order.currency}” is not served; only {account.currency}."
        yield from charge_problems(self, self.settled, "Centelar")
        yield from self.payment_problems()
        yield from self.row_problems()
        if account.totals == "exact":
            yield from self.sum_faults

    def payment_problems(self) -> Iterator[str]:
        order = self.order
        for payment in self.money_paid:
            if payment.amount < 0:
                yield f"Payments > {call(payment)} of {payment.amount} is negative."
            if not self.type_payment(payment):
                what = f"Payments > {call(payment)} has no type ({', '.join(TYPES[:-1])} or {TYPES[-1]})"
                yield self.missing_row(what, "payment_types", *name_ways(payment), value="TYPE")
        if order.total == 0:
            if not self.money_paid and self.account.free_orders == "problem":
                yield "Payments are missing: the order is free. The account's `free_orders` can be “send”."
        elif order.payments is None:
            yield "Payments are missing: the storefront does not say how much was paid in which way."
        elif not self.money_paid:
            yield "Payments are missing: the order is not paid."

    @cached_property
    def sum_faults(self) -> list[str]:
        paid: dict[str, int] = {}
        for payment in self.money_paid:
            paid[call(payment)] = paid.get(call(payment), 0) + to_cents(payment.amount)
        faults = [
            find_sum_fault(self.order) or find_sum_fault(self.settled),
            find_difference("Payments", paid, self.order) if paid else None,
        ]
        return [fault for fault in faults if fault]

    def warnings(self) -> Iterator[str]:
        order, document = self.order, self.tax_document
        yield from self.sum_faults
        yield from charge_warnings(order, self.settled, "Centelar")
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


def name_gateway(payment: Payment) -> str:
    return payment.gateway or payment.name or "unnamed"


def name_ways(payment: Payment) -> list[str]:
    """What a row of `payment_types` may call it."""
    return [name for name in (name_gateway(payment), payment.name) if name]


def call(payment: Payment) -> str:
    return f"“{name_gateway(payment)}”"


def judge(status: int, body: Any) -> Outcome | None:
    """Read Centelar's own word for no, which may come with a status that says yes."""
    # Unverified: the page shows `"success": true` alone.
    is_no = 200 <= status < 300 and isinstance(body, Mapping) and body.get("success") is False
    return Outcome.REFUSED if is_no else None


DESTINATION = Destination(
    name="centelar",
    order=CentelarOrder,
    contract=load_contract("centelar"),
    path="/api/v1.1/order",
    remote_id="order_id",
    settings=CentelarAccountSchema,
    example={
        "connection_id": 123,
        "charges": {"tip": "PROPINA", "fee": "RECARGO"},
        "payment_types": {"bacs": "promissory", "offline": "promissory"},
    },
    dispatch=CentelarDispatch,
    query=lambda account: {"connection_id": str(account.connection_id)},
    needs=lambda account: frozenset({"payments"}),
    tells_stores_apart="ext_code",
    judge=judge,
)
