"""Shopify's webhook subscriptions: their management by the GraphQL Admin API, and how it sends them.

https://shopify.dev/docs/api/admin-graphql/latest/mutations/webhookSubscriptionCreate, read 2026-11-30. Unverified: the
texts of errors.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from connector.sandbox.registered_webhooks import StoreWebhook, WebhookPlatform, WebhookRegistry
from connector.sandbox.storefront_apis.shopify_graphql import GraphqlError, Resolver
from mappings.storefronts.shopify.api import API_VERSION
from mappings.storefronts.shopify.webhook_api import (
    CREATE_WEBHOOK,
    DELETE_WEBHOOK,
    LIST_WEBHOOKS,
    UPDATE_WEBHOOK,
    from_enum,
    to_enum,
)

STOREFRONT = "shopify"
ID_PREFIX = "gid://shopify/WebhookSubscription/"
#: https://shopify.dev/docs/api/admin-graphql/latest/enums/WebhookSubscriptionTopic, read 2026-11-30: those of orders.
TOPICS = {
    *("ORDERS_CANCELLED", "ORDERS_CREATE", "ORDERS_DELETE", "ORDERS_EDITED", "ORDERS_FULFILLED", "ORDERS_PAID"),
    *("ORDERS_PARTIALLY_FULFILLED", "ORDERS_RISK_ASSESSMENT_CHANGED", "ORDERS_UPDATED", "PRODUCTS_UPDATE"),
}
#: After so many failures in a row it removes a subscription:
#: https://dev.to/shannonllc/shopify-webhooks-hmac-verification-5-second-timeout-retries-jkj, read 2026-11-21. It
#: repeats a delivery 8 times in 4 hours, which is not played here.
MAX_FAILURES = 8
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
IS_PAID = {"paid", "partially_refunded"}


class ShopifyWebhookPlatform(WebhookPlatform):
    storefront = STOREFRONT
    timeout_s = 5.0

    def topics(self, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Sequence[str]:
        was_paid = old is not None and old.get("financial_status") in IS_PAID
        was_cancelled = old is not None and bool(old.get("cancelled_at"))
        return [
            *(["orders/create"] if old is None else []),
            *(["orders/paid"] if new.get("financial_status") in IS_PAID and not was_paid else []),
            *(["orders/cancelled"] if new.get("cancelled_at") and not was_cancelled else []),
            "orders/updated",
        ]

    def headers(self, webhook: StoreWebhook, order: Mapping[str, Any]) -> dict[str, str]:
        return {
            "X-Shopify-Topic": webhook.topic,
            "X-Shopify-Shop-Domain": "sandbox.myshopify.com",
            "X-Shopify-API-Version": API_VERSION,
            "X-Shopify-Event-Id": str(uuid.uuid4()),
            "X-Shopify-Webhook-Id": str(uuid.uuid4()),
        }

    def count_failure(self, webhook: StoreWebhook) -> bool:
        webhook.failures += 1
        return webhook.failures < MAX_FAILURES


def build_webhook_resolvers(registry: WebhookRegistry) -> dict[str, tuple[str, Resolver]]:
    """Return, by root field, each query and what answers it."""

    def list_webhooks(variables: Mapping[str, Any]) -> dict[str, Any]:
        first, after = variables.get("first"), variables.get("after")
        if not isinstance(first, int) or not 1 <= first <= 250:
            raise GraphqlError("INVALID_VARIABLE", "Variable $first of type Int! was provided invalid value")
        webhooks = registry.find_all(STOREFRONT)
        start = int(after) if isinstance(after, str) and after.isdigit() else 0
        end = start + first
        return {
            "nodes": [
                {"id": f"{ID_PREFIX}{webhook.id}", "topic": to_enum(webhook.topic), "uri": webhook.url}
                for webhook in webhooks[start:end]
            ],
            "pageInfo": {"hasNextPage": end < len(webhooks), "endCursor": str(end)},
        }

    def create_webhook(variables: Mapping[str, Any]) -> dict[str, Any]:
        topic, url = read_topic(variables.get("topic")), read_uri(variables)
        if error := find_uri_error(registry, topic, url):
            return failed("webhookSubscription", error)
        webhook = registry.add(STOREFRONT, "", topic=topic, url=url)
        return {"webhookSubscription": {"id": f"{ID_PREFIX}{webhook.id}"}, "userErrors": []}

    def update_webhook(variables: Mapping[str, Any]) -> dict[str, Any]:
        webhook, url = find(registry, variables), read_uri(variables)
        if webhook is None:
            return failed("webhookSubscription", "Webhook subscription does not exist")
        if error := find_uri_error(registry, webhook.topic, url, except_for=webhook):
            return failed("webhookSubscription", error)
        webhook.url = url
        return {"webhookSubscription": {"id": variables["id"]}, "userErrors": []}

    def delete_webhook(variables: Mapping[str, Any]) -> dict[str, Any]:
        webhook = find(registry, variables)
        if webhook is None:
            return failed("deletedWebhookSubscriptionId", "Webhook subscription does not exist")
        registry.remove(webhook)
        return {"deletedWebhookSubscriptionId": variables["id"], "userErrors": []}

    return {
        "webhookSubscriptions": (LIST_WEBHOOKS, list_webhooks),
        "webhookSubscriptionCreate": (CREATE_WEBHOOK, create_webhook),
        "webhookSubscriptionUpdate": (UPDATE_WEBHOOK, update_webhook),
        "webhookSubscriptionDelete": (DELETE_WEBHOOK, delete_webhook),
    }


def failed(field: str, message: str) -> dict[str, Any]:
    return {field: None, "userErrors": [{"field": ["webhookSubscription", "uri"], "message": message}]}


def find(registry: WebhookRegistry, variables: Mapping[str, Any]) -> StoreWebhook | None:
    number = str(variables.get("id")).removeprefix(ID_PREFIX)
    if not number.isdigit():
        raise GraphqlError("INVALID_VARIABLE", "Invalid global id")
    return registry.get(STOREFRONT, int(number))


def read_topic(value: Any) -> str:
    if value not in TOPICS:
        raise GraphqlError(
            "INVALID_VARIABLE", "Variable $topic of type WebhookSubscriptionTopic! was provided invalid value"
        )
    return from_enum(value)


def read_uri(variables: Mapping[str, Any]) -> str:
    data = variables.get("webhook")
    if not isinstance(data, Mapping) or not data.keys() <= {"uri", "format"} or not isinstance(data.get("uri"), str):
        raise GraphqlError(
            "INVALID_VARIABLE", "Variable $webhook of type WebhookSubscriptionInput! was provided invalid value"
        )
    return str(data["uri"])


def find_uri_error(
    registry: WebhookRegistry, topic: str, url: str, except_for: StoreWebhook | None = None
) -> str | None:
    """Only https is taken; the sandbox also takes http on this machine, where it runs."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        return "Address is not allowed"
    others = [webhook for webhook in registry.find_all(STOREFRONT) if webhook is not except_for]
    if any((webhook.topic, webhook.url) == (topic, url) for webhook in others):
        return "Address for this topic has already been taken"
    return None
