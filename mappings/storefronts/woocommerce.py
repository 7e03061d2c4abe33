"""WooCommerce: reads orders as its webhooks and its REST API (`/wc/v3/orders`) write them, and says what is to be
fetched for them. It fetches nothing itself.

Sources: https://woocommerce.github.io/woocommerce-rest-api-docs/#order-properties and
https://github.com/woocommerce/woocommerce, plugins/woocommerce/includes/class-wc-webhook.php, read 2026-11-21.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields

from mappings.addresses.regions import WOOCOMMERCE_STATES, address_if_locatable
from mappings.fields import MISSING_LIST_MESSAGES, Money, Nested, Quantity, SumOf, Text, UTCDateTime, parse_datetime
from mappings.ids import MAX_ID_LENGTH, hash_body, numeric_id, parse_id
from mappings.integration import Fetch, MalformedWebhookError, Signature, Storefront, WebhookIdentity
from mappings.money.allocation import CENT, ZERO, add_rounding_charge
from mappings.money.payments import sole_payment
from mappings.order import Charge, Customer, Line, Order, Payment, Shipping
from mappings.payload_paths import pick_text
from mappings.schema import AddressSchema, StorefrontSchema
from mappings.settings import HeaderValue, Store, StoreSchema
from mappings.text import clean_text

#: The topics that carry an order, and the hub's word for each. A paid order has no topic of its own: see `PAID`.
TOPICS = {
    "order.created": "created",
    "order.updated": "updated",
    "order.restored": "updated",
    "order.deleted": "cancelled",
}
PAID_STATUSES = {"processing", "completed"}
#: "failed" is not among them: the customer may pay again, and the order then becomes "processing".
CANCELLED_STATUSES = {"cancelled", "refunded", "trash"}
UNPAID_STATUSES = {"pending", "on-hold", "failed", "cancelled", "checkout-draft", "auto-draft", "draft"}
DRAFT_STATUSES = {"checkout-draft", "auto-draft", "draft"}
#: `method_id` of shipping lines that ship nothing.
PICKUP_METHODS = {"local_pickup", "pickup_location"}

#: Where plugins put the tax document: https://github.com/mobbexco/woocommerce (Observer/Checkout.php),
#: https://github.com/fedealvz/Woo-iFactura, EBANX's and Mexican invoicing plugins, read 2026-11-21.
DOCUMENT_FROM = (
    "meta_data:_billing_dni",
    "meta_data:billing_dni",
    "meta_data:billing_dni_ifactura",
    "meta_data:ebanx_billing_argentina_document",
    "meta_data:_billing_rfc",
)

#: What WordPress decodes in a secret before it signs: wp_specialchars_decode(…, ENT_QUOTES), and no other entity.
#: https://developer.wordpress.org/reference/functions/wp_specialchars_decode/, read 2026-11-21.
SPECIAL_CHARS = re.compile(r"&(?:(lt|gt|amp|quot)|#0*(34|38|39|60|62)|#x0*(22|26|27));", re.IGNORECASE)
NAMED_CHARS = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}

#: A refund that products, shipping and fees do not account for, in a merchant's words.
UNITEMIZED_REFUND = "Refunds are not told by product: WooCommerce says only their sum."
UNITEMIZED_REFUND_HINT = f"{UNITEMIZED_REFUND} With the store's `api_url` and `api_token` set, they would be fetched."


class KeyAndSecret(HeaderValue):
    """What the REST API is asked with, by HTTP Basic: a consumer key and its secret, with a colon between.

    https://woocommerce.github.io/woocommerce-rest-api-docs/#authentication-over-https, read 2026-11-21.
    """

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        key, _, secret = text.partition(":")
        if not key.strip() or not secret.strip():
            raise ValidationError("must be a consumer key and its secret with a colon between: `ck_…:cs_…`.")
        return text


class WooStoreSchema(StoreSchema):
    api_token = KeyAndSecret()


class WooAddressSchema(AddressSchema):
    states = WOOCOMMERCE_STATES

    first_name = Text(is_escaped=True)
    last_name = Text(is_escaped=True)
    company = Text(is_escaped=True)
    address_1 = Text(attribute="line1", is_escaped=True, keeps_word_joiner=True)
    address_2 = Text(attribute="line2", is_escaped=True, keeps_word_joiner=True)
    city = Text(is_escaped=True)
    state = Text(is_escaped=True)  # a code where WooCommerce knows the country's states
    postcode = Text(attribute="postal_code")
    country = Text()
    phone = Text()


class WooBuyerSchema(StorefrontSchema):
    """The customer's part of `billing`."""

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
    total = Money(required=True)  # discounts taken off, without tax
    total_tax = Money(attribute="tax")
    sku = Text(is_escaped=True)


