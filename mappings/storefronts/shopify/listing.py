"""The list of orders that changed in a period, by Shopify's REST Admin API.

Sources: https://shopify.dev/docs/api/admin-rest/latest/resources/order#get-orders and
https://shopify.dev/docs/api/admin-rest/usage/pagination, read 2026-11-30. Without the scope `read_all_orders` the list
has the orders of the last 60 days.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from mappings.listed_orders import collect_orders, require_success
from mappings.order_listing import ListedOrder, OrderListing, OrderPage
from mappings.store_api import ApiRequest, ApiResponse, UnexpectedResponseError
from mappings.storefronts.shopify.api import API_VERSION
from mappings.storefronts.shopify.store import ShopifyStore
from mappings.storefronts.shopify.webhook import read_updated_at

PATH = f"/admin/api/{API_VERSION}/orders.json"
#: 250 at most. An order of many lines has hundreds of kilobytes.
PAGE_SIZE = "100"


class ShopifyOrderListing(OrderListing[ShopifyStore]):
    """Follows the cursor that each page has for the next, so that orders which change meanwhile move no others."""

    requests_per_s = 2.0  # https://shopify.dev/docs/api/admin-rest/usage/rate-limits, read 2026-11-30

    def first_request(self, store: ShopifyStore, *, after: datetime, before: datetime) -> ApiRequest:
        query = {
            "status": "any",  # otherwise only open orders
            "updated_at_min": format_time(after),
            "updated_at_max": format_time(before + timedelta(seconds=1)),
            # Unverified: the page does not list the parameter, which many use. Without it the newest come first.
            "order": "updated_at asc",
            "limit": PAGE_SIZE,
        }
        return ApiRequest(path=PATH, query=query)

    def read_page(self, store: ShopifyStore, request: ApiRequest, response: ApiResponse) -> OrderPage:
        require_success(response)
        entries = response.data.get("orders") if isinstance(response.data, Mapping) else None
        orders, unreadable = collect_orders(entries, read_updated_at)
        next_query = response.next_query()
        next_request = None
        if next_query is not None:
            cursor = next_query.get("page_info")
            if not cursor:
                raise UnexpectedResponseError("The address of the next page has no page_info.")
            # A request with a cursor takes no filters: the cursor has them.
            next_request = ApiRequest(path=PATH, query={"limit": PAGE_SIZE, "page_info": cursor})
        return OrderPage(
            orders=orders, next_request=next_request, unreadable=unreadable, complete_until=find_end(orders)
        )


def format_time(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds")


def find_end(orders: Sequence[ListedOrder]) -> datetime | None:
    """Return up to when a page is complete; None if its orders are not in the order that was asked for."""
    times = [order.updated_at for order in orders if order.updated_at is not None]
    return times[-1] if times and times == sorted(times) else None
