"""Catch-up reads the shops of the sandbox, which are as strict as the real ones."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connector.catch_up import listing
from connector.catch_up.reading import ReadingResult, read_changes
from connector.sandbox.leaky_bucket import LeakyBucket
from connector.sandbox.server import SandboxServer
from mappings import STOREFRONTS
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service
from tests.support.thin_webhooks import SHOP, tiendanube_order

CONFIGURATION = """
[stores.tienda]
storefront = "STOREFRONT"
secrets = ["secreto"]
since = "SINCE"
api_url = "API_URL"
catch_up_overlap_s = 0
SETTINGS

[accounts.bodega]
destination = "rayo"
api_key = "rayo-key"
base_url = "{rayo}"

[accounts.erp]
destination = "lapyme"
api_key = "lapyme-key"
base_url = "{lapyme}"
customer_id = "{uuid}"
assigned_warehouse_id = "{uuid}"

[[routes]]
from = "tienda"
to = ["ACCOUNT"]
topics = ["TOPIC"]
"""
SETTINGS = {
    "shopify": 'api_token = "ficha"',
    "tiendanube": f'api_token = "ficha"\nstore_id = {SHOP}',
    "woocommerce": 'api_token = "ck_clave:cs_secreto"',
}
#: A topic of the platform's own that a paid order in a list stands for.
TOPICS = {"shopify": "orders/paid", "tiendanube": "order/paid", "woocommerce": "order.updated"}


class ConnectedShop:
    """A shop in the sandbox, and the service that reads it."""

    def __init__(self, storefront: str, service: Service) -> None:
        self.storefront = storefront
        self.service = service
        [self.store] = service.runtime.settings.stores.values()

    def put(self, number: int, *, minutes: float = 10, **changes: Any) -> None:
        """Put a paid order there that changed so many minutes ago."""
        changed_at = self.service.clock() - timedelta(minutes=minutes)
        time, wordpress_time = f"{changed_at:%Y-%m-%dT%H:%M:%S+00:00}", f"{changed_at:%Y-%m-%dT%H:%M:%S}"
        order = {
            "shopify": shopify_order(number, created_at=time, updated_at=time),
            "tiendanube": tiendanube_order(id=number, number=number, created_at=time, updated_at=time),
            "woocommerce": woo_order(number, date_paid_gmt=wordpress_time, date_modified_gmt=wordpress_time),
        }[self.storefront]
        self.service.sandbox.put_order(self.storefront, SHOP, order | changes)

    def catch_up(self, **options: Any) -> ReadingResult:
        return read_changes(self.service.runtime, self.store, **options)

    def states(self) -> list[str]:
        self.service.drain()
        return [delivery["state"] for delivery in self.service.deliveries()]


@pytest.fixture
def connect(
    open_service: Callable[..., Service], sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], ConnectedShop]:
    """Connect the service to a shop of the sandbox."""

    def open_shop(storefront: str) -> ConnectedShop:
        monkeypatch.setattr(type(STOREFRONTS[storefront].order_listing), "requests_per_s", 1_000.0)
        replacements = {
            "STOREFRONT": storefront,
            "SETTINGS": SETTINGS[storefront],
            "TOPIC": TOPICS[storefront],
            "ACCOUNT": "erp" if storefront == "woocommerce" else "bodega",
            "SINCE": f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}",
            "API_URL": sandbox.url(storefront),
        }
        text = CONFIGURATION
        for name, value in replacements.items():
            text = text.replace(name, value)
        return ConnectedShop(storefront, open_service(text=text))

    return open_shop


@pytest.mark.parametrize("storefront", list(SETTINGS))
def test_paid_order_without_webhook_is_delivered_once(storefront: str, connect: Callable[[str], ConnectedShop]) -> None:
    shop = connect(storefront)
    shop.put(1)
    shop.put(2, minutes=1)  # left to its webhook
    result = shop.catch_up()
    assert (result.error, len(result.missing)) == (None, 1)
    assert shop.states() == ["delivered"]
    assert shop.catch_up().missing == []
    assert shop.states() == ["delivered"]
    [event] = shop.service.api("/events").json["items"]
    assert (event["source"], event["topic"]) == ("catch-up", "catch-up")


@pytest.mark.parametrize("storefront", list(SETTINGS))
def test_many_orders_are_read_page_by_page(storefront: str, connect: Callable[[str], ConnectedShop]) -> None:
    shop = connect(storefront)
    for number in range(1, 232):
        shop.put(number, minutes=10 + number // 150)  # many in the same second
    result = shop.catch_up()
    assert (result.error, len({order.order_id for order in result.missing})) == (None, 231)
    assert shop.catch_up(since=shop.store.since).missing == []


@pytest.mark.parametrize("storefront", list(SETTINGS))
def test_shop_without_orders_is_read(storefront: str, connect: Callable[[str], ConnectedShop]) -> None:
    result = connect(storefront).catch_up()
    assert (result.error, result.orders) == (None, 0)


def test_order_in_the_trash_of_woocommerce_is_cancelled(connect: Callable[[str], ConnectedShop]) -> None:
    shop = connect("woocommerce")
    shop.put(1, minutes=20)
    shop.catch_up()
    shop.put(1, minutes=10, status="trash")
    shop.catch_up(since=shop.store.since)
    assert shop.states() == ["discarded"]


def test_erased_order_of_woocommerce_is_a_request_once(connect: Callable[[str], ConnectedShop]) -> None:
    shop = connect("woocommerce")
    shop.put(1, minutes=20)
    shop.catch_up()
    assert shop.states() == ["delivered"]
    shop.put(1, minutes=10, meta_data=[{"id": 9, "key": "_anonymized", "value": "yes"}])
    shop.put(2, minutes=10, meta_data=[{"id": 9, "key": "_anonymized", "value": "yes"}])  # never on record
    assert len(shop.catch_up(since=shop.store.since).missing) == 1
    assert shop.catch_up(since=shop.store.since).missing == []
    assert shop.states() == ["delivered"]
    order_id = str(woo_order(1)["id"])
    assert [
        (request["order_ids"], request["repeats"]) for request in shop.service.api("/privacy-requests").json["items"]
    ] == [([order_id], 0)]


@pytest.mark.parametrize("zone", ["America/Argentina/Buenos_Aires", "Europe/Madrid", "Asia/Kolkata"])
def test_zone_of_a_woocommerce_shop_loses_no_order(zone: str, connect: Callable[[str], ConnectedShop]) -> None:
    shop = connect("woocommerce")
    shop.service.sandbox.shop_conditions.woocommerce_zone = ZoneInfo(zone)
    for hour in range(24):
        shop.put(hour + 1, minutes=60 * hour + 10)
    assert len(shop.catch_up().missing) == 24


def test_rate_limit_of_a_storefront_ends_no_reading(
    connect: Callable[[str], ConnectedShop], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FIRST_PAUSE_S", 0.05)
    shop = connect("tiendanube")
    # Its clock moves each time that the sandbox looks at it, so that every second request is refused.
    bucket = LeakyBucket(1, 10.0, clock=itertools.count(0, 0.02).__next__)
    shop.service.sandbox.shop_conditions.buckets["tiendanube"] = bucket
    for number in range(1, 402):
        shop.put(number)
    result = shop.catch_up()
    assert (result.error, result.orders) == (None, 401)
    refused = [request for request in shop.service.sandbox.requests("tiendanube") if request.outcome == "refused"]
    assert "too many requests" in {request.why for request in refused}
