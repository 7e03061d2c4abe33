"""The body of Centelar's POST /api/v1.1/order.

Fields are in the order of Centelar's page: https://developer.centelar.com/v1_1/order/create, read 2026-11-21. Its
tables are followed where its example differs (`documentType`, `geoc_oordinates`, a number for `amount`, no
`billing_address`).
"""

from typing import Any

from marshmallow import fields, validates_schema
from marshmallow.validate import Length, OneOf, Regexp

from mappings.destinations.centelar.payments import PAYMENT_TYPE_CHOICES
from mappings.fields import (
    MoneyNumber,
    NonEmpty,
    Quantity,
    StrictBoolean,
    StrictInteger,
    Text,
    validate_not_negative,
)
from mappings.problems import FieldError, field_error
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
    price = MoneyNumber(attribute="portion.unit_price", validate=validate_not_negative, required=True)
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

    @validates_schema
    def require_address_or_branch(self, data: dict[str, Any], **kwargs: Any) -> None:
        """What is required depends on `disposition`."""
        if data.get("disposition") == "pickup":
            if "pickup_id" not in data and "pickup_name" not in data:
                raise field_error("missing", "id")
        elif "street" not in data:
            raise field_error("missing", "street")


class CentelarPaymentSchema(DestinationSchema):
    type = fields.String(validate=OneOf(PAYMENT_TYPE_CHOICES), required=True)
    payment_system = Text(attribute="payment.name")
    amount = fields.String(validate=Regexp(r"\d+\.\d\d\Z", error="is no text of two decimals."), required=True)
    last_digits = Text(attribute="payment.last_digits")
    transaction_id = Text(attribute="payment.transaction_id")
    payment_system_data = fields.String(load_only=True)  # text in the page's table, an object in its example


class CentelarOrderSchema(DestinationSchema):
    creation_date = Text(attribute="placed_at", required=True)
    ext_code = Text(required=True)
    price = MoneyNumber(attribute="order.total", validate=validate_not_negative, required=True)
    customer = fields.Nested(CentelarCustomerSchema, required=True)
    items = fields.Nested(
        CentelarItemSchema,
        many=True,
        attribute="products",
        required=True,
        validate=NonEmpty("nothing_charged"),
    )
    payments = fields.Nested(CentelarPaymentSchema, many=True, required=True)
    shipping_address = fields.Nested(CentelarAddressSchema, attribute="ship_to", required=True)
    billing_address = fields.Nested(
        CentelarAddressSchema,
        attribute="bill_to",
        required=True,
        error_messages={"required": [FieldError("centelar_no_billing_address")]},
    )
    shipping_cost = MoneyNumber(attribute="shipping", validate=validate_not_negative)
    shipping_ext_code = fields.String(load_only=True)  # no storefront has an id of the shipment
