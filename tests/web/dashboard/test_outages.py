"""The overview's red banner, and what it shows before the first webhook."""

import re

import pytest
from sqlalchemy import insert

from connector.database.models import Circuit, StoreWebhooks
from connector.operations import actions
from connector.operations.restores import report_restore
from mappings.problems import Problem
from tests.support.orders import shopify_order
from tests.support.rows import execute_statements
from tests.support.service import Service
from tests.support.visitor import Visitor, text_of

pytestmark = pytest.mark.sqlite


def banner(ana: Visitor) -> str:
    """Return the texts of the banner; "" without one."""
    match = re.search(r'<section class="banner".*?</section>', ana.get("/").text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", match[0]).split()) if match else ""


def test_banner_names_what_is_down(service: Service, ana: Visitor) -> None:
    now = service.clock()
    problem = Problem(code="webhook_missing", params={"topic": "orders/paid"}).to_json()
    rejected = Problem(code="credentials_rejected").to_json()
    for number in (1, 2):
        service.post_shopify(shopify_order(number))
    execute_statements(
        service,
        insert(Circuit).values(account="bodega", opened_at=now, probe_at=now, reason=rejected),
        insert(StoreWebhooks).values(store="tienda-ar", checked_at=now, failed_since=now, problems=[problem]),
    )
    text = banner(ana)
    assert "No worker is running" in text
    assert re.search(r"credentials of account bodega are rejected .* 2 orders wait for this", text)
    assert "Webhooks of tienda-ar do not arrive:" in text


def test_banner_says_what_is_held_since_a_restore(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order())
    report_restore(service.runtime, actor="ana")
    assert "1 order may have been sent before that: it is held until somebody looks for it" in banner(ana)
    assert service.api("/deliveries/1/retrigger", json={"looked": True}).status_code == 202
    assert "restored" not in banner(ana)


def test_pause_is_no_outage(service: Service, ana: Visitor) -> None:
    actions.pause_account(service.runtime, "bodega", actor="ana", note="inventory")
    assert "bodega" not in banner(ana)


def test_first_run_shows_addresses_until_a_webhook_comes(service: Service, ana: Visitor) -> None:
    text = text_of(ana.get("/"))
    assert "No webhook has come yet" in text
    assert "http://localhost/webhooks/tienda-mx Copy" in text
    assert "Place an order and set it to “Processing”" in text
    assert "missing A worker is running" in text
    assert "✓ ready A route sends the orders of tienda-mx to an account." in text
    ana.language = "es-AR"
    assert "Todavía no llegó ningún webhook" in text_of(ana.get("/"))
    service.post_shopify(shopify_order(1))
    assert "Todavía no llegó" not in text_of(ana.get("/"))
