"""The OpenAPI document and its page: every route is described, and the document is built lazily."""

import gc
import re
from dataclasses import replace
from typing import Any

import pytest
from apispec import APISpec

from connector.web.api.openapi import DOCS_DIRECTORY, build_document
from connector.web.app import create_app
from tests.support.orders import SHOPIFY_SECRET
from tests.support.service import Service

pytestmark = pytest.mark.sqlite

#: What programs talk to; the rest is for browsers.
INTERFACES = ("/api", "/webhooks", "/health", "/metrics", "/openapi.json")


def document(service: Service) -> dict[str, Any]:
    written: dict[str, Any] = service.client.get("/openapi.json").get_json()
    return written


def read(service: Service, path: str) -> Any:
    """A file, whole, and closed after."""
    with service.client.get(path) as answer:
        answer.get_data()
        return answer


def operations(service: Service) -> dict[tuple[str, str], dict[str, Any]]:
    """The operations of the document by path and method."""
    return {
        (path, method.upper()): operation
        for path, item in document(service)["paths"].items()
        for method, operation in item.items()
        if method != "parameters"  # those of the path
    }


def test_every_route_is_described_with_its_method(service: Service) -> None:
    app = create_app(service.runtime)
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(INTERFACES)]
    served = {
        (rule.rule.replace("<", "{").replace(">", "}"), method)
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert operations(service).keys() == served


def test_every_route_has_a_summary_that_is_a_sentence(service: Service) -> None:
    summaries = {operation["operationId"]: operation["summary"] for operation in operations(service).values()}
    assert [id_ for id_, summary in summaries.items() if not re.fullmatch(r"[A-Z].*\.", summary)] == []


def test_every_mutation_takes_an_idempotency_key(service: Service) -> None:
    posts = {path: operation for (path, method), operation in operations(service).items() if method == "POST"}
    with_key = {
        path
        for path, operation in posts.items()
        if any(parameter["in"] == "header" for parameter in operation.get("parameters", []))
    }
    assert with_key == {path for path in posts if path.startswith("/api") and not path.endswith("/preview")}


def test_every_operation_of_the_api_documents_its_token_and_common_errors(service: Service) -> None:
    for (path, _), operation in operations(service).items():
        if path.startswith("/api"):
            assert operation["security"] == [{"admin": []}]
            assert operation["responses"].keys() >= {"401", "404", "405", "503"}


def test_the_document_is_open_and_the_same_at_everybodys(service: Service) -> None:
    settings = service.runtime.settings
    bare = replace(settings, environment=replace(settings.environment, admin_token=None))
    elsewhere = create_app(replace(service.runtime, settings=bare)).test_client().get("/openapi.json")
    assert elsewhere.json == document(service)
    assert [word for word in ("tienda-mx", SHOPIFY_SECRET, "bodega") if word in elsewhere.text] == []


def test_the_page_shows_it_by_files_of_ours_alone(service: Service) -> None:
    page = read(service, "/docs")
    assert page.status_code == 200
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in page.headers["Content-Security-Policy"]
    asked_for = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert [read(service, path).status_code for path in asked_for] == [200] * 3
    assert "http" not in page.text
    assert {path.name for path in DOCS_DIRECTORY.iterdir()} >= {"LICENSE.swagger-ui.txt", "NOTICE.swagger-ui.txt"}
    assert read(service, "/docs/../health.py").status_code == 404


def test_nothing_is_built_for_it_until_it_is_requested(service: Service) -> None:
    def specifications() -> list[APISpec]:
        gc.collect()
        return [specification for specification in gc.get_objects() if isinstance(specification, APISpec)]

    build_document.cache_clear()
    before = len(specifications())
    client = create_app(service.runtime).test_client()
    assert client.get("/health/live").status_code == 200
    assert len(specifications()) == before
