"""The fields of a Shopify order, in a webhook and in the REST Admin API.

Source: https://shopify.dev/docs/api/admin-rest/latest/resources/order, read 2026-11-21.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from marshmallow import fields, post_load

from mappings.addresses.regions import SHOPIFY_STATES
from mappings.fields import (
    MISSING_LIST_MESSAGES,
    Coordinate,
    Identifier,
    LenientField,
    Money,
    Quantity,
    StrictBoolean,
    SumOf,
    Text,
    UTCDateTime,
)
from mappings.labels import N_
from mappings.money.allocation import ZERO, add_rounding_charge, nonzero_charges, subtract_unallocated_refund
from mappings.money.payments import Transaction, find_unknown_status
from mappings.money.refunds import (
    Adjustment,
    PurchasedLine,
    Refund,
    RefundLine,
    remaining_line,
    subtract_shipping_refunds,
    sum_unallocated_refunds,
)
from mappings.order import Customer, Line, Order, Payment
from mappings.payload_paths import pick_text
from mappings.problems import Problem, register_templates
from mappings.schema import AddressSchema, StorefrontSchema
from mappings.storefronts.shopify.money import (
    IS_PAID_BY_FINANCIAL_STATUS,
    RETURNED_STATUSES,
    build_payments,
    build_shipping,
    is_converted,
    last_digits,
    max_rounding,
    to_presentment_currency,
    with_nonnegative_total,
)

#: Kinds of transaction that take money, and that return it. An authorization only reserves money, and is captured by
#: another transaction: https://shopify.dev/docs/api/admin-rest/latest/resources/transaction. "change" is of cash:
#: https://shopify.dev/docs/api/admin-graphql/latest/enums/OrderTransactionKind. Both read 2026-11-21.
PAYMENT_KINDS = {"sale", "capture"}
REFUND_KINDS = {"refund", "change"}
#: Parcels with one of these were not sent. https://shopify.dev/docs/api/admin-rest/latest/resources/fulfillment,
#: read 2026-11-30.
FAILED_FULFILLMENT_STATUSES = {"cancelled", "error", "failure"}
#: `fulfillment_service` of what the shop sends itself.
OWN_FULFILLMENT_SERVICE = "manual"
register_templates(
    {
        "shopify_payments_not_fetched": N_(
            "Payments are not itemized when several gateways were used, such as a gift card and a bank card. "
            "To fetch them, set the store's `client_id` and `client_secret`, or its `api_token`."
        ),
        "shopify_barcodes_not_fetched": N_(
            "Barcodes are not in Shopify's webhooks. "
            "To fetch them, set the store's `client_id` and `client_secret`, or its `api_token`."
        ),
    }
)
#: Details that an order lacks unless they are fetched -> how to have them fetched.
MISSING_DETAIL_HINTS = {
    "payments": Problem(code="shopify_payments_not_fetched", path=("payments",)),
    "barcodes": Problem(code="shopify_barcodes_not_fetched", path=("lines", "barcode")),
}


class ShopMoney(Money):
    """The amount in the shop's currency, from a `*_set` that has the customer's, too."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Decimal:
        shop = value.get("shop_money") if isinstance(value, Mapping) else None
        return super()._deserialize(shop.get("amount") if isinstance(shop, Mapping) else None, *args, **kwargs)


