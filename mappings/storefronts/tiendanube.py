"""Tiendanube, called Nuvemshop in Brazil: reads orders as `GET /orders/{id}` returns them.

Its webhooks are thin, `{"store_id": 123, "event": "order/paid", "id": 4567}`: they name an order, and do not say when
it changed or whether they are repeats. Sources: https://tiendanube.github.io/api-documentation/resources/order,
https://tiendanube.github.io/api-documentation/resources/webhook, read 2026-11-21.
"""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import quote

from marshmallow import ValidationError, fields, post_load, pre_load

from mappings import setting_fields
from mappings.addresses.regions import TIENDANUBE_STATES, address_if_locatable
from mappings.addresses.resolve import is_placeholder
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
from mappings.ids import hash_body, parse_id
from mappings.money.allocation import ZERO, subtract_discount
from mappings.money.payments import find_unknown_status, sole_payment
from mappings.order import Address, Customer, Line, Order, Shipping
from mappings.phones import has_digits
from mappings.problems import Problem, field_error
from mappings.samples import SampleStore
from mappings.schema import AddressSchema, StorefrontSchema
from mappings.settings import HeaderValue, Store, StoreSchema
from mappings.shipments import Shipment, ShipmentItem, subtract_shipments
from mappings.storefront import (
    Fetch,
    MalformedWebhookError,
    OrderTimes,
    Signature,
    Storefront,
    WebhookIdentity,
)
from mappings.text import clean_text

#: The events of an order, with the canonical topic of each. `order/voided` is not a cancellation: the payment is void,
#: but the customer may pay in another way, and a shop that gives up the order cancels it. Unverified: the page does not
#: explain the event.
TOPICS = {
    "order/created": "created",
    "order/paid": "paid",
    "order/updated": "updated",
    "order/packed": "updated",
    "order/unpacked": "updated",
    "order/fulfilled": "updated",
    "order/edited": "updated",
    "order/pending": "updated",
    "order/voided": "updated",
    "order/custom_fields_updated": "updated",
    "order/cancelled": "cancelled",
}
#: Events that happen to an order at most once. Any other may be sent again with the same bytes and be new, such as a
#: second payment after a void one: "messages sent with identical message bodies must be treated as unique".
SINGLE_OCCURRENCE_TOPICS = {"order/created", "order/cancelled"}
#: Bodies about personal data have no `event`: key that only one of them has -> topic.
PRIVACY_TOPICS = {"orders_to_redact": "customers/redact", "data_request": "customers/data_request"}

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
#: `shipping_status` of an order that was sent, and of one of which a part was. "unpacked", "unshipped", "unfulfilled"
#: and "packed" say that nothing was. https://tiendanube.github.io/api-documentation/resources/order, read 2026-11-30.
#: Unverified: "delivered" and those that begin with "partially".
SENT_STATUSES = {"shipped", "fulfilled", "delivered"}
PARTLY_SENT_STATUSES = {"partially_shipped", "partially_fulfilled", "partially_delivered"}
#: `status` of a shipment that has left, and of one that never will.
#: https://tiendanube.github.io/api-documentation/resources/fulfillment-order, read 2026-11-30.
SENT_SHIPMENT_STATUSES = {"dispatched", "marked_as_fulfilled", "delivered", "not_delivered"}
CANCELLED_SHIPMENT = "cancelled"
#: The `gateway` of a draft that was confirmed, which names none.
NO_GATEWAY = "not-provided"
ADDRESS_FIELDS = ("name", "phone", "address", "number", "floor", "locality", "city", "province", "zipcode", "country")


@dataclass(frozen=True, slots=True, kw_only=True)
class TiendanubeStore(Store):
    store_id: str  # the shop's number at Tiendanube
    api_url: str | None = "https://api.tiendanube.com/v1"
    #: A name, and a contact in brackets. Without it the API returns 400:
    #: https://github.com/TiendaNube/api-docs, README.md, "Identify your app", read 2026-11-21.
    user_agent: str = "connector (run by the shop itself)"


