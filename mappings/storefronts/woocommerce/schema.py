"""The fields of a WooCommerce order, in a webhook and in the REST API (`/wc/v3/orders`).

Source: https://woocommerce.github.io/woocommerce-rest-api-docs/#order-properties, read 2026-11-21.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from marshmallow import fields, post_load, pre_load

from mappings.addresses.regions import WOOCOMMERCE_STATES, address_if_locatable
from mappings.delivery_methods import is_blank
from mappings.fields import (
    MISSING_LIST_MESSAGES,
    Identifier,
    InformativeMoney,
    Money,
    Quantity,
    SumOf,
    Text,
    UTCDateTime,
)
from mappings.labels import N_
from mappings.money.allocation import ZERO, add_rounding_charge
from mappings.money.payments import sole_payment
from mappings.order import Charge, Customer, Order, Shipping
from mappings.payload_paths import pick_text
from mappings.problems import Problem, field_error, register_templates
from mappings.schema import AddressSchema, StorefrontSchema
from mappings.storefronts.woocommerce.lines import build_lines
from mappings.storefronts.woocommerce.money import (
    Coupon,
    RefundItem,
    RefundWithItems,
    add_credit,
    count_amounts,
    find_payment_key,
    infer_rounding_unit,
    meta_values,
    separate_credit,
    subtract_refund_of_no_line,
    subtract_refunds,
)
from mappings.storefronts.woocommerce.shipping import (
    BRANCH_PATHS,
    PICKUP_METHODS,
    mark_sent,
    mark_virtual,
    parse_package,
)
from mappings.text import clean_text

PAID_STATUSES = {"processing", "completed"}
#: Without "failed": the customer may pay again, and the order then becomes "processing".
CANCELLED_STATUSES = {"cancelled", "refunded", "trash"}
UNPAID_STATUSES = {"pending", "on-hold", "failed", "cancelled", "checkout-draft", "auto-draft", "draft"}
DRAFT_STATUSES = {"checkout-draft", "auto-draft", "draft"}

register_templates(
    {
        "woocommerce_completed": N_(
            "Nothing is left to ship: the order is completed, so the shop has sent it. If “completed” means something "
            "else in this shop, set the store's `completed` to “to_send”."
        ),
        "woocommerce_cannot_view": N_(
            "WooCommerce sends an error in place of each order: the webhook's user was deleted, or may not see orders "
            "any more. Delete the webhook and add it again as an administrator, then save the orders that are missing."
        ),
        "woocommerce_order_gone": N_(
            "WooCommerce sent an error in place of an order: the order was deleted before the shop's queue ran."
        ),
        "woocommerce_api_v1": N_(
            "WooCommerce sends an error in place of each order: the webhook uses version 1 of the API, which does "
            "not work with high-performance order storage. Set the webhook's API version to WP REST API Integration "
            "v3, then save the orders that are missing."
        ),
        "woocommerce_error": N_(
            "WooCommerce sends an error in place of the order, which the webhook's content names. Correct it there, "
            "then save the orders that are missing."
        ),
        "woocommerce_unitemized_refund": N_("Refunds are not itemized by product: WooCommerce gives only their sum."),
        "woocommerce_refunds_not_fetched": N_(
            "Refunds are not itemized by product: WooCommerce gives only their sum. "
            "Set the store's `api_url` and `api_token` to fetch them."
        ),
        "woocommerce_refund_without_amount": N_("%(where)s does not say how much was refunded."),
    }
)
#: A refund that products, shipping and fees do not account for.
UNITEMIZED_REFUND = Problem(code="woocommerce_unitemized_refund", path=("refunds",))
REFUNDS_NOT_FETCHED = Problem(code="woocommerce_refunds_not_fetched", path=("refunds",))


class WooAddressSchema(AddressSchema):
    states = WOOCOMMERCE_STATES

    first_name = Text(is_escaped=True)
    last_name = Text(is_escaped=True)
    company = Text(is_escaped=True)
    address_1 = Text(attribute="line1", is_escaped=True)
    address_2 = Text(attribute="line2", is_escaped=True)
    city = Text(is_escaped=True)
    state = Text(is_escaped=True)  # a code if WooCommerce has a list of the country's states
    postcode = Text(attribute="postal_code")
    country = Text()
    phone = Text()


class WooBuyerSchema(StorefrontSchema):
    """The customer's fields in `billing`."""

    model = Customer

    first_name = Text(is_escaped=True)
    last_name = Text(is_escaped=True)
    email = Text()
    phone = Text()


