"""The lists of deliveries and events: who ordered, for how much, how many there are."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from connector.database.models import Event
from connector.database.queries import pages, totals
from connector.sandbox.server import SandboxServer
from tests.support.orders import shopify_order, woo_order
from tests.support.rows import execute_statements, update_row
from tests.support.scenarios import create_mixed_deliveries
from tests.support.service import Service
from tests.support.thin_webhooks import THIN_CONFIGURATION, post_thin_webhook, store_order, tiendanube_order
from tests.support.visitor import ANA, PASSWORD, Visitor, text_of, visit

pytestmark = pytest.mark.sqlite


def test_list_shows_customer_and_amount(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order(1))
    service.post_woo(woo_order(2))
    text = text_of(ana.get("/deliveries"))
    assert re.search(r"#1 tienda-mx → bodega Ximena Prueba 1 599\.00 MXN waiting", text)
    assert re.search(r"2 tienda-ar → erp Tobías Ensayo 2 423\.50 ARS waiting", text)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"id": 1, "line_items": "none", "total_price": {}}',
        b'{"note": "' + b"x" * 300_000 + b'"}',
    ],
)
def test_broken_payload_leaves_the_list_whole(service: Service, ana: Visitor, body: bytes) -> None:
    service.post_shopify(shopify_order(1))
    service.post_shopify(shopify_order(2))
    execute_statements(service, update_row(Event, 1, body=body))
    text = text_of(ana.get("/deliveries"))
    assert re.search(r"#2 tienda-mx → bodega Ximena Prueba 2 599\.00 MXN", text)
    assert "#1 tienda-mx → bodega – – waiting" in text


def test_customer_is_not_shown_any_more_when_the_payload_is_deleted(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order(1))
    for _ in range(2):
        assert "Ximena Prueba 1" in text_of(ana.get("/deliveries"))
    execute_statements(service, update_row(Event, 1, body=b""))
    assert "Ximena" not in text_of(ana.get("/deliveries"))


def test_fetched_order_shows_customer_and_amount(open_service: Callable[..., Service], sandbox: SandboxServer) -> None:
    service = open_service(text=THIN_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))
    ana = visit(service, ANA)
    ana.sign_in(PASSWORD, "ana")
    post_thin_webhook(service)
    assert "9001 nube → bodega – – waiting" in text_of(ana.get("/deliveries"))
    address = tiendanube_order()["shipping_address"]
    store_order(service, shipping_address=address | {"locality": None})
    service.drain()
    assert "501 nube → bodega Regina Ejemplo 300.00 MXN parked" in text_of(ana.get("/deliveries"))
    store_order(
        service, total="310.00", shipping_address=address | {"name": "Rita Muestra"}, shipping_cost_customer="10.00"
    )
    post_thin_webhook(service, "order/updated")
    service.drain()
    assert "501 nube → bodega Rita Muestra 310.00 MXN delivered" in text_of(ana.get("/deliveries"))


def test_lists_say_how_many_match(service: Service, ana: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    create_mixed_deliveries(service)
    assert "3 results" in text_of(ana.get("/deliveries"))
    assert "1 result " in text_of(ana.get("/deliveries?state=parked"))
    assert "2 results" in text_of(ana.get("/deliveries?account=bodega"))
    assert "1 result " in text_of(ana.get("/deliveries?q=%233"))
    assert "4 results" in text_of(ana.get("/events"))
    assert "1 result " in text_of(ana.get("/events?status=ignored"))
    monkeypatch.setattr(totals, "MAX_COUNTED", 2)
    assert "more than 2 results" in text_of(ana.get("/deliveries"))
    monkeypatch.setattr(totals, "MAX_COUNTED", 10_000)
    monkeypatch.setattr(pages, "MAX_SCANNED_ROWS", 1)
    assert "more than 1 results" in text_of(ana.get("/events?store=tienda-mx"))


def test_each_filter_that_is_set_can_be_removed(ana: Visitor) -> None:
    html = ana.get("/deliveries?state=parked&reason=unmappable&store=tienda-mx").text
    chips: list[Any] = re.findall(r'<li><a href="([^"]+)" title="Remove this filter">([^<]+?) <', html)
    assert chips == [
        ("?reason=unmappable&amp;store=tienda-mx", "State: parked"),
        ("?state=parked&amp;store=tienda-mx", "Reason: incomplete data"),
        ("?state=parked&amp;reason=unmappable", "Store: tienda-mx"),
    ]
