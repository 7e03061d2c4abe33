"""Webhooks of two storefronts, and what the model must know about each."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connector.core.signatures import sign
from connector.sandbox.state import AcceptedOrder
from mappings import STOREFRONTS
from mappings.storefront import WebhookIdentity
from tests.model.model import Content, Event
from tests.support.orders import SHOPIFY_SECRET, WOO_SECRET, encode, shopify_order, woo_order
from tests.support.service import Service

#: A deletion has no timestamp of its own, so its arrival time counts and it is newer than all versions.
ARRIVES = 10_000


@dataclass(frozen=True, kw_only=True)
class Webhook:
    store: str
    number: int  # of its order
    kind: str
    minute: int
    sku: str
    body: bytes
    headers: dict[str, str]

    @property
    def order(self) -> tuple[str, int]:
        return self.store, self.number

    @cached_property
    def identity(self) -> WebhookIdentity:
        storefront = STOREFRONTS[STORES[self.store].storefront]
        headers = {name.lower(): value for name, value in self.headers.items()}
        return storefront.identify(headers, json.loads(self.body), self.body)

    def event(self) -> Event:
        contents: dict[str, Content] = {"created": "unpaid", "unpaid": "unpaid", "deleted": "cancelled"}
        contents |= {"cancelled": "cancelled", "unmappable": "unmappable"}
        return Event(
            minute=self.minute,
            says_paid=self.kind in STORES[self.store].paid_kinds,
            cancels=self.kind in ("cancelled", "deleted"),
            content=contents.get(self.kind, "good"),
            sku=self.sku,
            is_whole=self.kind != "deleted",
            is_restored=self.kind == "restored" and STORES[self.store].can_undo_cancellation,
        )


def post(service: Service, webhook: Webhook) -> Any:
    return service.client.post(f"/webhooks/{webhook.store}", data=webhook.body, headers=webhook.headers)


@dataclass(frozen=True, kw_only=True)
class StoreOfModel:
    storefront: str
    destination: str
    account: str
    has_key: bool
    can_undo_cancellation: bool
    paid_kinds: frozenset[str]  # whose bodies say paid
    first_order: int  # its order ids begin here
    write: Callable[[int, str, int, str], tuple[str, dict[str, Any]]]  # topic and payload

    def is_about(self, order: AcceptedOrder, number: int) -> bool:
        if self.has_key:
            return (order.key or "").split(":")[2] == str(number)
        return str(order.body["consumidor_destino"]["nombre"]).endswith(f" {number}")

    def sku_of(self, body: dict[str, Any]) -> str:
        sku: str = body["lines"][0]["sku_snapshot"] if self.has_key else body["productos"][0]["identificador"]
        return sku

    def webhook(self, store: str, number: int, kind: str, minute: int, *, serial: int) -> Webhook:
        sku = f"V-{serial}"
        topic, payload = self.write(number, kind, minute, sku)
        body = encode(payload)
        headers = SIGNED[self.storefront](topic, body, serial)
        if kind == "deleted":
            minute = ARRIVES + serial
        return Webhook(store=store, number=number, kind=kind, minute=minute, sku=sku, body=body, headers=headers)


def write_shopify(number: int, kind: str, minute: int, sku: str) -> tuple[str, dict[str, Any]]:
    topics = {"created": "orders/create", "cancelled": "orders/cancelled", "deleted": "orders/delete"}
    topics |= {"updated": "orders/cancelled", "unpaid": "orders/paid"} if minute % 2 else {}  # their bodies differ
    topic = topics.get(kind, "orders/paid" if kind in ("paid", "unmappable") else "orders/updated")
    order = shopify_order(number, updated_at=f"2026-11-20T10:{minute:02}:00-06:00")
    order["line_items"][0]["sku"] = sku
    if kind == "deleted":
        return topic, {"id": order["id"]}
    if kind in ("created", "unpaid"):
        order["financial_status"] = "pending"
    if kind == "cancelled":
        order["cancelled_at"] = order["updated_at"]
    if kind == "unmappable":
        order["shipping_address"] = {**order["shipping_address"], "address2": "Depto 4 \u2060"}
    return topic, order


def write_woo(number: int, kind: str, minute: int, sku: str) -> tuple[str, dict[str, Any]]:
    statuses = {"created": "pending", "unpaid": "on-hold", "cancelled": "cancelled"}
    topics = {"created": "order.created", "deleted": "order.deleted", "restored": "order.restored"}
    topics |= {"updated": "order.deleted"} if minute % 2 else {}  # its body is the order
    order = woo_order(
        number, status=statuses.get(kind, "processing"), date_modified_gmt=f"2026-11-20T15:{minute:02}:00"
    )
    order["line_items"][0]["sku"] = "" if kind == "unmappable" else sku
    order["customer_note"] = sku  # makes the payload differ
    return topics.get(kind, "order.updated"), {"id": number} if kind == "deleted" else order


def sign_shopify(topic: str, body: bytes, serial: int) -> dict[str, str]:
    signature = sign(STOREFRONTS["shopify"].signature, SHOPIFY_SECRET, body)
    return {"X-Shopify-Topic": topic, "X-Shopify-Event-Id": f"event-{serial}", "X-Shopify-Hmac-Sha256": signature}


def sign_woo(topic: str, body: bytes, _: int) -> dict[str, str]:
    signature = sign(STOREFRONTS["woocommerce"].signature, WOO_SECRET, body)
    return {"X-WC-Webhook-Topic": topic, "X-WC-Webhook-Signature": signature, "Content-Type": "application/json"}


SIGNED = {"shopify": sign_shopify, "woocommerce": sign_woo}
STORES = {
    "tienda-mx": StoreOfModel(
        storefront="shopify",
        destination="rayo",
        account="bodega",
        has_key=False,
        can_undo_cancellation=False,
        paid_kinds=frozenset({"paid", "updated", "cancelled", "unmappable", "restored"}),
        first_order=5_500_000_000_000,
        write=write_shopify,
    ),
    "tienda-ar": StoreOfModel(
        storefront="woocommerce",
        destination="lapyme",
        account="erp",
        has_key=True,
        can_undo_cancellation=True,
        paid_kinds=frozenset({"paid", "updated", "unmappable", "restored"}),
        first_order=0,
        write=write_woo,
    ),
}
