"""The requests for the lists of orders that changed in a period, and what is read from their responses."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

import pytest

from mappings import STOREFRONTS
from mappings.order_listing import OrderListing, OrderPage
from mappings.settings import Store
from mappings.store_api import ApiRequest, ApiResponse, UnexpectedResponseError
from mappings.storefronts.shopify import ShopifyStore
from mappings.storefronts.tiendanube import TiendanubeStore
from mappings.storefronts.woocommerce import WooStore
from mappings.storefronts.woocommerce.listing import MAX_PAGE_SIZE, PAGE_OVERLAP, choose_page

AFTER = datetime(2026, 11, 30, 9, 0, 0, 900_000, tzinfo=timezone(timedelta(hours=-3)))
BEFORE = datetime(2026, 11, 30, 13, 0, 0, 100_000, tzinfo=UTC)
STORES: dict[str, Store] = {
    "shopify": ShopifyStore(id="tienda", name="Tienda", storefront="shopify"),
    "woocommerce": WooStore(id="tienda", name="Tienda", storefront="woocommerce"),
    "tiendanube": TiendanubeStore(id="tienda", name="Tienda", storefront="tiendanube", store_id="4410733"),
}


def listing_of(storefront: str) -> OrderListing[Any]:
    listing = STOREFRONTS[storefront].order_listing
    assert listing is not None
    return listing


def first_request(storefront: str) -> ApiRequest:
    return listing_of(storefront).first_request(STORES[storefront], after=AFTER, before=BEFORE)


def read(
    storefront: str, data: Any, request: ApiRequest | None = None, *, status: int = 200, **headers: Any
) -> OrderPage:
    response = ApiResponse(
        status=status, headers={name.replace("_", "-"): str(value) for name, value in headers.items()}, data=data
    )
    return listing_of(storefront).read_page(STORES[storefront], request or first_request(storefront), response)


def next_query(page: OrderPage) -> dict[str, str]:
    assert page.next_request is not None
    return dict(page.next_request.query)


def ids(page: OrderPage) -> list[str]:
    return [order.order_id for order in page.orders]


@pytest.mark.parametrize("storefront", list(STORES))
def test_error_is_no_list(storefront: str) -> None:
    for status in (401, 404, 500):
        with pytest.raises(UnexpectedResponseError, match=str(status)):
            read(storefront, {"errors": "Pérez"}, status=status)


@pytest.mark.parametrize("storefront", list(STORES))
@pytest.mark.parametrize("data", [None, {}, "<html>", {"orders": None}, {"orders": {}}])
def test_other_json_is_no_list(storefront: str, data: Any) -> None:
    with pytest.raises(UnexpectedResponseError):
        read(storefront, data)


@pytest.mark.parametrize("storefront", list(STORES))
def test_odd_entries_stop_no_page(storefront: str) -> None:
    changed_at = {"updated_at": "2026-11-30T12:00:01Z", "date_modified_gmt": "2026-11-30T12:00:01"}
    entries = [None, "x", {"id": None}, {"id": "y" * 300}, {"id": 7, "updated_at": "ayer"}, {"id": 8, **changed_at}]
    page = read(storefront, {"orders": entries} if storefront == "shopify" else entries)
    assert page.unreadable == 4
    assert [(order.order_id, order.updated_at) for order in page.orders] == [
        ("7", None),
        ("8", datetime(2026, 11, 30, 12, 0, 1, tzinfo=UTC)),
    ]
    assert page.orders[1].payload == {"id": 8, **changed_at}


# Shopify

SHOPIFY_PATH = "/admin/api/2026-10/orders.json"


def shopify_orders(*times: str) -> dict[str, Any]:
    return {"orders": [{"id": number, "updated_at": time} for number, time in enumerate(times, start=1)]}


def test_shopify_is_asked_for_orders_of_all_statuses_from_the_oldest_change() -> None:
    request = first_request("shopify")
    assert (request.method, request.path) == ("GET", SHOPIFY_PATH)
    assert request.query == {
        "status": "any",
        "updated_at_min": "2026-11-30T12:00:00+00:00",
        "updated_at_max": "2026-11-30T13:00:01+00:00",
        "order": "updated_at asc",
        "limit": "100",
    }


def test_shopify_cursor_leads_to_the_next_page_without_filters() -> None:
    link = (
        '<https://otra.example/steal?page_info=AAA&limit=5>; rel="previous", '
        '<https://otra.example/steal?limit=5&page_info=BBB%3D>; rel="next"'
    )
    page = read("shopify", shopify_orders("2026-11-30T09:10:00-03:00", "2026-11-30T09:20:00-03:00"), link=link)
    assert page.next_request == ApiRequest(path=SHOPIFY_PATH, query={"limit": "100", "page_info": "BBB="})
    assert page.complete_until == datetime(2026, 11, 30, 12, 20, tzinfo=UTC)
    assert page.total is None


def test_shopify_list_ends_without_a_next_link() -> None:
    link = '<https://x.example/orders.json?page_info=AAA>; rel="previous"'
    assert read("shopify", shopify_orders("2026-11-30T12:10:00Z"), link=link).next_request is None
    assert read("shopify", {"orders": []}).next_request is None


def test_shopify_next_link_without_a_cursor_is_unexpected() -> None:
    with pytest.raises(UnexpectedResponseError, match="page_info"):
        read("shopify", {"orders": []}, link='<https://x.example/orders.json?page=2>; rel="next"')


def test_shopify_list_in_another_order_is_complete_at_its_end_only() -> None:
    assert read("shopify", shopify_orders("2026-11-30T12:20:00Z", "2026-11-30T12:10:00Z")).complete_until is None


# Tiendanube

LAST_PAGE_IS_0 = {"code": 404, "message": "Not Found", "description": "Last page is 0"}


def tiendanube_orders(count: int) -> list[dict[str, Any]]:
    return [{"id": number, "updated_at": "2026-11-30T12:00:00+0000"} for number in range(count)]


def tiendanube_link(page: int, *, rel: str = "next") -> str:
    query = urlencode(dict(first_request("tiendanube").query) | {"page": str(page)})
    return f'<https://api.tiendanube.com/v1/4410733/orders?{query}>; rel="{rel}"'


def test_tiendanube_is_asked_for_orders_of_all_statuses() -> None:
    request = first_request("tiendanube")
    assert (request.method, request.path) == ("GET", "/4410733/orders")
    assert request.query == {
        "updated_at_min": "2026-11-30T11:59:59+00:00",
        "updated_at_max": "2026-11-30T13:00:01+00:00",
        "status": "any",
        "per_page": "200",
        "page": "1",
    }


def test_tiendanube_link_leads_to_the_next_page_of_the_same_list() -> None:
    link = f"{tiendanube_link(9, rel='last')}, {tiendanube_link(2)}".replace(
        "api.tiendanube.com/v1/4410733", "x.example"
    )
    page = read("tiendanube", tiendanube_orders(200), link=link, x_total_count=1700)
    request = first_request("tiendanube")
    assert page.next_request == ApiRequest(path=request.path, query={**request.query, "page": "2"})
    assert (page.total, page.complete_until) == (1700, None)


def test_tiendanube_total_leads_to_the_next_page_without_a_link() -> None:
    page = read("tiendanube", tiendanube_orders(200), x_total_count=201)
    assert next_query(page) == {**first_request("tiendanube").query, "page": "2"}
    assert read("tiendanube", tiendanube_orders(1), page.next_request, x_total_count=201).next_request is None


def test_tiendanube_empty_list_is_a_404() -> None:
    page = read("tiendanube", LAST_PAGE_IS_0, status=404)
    assert (page.orders, page.next_request) == ([], None)


def test_tiendanube_page_that_is_gone_changes_the_total() -> None:
    """So the list is read again."""
    page = read("tiendanube", LAST_PAGE_IS_0 | {"description": "Last page is 3"}, status=404)
    assert (page.next_request, page.total) == (None, 0)


@pytest.mark.parametrize("data", [None, [], {}, LAST_PAGE_IS_0 | {"description": "Store not found"}])
def test_other_404_of_tiendanube_is_unexpected(data: Any) -> None:
    with pytest.raises(UnexpectedResponseError):
        read("tiendanube", data, status=404)


# WooCommerce

WOO_PATH = "/wp-json/wc/v3/orders"
WOO_QUERY = {
    "modified_after": "2026-11-30T11:59:59",
    "modified_before": "2026-11-30T13:00:01",
    "dates_are_gmt": "true",
    "orderby": "modified",
    "order": "asc",
    "status": "any",
    "per_page": "100",
    "page": "1",
}


def woo_orders(*seconds: int) -> list[dict[str, Any]]:
    """Return orders that changed so many seconds after noon."""
    noon = datetime(2026, 11, 30, 12, tzinfo=UTC)
    return [
        {"id": number, "date_modified_gmt": f"{noon + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S}"}
        for number, second in enumerate(seconds, start=1)
    ]


def read_woo(
    seconds: list[int], *, total: int | None = None, request: ApiRequest | None = None, **query: str
) -> OrderPage:
    """Read a page of the list of all orders."""
    trash = read("woocommerce", [], x_wp_total=0)
    assert trash.next_request is not None
    request = request or ApiRequest(
        path=WOO_PATH, query={**trash.next_request.query, **query}, state=trash.next_request.state
    )
    headers = {} if total is None else {"x_wp_total": total}
    return read("woocommerce", woo_orders(*seconds), request, **headers)


def test_woocommerce_is_asked_by_seconds_without_a_zone() -> None:
    request = first_request("woocommerce")
    assert (request.method, request.path) == ("GET", WOO_PATH)
    assert request.query == WOO_QUERY | {"status": "trash"}


def test_woocommerce_trash_is_read_before_the_other_orders_of_the_same_period() -> None:
    page = read("woocommerce", woo_orders(*range(100)), x_wp_total=101)
    assert next_query(page) == WOO_QUERY | {"status": "trash", "modified_after": "2026-11-30T12:01:37"}
    assert page.complete_until is None
    page = read("woocommerce", woo_orders(99, 100), page.next_request, x_wp_total=2)
    assert next_query(page) == WOO_QUERY
    assert page.complete_until is None


def test_woocommerce_page_starts_in_the_second_at_which_the_last_one_ended() -> None:
    page = read_woo(list(range(100)), total=250)
    assert next_query(page) == WOO_QUERY | {"modified_after": "2026-11-30T12:01:37"}
    assert page.complete_until == datetime(2026, 11, 30, 12, 1, 38, tzinfo=UTC)
    assert page.total is None


def test_woocommerce_list_ends_by_its_total() -> None:
    assert read_woo(list(range(100)), total=100).next_request is None
    assert read_woo(list(range(30)), total=100).next_request is None  # the key may not read the others
    assert read_woo(list(range(30)), total=101).next_request is not None


def test_woocommerce_page_beyond_the_end_ends_the_list() -> None:
    assert read_woo([], total=0, page="7").next_request is None


def test_woocommerce_list_without_a_total_ends_with_an_empty_page() -> None:
    assert next_query(read_woo([5, 6])) == WOO_QUERY | {"modified_after": "2026-11-30T12:00:04"}
    page = read_woo([5, 5], modified_after="2026-11-30T12:00:04")
    assert next_query(page)["page"] == "2"
    assert read_woo([], request=page.next_request).next_request is None


def test_woocommerce_second_with_more_orders_than_a_page_is_read_by_pages_that_overlap() -> None:
    after = "2026-11-30T12:00:06"
    page = read_woo([7] * 100, total=250, modified_after=after)
    assert next_query(page) == WOO_QUERY | {"modified_after": after, "page": "2", "per_page": "80"}
    page = read_woo([7] * 80, total=250, request=page.next_request)
    assert int(next_query(page)["page"]) * int(next_query(page)["per_page"]) > 160
    page = read_woo([7] * 30 + [8] * 50, total=250, request=page.next_request)
    assert next_query(page) == WOO_QUERY | {"modified_after": "2026-11-30T12:00:07"}


def test_woocommerce_page_of_orders_that_the_key_may_not_read_is_passed() -> None:
    page = read_woo([], total=250)
    assert next_query(page) == WOO_QUERY | {"page": "2", "per_page": "80"}
    assert page.complete_until is None


@pytest.mark.parametrize(
    "seconds",
    [[*range(99), 3700], [*range(98), 3700, 98], [*range(50), 3700, *range(50, 99)], [*range(98), 3700, 3800]],
)
def test_woocommerce_order_that_changed_while_it_was_read_skips_no_other(seconds: list[int]) -> None:
    """The shop finds the orders of a page first, and reads each of them afterwards."""
    page = read_woo(seconds, total=250)
    assert next_query(page)["modified_after"] <= "2026-11-30T12:01:37"
    assert page.complete_until is not None
    assert page.complete_until <= datetime(2026, 11, 30, 12, 1, 38, tzinfo=UTC)
    assert len(page.orders) == 100


def test_woocommerce_clock_behind_ours_skips_no_order_either() -> None:
    """The order changed, and its new time is still in the period."""
    assert next_query(read_woo([*range(99), 3000], total=250))["modified_after"] == "2026-11-30T12:01:37"


def test_each_page_reaches_beyond_the_one_before_it() -> None:
    for position in range(MAX_PAGE_SIZE, 20_000):
        number, size = choose_page(position)
        assert 1 <= size <= MAX_PAGE_SIZE
        assert (number - 1) * size <= position - PAGE_OVERLAP
        assert number * size >= position + 30
