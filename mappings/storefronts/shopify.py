"""Shopify: reads orders as its webhooks and its REST Admin API write them, and says what is to be fetched for them.

It fetches nothing itself. Sources: https://shopify.dev/docs/api/admin-rest/latest/resources/order,
https://shopify.dev/docs/apps/build/webhooks/delivery-structure, read 2026-11-21.
"""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, Literal, TypeVar

from marshmallow import fields
from marshmallow.validate import OneOf

from mappings.addresses.regions import SHOPIFY_STATES
from mappings.fields import (
    MISSING_LIST_MESSAGES,
    Coordinate,
    LenientField,
    Money,
    Nested,
    Quantity,
    StrictBoolean,
    SumOf,
    Text,
    UTCDateTime,
    parse_datetime,
)
from mappings.ids import MAX_ID_LENGTH, hash_body, numeric_id, parse_id
from mappings.integration import Fetch, MalformedWebhookError, Signature, Storefront, WebhookIdentity
from mappings.money.allocation import CENT, ZERO, add_rounding_charge, nonzero_charges, subtract_unallocated_refund
from mappings.money.payments import Transaction, remaining_payments, sole_payment
from mappings.money.refunds import (
    Adjustment,
    PurchasedLine,
    Refund,
    RefundLine,
    is_prorated,
    remaining_line,
    subtract_shipping_refunds,
    sum_unallocated_refunds,
)
from mappings.order import Customer, Line, Order, Payment, Shipping
from mappings.payload_paths import pick_text
from mappings.schema import AddressSchema, StorefrontSchema
from mappings.settings import Store, StoreSchema
from mappings.text import clean_text

