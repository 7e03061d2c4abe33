"""The dashboard's pages about stores, and their buttons."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update
from sqlmodel import col

from connector.database.models import Event, KnownStore, StoreReading, StoreToken, StoreWebhooks
from tests.support.api_access import give_api_access
from tests.support.orders import shopify_order, woo_order
from tests.support.rows import execute_statements, read_rows_of
from tests.support.service import Service
from tests.support.visitor import ANA, PASSWORD, VERA, Visitor, text_of, visit

pytestmark = pytest.mark.sqlite  # tests/web/api/test_stores.py reads both databases

PROBLEM = {"code": "connect_failed", "path": [], "params": {"exception": "ConnectError"}}


def sign_in(service: Service, name: str = "ana") -> Visitor:
    """Sign in to a dashboard with the service's present settings."""
    visitor = visit(service, ANA, VERA)
    visitor.sign_in(PASSWORD, name)
    return visitor


def store_reading(service: Service, **values: Any) -> None:
    row = {"store": "tienda-ar", "read_until": service.clock(), "orders_read": 0, "orders_missing": 0, "failures": 0}
    execute_statements(service, insert(StoreReading).values(row | values))


def test_list_leads_to_each_store(service: Service, ana: Visitor) -> None:
    service.post_woo(woo_order(1))
    for page in ("/", "/stores"):
        assert re.findall(r'href="/stores/([^"]+)"', ana.get(page).text) == ["tienda-mx", "tienda-ar"]
    assert ana.get("/stores/nowhere").status_code == 404


def test_store_without_api_access_says_what_to_set(service: Service, ana: Visitor) -> None:
    page = ana.get("/stores/tienda-ar")
    text = text_of(page)
    assert "API access no. Set api_url, api_token of [stores.tienda-ar]" in text
    assert "http://localhost/webhooks/tienda-ar Copy This is the address under which you opened this page." in text
    assert "Catch up now" not in text
    assert "Repair webhooks" not in text


def test_store_of_an_app_is_given_the_credentials_of_the_app(service: Service, ana: Visitor) -> None:
    assert "Set api_url, client_id, client_secret of [stores.tienda-mx]" in text_of(ana.get("/stores/tienda-mx"))
    settings = service.runtime.settings
    stores = {"tienda-mx": replace(settings.stores["tienda-mx"], shop_domain=["tienda.myshopify.com"])}
    service.runtime = replace(service.runtime, settings=replace(settings, stores=stores))
    text = text_of(sign_in(service).get("/stores/tienda-mx"))
    assert "Set client_id, client_secret of [stores.tienda-mx]" in text


def test_store_page_shows_catch_up_and_webhooks(service: Service) -> None:
    give_api_access(service, "tienda-ar")
    now = service.clock()
    store_reading(service, started_at=now, finished_at=now - timedelta(hours=3))
    execute_statements(
        service,
        insert(StoreToken).values(
            store="tienda-ar", token="sealed", obtained_at=now, expires_at=now + timedelta(hours=5)
        ),
        insert(StoreWebhooks).values(store="tienda-ar", checked_at=now - timedelta(hours=2), problems=[PROBLEM]),
    )
    response = sign_in(service).get("/stores/tienda-ar")
    text = text_of(response)
    assert "https://connector.example.com/webhooks/tienda-ar" in text
    assert "expires in 5 hours" in text
    assert "sealed" not in response.text
    assert "Last complete reading 3 hours ago" in text
    assert "Running since" in text
    assert "Last check 2 hours ago Problems no connection (ConnectError)" in text
    assert "webhooks to repair" in text


def test_store_page_says_who_makes_the_webhooks(service: Service) -> None:
    give_api_access(service, "tienda-mx")
    ana = sign_in(service)
    text = text_of(ana.get("/stores/tienda-mx"))
    assert "Made by a person; the connector repairs them" in text
    assert "Settings > Notifications" in text  # what Shopify's API does not show
    now = service.clock()
    values = {"store": "tienda-mx", "managed_since": now, "checked_at": now, "failed_since": now - timedelta(hours=2)}
    execute_statements(service, insert(StoreWebhooks).values(**values, problems=[], error=PROBLEM))
    text = text_of(ana.get("/stores/tienda-mx"))
    assert "Made by the connector, since" in text
    assert "Failing since 2 hours ago" in text
    assert "no connection (ConnectError)" in text


def test_failing_catch_up_is_explained(service: Service) -> None:
    give_api_access(service, "tienda-ar")
    failed_since = service.clock() - timedelta(hours=2)
    store_reading(service, started_at=service.clock(), failures=3, failed_since=failed_since, error=PROBLEM)
    ana = sign_in(service)
    for page in ("/", "/stores", "/stores/tienda-ar"):
        assert "catch-up failing 2 hours ago : no connection (ConnectError)" in text_of(ana.get(page))
    text = text_of(ana.get("/stores/tienda-ar"))
    assert "Failing since 2 hours ago (3 failed readings) : no connection" in text
    assert "Running since" not in text


def test_requests_are_recorded_and_shown_until_they_begin(service: Service) -> None:
    give_api_access(service, "tienda-ar")
    ana = sign_in(service)
    assert ana.post("/stores/tienda-ar/catch-up").headers["Location"] == "/stores/tienda-ar"
    assert ana.post("/stores/tienda-ar/webhooks/sync").headers["Location"] == "/stores/tienda-ar"
    text = text_of(ana.get("/stores/tienda-ar"))
    assert "A reading was requested and has not begun:" in text
    assert "A repair was requested and has not begun:" in text
    audit = text_of(ana.get("/audit"))
    assert "ana catch-up tienda-ar" in audit
    assert "ana webhook repair tienda-ar" in audit
    assert "tienda-ar" in text_of(ana.get("/audit?action=sync-webhooks"))