class WooShippingSchema(StorefrontSchema):
    model = dict

    id = Text(attribute="item_id")
    method_title = Text(attribute="name", is_escaped=True)
    method_id = Text(attribute="code")
    total = Money(required=True)
    total_tax = Money(attribute="tax")


class WooFeeSchema(StorefrontSchema):
    model = dict

    id = Text(attribute="item_id")
    name = Text(is_escaped=True)
    total = Money(required=True)  # negative where a plugin grants a discount this way
    total_tax = Money(attribute="tax")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundItem:
    """What a refund gives back of one product, shipping method or fee."""

    item_id: str | None  # of the order's own line
    quantity: int = 0
    total: Decimal  # tax included; negative for a fee that was a discount
    tax: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWithItems:
    """One refund."""

    amount: Decimal
    items: list[RefundItem]

    def is_itemized(self, item_ids: Set[str], rounding_unit: Decimal) -> bool:
        """Whether the items, each of a line of the order, account for the amount, but for what rounding leaves."""
        if any(item.item_id not in item_ids for item in self.items):
            return False
        difference = self.amount - sum((item.total for item in self.items), ZERO)
        return abs(difference) <= rounding_unit * count_amounts(self.items)


class WooRefundItemSchema(StorefrontSchema):
    """A line of a refund: quantity and amounts are negative, and its meta data name the order's line.

    https://woocommerce.github.io/woocommerce-rest-api-docs/#order-refund-line-items-properties, read 2026-11-21.
    """

    model = RefundItem

    quantity = Quantity(minimum=-(10**9))
    total = Money(required=True)
    total_tax = Money(attribute="tax")
    meta_data = fields.Raw()

    def make(self, data: dict[str, Any]) -> RefundItem:
        return RefundItem(
            item_id=pick_text(data, ["meta_data:_refunded_item_id"]),
            quantity=abs(data.get("quantity", 0)),
            total=-data["total"] - data.get("tax", ZERO),
            tax=-data["tax"] if "tax" in data else None,
        )


class WooRefundSchema(StorefrontSchema):
    """A refund: a webhook says its total, and the API its amount and its lines."""

    model = RefundWithItems

    total = Money()  # negative
    amount = Money()
    line_items = fields.List(Nested(WooRefundItemSchema), attribute="lines")
    shipping_lines = fields.List(Nested(WooRefundItemSchema), attribute="shipping")
    fee_lines = fields.List(Nested(WooRefundItemSchema), attribute="fees")

    def make(self, data: dict[str, Any]) -> Any:
        if "total" not in data and "amount" not in data:
            raise ValidationError("does not say how much was given back.")
        items = [*data.get("lines", []), *data.get("shipping", []), *data.get("fees", [])]
        return RefundWithItems(amount=abs(data["amount"] if "amount" in data else data["total"]), items=items)


