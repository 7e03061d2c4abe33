"""Who may call what: every route with every method, wrong tokens, and addresses behind proxies."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import CapturedCall, CapturingLogger

from connector.settings.api_tokens import ApiToken, digest_token
from connector.settings.environment import TrustedProxiesField
from connector.web.app import create_app
from connector.web.proxies import client_address
from tests.support.scenarios import create_mixed_deliveries
from tests.support.service import ADMIN_TOKEN, Service
from tests.support.visitor import ANA, PASSWORD, VERA, Visitor, visit

pytestmark = pytest.mark.sqlite

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"]
#: What an endpoint of the service needs. One that is not listed fails the test.
NEEDS = {
    "webhooks.receive": "signature",
    "webhooks.receive_privacy": "signature",
    "health.live": "nothing",
    "health.ready": "nothing",
    "openapi.get_openapi": "nothing",
    "docs.show": "nothing",
    "docs.show_file": "nothing",
    "metrics.get_metrics": "metrics' token",
    **dict.fromkeys(
        [
            *("api.get_events", "api.get_event", "api.get_deliveries", "api.get_delivery", "api.post_delivery_preview"),
            *("api.post_jobs_preview", "api.get_jobs", "api.get_job", "corrections.get_delivery_corrections"),
            *("api.get_accounts", "api.get_stores", "api.get_store", "tables.get_tables", "tables.get_table"),
            *("privacy_requests.get_privacy_requests", "privacy_requests.get_privacy_request"),
            "credentials.get_account_credentials",
        ],
        "viewer's token",
    ),
    **dict.fromkeys(
        [
            *("api.post_event_retrigger", "api.post_delivery_retrigger", "api.post_delivery_resolve", "api.post_jobs"),
            *("api.post_job_cancel", "api.post_job_resume", "corrections.post_delivery_corrections"),
            *("corrections.post_delivery_corrections_withdraw", "api.post_account_pause", "api.post_account_resume"),
            *("api.post_store_catch_up", "api.post_store_webhooks_sync", "api.post_store_resume"),
            *("privacy_requests.post_privacy_request_dismiss", "privacy_requests.post_privacy_request_done"),
            *("privacy_requests.post_privacy_request_erase", "privacy_requests.post_privacy_request_export"),
            *("tables.post_table_set_row", "tables.post_table_remove_row", "audit.get_audit"),
            *("privacy_data.post_privacy_export", "privacy_data.post_privacy_erase"),
            *("credentials.put_account_credentials", "credentials.delete_account_credentials"),
        ],
        "operator's token",
    ),
}
#: What an endpoint of the dashboard needs besides the CSRF token, which every POST needs.
DASHBOARD_NEEDS = {
    "static": "nothing",
    "show_login": "nothing",
    "preferences.set_language": "nothing",
    "sign_in": "password",
    **dict.fromkeys(
        [
            *("sign_out", "overview.show", "deliveries.index", "deliveries.search", "deliveries.show"),
            *("deliveries.show_preview", "jobs.index", "jobs.show", "events.index", "events.show", "accounts.show"),
            *("jobs.show_form", "jobs.show_mapping", "preferences.set_timezone"),
            *("settings.show", "stores.index", "stores.show", "privacy.index", "privacy.show"),
            *("tables.index", "tables.show", "tables.search", "personal_data.show", "credentials.show"),
        ],
        "user",
    ),
    **dict.fromkeys(
        [
            *("deliveries.retrigger", "deliveries.resolve", "deliveries.discard", "jobs.start"),
            *("jobs.stop", "jobs.resume", "events.retrigger", "accounts.pause", "accounts.resume", "accounts.test"),
            *("stores.resume", "privacy.dismiss", "privacy.erase", "privacy.export", "privacy.mark_done"),
            *("stores.catch_up", "stores.sync_webhooks", "corrections.enter", "corrections.withdraw"),
            *("tables.set_row", "tables.remove_row", "audit.show"),
            *("personal_data.search", "personal_data.export", "personal_data.erase_found"),
            *("credentials.replace", "credentials.withdraw"),
        ],
        "operator",
    ),
}
PARAMETERS = {
    "store_name": "tienda-mx",
    "store": "tienda-mx",
    "event_id": "1",
    "delivery_id": "1",
    "job_id": "1",
    "request_id": "1",
    "topic_name": "customers-redact",
    "account": "bodega",
    "table": "states",
    "name": "show.js",
    "filename": "icon.svg",
}


def dashboard_of(client: FlaskClient) -> Flask:
    app: Flask = client.application.extensions["dashboard"].get()
    return app


def routes(app: Flask) -> Iterator[tuple[str, str, set[str]]]:
    """Yield endpoint, path and methods of each route."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: PARAMETERS.get(match[1], ""), str(rule))
        yield rule.endpoint, path, set(rule.methods or ())


