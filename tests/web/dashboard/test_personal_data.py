"""The page on which a person's data is found, exported and erased."""

from typing import Any

import pytest

from connector.database.models import Event, OperatorAction
from tests.support.orders import shopify_order
from tests.support.rows import read_rows_of
from tests.support.scenarios import without_colonia
from tests.support.service import Service
from tests.support.visitor import ANA, PASSWORD, VERA, Visitor, text_of, visit

EMAIL = "ximena@example.mx"


@pytest.fixture
def ana(service: Service) -> Visitor:
    visitor = visit(service, ANA, VERA)
    visitor.sign_in(PASSWORD, "ana")
    return visitor


def test_search_by_address_lists_the_orders_and_repeats_no_address_in_a_url(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order(1))
    service.drain()
    page = ana.post("/privacy/orders/search", q=EMAIL.upper())
    assert "1 order found" in text_of(page)
    assert "#1" in text_of(page)
    assert f"?q={EMAIL}" not in page.text


def test_copy_is_a_file_that_no_cache_keeps(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order(1))
    response = ana.post("/privacy/orders/export", q="1")
    assert response.headers["Content-Disposition"] == 'attachment; filename="personal-data.json"'
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json["orders"][0]["events"][0]["body"] == shopify_order(1)
    assert [(row["kind"], row["who"]) for row in read_rows_of(service, OperatorAction)] == [("export", "ana")]


def test_erasing_takes_a_confirmation(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order(1))
    service.drain()
    assert ana.post("/privacy/orders/erase", q="1").status_code == 400
    assert read_rows_of(service, Event)[0]["body"]
    assert "tienda-mx #1 : erased" in text_of(ana.post("/privacy/orders/erase", q="1", confirm="on"))
    assert not read_rows_of(service, Event)[0]["body"]


def test_page_of_a_delivery_leads_to_its_order_alone(service: Service, ana: Visitor) -> None:
    service.post_shopify(without_colonia(1))
    service.drain()
    order_id = str(shopify_order(1)["id"])
    page = ana.get("/deliveries/1").text
    assert f'name="order_id" value="{order_id}"' in page
    form: dict[str, Any] = {"store": "tienda-mx", "order_id": order_id}
    assert "Discard the parked orders" in ana.post("/privacy/orders/search", **form).text
    erased = ana.post("/privacy/orders/erase", **form, confirm="on", discard_parked="on")
    assert "erased" in text_of(erased)
    assert not read_rows_of(service, Event)[0]["body"]


def test_nothing_found_and_unclear_searches_are_said(service: Service, ana: Visitor) -> None:
    assert "Nothing is kept about such an order." in text_of(ana.post("/privacy/orders/search", q="404"))
    assert ana.post("/privacy/orders/search", q="").status_code == 400
    assert ana.post("/privacy/orders/search", q="1", store="none").status_code == 400
