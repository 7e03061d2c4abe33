"""The fields of a Tiendanube order, as `GET /orders/{id}` returns it.

Source: https://tiendanube.github.io/api-documentation/resources/order, read 2026-11-21.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from marshmallow import fields, post_load, pre_load

from mappings.addresses.placeholders import is_placeholder
from mappings.addresses.regions import TIENDANUBE_STATES, address_if_locatable
from mappings.fields import (
    MISSING_LIST_MESSAGES,
    Identifier,
    Money,
    Quantity,
    StrictBoolean,
    Text,
    UTCDateTime,
    parse_datetime,
)
from mappings.money.allocation import ZERO, subtract_discount
from mappings.money.payments import find_unknown_status, sole_payment
from mappings.order import Address, Customer, Line, Order
from mappings.phones import has_digits
from mappings.problems import field_error
from mappings.schema import AddressSchema, StorefrontSchema
from mappings.storefronts.tiendanube.shipping import TiendanubeShipmentSchema, build_shipping_list, mark_sent

#: Whether an order is paid, by its `payment_status`. Any other status is a problem. "open" and "partially_paid":
#: https://dev.nuvemshop.com.br/docs/applications/nube-sdk/state/payment, read 2026-11-21.
IS_PAID_BY_PAYMENT_STATUS = {
    "paid": True,
    "authorized": False,
    "pending": False,
    "open": False,
    "partially_paid": False,
    "voided": False,
    "refunded": False,
    "abandoned": False,
}
#: The order is not sent, whatever topics a route lists.
RETURNED_STATUSES = {"refunded", "voided"}
#: The `gateway` of a draft that was confirmed, which names none.
NO_GATEWAY = "not-provided"
ADDRESS_FIELDS = ("name", "phone", "address", "number", "floor", "locality", "city", "province", "zipcode", "country")


class MeaningfulText(Text):
    """Text, unless it is a placeholder: Tiendanube fills in "No informado" and the like."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, *args, **kwargs)
        if is_placeholder(text):
            raise field_error("placeholder")
        return text


class MeaningfulPhone(Text):
    """A telephone number as written, unless it has no digits: some fields have an e-mail address."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, *args, **kwargs)
        if not has_digits(text):
            raise field_error("not_a_phone")
        return text


class MeaningfulPostalCode(MeaningfulText):
    """A postcode, unless it is a placeholder: pickups have "0000"."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        if not text.strip("0"):
            raise field_error("placeholder")
        return text


class TiendanubeAddressSchema(AddressSchema):
    states = TIENDANUBE_STATES

    name = MeaningfulText()
    business_name = MeaningfulText(attribute="company")  # only in `billing_*`
    phone = MeaningfulPhone()
    address = MeaningfulText(attribute="street")
    number = MeaningfulText()
    floor = MeaningfulText(attribute="unit")
    # In Mexico the colonia. Unverified: in Argentina, where the checkout calls it "Barrio (opcional)".
    locality = MeaningfulText(attribute="district")
    city = MeaningfulText()
    province = MeaningfulText(attribute="state")
    zipcode = MeaningfulPostalCode(attribute="postal_code")
    country = MeaningfulText()

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Address:
        if "number" not in data:  # people write it after the street, although the form has a field for it
            data["line1"] = data.pop("street", None)
        address: Address = super().make(data, **kwargs)
        return address


class TiendanubeBuyerSchema(StorefrontSchema):
    model = Customer

    name = MeaningfulText()
    email = Text()
    phone = MeaningfulPhone()


class TiendanubeCustomsSchema(StorefrontSchema):
    """What the customer wrote for the courier, besides the address."""

    model = dict

    reference = MeaningfulText()
    between_streets = MeaningfulText()


class TiendanubeLineSchema(StorefrontSchema):
    model = Line

    id = Text(attribute="line_id")
    name = Text()
    price = Money(required=True)  # per unit, before discounts, tax included
    quantity = Quantity(minimum=0, required=True)  # "1" or 1
    sku = Identifier()
    barcode = Identifier()

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Line:
        return self.make_model(data, total=data["price"] * data["quantity"])  # type: ignore[no-any-return]


