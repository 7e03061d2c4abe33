"""The dashboard: authentication, pages and actions. `tests/browser` checks how it looks."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.security import generate_password_hash

from connector.core.exceptions import SettingsError
from connector.database.queries import terms
from connector.database.stats.overview import last_webhook_by_store
from connector.operations.actions import advance_bulk_retries
from connector.web.dashboard.i18n import translate_problem
from connector.web.dashboard.overview import CHART_SERIES
from connector.web.dashboard.security import safe_redirect_path
from mappings.problems import Problem
from tests.support.orders import SHOPIFY_SECRET, WOO_SECRET, shopify_order, woo_order
from tests.support.scenarios import create_mixed_deliveries, without_colonia
from tests.support.service import ADMIN_TOKEN, Service
from tests.support.visitor import ANA, PASSWORD_HASH, VERA, Visitor, text_of, visit

pytestmark = pytest.mark.sqlite  # what asks the database is in test_overview.py, for both

PAGES = [
    *("/", "/?day=2026-11-20", "/deliveries", "/deliveries?state=parked&reason=unmappable", "/deliveries/1"),
    *("/deliveries/2", "/deliveries/3", "/events", "/events?status=ignored", "/events/1", "/accounts", "/audit"),
    *("/audit?kind=alert", "/settings"),
]


# Authentication


def test_anonymous_visitor_is_redirected_to_sign_in(service: Service) -> None:
    response = visit(service).get("/deliveries?state=parked")
    assert (response.status_code, response.headers["Location"]) == (302, "/login?next=/deliveries?state%3Dparked")


def test_admin_token_signs_in_and_redirects_to_the_requested_page(service: Service) -> None:
    visitor = visit(service)
    response = visitor.post("/login?next=/deliveries/1", name="", password=ADMIN_TOKEN)
    assert (response.status_code, response.headers["Location"]) == (302, "/deliveries/1")
    assert visitor.get("/").status_code == 200


@pytest.mark.parametrize(
    ("name", "password"), [("", "wrong"), ("ana", "wrong"), ("nobody", "vidriera-7"), ("ana", ADMIN_TOKEN)]
)
def test_wrong_credentials_are_refused(service: Service, name: str, password: str) -> None:
    visitor = visit(service, ANA)
    assert visitor.sign_in(password, name).status_code == 401
    assert visitor.get("/").status_code == 302


def test_failed_sign_ins_are_rate_limited(service: Service) -> None:
    visitor = visit(service)
    assert [visitor.sign_in("wrong").status_code for _ in range(11)] == [401] * 10 + [429]


def test_a_viewer_may_search(service: Service) -> None:
    vera = visit(service, VERA)
    vera.sign_in("vidriera-7", "vera")
    assert vera.post("/deliveries/search", q="#3").headers["Location"] == "/deliveries?q=%233"


@pytest.mark.parametrize(
    "where", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "", None]
)
def test_sign_in_redirects_only_within_the_site(where: str | None) -> None:
    assert safe_redirect_path(where) is None


def test_password_change_ends_sessions(service: Service, ana: Visitor) -> None:
    cookie = ana.client.get_cookie("connector")
    assert cookie is not None
    changed = visit(service, replace(ANA, password_hash=generate_password_hash("otra-9", "pbkdf2:sha256:1")))
    changed.client.set_cookie("connector", cookie.value)
    assert changed.get("/").status_code == 302
    same = visit(service, ANA)  # another process, or the next start
    same.client.set_cookie("connector", cookie.value)
    assert same.get("/").status_code == 200


def test_sign_out_ends_the_session(ana: Visitor) -> None:
    ana.post("/logout")
    assert ana.get("/").status_code == 302


def test_viewer_can_see_every_page_and_change_nothing(service: Service) -> None:
    create_mixed_deliveries(service)
    vera = visit(service, VERA)
    vera.sign_in("vidriera-7", "vera")
    assert {page: vera.get(page).status_code for page in PAGES} == dict.fromkeys(PAGES, 200)
    forms = {form for page in PAGES for form in re.findall(r'method="post" action="([^"]+)"', vera.get(page).text)}
    assert forms == {"/logout", "/deliveries/search"}
    door = vera.client.application.extensions["dashboard"]
    posts = [
        str(rule).replace("<delivery_id>", "1").replace("<event_id>", "1").replace("<account>", "bodega")
        for rule in door.get().url_map.iter_rules()
        if "POST" in rule.methods and rule.endpoint not in ("login", "logout", "deliveries.search")
    ]
    assert {path: vera.post(path, note="n", force="1").status_code for path in posts} == dict.fromkeys(posts, 403)
    assert len(posts) >= 9
    assert service.deliveries(state="parked")[0]["id"] == "1"


def test_cross_site_form_is_refused(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    response = ana.client.post("/deliveries/1/discard", data={"note": "gotcha"})
    assert response.status_code == 302
    assert service.deliveries(order="#2")[0]["state"] == "parked"


def test_unconfigured_dashboard_explains_how_to_enable_it(service: Service) -> None:
    response = visit(service, token=None).get("/")
    assert (response.status_code, "ADMIN_TOKEN" in response.text, "[users.ana]" in response.text) == (404, True, True)


def security_headers(response: Any) -> dict[str, str]:
    names = [
        *("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy"),
        *("Permissions-Policy", "Strict-Transport-Security", "Cache-Control"),
    ]
    return {name: response.headers[name] for name in names if name in response.headers}


def test_security_headers_are_set(ana: Visitor) -> None:
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "browsing-topics=()",
        "Cache-Control": "no-store",
    }
    for page in ("/", "/deliveries", "/deliveries/99", "/login"):
        assert security_headers(ana.get(page)) == headers
    over_https = ana.client.get("/", headers={"X-Forwarded-Proto": "https"})
    assert security_headers(over_https) == {**headers, "Strict-Transport-Security": "max-age=31536000"}
    with ana.get("/assets/icon.svg") as response:
        assert security_headers(response) == {**headers, "Cache-Control": "public, max-age=31536000"}


def test_pages_have_no_inline_scripts_or_styles(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    for page in PAGES:
        assert (
            re.findall(r"<script(?![^>]*(?: src=|application/json))|<style| style=| on[a-z]+=", ana.get(page).text)
            == []
        )


@pytest.mark.parametrize(("headers", "is_secure"), [({}, False), ({"X-Forwarded-Proto": "https"}, True)])
def test_session_cookie_is_http_only_and_secure(service: Service, headers: dict[str, str], is_secure: bool) -> None:
    cookie = visit(service).client.get("/login", headers=headers).headers["Set-Cookie"]
    assert ("HttpOnly" in cookie, "SameSite=Lax" in cookie, "Secure" in cookie) == (True, True, is_secure)


def test_pages_contain_no_secrets(service: Service) -> None:
    create_mixed_deliveries(service)
    visitor = visit(service, ANA)
    visitor.sign_in("vidriera-7", "ana")
    html = "\n".join(visitor.get(page).text for page in PAGES)
    secrets = [SHOPIFY_SECRET, WOO_SECRET, "rayo-key", "lapyme-key", "eyJ", "s" * 32, PASSWORD_HASH, ADMIN_TOKEN]
    assert [secret for secret in secrets if secret in html] == []
    assert "••••••" in html


def test_importing_the_app_loads_no_dashboard_libraries() -> None:
    heavy = ["babel", "flask_babel", "flask_limiter", "flask_login", "flask_wtf", "jinja2.ext", "secure"]
    code = f"import sys, connector.web.app; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (
            '[users.ana]\npassword_hash = "secreto"',
            "users.ana.password_hash: must be the output of `connector user hash`, not the password itself.",
        ),
        (
            f'[users.ana]\npassword_hash = "{PASSWORD_HASH}"\nrole = "boss"',
            "users.ana.role: must be one of: viewer, operator.",
        ),
        (
            f'[users.admin]\npassword_hash = "{PASSWORD_HASH}"',
            "users.admin.name: “admin” is reserved for signing in with ADMIN_TOKEN; choose another name.",
        ),
    ],
)
def test_invalid_user_is_reported(open_service: Callable[..., Service], more: str, fault: str) -> None:
    with pytest.raises(SettingsError) as raised:
        open_service(more=more)
    assert fault in str(raised.value)
    assert "secreto" not in str(raised.value)


# Pages


def test_overview_shows_stuck_orders_and_reasons(service: Service, ana: Visitor) -> None:
    for number in range(10, 13):
        service.post_shopify(without_colonia(number))
    create_mixed_deliveries(service)
    text = text_of(ana.get("/"))
    assert "4 incomplete data" in text
    assert "4 parked: incomplete data Shipping address > neighbourhood is missing. bodega #2 , #12 , #11" in text
    assert "delivered: 2" in text
    assert re.findall(r'"(delivered|in_progress|parked|discarded)":', ana.get("/").text) == list(CHART_SERIES)


def test_pages_use_the_browser_language(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    ana.language = "es-MX,es;q=0.9,en;q=0.5"
    text = text_of(ana.get("/deliveries/1"))
    assert "Qué hacer" in text
    assert "Falta la colonia (dirección de envío)." in text


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
    assert "tienda-mx shopify none yet silent" in text_of(ana.get("/"))


def test_delivery_page_shows_its_full_history(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order(8))
    service.drain()
    [delivery] = service.deliveries(order="#8")
    text = text_of(ana.get(f"/deliveries/{delivery['id']}"))
    for part in (
        "Order #8 parked: refused",
        "The destination refused the order. Its response is listed under Attempts.",
        "Webhook orders/paid",
        "Attempt 1: refused (HTTP 422)",
        "1: refused (HTTP 422) ·",
        "Technical detail: status 422",
        '"colonia": "Roma Norte"',
        '"district": "Roma Norte"',
    ):
        assert part in text


def test_missing_colonia_page_explains_what_to_do(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    text = text_of(ana.get("/deliveries/1"))
    assert "Shipping address > neighbourhood is missing." in text
    assert "Open order #2 in the store's admin" in text
    assert 'district_from = "shipping_address.address2" under [stores.tienda-mx]' in text


def test_events_show_ignore_reasons_and_duplicates(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    text = text_of(ana.get("/events"))
    assert "received once more (duplicate, not processed)" in text
    assert "This is a test notification." in text_of(ana.get("/events?status=ignored"))
    assert "event-" not in text_of(ana.get("/events?status=ignored&store=tienda-ar"))


@pytest.mark.parametrize(
    "address", ["/deliveries/99", "/events/99", "/retriggers/99", "/deliveries/x", "/deliveries/" + "9" * 30]
)
def test_unknown_page_is_reported(ana: Visitor, address: str) -> None:
    assert ana.get(address).status_code == 404


@pytest.mark.parametrize("query", ["state=lost", "reason=lost", "since=yesterday", "before=x", "q=%00"])
def test_invalid_search_is_reported(ana: Visitor, query: str) -> None:
    assert ana.get(f"/deliveries?{query}").status_code in (400, 404)


# Search


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


# Actions


def test_stuck_order_is_explained_and_sent_after_the_fix(service: Service, ana: Visitor) -> None:
    service.post_shopify(without_colonia(2))
    service.drain()
    assert "neighbourhood is missing" in text_of(ana.get("/deliveries/1"))
    fixed = shopify_order(2, updated_at="2026-11-20T11:00:00-06:00")
    service.post_shopify(fixed, topic="orders/updated")
    service.drain()
    assert "Order #2 delivered" in text_of(ana.get("/deliveries/1"))


def test_retrigger_records_actor_and_note(service: Service, ana: Visitor) -> None:
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order(2))
    service.drain()
    response = ana.post("/deliveries/1/retrigger", note="the product is there now")
    assert response.headers["Location"] == "/deliveries/1"
    service.drain()
    assert service.only_delivery()["state"] == "delivered"
    assert "ana retrigger #2 → bodega the product is there now" in text_of(ana.get("/audit"))


def create_uncertain_delivery(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "process_then_drop")
    service.post_shopify(shopify_order(2))
    service.drain()
    assert service.only_delivery()["reason"] == "uncertain"


def test_uncertain_order_has_no_plain_retrigger_button(service: Service, ana: Visitor) -> None:
    create_uncertain_delivery(service)
    page = ana.get("/deliveries/1").text
    assert re.findall(r'<summary role="button"[^>]*>([^<]+)<', page) == ["Mark as delivered", "Send again", "Discard"]
    assert ana.post("/deliveries/1/retrigger", note="by mistake").status_code == 302
    assert service.only_delivery()["reason"] == "uncertain"
    assert "Action failed. The order may have arrived. Check at the destination first." in text_of(
        ana.get("/deliveries/1")
    )


def test_uncertain_order_is_resolved_with_the_remote_id(service: Service, ana: Visitor) -> None:
    create_uncertain_delivery(service)
    ana.post("/deliveries/1/resolve", remote_id="R-77", note="it is in the panel")
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["remote_id"]) == ("delivered", "R-77")
    assert [(note["kind"], note["who"], note["text"]) for note in delivery["notes"]] == [
        ("resolve", "ana", "it is in the panel")
    ]


def test_discarding_an_order_needs_a_note(service: Service, ana: Visitor) -> None:
    create_uncertain_delivery(service)
    assert ana.post("/deliveries/1/discard").status_code == 400
    ana.post("/deliveries/1/discard", note="sent by hand")
    assert (service.only_delivery()["state"], service.only_delivery()["reason"]) == ("discarded", "by hand")


def test_forced_retrigger_needs_a_note(service: Service, ana: Visitor) -> None:
    create_uncertain_delivery(service)
    assert ana.post("/deliveries/1/retrigger", force="1").status_code == 400
    ana.post("/deliveries/1/retrigger", force="1", note="it is not in the panel")
    assert service.only_delivery()["state"] == "waiting"


def test_selected_deliveries_are_retriggered(service: Service, ana: Visitor) -> None:
    for number in (1, 2, 3):
        service.post_shopify(without_colonia(number))
    service.drain()
    response = ana.post("/deliveries/retrigger", id=["1", "3"], note="try again")
    assert response.headers["Location"] == "/retriggers/1"
    while advance_bulk_retries(service.runtime):
        pass
    assert [delivery["state"] for delivery in service.deliveries()] == ["waiting", "parked", "waiting"]
    assert "Bulk retry of 2 deliveries" in text_of(ana.get("/retriggers/1"))


def test_every_parked_delivery_in_a_list_is_retriggered(service: Service, ana: Visitor) -> None:
    for number in (1, 2, 3):
        service.post_shopify(without_colonia(number))
    service.drain()
    ana.post("/deliveries/retrigger", all="1", state="parked", reason="unmappable")
    while advance_bulk_retries(service.runtime):
        pass
    assert {delivery["state"] for delivery in service.deliveries()} == {"waiting"}


def test_accounts_are_paused_and_resumed(service: Service, ana: Visitor) -> None:
    ana.post("/accounts/bodega/pause", note="stocktaking")
    assert service.api("/accounts").json["items"][0]["reason"] == "ana: stocktaking"
    assert "bodega rayo paused" in text_of(ana.get("/accounts"))
    ana.post("/accounts/bodega/resume")
    assert service.api("/accounts").json["items"][0]["state"] == "flowing"
    text = text_of(ana.get("/audit"))
    assert "ana resume bodega" in text
    assert "ana pause bodega stocktaking" in text


def test_account_probe_creates_nothing(service: Service, ana: Visitor) -> None:
    ana.post("/accounts/bodega/test")
    assert "bodega: the connection works (HTTP 200)" in text_of(ana.get("/accounts"))
    assert service.sandbox.orders() == []
    assert ana.post("/accounts/nowhere/test").status_code == 404
