"""`/api/stores`: the state of each store, and requests to the worker."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from connector.database.models import StoreReading, StoreToken, StoreWebhooks
from connector.web.app import create_app
from tests.support.api_access import PUBLIC_URL, give_api_access
from tests.support.orders import shopify_order
from tests.support.rows import execute_statements, read_rows_of
from tests.support.service import Service

PROBLEM = {"code": "connect_failed", "path": [], "params": {"exception": "ConnectError"}}


def api(service: Service, path: str, **more: Any) -> Any:
    """Call the API of an app that has the service's present settings."""
    service.client = create_app(service.runtime).test_client()
    return service.api(path, **more)


def test_stores_are_listed(service: Service) -> None:
    service.post_shopify(shopify_order(1))
    items = api(service, "/stores").json["items"]
    assert [(store["name"], store["storefront"], store["silent"]) for store in items] == [
        ("tienda-mx", "shopify", False),
        ("tienda-ar", "woocommerce", True),
    ]
    assert items[1] == {
        "name": "tienda-ar",
        "id": "tienda-ar",
        "storefront": "woocommerce",
        "webhook_url": None,
        "last_webhook_at": None,
        "silent": True,
        "wrong_signatures": None,
        "errors": [],
        "stopped": None,
        "has_api": False,
        "token": None,
        "catch_up": None,
        "next_reading_at": None,
        "orders_caught_up": 0,
        "lost_webhooks": 0,
        "webhooks": None,
    }
    assert api(service, "/stores/tienda-ar").json == items[1]
    assert api(service, "/stores/nowhere").status_code == 404


def test_store_shows_what_its_api_is_used_for(service: Service) -> None:
    give_api_access(service, "tienda-ar")
    now = service.clock().replace(microsecond=0)
    reading = {"store": "tienda-ar", "read_until": now, "orders_read": 9, "orders_missing": 1, "failures": 2}
    reading |= {"started_at": now, "failed_since": now - timedelta(hours=1), "error": PROBLEM}
    execute_statements(
        service,
        insert(StoreReading).values(reading),
        insert(StoreToken).values(store="tienda-ar", token="sealed", obtained_at=now),
        insert(StoreWebhooks).values(store="tienda-ar", checked_at=now, problems=[PROBLEM]),
    )
    response = api(service, "/stores/tienda-ar")
    store = response.json
    assert store["webhook_url"] == f"{PUBLIC_URL}/webhooks/tienda-ar"
    assert store["has_api"] is True
    assert (store["catch_up"]["failures"], store["catch_up"]["error"]) == (2, "no connection (ConnectError)")
    assert store["webhooks"]["problems"] == ["no connection (ConnectError)"]
    assert store["token"]["expires_at"] is None
    assert "sealed" not in response.text


def test_a_rejected_signature_and_a_store_error_have_a_sentence(service: Service) -> None:
    client = create_app(service.runtime).test_client()
    client.post("/webhooks/tienda-mx", data=b"{}", headers={"X-Shopify-Hmac-Sha256": "other"})
    client.application.extensions["rejected"].flush()
    service.post_woo({"code": "woocommerce_rest_cannot_view", "message": "Sorry"}, "order.updated")
    mx, ar = api(service, "/stores").json["items"]
    assert (mx["wrong_signatures"]["count"], mx["wrong_signatures"]["reason"]) == (
        1,
        "none of the store's secrets made the signature",
    )
    assert ar["errors"][0]["meaning"].startswith("WooCommerce sends an error")


def test_catch_up_is_requested(service: Service) -> None:
    give_api_access(service, "tienda-ar")
    response = api(service, "/stores/tienda-ar/catch-up", json={"note": "after the outage"})
    assert response.status_code == 202
    requested_at = response.json["catch_up"]["requested_at"]
    assert requested_at is not None
    assert api(service, "/stores/tienda-ar").json["catch_up"]["requested_at"] == requested_at
    [reading] = read_rows_of(service, StoreReading)
    assert reading["read_until"] == service.runtime.orders_since(service.runtime.settings.stores["tienda-ar"])


def test_a_request_leaves_the_reading_where_it_is(service: Service) -> None:
    give_api_access(service, "tienda-ar")
    now = service.clock()
    row = {"store": "tienda-ar", "read_until": now, "orders_read": 9, "orders_missing": 1, "failures": 0}
    execute_statements(service, insert(StoreReading).values(row))
    api(service, "/stores/tienda-ar/catch-up", json={})
    [reading] = read_rows_of(service, StoreReading)
    assert (reading["read_until"], reading["orders_read"]) == (now, 9)
    assert reading["requested_at"] is not None


def test_webhook_repair_is_requested(service: Service) -> None:
    give_api_access(service, "tienda-ar")
    response = api(service, "/stores/tienda-ar/webhooks/sync", json={})
    assert response.status_code == 202
    assert response.json["webhooks"]["requested_at"] is not None
    assert response.json["webhooks"]["problems"] == []


@pytest.mark.parametrize("path", ["catch-up", "webhooks/sync"])
def test_requests_need_api_access(service: Service, path: str) -> None:
    response = api(service, f"/stores/tienda-ar/{path}", json={})
    assert response.status_code == 409
    assert response.json["detail"].endswith("set `api_url` and `api_token`")
    assert api(service, f"/stores/nowhere/{path}", json={}).status_code == 404


def test_webhooks_need_the_public_url(service: Service) -> None:
    give_api_access(service, "tienda-ar", public_url=None)
    response = api(service, "/stores/tienda-ar/webhooks/sync", json={})
    assert (response.status_code, "`public_url`" in response.json["detail"]) == (409, True)
