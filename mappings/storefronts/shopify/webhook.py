"""The topic, the event key and the order of a Shopify webhook.

Source: https://shopify.dev/docs/apps/build/webhooks/delivery-structure, read 2026-11-21.
"""

from collections.abc import Mapping
from typing import Any

from mappings.fields import parse_datetime
from mappings.ids import MAX_ID_LENGTH, hash_body, parse_id
from mappings.problems import Problem
from mappings.storefront import MalformedWebhookError, WebhookIdentity

#: The topics that carry a whole order, with the canonical topic of each. `orders/edited` carries only a difference.
TOPICS = {
    "orders/create": "created",
    "orders/paid": "paid",
    "orders/updated": "updated",
    "orders/fulfilled": "updated",
    "orders/partially_fulfilled": "updated",
    "orders/cancelled": "cancelled",
    "orders/delete": "cancelled",
}
#: The topics whose bodies contain only an id.
ID_ONLY_TOPICS = {"orders/delete"}


def identify_webhook(headers: Mapping[str, str], payload: Mapping[str, Any], body: bytes) -> WebhookIdentity:
    """Return what a webhook is about. Newer deliveries write the headers without "X-"; both are read.

    The event key contains the topic, because one event is sent to several topics with the same id
    (https://shopify.dev/docs/apps/build/webhooks/ignore-duplicates, read 2026-11-21).
    """
    topic = get_header(headers, "topic")
    if topic is None:
        raise MalformedWebhookError("The header X-Shopify-Topic is missing.")
    event_id = get_header(headers, "event-id") or get_header(headers, "webhook-id") or hash_body(body)
    event_key = f"{topic}:{event_id}"
    canonical_topic = TOPICS.get(topic)
    if canonical_topic is None:
        reason = Problem(code="topic_without_whole_order")
        return WebhookIdentity(topic=topic, topics=frozenset({topic}), event_key=event_key, ignore_reason=reason)
    order_id = parse_id(payload.get("id"), "The order's id")
    if order_id is None:
        reason = Problem(code="not_an_order")
        return WebhookIdentity(topic=topic, topics=frozenset({topic}), event_key=event_key, ignore_reason=reason)
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
        ignore_reason=Problem(code="test_notification") if is_test else None,
    )


def get_header(headers: Mapping[str, str], name: str) -> str | None:
    for prefix in ("x-shopify-", "shopify-"):
        value = headers.get(prefix + name, "").strip()
        if value and len(value) <= MAX_ID_LENGTH:
            return value
    return None
