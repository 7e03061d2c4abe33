"""The dashboard's sign-in, sessions and roles."""

import re
from collections.abc import Callable

import pytest

from connector.core.exceptions import SettingsError
from connector.web.dashboard.auth import PUBLIC_ENDPOINTS, READ_ONLY_POSTS
from connector.web.dashboard.security import safe_redirect_path
from tests.support.scenarios import create_mixed_deliveries
from tests.support.service import ADMIN_TOKEN, Service
from tests.support.visitor import ANA, PAGES, PASSWORD_HASH, VERA, Visitor, visit

pytestmark = pytest.mark.sqlite  # tests/database/stats/test_overview.py reads both databases


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


def test_viewer_can_see_every_page_but_the_audit_trail_and_change_nothing(service: Service) -> None:
    create_mixed_deliveries(service)
    vera = visit(service, VERA)
    vera.sign_in("vidriera-7", "vera")
    statuses = {page: 403 if page.startswith("/audit") else 200 for page in PAGES}
    assert {page: vera.get(page).status_code for page in PAGES} == statuses
    forms = {form for page in PAGES for form in re.findall(r'method="post" action="([^"]+)"', vera.get(page).text)}
    searches = {"/deliveries/search", "/tables/erp/charges/search"}
    assert forms == {"/logout", *searches, "/settings/language", "/settings/timezone"}
    assert [page for page in PAGES if 'href="/jobs/new' in vera.get(page).text] == []
    door = vera.client.application.extensions["dashboard"]
    posts = [
        str(rule).replace("<delivery_id>", "1").replace("<event_id>", "1").replace("<account>", "bodega")
        for rule in door.get().url_map.iter_rules()
        if "POST" in rule.methods and rule.endpoint not in READ_ONLY_POSTS | PUBLIC_ENDPOINTS
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


@pytest.mark.parametrize(("headers", "is_secure"), [({}, False), ({"X-Forwarded-Proto": "https"}, True)])
def test_session_cookie_is_http_only_and_secure(service: Service, headers: dict[str, str], is_secure: bool) -> None:
    cookie = visit(service).client.get("/login", headers=headers).headers["Set-Cookie"]
    assert ("HttpOnly" in cookie, "SameSite=Lax" in cookie, "Secure" in cookie) == (True, True, is_secure)


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