class StoreId(setting_fields.String):
    """The shop's number, as a number or as text."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(str(value) if type(value) is int else value, *args, **kwargs)
        if not re.fullmatch(r"[0-9]{1,20}", text):
            raise ValidationError("must be the shop's number, as the app got it with its token.")
        return text


class TiendanubeStoreSchema(StoreSchema):
    model: ClassVar[type[TiendanubeStore]] = TiendanubeStore

    store_id = StoreId(required=True)
    api_token = HeaderValue(required=True)
    user_agent = HeaderValue()


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


class TiendanubeShipmentItemSchema(StorefrontSchema):
    """A product of a shipment. Unverified: which of these names the order's product."""

    model = ShipmentItem

    id = Text()
    line_item_id = Text()
    external_id = Text()
    sku = Text()
    quantity = Quantity(minimum=0, required=True)

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> ShipmentItem:
        return ShipmentItem(quantity=data.pop("quantity"), references=frozenset(data.values()))


class TiendanubeShippingTypeSchema(StorefrontSchema):
    model = dict

    type = Text()


class TiendanubeShipmentSchema(StorefrontSchema):
    """A part of the order that goes its own way, which the page calls a fulfillment order."""

    model = Shipment

    status = Text()
    shipping = fields.Nested(TiendanubeShippingTypeSchema)
    line_items = fields.List(fields.Nested(TiendanubeShipmentItemSchema), attribute="items")

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Shipment | None:
        """Return the shipment; None for one that was cancelled."""
        status = data.get("status", "").casefold()
        if status == CANCELLED_SHIPMENT:
            return None
        return Shipment(
            is_sent=status in SENT_SHIPMENT_STATUSES,
            is_collected=data.get("shipping", {}).get("type") == "pickup",
            items=data.get("items", []),
        )


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


def mark_sent(order: Order, shipments: Sequence[Shipment], shipping_status: str) -> Order:
    """Return the order with what the shop has sent already."""
    if shipping_status in SENT_STATUSES:
        return replace(order, lines=[replace(line, quantity_fulfilled=line.quantity) for line in order.lines])
    if len(shipments) == 1 and shipments[0].is_collected and not shipments[0].is_sent:
        return order  # `is_pickup` says it
    order = subtract_shipments(order, shipments)
    is_explained = any(line.quantity_fulfilled for line in order.lines) or order.unknown_to_ship
    if shipping_status in PARTLY_SENT_STATUSES and not is_explained:
        return replace(order, unknown_to_ship=[Problem(code="partly_sent")])
    return order


def collect_prefixed(payload: Mapping[str, Any], prefix: str, names: Sequence[str]) -> dict[str, Any]:
    return {name: payload.get(prefix + name) for name in names}


def build_shipping_list(data: Mapping[str, Any]) -> list[Shipping]:
    """Return what the customer paid for shipping; 0 if it was free.

    An order that is shipped from several locations has only the cost of its first shipment, and does not add up
    (https://tiendanube.github.io/api-documentation/guides/multi-inventory, read 2026-11-21).
    """
    if "shipping_cost" not in data:
        return []
    return [
        Shipping(name=data.get("shipping_option"), code=data.get("shipping_option_code"), total=data["shipping_cost"])
    ]


def is_confirmed(completed_at: Any) -> bool:
    """Return whether a draft became an order.

    `completed_at` is `{"date": "2026-11-20 15:00:00.000000", "timezone": "UTC", …}`, with year -1 if it did not.
    """
    date = completed_at.get("date") if isinstance(completed_at, Mapping) else None
    return parse_datetime(date, is_utc=True) is not None


class SampleTiendanubeStore(SampleStore):
    settings: ClassVar[Mapping[str, Any]] = {"store_id": 4410733, "api_token": "ficha"}
    topic = "order/paid"

    def build_payload(self, order: Mapping[str, Any], topic: str, store: TiendanubeStore) -> dict[str, Any]:
        return {"store_id": int(store.store_id), "event": topic, "id": order.get("id")}