class WooOrderSchema(StorefrontSchema):
    model = Order
    is_escaped = True
    # Mobbex writes it where the customer gave no DNI: https://github.com/mobbexco/woocommerce, read 2026-11-21.
    fake_tax_ids = frozenset({"12123123"})

    id = Text(attribute="order_id", required=True)
    status = Text()
    currency = Text(required=True)
    date_created_gmt = UTCDateTime(attribute="placed_at", is_utc=True)
    date_modified_gmt = UTCDateTime(attribute="updated_at", is_utc=True)
    total = Money(required=True)
    total_tax = Money(attribute="tax")
    billing = Nested(WooAddressSchema, attribute="bill_to")
    buyer = Nested(WooBuyerSchema, attribute="customer")
    shipping = Nested(WooAddressSchema, attribute="ship_to")
    payment_method = Text(attribute="gateway")
    payment_method_title = Text(attribute="gateway_name", is_escaped=True)
    transaction_id = Text()
    customer_note = Text(attribute="note", is_escaped=True)
    date_paid_gmt = Text(attribute="paid_at")
    number = Text()
    line_items = fields.List(
        Nested(WooLineSchema), attribute="lines", required=True, error_messages=MISSING_LIST_MESSAGES
    )
    shipping_lines = fields.List(Nested(WooShippingSchema), attribute="shipping")
    fee_lines = fields.List(Nested(WooFeeSchema), attribute="charges")
    refunds = fields.List(Nested(WooRefundSchema))
    # Of plug-ins, which take what a card paid off `total`: https://wordpress.org/plugins/pw-woocommerce-gift-cards and
    # https://github.com/woocommerce/woocommerce-android, GiftCardRestClient.kt, read 2026-11-22.
    pw_gift_cards_redeemed = SumOf("amount", attribute="pw_gift_cards")
    gift_cards = SumOf("amount")

    def preprocess(self, payload: Any) -> Any:
        """WooCommerce keeps the customer's name, e-mail and phone in `billing`."""
        return {**payload, "buyer": payload.get("billing")} if isinstance(payload, Mapping) else payload

    def make(self, data: dict[str, Any]) -> Order:
        status = data.get("status", "")
        refunds = data.get("refunds", [])
        refunded_total = sum((refund.amount for refund in refunds), ZERO)
        refund_items = [item for refund in refunds for item in refund.items]
        item_ids = {entry.get("item_id") for key in ("lines", "shipping", "charges") for entry in data.get(key, [])}
        shipping = [Shipping(**subtract_refunds(entry, refund_items)) for entry in data.get("shipping", [])]
        is_shipped = any(method.code not in PICKUP_METHODS for method in shipping)
        is_pickup = not is_shipped if shipping else None
        bill_to = address_if_locatable(data.get("bill_to"))
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
            lines=[
                Line(**remaining)
                for entry in data["lines"]
                if (remaining := subtract_refunds(entry, refund_items))["quantity"]
            ],
            shipping=shipping,
            charges=[Charge(kind="fee", **subtract_refunds(entry, refund_items)) for entry in data.get("charges", [])],
            payments=sole_payment(
                total,
                is_paid=is_paid,
                gateway=data.get("gateway"),
                name=data.get("gateway_name"),
                transaction_id=data.get("transaction_id"),
            ),
            # Shops that "force shipping to the billing address" leave the other one blank.
            ship_to=address_if_locatable(data.get("ship_to")) or (bill_to if is_shipped else None),
            bill_to=bill_to,
            is_pickup=is_pickup,
            pickup_name=shipping[0].name if is_pickup else None,
            email=customer.email if customer else None,
            is_draft=status in DRAFT_STATUSES,
            is_cancelled=status in CANCELLED_STATUSES,
            is_paid=is_paid,
            unreadable_parts=[]
            if all(refund.is_itemized(item_ids - {None}, rounding_unit) for refund in refunds)
            else [UNITEMIZED_REFUND],
        )
        amount_count = count_amounts([*order.lines, *order.shipping, *order.charges, *refund_items])
        gift_card_total = data.get("gift_cards", ZERO) + data.get("pw_gift_cards", ZERO)
        return add_rounding_charge(add_gift_cards(order, gift_card_total), max_rounding=rounding_unit * amount_count)

    def parse_order(self, payload: Mapping[str, Any], **context: Any) -> Order:
        order = super().parse_order(payload, **context)
        if UNITEMIZED_REFUND in order.unreadable_parts and not context["store"].can_fetch:
            return replace(order, unreadable_parts=[UNITEMIZED_REFUND_HINT])
        return order