class WooLineSchema(StorefrontSchema):
    model = dict

    id = Text(attribute="item_id")
    name = Text(is_escaped=True)
    quantity = Quantity(minimum=0, required=True)
    total = Money(required=True)  # after discounts, without tax
    total_tax = Money(attribute="tax")
    subtotal = InformativeMoney()  # before discounts
    subtotal_tax = InformativeMoney()
    sku = Identifier(is_escaped=True)
    product_id = Text()
    # The line of the kit that this is a part of, see `KIT_LINE_FIELDS`.
    bundled_by = Text()
    composite_parent = Text()
    mnm_child_of = Text()
    meta_data = fields.Raw()


class WooShippingSchema(StorefrontSchema):
    model = dict

    id = Text(attribute="item_id")
    method_title = Text(attribute="name", is_escaped=True)
    method_id = Text(attribute="code")
    instance_id = Text(attribute="instance")
    meta_data = fields.Raw()
    total = Money(required=True)
    total_tax = Money(attribute="tax")

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        meta_data = data.pop("meta_data", None)
        branch = pick_text({"meta_data": meta_data}, BRANCH_PATHS, is_escaped=True)
        return {**data, "branch": branch, "package": parse_package(meta_data)}


class WooFeeSchema(StorefrontSchema):
    model = dict

    id = Text(attribute="item_id")
    name = Text(is_escaped=True)
    total = Money(required=True)  # negative if a plugin uses it for a discount, or for what a wallet paid
    total_tax = Money(attribute="tax")
    meta_data = fields.Raw()

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        payment_key = find_payment_key(data)
        data.pop("meta_data", None)
        return {**data, "payment_key": payment_key}


class WooCouponSchema(StorefrontSchema):
    model = Coupon

    discount_type = Text(attribute="kind")  # since WooCommerce 8.7; before, the type is in `coupon_data`
    discount = InformativeMoney()
    discount_tax = InformativeMoney()
    meta_data = fields.Raw()

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Coupon:
        kinds = [item.get("discount_type") for item in meta_values(data.pop("meta_data", None), "coupon_data")]
        return Coupon(**{"kind": next(iter(kinds), None), **data})


class WooRefundItemSchema(StorefrontSchema):
    """A line of a refund. Quantity and amounts are negative; the meta data has the id of the order's line.

    https://woocommerce.github.io/woocommerce-rest-api-docs/#order-refund-line-items-properties, read 2026-11-21.
    """

    model = RefundItem

    quantity = Quantity(minimum=-(10**9))
    total = Money(required=True)
    total_tax = Money(attribute="tax")
    meta_data = fields.Raw()

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> RefundItem:
        return RefundItem(
            item_id=pick_text(data, ["meta_data:_refunded_item_id"]),
            quantity=abs(data.get("quantity", 0)),
            total=-data["total"] - data.get("tax", ZERO),
            tax=-data["tax"] if "tax" in data else None,
        )


class WooRefundSchema(StorefrontSchema):
    """A refund. A webhook has its total; the API has its amount and its lines."""

    model = RefundWithItems

    total = Money()  # negative
    amount = Money()
    line_items = fields.List(fields.Nested(WooRefundItemSchema), attribute="lines")
    shipping_lines = fields.List(fields.Nested(WooRefundItemSchema), attribute="shipping")
    fee_lines = fields.List(fields.Nested(WooRefundItemSchema), attribute="fees")

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Any:
        if "total" not in data and "amount" not in data:
            raise field_error("woocommerce_refund_without_amount")
        item_lists = [data[key] for key in ("lines", "shipping", "fees") if key in data]
        return RefundWithItems(
            amount=abs(data["amount"] if "amount" in data else data["total"]),
            items=[item for items in item_lists for item in items],
            has_items=bool(item_lists),
        )


