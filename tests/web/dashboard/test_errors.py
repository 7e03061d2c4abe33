"""Errors as pages for people, and as JSON for programs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.service import Service
from tests.support.visitor import ANA, PASSWORD, VERA, Visitor, visit

pytestmark = pytest.mark.sqlite

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "es-AR"}


@pytest.mark.parametrize("path", ["/nope", "/deliveries/99", "/deliveries/1/2/3", "/stores/nope"])
def test_unknown_page_is_a_page_for_a_browser(ana: Visitor, path: str) -> None:
    response = ana.client.get(path, headers=BROWSER)
    assert (response.status_code, response.mimetype) == (404, "text/html")
    assert "Página no encontrada" in response.text
    assert 'href="/deliveries"' in response.text  # the menu


def test_stranger_who_mistypes_an_address_learns_that(service: Service) -> None:
    response = visit(service).client.get("/nope", headers=BROWSER)
    assert response.status_code == 404
    assert 'href="/deliveries"' not in response.text


@pytest.mark.parametrize(
    ("path", "accept"),
    [("/nope", "*/*"), ("/nope", "application/json"), ("/api/nope", BROWSER["Accept"]), ("/webhooks/x/y", "text/html")],
)
def test_unknown_path_is_json_for_a_program(service: Service, path: str, accept: str) -> None:
    response = service.client.get(path, headers={"Accept": accept})
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")


def test_refusals_are_pages_in_the_readers_language(service: Service) -> None:
    ana, vera = visit(service, ANA, VERA), visit(service, ANA, VERA)
    ana.sign_in(PASSWORD, "ana")
    vera.sign_in(PASSWORD, "vera")
    ana.language = vera.language = "es-MX"
    forbidden = vera.post("/accounts/bodega/pause", note="n")
    assert (forbidden.status_code, "No permitido" in forbidden.text) == (403, True)
    too_large = ana.post("/deliveries/search", q="x" * 300_000)
    assert (too_large.status_code, "Demasiado grande" in too_large.text) == (413, True)


@pytest.mark.parametrize("was_available", [True, False])
def test_page_says_that_the_database_is_unavailable(service: Service, was_available: bool) -> None:
    visitor = visit(service, ANA)
    visitor.language = "es"
    if was_available:
        visitor.sign_in(PASSWORD, "ana")
    with unavailable_database(service):
        response = visitor.get("/")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert "La base de datos no está disponible" in response.text
        assert "Set-Cookie" not in response.headers
        assert visitor.get("/assets/dashboard.css").status_code == 200
    assert visitor.get("/").status_code == (200 if was_available else 302)


@contextmanager
def unavailable_database(service: Service) -> Iterator[None]:
    """Put a folder in the place of the database's file."""
    file = Path(service.database.engine.url.database or "")
    service.database.disconnect()
    file.rename(file.with_suffix(".away"))
    file.mkdir()
    yield
    service.database.disconnect()
    file.rmdir()
    file.with_suffix(".away").rename(file)
