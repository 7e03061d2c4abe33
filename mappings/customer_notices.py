"""Reads the requests about one customer's personal data, which Shopify and Tiendanube write alike."""

from collections.abc import Mapping
from typing import Any

from mappings.ids import parse_id
from mappings.notices import Notice, NoticeTopic
from mappings.text import clean_text

MAX_CONTACT_LENGTH = 320  # of an e-mail address: 64 + "@" + 255, RFC 3696


def read_customer_notice(payload: Mapping[str, Any]) -> Notice | None:
    """Return a request about one customer, None if the body is none.

    Raises `MalformedWebhookError` for an id that cannot be stored.
    """
    is_redact, is_data_request = "orders_to_redact" in payload, "data_request" in payload
    if is_redact == is_data_request:
        return None
    customer = as_mapping(payload.get("customer"))
    orders = payload.get("orders_to_redact" if is_redact else "orders_requested")
    order_ids = [parse_id(value, "An order's id") for value in orders] if isinstance(orders, list) else []
    return Notice(
        topic=NoticeTopic.CUSTOMER_REDACT if is_redact else NoticeTopic.CUSTOMER_DATA_REQUEST,
        request_id=parse_id(as_mapping(payload.get("data_request")).get("id"), "The request's id"),
        customer_id=parse_id(customer.get("id"), "The customer's id"),
        email=read_contact(customer.get("email")),
        phone=read_contact(customer.get("phone")),
        order_ids=tuple(dict.fromkeys(order_id for order_id in order_ids if order_id)),
    )


def read_contact(value: Any) -> str | None:
    text = clean_text(value)
    return text[:MAX_CONTACT_LENGTH] if text else None


def as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
