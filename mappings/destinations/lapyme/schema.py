"""The body of LaPyme's POST /api/v1/orders.

Fields are in the order of LaPyme's page: https://docs.lapyme.com.ar/api-reference/api/crear-pedido,
read 2026-11-21.
"""

from marshmallow import fields
from marshmallow.validate import OneOf, Range

from mappings.destinations.lapyme.account import CURRENCY_CHOICES, DELIVERY_METHODS, UUID_VALIDATOR
from mappings.fields import NonEmpty, Quantity, StrictInteger, Text, UTCDateTime, validate_not_negative
from mappings.schema import DestinationSchema


class LapymeTotalsSchema(DestinationSchema):
    subtotal = StrictInteger(attribute="subtotal_cents", validate=validate_not_negative, required=True)
    tax_amount = StrictInteger(attribute="tax_cents", validate=validate_not_negative, required=True)
    total = StrictInteger(attribute="total_cents", validate=validate_not_negative, required=True)


class LapymeLineSchema(DestinationSchema):
    product_name_snapshot = Text(attribute="portion.name", required=True)
    sku_snapshot = Text(attribute="portion.sku", required=True)
    ordered_quantity = Quantity(attribute="portion.quantity", required=True)
    unit_price = StrictInteger(attribute="portion.unit_cents", validate=validate_not_negative, required=True)
    product_id = fields.String(validate=UUID_VALIDATOR)
    tax_rate_id = StrictInteger()
    # Discounts are never sent: LaPyme does not say whether they are per unit or per line.
    discount_amount = StrictInteger(validate=validate_not_negative, load_only=True)
    discount_percentage = fields.Float(validate=Range(min=0, max=100), load_only=True)


class LapymeOrderSchema(DestinationSchema):
    customer_id = fields.String(validate=UUID_VALIDATOR, required=True)
    assigned_warehouse_id = fields.String(validate=UUID_VALIDATOR, required=True)
    totals = fields.Nested(LapymeTotalsSchema, required=True)
    lines = fields.Nested(
        LapymeLineSchema,
        many=True,
        attribute="products",
        required=True,
        validate=NonEmpty("nothing_charged"),
    )
    delivery_method = fields.String(validate=OneOf(DELIVERY_METHODS))
    order_date = UTCDateTime(attribute="order.placed_at")
    currency = fields.String(validate=OneOf(CURRENCY_CHOICES))
    notes = Text()
    discount_amount = StrictInteger(validate=validate_not_negative, load_only=True)
