"""A service in one process, as tests drive it: its configuration, clock, web client and worker."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from connector.core.signatures import sign
from connector.database.engine import Database
from connector.runtime import Runtime
from connector.sandbox.server import SandboxServer
from connector.worker.worker import Worker
from mappings import STOREFRONTS
from tests.support.orders import SHOPIFY_SECRET, WOO_SECRET, encode

UUID = "6f1c8a52-0d4e-4b7e-9a53-3f6f2d6f1a01"
ADMIN_TOKEN = "ficha-de-las-pruebas-con-40-caracteres-00"


CONFIGURATION = """
[stores.tienda-mx]
storefront = "shopify"
secrets = ["{shopify}"]
since = "2026-01-01T00:00:00Z"

[stores.tienda-ar]
storefront = "woocommerce"
secrets = ["{woo}"]
since = "2026-01-01T00:00:00Z"

[accounts.bodega]
destination = "rayo"
api_key = "rayo-key"
base_url = "{rayo}"
timeout_s = {timeout_s}
breaker_failures = 50

[accounts.erp]
destination = "lapyme"
api_key = "lapyme-key"
base_url = "{lapyme}"
customer_id = "{uuid}"
assigned_warehouse_id = "{uuid}"
timeout_s = {timeout_s}
breaker_failures = 50
{more}

[[routes]]
from = "tienda-mx"
to = ["bodega"]

[[routes]]
from = "tienda-ar"
to = ["erp"]
"""


def write_configuration(
    folder: Path, sandbox: SandboxServer, *, timeout_s: float = 2, more: str = "", text: str = CONFIGURATION
) -> Path:
    """Write a configuration whose accounts point to the sandbox. Returns its path."""
    path = folder / "connector.toml"
    urls = {"rayo": sandbox.url("rayo"), "lapyme": sandbox.url("lapyme")}
    secrets = {"shopify": SHOPIFY_SECRET, "woo": WOO_SECRET}
    path.write_text(text.format(timeout_s=timeout_s, more=more, uuid=UUID, **urls, **secrets), "utf-8")
    return path


@dataclass
class Clock:
    """The machine's clock, which a test can advance."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@dataclass
class Service:
    runtime: Runtime
    client: FlaskClient
    clock: Clock
    sandbox: SandboxServer
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def database(self) -> Database:
        return self.runtime.database

    def post_shopify(
        self, payload: dict[str, Any], topic: str = "orders/paid", *, event_id: str | None = None, **headers: str
    ) -> Any:
        """Post a signed Shopify webhook, as a new event unless `event_id` is given."""
        body = encode(payload)
        signature = sign(STOREFRONTS["shopify"].signature, SHOPIFY_SECRET, body)
        request_headers = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Event-Id": event_id or f"event-{next(self._numbers)}",
            "X-Shopify-Hmac-Sha256": signature,
            **headers,
        }
        return self.client.post("/webhooks/tienda-mx", data=body, headers=request_headers)

    def post_woo(self, payload: dict[str, Any], topic: str = "order.updated", **headers: str) -> Any:
        body = encode(payload)
        signature = sign(STOREFRONTS["woocommerce"].signature, WOO_SECRET, body)
        request_headers = {"X-WC-Webhook-Topic": topic, "X-WC-Webhook-Signature": signature, **headers}
        return self.client.post(
            "/webhooks/tienda-ar", data=body, headers=request_headers, content_type="application/json"
        )

    def worker(self) -> Worker:
        worker = Worker(self.runtime)
        worker.ensure_circuits()
        return worker

    def deliver_due(self) -> int:
        """Deliver what is due now, one after the other. Returns the number of deliveries."""
        worker = self.worker()
        worker.run_duties()
        claimed = worker.claim_due()
        for delivery in claimed:
            worker.process(delivery)
        return len(claimed)

    def drain(self) -> None:
        """Deliver everything that is due, including what becomes due meanwhile."""
        while self.deliver_due():
            pass

    def api(self, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        method = "POST" if "json" in more else "GET"
        return self.client.open(f"/api{path}", method=method, headers=headers, **more)

    def deliveries(self, **filters: str) -> list[dict[str, Any]]:
        """Return all deliveries, oldest first."""
        items: list[dict[str, Any]] = self.api("/deliveries", query_string={"limit": "200", **filters}).json["items"]
        return items[::-1]

    def only_delivery(self) -> dict[str, Any]:
        [delivery] = self.deliveries()
        whole: dict[str, Any] = self.api(f"/deliveries/{delivery['id']}").json
        return whole
