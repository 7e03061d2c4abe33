"""The real service with a sandbox, and a real browser: Debian's Chromium, driven by Playwright."""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.security import generate_password_hash

from connector.core.signatures import sign
from connector.sandbox.demo_process import Interrupt, ServiceProcess, build_environment, run_service
from connector.sandbox.server import SandboxServer
from mappings import STOREFRONTS
from tests.support.api_access import add_api_access
from tests.support.orders import SHOPIFY_SECRET, WOO_SECRET, encode, shopify_order, woo_order
from tests.support.scenarios import without_colonia
from tests.support.service import CONFIGURATION, UUID

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PASSWORD = "vidriera-7"
USERS = f"""
[users.ana]
password_hash = "{generate_password_hash(PASSWORD)}"
role = "operator"

[users.vera]
password_hash = "{generate_password_hash(PASSWORD)}"
"""


@dataclass
class Site:
    """A running service and its stores."""

    service: ServiceProcess
    sandbox: SandboxServer
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def post_shopify(
        self, payload: dict[str, Any], topic: str = "orders/paid", *, event_id: str | None = None, **headers: str
    ) -> None:
        body = encode(payload)
        request_headers = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Event-Id": event_id or f"event-{next(self._numbers)}",
            "X-Shopify-Hmac-Sha256": sign(STOREFRONTS["shopify"].signature, SHOPIFY_SECRET, body),
            **headers,
        }
        assert self.service.api.post("/webhooks/tienda-mx", content=body, headers=request_headers).status_code == 200

    def post_woo(self, payload: dict[str, Any]) -> None:
        body = encode(payload)
        signature = sign(STOREFRONTS["woocommerce"].signature, WOO_SECRET, body)
        request_headers = {"X-WC-Webhook-Topic": "order.updated", "X-WC-Webhook-Signature": signature}
        request_headers["Content-Type"] = "application/json"
        assert self.service.api.post("/webhooks/tienda-ar", content=body, headers=request_headers).status_code == 200

    def wait_for(self, order: str, *states: str) -> dict[str, Any]:
        """Wait until the order's only delivery is in one of the states, and return it."""
        give_up_at = time.monotonic() + 30
        while time.monotonic() < give_up_at:
            [delivery] = self.service.get("/api/deliveries", order=order)["items"] or [{"state": None}]
            if delivery["state"] in states:
                matching: dict[str, Any] = delivery
                return matching
            time.sleep(0.1)
        raise AssertionError(f"order {order} is {delivery['state']}, and was to be {states}")

    def wait_for_webhooks(self) -> None:
        """Wait until the worker has made the WooCommerce store's webhooks."""
        give_up_at = time.monotonic() + 30
        while time.monotonic() < give_up_at:
            webhooks = self.service.get("/api/stores/tienda-ar")["webhooks"]
            if webhooks["managed_since"] and not webhooks["requested_at"]:
                assert (webhooks["problems"], webhooks["error"]) == ([], None)
                return
            time.sleep(0.1)
        raise AssertionError("the webhooks were not made")

    def live_a_little(self) -> None:
        """Create orders of every kind that the pages show."""
        self.sandbox.inject_fault("rayo", "process_then_drop", match="Prueba 1003")
        self.sandbox.inject_fault("rayo", "status", status=422, match="Prueba 1004")
        for number in (1001, 1002):
            self.post_shopify(without_colonia(number))
        for number in (1003, 1004, 1005, 1006):
            self.post_shopify(shopify_order(number), event_id=f"paid-{number}")
        self.post_shopify(shopify_order(1006), event_id="paid-1006")
        self.post_shopify(shopify_order(1007, test=True), **{"X-Shopify-Test": "true"})
        for number in (721, 722, 723):
            self.post_woo(woo_order(number))
        for number in range(1001, 1005):
            self.wait_for(f"#{number}", "parked")
        for order in ("#1005", "#1006", "721", "722", "723"):
            self.wait_for(order, "delivered")
        self.service.api.post("/api/stores/tienda-ar/webhooks/sync").raise_for_status()
        self.wait_for_webhooks()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        sandbox = stack.enter_context(SandboxServer())
        variables = build_environment(folder)
        urls = {"rayo": sandbox.url("rayo"), "lapyme": sandbox.url("lapyme")}
        secrets = {"shopify": SHOPIFY_SECRET, "woo": WOO_SECRET}
        configuration = CONFIGURATION.format(timeout_s=2, more="", uuid=UUID, **urls, **secrets) + USERS
        public_url = f"http://{variables['HOST']}:{variables['PORT']}"
        configuration = add_api_access(configuration, api_url=sandbox.url("woocommerce"), public_url=public_url)
        Path(variables["CONNECTOR_CONFIG"]).write_text(configuration, "utf-8")
        service = stack.enter_context(run_service(variables, folder / "service.log"))
        service.wait_until_ready(Interrupt())
        site = Site(service=service, sandbox=sandbox)
        site.live_a_little()
        yield site


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(site: Site, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page in a new browser context, signed in unless `who` is None. Console errors fail the test."""
    complaints: list[str] = []
    with ExitStack() as stack:

        def open_with(user: str | None = "ana", **options: Any) -> Page:
            context = chromium.new_context(base_url=site.service.url, **{"locale": "en-GB", **options})
            stack.callback(context.close)
            page = context.new_page()
            page.on(
                "console",
                lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None,
            )
            page.on("pageerror", lambda error: complaints.append(str(error)))
            if user is not None:
                sign_in(page, user)
            return page

        yield open_with
    assert complaints == []


def sign_in(page: Page, user: str) -> None:
    page.goto("/login")
    page.locator("input[name=name]").fill(user)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main button").click()
    page.wait_for_url("**/")
