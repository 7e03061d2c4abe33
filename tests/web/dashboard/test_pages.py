"""The dashboard's pages. `tests/browser` checks how they look."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connector.database.stats.overview import last_webhook_by_store
from connector.web.dashboard.i18n import render_label, translate_problem, translate_text
from connector.web.dashboard.overview import CHART_SERIES
from mappings.correctable_fields import render_field
from mappings.problems import Problem
from tests.support.orders import shopify_order, woo_order
from tests.support.scenarios import create_mixed_deliveries, without_colonia
from tests.support.service import Service
from tests.support.visitor import Visitor, text_of, visit

pytestmark = pytest.mark.sqlite  # tests/database/stats/test_overview.py reads both databases


def test_overview_shows_stuck_orders_and_reasons(service: Service, ana: Visitor) -> None:
    for number in range(10, 13):
        service.post_shopify(without_colonia(number))
    create_mixed_deliveries(service)
    text = text_of(ana.get("/"))
    assert "4 parked orders" in text
    assert re.search(
        r"4 Shipping address > neighbourhood is missing. incomplete data Act on all bodega (just now|\d+ seconds? ago)",
        text,
    )
    assert "2 delivered 0 in progress 4 parked 0 discarded" in text
    assert re.findall(r'"(delivered|in_progress|parked|discarded)":', ana.get("/").text) == list(CHART_SERIES)


def test_settings_show_since_when_a_store_sends(service: Service) -> None:
    since = datetime(2026, 8, 1, 3, tzinfo=UTC)
    settings = service.runtime.settings
    stores = {name: replace(store, since=since) for name, store in settings.stores.items()}
    service.runtime = replace(service.runtime, settings=replace(settings, stores=stores))
    visitor = visit(service)
    visitor.sign_in()
    assert "2026-08-01T03:00:00Z" in text_of(visitor.get("/settings"))


def test_pages_use_the_browser_language(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    ana.language = "es-MX,es;q=0.9,en;q=0.5"
    text = text_of(ana.get("/deliveries/1"))
    assert "Qué hacer" in text
    assert "Falta la colonia (dirección de envío)." in text
    assert "Pedido Cliente Importe" in text_of(ana.get("/deliveries"))


@pytest.mark.parametrize(
    ("problem", "spanish"),
    [
        (
            Problem(code="wrong_digit_count", path=("ship_to", "phone"), params={"digits": 3, "needed": 10}),
            "El teléfono (dirección de envío) tiene 3 dígitos; se necesitan 10.",
        ),
        (Problem(code="missing", path=("ship_to", "district")), "Falta la colonia (dirección de envío)."),
        (Problem(code="missing", path=("lines", 2, "sku")), "Falta el SKU (producto de la línea 2)."),
        (
            Problem(code="not_served", path=("currency",), params={"value": "USD", "choices": "ARS"}),
            "La moneda “USD” no está disponible; solo ARS.",
        ),
        (Problem(code="no_route_for_topic"), "Ninguna ruta acepta su tema."),
        ("What a person wrote.", "What a person wrote."),
    ],
)
def test_problems_are_translated(service: Service, problem: Problem | str, spanish: str) -> None:
    with spanish_page(service):
        assert translate_problem(problem) == spanish
        assert translate_problem(problem if isinstance(problem, str) else problem.to_json()) == spanish


@pytest.mark.parametrize(
    ("field", "spanish"),
    [
        ("ship_to.district", "Colonia (dirección de envío)"),
        ("lines[11].sku", "SKU (producto 11)"),
        ("payments[bacs].gateway", "Tipo de pago (bacs)"),
    ],
)
def test_labels_of_fields_have_no_article_and_a_capital(service: Service, field: str, spanish: str) -> None:
    with spanish_page(service):
        assert render_label(render_field(field, translate_text)) == spanish


@contextmanager
def spanish_page(service: Service) -> Iterator[None]:
    dashboard = visit(service).client.application.extensions["dashboard"].get()
    with dashboard.test_request_context(headers={"Accept-Language": "es"}):
        yield


def test_store_without_webhooks_is_silent(service: Service, ana: Visitor) -> None:
    service.post_woo(woo_order(1))
    heard = last_webhook_by_store(service.database, ["tienda-mx", "tienda-ar"])
    assert heard["tienda-mx"] is None
    assert heard["tienda-ar"] is not None
    assert "tienda-mx shopify none yet no API access silent" in text_of(ana.get("/"))


def test_wrong_signatures_are_shown_beside_their_store(service: Service, ana: Visitor) -> None:
    for _ in range(2):
        ana.client.post("/webhooks/tienda-mx", data=b"{}", headers={"X-Shopify-Hmac-Sha256": "other"})
    ana.client.application.extensions["rejected"].flush()
    for page in ("/", "/stores"):
        text = text_of(ana.get(page))
        assert re.search(r"tienda-mx shopify .* 2 wrong signatures .*: none of the store's secrets made", text)
    ana.language = "es"
    assert "2 firmas incorrectas" in text_of(ana.get("/stores"))


def test_errors_in_place_of_orders_are_shown_beside_their_store(service: Service, ana: Visitor) -> None:
    for _ in range(2):
        service.post_woo({"code": "woocommerce_rest_cannot_view", "message": "Sorry"}, "order.updated")
    for page in ("/", "/stores"):
        text = text_of(ana.get(page))
        assert re.search(r"tienda-ar woocommerce .*2 errors in place of orders .*: WooCommerce sends an error", text)
    ana.language = "es"
    assert "2 errores en lugar de pedidos" in text_of(ana.get("/stores"))


def test_delivery_page_shows_its_full_history(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order(8))
    service.drain()
    [delivery] = service.deliveries(order="#8")
    text = text_of(ana.get(f"/deliveries/{delivery['id']}"))
    for part in (
        "Order #8 parked: refused",
        "The destination refused the order.",
        "Webhook orders/paid",
        "Attempt 1: refused (HTTP 422)",
        "1: refused (HTTP 422) ·",
        "Technical detail: status 422",
        '"colonia": "Roma Norte"',
        '"district": "Roma Norte"',
    ):
        assert part in text


@pytest.mark.parametrize(
    ("language", "note"),
    [
        ("en", "Of a long list, only the first 10 items are explained."),
        ("es", "De una lista larga solo se explican los primeros 10 elementos."),
    ],
)
def test_preview_says_that_a_long_list_is_explained_in_part(
    service: Service, ana: Visitor, language: str, note: str
) -> None:
    line = shopify_order()["line_items"][0]
    for number, count in ((1, 10), (2, 11)):
        lines = [{**line, "id": item, "sku": f"SKU-{item}"} for item in range(count)]
        service.post_shopify(shopify_order(number, line_items=lines))
    ana.language = language
    assert note not in text_of(ana.get("/deliveries/1/preview"))
    assert note in text_of(ana.get("/deliveries/2/preview"))


def test_missing_colonia_page_explains_what_to_do(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    text = text_of(ana.get("/deliveries/1"))
    assert "Shipping address > neighbourhood is missing." in text
    assert "Open order #2 in the store's admin" in text
    assert 'district_from = "shipping_address.address2" under [stores.tienda-mx]' in text


def test_events_show_ignore_reasons_and_duplicates(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    text = text_of(ana.get("/events"))
    assert "received one more time (duplicate, not processed)" in text
    assert "This is a test notification." in text_of(ana.get("/events?status=ignored"))
    assert "event-" not in text_of(ana.get("/events?status=ignored&store=tienda-ar"))


@pytest.mark.parametrize(
    "address", ["/deliveries/99", "/events/99", "/jobs/99", "/deliveries/x", "/deliveries/" + "9" * 30]
)
def test_unknown_page_is_reported(ana: Visitor, address: str) -> None:
    assert ana.get(address).status_code == 404


@pytest.mark.parametrize("query", ["state=lost", "reason=lost", "since=yesterday", "before=x", "q=%00"])
def test_invalid_search_is_reported(ana: Visitor, query: str) -> None:
    assert ana.get(f"/deliveries?{query}").status_code in (400, 404)