def test_viewer_has_no_buttons_and_may_not_post(service: Service) -> None:
    give_api_access(service, "tienda-ar")
    vera = sign_in(service, "vera")
    assert "Catch up now" not in text_of(vera.get("/stores/tienda-ar"))
    for path in ("catch-up", "webhooks/sync"):
        assert vera.post(f"/stores/tienda-ar/{path}").status_code == 403
    assert read_rows_of(service, StoreReading) == []
    assert read_rows_of(service, StoreWebhooks) == []


def test_requests_need_a_csrf_token(service: Service) -> None:
    give_api_access(service, "tienda-ar")
    ana = sign_in(service)
    response = ana.client.post("/stores/tienda-ar/catch-up")
    assert "expired" in ana.get(response.headers["Location"]).text
    assert read_rows_of(service, StoreReading) == []


def test_webhooks_are_repaired_only_with_a_public_url(service: Service) -> None:
    give_api_access(service, "tienda-ar", public_url=None)
    ana = sign_in(service)
    text = text_of(ana.get("/stores/tienda-ar"))
    assert "Set public_url, so that webhooks can be created" in text
    assert "Repair webhooks" not in text
    assert ana.post("/stores/tienda-ar/webhooks/sync").status_code == 409


def test_events_are_filtered_by_source(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order(1))
    service.post_woo(woo_order(2))
    execute_statements(service, update(Event).where(col(Event.id) == 2).values(source="catch-up"))
    assert re.findall(r'id="event-(\d+)"', ana.get("/events?source=catch-up").text) == ["2"]
    assert re.findall(r'id="event-(\d+)"', ana.get("/events?source=webhook").text) == ["1"]
    assert ana.get("/events?source=other").status_code == 400
    assert "Source catch-up (read from the store's API)" in text_of(ana.get("/events/2"))
    assert "Order read from the store" in text_of(ana.get("/events/2"))
    assert "Read from the store by catch-up" in text_of(ana.get("/deliveries/2"))


def test_orders_that_catch_up_found_are_counted_and_are_no_webhooks(service: Service) -> None:
    give_api_access(service, "tienda-ar")
    for number in (1, 2, 3):
        service.post_woo(woo_order(number))
    execute_statements(
        service,
        update(Event).values(source="catch-up"),
        update(Event).where(col(Event.id) == 1).values(received_at=service.clock() - timedelta(hours=25)),
    )
    page = sign_in(service).get("/stores/tienda-ar")
    assert "Orders found in 24 hours 2" in text_of(page)
    assert "Last webhook none yet" in text_of(page)
    link = re.search(r'href="(/events\?[^"]+source=catch-up[^"]+)"', page.text)
    assert link is not None
    listed = sign_in(service).get(link[1].replace("&amp;", "&")).text
    assert re.findall(r'id="event-(\d+)"', listed) == ["3", "2"]


def test_lost_webhooks_are_counted(service: Service) -> None:
    give_api_access(service, "tienda-ar")
    now = service.clock()
    for number in (1, 2):
        service.post_woo(woo_order(number))
    execute_statements(
        service,
        update(Event).values(source="catch-up", source_updated_at=now - timedelta(minutes=10)),
        update(KnownStore).values(first_run_at=now - timedelta(hours=1)),
    )
    ana = sign_in(service)
    assert "Lost webhooks in 24 hours 2 (the last was found" in text_of(ana.get("/stores/tienda-ar"))
    assert re.search(r"2 lost webhooks .*: catch-up found orders without a webhook", text_of(ana.get("/")))


@pytest.mark.parametrize(
    ("every_s", "reading", "text"),
    [
        (3600, None, "Next reading soon after a worker starts"),
        (3600, {"started_at": -1800, "finished_at": -1790}, "Next reading in 30 minutes"),
        (3600, {"started_at": -7200, "finished_at": -7100}, "Next reading due now"),
        (3600, {"started_at": -10, "failures": 4, "failed_since": -100}, "Next reading in 4 minutes"),
        (3600, {"started_at": -60, "finished_at": -50, "requested_at": -5}, "Next reading due now"),
        (0, {"started_at": 0, "finished_at": 1}, "Next reading only when somebody asks for it"),
        (0, None, "Next reading only when somebody asks for it"),
    ],
)
def test_next_reading_is_shown(service: Service, every_s: float, reading: dict[str, int] | None, text: str) -> None:
    give_api_access(service, "tienda-ar")
    settings = service.runtime.settings
    stores = {**settings.stores, "tienda-ar": replace(settings.stores["tienda-ar"], catch_up_every_s=every_s)}
    service.runtime = replace(service.runtime, settings=replace(settings, stores=stores))
    if reading is not None:
        now = service.clock()
        values = {
            name: value if name == "failures" else now + timedelta(seconds=value) for name, value in reading.items()
        }
        store_reading(service, **values)
    assert text in text_of(sign_in(service).get("/stores/tienda-ar"))


def test_store_is_found_by_name_and_recorded_by_id(service: Service) -> None:
    give_api_access(service, "tienda-ar")
    settings = service.runtime.settings
    stores = {"nueva": replace(settings.stores["tienda-ar"], name="nueva")}
    service.runtime = replace(service.runtime, settings=replace(settings, stores=stores))
    sign_in(service).post("/stores/nueva/catch-up")
    assert [row["store"] for row in read_rows_of(service, StoreReading)] == ["tienda-ar"]