def subtract_refunds(entry: Mapping[str, Any], refund_items: Iterable[RefundItem]) -> dict[str, Any]:
    """Return what is left of a line, with tax: WooCommerce writes amounts without it, whatever `prices_include_tax`
    says. The API's lines stay as they were bought; refunds stand apart.
    """
    entry = dict(entry)
    item_id = entry.pop("item_id", None)
    refunded_items = [item for item in refund_items if item.item_id is not None and item.item_id == item_id]
    entry["total"] += entry.get("tax", ZERO) - sum((item.total for item in refunded_items), ZERO)
    if "tax" in entry:
        entry["tax"] -= sum((item.tax or ZERO for item in refunded_items), ZERO)
    if "quantity" in entry:
        entry["quantity"] = max(entry["quantity"] - sum(item.quantity for item in refunded_items), 0)
    return entry


def is_paid_status(status: str, *, has_paid_at: bool) -> bool | None:
    if status in PAID_STATUSES:
        return True
    if status in UNPAID_STATUSES:
        return False
    return True if has_paid_at else None  # plugins add statuses of their own


def add_gift_cards(order: Order, amount: Decimal) -> Order:
    """Add what gift cards paid: they are payments, and the total is less them. The sum decides whether it is."""
    if not amount or order.parts_total == order.total:
        return order
    card_payments = [Payment(gateway="gift_card", name="Gift card", amount=amount)] if order.is_paid else []
    payments = None if order.payments is None else [*card_payments, *order.payments]
    return replace(order, total=order.total + amount, payments=payments)


def infer_rounding_unit(total: Decimal) -> Decimal:
    """Return the unit that figures are rounded to: a peso where the shop shows no decimals, as many in Argentina do.

    https://github.com/woocommerce/woocommerce, class-wc-rest-orders-v2-controller.php, where `dp` is by default
    wc_get_price_decimals(), read 2026-11-22.
    """
    return Decimal(1) if total.as_tuple().exponent == 0 else CENT


def count_amounts(parts: Iterable[Line | Shipping | Charge | RefundItem]) -> int:
    return sum(1 if part.tax is None else 2 for part in parts)


# --- what is to be fetched ---


def required_fetches(payload: Mapping[str, Any], store: Store, required_details: Set[str]) -> Sequence[Fetch]:
    """Return the GET for the lines of an order's refunds. Every destination needs them: they say what is left."""
    order_id = numeric_id(payload.get("id"))
    if not store.can_fetch or not payload.get("refunds") or order_id is None:
        return ()
    status = payload.get("status")
    if isinstance(status, str) and status in CANCELLED_STATUSES:  # nothing is to be sent
        return ()
    # https://woocommerce.github.io/woocommerce-rest-api-docs/#list-all-refunds, read 2026-11-21; 100 is its most.
    return [Fetch(path=f"/wp-json/wc/v3/orders/{order_id}/refunds?per_page=100", merge=merge_refunds)]


def merge_refunds(payload: dict[str, Any], response: Any) -> dict[str, Any]:
    """Put the refunds that were fetched in the place of their sums. One that the reply lacks keeps its sum: the API
    answers an empty list for an order that it does not find.
    """
    refunds = {
        refund_id: refund
        for refund in (response if isinstance(response, list) else ())
        if isinstance(refund, Mapping) and (refund_id := clean_text(refund.get("id")))
    }
    refund_totals = payload["refunds"] if isinstance(payload["refunds"], list) else []
    remaining = [
        entry for entry in refund_totals if not (isinstance(entry, Mapping) and clean_text(entry.get("id")) in refunds)
    ]
    return {**payload, "refunds": [*refunds.values(), *remaining]}


