"""The topic, the event key and the order of a Tiendanube webhook.

Its webhooks are thin, `{"store_id": 123, "event": "order/paid", "id": 4567}`: they name an order, and do not say when
it changed or whether they are repeats. Source: https://tiendanube.github.io/api-documentation/resources/webhook, read
2026-11-21.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from mappings.fields import parse_datetime
from mappings.ids import hash_body, parse_id
from mappings.listed_orders import listed_event_key, listed_topics
from mappings.order_listing import CATCH_UP_TOPIC
from mappings.problems import Problem
from mappings.storefront import MalformedWebhookError, WebhookIdentity, dump_payload
from mappings.storefronts.tiendanube.schema import IS_PAID_BY_PAYMENT_STATUS
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
#: What an order in a list can prove -> the event for it.
LISTED_TOPICS = {
    "created": "order/created",
    "paid": "order/paid",
    "updated": "order/updated",
    "cancelled": "order/cancelled",
}
#: Events that happen to an order at most once. Any other may be sent again with the same bytes and be new, such as a
#: second payment after a void one: "messages sent with identical message bodies must be treated as unique".
SINGLE_OCCURRENCE_TOPICS = {"order/created", "order/cancelled"}


def identify_webhook(payload: Mapping[str, Any], body: bytes) -> WebhookIdentity:
    """Return what a webhook is about. All of it is signed, but only the order itself says whether it is paid now.

    A repeat has the same bytes, and so the same event key.
    """
    store_id = parse_id(payload.get("store_id"), "The store's id")
    topic = parse_id(payload.get("event"), "The event")
    subject_id = parse_id(payload.get("id"), "The id")
    if topic is None:
        raise MalformedWebhookError("There is no `event`, and it is no request about personal data.")
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


def identify_listed_order(payload: Mapping[str, Any], *, is_new: bool) -> WebhookIdentity:
    """Return what an order in a list stands for. The list has whole orders."""
    facts = set(read_facts(payload))
    status = clean_text(payload.get("payment_status"))
    updated_at = read_updated_at(payload)
    return WebhookIdentity(
        topic=CATCH_UP_TOPIC,
        topics=listed_topics(facts, LISTED_TOPICS, is_new=is_new),
        event_key=listed_event_key(payload, updated_at),
        order_id=parse_id(payload.get("id"), "The order's id"),
        order_number=parse_id(payload.get("number"), "The order's number"),
        source_updated_at=updated_at,
        has_unknown_payment=status is not None and status not in IS_PAID_BY_PAYMENT_STATUS,
        is_unpaid="paid" not in facts,
    )


def build_listed_body(payload: Mapping[str, Any], store_id: str) -> bytes:
    """Return the webhook that would name an order in a list, so that its newest state is fetched when it is sent."""
    facts = set(read_facts(payload))
    claim = next((claim for claim in ("cancelled", "paid") if claim in facts), "updated")
    return dump_payload({"store_id": int(store_id), "event": LISTED_TOPICS[claim], "id": payload.get("id")})


def read_facts(payload: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a whole order proves."""
    if IS_PAID_BY_PAYMENT_STATUS.get(clean_text(payload.get("payment_status")) or ""):
        yield "paid"
    # The year is -1 if it was not cancelled.
    if clean_text(payload.get("status")) == "cancelled" or parse_datetime(payload.get("cancelled_at"), is_utc=True):
        yield "cancelled"


def read_updated_at(payload: Mapping[str, Any]) -> datetime | None:
    return parse_datetime(payload.get("updated_at"))


def is_of_shop(payload: Mapping[str, Any], store_id: str) -> bool:
    return clean_text(payload.get("store_id")) == store_id