class IsPresent(LenientField):
    """True for an object: Shopify marks a line as a tip by one, whose own fields may all be null."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        return isinstance(value, Mapping)


class ShopifyAddressSchema(AddressSchema):
    states = SHOPIFY_STATES

    first_name = Text()
    last_name = Text()
    name = Text()
    company = Text()
    phone = Text()
    address1 = Text(attribute="line1", keeps_word_joiner=True)
    address2 = Text(attribute="line2", keeps_word_joiner=True)
    city = Text()
    zip = Text(attribute="postal_code")
    province = Text(attribute="state")
    province_code = Text(attribute="state_code")
    country = Text(attribute="country_name")
    country_code = Text(attribute="country")
    latitude = Coordinate()
    longitude = Coordinate()


class ShopifyCustomerSchema(StorefrontSchema):
    model = Customer

    first_name = Text()
    last_name = Text()
    email = Text()
    phone = Text()


class ShopifyLineSchema(StorefrontSchema):
    model = PurchasedLine

    id = Text(attribute="line_id")
    sku = Identifier()
    barcode = Identifier()  # not in Shopify's payload: `merge_barcode` adds it
    name = Text()
    title = Text()
    quantity = Quantity(minimum=0, required=True)
    current_quantity = Quantity(minimum=0)
    # What is left of it to send, after refunds too, and by whom. "manual" is the shop itself.
    # https://shopify.dev/docs/api/admin-rest/latest/resources/order, "line_items", read 2026-11-30.
    fulfillable_quantity = Quantity(minimum=0)
    fulfillment_status = Text()
    fulfillment_service = Text()
    price = Money(required=True)
    total_discount = Money(attribute="line_discount")  # of the line alone, as orders before 2018 have it
    discount_allocations = SumOf("amount", attribute="discount")
    tax_lines = SumOf("price", attribute="tax")
    requires_shipping = StrictBoolean(attribute="is_shippable")
    # https://shopify.dev/docs/api/admin-rest/latest/resources/order, "line_items", read 2026-11-22.
    tip = IsPresent(attribute="is_tip")


class ShopifySentLineSchema(StorefrontSchema):
    model = dict

    id = Text(attribute="line_id")
    quantity = Quantity(minimum=0)


class ShopifyShippingSchema(StorefrontSchema):
    model = dict

    title = Text(attribute="name")
    code = Text()
    price = Money(required=True)
    discounted_price = Money()
    discount_allocations = SumOf("amount", attribute="discount")
    tax_lines = SumOf("price", attribute="tax")
    is_removed = StrictBoolean()


class ShopifyRefundLineSchema(StorefrontSchema):
    model = RefundLine

    line_item_id = Text(attribute="line_id")
    quantity = Quantity(minimum=0, required=True)
    subtotal = Money()
    total_tax = Money(attribute="tax")


class ShopifyAdjustmentSchema(StorefrontSchema):
    model = Adjustment

    kind = Text()
    amount = Money()  # deprecated, as `tax_amount` is: only the sets may be there
    tax_amount = Money(attribute="tax")
    amount_set = ShopMoney(attribute="shop_amount")
    tax_amount_set = ShopMoney(attribute="shop_tax")

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Adjustment:
        return Adjustment(
            is_of_shipping=data.get("kind") == "shipping_refund",
            amount=data.get("amount", data.get("shop_amount", ZERO)),
            tax=data.get("tax", data.get("shop_tax", ZERO)),
        )


class ShopifyRefundShippingSchema(StorefrontSchema):
    model = dict

    subtotal_amount_set = ShopMoney(attribute="amount")


class ShopifyRefundSchema(StorefrontSchema):
    """A refund.

    Since version 2024-10 shipping has its own list, without tax. The adjustments that were used before are still
    present: https://shopify.dev/docs/api/admin-rest/latest/resources/refund, read 2026-11-22.
    """

    model = Refund

    refund_line_items = fields.List(fields.Nested(ShopifyRefundLineSchema), attribute="lines")
    order_adjustments = fields.List(fields.Nested(ShopifyAdjustmentSchema), attribute="adjustments")
    refund_shipping_lines = fields.List(fields.Nested(ShopifyRefundShippingSchema), attribute="shipping")

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Refund:
        adjustments = data.get("adjustments", [])
        if not any(item.is_of_shipping for item in adjustments):
            shipping = [item["amount"] for item in data.get("shipping", []) if "amount" in item]
            adjustments += [Adjustment(is_of_shipping=True, amount=-amount, tax=None) for amount in shipping]
        return Refund(lines=data.get("lines", []), adjustments=adjustments)


class ShopifyFulfillmentSchema(StorefrontSchema):
    """A parcel: what was sent of each line. It tells what is left in orders without `fulfillable_quantity`."""

    model = dict

    status = Text()
    line_items = fields.List(fields.Nested(ShopifySentLineSchema), attribute="lines")

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> dict[str, int]:
        """Return the units by line id; none if the parcel was cancelled or failed."""
        lines = [] if data.get("status") in FAILED_FULFILLMENT_STATUSES else data.get("lines", [])
        return {line["line_id"]: line["quantity"] for line in lines if line.keys() == {"line_id", "quantity"}}


class ShopifyTransactionSchema(StorefrontSchema):
    model = Transaction

    id = Text(attribute="transaction_id")
    parent_id = Text()
    kind = Text()
    status = Text()
    gateway = Text()
    amount = Money()
    authorization = Text()
    payment_id = Text()
    payment_details = fields.Raw()

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Transaction | None:
        """Return the transaction; None if it moved no money."""
        kind = data.get("kind")
        if data.get("status") != "success" or kind not in PAYMENT_KINDS | REFUND_KINDS or "amount" not in data:
            return None
        return Transaction(
            transaction_id=data.get("transaction_id", ""),
            parent_id=data.get("parent_id"),
            is_refund=kind in REFUND_KINDS,
            payment=Payment(
                gateway=data.get("gateway"),
                name=data.get("gateway"),
                amount=data["amount"],
                transaction_id=data.get("authorization") or data.get("payment_id"),
                last_digits=last_digits(data.get("payment_details")),
            ),
        )


class ShopifyOrderSchema(StorefrontSchema):
    model = Order

    id = Text(attribute="order_id", required=True)
    name = Text(attribute="number")  # "#1001"
    order_number = Text()
    created_at = UTCDateTime(attribute="placed_at")
    updated_at = UTCDateTime()
    cancelled_at = Text()
    currency = Text(required=True)
    presentment_currency = Text()
    taxes_included = StrictBoolean()
    total_price = Money(attribute="total", required=True)
    current_total_price = Money(attribute="current_total")
    total_tax = Money()
    current_total_tax = Money()
    total_tip_received = Money(attribute="tip")
    original_total_duties_set = ShopMoney(attribute="original_duties")
    current_total_duties_set = ShopMoney(attribute="duties")
    original_total_additional_fees_set = ShopMoney(attribute="original_fees")
    current_total_additional_fees_set = ShopMoney(attribute="fees")
    total_cash_rounding_payment_adjustment_set = ShopMoney(attribute="rounding")
    financial_status = Text()
    payment_gateway_names = fields.Raw(attribute="gateways")
    line_items = fields.List(
        fields.Nested(ShopifyLineSchema), attribute="lines", required=True, error_messages=MISSING_LIST_MESSAGES
    )
    shipping_lines = fields.List(fields.Nested(ShopifyShippingSchema), attribute="shipping")
    refunds = fields.List(fields.Nested(ShopifyRefundSchema))
    fulfillments = fields.List(fields.Nested(ShopifyFulfillmentSchema))
    fulfillment_status = Text()
    transactions = fields.List(fields.Nested(ShopifyTransactionSchema))  # if they were fetched
    customer = fields.Nested(ShopifyCustomerSchema)
    shipping_address = fields.Nested(ShopifyAddressSchema, attribute="ship_to")
    billing_address = fields.Nested(ShopifyAddressSchema, attribute="bill_to")
    email = Text()
    contact_email = Text()
    phone = Text()
    note = Text()
    note_attributes = fields.Raw()
    test = StrictBoolean(attribute="is_test")

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Order:
        is_tax_included = data.get("taxes_included", False)
        refunds = data.get("refunds", [])
        remaining = [
            (purchased, remaining_line(purchased, refunds, is_tax_included=is_tax_included))
            for purchased in data["lines"]
        ]
        sent_units = sum_units(data.get("fulfillments", []))
        order_status = data.get("fulfillment_status")
        lines = [
            subtract_fulfilled(line, purchased, sent=sent_units.get(purchased.line_id, 0), order_status=order_status)
            for purchased, line in remaining
            if line is not None and not purchased.is_tip
        ]
        tips = [line.total for purchased, line in remaining if line is not None and purchased.is_tip]
        methods = [method for method in data.get("shipping", []) if not method.get("is_removed")]
        shipping = subtract_shipping_refunds(
            [build_shipping(method, is_tax_included=is_tax_included) for method in methods],
            refunds,
            is_tax_included=is_tax_included,
        )
        if is_converted(data):
            lines, shipping = (
                [with_nonnegative_total(line) for line in lines],
                [with_nonnegative_total(method) for method in shipping],
            )
        is_pickup = is_pickup_order(data, has_shippable=any(line.is_shippable for line in lines), methods=methods)
        status = data.get("financial_status", "")
        is_paid = IS_PAID_BY_FINANCIAL_STATUS.get(status)
        unknown_payment = find_unknown_status(status, IS_PAID_BY_FINANCIAL_STATUS, vendor="Shopify")
        is_assumed_paid = True if unknown_payment else is_paid  # a person may decide that it is
        total = data.get("current_total", data["total"])
        order: Order = self.make_model(
            data,
            storefront="shopify",
            number=data.get("number") or data.get("order_number") or data["order_id"],
            total=total,
            tax=data.get("current_total_tax", data.get("total_tax")),
            lines=lines,
            shipping=shipping,
            charges=nonzero_charges(
                # A tip of the online checkout is also a line, and is included in `total_tip_received`.
                tip=sum(tips, ZERO) if any(purchased.is_tip for purchased in data["lines"]) else data.get("tip"),
                duties=data.get("duties", data.get("original_duties")),
                fee=data.get("fees", data.get("original_fees")),
            ),
            payments=build_payments(data, total=total, is_paid=is_assumed_paid),
            is_pickup=is_pickup,
            pickup_name=methods[0].get("name") if is_pickup and methods else None,
            email=data.get("email") or data.get("contact_email"),
            is_cancelled="cancelled_at" in data,
            is_refunded=status in RETURNED_STATUSES,
            is_paid=is_paid,
            unknown_payment=unknown_payment,
        )
        order = subtract_unallocated_refund(order, sum_unallocated_refunds(refunds))
        if order.total != total:
            order = replace(order, payments=build_payments(data, total=order.total, is_paid=is_assumed_paid))
        return add_rounding_charge(order, max_rounding=max_rounding(data, order))

    def parse_order(self, payload: Mapping[str, Any], **context: Any) -> Order:
        """Return the order from a webhook's payload, or from the API's response, which has it under `order`."""
        is_wrapped = isinstance(payload, dict) and "id" not in payload and isinstance(payload.get("order"), dict)
        order = super().parse_order(
            to_presentment_currency(payload["order"] if is_wrapped else payload, context["store"]), **context
        )
        return order if context["store"].has_api else replace(order, missing_details=find_missing_details(order))


def is_pickup_order(data: Mapping[str, Any], *, has_shippable: bool, methods: list[Any]) -> bool | None:
    """Return whether the customer collects the order; None if nothing says so.

    Shopify has no field for it. A pickup has no shipping address, and a shipping line with the location as its title
    (https://community.shopify.com/t/how-to-differentiate-a-local-pickup-vs-local-delivery-in-the-fulfillment-process/117153,
    read 2026-11-21).
    """
    # Unverified: Zapiet's pickup app seems to write this note attribute.
    if (pick_text(data, ["note_attributes:Checkout-Method"]) or "").casefold() == "pickup":
        return True
    if data.get("ship_to"):
        return False
    return True if has_shippable and methods else None


def sum_units(fulfillments: Iterable[Mapping[str, int]]) -> dict[str | None, int]:
    """Return the units in all parcels, by line id."""
    units: dict[str | None, int] = {}
    for fulfillment in fulfillments:
        for line_id, quantity in fulfillment.items():
            units[line_id] = units.get(line_id, 0) + quantity
    return units


def subtract_fulfilled(line: Line, purchased: PurchasedLine, *, sent: int, order_status: str | None) -> Line:
    """Return the line with the units that the shop need not send any more.

    Args:
        sent: units in parcels.
        order_status: the `fulfillment_status` of the order.
    """
    to_ship = line.quantity
    if purchased.fulfillment_service not in (None, OWN_FULFILLMENT_SERVICE):
        to_ship = 0
    elif purchased.fulfillable_quantity is not None:
        to_ship = purchased.fulfillable_quantity
    elif "fulfilled" in (order_status, purchased.fulfillment_status):
        to_ship = 0
    elif sent:
        to_ship = max(purchased.quantity - sent, 0)
    return replace(line, quantity_fulfilled=max(line.quantity - to_ship, 0))


def find_missing_details(order: Order) -> dict[str, Problem]:
    is_missing = {
        "payments": order.payments is None,
        "barcodes": any(line.barcode is None for line in order.lines_to_ship),
    }
    return {detail: MISSING_DETAIL_HINTS[detail] for detail, is_absent in is_missing.items() if is_absent}
