"""Tiendanube's list of orders: `GET /{store_id}/orders`.

https://tiendanube.github.io/api-documentation/resources/order and https://github.com/TiendaNube/api-docs, README.md,
"Pagination", read 2026-11-30.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from math import ceil
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

DEFAULT_PER_PAGE, MAX_PER_PAGE = 30, 200
#: https://glama.ai/mcp/servers/fedeclavero/tiendanube-mcp/tools/tiendanube_orders_list, read 2026-11-30.
MAX_POSITION = 10_000
STATUSES = {"any", "open", "closed", "cancelled"}
TIME_FILTERS = ("updated_at_min", "updated_at_max", "created_at_min", "created_at_max")
PARAMETERS = {"page", "per_page", "status", "fields", "since_id", *TIME_FILTERS}


def list_orders(orders: Iterable[Mapping[str, Any]]) -> Response:
    """Return a page, with the newest orders first. Unverified: the order of the list."""
    if unknown := find_unknown(PARAMETERS):
        raise unprocessable(unknown, "is not played here")
    page = read_number(request.args.get("page"), 1)
    per_page = read_number(request.args.get("per_page"), DEFAULT_PER_PAGE)
    if not page:
        raise unprocessable("page", "must be a positive number")
    if per_page is None or not 1 <= per_page <= MAX_PER_PAGE:
        raise unprocessable("per_page", f"must be between 1 and {MAX_PER_PAGE}")
    if page * per_page > MAX_POSITION:
        raise unprocessable("page", f"page * per_page must be at most {MAX_POSITION}")
    filters = read_filters()
    chosen = sorted(
        (order for order in orders if is_chosen(order, filters)), key=lambda order: int(order["id"]), reverse=True
    )
    last_page = ceil(len(chosen) / per_page)
    if page > last_page:
        # What an empty list is, too. Unverified: no page says so, but users of the API handle it.
        raise StorefrontApiError(404, "no such page", description=f"Last page is {last_page}")
    pages = {
        "next": page + 1 if page < last_page else None,
        "last": last_page if page < last_page else None,
        "first": 1 if page > 1 else None,
        "prev": page - 1 if page > 1 else None,
    }
    links = [link(rel, {**request.args, "page": number}) for rel, number in pages.items() if number]
    shown = [select_fields(order, request.args.get("fields")) for order in chosen[(page - 1) * per_page :][:per_page]]
    return list_response(shown, X_Total_Count=len(chosen), Link=", ".join(links))


def is_chosen(order: Mapping[str, Any], filters: Mapping[str, Any]) -> bool:
    status = request.args.get("status", "any")
    return (
        (status == "any" or order.get("status", "open") == status)
        and int(order["id"]) > int(request.args.get("since_id", 0))
        and all(
            is_within(order, field, filters[f"{field}_min"], filters[f"{field}_max"])
            for field in ("updated_at", "created_at")
        )
    )


def read_filters() -> dict[str, datetime | None]:
    """Return the limits of times. Unverified: "after" and "before" leave out the limit itself."""
    if request.args.get("status", "any") not in STATUSES:
        raise unprocessable("status", "is invalid")
    second = timedelta(seconds=1)
    limits: dict[str, datetime | None] = {}
    for name in TIME_FILTERS:
        text = request.args.get(name)
        instant = parse_datetime(text)
        if text is not None and instant is None:
            raise unprocessable(name, "is invalid")
        limits[name] = instant and (instant + second if name.endswith("_min") else instant - second)
    return limits


def unprocessable(name: str, message: str) -> StorefrontApiError:
    """https://github.com/TiendaNube/api-docs, README.md, "Client errors", read 2026-11-30. Unverified: the texts."""
    return StorefrontApiError(422, f"{name}: {message}", body={name: [message]})
