"""The dashboard in a real browser: fixing a stuck order, accessibility and live updates."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, Site
from tests.support.orders import shopify_order, woo_order
from tests.support.scenarios import without_colonia

PAGES = [
    *("/", "/deliveries", "/deliveries?state=parked", "/deliveries/1", "/deliveries/3", "/deliveries/5"),
    *("/deliveries/5/preview", "/events", "/events/1", "/accounts", "/stores", "/stores/tienda-ar"),
    *("/audit", "/settings", "/tables", "/tables/erp/charges", "/jobs", "/jobs/new?state=parked&choice=all"),
]


def test_stuck_order_can_be_found_fixed_and_sent(site: Site, open_page: Callable[..., Page]) -> None:
    """Start from the link in an alert and follow only what the pages say."""
    site.post_shopify(without_colonia(2001))
    stuck = site.wait_for("#2001", "parked")
    page = open_page(None)
    page.goto(f"/deliveries/{stuck['id']}")
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password or admin token").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/deliveries/{stuck['id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Order #2001 parked: incomplete data")
    expect(page.get_by_label("What to do")).to_contain_text("Shipping address > neighbourhood is missing.")
    expect(page.get_by_label("What to do")).to_contain_text("Open order #2001 in the store's admin")
    fixed = shopify_order(2001, updated_at="2026-11-20T12:00:00-06:00")
    site.post_shopify(fixed, topic="orders/updated")  # the webhook that the store sends after the fix
    expect(page.get_by_role("heading", level=1)).to_have_text("Order #2001 delivered", timeout=20_000)
    expect(page.locator("ol.timeline")).to_contain_text("Attempt 1: delivered")


def test_missing_field_is_entered_on_the_page_of_the_order(site: Site, open_page: Callable[..., Page]) -> None:
    site.post_shopify(without_colonia(2006))
    stuck = site.wait_for("#2006", "parked")
    page = open_page(locale="es-MX", viewport={"width": 390, "height": 800})
    page.goto(f"/deliveries/{stuck['id']}")
    page.get_by_label("Colonia (dirección de envío)").fill("Roma Norte")
    page.wait_for_timeout(6_000)  # a refresh keeps what is typed
    page.get_by_role("button", name="Guardar y enviar").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("entregado", timeout=20_000)
    expect(page.get_by_role("region", name="Datos completados a mano")).to_contain_text("Roma Norte")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_uncertain_order_can_be_resolved(site: Site, open_page: Callable[..., Page]) -> None:
    site.sandbox.inject_fault("rayo", "process_then_drop", match="Prueba 2002")
    site.post_shopify(shopify_order(2002))
    doubtful = site.wait_for("#2002", "parked")
    page = open_page()
    page.goto(f"/deliveries/{doubtful['id']}")
    page.get_by_role("button", name="Mark as delivered").first.click()
    page.get_by_label("Order ID at the destination").fill("R-2002")
    page.locator("details[open] input[name=note]").fill("it is in the panel")
    page.locator("details[open] form button").click()
    expect(page.get_by_role("status")).to_have_text("Marked as delivered.")
    page.get_by_role("link", name="Audit trail").click()
    expect(page.locator("tbody tr").first).to_contain_text("ana")
    expect(page.locator("tbody tr").first).to_contain_text("it is in the panel")


def test_selected_deliveries_can_be_retriggered(site: Site, open_page: Callable[..., Page]) -> None:
    for number in (2003, 2004):
        site.post_shopify(without_colonia(number))
        site.wait_for(f"#{number}", "parked")
    page = open_page()
    page.goto("/deliveries?state=parked&reason=unmappable")
    page.get_by_label("Select order #2003").check()
    page.get_by_label("Select order #2004").check()
    page.get_by_role("button", name="Act on the selected (2)").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Act on 2 orders")
    expect(page.locator("#mapping")).to_contain_text("2 would be parked again")
    page.get_by_role("button", name="Retrigger (2)").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Job 1: retrigger (2)")
    expect(page.locator("#live")).to_contain_text("Done.", timeout=20_000)
    expect(page.locator("#live")).to_contain_text("again")


def test_missing_row_is_entered_on_the_page_of_its_order(site: Site, open_page: Callable[..., Page]) -> None:
    fee = {"id": 9, "name": "Recargo", "total": "10.00", "total_tax": "0.00", "taxes": []}
    for number in (2010, 2011):
        site.post_woo(woo_order(number, fee_lines=[fee], total="433.50"))
    stuck = site.wait_for("2010", "parked")
    site.wait_for("2011", "parked")
    page = open_page(locale="es-MX")
    page.goto(f"/deliveries/{stuck['id']}")
    form = page.get_by_role("region", name="Cargar la fila que falta")
    form.get_by_label("Valor").fill("RECARGO")
    form.get_by_role("button", name="Guardar y reintentar").click()
    expect(page.get_by_role("status").first).to_contain_text("Se reintentan ahora 2 pedidos que la esperaban.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Pedido 2010 entregado", timeout=20_000)
    site.wait_for("2011", "delivered")
    page.goto("/tables/erp/charges")
    expect(page.locator("tbody tr")).to_contain_text("fila cargada por ana")
    page.locator("summary", has_text="Quitar").click()
    page.get_by_role("button", name="Quitar la fila").click()
    expect(page.get_by_role("status")).to_have_text("Se quitó la fila “fee”.")


def test_catch_up_and_repair_are_asked_of_the_worker(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto("/")
    page.get_by_role("link", name="tienda-ar").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("tienda-ar woocommerce")
    for button in ("Catch up now", "Repair webhooks"):
        page.get_by_role("button", name=button).click()
        expect(page.locator(".flash")).to_contain_text("The worker is asked to")
        expect(page.locator("#live")).not_to_contain_text("has not begun", timeout=20_000)
    expect(page.locator("#live")).not_to_contain_text("Failing since")
    page.get_by_role("link", name="Audit trail").click()
    expect(page.locator("tbody tr").nth(1)).to_contain_text("catch-up")
    expect(page.locator("tbody tr").first).to_contain_text("webhook repair")


def test_a_search_by_email_finds_the_order(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto("/deliveries")
    page.get_by_role("searchbox").fill("tobias@example.com.ar")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("link", name="721")).to_be_visible()
    assert "tobias" not in page.url


def test_live_updates_keep_open_details_and_list_position(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto("/deliveries/5")
    page.locator("#payload summary").click()
    page.wait_for_timeout(6_000)  # at least one refresh
    expect(page.locator("#payload pre")).to_be_visible()
    page.goto("/deliveries")
    first = page.locator("tbody tr").first.get_attribute("id")
    site.post_shopify(shopify_order(2005))
    expect(page.get_by_role("link", name="Show 1 newer delivery")).to_be_visible(timeout=15_000)
    assert page.locator("tbody tr").first.get_attribute("id") == first


def test_field_origins_open_inline(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto("/deliveries/5")
    page.locator("#field-sources summary").click()
    row = page.locator("#field-sources tr", has_text="consumidor_destino.colonia")
    expect(row).to_contain_text("shipping_address.address2", timeout=20_000)


def test_chart_is_drawn(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto("/")
    expect(page.locator("#chart canvas")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(open_page: Callable[..., Page], scheme: str) -> None:
    faults = [(path, fault) for path, fault in axe_violations(open_page(color_scheme=scheme), PAGES)]
    faults += axe_violations(open_page(None, color_scheme=scheme), ["/login"])
    assert faults == []


def axe_violations(page: Page, paths: list[str]) -> list[tuple[str, Any]]:
    violations = []
    for path in paths:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        # Playwright injects it past the page's content security policy, which allows no scripts.
        for fault in Axe().run(page).response["violations"]:
            if fault["impact"] in ("serious", "critical"):
                violations.append((path, (fault["id"], [node["target"] for node in fault["nodes"]][:3])))
    return violations


def test_pages_fit_a_phone_screen(open_page: Callable[..., Page]) -> None:
    page = open_page(viewport={"width": 360, "height": 740}, has_touch=True)
    wide = []
    for path in PAGES:
        page.goto(path)
        if page.evaluate("document.documentElement.scrollWidth") > 360:
            wide.append(path)
    assert wide == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_phone_in_spanish(open_page: Callable[..., Page], scheme: str) -> None:
    page = open_page(color_scheme=scheme, locale="es-MX", viewport={"width": 390, "height": 800}, has_touch=True)
    assert axe_violations(page, PAGES) == []


def test_filters_are_folded_up_on_a_phone(open_page: Callable[..., Page]) -> None:
    page = open_page(viewport={"width": 390, "height": 800}, has_touch=True)
    page.goto("/deliveries?state=parked")
    expect(page.get_by_label("Reason")).to_be_hidden()
    page.get_by_role("button", name="Filters (1)").click()
    page.get_by_label("Reason").select_option("uncertain")
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**/deliveries?state=parked&reason=uncertain")
    expect(page.locator("tbody tr").first).to_contain_text("uncertain")


def test_language_is_switched_in_the_header(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto("/deliveries?state=parked")
    page.get_by_role("button", name="Español").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Entregas")
    assert page.url.endswith("/deliveries?state=parked")


def test_times_follow_the_browser_and_then_the_choice(open_page: Callable[..., Page]) -> None:
    page = open_page(timezone_id="America/Mexico_City")
    expect(page.locator("footer")).to_contain_text("Mexico City (UTC-06:00)")
    page.goto("/settings")
    page.locator("select[name=timezone]").select_option("America/Argentina/Buenos_Aires")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("footer")).to_contain_text("Buenos Aires (UTC-03:00)")


def test_webhook_address_is_copied(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/stores/tienda-ar")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == f"{site.service.url}/webhooks/tienda-ar"


def test_pages_use_the_browser_language(open_page: Callable[..., Page]) -> None:
    page = open_page(locale="es-MX")
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Resumen")
    assert page.locator("html").get_attribute("lang") == "es"


def test_viewer_has_no_action_buttons(open_page: Callable[..., Page]) -> None:
    page = open_page("vera")
    page.goto("/deliveries/1")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Order #1001"))
    expect(page.locator("main form")).to_have_count(0)
