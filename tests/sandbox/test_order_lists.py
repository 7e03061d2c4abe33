"""The sandbox's lists of orders, which are as strict as the real ones."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest

from connector.sandbox.leaky_bucket import LeakyBucket
from connector.sandbox.server import SandboxServer

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
SHOP = "4410733"
PATHS = {
    "shopify": "shopify/admin/api/2026-10/orders.json",
    "tiendanube": f"tiendanube/{SHOP}/orders",
    "woocommerce": "woocommerce/wp-json/wc/v3/orders",
}
CREDENTIALS: dict[str, dict[str, str]] = {
    "shopify": {"X-Shopify-Access-Token": "ficha"},
    "tiendanube": {"Authentication": "bearer ficha", "User-Agent": "Pedidos (ana@example.com)"},
    "woocommerce": {"Authorization": "Basic Y2s6Y3M="},
}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5, trust_env=False) as client:
        yield client


class Shop:
    """A shop in the sandbox."""

    def __init__(self, storefront: str, sandbox: SandboxServer, client: httpx.Client) -> None:
        self.storefront = storefront
        self.sandbox = sandbox
        self.client = client

    def put(self, order_id: int, second: int = 0, **fields: Any) -> None:
        """Put an order there that changed so many seconds after noon."""
        changed_at = NOON + timedelta(seconds=second)
        times = {
            "shopify": {"updated_at": changed_at.isoformat(), "created_at": NOON.isoformat()},
            "tiendanube": {"updated_at": f"{changed_at:%Y-%m-%dT%H:%M:%S+0000}", "created_at": NOON.isoformat()},
            "woocommerce": {
                "date_modified_gmt": f"{changed_at:%Y-%m-%dT%H:%M:%S}",
                "date_created_gmt": f"{NOON:%Y-%m-%dT%H:%M:%S}",
                "status": "processing",
            },
        }
        self.sandbox.put_order(self.storefront, SHOP, {"id": order_id, **times[self.storefront], **fields})

    def get(self, **query: str | int) -> httpx.Response:
        return self.client.get(
            self.sandbox.url(PATHS[self.storefront]), params=query, headers=CREDENTIALS[self.storefront]
        )

    def ids(self, **query: str | int) -> list[int]:
        response = self.get(**query)
        assert response.status_code == 200, response.text
        return read_ids(response)


def read_ids(response: httpx.Response) -> list[int]:
    data = response.json()
    return [order["id"] for order in (data["orders"] if isinstance(data, dict) else data)]


def next_query(response: httpx.Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(response.links["next"]["url"]).query))


@pytest.fixture
def shopify(sandbox: SandboxServer, client: httpx.Client) -> Shop:
    return Shop("shopify", sandbox, client)


@pytest.fixture
def tiendanube(sandbox: SandboxServer, client: httpx.Client) -> Shop:
    return Shop("tiendanube", sandbox, client)


@pytest.fixture
def woocommerce(sandbox: SandboxServer, client: httpx.Client) -> Shop:
    return Shop("woocommerce", sandbox, client)


@pytest.mark.parametrize("storefront", list(PATHS))
def test_list_takes_credentials(storefront: str, sandbox: SandboxServer, client: httpx.Client) -> None:
    response = client.get(sandbox.url(PATHS[storefront]), headers={"User-Agent": "Pedidos (ana@example.com)"})
    assert response.status_code == 401


@pytest.mark.parametrize(("storefront", "status"), [("shopify", 400), ("tiendanube", 422), ("woocommerce", 400)])
def test_unknown_parameter_is_refused(
    storefront: str, status: int, sandbox: SandboxServer, client: httpx.Client
) -> None:
    assert Shop(storefront, sandbox, client).get(updated_after="2026-11-30").status_code == status


# Shopify


def test_shopify_has_only_open_orders_and_the_newest_first_by_default(shopify: Shop) -> None:
    shopify.put(1, created_at="2026-11-30T09:00:00-03:00")
    shopify.put(2, created_at="2026-11-30T09:00:01-03:00")
    shopify.put(3, closed_at="2026-11-30T10:00:00-03:00")
    shopify.put(4, cancelled_at="2026-11-30T10:00:00-03:00")
    assert shopify.ids() == [2, 1]
    assert shopify.ids(status="any", order="updated_at asc") == [1, 2, 3, 4]
    assert shopify.ids(status="closed") == [3]
    assert shopify.ids(status="cancelled") == [4]


def test_shopify_limits_of_time_are_inside(shopify: Shop) -> None:
    for second in range(4):
        shopify.put(second + 1, second)
    times = {"updated_at_min": "2026-11-30T09:00:01-03:00", "updated_at_max": "2026-11-30T12:00:02Z"}
    assert shopify.ids(order="updated_at asc", **times) == [2, 3]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 251},
        {"limit": 0},
        {"limit": "diez"},
        {"status": "paid"},
        {"order": "total asc"},
        {"updated_at_min": "ayer"},
        {"page_info": "AAA="},
        {"page_info": "AAA=", "status": "any"},
    ],
)
def test_shopify_refuses_other_values(shopify: Shop, query: Mapping[str, str | int]) -> None:
    response = shopify.get(**query)
    assert response.status_code == 400
    assert response.json()["errors"]


def test_shopify_cursor_follows_the_list_of_the_first_request(shopify: Shop) -> None:
    for number in range(1, 6):
        shopify.put(number, number // 2)
    page = shopify.get(status="any", order="updated_at asc", limit=2, updated_at_max="2026-11-30T12:00:01Z")
    assert read_ids(page) == [1, 2]
    cursor = next_query(page)
    assert cursor.keys() == {"limit", "page_info"}
    assert shopify.ids(**cursor) == [3]
    assert "next" not in shopify.get(**cursor).links
    assert shopify.get(status="any", **cursor).status_code == 400


def test_shopify_list_lacks_what_is_fetched(shopify: Shop) -> None:
    shopify.put(1, transactions=[{"id": 5}], line_items=[{"id": 6, "barcode": "7501"}])
    [order] = shopify.get().json()["orders"]
    assert order["line_items"] == [{"id": 6}]
    assert "transactions" not in order
    assert shopify.get(fields="id").json() == {"orders": [{"id": 1}]}


# Tiendanube


def test_tiendanube_empty_list_is_a_404(tiendanube: Shop) -> None:
    response = tiendanube.get(status="any")
    assert response.status_code == 404
    assert response.json() == {"code": 404, "message": "Not Found", "description": "Last page is 0"}


def test_tiendanube_pages_have_links_and_a_total(tiendanube: Shop) -> None:
    for number in range(1, 6):
        tiendanube.put(number)
    first = tiendanube.get(per_page=2)
    assert (read_ids(first), first.headers["x-total-count"]) == ([5, 4], "5")
    assert first.links.keys() == {"next", "last"}
    assert next_query(first) == {"per_page": "2", "page": "2"}
    last = tiendanube.get(per_page=2, page=3)
    assert read_ids(last) == [1]
    assert last.links.keys() == {"first", "prev"}
    assert tiendanube.get(per_page=2, page=4).json()["description"] == "Last page is 3"


def test_tiendanube_limits_of_time_are_outside(tiendanube: Shop) -> None:
    for second in range(4):
        tiendanube.put(second + 1, second)
    assert tiendanube.ids(updated_at_min="2026-11-30T12:00:00+00:00", updated_at_max="2026-11-30T09:00:03-03:00") == [
        3,
        2,
    ]


def test_tiendanube_lists_a_shop_by_status(tiendanube: Shop) -> None:
    tiendanube.put(1, status="open")
    tiendanube.put(2, status="cancelled")
    tiendanube.sandbox.put_order("tiendanube", "999", {"id": 3})
    assert tiendanube.ids() == [2, 1]
    assert tiendanube.ids(status="open") == [1]
    assert tiendanube.ids(since_id=1) == [2]
    assert tiendanube.get(fields="id", status="open").json() == [{"id": 1}]


@pytest.mark.parametrize(
    "query",
    [
        {"per_page": 201},
        {"per_page": 0},
        {"page": 0},
        {"page": 51, "per_page": 200},
        {"status": "paid"},
        {"updated_at_min": "2026-11-30"},
    ],
)
def test_tiendanube_refuses_other_values(tiendanube: Shop, query: Mapping[str, str | int]) -> None:
    assert tiendanube.get(**query).status_code == 422


def test_tiendanube_refuses_requests_beyond_its_rate(tiendanube: Shop) -> None:
    now = [0.0]
    tiendanube.put(1)
    tiendanube.sandbox.shop_conditions.buckets["tiendanube"] = LeakyBucket(3, 2.0, clock=lambda: now[0])
    statuses = [tiendanube.get().status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert tiendanube.get().headers["x-rate-limit-reset"] == "1500"
    now[0] = 0.5
    assert tiendanube.get().headers["x-rate-limit-remaining"] == "0"
    tiendanube.sandbox.reset()
    assert tiendanube.get().status_code == 404


# WooCommerce


def test_woocommerce_has_the_newest_orders_first_by_default(woocommerce: Shop) -> None:
    for number in range(1, 13):
        woocommerce.put(number, date_created_gmt=f"2026-11-30T12:00:{number:02}")
    assert woocommerce.ids() == list(range(12, 2, -1))
    assert woocommerce.get().headers["x-wp-totalpages"] == "2"
    assert woocommerce.ids(orderby="modified", order="asc", per_page=100) == list(range(1, 13))


LATEST, ALL, NONE = [2], [0, 1, 2], list[int]()


@pytest.mark.parametrize(
    ("query", "by_zone"),
    [
        (
            {"modified_after": "2026-11-30T12:00:01", "dates_are_gmt": "true"},
            {"America/Buenos_Aires": LATEST, "America/Mexico_City": LATEST, "Europe/Madrid": LATEST, "UTC": LATEST},
        ),
        (
            {"modified_after": "2026-11-30T12:00:01Z", "dates_are_gmt": "true"},
            {"America/Buenos_Aires": ALL, "America/Mexico_City": ALL, "Europe/Madrid": NONE, "UTC": LATEST},
        ),
        (
            {"modified_after": "2026-11-30T09:00:01-03:00", "dates_are_gmt": "true"},
            {"America/Buenos_Aires": ALL, "America/Mexico_City": ALL, "Europe/Madrid": NONE, "UTC": LATEST},
        ),
        (
            {"modified_after": "2026-11-30T12:00:01Z"},
            {"America/Buenos_Aires": LATEST, "America/Mexico_City": LATEST, "Europe/Madrid": LATEST, "UTC": LATEST},
        ),
        (
            {"modified_after": "2026-11-30T12:00:01"},
            {"America/Buenos_Aires": NONE, "America/Mexico_City": NONE, "Europe/Madrid": ALL, "UTC": LATEST},
        ),
    ],
)
def test_woocommerce_reads_times_as_the_shops_zone_has_it(
    woocommerce: Shop, query: dict[str, str], by_zone: dict[str, list[int]]
) -> None:
    for second in ALL:
        woocommerce.put(second, second)
    for zone, expected in by_zone.items():
        woocommerce.sandbox.shop_conditions.woocommerce_zone = ZoneInfo(zone)
        assert woocommerce.ids(orderby="modified", order="asc", **query) == expected, zone


def test_woocommerce_limits_of_time_are_outside(woocommerce: Shop) -> None:
    for second in range(4):
        woocommerce.put(second, second)
    times = {"modified_after": "2026-11-30T12:00:00", "modified_before": "2026-11-30T12:00:03"}
    assert woocommerce.ids(dates_are_gmt="true", orderby="modified", order="asc", **times) == [1, 2]


def test_woocommerce_any_is_every_status_but_internal_ones(woocommerce: Shop) -> None:
    statuses = ["processing", "checkout-draft", "enviado", "trash", "draft", "auto-draft", "cancelled"]
    for number, status in enumerate(statuses):
        woocommerce.put(number, number, status=status)
    in_order = {"orderby": "modified", "order": "asc"}
    assert woocommerce.ids(**in_order) == woocommerce.ids(status="any", **in_order) == [0, 1, 2, 6]
    assert woocommerce.ids(status="trash") == [3]
    assert woocommerce.ids(status="any,trash", **in_order) == [0, 1, 2, 6]
    assert woocommerce.ids(status="cancelled,refunded,trash", **in_order) == [3, 6]


@pytest.mark.parametrize(
    "query",
    [
        {"per_page": 101},
        {"per_page": 0},
        {"per_page": -1},
        {"page": 0},
        {"orderby": "total"},
        {"order": "up"},
        {"status": "draft"},
        {"status": "wc-processing"},
        {"modified_after": "2026-11-30"},
        {"modified_after": "ayer"},
        {"modified_before": "2026-13-30T12:00:00"},
    ],
)
def test_woocommerce_refuses_other_values(woocommerce: Shop, query: Mapping[str, str | int]) -> None:
    response = woocommerce.get(**query)
    assert (response.status_code, response.json()["code"]) == (400, "rest_invalid_param")


def test_woocommerce_pages_have_totals_and_links(woocommerce: Shop) -> None:
    for number in range(5):
        woocommerce.put(number, number)
    page = woocommerce.get(per_page=2, page=2, orderby="modified", order="asc")
    assert read_ids(page) == [2, 3]
    assert (page.headers["x-wp-total"], page.headers["x-wp-totalpages"]) == ("5", "3")
    assert page.links.keys() == {"prev", "next"}
    beyond = woocommerce.get(per_page=2, page=4)
    assert (beyond.status_code, beyond.json(), beyond.headers["x-wp-total"]) == (200, [], "0")
    assert "next" not in woocommerce.get(per_page=2, page=3).links


def test_woocommerce_leaves_out_orders_that_the_key_may_not_read(woocommerce: Shop) -> None:
    for number in range(5):
        woocommerce.put(number, number)
    woocommerce.sandbox.shop_conditions.hidden_order_ids = {"1", "2"}
    page = woocommerce.get(per_page=2, orderby="modified", order="asc")
    assert (read_ids(page), page.headers["x-wp-total"]) == ([0], "5")


def test_woocommerce_list_has_brief_refunds(woocommerce: Shop) -> None:
    woocommerce.put(1, refunds=[{"id": 900, "amount": "121.00", "reason": "Roto", "line_items": []}])
    [order] = woocommerce.get().json()
    assert order["refunds"] == [{"id": 900, "reason": "Roto", "total": "-121.00"}]
    assert woocommerce.get(_fields="id").json() == [{"id": 1}]
