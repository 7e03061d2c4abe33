"""Reads the lists of the sandbox's shops while their orders change: none that stays in the period may be lost."""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.sandbox.server import create_app
from connector.sandbox.state import Sandbox
from connector.sandbox.storefront_apis import STOREFRONT_APIS
from mappings import STOREFRONTS
from mappings.order_listing import OrderPage
from mappings.settings import Store
from mappings.store_api import ApiRequest, ApiResponse
from mappings.storefronts.shopify import ShopifyStore
from mappings.storefronts.tiendanube import TiendanubeStore
from mappings.storefronts.woocommerce import WooStore

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
PERIOD = timedelta(minutes=10)
SHOP = "4410733"
STORES: dict[str, Store] = {
    "shopify": ShopifyStore(id="tienda", name="Tienda", storefront="shopify", api_token="ficha"),
    "woocommerce": WooStore(id="tienda", name="Tienda", storefront="woocommerce", api_token="ck:cs"),
    "tiendanube": TiendanubeStore(
        id="tienda", name="Tienda", storefront="tiendanube", api_token="ficha", store_id=SHOP
    ),
}
#: How many orders change between two pages, at most.
MAX_CHANGES = 8


class MovingShop:
    """A shop whose orders change while its list is read."""

    def __init__(self, storefront: str, chance: random.Random, *, count: int | None = None, spread_s: int = 0) -> None:
        self.storefront = STOREFRONTS[storefront]
        self.store = STORES[storefront]
        self.chance = chance
        self.sandbox = Sandbox(storefronts=STOREFRONT_APIS.keys())
        self.client: FlaskClient = create_app(self.sandbox).test_client()
        self.now = NOON + PERIOD + timedelta(minutes=5)
        self.changed_at: dict[str, datetime] = {}
        self.is_read = False
        self.remaining: set[str] = set()  # orders that have not changed since the reading began
        if count is None:
            self.add_any_orders()
        else:
            self.add_orders(count, spread_s, statuses=["paid"])

    def add_orders(self, count: int, spread_s: int, *, statuses: Sequence[str]) -> None:
        """Add orders that changed within so many seconds."""
        for number in range(1, count + 1):
            changed_at = NOON + timedelta(seconds=self.chance.randint(0, spread_s))
            self.put(str(number), changed_at, status=self.chance.choice(statuses))
        self.remaining = set(self.changed_at)

    def add_any_orders(self) -> None:
        """Add few orders or many that changed in few seconds or in many, in a shop of any zone."""
        self.add_orders(
            self.chance.choice([0, 1, 99, 100, 101, 230, 350]),
            self.chance.choice([0, 1, 3, 30, int(PERIOD.total_seconds()) - 1]),
            statuses=["paid"] * 8 + ["cancelled", "trash"],
        )
        conditions = self.sandbox.shop_conditions
        conditions.woocommerce_zone = ZoneInfo(self.chance.choice(["UTC", "Europe/Madrid", "America/Mexico_City"]))
        if self.storefront.name == "woocommerce":
            share = self.chance.choice([0.0, 0.1, 0.9])
            conditions.hidden_order_ids = {order for order in self.remaining if self.chance.random() < share}
            self.remaining -= conditions.hidden_order_ids

    def put(self, order_id: str, changed_at: datetime, *, status: str = "paid") -> None:
        self.changed_at[order_id] = changed_at
        is_cancelled = status != "paid"
        self.sandbox.put_order(
            self.storefront.name,
            SHOP,
            {
                "id": int(order_id),
                "updated_at": f"{changed_at:%Y-%m-%dT%H:%M:%S+0000}",
                "date_modified_gmt": f"{changed_at:%Y-%m-%dT%H:%M:%S}",
                "cancelled_at": NOON.isoformat() if is_cancelled else None,
                "closed_at": NOON.isoformat() if self.chance.random() < 0.5 else None,
                "status": {
                    "woocommerce": {"paid": "processing"}.get(status, status),
                    "tiendanube": "cancelled" if is_cancelled else "open",
                }.get(self.storefront.name),
            },
        )

    def change_some(self) -> None:
        """Let some orders change, as if the customer or the shop did something about them."""
        for _ in range(self.chance.randint(0, MAX_CHANGES)):
            if self.changed_at:
                order_id = self.chance.choice(sorted(self.changed_at))
                self.now += timedelta(seconds=self.chance.randint(0, 2))
                self.put(order_id, self.now)
                self.remaining.discard(order_id)

    def send(self, request: ApiRequest) -> ApiResponse:
        response = self.client.open(
            f"/{self.storefront.name}{request.path}",
            method=request.method,
            query_string=dict(request.query),
            headers=self.storefront.api_headers(self.store, self.store.api_token),
        )
        assert response.status_code in (200, 404), response.text
        headers = {name.lower(): value for name, value in response.headers.items()}
        return ApiResponse(status=response.status_code, headers=headers, data=self.spoil(response.get_json()))

    def spoil(self, data: Any) -> Any:
        """Let one order change after WooCommerce found it for a page, and before WooCommerce read it."""
        if self.storefront.name == "woocommerce" and data and self.chance.random() < 0.3:
            order = self.chance.choice(data)
            order["date_modified_gmt"] = f"{self.now:%Y-%m-%dT%H:%M:%S}"
            self.remaining.discard(str(order["id"]))
            self.put(str(order["id"]), self.now)
        return data

    def read_once(self) -> Iterator[OrderPage]:
        listing = self.storefront.order_listing
        assert listing is not None
        request: ApiRequest | None = listing.first_request(self.store, after=NOON, before=NOON + PERIOD)
        requests: list[Mapping[str, str]] = []
        total: int | None = None
        while request is not None:
            assert request.query not in requests, "the list asks for the same page again"
            requests.append(request.query)
            page = listing.read_page(self.store, request, self.send(request))
            if total is not None and page.total != total:
                return  # an order moved
            total = page.total
            yield page
            request = page.next_request
            self.change_some()
        self.is_read = True

    def read(self) -> Iterator[OrderPage]:
        while not self.is_read:
            yield from self.read_once()


def check_reading(shop: MovingShop) -> None:
    """Read a shop's list, and check that no order is missing that did not change meanwhile."""
    read: set[str] = set()
    for page in shop.read():
        assert page.unreadable == 0
        read |= {order.order_id for order in page.orders}
        if page.complete_until is not None:
            complete = {order for order in shop.remaining if shop.changed_at[order] < page.complete_until}
            assert complete <= read
    assert shop.remaining <= read


@pytest.mark.parametrize("storefront", list(STORES))
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_no_order_that_stays_in_the_period_is_lost(storefront: str, seed: int) -> None:
    check_reading(MovingShop(storefront, random.Random(seed)))  # noqa: S311


@pytest.mark.parametrize("storefront", list(STORES))
@pytest.mark.parametrize("seed", range(3))
def test_no_order_of_many_in_one_second_is_lost(storefront: str, seed: int) -> None:
    check_reading(MovingShop(storefront, random.Random(seed), count=350))  # noqa: S311


@pytest.mark.parametrize("storefront", list(STORES))
def test_quiet_shop_is_read_in_few_requests(storefront: str) -> None:
    shop = MovingShop(storefront, random.Random(1), count=350, spread_s=500)  # noqa: S311
    shop.change_some = lambda: None  # type: ignore[method-assign]
    shop.spoil = lambda data: data  # type: ignore[method-assign]
    pages = list(shop.read())
    assert len({order.order_id for page in pages for order in page.orders}) == 350
    assert len(pages) == {"shopify": 4, "woocommerce": 5, "tiendanube": 2}[storefront]
