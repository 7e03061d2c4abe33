"""The OpenAPI document and its page: every route is described, and the document is built lazily."""

import gc
import re
from dataclasses import replace
from typing import Any

import pytest
from apispec import APISpec

from connector.web.api.docs import DIRECTORY
from connector.web.api.openapi import build_document
from connector.web.app import create_app
from tests.support.orders import SHOPIFY_SECRET
from tests.support.service import Service

pytestmark = pytest.mark.sqlite

#: What programs talk to; the rest is for browsers.
INTERFACES = ("/api", "/webhooks", "/health", "/metrics", "/openapi.json")


def openapi_document(service: Service) -> dict[str, Any]:
    parsed: dict[str, Any] = service.client.get("/openapi.json").get_json()
    return parsed


def read_body(service: Service, path: str, **headers: str) -> Any:
    """A file, whole, and closed after."""
    with service.client.get(path, headers=headers) as response:
        response.get_data()
        return response


def iter_operations(service: Service) -> dict[tuple[str, str], dict[str, Any]]:
    """The operations of the document by path and method."""
    return {
        (path, method.upper()): operation
        for path, item in openapi_document(service)["paths"].items()
        for method, operation in item.items()
        if method != "parameters"  # those of the path
    }


def test_every_route_and_method_is_documented(service: Service) -> None:
    app = create_app(service.runtime)
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(INTERFACES)]
    served = {
        (rule.rule.replace("<", "{").replace(">", "}"), method)
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert iter_operations(service).keys() == served


def test_every_route_has_a_summary_that_is_a_sentence(service: Service) -> None:
    summaries = {operation["operationId"]: operation["summary"] for operation in iter_operations(service).values()}
    assert [id_ for id_, summary in summaries.items() if not re.fullmatch(r"[A-Z].*\.", summary)] == []


def test_every_mutation_accepts_an_idempotency_key(service: Service) -> None:
    posts = {path: operation for (path, method), operation in iter_operations(service).items() if method == "POST"}
    with_key = {
        path
        for path, operation in posts.items()
        if any(parameter["in"] == "header" for parameter in operation.get("parameters", []))
    }
    changing = {path for path in posts if path.startswith("/api") and not path.endswith("preview")}
    # A repeated request about personal data does no harm, and the digest of its body could be guessed.
    assert with_key == {path for path in changing if not path.endswith(("/erase", "/export"))}


def test_every_api_operation_documents_token_and_common_errors(service: Service) -> None:
    for (path, _), operation in iter_operations(service).items():
        if path.startswith("/api"):
            [role] = operation["security"][0]["token"]
            assert operation["responses"].keys() >= {"401", "404", "405", "503"}
            assert ("403" in operation["responses"]) == (role == "operator")


def test_every_api_operation_needs_the_token(service: Service) -> None:
    operations = [(path, method) for path, method in iter_operations(service) if path.startswith("/api")]
    assert len(operations) > 15
    for path, method in operations:
        url = re.sub(r"\{\w+\}", "1", path)
        client = create_app(service.runtime).test_client()  # a new one has seen no wrong tokens
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert client.open(url, method=method, headers=headers).status_code == 401, f"{method} {path}"


def test_document_is_public_and_independent_of_configuration(service: Service) -> None:
    settings = service.runtime.settings
    bare = replace(settings, environment=replace(settings.environment, admin_token=None))
    elsewhere = create_app(replace(service.runtime, settings=bare)).test_client().get("/openapi.json")
    assert elsewhere.json == openapi_document(service)
    assert [word for word in ("tienda-mx", SHOPIFY_SECRET, "bodega") if word in elsewhere.text] == []


def test_documentation_page_uses_only_local_files(service: Service) -> None:
    page = read_body(service, "/docs")
    assert page.status_code == 200
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in page.headers["Content-Security-Policy"]
    linked_files = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    files = [read_body(service, path, **{"Accept-Encoding": "gzip"}) for path in linked_files]
    assert [file.status_code for file in files] == [200] * 3
    assert {file.headers["Content-Encoding"] for file in files} == {"gzip"}
    assert {file.headers["Cache-Control"] for file in files} == {"public, max-age=31536000, immutable"}
    assert "http" not in page.text
    assert {path.name for path in DIRECTORY.iterdir()} >= {"LICENSE.swagger-ui.txt", "NOTICE.swagger-ui.txt"}
    assert read_body(service, "/docs/../health.py").status_code == 404


def test_document_is_built_lazily(service: Service) -> None:
    def specifications() -> list[APISpec]:
        gc.collect()
        return [specification for specification in gc.get_objects() if isinstance(specification, APISpec)]

    build_document.cache_clear()
    before = len(specifications())
    client = create_app(service.runtime).test_client()
    assert client.get("/health/live").status_code == 200
    assert len(specifications()) == before
