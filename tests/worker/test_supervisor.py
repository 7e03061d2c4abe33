"""`connector serve` as a user runs it: real gunicorn, real worker, real signals."""

import concurrent.futures
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.core.signatures import sign
from connector.sandbox.server import SandboxServer
from mappings import STOREFRONTS
from tests.support.orders import SHOPIFY_SECRET, WOO_SECRET, encode, shopify_order, woo_order
from tests.support.service import ADMIN_TOKEN


@dataclass
class RunningService:
    """A service in its own processes."""

    port: int
    environ: dict[str, str]
    folder: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "connector", "serve"], env=self.environ, stdout=log, stderr=log
            )
        wait_until(lambda: self.get("/health/ready").status_code == 200)

    def get(self, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=10)

    def deliveries(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get("/api/deliveries?limit=200").json()["items"]
        return items

    def post_shopify(self, payload: dict[str, Any], event_id: str) -> httpx.Response:
        body = encode(payload)
        headers = {
            "X-Shopify-Topic": "orders/paid",
            "X-Shopify-Event-Id": event_id,
            "X-Shopify-Hmac-Sha256": sign(STOREFRONTS["shopify"].signature, SHOPIFY_SECRET, body),
        }
        return httpx.post(f"http://127.0.0.1:{self.port}/webhooks/tienda-mx", content=body, headers=headers, timeout=10)

    def post_woo(self, payload: dict[str, Any]) -> httpx.Response:
        body = encode(payload)
        headers = {
            "X-WC-Webhook-Topic": "order.created",
            "X-WC-Webhook-Signature": sign(STOREFRONTS["woocommerce"].signature, WOO_SECRET, body),
        }
        return httpx.post(f"http://127.0.0.1:{self.port}/webhooks/tienda-ar", content=body, headers=headers, timeout=10)

    def worker_pid(self) -> int:
        """Return the process id of the worker."""
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                command = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if command[-2:-1] == [b"worker"] and parent == self.process.pid:
                    return int(entry.name)
        raise LookupError("no worker is running")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


def wait_until(is_so: Callable[[], bool], within_s: float = 60) -> None:
    give_up_at = time.monotonic() + within_s
    while True:
        with suppress(httpx.HTTPError, LookupError):
            if is_so():
                return
        assert time.monotonic() < give_up_at, "it did not come about in time"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def running_service(
    configure: Callable[..., Path], environ: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., RunningService]]:
    with ExitStack() as stack:

        def start(**more: str) -> RunningService:
            port = free_port()
            own = {"CONNECTOR_CONFIG": str(configure()), "PORT": str(port), "HOST": "127.0.0.1", "LEASE_S": "20"}
            service = RunningService(port=port, environ={**os.environ, **environ, **own, **more}, folder=tmp_path)
            stack.callback(lambda: service.process.poll() is None and service.end(signal.SIGKILL))
            service.start()
            return service

        yield start


def test_concurrent_posts_of_one_event_create_one_delivery(
    running_service: Callable[..., RunningService], sandbox: SandboxServer
) -> None:
    service = running_service(WEB_CONCURRENCY="3")
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        responses = list(pool.map(lambda _: service.post_shopify(shopify_order(), "one"), range(50)))
    assert [response.status_code for response in responses] == [200] * 50
    assert sorted(response.json()["status"] for response in responses) == ["accepted"] + ["duplicate"] * 49
    wait_until(lambda: [delivery["state"] for delivery in service.deliveries()] == ["delivered"])
    assert len(sandbox.orders("rayo")) == 1
    assert service.end() == 0


@pytest.mark.sqlite
def test_streamed_body_over_the_limit_is_refused(running_service: Callable[..., RunningService]) -> None:
    service = running_service()
    chunks = (b"x" * 65_536 for _ in range(40))
    response = httpx.post(f"http://127.0.0.1:{service.port}/webhooks/tienda-mx", content=chunks, timeout=10)
    assert response.status_code == 413
    assert service.end() == 0


def test_kill_9_and_restart_lose_and_duplicate_nothing(
    running_service: Callable[..., RunningService], sandbox: SandboxServer
) -> None:
    service = running_service()
    sandbox.inject_fault("lapyme", "latency", times=None, latency_s=0.15)
    for number in range(20):
        assert service.post_woo(woo_order(number)).status_code == 200
    wait_until(lambda: len(sandbox.orders("lapyme")) >= 3)
    os.kill(service.worker_pid(), signal.SIGKILL)
    service.end(signal.SIGKILL)
    sandbox.clear_faults()
    service.start()
    wait_until(lambda: {delivery["state"] for delivery in service.deliveries()} == {"delivered"})
    assert len(service.deliveries()) == 20
    assert len(sandbox.orders("lapyme")) == 20
    assert service.end() == 0