class TiendanubeOrderSchema(StorefrontSchema):
    model = Order

    id = Text(attribute="order_id", required=True)
    contact_email = Text()
    contact_name = MeaningfulText()
    contact_phone = MeaningfulPhone()
    billing = fields.Nested(TiendanubeAddressSchema, attribute="bill_to")
    shipping_cost_customer = Money(attribute="shipping_cost")
    discount = Money()  # of coupons, the gateway and promotions together
    total = Money(required=True)
    currency = Text(required=True)
    gateway = Text()
    gateway_id = Text(attribute="transaction_id")
    gateway_name = Text()
    shipping_option = Text()
    shipping_option_code = Text()
    shipping_store_branch_name = MeaningfulText(attribute="pickup_name")
    shipping_pickup_type = Text(attribute="pickup_type")
    storefront = Text(attribute="origin")
    note = Text()
    created_at = UTCDateTime(attribute="placed_at")
    updated_at = UTCDateTime()
    completed_at = fields.Raw()
    customer = fields.Nested(TiendanubeBuyerSchema)  # null if the app may not read customers
    products = fields.List(
        fields.Nested(TiendanubeLineSchema), attribute="lines", required=True, error_messages=MISSING_LIST_MESSAGES
    )
    number = Text()
    cancelled_at = UTCDateTime()  # year -1 if it was not cancelled
    status = Text()
    shipping_status = Text()
    fulfillments = fields.List(fields.Nested(TiendanubeShipmentSchema))
    payment_status = Text()
    has_shippable_products = StrictBoolean(attribute="is_shippable")
    shipping_address = fields.Nested(TiendanubeAddressSchema, attribute="ship_to")
    customs = fields.Nested(TiendanubeCustomsSchema)

    @pre_load
    def preprocess(self, data: Any, **kwargs: Any) -> Any:
        """Nest the flat `billing_*` fields as `shipping_address` is; in drafts, that one is flat too."""
        if not isinstance(data, Mapping):
            return data
        billing = collect_prefixed(data, "billing_", (*ADDRESS_FIELDS, "business_name"))
        shipping = data.get("shipping_address")
        if not isinstance(shipping, Mapping):
            shipping = collect_prefixed(data, "shipping_", ADDRESS_FIELDS)
        # By another name in newer versions of the API; older ones only list ids.
        shipments = data.get("fulfillment_orders") or data.get("fulfillments")
        shipments = [item for item in shipments if isinstance(item, Mapping)] if isinstance(shipments, list) else None
        nested = {
            "fulfillments": shipments,
            "billing": billing,
            "shipping_address": shipping,
            "customs": shipping.get("customs"),
        }
        return super().preprocess({**data, **nested})

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Order:
        customer = data.get("customer", Customer())
        email = data.get("contact_email") or customer.email
        shipments = [shipment for shipment in data.get("fulfillments", []) if shipment is not None]
        is_pickup = {"pickup": True, "ship": False}.get(data.get("pickup_type", ""))
        if len(shipments) > 1:  # `shipping_pickup_type` is that of the first
            is_pickup = all(shipment.is_collected for shipment in shipments)
        status = data.get("payment_status", "")
        is_paid = IS_PAID_BY_PAYMENT_STATUS.get(status)
        unknown_payment = find_unknown_status(status, IS_PAID_BY_PAYMENT_STATUS, vendor="Tiendanube")
        lines = [line for line in data["lines"] if line.quantity]
        if not data.get("is_shippable", True):
            lines = [replace(line, is_shippable=False) for line in lines]
        order: Order = self.make_model(
            data,
            storefront="tiendanube",
            number=data.get("number") or data["order_id"],
            lines=lines,
            shipping=build_shipping_list(data),
            payments=sole_payment(
                data["total"],
                is_paid=True if unknown_payment else is_paid,  # a person may decide that it is
                gateway=None if data.get("gateway") == NO_GATEWAY else data.get("gateway"),
                name=data.get("gateway_name"),
                transaction_id=data.get("transaction_id"),
            ),
            customer=replace(customer, name=data.get("contact_name") or customer.name, email=email),
            ship_to=None if is_pickup else address_if_locatable(data.get("ship_to")),
            bill_to=address_if_locatable(data.get("bill_to")),
            is_pickup=is_pickup,
            pickup_name=data.get("pickup_name") if is_pickup else None,
            email=email,
            phone=data.get("contact_phone"),
            note="; ".join(filter(None, [data.get("note"), *data.get("customs", {}).values()])) or None,
            is_draft=data.get("origin") == "form" and not is_confirmed(data.get("completed_at")),
            is_cancelled=data.get("status") == "cancelled" or "cancelled_at" in data,
            is_refunded=status in RETURNED_STATUSES,
            is_paid=is_paid,
            unknown_payment=unknown_payment,
        )
        order = mark_sent(order, shipments, data.get("shipping_status", "").casefold())
        # The payload names the products of a promotion, but not how a coupon or the gateway's discount is distributed.
        return subtract_discount(order, data.get("discount", ZERO))


def collect_prefixed(payload: Mapping[str, Any], prefix: str, names: Sequence[str]) -> dict[str, Any]:
    return {name: payload.get(prefix + name) for name in names}


def is_confirmed(completed_at: Any) -> bool:
    """Return whether a draft became an order.

    `completed_at` is `{"date": "2026-11-20 15:00:00.000000", "timezone": "UTC", …}`, with year -1 if it did not.
    """
    date = completed_at.get("date") if isinstance(completed_at, Mapping) else None
    return parse_datetime(date, is_utc=True) is not None
