"""What the dashboard's pages do not do: run foreign scripts, show secrets, load libraries early."""

import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from connector.database.sessions import load_cookie_key
from connector.web.dashboard.settings import settings_context
from tests.support.orders import SHOPIFY_SECRET, WOO_SECRET
from tests.support.scenarios import create_mixed_deliveries
from tests.support.service import ADMIN_TOKEN, Service
from tests.support.visitor import ANA, PAGES, PASSWORD_HASH, Visitor, visit

pytestmark = pytest.mark.sqlite  # tests/database/stats/test_overview.py reads both databases


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
    assert security_headers(ana.get("/assets/icon.svg")) == {**headers, "Cache-Control": "no-cache"}


def test_pages_have_no_inline_scripts_or_styles(service: Service, ana: Visitor) -> None:
    create_mixed_deliveries(service)
    for page in PAGES:
        assert (
            re.findall(r"<script(?![^>]*(?: src=|application/json))|<style| style=| on[a-z]+=", ana.get(page).text)
            == []
        )


def test_pages_contain_no_secrets(service: Service) -> None:
    create_mixed_deliveries(service)
    visitor = visit(service, ANA)
    visitor.sign_in("vidriera-7", "ana")
    html = "\n".join(visitor.get(page).text for page in PAGES)
    secrets = [SHOPIFY_SECRET, WOO_SECRET, "rayo-key", "lapyme-key", "eyJ", PASSWORD_HASH, ADMIN_TOKEN]
    secrets.append(load_cookie_key(service.database))
    assert [secret for secret in secrets if secret in html] == []
    assert "••••••" in html


def test_viewer_sees_no_password_in_an_address(service: Service) -> None:
    environment = replace(
        service.runtime.settings.environment,
        database_url="postgresql://ana:hush@db.example/pedidos?password=hush",
        otel_exporter_otlp_endpoint="https://ana:hush@otel.example:4318/v1?key=hush",
    )
    page = str(settings_context(replace(service.runtime.settings, environment=environment)))
    assert "hush" not in page
    assert "db.example/pedidos" in page
    assert "otel.example:4318/v1" in page


def test_importing_the_app_loads_no_dashboard_libraries() -> None:
    heavy = ["babel", "flask_babel", "flask_login", "flask_wtf", "jinja2.ext", "secure"]
    code = f"import sys, connector.web.app; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
