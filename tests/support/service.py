"""A service in one process, as tests drive it: its configuration, clock, web client and worker."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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


CONFIGURATION = """
[stores.tienda-mx]
storefront = "shopify"
secrets = ["{shopify}"]

[stores.tienda-ar]
storefront = "woocommerce"
secrets = ["{woo}"]

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


@dataclass
class Clock:
    """The machine's clock, that a test can set forward."""

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
        """Post as Shopify does, each time as a new event unless `event_id` is given."""
        body = encode(payload)
        signature = sign(STOREFRONTS["shopify"].signature, SHOPIFY_SECRET, body)
        sent = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Event-Id": event_id or f"event-{next(self._numbers)}",
            "X-Shopify-Hmac-Sha256": signature,
            **headers,
        }
        return self.client.post("/webhooks/tienda-mx", data=body, headers=sent)

    def post_woo(self, payload: dict[str, Any], topic: str = "order.updated", **headers: str) -> Any:
        body = encode(payload)
        signature = sign(STOREFRONTS["woocommerce"].signature, WOO_SECRET, body)
        sent = {"X-WC-Webhook-Topic": topic, "X-WC-Webhook-Signature": signature, **headers}
        return self.client.post("/webhooks/tienda-ar", data=body, headers=sent, content_type="application/json")

    def forwarder(self) -> Worker:
        forwarder = Worker(self.runtime)
        forwarder.ensure_circuits()
        return forwarder

    def carry_due(self) -> int:
        """Carry what is due now, one after the other. Returns how many there were."""
        forwarder = self.forwarder()
        forwarder.run_duties()
        claimed = forwarder.claim_due()
        for delivery in claimed:
            forwarder.process(delivery)
        return len(claimed)

    def drain(self) -> None:
        """Carry all that is due, and what becomes due by it."""
        while self.carry_due():
            pass

    def api(self, path: str, **more: Any) -> Any:
        headers = {"Authorization": "Bearer admin"}
        method = "POST" if "json" in more else "GET"
        return self.client.open(f"/api{path}", method=method, headers=headers, **more)

    def deliveries(self, **filters: str) -> list[dict[str, Any]]:
        """All of them, oldest first."""
        items: list[dict[str, Any]] = self.api("/deliveries", query_string={"limit": "200", **filters}).json["items"]
        return items[::-1]

    def only_delivery(self) -> dict[str, Any]:
        [delivery] = self.deliveries()
        whole: dict[str, Any] = self.api(f"/deliveries/{delivery['id']}").json
        return whole