def test_sigterm_finishes_attempts_in_flight_and_releases_claims(
    running_service: Callable[..., RunningService], sandbox: SandboxServer
) -> None:
    service = running_service()
    sandbox.inject_fault("rayo", "latency", times=None, latency_s=1.0)
    for number in range(8):
        service.post_shopify(shopify_order(number), f"e{number}")
    wait_until(lambda: any(delivery["state"] == "sending" for delivery in service.deliveries()))
    assert service.end() == 0
    sandbox.clear_faults()
    service.start()
    wait_until(lambda: {delivery["state"] for delivery in service.deliveries()} == {"delivered"}, within_s=10)
    assert len(sandbox.orders("rayo")) == 8
    assert service.end() == 0


@pytest.mark.sqlite
def test_dead_worker_is_restarted(running_service: Callable[..., RunningService], sandbox: SandboxServer) -> None:
    service = running_service()
    wait_until(lambda: service.worker_pid() > 0)
    first = service.worker_pid()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: service.worker_pid() != first)
    service.post_shopify(shopify_order(), "e")
    wait_until(lambda: len(sandbox.orders("rayo")) == 1)
    assert service.end() == 0


@pytest.mark.sqlite
def test_crash_looping_worker_ends_the_service_with_an_error(running_service: Callable[..., RunningService]) -> None:
    service = running_service()
    killed: set[int] = set()
    give_up_at = time.monotonic() + 40
    while service.process.poll() is None and time.monotonic() < give_up_at:
        with suppress(LookupError, ProcessLookupError):
            worker_pid = service.worker_pid()
            os.kill(worker_pid, signal.SIGKILL)
            killed.add(worker_pid)
        time.sleep(0.05)
    assert service.process.wait(5) == 1
    assert len(killed) >= 5
    with pytest.raises(httpx.ConnectError):
        service.get("/health/live")


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("variables", "word"),
    [({"DATABASE_URL": "mysql://x/y"}, "postgres://"), ({"DYNO": "web.1"}, "DYNO")],
)
def test_settings_that_would_lose_orders_are_refused(
    configure: Callable[..., Path], environ: dict[str, str], variables: dict[str, str], word: str
) -> None:
    own = {**os.environ, **environ, "CONNECTOR_CONFIG": str(configure()), **variables}
    completed = subprocess.run([sys.executable, "-m", "connector", "serve"], env=own, capture_output=True, text=True)
    assert completed.returncode == 2
    assert word in completed.stderr


@pytest.mark.sqlite
def test_renamed_store_is_refused(
    configure: Callable[..., Path], environ: dict[str, str], running_service: Callable[..., RunningService]
) -> None:
    service = running_service()
    service.post_shopify(shopify_order(), "e")
    assert service.end() == 0
    path = configure()
    path.write_text(path.read_text("utf-8").replace("tienda-mx", "tienda-nueva"), "utf-8")
    completed = subprocess.run(
        [sys.executable, "-m", "connector", "serve"], env=service.environ, capture_output=True, text=True
    )
    assert completed.returncode == 2
    assert "tienda-mx" in completed.stderr


@pytest.mark.postgresql
def test_start_waits_for_an_unavailable_database(
    configure: Callable[..., Path], environ: dict[str, str], tmp_path: Path
) -> None:
    address, socket_directory = environ["DATABASE_URL"].split("?host=")
    away = tmp_path / "socket"
    own = {"CONNECTOR_CONFIG": str(configure()), "PORT": str(free_port()), "HOST": "127.0.0.1"}
    own["DATABASE_URL"] = f"{address}?host={away}"
    service = RunningService(port=int(own["PORT"]), environ={**os.environ, **environ, **own}, folder=tmp_path)
    with (tmp_path / "log").open("wb") as log:
        service.process = subprocess.Popen(
            [sys.executable, "-m", "connector", "serve"], env=service.environ, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: "database_away" in (tmp_path / "log").read_text())
        away.symlink_to(socket_directory)  # now the database is reachable
        wait_until(lambda: service.get("/health/ready").status_code == 200)
    finally:
        assert service.end() == 0
