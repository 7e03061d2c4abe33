"""Shopify's list of orders: `GET /admin/api/…/orders.json`.

https://shopify.dev/docs/api/admin-rest/latest/resources/order#get-orders and
https://shopify.dev/docs/api/admin-rest/usage/pagination, read 2026-11-30. Orders older than 60 days are in the list, as
with the scope `read_all_orders`.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from operator import gt, lt
from typing import Any

from flask import Response, request

from connector.sandbox.storefront_apis.base import StorefrontApiError
from connector.sandbox.storefront_apis.order_lists import (
    find_unknown,
    is_within,
    link,
    list_response,
    read_number,
    select_fields,
)
from mappings.fields import parse_datetime

DEFAULT_LIMIT, MAX_LIMIT = 50, 250
#: Whether an order is in the list, by `status`.
STATUSES: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "any": lambda _order: True,
    "open": lambda order: not order.get("closed_at") and not order.get("cancelled_at"),
    "closed": lambda order: bool(order.get("closed_at")),
    "cancelled": lambda order: bool(order.get("cancelled_at")),
}
SORT_FIELDS = {"created_at", "updated_at"}
DEFAULT_ORDER = "created_at desc"
TIME_FILTERS = ("updated_at_min", "updated_at_max", "created_at_min", "created_at_max")
FILTERS = {"status", "order", *TIME_FILTERS}
#: A request with a cursor takes no filter: the cursor has those of the first request.
PARAMETERS_WITH_CURSOR = {"limit", "page_info", "fields"}
#: Not in the list: other requests fetch them.
FETCHED_FIELDS, FETCHED_LINE_FIELDS = {"transactions"}, {"barcode"}


def list_orders(orders: Iterable[Mapping[str, Any]]) -> Response:
    """Return a page, with the newest orders first unless the request says otherwise."""
    limit = read_number(request.args.get("limit"), DEFAULT_LIMIT)
    if limit is None or not 1 <= limit <= MAX_LIMIT:
        raise bad_request("limit", "Limit must be an integer between 1 and 250")
    cursor = read_cursor()
    filters: dict[str, str] = cursor["filters"] if cursor else read_filters()
    field, _, direction = filters.get("order", DEFAULT_ORDER).partition(" ")
    if field not in SORT_FIELDS or direction not in {"asc", "desc"}:
        raise bad_request("order", "is invalid")
    is_ascending = direction == "asc"
    chosen = sorted(
        (order for order in orders if is_chosen(order, filters)),
        key=lambda order: sort_key(order, field),
        reverse=not is_ascending,
    )
    if cursor:
        last = (cursor["last_value"], cursor["last_id"])
        is_after = gt if is_ascending else lt
        chosen = [order for order in chosen if is_after(sort_key(order, field), last)]
    page = chosen[:limit]
    links = []
    if len(chosen) > limit:
        links.append(link("next", {"limit": limit, "page_info": encode_cursor(page[-1], field, filters)}))
    shown = [select_fields(without_fetched(order), request.args.get("fields")) for order in page]
    return list_response(shown, root="orders", Link=", ".join(links))


def is_chosen(order: Mapping[str, Any], filters: Mapping[str, str]) -> bool:
    times = {name: parse_datetime(filters.get(name)) for name in TIME_FILTERS}
    return STATUSES[filters.get("status", "open")](order) and all(
        is_within(order, field, times[f"{field}_min"], times[f"{field}_max"]) for field in ("updated_at", "created_at")
    )


def sort_key(order: Mapping[str, Any], field: str) -> tuple[str, int]:
    instant = parse_datetime(order.get(field)) or datetime.min.replace(tzinfo=UTC)
    return instant.isoformat(), int(order["id"])


def read_filters() -> dict[str, str]:
    if unknown := find_unknown(FILTERS | PARAMETERS_WITH_CURSOR):
        raise bad_request(unknown, "is not played here")
    filters = {name: value for name, value in request.args.items() if name in FILTERS}
    if filters.get("status", "open") not in STATUSES:
        raise bad_request("status", "is invalid")
    for name in TIME_FILTERS:
        if name in filters and parse_datetime(filters[name], is_utc=True) is None:
            raise bad_request(name, "is invalid")
    return filters


def read_cursor() -> dict[str, Any] | None:
    """Return what `page_info` holds; None if the request has none."""
    page_info = request.args.get("page_info")
    if page_info is None:
        return None
    for name in request.args:
        if name not in PARAMETERS_WITH_CURSOR:
            raise bad_request(name, f"{name} cannot be passed when page_info is present.")
    try:
        cursor: dict[str, Any] = json.loads(base64.urlsafe_b64decode(page_info))
    except ValueError:
        raise bad_request("page_info", "Invalid value.") from None
    return cursor


def encode_cursor(order: Mapping[str, Any], field: str, filters: Mapping[str, str]) -> str:
    last_value, last_id = sort_key(order, field)
    cursor = {"last_id": last_id, "last_value": last_value, "filters": filters}
    return base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()


def without_fetched(order: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in order.items() if name not in FETCHED_FIELDS}
    if isinstance(lines := order.get("line_items"), list):
        shown["line_items"] = [
            {name: value for name, value in line.items() if name not in FETCHED_LINE_FIELDS} for line in lines
        ]
    return shown


def bad_request(name: str, message: str) -> StorefrontApiError:
    """https://shopify.dev/docs/api/usage/response-codes, read 2026-11-21. Unverified: the texts."""
    return StorefrontApiError(400, f"{name}: {message}", body={"errors": {name: message}})