def service_routes(app: Flask) -> list[tuple[str, str, set[str]]]:
    return [route for route in routes(app) if route[0] != "dashboard.dispatch"]


def statuses(client: FlaskClient, path: str, methods: set[str], **options: Any) -> dict[str, int]:
    result = {}
    for method in sorted(methods):
        with client.open(path, method=method, **options) as response:
            result[method] = response.status_code
    return result


def test_every_route_of_the_service_is_known(service: Service) -> None:
    assert {endpoint for endpoint, _, _ in service_routes(service.client.application)} == NEEDS.keys()
    assert {endpoint for endpoint, _, _ in routes(dashboard_of(service.client))} == DASHBOARD_NEEDS.keys()


def test_no_method_of_the_service_does_anything_without_what_it_needs(service: Service) -> None:
    refusal = {"nothing": 200, "signature": 401, "metrics' token": 401, "viewer's token": 401, "operator's token": 401}
    for endpoint, path, methods in service_routes(service.client.application):
        expected = dict.fromkeys(sorted(methods), refusal[NEEDS[endpoint]])
        if not path.startswith("/api/"):
            expected["OPTIONS"] = 200  # names the methods
        assert statuses(service.client, path, methods) == expected, path
    assert service.api("/events").json["items"] == []


def test_methods_that_no_view_has_are_refused(service: Service) -> None:
    app = service.client.application
    paths: dict[str, set[str]] = {}
    for _, path, methods in [*service_routes(app), *routes(dashboard_of(service.client))]:
        paths.setdefault(path, set()).update(methods)
    for path, methods in paths.items():
        by_method = statuses(service.client, path, set(METHODS) - methods)
        for method, status in by_method.items():  # pages ask for a sign-in before anything else
            assert status in ({302, 405} if method in ("GET", "HEAD", "POST") else {405}), (method, path)


def test_every_view_of_the_dashboard_has_one_purpose(service: Service) -> None:
    """A view that reads does not change: none takes both GET (and with it HEAD) and POST."""
    for endpoint, _, methods in routes(dashboard_of(service.client)):
        assert methods in ({"GET", "HEAD", "OPTIONS"}, {"POST", "OPTIONS"}), endpoint


def test_no_page_is_shown_to_strangers(service: Service) -> None:
    create_mixed_deliveries(service)
    for endpoint, path, methods in routes(dashboard_of(service.client)):
        stranger = visit(service, VERA)
        for method in sorted(methods):
            response = stranger.client.open(path, method=method)
            response.close()
            if method == "POST":  # without a CSRF token
                assert (response.status_code, response.headers["Location"]) == (302, "/"), path
            elif DASHBOARD_NEEDS[endpoint] == "nothing" or method == "OPTIONS":  # which only names methods
                assert response.status_code == 200, path
            else:
                assert (response.status_code, response.headers["Location"].partition("?")[0]) == (302, "/login"), path
        if "POST" in methods:  # with one
            response = stranger.post(path, note="n", name="vera", password="wrong")
            expected = 401 if endpoint == "sign_in" else 302
            assert response.status_code == expected, path
            assert "Set-Cookie" not in response.headers, path
    assert service.deliveries(state="parked")[0]["id"] == "1"


def test_no_method_changes_anything_for_a_viewer(service: Service) -> None:
    create_mixed_deliveries(service)
    vera = visit(service, VERA)
    vera.sign_in(PASSWORD, "vera")
    for endpoint, path, methods in routes(dashboard_of(vera.client)):
        if endpoint == "sign_out":
            continue
        response = vera.post(path, note="n", force="1") if "POST" in methods else vera.get(path)
        response.close()
        is_change = DASHBOARD_NEEDS[endpoint] == "operator"
        assert (response.status_code == 403) == is_change, path
    assert service.deliveries(state="parked")[0]["id"] == "1"