#: The topics about a whole order, and the hub's word for each. `orders/edited` is left out: it carries a difference.
TOPICS = {
    "orders/create": "created",
    "orders/paid": "paid",
    "orders/updated": "updated",
    "orders/fulfilled": "updated",
    "orders/partially_fulfilled": "updated",
    "orders/cancelled": "cancelled",
    "orders/delete": "cancelled",
}
#: The topics whose bodies hold an id and nothing else.
ID_ONLY_TOPICS = {"orders/delete"}
#: `financial_status`: whether the money is there. What is not listed does not say ("partially_paid" is a no).
IS_PAID_BY_FINANCIAL_STATUS = {
    "paid": True,
    "partially_refunded": True,
    "refunded": True,
    "pending": False,
    "authorized": False,
    "partially_paid": False,
    "voided": False,
    "expired": False,
}
#: https://shopify.dev/docs/api/usage/versioning, read 2026-11-21. Each is served for at least a year.
API_VERSION = "2026-10"
#: Transactions that brought money, and those that gave it back. What is only reserved is captured by another one.
#: https://shopify.dev/docs/api/admin-rest/latest/resources/transaction; "change" is of cash, as
#: https://shopify.dev/docs/api/admin-graphql/latest/enums/OrderTransactionKind has it, both read 2026-11-21.
PAYMENT_KINDS = {"sale", "capture"}
REFUND_KINDS = {"refund", "change"}
#: What an order does not hold and nothing fetched, in a merchant's words.
MISSING_DETAIL_HINTS = {
    "payments": "Payments are not told apart where several gateways paid, as a gift card and a bank card do: "
    "with the store's `api_url` and `api_token` set, they would be fetched.",
    "barcodes": "Barcodes are not in Shopify's webhooks: "
    "with the store's `api_url` and `api_token` set, they would be fetched.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopifyStore(Store):
    #: Which of an order's two amounts count, where the customer paid in another currency than the shop's.
    money: Literal["shop", "presentment"] = "shop"


class ShopifyStoreSchema(StoreSchema):
    model: ClassVar[type[ShopifyStore]] = ShopifyStore

    money = fields.String(validate=OneOf(["shop", "presentment"]))


class ShopMoney(Money):
    """The amount in the shop's own currency, of a `*_set` that also holds the customer's."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Decimal:
        shop = value.get("shop_money") if isinstance(value, Mapping) else None
        return super()._deserialize(shop.get("amount") if isinstance(shop, Mapping) else None, *args, **kwargs)


Priced = TypeVar("Priced", Line, Shipping)


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
    sku = Text()
    barcode = Text()  # Shopify does not send it: whoever fetches the variants puts it in
    name = Text()
    title = Text()
    quantity = Quantity(minimum=0, required=True)
    current_quantity = Quantity(minimum=0)
    price = Money(required=True)
    total_discount = Money(attribute="line_discount")  # of the line alone, as orders before 2018 have it
    discount_allocations = SumOf("amount", attribute="discount")
    tax_lines = SumOf("price", attribute="tax")
    requires_shipping = StrictBoolean(attribute="is_shippable")
    # https://shopify.dev/docs/api/admin-rest/latest/resources/order, "line_items", read 2026-11-22.
    tip = IsPresent(attribute="is_tip")


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
    amount = Money()  # it and its tax are deprecated, and may be said by the sets alone
    tax_amount = Money(attribute="tax")
    amount_set = ShopMoney(attribute="shop_amount")
    tax_amount_set = ShopMoney(attribute="shop_tax")

    def make(self, data: dict[str, Any]) -> Adjustment:
        return Adjustment(
            is_of_shipping=data.get("kind") == "shipping_refund",
            amount=data.get("amount", data.get("shop_amount", ZERO)),
            tax=data.get("tax", data.get("shop_tax", ZERO)),
        )


class ShopifyRefundShippingSchema(StorefrontSchema):
    model = dict

    subtotal_amount_set = ShopMoney(attribute="amount")


class ShopifyRefundSchema(StorefrontSchema):
    """A refund. Since version 2024-10 shipping has a list of its own, which names no tax; the adjustments that did it
    before still come beside it: https://shopify.dev/docs/api/admin-rest/latest/resources/refund, read 2026-11-22.
    """

    model = Refund

    refund_line_items = fields.List(Nested(ShopifyRefundLineSchema), attribute="lines")
    order_adjustments = fields.List(Nested(ShopifyAdjustmentSchema), attribute="adjustments")
    refund_shipping_lines = fields.List(Nested(ShopifyRefundShippingSchema), attribute="shipping")

    def make(self, data: dict[str, Any]) -> Refund:
        adjustments = data.get("adjustments", [])
        if not any(item.is_of_shipping for item in adjustments):
            shipping = [item["amount"] for item in data.get("shipping", []) if "amount" in item]
            adjustments += [Adjustment(is_of_shipping=True, amount=-amount, tax=None) for amount in shipping]
        return Refund(lines=data.get("lines", []), adjustments=adjustments)


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

    def make(self, data: dict[str, Any]) -> Transaction | None:
        """Return the movement of money; None where none moved."""
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
        Nested(ShopifyLineSchema), attribute="lines", required=True, error_messages=MISSING_LIST_MESSAGES
    )
    shipping_lines = fields.List(Nested(ShopifyShippingSchema), attribute="shipping")
    refunds = fields.List(Nested(ShopifyRefundSchema))
    transactions = fields.List(Nested(ShopifyTransactionSchema))  # where they were fetched
    customer = Nested(ShopifyCustomerSchema)
    shipping_address = Nested(ShopifyAddressSchema, attribute="ship_to")
    billing_address = Nested(ShopifyAddressSchema, attribute="bill_to")
    email = Text()
    contact_email = Text()
    phone = Text()
    note = Text()
    note_attributes = fields.Raw()
    test = StrictBoolean(attribute="is_test")

    def make(self, data: dict[str, Any]) -> Order:
        is_tax_included = data.get("taxes_included", False)
        refunds = data.get("refunds", [])
        remaining = [
            (purchased, remaining_line(purchased, refunds, is_tax_included=is_tax_included))
            for purchased in data["lines"]
        ]
        lines = [line for purchased, line in remaining if line is not None and not purchased.is_tip]
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
        is_paid = IS_PAID_BY_FINANCIAL_STATUS.get(data.get("financial_status", ""))
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
                # A tip of the online checkout is a line too, and `total_tip_received` holds it.
                tip=sum(tips, ZERO) if any(purchased.is_tip for purchased in data["lines"]) else data.get("tip"),
                duties=data.get("duties", data.get("original_duties")),
                fee=data.get("fees", data.get("original_fees")),
            ),
            payments=build_payments(data, total=total, is_paid=is_paid),
            is_pickup=is_pickup,
            pickup_name=methods[0].get("name") if is_pickup and methods else None,
            email=data.get("email") or data.get("contact_email"),
            is_cancelled="cancelled_at" in data,
            is_paid=is_paid,
        )
        order = subtract_unallocated_refund(order, sum_unallocated_refunds(refunds))
        if order.total != total:
            order = replace(order, payments=build_payments(data, total=order.total, is_paid=is_paid))
        return add_rounding_charge(order, max_rounding=max_rounding(data, order))

    def parse_order(self, payload: Mapping[str, Any], **context: Any) -> Order:
        """Read an order as a webhook carries it, or as the API answers it: under the key `order`."""
        is_wrapped = isinstance(payload, dict) and "id" not in payload and isinstance(payload.get("order"), dict)
        order = super().parse_order(
            to_presentment_currency(payload["order"] if is_wrapped else payload, context["store"]), **context
        )
        return order if context["store"].can_fetch else replace(order, missing_details=find_missing_details(order))


def to_presentment_currency(payload: Any, store: ShopifyStore) -> Any:
    """Return an order as though the shop's currency were the customer's, where the store's `money` says so.

    Beside each amount stands a set of both: `price` and `price_set`. A tip outside the lines has none, and is left in
    the shop's currency: the sum then shows it.
    """
    if store.money == "shop" or not isinstance(payload, Mapping):
        return payload
    currency = payload.get("presentment_currency")
    if currency is None or currency == payload.get("currency"):
        return payload
    return {**replace_with_presentment(payload), "currency": currency}


def replace_with_presentment(part: Any) -> Any:
    if isinstance(part, list):
        return [replace_with_presentment(item) for item in part]
    if not isinstance(part, Mapping):
        return part
    converted = {key: replace_with_presentment(value) for key, value in part.items()}
    for key, value in part.items():
        money = value.get("presentment_money") if key.endswith("_set") and isinstance(value, Mapping) else None
        if isinstance(money, Mapping):
            converted |= {key.removesuffix("_set"): money.get("amount"), key: {**value, "shop_money": money}}
    return converted


def is_converted(data: Mapping[str, Any]) -> bool:
    """Whether the customer paid in another currency: then each figure in the shop's was converted by itself."""
    return bool(data.get("presentment_currency", data["currency"]) != data["currency"])


def with_nonnegative_total(part: Priced) -> Priced:
    """Return a part that was free in the customer's currency as free, though its converted figures leave less."""
    return replace(part, total=max(part.total, ZERO))


def max_rounding(data: Mapping[str, Any], order: Order) -> Decimal:
    """Return what rounding can leave between the figures and their total, in all.

    A line that an edit cut is reckoned here. Tax that comes on top may be rounded in one sum, and then is not what its
    lines say: https://help.shopify.com/en/manual/taxes/us/us-tax-manage#tax-rounding, read 2026-11-22.
    """
    purchased: list[PurchasedLine] = data["lines"]
    taxed: list[Line | Shipping] = [*order.lines, *order.shipping]
    # Of a cash payment. Unverified: no page says whether `total_price` holds it, so the sum decides.
    limit: Decimal = abs(data.get("rounding", ZERO))
    limit += 2 * CENT * sum(is_prorated(line, data.get("refunds", [])) for line in purchased)
    if not data.get("taxes_included") and order.tax is not None:
        unexplained_tax = abs(order.tax - sum((part.tax or ZERO for part in taxed), ZERO))
        limit += unexplained_tax if unexplained_tax <= CENT * len(taxed) else ZERO
    if is_converted(data):
        limit += CENT * (sum(line.quantity for line in purchased) + 2 * len(taxed) + len(order.charges))
    return limit


def build_shipping(method: Mapping[str, Any], *, is_tax_included: bool) -> Shipping:
    """Return what one method cost. `discounted_price` lacks discounts on the whole order, the allocations do not."""
    if discount := method.get("discount"):
        price = method["price"] - discount
    else:
        price = method.get("discounted_price", method["price"])
    tax = method.get("tax", ZERO)
    return Shipping(
        name=method.get("name"), code=method.get("code"), total=price + (ZERO if is_tax_included else tax), tax=tax
    )


def is_pickup_order(data: Mapping[str, Any], *, has_shippable: bool, methods: list[Any]) -> bool | None:
    """Whether the customer collects the order; None where nothing says so.

    Shopify has no mark for it: a pickup has no shipping address, and a shipping line titled as the location
    (https://community.shopify.com/t/how-to-differentiate-a-local-pickup-vs-local-delivery-in-the-fulfillment-process/117153,
    read 2026-11-21).
    """
    # Unverified: Zapiet's app for pickups is said to write this note attribute.
    if (pick_text(data, ["note_attributes:Checkout-Method"]) or "").casefold() == "pickup":
        return True
    if data.get("ship_to"):
        return False
    return True if has_shippable and methods else None


def build_payments(data: Mapping[str, Any], *, total: Decimal, is_paid: bool | None) -> list[Payment] | None:
    """One gateway was paid the whole total. What each of several was paid, only the transactions say."""
    transactions = [transaction for transaction in data.get("transactions", []) if transaction is not None]
    if transactions and is_paid is not False and total != 0:
        return remaining_payments(transactions)
    gateway = sole_gateway(data.get("gateways"))
    return sole_payment(total, is_paid=is_paid, gateway=gateway, name=gateway)


def sole_gateway(gateway_names: Any) -> str | None:
    names = {clean_text(name) for name in gateway_names} if isinstance(gateway_names, list) else set()
    return names.pop() if len(names) == 1 else None


def last_digits(details: Any) -> str | None:
    """Return the last digits of the card: it is written as "•••• •••• •••• 4242"."""
    number = details.get("credit_card_number") if isinstance(details, Mapping) else None
    match = re.search(r"[0-9]{4}\s*$", number) if isinstance(number, str) else None
    return match[0].strip() if match else None


# --- what is to be fetched ---


def find_missing_details(order: Order) -> dict[str, str]:
    is_missing = {
        "payments": order.payments is None,
        "barcodes": any(line.barcode is None for line in order.shippable_lines),
    }
    return {detail: MISSING_DETAIL_HINTS[detail] for detail, is_absent in is_missing.items() if is_absent}


def required_fetches(payload: Mapping[str, Any], store: ShopifyStore, required_details: Set[str]) -> Sequence[Fetch]:
    """Return the GETs for what the order lacks and the destination needs."""
    if not store.can_fetch or payload.get("cancelled_at"):
        return ()
    requests: list[Fetch] = []
    order_id = numeric_id(payload.get("id"))
    if "payments" in required_details and order_id and lacks_payments(payload):
        path = f"/admin/api/{API_VERSION}/orders/{order_id}/transactions.json"
        if store.money == "shop":  # they would be in the customer's currency
            path += "?in_shop_currency=true"
        requests.append(Fetch(path=path, merge=merge_transactions))
    if "barcodes" in required_details:
        requests += [
            # One each: no call of the REST API lists variants by their ids.
            # https://shopify.dev/docs/api/admin-rest/latest/resources/product-variant, read 2026-11-21.
            Fetch(
                path=f"/admin/api/{API_VERSION}/variants/{variant_id}.json?fields=id,barcode",
                merge=partial(merge_barcode, variant_id=variant_id),
            )
            for variant_id in dict.fromkeys(variant_ids_without_barcode(payload))
        ]
    return requests


def lacks_payments(payload: Mapping[str, Any]) -> bool:
    status = payload.get("financial_status")
    is_paid = IS_PAID_BY_FINANCIAL_STATUS.get(status) if isinstance(status, str) else None
    has_single_gateway = is_paid and sole_gateway(payload.get("payment_gateway_names")) is not None
    is_free = not str(payload.get("current_total_price", payload.get("total_price"))).strip("0.")
    return is_paid is not False and not has_single_gateway and not is_free


def variant_ids_without_barcode(payload: Mapping[str, Any]) -> Iterator[str]:
    lines = payload.get("line_items")
    for line in lines if isinstance(lines, list) else ():
        if not isinstance(line, Mapping) or clean_text(line.get("barcode")):
            continue
        is_shipped = line.get("requires_shipping") is not False and line.get("current_quantity") != 0
        if is_shipped and (variant_id := numeric_id(line.get("variant_id"))):
            yield variant_id


def merge_transactions(payload: dict[str, Any], response: Any) -> dict[str, Any]:
    transactions = response.get("transactions") if isinstance(response, Mapping) else None
    return {**payload, "transactions": transactions} if isinstance(transactions, list) else payload


def merge_barcode(payload: dict[str, Any], response: Any, *, variant_id: str) -> dict[str, Any]:
    variant = response.get("variant") if isinstance(response, Mapping) else None
    barcode = variant.get("barcode") if isinstance(variant, Mapping) else None
    lines = [
        {**line, "barcode": barcode}
        if isinstance(line, Mapping) and numeric_id(line.get("variant_id")) == variant_id
        else line
        for line in payload["line_items"]
    ]
    return {**payload, "line_items": lines}


# --- what a webhook is about ---


def identify(headers: Mapping[str, str], payload: Mapping[str, Any], body: bytes) -> WebhookIdentity:
    """Tell what a webhook is about. Newer deliveries write the headers without "X-": both are read.

    The key has the topic in it: one event goes to several topics under one id
    (https://shopify.dev/docs/apps/build/webhooks/ignore-duplicates, read 2026-11-21).
    """
    topic = get_header(headers, "topic")
    if topic is None:
        raise MalformedWebhookError("The header X-Shopify-Topic is missing.")
    event_id = get_header(headers, "event-id") or get_header(headers, "webhook-id") or hash_body(body)
    event_key = f"{topic}:{event_id}"
    canonical_topic = TOPICS.get(topic)
    if canonical_topic is None:
        reason = "The topic carries no whole order."
        return WebhookIdentity(topic=topic, topics=frozenset({topic}), event_key=event_key, ignore_reason=reason)
    order_id = parse_id(payload.get("id"), "The order's id")
    if order_id is None:
        return WebhookIdentity(
            topic=topic, topics=frozenset({topic}), event_key=event_key, ignore_reason="This is not an order."
        )
    topics = {topic, canonical_topic} | ({"cancelled"} if payload.get("cancelled_at") else set())
    is_test = (get_header(headers, "test") or "").casefold() == "true"
    return WebhookIdentity(
        topic=topic,
        topics=frozenset(topics),
        event_key=event_key,
        order_id=order_id,
        order_number=parse_id(payload.get("name"), "The order's number")
        or parse_id(payload.get("order_number"), "The order's number"),
        source_updated_at=parse_datetime(payload.get("updated_at")),
        has_order=topic not in ID_ONLY_TOPICS,
        ignore_reason="This is a test notification." if is_test else None,
    )


def get_header(headers: Mapping[str, str], name: str) -> str | None:
    for prefix in ("x-shopify-", "shopify-"):
        value = headers.get(prefix + name, "").strip()
        if value and len(value) <= MAX_ID_LENGTH:
            return value
    return None


def sample_headers(payload: Mapping[str, Any], topic: str) -> dict[str, str]:
    """Return the headers with which Shopify would post `payload`; the same order's same state has the same ids."""
    event = f"{topic}:{payload.get('id')}:{payload.get('updated_at')}"
    return {
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": "sample.myshopify.com",
        "X-Shopify-API-Version": API_VERSION,
        "X-Shopify-Event-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, event)),
        "X-Shopify-Webhook-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, "webhook:" + event)),
    }


STOREFRONT = Storefront(
    name="shopify",
    schema_class=ShopifyOrderSchema,
    # Newer deliveries: https://shopify.dev/docs/apps/build/events/verify-deliveries, read 2026-11-21.
    signature=Signature(headers=("X-Shopify-Hmac-Sha256", "Shopify-Hmac-Sha256"), encoding="base64"),
    identify=identify,
    settings_schema_class=ShopifyStoreSchema,
    sample_headers=sample_headers,
    sample_topic="orders/paid",
    required_fetches=required_fetches,
    # https://shopify.dev/docs/api/admin-rest, "Authentication", read 2026-11-21.
    api_headers=lambda store: {"X-Shopify-Access-Token": store.api_token, "Accept": "application/json"},
)
