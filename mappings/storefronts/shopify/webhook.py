"""The topic, the event key and the order of a Shopify webhook.

Source: https://shopify.dev/docs/apps/build/webhooks/delivery-structure, read 2026-11-21.
"""

from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import replace
from datetime import datetime
from typing import Any

from mappings.fields import parse_datetime
from mappings.ids import MAX_ID_LENGTH, hash_body, parse_id
from mappings.listed_orders import listed_event_key, listed_topics
from mappings.order_listing import CATCH_UP_TOPIC
from mappings.problems import Problem
from mappings.settings import shop_address
from mappings.storefront import MalformedWebhookError, WebhookIdentity, confirm_topic
from mappings.storefronts.shopify.money import IS_PAID_BY_FINANCIAL_STATUS
from mappings.storefronts.shopify.store import is_permanent_domain
from mappings.text import clean_text

#: The topics that carry a whole order, with what each claims. `orders/edited` carries only a difference.
TOPICS = {
    "orders/create": "created",
    "orders/paid": "paid",
    "orders/updated": "updated",
    "orders/fulfilled": "updated",
    "orders/partially_fulfilled": "updated",
    "orders/cancelled": "cancelled",
    "orders/delete": "deleted",
}
#: What an order in a list can prove -> the topic for it.
LISTED_TOPICS = {
    "created": "orders/create",
    "paid": "orders/paid",
    "updated": "orders/updated",
    "cancelled": "orders/cancelled",
}
#: Topics without an order that a shop may send to this address. Each is recorded; a topic that is neither here nor in
#: `TOPICS` counts as one with all others, since anybody can invent topics for a signed body.
OTHER_TOPICS = frozenset(
    {
        "app/uninstalled",
        "customers/data_request",
        "customers/redact",
        "fulfillments/create",
        "fulfillments/update",
        "orders/edited",
        "refunds/create",
        "shop/redact",
        "shop/update",
    }
)
#: What is left of a deleted order.
ID_FIELDS = {"id", "admin_graphql_api_id"}


def identify_webhook(headers: Mapping[str, str], payload: Mapping[str, Any], body: bytes) -> WebhookIdentity:
    """Return what a webhook is about. Newer deliveries write the headers without "X-"; both are read.

    Headers are not signed, so what they say is not trusted: the ids of event and webhook are not read, and the body
    decides whether the order is paid, cancelled or deleted. A repeat has the original body, says
    https://shopify.dev/changelog/updates-to-webhook-retry-mechanism, read 2026-11-21. The event key contains the topic,
    because two topics may have the same body.
    """
    topic = get_header(headers, "topic")
    if topic is None:
        raise MalformedWebhookError("The header X-Shopify-Topic is missing.")
    is_test = (get_header(headers, "test") or "").casefold() == "true"
    known_topic = topic if topic in TOPICS or topic in OTHER_TOPICS else "other"
    event_key = f"{'test:' if is_test else ''}{known_topic}:{hash_body(body)}"
    order_id = parse_id(payload.get("id"), "The order's id")
    is_deleted = payload.keys() <= ID_FIELDS
    if reason := find_ignore_reason(topic, order_id, is_deleted=is_deleted):
        return WebhookIdentity(topic=topic, topics=frozenset({topic}), event_key=event_key, ignore_reason=reason)
    facts = set(read_facts(payload, is_deleted=is_deleted))
    topics, warnings = confirm_topic(topic, TOPICS[topic], facts)
    return replace(
        identify_order(payload, facts, topic=topic, topics=topics, event_key=event_key),
        has_order=not is_deleted,
        ignore_reason=Problem(code="test_notification") if is_test else None,
        warnings=warnings,
    )


def identify_listed_order(payload: Mapping[str, Any], *, is_new: bool) -> WebhookIdentity:
    """Return what an order in a list stands for."""
    facts = set(read_facts(payload))
    return identify_order(
        payload,
        facts,
        topic=CATCH_UP_TOPIC,
        topics=listed_topics(facts, LISTED_TOPICS, is_new=is_new),
        event_key=listed_event_key(payload, read_updated_at(payload)),
    )


def identify_order(
    payload: Mapping[str, Any], facts: Set[str], *, topic: str, topics: frozenset[str], event_key: str
) -> WebhookIdentity:
    """Return the identity of an event about an order, or what is left of it."""
    status = clean_text(payload.get("financial_status"))
    return WebhookIdentity(
        topic=topic,
        topics=topics,
        event_key=event_key,
        order_id=parse_id(payload.get("id"), "The order's id"),
        order_number=parse_id(payload.get("name"), "The order's number")
        or parse_id(payload.get("order_number"), "The order's number"),
        source_updated_at=read_updated_at(payload),
        has_unknown_payment=status is not None and status not in IS_PAID_BY_FINANCIAL_STATUS,
        is_unpaid=facts.isdisjoint({"paid", "deleted"}),
    )


def read_updated_at(payload: Mapping[str, Any]) -> datetime | None:
    return parse_datetime(payload.get("updated_at"))


def is_of_shop(headers: Mapping[str, str], payload: Mapping[str, Any], shop_domain: Collection[str]) -> bool:
    """Return whether a webhook is of a shop with one of these domains; an empty list is any shop.

    An order's `order_status_url` is at the shop's primary domain, which may be its permanent one:
    https://shopify.dev/docs/api/admin-rest/latest/resources/order, read 2026-11-30. Another primary domain tells only
    if the list has one that is not permanent. Unverified: a host of Shopify's own, such as checkout.shopify.com, is of
    older shops.
    """
    if not shop_domain:
        return True
    address = shop_address(payload.get("order_status_url"))
    host = address.partition("/")[0] if address else ""
    is_primary = host and not host.endswith("shopify.com") and not all(map(is_permanent_domain, shop_domain))
    if host in shop_domain or is_permanent_domain(host) or is_primary:
        return host in shop_domain
    return shop_address(get_header(headers, "shop-domain")) in shop_domain


def find_ignore_reason(topic: str, order_id: str | None, *, is_deleted: bool) -> Problem | None:
    if topic not in TOPICS:
        return Problem(code="topic_without_whole_order")
    if order_id is None or (is_deleted and TOPICS[topic] != "deleted"):
        return Problem(code="not_an_order")
    return None


def read_facts(payload: Mapping[str, Any], *, is_deleted: bool = False) -> Iterator[str]:
    """Yield what the body proves."""
    status = clean_text(payload.get("financial_status"))
    if is_deleted:
        yield "deleted"
    if status is not None and IS_PAID_BY_FINANCIAL_STATUS.get(status):
        yield "paid"
    if payload.get("cancelled_at"):
        yield "cancelled"


def get_header(headers: Mapping[str, str], name: str) -> str | None:
    for prefix in ("x-shopify-", "shopify-"):
        value = headers.get(prefix + name, "").strip()
        if value and len(value) <= MAX_ID_LENGTH:
            return value
    return None
