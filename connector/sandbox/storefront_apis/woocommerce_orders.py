"""WooCommerce's list of orders: `GET /wp-json/wc/v3/orders`, as seen on WooCommerce 10.0.2 and 10.5.0, 2026-11-30."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from math import ceil
from typing import Any

from flask import Response, request

from connector.sandbox.storefront_apis.base import StorefrontApiError
from connector.sandbox.storefront_apis.order_lists import (
    find_unknown,
    link,
    list_response,
    read_number,
    select_fields,
)
from mappings.fields import parse_datetime

DEFAULT_PER_PAGE, MAX_PER_PAGE = 10, 100
#: WooCommerce's own. A shop has others besides, from its plug-ins.
STATUSES = {"pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "checkout-draft"}
#: In no list of "any".
INTERNAL_STATUSES = {"trash", "auto-draft", "draft"}
#: A date with a time, and perhaps a zone: rest_parse_date.
DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}(:?\d{2})?)?")
#: The field of an order by which `orderby` sorts, and the parameters that limit it.
TIME_FIELDS = {"modified": "date_modified_gmt", "date": "date_created_gmt"}
TIME_FILTERS = {
    "modified_after": ("date_modified_gmt", True),
    "modified_before": ("date_modified_gmt", False),
    "after": ("date_created_gmt", True),
    "before": ("date_created_gmt", False),
}
PARAMETERS = {"page", "per_page", "orderby", "order", "status", "dates_are_gmt", "_fields", *TIME_FILTERS}


def list_orders(orders: Iterable[Mapping[str, Any]], *, zone: tzinfo, hidden_ids: Collection[str]) -> Response:
    """Return a page.

    Args:
        zone: the shop's.
        hidden_ids: of orders that the key may not read. They count, and are left out of their page.
    """
    if unknown := find_unknown(PARAMETERS):
        raise invalid_param(unknown)
    orders = list(orders)
    page = read_number(request.args.get("page"), 1)
    per_page = read_number(request.args.get("per_page"), DEFAULT_PER_PAGE)
    if not page:
        raise invalid_param("page")
    if per_page is None or not 1 <= per_page <= MAX_PER_PAGE:
        raise invalid_param("per_page")
    sort_field = TIME_FIELDS.get(request.args.get("orderby", "date"))
    direction = request.args.get("order", "desc")
    if sort_field is None:
        raise invalid_param("orderby")
    if direction not in {"asc", "desc"}:
        raise invalid_param("order")
    statuses = read_statuses({str(order.get("status")) for order in orders})
    limits = read_time_limits(zone)
    chosen = sorted(
        (order for order in orders if has_status(order, statuses) and all(limit.accepts(order) for limit in limits)),
        key=lambda order: (str(order.get(sort_field) or ""), int(order["id"])),
        reverse=direction == "desc",
    )
    entries = chosen[(page - 1) * per_page :][:per_page]
    total = len(chosen) if entries or page == 1 else 0  # 0 beyond the end
    page_count = ceil(total / per_page)
    pages = {"prev": page - 1 if 1 < page <= page_count else None, "next": page + 1 if page < page_count else None}
    links = [link(rel, {**request.args, "page": number}) for rel, number in pages.items() if number]
    shown = [
        select_fields(with_brief_refunds(order), request.args.get("_fields"))
        for order in entries
        if str(order["id"]) not in hidden_ids
    ]
    return list_response(shown, X_WP_Total=total, X_WP_TotalPages=page_count, Link=", ".join(links))


def read_statuses(statuses_in_use: Collection[str]) -> set[str]:
    statuses = set(request.args.get("status", "any").split(","))
    if statuses - {"any", "trash"} - STATUSES - (set(statuses_in_use) - INTERNAL_STATUSES):
        raise invalid_param("status")
    return statuses


def has_status(order: Mapping[str, Any], statuses: Collection[str]) -> bool:
    """Return whether the order is in the list. Beside "any" the other statuses do not count."""
    status = order.get("status")
    return status not in INTERNAL_STATUSES if "any" in statuses else status in statuses


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimit:
    """A limit of one of an order's times. The limit itself is outside."""

    field: str
    moment: datetime  # without a zone
    is_minimum: bool
    zone: tzinfo  # of the times that are compared with it

    def accepts(self, order: Mapping[str, Any]) -> bool:
        instant = parse_datetime(order.get(self.field), is_utc=True)
        if instant is None:
            return False
        moment = instant.astimezone(self.zone).replace(tzinfo=None, microsecond=0)
        return moment > self.moment if self.is_minimum else moment < self.moment


def read_time_limits(zone: tzinfo) -> list[TimeLimit]:
    """Return the limits in the request.

    A time with a zone is converted to the shop's, and then compared without one: with times of the shop, or of UTC if
    `dates_are_gmt`, so that hours are read twice or skipped.
    """
    is_gmt = request.args.get("dates_are_gmt", "false") in {"true", "1"}
    return [
        TimeLimit(field=field, moment=read_time(name, zone), is_minimum=is_minimum, zone=UTC if is_gmt else zone)
        for name, (field, is_minimum) in TIME_FILTERS.items()
        if name in request.args
    ]


def read_time(name: str, zone: tzinfo) -> datetime:
    """Return the shop's time in a parameter, without its zone."""
    text = request.args[name]
    try:
        moment = datetime.fromisoformat(text) if DATE_TIME.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        raise invalid_param(name)
    if moment.tzinfo is not None:
        moment = moment.astimezone(zone)
    return moment.replace(tzinfo=None, microsecond=0)


def with_brief_refunds(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the order with no more of its refunds than an order has: another request fetches the rest."""
    if not isinstance(refunds := order.get("refunds"), list):
        return order
    brief = [
        {
            "id": refund.get("id"),
            "reason": refund.get("reason", ""),
            "total": refund.get("total") or f"-{refund.get('amount', '0.00')}",
        }
        for refund in refunds
    ]
    return {**order, "refunds": brief}


def invalid_param(name: str) -> StorefrontApiError:
    body = {
        "code": "rest_invalid_param",
        "message": f"Invalid parameter(s): {name}",
        "data": {"status": 400, "params": {name: f"{name} is invalid."}, "details": {}},
    }
    return StorefrontApiError(400, f"invalid parameter {name}", body=body)
