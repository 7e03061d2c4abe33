"""The pages about personal data, and a store's page when its app is gone."""

from collections.abc import Callable

import pytest

from connector.sandbox.server import SandboxServer
from tests.support.notices import EMAIL, NOTICE_CONFIGURATION, post_notice
from tests.support.service import Service
from tests.support.visitor import ANA, PASSWORD, VERA, Visitor, visit

pytestmark = pytest.mark.sqlite


@pytest.fixture
def shops(open_service: Callable[..., Service], sandbox: SandboxServer) -> Service:
    return open_service(text=NOTICE_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))


@pytest.fixture
def ana(shops: Service) -> Visitor:
    visitor = visit(shops, ANA, VERA)
    visitor.sign_in(PASSWORD, "ana")
    return visitor


def test_request_is_listed_shown_and_dismissed(shops: Service, ana: Visitor) -> None:
    id_ = post_notice(shops, "nube", "customers-redact").json["request"]
    listed = ana.get("/privacy").text
    assert "erasure of a customer" in listed
    assert EMAIL not in listed
    assert EMAIL in ana.get(f"/privacy/{id_}").text
    ana.post(f"/privacy/{id_}/dismiss", note="")
    assert shops.api(f"/privacy-requests/{id_}").json["state"] == "open"
    ana.post(f"/privacy/{id_}/dismiss", note="asked twice")
    request = shops.api(f"/privacy-requests/{id_}").json
    assert (request["state"], request["closed_by"], request["note"]) == ("dismissed", "ana", "asked twice")
    page = ana.get(f"/privacy/{id_}").text
    assert ("asked twice" in page, EMAIL in page) == (True, False)
    assert "asked twice" in ana.get("/audit?kind=close-request").text


def test_overdue_request_is_marked(shops: Service, ana: Visitor) -> None:
    post_notice(shops, "nube", "store-redact")
    assert "overdue" not in ana.get("/privacy").text
    shops.clock.forward(31 * 86_400)
    ana.sign_in(PASSWORD, "ana")
    assert "overdue" in ana.get("/privacy").text


def test_stopped_store_is_shown_and_resumed(shops: Service, ana: Visitor) -> None:
    assert "Resume" not in ana.get("/stores/nube").text
    post_notice(shops, "nube", "app-uninstalled")
    for path in ("/", "/stores", "/stores/nube"):
        assert "The app was uninstalled from the shop" in ana.get(path).text, path
    ana.post("/stores/nube/resume")
    assert shops.api("/stores/nube").json["stopped"] is None
    assert "The app was uninstalled from the shop" not in ana.get("/stores/nube").text


def test_request_is_erased_once_confirmed(shops: Service, ana: Visitor) -> None:
    id_ = post_notice(shops, "nube", "customers-redact").json["request"]
    ana.post(f"/privacy/{id_}/erase")
    assert shops.api(f"/privacy-requests/{id_}").json["state"] == "open"
    ana.post(f"/privacy/{id_}/erase", erase="yes")
    request = shops.api(f"/privacy-requests/{id_}").json
    assert (request["state"], request["closed_by"]) == ("done", "ana")


def test_copy_is_downloaded_and_handed_over(shops: Service, ana: Visitor) -> None:
    id_ = post_notice(shops, "nube", "customers-data-request").json["request"]
    assert "Erase now" not in ana.get(f"/privacy/{id_}").text
    response = ana.post(f"/privacy/{id_}/export")
    assert (response.mimetype, response.json["orders"]) == ("application/json", [])
    assert response.headers["Cache-Control"] == "no-store"
    ana.post(f"/privacy/{id_}/done", note="handed over")
    assert shops.api(f"/privacy-requests/{id_}").json["state"] == "done"


def test_viewer_has_no_forms(shops: Service) -> None:
    vera = visit(shops, VERA)
    vera.sign_in(PASSWORD, "vera")
    id_ = post_notice(shops, "nube", "customers-redact").json["request"]
    page = vera.get(f"/privacy/{id_}").text
    assert "Erase now" not in page
    assert vera.post(f"/privacy/{id_}/export").status_code == 403
