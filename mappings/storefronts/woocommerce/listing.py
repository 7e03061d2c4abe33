"""The list of orders that changed in a period, by WooCommerce's REST API.

Source: https://github.com/woocommerce/woocommerce, plugins/woocommerce/includes/rest-api/Controllers/Version3/
class-wc-rest-crud-controller.php, read 2026-11-30. What is said here about times, pages and statuses was seen on
WooCommerce 10.0.2 and 10.5.0, 2026-11-30.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mappings.listed_orders import collect_orders, require_success
from mappings.order_listing import ListedOrder, OrderListing, OrderPage
from mappings.store_api import ApiRequest, ApiResponse
from mappings.storefronts.woocommerce.store import WooStore
from mappings.storefronts.woocommerce.webhook import read_updated_at

PATH = "/wp-json/wc/v3/orders"
MAX_PAGE_SIZE = 100
#: How many orders are read again where a page does not start at another second.
PAGE_OVERLAP = 20
SECOND = timedelta(seconds=1)
#: Without a zone, beside `dates_are_gmt`. A time with a zone is converted to the shop's zone and then compared as if it
#: were UTC, so a shop east of Greenwich skips hours.
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"
#: `status` of the two lists that are read. "any" is every status but the trash. Unverified: the trash with times.
TRASH, ANY = "trash", "any"


class WooOrderListing(OrderListing[WooStore]):
    """Reads each page from the time at which the one before it ended.

    By page numbers alone an order would be lost: one that changes meanwhile goes to the end of the list, and the others
    move up, the first of them to a page that has been read.

    The trash is read first. An order that is moved to it or comes back later changes after the period, so that none is
    in neither list.
    """

    requests_per_s = 2.0  # WooCommerce has no limit, but a page takes the shop's server half a second

    def first_request(self, store: WooStore, *, after: datetime, before: datetime) -> ApiRequest:
        """Return the request for the first page. The bounds that are sent are exclusive, and in whole seconds."""
        after = after.astimezone(UTC).replace(microsecond=0) - SECOND
        before = before.astimezone(UTC).replace(microsecond=0) + SECOND
        return build_request(TRASH, after=after, before=before, period_after=after)

    def read_page(self, store: WooStore, request: ApiRequest, response: ApiResponse) -> OrderPage:
        require_success(response)
        orders, unreadable = collect_orders(response.data, read_updated_at)
        status = request.query["status"]
        before = parse_time(request.query["modified_before"])
        read_until = find_end(orders, before)
        next_request: ApiRequest | None = None
        if not is_last_page(request, response):
            next_request = build_next_request(request, read_until)
        elif status == TRASH:
            next_request = build_request(ANY, after=request.state, before=before, period_after=request.state)
        return OrderPage(
            orders=orders,
            next_request=next_request,
            unreadable=unreadable,
            complete_until=read_until if status == ANY else None,
        )


def build_request(
    status: str,
    *,
    after: datetime,
    before: datetime,
    period_after: datetime,
    page: int = 1,
    page_size: int = MAX_PAGE_SIZE,
) -> ApiRequest:
    query = {
        "modified_after": after.strftime(TIME_FORMAT),
        "modified_before": before.strftime(TIME_FORMAT),
        "dates_are_gmt": "true",
        "orderby": "modified",
        "order": "asc",
        "status": status,
        "per_page": str(page_size),
        "page": str(page),
    }
    return ApiRequest(path=PATH, query=query, state=period_after)


def build_next_request(request: ApiRequest, read_until: datetime | None) -> ApiRequest:
    """Return the request for what follows a page: from the second at which it ended, or else the next page.

    A page without an order that the key may read, or whose orders all changed in one second, does not bring the time
    forward.
    """
    after, before = parse_time(request.query["modified_after"]), parse_time(request.query["modified_before"])
    status, period_after = request.query["status"], request.state
    if read_until is not None and read_until - SECOND > after:
        return build_request(status, after=read_until - SECOND, before=before, period_after=period_after)
    page, page_size = choose_page(count_read(request))
    return build_request(status, after=after, before=before, period_after=period_after, page=page, page_size=page_size)


def choose_page(position: int) -> tuple[int, int]:
    """Return the page, by number and size, that reaches farthest beyond `position` and starts well before it.

    The overlap catches the orders that move up because others left the list between two requests.
    """
    start = position - PAGE_OVERLAP
    pages = [(start // size + 1, size) for size in range(1, MAX_PAGE_SIZE + 1)]
    return max(pages, key=lambda page: page[0] * page[1])


def count_read(request: ApiRequest) -> int:
    """Return how many entries of the list a page and those before it have."""
    return int(request.query["page"]) * int(request.query["per_page"])


def is_last_page(request: ApiRequest, response: ApiResponse) -> bool:
    """Return whether nothing follows. Orders that the key may not read are left out, so a short page may not be last.

    Beyond the end the total is 0.
    """
    total = response.header_number("x-wp-total")
    return not response.data if total is None else count_read(request) >= total


def find_end(orders: Sequence[ListedOrder], before: datetime) -> datetime | None:
    """Return up to when a page is complete. None if it has no order of the period.

    The shop finds the orders first and reads them afterwards, so one that changes in between has a later time than its
    place in the list: usually one after the period. That is why the last two are looked at.
    """
    times = [order.updated_at for order in orders if order.updated_at is not None and order.updated_at < before]
    return min(times[-2:], default=None)


def parse_time(text: str) -> datetime:
    return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)
