"""The dashboard's search for deliveries."""

import re

import pytest

from connector.database.queries import terms
from tests.support.orders import shopify_order, woo_order
from tests.support.scenarios import create_mixed_deliveries
from tests.support.service import Service
from tests.support.visitor import Visitor, text_of

pytestmark = pytest.mark.sqlite  # tests/database/stats/test_overview.py reads both databases


@pytest.mark.parametrize(
    ("query", "orders"),
    [
        ("q=%233", ["#3"]),
        ("q=3", ["#3"]),
        ("q=5500000000002", ["#2"]),
        ("q=tienda-ar", ["5"]),
        ("q=nothing", []),
        ("state=delivered", ["5", "#3"]),
        ("reason=unmappable", ["#2"]),
        ("account=bodega", ["#3", "#2"]),
        ("state=delivered&account=bodega", ["#3"]),
        ("since=2020-01-01&until=2021-01-01", []),
        ("since=2020-01-01", ["5", "#3", "#2"]),
    ],
)
def test_deliveries_are_found(service: Service, ana: Visitor, query: str, orders: list[str]) -> None:
    create_mixed_deliveries(service)
    assert re.findall(r"<strong>([^<]+)</strong></a>", ana.get(f"/deliveries?{query}").text) == orders


def test_order_is_found_by_remote_id(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    [delivery] = service.deliveries(order="#3")
    html = ana.get(f"/deliveries?q={delivery['remote_id']}").text
    assert re.findall(r"<strong>([^<]+)</strong></a>", html) == ["#3"]


def test_email_search_is_exact_and_not_in_the_url(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    service.post_shopify(shopify_order(30, email="otra@example.mx"))
    response = ana.post("/deliveries/search", q="otra@example.mx")
    assert re.findall(r"<strong>([^<]+)</strong></a>", response.text) == ["#30"]
    assert response.status_code == 200  # no redirect, which would write it into an address
    assert re.findall(r'(?:href|hx-get|action)="[^"]*otra', response.text) == []
    assert "No matching deliveries." in text_of(ana.post("/deliveries/search", q="tra@example.mx"))


def test_older_email_is_found_by_searching_further_back(
    service: Service, ana: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms, "EMAIL_SCAN_LIMIT", 1)
    monkeypatch.setattr(terms, "EMAIL_SCAN_STEP", 2)
    for number, email in ((30, "otra@example.mx"), (31, "una@example.mx"), (32, "una@example.mx")):
        service.post_shopify(shopify_order(number, email=email))
    first = ana.post("/deliveries/search", q="otra@example.mx")
    assert "No matching deliveries." in text_of(first)
    assert re.findall(r'name="email_page" value="(\d+)"', first.text) == ["1"]
    further = ana.post("/deliveries/search", q="otra@example.mx", email_page="1")
    assert re.findall(r"<strong>([^<]+)</strong></a>", further.text) == ["#30"]
    assert re.findall(r'name="email_page" value="(\d+)"', further.text) == []


def test_other_searches_have_a_shareable_url(ana: Visitor) -> None:
    response = ana.post("/deliveries/search", q="#3", state="parked", reason="")
    assert response.headers["Location"] == "/deliveries?q=%233&state=parked"


def test_live_list_keeps_its_position_and_counts_newer_rows(service: Service, ana: Visitor) -> None:
    for number in (1, 2):
        service.post_woo(woo_order(number))
    [here] = re.findall(r'hx-get="([^"]+)"', ana.get("/deliveries").text)
    assert here == "?top=2"
    service.post_woo(woo_order(3))
    again = ana.get(f"/deliveries{here}")
    assert re.findall(r"<strong>([^<]+)</strong></a>", again.text) == ["2", "1"]
    assert "Show 1 newer delivery" in text_of(again)
