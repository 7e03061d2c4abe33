"""The topic, the event key and the order of a WooCommerce webhook, and the key of its signature.

Source: https://github.com/woocommerce/woocommerce, plugins/woocommerce/includes/class-wc-webhook.php, read 2026-11-21.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import replace
from datetime import datetime
from typing import Any

from mappings.fields import parse_datetime
from mappings.ids import MAX_ID_LENGTH, hash_body, parse_id
from mappings.listed_orders import listed_event_key, listed_topics
from mappings.order_listing import CATCH_UP_TOPIC
from mappings.payload_paths import get_path
from mappings.problems import Problem
from mappings.settings import is_of_domain, shop_address
from mappings.storefront import MalformedWebhookError, StoreError, WebhookIdentity, confirm_topic
from mappings.storefronts.woocommerce.erasure import is_marked_erased
from mappings.storefronts.woocommerce.schema import CANCELLED_STATUSES, DRAFT_STATUSES, is_paid_status
from mappings.text import clean_text

#: The topics that carry an order, with what each claims. No topic says that an order was paid: the order does.
TOPICS = {
    "order.created": "created",
    "order.updated": "updated",
    "order.restored": "updated",
    "order.deleted": "deleted",
}
#: What an order in a list can prove -> the topic for it. An order in the trash is one that `order.deleted` names.
LISTED_TOPICS = {"created": "order.created", "updated": "order.updated", "deleted": "order.deleted"}
TRASHED = "trash"

#: The codes of errors of the REST API.
ERROR_CODE = re.compile(r"(woocommerce_)?rest_")
#: What some of them mean. Seen on WooCommerce 10.5.0, 2026-11-30; the first is also in
#: https://github.com/woocommerce/woocommerce/issues/26682, read 2026-11-21. The endpoint of version 1 refuses every
#: order that is not a WordPress post, as with high-performance order storage:
#: plugins/woocommerce/includes/rest-api/Controllers/Version1/class-wc-rest-orders-v1-controller.php, read 2026-11-30.
STORE_ERRORS = {
    "woocommerce_rest_cannot_view": StoreError(reason=Problem(code="woocommerce_cannot_view")),
    "woocommerce_rest_invalid_shop_order_id": StoreError(reason=Problem(code="woocommerce_api_v1")),
    "woocommerce_rest_shop_order_invalid_id": StoreError(
        reason=Problem(code="woocommerce_order_gone"), is_of_one_order=True
    ),
}
OTHER_ERROR = StoreError(reason=Problem(code="woocommerce_error"))

#: Where the path of the REST API begins in a link.
REST_PATH = re.compile(r"/wp-json/|/index\.php|/?\?")

#: The only entities that WordPress decodes in a secret before it signs: wp_specialchars_decode(…, ENT_QUOTES).
#: https://developer.wordpress.org/reference/functions/wp_specialchars_decode/, read 2026-11-21.
SPECIAL_CHARS = re.compile(r"&(?:(lt|gt|amp|quot)|#0*(34|38|39|60|62)|#x0*(22|26|27));", re.IGNORECASE)
NAMED_CHARS = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}


def identify_webhook(headers: Mapping[str, str], payload: Mapping[str, Any], body: bytes) -> WebhookIdentity:
    """Return what a webhook is about. Headers are not signed: the body decides what holds of the order.

    X-WC-Webhook-Delivery-ID cannot be the event key. It is a hash of the webhook and the current second, so different
    orders may share it, and a repeat has a new one (class-wc-webhook.php, get_new_delivery_id).
    """
    topic = headers.get("x-wc-webhook-topic", "").strip()
    if not topic or len(topic) > MAX_ID_LENGTH:
        raise MalformedWebhookError("The header X-WC-Webhook-Topic is missing.")
    order_id = parse_id(payload.get("id"), "The order's id")
    known_topic = topic if topic in TOPICS else "other"  # anybody can invent topics for a signed body
    event_key = f"{known_topic}:{order_id or ''}:{hash_body(body)}"
    is_deleted = payload.keys() == {"id"}
    if ignore_reason := find_ignore_reason(topic, payload, order_id, is_deleted=is_deleted):
        return WebhookIdentity(
            topic=topic,
            topics=frozenset({topic}),
            event_key=event_key,
            ignore_reason=ignore_reason,
            store_error=find_store_error(topic, payload, order_id),
        )
    facts = set(read_facts(payload, is_deleted=is_deleted))
    topics, warnings = confirm_topic(topic, TOPICS[topic], facts)
    return replace(
        identify_order(payload, facts, topic=topic, topics=topics, event_key=event_key),
        has_order=not is_deleted,
        undoes_deletion=topic == "order.restored",
        warnings=warnings,
    )


def identify_listed_order(payload: Mapping[str, Any], *, is_new: bool) -> WebhookIdentity:
    """Return what an order in a list stands for. It undoes no deletion, which may come while the list is read."""
    facts = set(read_facts(payload))
    claims = facts | ({"deleted"} if read_status(payload) == TRASHED else set())
    return identify_order(
        payload,
        facts,
        topic=CATCH_UP_TOPIC,
        topics=listed_topics(claims, LISTED_TOPICS, is_new=is_new),
        event_key=listed_event_key(payload, read_updated_at(payload)),
    )


def identify_order(
    payload: Mapping[str, Any], facts: Set[str], *, topic: str, topics: frozenset[str], event_key: str
) -> WebhookIdentity:
    """Return the identity of an event about an order, or what is left of it.

    An order whose customer was erased changes nothing: one that is on its way still needs the customer's address.
    """
    order_id = parse_id(payload.get("id"), "The order's id")
    is_erased = is_marked_erased(payload)
    return WebhookIdentity(
        topic=topic,
        topics=topics,
        event_key=event_key,
        order_id=order_id,
        order_number=parse_id(payload.get("number"), "The order's number"),
        source_updated_at=read_updated_at(payload),
        ignore_reason=find_order_ignore_reason(payload, is_erased=is_erased),
        is_unpaid=facts.isdisjoint({"paid", "deleted"}),
        erased_order_id=order_id if is_erased else None,
    )


def find_order_ignore_reason(payload: Mapping[str, Any], *, is_erased: bool) -> Problem | None:
    if is_erased:
        return Problem(code="customer_erased_at_store")
    return Problem(code="draft_order") if read_status(payload) in DRAFT_STATUSES else None


def read_updated_at(payload: Mapping[str, Any]) -> datetime | None:
    return parse_datetime(payload.get("date_modified_gmt"), is_utc=True)


def read_status(payload: Mapping[str, Any]) -> str:
    return clean_text(payload.get("status")) or ""


def is_of_shop(headers: Mapping[str, str], payload: Mapping[str, Any], shop_domain: Collection[str]) -> bool:
    """Return whether a webhook is of a shop with one of these addresses; an empty list is any shop.

    An order links to itself in the shop's REST API, which is below `home_url`, as the header with the source is:
    plugins/woocommerce/includes/class-wc-webhook.php, `deliver`, and
    https://developer.wordpress.org/reference/functions/get_rest_url/, read 2026-11-30.
    """
    if not shop_domain:
        return True
    links = get_path(payload, "_links.self")
    link = get_path(links[0], "href") if isinstance(links, list) and links else None
    address = shop_address(REST_PATH.split(link)[0]) if isinstance(link, str) and REST_PATH.search(link) else None
    return is_of_domain(address or shop_address(headers.get("x-wc-webhook-source")), shop_domain)


def read_facts(payload: Mapping[str, Any], *, is_deleted: bool = False) -> Iterator[str]:
    """Yield what the body proves."""
    status = read_status(payload)
    if is_deleted:
        yield "deleted"
    elif status in CANCELLED_STATUSES:
        yield "cancelled"
    elif is_paid_status(status, has_paid_at=clean_text(payload.get("date_paid_gmt")) is not None):
        yield "paid"


def find_ignore_reason(
    topic: str, payload: Mapping[str, Any], order_id: str | None, *, is_deleted: bool
) -> Problem | None:
    if topic not in TOPICS:
        return Problem(code="topic_without_order")
    if error := find_store_error(topic, payload, order_id):
        return error.reason
    is_order = order_id is not None and (not is_deleted or TOPICS[topic] == "deleted")
    return None if is_order else Problem(code="not_an_order")


def find_store_error(topic: str, payload: Mapping[str, Any], order_id: str | None) -> StoreError | None:
    """Return the error that WooCommerce signs and sends like an order. It asks its own REST API for each order."""
    code = payload.get("code")
    if topic not in TOPICS or order_id is not None or not isinstance(code, str) or not ERROR_CODE.match(code):
        return None
    return STORE_ERRORS.get(code, OTHER_ERROR)


def decode_secret(secret: str) -> str:
    """Return the key with which WordPress signs, from the secret as it is shown."""

    def decode(match: re.Match[str]) -> str:
        name, decimal, hexadecimal = match.groups()
        if name:
            return NAMED_CHARS.get(name, match[0])  # only names in lower case are entities
        return chr(int(decimal) if decimal else int(hexadecimal, 16))

    return SPECIAL_CHARS.sub(decode, secret)


def is_ping_body(body: bytes) -> bool:
    """Return whether this is the unsigned request with which WooCommerce tests the address on save (deliver_ping)."""
    return re.fullmatch(rb"webhook_id=[0-9]{1,20}", body) is not None