def basic_auth(store: Store) -> dict[str, str]:
    credentials = b64encode((store.api_token or "").encode()).decode()
    return {"Authorization": f"Basic {credentials}", "Accept": "application/json"}


# --- what a webhook is about ---


def identify(headers: Mapping[str, str], payload: Mapping[str, Any], body: bytes) -> WebhookIdentity:
    """Tell what a webhook is about.

    X-WC-Webhook-Delivery-ID is no key: it is a hash of the webhook and the second, so that different orders share it
    and a repeat has a new one (class-wc-webhook.php, get_new_delivery_id).
    """
    topic = headers.get("x-wc-webhook-topic", "").strip()
    if not topic or len(topic) > MAX_ID_LENGTH:
        raise MalformedWebhookError("The header X-WC-Webhook-Topic is missing.")
    order_id = parse_id(payload.get("id"), "The order's id")
    event_key = f"{topic}:{order_id or ''}:{hash_body(body)}"
    if ignore_reason := find_ignore_reason(topic, payload, order_id):
        return WebhookIdentity(topic=topic, topics=frozenset({topic}), event_key=event_key, ignore_reason=ignore_reason)
    status = payload.get("status")
    topics = {topic, TOPICS[topic]}
    if isinstance(status, str):
        topics |= {"paid"} if status in PAID_STATUSES else set()
        topics |= {"cancelled"} if status in CANCELLED_STATUSES else set()
    is_draft = isinstance(status, str) and status in DRAFT_STATUSES
    return WebhookIdentity(
        topic=topic,
        topics=frozenset(topics),
        event_key=event_key,
        order_id=order_id,
        order_number=parse_id(payload.get("number"), "The order's number"),
        source_updated_at=parse_datetime(payload.get("date_modified_gmt"), is_utc=True),
        has_order=topic != "order.deleted",
        ignore_reason="This is a draft." if is_draft else None,
    )


def find_ignore_reason(topic: str, payload: Mapping[str, Any], order_id: str | None) -> str | None:
    code = payload.get("code")
    if isinstance(code, str) and code.startswith("woocommerce_rest_"):
        return "WooCommerce sent an error in place of the order: the webhook's user may not see orders."
    if topic not in TOPICS:
        return "The topic carries no order."
    return "This is not an order." if order_id is None else None


def decode_secret(secret: str) -> str:
    """Return the secret as WordPress keys its HMAC with it."""

    def decode(match: re.Match[str]) -> str:
        name, decimal, hexadecimal = match.groups()
        if name:
            return NAMED_CHARS.get(name, match[0])  # names count in lower case only
        return chr(int(decimal) if decimal else int(hexadecimal, 16))

    return SPECIAL_CHARS.sub(decode, secret)


def is_ping(body: bytes) -> bool:
    """Whether this is the unsigned call with which WooCommerce tries an address on save (deliver_ping)."""
    return re.fullmatch(rb"webhook_id=[0-9]{1,20}", body) is not None


def sample_headers(payload: Mapping[str, Any], topic: str) -> dict[str, str]:
    resource, _, event = topic.partition(".")
    return {
        "X-WC-Webhook-Source": "https://sample.example/",
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Resource": resource,
        "X-WC-Webhook-Event": event,
        "X-WC-Webhook-ID": "1",
        "X-WC-Webhook-Delivery-ID": "0123456789abcdef0123456789abcdef",
    }


STOREFRONT = Storefront(
    name="woocommerce",
    schema_class=WooOrderSchema,
    signature=Signature(headers=("X-WC-Webhook-Signature",), encoding="base64"),
    identify=identify,
    signing_key=decode_secret,
    is_ping=is_ping,
    settings_schema_class=WooStoreSchema,
    required_fetches=required_fetches,
    api_headers=basic_auth,
    sample_headers=sample_headers,
    sample_topic="order.updated",
    document_from=DOCUMENT_FROM,
)