def test_operator_changes_nothing_without_a_csrf_token(service: Service) -> None:
    create_mixed_deliveries(service)
    ana = visit(service, ANA)
    ana.sign_in(PASSWORD, "ana")
    for _, path, methods in routes(dashboard_of(ana.client)):
        if "POST" in methods:
            response = ana.client.post(path, data={"note": "n", "as": "discarded"})
            assert (response.status_code, response.headers["Location"]) == (302, "/"), path
    assert ana.get("/").status_code == 200
    assert service.deliveries(state="parked")[0]["id"] == "1"


@pytest.mark.parametrize("name", ["", "ana"])
def test_head_does_not_sign_in(service: Service, name: str) -> None:
    visitor = visit(service, ANA)
    form = {"name": name, "password": PASSWORD if name else ADMIN_TOKEN}
    for options in ({"data": form}, {"query_string": form}):
        response = visitor.client.head("/login", **options)
        assert (response.status_code, visitor.get("/").status_code) == (200, 302)


# Tokens


READER = ApiToken(name="reader", digest=digest_token("el-token-de-quien-solo-lee-pedidos"))
ACTOR = ApiToken(name="actor", digest=digest_token("el-token-de-quien-tambien-actua-00"), role="operator")
BEARERS = {
    READER: "Bearer el-token-de-quien-solo-lee-pedidos",
    ACTOR: "Bearer el-token-de-quien-tambien-actua-00",
}


def client_with_tokens(service: Service, *tokens: ApiToken, **environment: Any) -> FlaskClient:
    """A client of the service with these tokens in its configuration."""
    settings = service.runtime.settings
    settings = replace(settings, tokens=tokens, environment=replace(settings.environment, **environment))
    return create_app(replace(service.runtime, settings=settings)).test_client()


def test_a_viewers_token_reads_and_changes_nothing(service: Service) -> None:
    create_mixed_deliveries(service)
    client = client_with_tokens(service, READER)
    for endpoint, path, methods in service_routes(client.application):
        if not NEEDS[endpoint].endswith("r's token"):
            continue
        headers = {"Authorization": BEARERS[READER]}
        for method, status in statuses(client, path, methods - {"OPTIONS"}, headers=headers).items():
            is_allowed = NEEDS[endpoint] == "viewer's token"
            assert (status != 403) == is_allowed, (method, path)
            assert status not in {401, 429}, (method, path)
    assert service.deliveries(state="parked")[0]["id"] == "1"


def test_an_operators_token_acts_under_its_name(service: Service) -> None:
    create_mixed_deliveries(service)
    client = client_with_tokens(service, READER, ACTOR)
    for endpoint, path, methods in service_routes(client.application):
        if NEEDS[endpoint].endswith("r's token"):
            by_method = statuses(client, path, methods, headers={"Authorization": BEARERS[ACTOR]})
            assert not {401, 403, 429} & set(by_method.values()), path
    body = {"as": "discarded", "note": "n"}
    client.post("/api/deliveries/1/resolve", json=body, headers={"Authorization": BEARERS[ACTOR]})
    notes = service.api("/deliveries/1").json["notes"]
    assert {note["who"] for note in notes if note["who"]} == {"token:actor"}


