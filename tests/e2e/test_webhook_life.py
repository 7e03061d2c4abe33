"""The life of WooCommerce's webhooks, with a service in processes of its own: made, given up in an outage, and back."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.sandbox.demo_process import build_environment, run_service
from connector.sandbox.registered_webhooks import StoreWebhook
from connector.sandbox.server import SandboxServer
from tests.support.commands import Command
from tests.support.orders import woo_order

CONFIGURATION = """
public_url = "PUBLIC_URL"

[stores.tienda-ar]
storefront = "woocommerce"
secrets = ["{woo}"]
since = "2026-01-01T00:00:00Z"
api_url = "SANDBOX/woocommerce"
api_token = "ck_clave:cs_secreto"
catch_up_lag_s = 0

[accounts.erp]
destination = "lapyme"
api_key = "lapyme-key"
base_url = "{lapyme}"
customer_id = "{uuid}"
assigned_warehouse_id = "{uuid}"

[[routes]]
from = "tienda-ar"
to = ["erp"]
"""
#: WooCommerce gives up a webhook that fails so often in a row.
FAILURES = 7
WAIT_S = 100.0


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def order(number: int) -> dict[str, Any]:
    """An order that has just been placed."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    return woo_order(number, date_created_gmt=now, date_modified_gmt=now)


def by_topic(sandbox: SandboxServer) -> dict[str, StoreWebhook]:
    return {webhook.topic: webhook for webhook in sandbox.webhooks.find_all("woocommerce")}


@pytest.mark.sqlite
@pytest.mark.timeout(400)
def test_webhooks_live_again_after_an_outage(
    tmp_path: Path, configure: Callable[..., Path], sandbox: SandboxServer
) -> None:
    variables = build_environment(tmp_path)
    url = f"http://{variables['HOST']}:{variables['PORT']}"
    text = CONFIGURATION.replace("SANDBOX", sandbox.url().rstrip("/")).replace("PUBLIC_URL", url)
    connector = Command(configuration=configure(text=text), environ=variables)

    with run_service(variables, tmp_path / "first.log"):
        wait_for(lambda: is_ready(url))
        assert connector("webhooks", "sync")[0] == 0
        sandbox.put_order("woocommerce", "", order(1))
        wait_for(lambda: len(sandbox.orders("lapyme")) == 1)
    made = by_topic(sandbox)

    for number in range(2, 2 + FAILURES):
        sandbox.put_order("woocommerce", "", order(number))
    assert sandbox.webhooks.wait_until_idle()
    given_up = {topic for topic, webhook in by_topic(sandbox).items() if webhook.status == "disabled"}
    assert given_up == {"order.created", "order.updated"}

    with run_service(variables, tmp_path / "second.log"):
        wait_for(lambda: [item.status for item in sandbox.webhooks.find_all("woocommerce")] == ["active"] * 4)
        webhooks = by_topic(sandbox)
        assert {topic for topic in webhooks if webhooks[topic].id != made[topic].id} == given_up
        assert webhooks["order.updated"].failures == 0
        next_order = 2 + FAILURES
        sandbox.put_order("woocommerce", "", order(next_order))
        assert sandbox.webhooks.wait_until_idle()
        assert [delivery.status for delivery in sandbox.webhooks.deliveries()[-2:]] == [200, 200]
        wait_for(lambda: len(sandbox.orders("lapyme")) >= next_order)  # the missed ones by catch-up
        assert connector("webhooks", "list")[0] == 0
    assert len(sandbox.orders("lapyme")) == next_order
