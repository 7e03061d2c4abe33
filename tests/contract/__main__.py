"""`python -m tests.contract`: sends the real service requests that its OpenAPI document allows and many it does not.

Schemathesis generates the requests and checks the responses against `/openapi.json`. A seed repeats a run.
Exits with its status: 0 if every response matches the document.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from connector.core.signatures import sign
from connector.sandbox.server import SandboxServer
from mappings import STOREFRONTS
from tests.support.api_access import add_api_access
from tests.support.orders import SHOPIFY_SECRET, WOO_SECRET, encode, shopify_order, woo_order
from tests.support.service import CONFIGURATION, UUID

TOKEN = 4 * "contract"
READY_WITHIN_S = 30.0
CONFIG = Path(__file__).parent / "schemathesis.toml"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=40, help="requests of each kind to each call")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with (
        TemporaryDirectory(prefix="connector-contract-") as folder,
        SandboxServer() as sandbox,
        serve(Path(folder), sandbox) as url,
    ):
        create_sample_data(url, sandbox)
        return report_result(url, arguments.examples, arguments.seed, Path(folder))


@contextmanager
def serve(folder: Path, sandbox: SandboxServer) -> Iterator[str]:
    """Start the service in its own processes and return its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    urls = {"rayo": sandbox.url("rayo"), "lapyme": sandbox.url("lapyme")}
    values = {"timeout_s": 2, "more": "", "uuid": UUID, "shopify": SHOPIFY_SECRET, "woo": WOO_SECRET}
    configuration = add_api_access(
        CONFIGURATION.format(**values, **urls),
        api_url=sandbox.url("woocommerce"),
        public_url=f"http://127.0.0.1:{port}",
    )
    (folder / "connector.toml").write_text(configuration, "utf-8")
    environ = {
        **os.environ,
        "CONNECTOR_CONFIG": str(folder / "connector.toml"),
        "DATABASE_URL": f"sqlite:///{folder}/connector.db",
        "ADMIN_TOKEN": TOKEN,
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    command = [sys.executable, "-m", "connector", "serve"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=environ, stdout=log, stderr=log) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)


def wait_until_ready(url: str) -> None:
    give_up_at = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < give_up_at:
        try:
            if httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise TimeoutError("the service did not come up")


def create_sample_data(url: str, sandbox: SandboxServer) -> None:
    """Create delivered, refused, uncertain and unmappable orders, and ignored and duplicate webhooks."""
    sandbox.inject_fault("lapyme", "status", status=422)
    sandbox.inject_fault("rayo", "process_then_drop")
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        for number in range(1, 7):
            lame = {"shipping_address": None} if number == 4 else {}
            body = encode(shopify_order(number, **lame))
            headers = {
                "X-Shopify-Topic": "orders/paid" if number < 6 else "orders/create",
                "X-Shopify-Event-Id": f"event-{number // 2}",
                "X-Shopify-Hmac-Sha256": sign(STOREFRONTS["shopify"].signature, SHOPIFY_SECRET, body),
            }
            client.post("/webhooks/tienda-mx", content=body, headers=headers).raise_for_status()
            body = encode(woo_order(number))
            headers = {
                "X-WC-Webhook-Topic": "order.created",
                "X-WC-Webhook-Signature": sign(STOREFRONTS["woocommerce"].signature, WOO_SECRET, body),
            }
            client.post("/webhooks/tienda-ar", content=body, headers=headers).raise_for_status()
        give_up_at = time.monotonic() + READY_WITHIN_S
        admin = {"Authorization": f"Bearer {TOKEN}"}
        while client.get("/api/deliveries?state=waiting", headers=admin).json()["items"]:
            if time.monotonic() > give_up_at:
                raise TimeoutError("the orders did not settle")
            time.sleep(0.1)


def report_result(url: str, examples: int, seed: int, folder: Path) -> int:
    return subprocess.run(
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(CONFIG)),
            *("run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {TOKEN}"),
            # After ten wrong tokens a minute the service answers 429: tests/web/api/test_openapi.py tries them.
            *("--checks", "all", "--exclude-checks", "ignored_auth"),
            *("--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure"),
        ],
        cwd=folder,  # it writes its cache to the working directory
        env={**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
