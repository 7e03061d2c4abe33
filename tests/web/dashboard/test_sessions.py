"""Sessions of the dashboard: how they begin and end, and what is bound to them."""

import re
from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import select
from structlog.testing import CapturedCall, CapturingLogger
from werkzeug.security import generate_password_hash

from connector.database.models import DashboardSession, StoredSecret
from connector.database.sessions import load_cookie_key
from tests.support.service import ADMIN_TOKEN, Service
from tests.support.visitor import ANA, PASSWORD, VERA, Visitor, visit

pytestmark = pytest.mark.sqlite

HOUR_S = 3_600


def cookie_of(visitor: Visitor) -> str:
    cookie = visitor.client.get_cookie("connector")
    assert cookie is not None
    return cookie.value


def csrf_token(page: Any) -> str:
    match = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert match is not None
    return match[1]


def is_signed_in(visitor: Visitor) -> bool:
    return bool(visitor.get("/settings").status_code == 200)


def test_signing_out_ends_the_session_for_every_copy_of_its_cookie(service: Service, ana: Visitor) -> None:
    cookie = cookie_of(ana)
    ana.post("/logout")
    thief = visit(service, ANA)
    thief.client.set_cookie("connector", cookie)
    assert not is_signed_in(thief)


def test_signing_out_ends_one_session_only(service: Service, ana: Visitor) -> None:
    other = visit(service, ANA)
    other.sign_in(PASSWORD, "ana")
    ana.post("/logout")
    assert (is_signed_in(ana), is_signed_in(other)) == (False, True)


@pytest.mark.parametrize(
    "changed",
    [
        replace(ANA, password_hash=generate_password_hash("otra-9", "pbkdf2:sha256:1")),
        replace(ANA, role="viewer"),
        VERA,
    ],
    ids=["password", "role", "removed"],
)
def test_change_of_a_user_ends_their_sessions(service: Service, ana: Visitor, changed: Any) -> None:
    same, other = visit(service, ANA), visit(service, changed)
    for visitor in (same, other):  # after a restart, with the old cookie
        visitor.client.set_cookie("connector", cookie_of(ana))
    assert (is_signed_in(same), is_signed_in(other)) == (True, False)


def test_change_of_the_admin_token_ends_its_sessions(service: Service) -> None:
    visitor, changed = visit(service), visit(service, token=ADMIN_TOKEN[::-1])
    visitor.sign_in()
    changed.client.set_cookie("connector", cookie_of(visitor))
    assert (is_signed_in(visitor), is_signed_in(changed)) == (True, False)


def test_session_ends_when_nobody_uses_it(service: Service, ana: Visitor) -> None:
    for _ in range(3):
        service.clock.forward(1.9 * HOUR_S)
        assert is_signed_in(ana)
    service.clock.forward(2.1 * HOUR_S)
    assert not is_signed_in(ana)


def test_live_updates_do_not_keep_a_session_alive(service: Service, ana: Visitor) -> None:
    for minutes in (60, 59):
        service.clock.forward(minutes * 60)
        assert ana.client.get("/", headers={"HX-Request": "true"}).status_code == 200
    service.clock.forward(120)
    response = ana.client.get("/", headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Redirect"]) == (204, "/login")


def test_session_ends_after_twelve_hours_even_if_it_is_used(service: Service, ana: Visitor) -> None:
    for _ in range(11):
        service.clock.forward(HOUR_S)
        assert is_signed_in(ana)
    service.clock.forward(1.1 * HOUR_S)
    assert not is_signed_in(ana)


def test_pages_do_not_renew_the_cookie(ana: Visitor) -> None:
    ana.get("/")  # puts a CSRF token into it
    assert "Set-Cookie" not in ana.get("/").headers


def test_sessions_that_are_over_are_deleted(service: Service, ana: Visitor) -> None:
    service.clock.forward(13 * HOUR_S)
    assert visit(service, ANA).sign_in(PASSWORD, "ana").status_code == 302
    with service.database.read() as session:
        assert len(session.exec(select(DashboardSession)).all()) == 1


def test_sign_in_starts_a_new_session_with_a_new_csrf_token(service: Service) -> None:
    visitor = visit(service, ANA)
    before = csrf_token(visitor.get("/login"))
    planted = cookie_of(visitor)
    visitor.client.post("/login", data={"csrf_token": before, "name": "ana", "password": PASSWORD})
    attacker = visit(service, ANA)
    attacker.client.set_cookie("connector", planted)
    assert (is_signed_in(visitor), is_signed_in(attacker)) == (True, False)
    refused = visitor.client.post("/accounts/bodega/pause", data={"csrf_token": before})
    assert (refused.headers["Location"], service.api("/accounts").json["items"][0]["state"]) == ("/", "flowing")
    visitor.client.post("/accounts/bodega/pause", data={"csrf_token": csrf_token(visitor.get("/accounts"))})
    assert service.api("/accounts").json["items"][0]["state"] == "paused"


def test_second_sign_in_ends_the_first_session(service: Service, ana: Visitor) -> None:
    first = cookie_of(ana)
    token = csrf_token(ana.get("/accounts"))
    ana.client.post("/login", data={"csrf_token": token, "name": "ana", "password": PASSWORD})
    copy = visit(service, ANA)
    copy.client.set_cookie("connector", first)
    assert (is_signed_in(ana), is_signed_in(copy)) == (True, False)


def test_csrf_token_of_another_session_is_refused(service: Service, ana: Visitor) -> None:
    other = visit(service, ANA)
    other.sign_in(PASSWORD, "ana")
    token = csrf_token(other.get("/accounts"))
    assert ana.client.post("/accounts/bodega/pause", data={"csrf_token": token}).headers["Location"] == "/"
    assert service.api("/accounts").json["items"][0]["state"] == "flowing"


def test_database_holds_no_token_of_a_session(service: Service, ana: Visitor) -> None:
    dashboard = ana.client.application.extensions["dashboard"].get()
    token = dashboard.session_interface.get_signing_serializer(dashboard).loads(cookie_of(ana))["_user_id"]
    with service.database.read() as session:
        [row] = session.exec(select(DashboardSession)).all()
    assert token not in str(row.model_dump())


def test_cookie_key_is_made_once_and_does_not_depend_on_the_admin_token(service: Service) -> None:
    key = load_cookie_key(service.database)
    assert (len(key) >= 32, load_cookie_key(service.database)) == (True, key)
    apps = [visit(service, token=token).client.application for token in (ADMIN_TOKEN, ADMIN_TOKEN[::-1])]
    assert {app.extensions["dashboard"].get().config["SECRET_KEY"] for app in apps} == {key}
    with service.database.read() as session:
        assert key not in repr(session.exec(select(StoredSecret)).all())


def test_secret_key_of_the_environment_is_used_instead(service: Service) -> None:
    settings = service.runtime.settings
    environment = replace(settings.environment, secret_key="c" * 32)
    runtime = replace(service.runtime, settings=replace(settings, environment=environment))
    app = visit(Service(runtime, service.client, service.clock, service.sandbox)).client.application
    assert app.extensions["dashboard"].get().config["SECRET_KEY"] == "c" * 32


def test_failed_sign_in_is_logged_without_what_was_typed(service: Service) -> None:
    log = CapturingLogger()
    visitor = visit(Service(replace(service.runtime, log=log), service.client, service.clock, service.sandbox), ANA)
    visitor.sign_in("my-other-password", "ana.perez@example.com")
    fields = {"interface": "dashboard", "reason": "wrong password", "network": "127.0.0.0/24"}
    assert log.calls == [CapturedCall("warning", ("access_denied",), fields)]
