"""The list of orders that changed in a period, by Tiendanube's API.

Sources: https://tiendanube.github.io/api-documentation/resources/order and https://github.com/TiendaNube/api-docs,
README.md, "Pagination" and "Rate limiting", read 2026-11-30.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from mappings.listed_orders import collect_orders, require_success
from mappings.order_listing import OrderListing, OrderPage
from mappings.store_api import ApiRequest, ApiResponse
from mappings.storefronts.tiendanube.store import TiendanubeStore
from mappings.storefronts.tiendanube.webhook import read_updated_at

#: The largest that the API has.
PAGE_SIZE = "200"
#: The description of a 404, for a page beyond the last; "Last page is 0" is an empty list. Unverified: no page says so,
#: but several public integrations handle it, read 2026-11-30.
LAST_PAGE = re.compile(r"\s*Last page is [0-9]+")


class TiendanubeOrderListing(OrderListing[TiendanubeStore]):
    """Follows the address that each page has for the next.

    It has a page number. An order that changes meanwhile leaves the list, and the others move up, the first of them to
    a page that has been read. The list's total tells.
    """

    requests_per_s = 2.0
    #: A list of over 10,000 orders has no later pages:
    #: https://glama.ai/mcp/servers/fedeclavero/tiendanube-mcp/tools/tiendanube_orders_list, read 2026-11-30.
    max_orders = 2_000

    def first_request(self, store: TiendanubeStore, *, after: datetime, before: datetime) -> ApiRequest:
        # Unverified: whether orders of exactly these times are in the list.
        query = {
            "updated_at_min": format_time(after - timedelta(seconds=1)),
            "updated_at_max": format_time(before + timedelta(seconds=1)),
            "status": "any",
            "per_page": PAGE_SIZE,
            "page": "1",
        }
        return ApiRequest(path=f"/{store.store_id}/orders", query=query)

    def read_page(self, store: TiendanubeStore, request: ApiRequest, response: ApiResponse) -> OrderPage:
        if is_beyond_last_page(response):
            return OrderPage(orders=[], next_request=None, total=0)
        require_success(response)
        orders, unreadable = collect_orders(response.data, read_updated_at)
        return OrderPage(
            orders=orders,
            next_request=build_next_request(request, response),
            unreadable=unreadable,
            total=response.header_number("x-total-count"),
        )


def build_next_request(request: ApiRequest, response: ApiResponse) -> ApiRequest | None:
    """Return the request for the next page. None: this is the last one.

    "You should use the Link URLs instead of building your own": without one, the total says whether there is another.
    """
    page, page_size = int(request.query["page"]), int(request.query["per_page"])
    next_query = response.next_query()
    if next_query is None and page * page_size < (response.header_number("x-total-count") or 0):
        next_query = {"page": str(page + 1)}
    return None if next_query is None else replace(request, query={**request.query, **next_query})


def is_beyond_last_page(response: ApiResponse) -> bool:
    description: Any = response.data.get("description") if isinstance(response.data, Mapping) else None
    is_about_pages = isinstance(description, str) and LAST_PAGE.match(description) is not None
    return response.status == HTTPStatus.NOT_FOUND and is_about_pages


def format_time(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds")