def test_tokens_work_without_an_admin_token(service: Service) -> None:
    client = client_with_tokens(service, READER, admin_token=None)
    assert client.get("/api/stores", headers={"Authorization": BEARERS[READER]}).status_code == 200
    assert client.get("/api/stores", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": BEARERS[READER]}).status_code == 404


def test_a_hash_is_no_token(service: Service) -> None:
    client = client_with_tokens(service, READER)
    for text in (READER.digest, f"sha256:{READER.digest}", ""):
        assert client.get("/api/stores", headers={"Authorization": f"Bearer {text}"}).status_code == 401


def test_a_token_ends(service: Service) -> None:
    expires = service.clock() + timedelta(hours=1)
    client = client_with_tokens(service, replace(READER, expires=expires))
    headers = {"Authorization": BEARERS[READER]}
    assert client.get("/api/stores", headers=headers).status_code == 200
    service.clock.forward(3600)
    response = client.get("/api/stores", headers=headers)
    assert (response.status_code, response.get_json()["detail"]) == (401, "the token reader has expired")


def record_log(service: Service) -> tuple[FlaskClient, CapturingLogger]:
    """Return a client of the service at 203.0.113.77, and what the service logs."""
    log = CapturingLogger()
    client = create_app(replace(service.runtime, log=log)).test_client()
    client.environ_base["REMOTE_ADDR"] = "203.0.113.77"
    return client, log


@pytest.mark.parametrize(("path", "interface"), [("/api/deliveries", "api"), ("/metrics", "metrics")])
def test_wrong_tokens_are_logged_counted_and_limited(service: Service, path: str, interface: str) -> None:
    client, log = record_log(service)
    wrong = {"Authorization": "Bearer un-secreto-de-otro-sitio"}
    client.get(path, headers=wrong)
    client.get(path, headers=wrong)
    fields = {"interface": interface, "reason": "wrong token", "network": "203.0.113.0/24"}
    assert log.calls == [CapturedCall("warning", ("access_denied",), fields)] * 2
    responses = [client.get(path, headers=wrong) for _ in range(10)]
    assert [response.status_code for response in responses] == [401] * 8 + [429] * 2
    assert responses[-1].headers["Retry-After"] == "60"
    right = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    assert client.get(path, headers=right).status_code == 200  # whatever others at this address did
    metrics = client.get("/metrics", headers=right).text
    assert f'connector_access_denied_total{{interface="{interface}",reason="wrong token"}} 10.0' in metrics
    assert f'connector_access_denied_total{{interface="{interface}",reason="too many attempts"}} 2.0' in metrics


def test_wrong_signatures_are_logged_without_the_payload(service: Service) -> None:
    client, log = record_log(service)
    client.post("/webhooks/tienda-mx", data=b'{"email": "xime@example.com"}')
    client.post("/webhooks/tienda-mx", data=b"{}", headers={"X-Shopify-Hmac-Sha256": "other"})
    client.post("/webhooks/tienda-mx", data=b"{}", headers={"X-Shopify-Hmac-Sha256": "other"})
    client.post("/webhooks/Ximena", data=b"{}")
    reasons = ["signature_missing", "signature_wrong", "signature_wrong"]
    assert log.calls == [
        CapturedCall("warning", ("webhook_rejected",), {"store": "tienda-mx", "reason": reason}) for reason in reasons
    ]


def test_a_request_without_a_token_is_no_attempt(service: Service) -> None:
    client, log = record_log(service)
    assert {client.get("/api/deliveries").status_code for _ in range(40)} == {401}
    assert log.calls == []


def test_log_says_when_the_address_is_a_proxys(service: Service) -> None:
    client, log = record_log(service)
    client.get("/metrics", headers={"Authorization": "Bearer x", "X-Forwarded-For": "198.51.100.7"})
    [call] = log.calls
    assert call.kwargs["hint"] == "the address is the proxy's: TRUSTED_PROXIES is not set"
    assert call.kwargs["network"] == "203.0.113.0/24"


def test_log_lines_about_one_thing_are_limited(service: Service) -> None:
    wrong = {"Authorization": "Bearer x"}
    client, log = record_log(service)
    for _ in range(100):
        client.get("/metrics", headers=wrong)
    assert [call.kwargs["reason"] for call in log.calls] == ["wrong token"] * 10 + ["too many attempts"] * 30


# Addresses


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "address"),
    [
        ("10.0.0.0/8", "10.1.1.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.0/8", "10.1.1.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.0/8", "10.1.1.1", "198.51.100.1, 203.0.113.7, 10.2.2.2", "203.0.113.7"),
        ("10.0.0.0/8", "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.0/8", "10.1.1.1", "", "10.1.1.1"),
        ("10.0.0.0/8", "10.1.1.1", "198.51.100.1, unknown", "10.1.1.1"),
        ("10.0.0.0/8, 2001:db8::/32", "2001:db8::1", "[2001:db9::7]:4711", "2001:db9::7"),
        ("10.0.0.0/8", "::ffff:10.1.1.1", "203.0.113.7:4711", "203.0.113.7"),
        ("1", "10.1.1.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("2", "10.1.1.1", "198.51.100.1, 203.0.113.7, 192.0.2.1", "203.0.113.7"),
        ("2", "10.1.1.1", "203.0.113.7", "203.0.113.7"),
    ],
)
def test_addresses_are_believed_only_from_trusted_proxies(
    trusted: str, peer: str, forwarded: str, address: str
) -> None:
    proxies: Any = TrustedProxiesField().deserialize(trusted)
    assert client_address(peer, forwarded.split(","), proxies) == address


