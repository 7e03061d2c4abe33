"""What the storefronts share in reading a list of orders, and in identifying the orders in it."""

from collections.abc import Callable, Mapping, Set
from datetime import datetime
from http import HTTPStatus
from typing import Any

from mappings.ids import hash_body, parse_id
from mappings.order_listing import CATCH_UP_TOPIC, ListedOrder
from mappings.store_api import ApiResponse, UnexpectedResponseError
from mappings.storefront import MalformedWebhookError, dump_payload


def require_success(response: ApiResponse) -> None:
    """Raises `UnexpectedResponseError` unless the response is a list."""
    if response.status != HTTPStatus.OK:
        raise UnexpectedResponseError(f"The response has the status {response.status}.")


def collect_orders(
    entries: Any, read_updated_at: Callable[[Mapping[str, Any]], datetime | None]
) -> tuple[list[ListedOrder], int]:
    """Return the orders of a page, and how many of its entries are none.

    Raises:
        UnexpectedResponseError: `entries` is no list.
    """
    if not isinstance(entries, list):
        raise UnexpectedResponseError("The response has no list of orders.")
    orders = []
    for entry in entries:
        order_id = read_order_id(entry)
        if order_id is not None:
            orders.append(ListedOrder(order_id=order_id, updated_at=read_updated_at(entry), payload=entry))
    return orders, len(entries) - len(orders)


def read_order_id(entry: Any) -> str | None:
    """Return the id of an entry in a list of orders; None if it has none, or one that cannot be stored."""
    try:
        return parse_id(entry.get("id"), "The order's id") if isinstance(entry, Mapping) else None
    except MalformedWebhookError:
        return None


def listed_event_key(payload: Mapping[str, Any], updated_at: datetime | None) -> str:
    """Return the event key of an order in a list: the same for the same version of the order.

    Raises:
        MalformedWebhookError: The order has no id.
    """
    order_id = parse_id(payload.get("id"), "The order's id")
    if order_id is None:
        raise MalformedWebhookError("The order has no id.")
    moment = updated_at.isoformat() if updated_at else ""
    return f"{CATCH_UP_TOPIC}:{order_id}:{moment}:{hash_body(dump_payload(payload))}"


def listed_topics(facts: Set[str], own_topics: Mapping[str, str], *, is_new: bool) -> frozenset[str]:
    """Return the topics of an order in a list.

    Args:
        facts: what the order proves: canonical topics, and "deleted".
        own_topics: the platform's own topic for each claim that an order can prove.
    """
    claims = {"updated", *facts, *(["created"] if is_new else [])}
    own = {own_topics[claim] for claim in claims if claim in own_topics}
    return frozenset({CATCH_UP_TOPIC, *own, *("cancelled" if claim == "deleted" else claim for claim in claims)})
