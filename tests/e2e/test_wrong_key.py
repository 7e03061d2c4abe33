"""Five hundred orders behind a wrong key, with a service in processes of its own: all leave after the new key."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from connector.core.signatures import sign
from connector.sandbox.demo_process import Interrupt, ServiceProcess, build_environment, run_service
from connector.sandbox.server import SandboxServer
from mappings import STOREFRONTS
from tests.support.orders import SHOPIFY_SECRET, WOO_SECRET, encode, shopify_order
from tests.support.service import CONFIGURATION, UUID

pytestmark = pytest.mark.sqlite

ORDERS = int(os.environ.get("ORDERS", "500"))
WAIT_S = 120.0
OPEN_STATES = ("waiting", "sending", "parked")


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def post_order(service: ServiceProcess, number: int) -> None:
    body = encode(shopify_order(number))
    headers = {
        "X-Shopify-Topic": "orders/paid",
        "X-Shopify-Event-Id": f"event-{number}",
        "X-Shopify-Hmac-Sha256": sign(STOREFRONTS["shopify"].signature, SHOPIFY_SECRET, body),
    }
    service.api.post("/webhooks/tienda-mx", content=body, headers=headers).raise_for_status()


@pytest.mark.timeout(300)
def test_all_orders_behind_a_wrong_key_leave_after_the_new_one(tmp_path: Path, sandbox: SandboxServer) -> None:
    sandbox.inject_fault("rayo", "reject_key", match="rayo-key", times=None)
    variables = build_environment(tmp_path)
    urls = {"rayo": sandbox.url("rayo"), "lapyme": sandbox.url("lapyme")}
    secrets = {"shopify": SHOPIFY_SECRET, "woo": WOO_SECRET}
    configuration = CONFIGURATION.format(timeout_s=5, more="", uuid=UUID, **urls, **secrets)
    Path(variables["CONNECTOR_CONFIG"]).write_text(configuration, "utf-8")
    with run_service(variables, tmp_path / "service.log") as service:
        service.wait_until_ready(Interrupt())
        for number in range(1, ORDERS + 1):
            post_order(service, number)
        wait_for(lambda: service.get("/api/accounts")["items"][0]["state"] == "circuit open")
        body = {"credentials": {"api_key": "clave-nueva"}}
        service.api.put("/api/accounts/bodega/credentials", json=body).raise_for_status()
        wait_for(lambda: len(sandbox.orders("rayo")) == ORDERS)
        wait_for(lambda: service.get("/api/accounts")["items"][0]["deliveries"] == dict.fromkeys(OPEN_STATES, 0))
    assert len({order.body["consumidor_destino"]["nombre"] for order in sandbox.orders("rayo")}) == ORDERS
    assert "clave-nueva" not in (tmp_path / "service.log").read_text("utf-8")