#: Their hashes are cheap, unlike the one that is verified for an unknown name.
MORE_USERS = [replace(ANA, name=f"user{number}") for number in range(100)]


@pytest.fixture
def behind_proxy(service: Service) -> Callable[..., Visitor]:
    """A browser behind the proxy 10.0.0.1, which the service trusts."""
    environment = replace(service.runtime.settings.environment, trusted_proxies=(ip_network("10.0.0.0/8"),))
    runtime = replace(service.runtime, settings=replace(service.runtime.settings, environment=environment))
    shared = visit(Service(runtime, service.client, service.clock, service.sandbox), ANA, *MORE_USERS)

    def browser(address: str) -> Visitor:
        client = shared.client.application.test_client()
        client.environ_base.update(REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=f"198.51.100.1, {address}")
        return Visitor(client)

    return browser


def fail(visitor: Visitor, name: str, times: int) -> list[int]:
    return [visitor.sign_in("wrong", name).status_code for _ in range(times)]


def test_a_stranger_locks_out_nobody_behind_the_same_proxy(behind_proxy: Callable[..., Visitor]) -> None:
    stranger = behind_proxy("203.0.113.7")
    assert fail(stranger, "ana", 12) == [401] * 10 + [429] * 2
    assert stranger.sign_in(PASSWORD, "ana").status_code == 429
    assert behind_proxy("203.0.113.8").sign_in(PASSWORD, "ana").status_code == 302


def test_addresses_of_one_ipv6_network_count_as_one(behind_proxy: Callable[..., Visitor]) -> None:
    failures = [fail(behind_proxy(f"2001:db8:0:7::{number}"), "ana", 1)[0] for number in range(1, 13)]
    assert failures == [401] * 10 + [429] * 2
    assert behind_proxy("2001:db8:0:8::1").sign_in(PASSWORD, "ana").status_code == 302


def test_attack_on_a_name_from_many_networks_is_slowed_and_keeps_nobody_out(
    behind_proxy: Callable[..., Visitor],
) -> None:
    for network in range(6):
        assert fail(behind_proxy(f"203.0.113.{network}"), "ana", 10) == [401] * 10
    assert fail(behind_proxy("203.0.113.99"), "ana", 4) == [401] * 3 + [429]
    assert behind_proxy("198.51.100.7").sign_in(PASSWORD, "ana").status_code == 302


def test_one_network_cannot_try_many_names(behind_proxy: Callable[..., Visitor]) -> None:
    stranger = behind_proxy("203.0.113.7")
    statuses = [fail(stranger, f"user{number}", 1)[0] for number in range(105)]
    assert (statuses[:100], statuses[-1]) == ([401] * 100, 429)


def test_the_admin_token_is_not_barred_by_failures_at_its_address(behind_proxy: Callable[..., Visitor]) -> None:
    visitor = behind_proxy("203.0.113.7")
    assert fail(visitor, "", 12)[-1] == 429
    assert visitor.sign_in().status_code == 302


def test_a_browser_that_was_signed_in_before_is_not_barred(behind_proxy: Callable[..., Visitor]) -> None:
    ana = behind_proxy("203.0.113.7")
    ana.sign_in(PASSWORD, "ana")
    ana.post("/logout")
    fail(behind_proxy("203.0.113.7"), "ana", 12)
    assert ana.sign_in(PASSWORD, "ana").status_code == 302
    ana.post("/logout")
    assert fail(ana, "ana", 12) == [401] * 10 + [429] * 2
