"""The body of Centelar's POST /api/v1.1/order.

Fields stand in the order of Centelar's own page: https://developer.centelar.com/v1_1/order/create, read 2026-11-21.
Where its example differs from its tables (`documentType`, `geoc_oordinates`, a number for `amount`, no
`billing_address`), the tables are followed.
"""

from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.validate import Length, OneOf, Range, Regexp

from mappings.destinations.centelar.payments import PAYMENT_TYPE_CHOICES
from mappings.fields import MoneyNumber, Nested, Quantity, StrictBoolean, StrictInteger, Text
from mappings.schema import DestinationSchema


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
