"""Secrets and personal data stay in the database and the bodies: no log line, exception text or URL holds any."""

import logging
from typing import Any

import pytest
import structlog
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from connector.database.models import attempts
from tests.conftest import Service
from tests.delivery.test_order_versions import without_colonia
from tests.support.orders import SHOPIFY_SECRET, WOO_SECRET, shopify_order, woo_order

PERSONAL = ["Ximena", "Prueba", "Obregón", "5551234567", "55 5123 4567", "ximena@", "Tobías", "Ensayo", "Corrientes"]
SECRET = [SHOPIFY_SECRET, WOO_SECRET, "rayo-key", "lapyme-key", "eyJ"]  # a JWT begins with the last


def live_through_everything(service: Service) -> None:
    """Orders that are delivered, parked for each reason, repeated, refused at the door, retriggered."""
    service.post_shopify(shopify_order(1))
    service.post_shopify(without_colonia(2))
    misplaced = {**shopify_order()["shipping_address"], "zip": "Ximena"}
    service.post_shopify(shopify_order(9, shipping_address=misplaced))  # a problem that quotes it
    service.post_shopify({"id": 3, "shipping_address": {"name": "Ximena"}})
    service.post_woo(woo_order(4))
    service.client.post("/webhooks/tienda-mx", data=b'{"name": "Ximena"}', headers={"X-Shopify-Topic": "orders/paid"})
    service.carry_due()
    for destination, fault, options in [
        ("rayo", "process_then_drop", {}),
        ("rayo", "status", {"status": 400}),
        ("rayo", "token_status", {"status": 500}),
        ("lapyme", "status", {"status": 422}),
        ("lapyme", "garbage", {}),
        ("lapyme", "status", {"status": 401}),
    ]:
        service.sandbox.inject_fault(destination, fault, **options)
    service.sandbox.inject_fault("rayo", "expire_tokens")
    for number in range(5, 8):
        service.post_shopify(shopify_order(number))
        service.post_woo(woo_order(number))
    for _ in range(3):
        service.carry_due()
        service.clock.forward(700)
    for delivery in service.deliveries():
        service.api(f"/deliveries/{delivery['id']}/retrigger", json={"force": True, "note": "asked Ximena Prueba"})


def test_no_log_line_holds_secrets_or_personal_data(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("debug"))
    with capture_logs() as lines:
        live_through_everything(service)
    outcomes = {line.get("outcome") for line in lines}
    assert outcomes >= {"delivered", "refused", "ambiguous", "not_processed", "unauthorized"}
    logged = "\n".join([*map(repr, lines), *caplog.messages])
    assert [word for word in PERSONAL + SECRET if word in logged] == []


def test_no_request_line_holds_secrets_or_personal_data(service: Service) -> None:
    live_through_everything(service)
    urls = [f"{seen.path}?{seen.query}" for seen in service.sandbox.requests()]
    assert urls
    assert [word for word in PERSONAL + SECRET if word in "\n".join(urls)] == []


@pytest.mark.parametrize("path", ["/api/deliveries", "/api/events"])
def test_no_secret_is_ever_shown(service: Service, path: str) -> None:
    live_through_everything(service)
    shown: Any = service.api(path.removeprefix("/api")).get_data(as_text=True)
    assert [word for word in SECRET if word in shown] == []


def test_settings_print_no_secret(service: Service) -> None:
    shown = repr(service.runtime.settings)
    assert [word for word in [*SECRET[:4], "admin'"] if word in shown] == []


def test_no_error_of_the_database_tells_what_it_was_given(service: Service) -> None:
    service.post_woo(woo_order())
    row = {"delivery_id": 999, "number": 1, "started_at": service.clock(), "outcome": "x", "error": "Tobías Ensayo"}
    with pytest.raises(IntegrityError) as caught, service.database.write() as transaction:
        transaction.execute(insert(attempts).values(is_manual=False, **row))
    assert "Tobías" not in str(caught.value)
