"""The API's document: that it speaks of every route, and costs nothing until it is asked for; and its page."""

import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from connector.web.api.openapi import DOCS_DIRECTORY, openapi_path
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


def test_every_route_is_described_with_its_method(service: Service) -> None:
    app = create_app(service.runtime)
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(INTERFACES)]
    served = {
        (openapi_path(rule), method) for rule in rules for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    told = {(path, method.upper()) for path, methods in document(service)["paths"].items() for method in methods}
    assert told == served


def test_every_route_has_a_summary_that_is_a_sentence(service: Service) -> None:
    operations = [one for methods in document(service)["paths"].values() for one in methods.values()]
    assert [one["operationId"] for one in operations if not re.fullmatch(r"[A-Z].*\.", one["summary"])] == []


def test_what_acts_takes_an_idempotency_key(service: Service) -> None:
    posts = {path: methods["post"] for path, methods in document(service)["paths"].items() if "post" in methods}
    acting = {path for path, post in posts.items() if any(one["in"] == "header" for one in post["parameters"])}
    assert acting == {path for path in posts if path.startswith("/api") and not path.endswith("/preview")}


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


def test_nothing_is_imported_for_it_until_it_is_asked_for() -> None:
    program = "import sys, connector.web.app; sys.exit('apispec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