class Tiendanube(Storefront[TiendanubeStore]):
    name = "tiendanube"
    order_schema = TiendanubeOrderSchema
    settings_schema = TiendanubeStoreSchema
    # "Some frameworks will change the header to HTTP_X_LINKEDSTORE_HMAC_SHA256", says its page.
    signature = Signature(headers=("X-Linkedstore-HMAC-SHA256", "HTTP-X-Linkedstore-HMAC-SHA256"), encoding="hex")
    document_from = ("contact_identification", "customer.identification")
    has_thin_webhooks = True
    sample = SampleTiendanubeStore()

    def identify(self, headers: Mapping[str, str], payload: Mapping[str, Any], body: bytes) -> WebhookIdentity:
        """Return what a webhook is about. All of it is signed, but only the order itself says whether it is paid now.

        A repeat has the same bytes, and so the same event key.
        """
        store_id = parse_id(payload.get("store_id"), "The store's id")
        topic = parse_id(payload.get("event"), "The event")
        subject_id = parse_id(payload.get("id"), "The id")
        if topic is None:
            if store_id is None:
                raise MalformedWebhookError("Neither `event` nor `store_id` is there.")
            topic = next((topic for key, topic in PRIVACY_TOPICS.items() if key in payload), "store/redact")
            return WebhookIdentity(
                topic=topic,
                topics=frozenset({topic}),
                event_key=f"{store_id}:{topic}:{hash_body(body)}",
                ignore_reason=Problem(code="privacy_request"),
            )
        event_key = f"{store_id or ''}:{topic}:{subject_id or ''}:{hash_body(body)}"
        if topic not in TOPICS or subject_id is None:
            reason = Problem(code="topic_without_order" if topic not in TOPICS else "order_not_named")
            return WebhookIdentity(topic=topic, topics=frozenset({topic}), event_key=event_key, ignore_reason=reason)
        return WebhookIdentity(
            topic=topic,
            topics=frozenset({topic, TOPICS[topic]}),
            event_key=event_key,
            order_id=subject_id,
            refetch_on_duplicate=topic not in SINGLE_OCCURRENCE_TOPICS,
        )

    def shop_names(self, store: TiendanubeStore) -> list[str]:
        return [store.store_id]

    def belongs_to_store(self, headers: Mapping[str, str], payload: Mapping[str, Any], store: TiendanubeStore) -> bool:
        return clean_text(payload.get("store_id")) == store.store_id

    def order_times(self, payload: Mapping[str, Any]) -> OrderTimes:
        return OrderTimes(
            placed_at=parse_datetime(payload.get("created_at")), paid_at=parse_datetime(payload.get("paid_at"))
        )

    def required_fetches(
        self, payload: Mapping[str, Any], store: TiendanubeStore, required_details: Set[str]
    ) -> list[Fetch]:
        if "event" not in payload:  # the payload is the order
            return []
        order_id = str(payload.get("id"))
        return [
            Fetch(
                path=f"/{store.store_id}/orders/{quote(order_id, safe='')}",
                merge=lambda _webhook, order: order,
                is_order=True,
                is_valid_response=lambda order: str(order.get("id")) == order_id,
            )
        ]

    def probe_path(self, store: TiendanubeStore) -> str:
        # https://tiendanube.github.io/api-documentation/resources/order, read 2026-11-30.
        return f"/{store.store_id}/orders?per_page=1&fields=id"

    def api_headers(self, store: TiendanubeStore, token: str | None) -> dict[str, str]:
        """Return both spellings of the token's header: older pages say `Authentication`, newer ones `Authorization`."""
        return {
            "Authentication": f"bearer {token}",
            "Authorization": f"Bearer {token}",
            "User-Agent": store.user_agent,
        }