class WooOrderSchema(StorefrontSchema):
    model = Order
    is_escaped = True
    pickup_methods = PICKUP_METHODS
    # Shops that "force shipping to the billing address" have no shipping address.
    falls_back_to_billing = True
    # Mobbex writes it if the customer gave no DNI: https://github.com/mobbexco/woocommerce, read 2026-11-21.
    fake_tax_ids = frozenset({"12123123"})

    id = Text(attribute="order_id", required=True)
    status = Text()
    created_via = Text()
    currency = Text(required=True)
    date_created_gmt = UTCDateTime(attribute="placed_at", is_utc=True)
    date_modified_gmt = UTCDateTime(attribute="updated_at", is_utc=True)
    total = Money(required=True)
    total_tax = Money(attribute="tax")
    billing = fields.Nested(WooAddressSchema, attribute="bill_to")
    buyer = fields.Nested(WooBuyerSchema, attribute="customer")
    shipping = fields.Nested(WooAddressSchema, attribute="ship_to")
    payment_method = Text(attribute="gateway")
    payment_method_title = Text(attribute="gateway_name", is_escaped=True)
    transaction_id = Text()
    customer_note = Text(attribute="note", is_escaped=True)
    date_paid_gmt = Text(attribute="paid_at")
    number = Text()
    line_items = fields.List(
        fields.Nested(WooLineSchema), attribute="lines", required=True, error_messages=MISSING_LIST_MESSAGES
    )
    shipping_lines = fields.List(fields.Nested(WooShippingSchema), attribute="shipping")
    fee_lines = fields.List(fields.Nested(WooFeeSchema), attribute="charges")
    coupon_lines = fields.List(fields.Nested(WooCouponSchema), attribute="coupons")
    refunds = fields.List(fields.Nested(WooRefundSchema))
    # Of plugins, which subtract from `total` what a gift card paid: https://wordpress.org/plugins/pw-woocommerce-gift-cards
    # and https://github.com/woocommerce/woocommerce-android, GiftCardRestClient.kt, read 2026-11-22.
    pw_gift_cards_redeemed = SumOf("amount", attribute="pw_gift_cards")
    gift_cards = SumOf("amount")

    @pre_load
    def preprocess(self, data: Any, **kwargs: Any) -> Any:
        """Copy `billing`, which also has the customer's name, e-mail and phone."""
        return super().preprocess({**data, "buyer": data.get("billing")} if isinstance(data, Mapping) else data)

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Order:
        status = data.get("status", "")
        refunds = data.get("refunds", [])
        refunded_total = sum((refund.amount for refund in refunds), ZERO)
        refund_items = [item for refund in refunds for item in refund.items]
        item_ids = {entry.get("item_id") for key in ("lines", "shipping", "charges") for entry in data.get(key, [])}
        data, credit = separate_credit(data, refund_items)
        shipping = [Shipping(**subtract_refunds(entry, refund_items)) for entry in data.get("shipping", [])]
        bill_to = address_if_locatable(data.get("bill_to"))
        ship_to = address_if_locatable(data.get("ship_to"))
        customer = data.get("customer")
        is_paid = is_paid_status(status, has_paid_at="paid_at" in data)
        rounding_unit = infer_rounding_unit(data["total"])
        total = data["total"] - refunded_total
        order: Order = self.make_model(
            data,
            storefront="woocommerce",
            number=data.get("number") or data["order_id"],
            total=total,
            tax=data["tax"] - sum((item.tax or ZERO for item in refund_items), ZERO) if "tax" in data else None,
            lines=build_lines(data["lines"], refund_items),
            shipping=shipping,
            charges=[Charge(kind="fee", **subtract_refunds(entry, refund_items)) for entry in data.get("charges", [])],
            payments=sole_payment(
                total,
                is_paid=is_paid,
                gateway=data.get("gateway"),
                name=data.get("gateway_name"),
                transaction_id=data.get("transaction_id"),
            ),
            ship_to=ship_to,
            bill_to=bill_to,
            email=customer.email if customer else None,
            is_draft=status in DRAFT_STATUSES,
            is_cancelled=status in CANCELLED_STATUSES,
            is_paid=is_paid,
            unreadable_parts=[]
            if all(refund.is_readable(item_ids - {None}, rounding_unit) for refund in refunds)
            else [UNITEMIZED_REFUND],
        )
        order = mark_virtual(
            order, created_via=data.get("created_via"), has_shipping_address=not is_blank(ship_to, bill_to)
        )
        amount_count = count_amounts([*order.lines, *order.shipping, *order.charges, *refund_items])
        order = add_credit(order, credit)
        if not order.unreadable_parts:
            unallocated = sum((refund.unallocated(item_ids - {None}, rounding_unit) for refund in refunds), ZERO)
            order = subtract_refund_of_no_line(order, unallocated)
        return add_rounding_charge(order, max_rounding=rounding_unit * amount_count)

    def parse_order(self, payload: Mapping[str, Any], **context: Any) -> Order:
        store = context["store"]
        order = mark_sent(
            super().parse_order(payload, **context),
            status=clean_text(payload.get("status")),
            fulfillment_status=pick_text(payload, ["meta_data:_fulfillment_status"]),
            completed=store.completed,
        )
        if UNITEMIZED_REFUND in order.unreadable_parts and not store.has_api:
            return replace(order, unreadable_parts=[REFUNDS_NOT_FETCHED])
        return order


def is_paid_status(status: str, *, has_paid_at: bool) -> bool:
    """Return whether an order is paid. Shops and plugins add statuses of their own, which a payment's date makes paid.

    Source: https://github.com/woocommerce/woocommerce, plugins/woocommerce/includes/class-wc-order.php,
    `maybe_set_date_paid`, read 2026-11-30.
    """
    return status in PAID_STATUSES or (has_paid_at and status not in UNPAID_STATUSES)
