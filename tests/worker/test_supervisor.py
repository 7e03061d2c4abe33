"""`connector serve` as a user runs it: real gunicorn, real worker, real signals."""

import concurrent.futures
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.core.signatures import sign
from connector.sandbox.server import SandboxServer
from connector.worker.supervisor import MANY_DEATHS, gunicorn_command
from mappings import STOREFRONTS
from tests.support.orders import SHOPIFY_SECRET, WOO_SECRET, encode, shopify_order, woo_order
from tests.support.service import ADMIN_TOKEN, Service, write_configuration

#: Longer than a busy machine takes.
HTTP_TIMEOUT_S = 60
pytestmark = pytest.mark.timeout(400)  # on a busy machine a service takes a minute to start


def make_client() -> httpx.Client:
    """A client for all requests: `httpx.get` reads every certificate again, which takes longer than a response.

    It reuses no connection, because a service that was killed leaves none that works.
    """
    return httpx.Client(timeout=HTTP_TIMEOUT_S, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass
class RunningService:
    """A service in its own processes.

    Args:
        command: what is run, `connector serve` by default.
    """

    port: int
    environ: dict[str, str]
    folder: Path
    command: Sequence[str] = (sys.executable, "-m", "connector", "serve")
    process: subprocess.Popen[bytes] = field(init=False)
    client: httpx.Client = field(default_factory=make_client)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, env=self.environ, stdout=log, stderr=log)

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.get("/health/ready").status_code == 200)

    def get(self, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        return self.client.get(f"http://127.0.0.1:{self.port}{path}", headers=headers)

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
        return self.client.post(f"http://127.0.0.1:{self.port}/webhooks/tienda-mx", content=body, headers=headers)

    def post_woo(self, payload: dict[str, Any]) -> httpx.Response:
        body = encode(payload)
        headers = {
            "X-WC-Webhook-Topic": "order.created",
            "X-WC-Webhook-Signature": sign(STOREFRONTS["woocommerce"].signature, WOO_SECRET, body),
        }
        return self.client.post(f"http://127.0.0.1:{self.port}/webhooks/tienda-ar", content=body, headers=headers)

    def worker_pid(self) -> int:
        """Return the process id of a worker."""
        return self.worker_pids()[0]

    def worker_pids(self) -> list[int]:
        pids = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                command = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if command[-2:-1] == [b"worker"] and parent == self.process.pid:
                    pids.append(int(entry.name))
        if not pids:
            raise LookupError("no worker is running")
        return sorted(pids)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal. Return the exit status when the port is free."""
        self.process.send_signal(number)
        status = self.process.wait(60)
        # After SIGKILL gunicorn still ends its requests. Until then it would answer for the next service.
        wait_until(lambda: not is_listening(self.port))
        return status


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def wait_until(is_fulfilled: Callable[[], bool], within_s: float = 100) -> None:
    give_up_at = time.monotonic() + within_s
    while True:
        with suppress(httpx.HTTPError, LookupError):
            if is_fulfilled():
                return
        assert time.monotonic() < give_up_at, "the condition was not met in time"
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def ended(service: RunningService) -> Iterator[RunningService]:
    """Kill the service after the block, unless it has ended."""
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.end(signal.SIGKILL)
        service.client.close()


def build_environment(configuration: Path, environ: dict[str, str], port: int) -> dict[str, str]:
    own = {"CONNECTOR_CONFIG": str(configuration), "PORT": str(port), "HOST": "127.0.0.1", "LEASE_S": "20"}
    own |= {"WEB_CONCURRENCY": "1", "WORKER_PROCESSES": "1"}  # each process takes a second to start
    return {**os.environ, **environ, **own}


@pytest.fixture
def running_service(
    configure: Callable[..., Path], environ: dict[str, str], engine: str, migrated_sqlite: Path, tmp_path: Path
) -> Iterator[Callable[..., RunningService]]:
    """Start a service whose tables exist: the demo's tests start one that creates them."""
    if engine == "sqlite":
        shutil.copyfile(migrated_sqlite, tmp_path / "connector.db")
    with ExitStack() as stack:

        def start(**more: str) -> RunningService:
            port = free_port()
            own = build_environment(configure(), environ, port)
            service = RunningService(port=port, environ=own | more, folder=tmp_path)
            service.start()
            stack.enter_context(ended(service))
            service.wait_until_ready()
            return service

        yield start


@pytest.fixture(scope="module")
def web_server(
    migrated_sqlite: Path, sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """The web server of `connector serve` without a worker, for tests that are about requests alone."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copyfile(migrated_sqlite, folder / "connector.db")
    configuration = write_configuration(folder, sandbox_server)
    environ = {"DATABASE_URL": f"sqlite:///{folder}/connector.db", "ADMIN_TOKEN": ADMIN_TOKEN}
    port = free_port()
    service = RunningService(
        port=port,
        environ=build_environment(configuration, environ, port),
        folder=folder,
        command=gunicorn_command("127.0.0.1", port, 1),
    )
    service.start()
    with ended(service):
        service.wait_until_ready()
        yield service
        assert service.end() == 0


def test_concurrent_posts_of_one_event_create_one_delivery(
    running_service: Callable[..., RunningService], sandbox: SandboxServer
) -> None:
    service = running_service(WEB_CONCURRENCY="2")
    unavailable: list[httpx.Response] = []

    def post_until_taken(_: int) -> httpx.Response:
        """Repeat the post while the response is 503, as storefronts do: a busy database takes too long."""
        while (response := service.post_shopify(shopify_order(), "event")).status_code == 503:
            unavailable.append(response)
        return response

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        responses = list(pool.map(post_until_taken, range(50)))
    assert [response.status_code for response in responses] == [200] * 50
    statuses = Counter(response.json()["status"] for response in responses)
    # A change that took too long may have been committed, so that its repetition is a duplicate.
    assert statuses in [{"accepted": 1, "duplicate": 49}, *([{"duplicate": 50}] if unavailable else [])]
    wait_until(lambda: [delivery["state"] for delivery in service.deliveries()] == ["delivered"])
    assert len(sandbox.orders("rayo")) == 1
    assert service.end() == 0


def test_streamed_body_over_the_limit_is_refused(web_server: RunningService) -> None:
    chunks = (b"x" * 65_536 for _ in range(40))
    response = web_server.client.post(f"http://127.0.0.1:{web_server.port}/webhooks/tienda-mx", content=chunks)
    assert response.status_code == 413


def test_body_that_breaks_http_is_a_client_error_and_no_fault(web_server: RunningService) -> None:
    head = b"POST /webhooks/tienda-mx HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for chunks in (b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcX\r\n0\r\n\r\n", b"3\r\nabc\r\n0\r\nbad trailer\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", web_server.port), timeout=HTTP_TIMEOUT_S) as client:
            client.sendall(head + chunks)
            assert client.recv(4096).startswith(b"HTTP/1.1 400 ")
    log = (web_server.folder / "log").read_text()
    assert '"level":"error"' not in log
    assert "Traceback" not in log


def test_slow_connections_do_not_hold_up_webhooks(web_server: RunningService) -> None:
    assert web_server.get("/openapi.json").status_code == 200  # loads what the first such request loads
    starts = [
        b"POST /webhooks/tienda-mx HTTP/1.1\r\nHost: shop\r\n",
        b"POST /webhooks/tienda-mx HTTP/1.1\r\nHost: shop\r\nContent-Length: 90000\r\n\r\n{",
        b"GET /openapi.json HTTP/1.1\r\nHost: shop\r\n\r\n" * 40,  # the responses are more than the buffers hold
        b"",
    ]
    slow: list[socket.socket] = []
    try:
        for number in range(100):
            client = socket.socket()
            slow.append(client)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", web_server.port))
            client.sendall(starts[number % len(starts)])
        time.sleep(1)
        times = []
        for number in range(5):
            started_at = time.monotonic()
            assert web_server.post_shopify(shopify_order(number), f"event {number}").json()["status"] == "accepted"
            assert web_server.get("/health/ready").status_code == 200
            times.append(time.monotonic() - started_at)
        assert sorted(times)[2] < 4  # 2 s each
    finally:
        for client in slow:
            client.close()


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
    service.wait_until_ready()
    wait_until(lambda: {delivery["state"] for delivery in service.deliveries()} == {"delivered"})
    assert len(service.deliveries()) == 20
    assert len(sandbox.orders("lapyme")) == 20
    assert service.end() == 0


def test_sigterm_finishes_attempts_in_flight_and_releases_claims(
    running_service: Callable[..., RunningService], sandbox: SandboxServer
) -> None:
    service = running_service(LEASE_S="600")  # so that only released claims are delivered after the restart
    sandbox.inject_fault("rayo", "latency", times=None, latency_s=1.0)
    for number in range(8):
        service.post_shopify(shopify_order(number), f"e{number}")
    wait_until(lambda: any(delivery["state"] == "sending" for delivery in service.deliveries()))
    assert service.end() == 0
    sandbox.clear_faults()
    service.start()
    service.wait_until_ready()
    wait_until(lambda: {delivery["state"] for delivery in service.deliveries()} == {"delivered"})
    assert len(sandbox.orders("rayo")) == 8
    assert service.end() == 0


@pytest.mark.sqlite
def test_second_worker_delivers_while_the_first_is_replaced(
    running_service: Callable[..., RunningService], sandbox: SandboxServer
) -> None:
    service = running_service(WORKER_PROCESSES="2")
    wait_until(lambda: len(service.worker_pids()) == 2)
    killed, other = service.worker_pids()
    os.kill(killed, signal.SIGKILL)
    for number in range(8):
        service.post_shopify(shopify_order(number), f"e{number}")
    wait_until(lambda: {delivery["state"] for delivery in service.deliveries()} == {"delivered"})
    assert len(sandbox.orders("rayo")) == 8
    wait_until(lambda: len({*service.worker_pids()} - {killed, other}) == 1)
    assert service.end() == 0


@pytest.mark.sqlite
def test_dead_worker_is_restarted_and_webhooks_are_stored_while_it_keeps_dying(
    running_service: Callable[..., RunningService],
) -> None:
    service = running_service()
    wait_until(lambda: service.get("/health/ready").json()["worker"] == "running")
    killed: set[int] = set()
    give_up_at = time.monotonic() + 60
    while len(killed) < MANY_DEATHS and time.monotonic() < give_up_at:
        with suppress(LookupError, ProcessLookupError):
            worker_pid = service.worker_pid()
            os.kill(worker_pid, signal.SIGKILL)
            killed.add(worker_pid)
        time.sleep(0.05)
    wait_until(lambda: "worker_keeps_ending" in (service.folder / "log").read_text())
    assert service.process.poll() is None
    assert service.post_shopify(shopify_order(), "event").json()["status"] == "accepted"
    assert service.get("/health/ready").json() == {"status": "ok", "worker": "none"}
    wait_until(lambda: [delivery["state"] for delivery in service.deliveries()] == ["delivered"])
    wait_until(lambda: service.get("/health/ready").json()["worker"] == "running")
    assert service.end() == 0


def run_serve(configuration: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **environ, "CONNECTOR_CONFIG": str(configuration)}
    return subprocess.run([sys.executable, "-m", "connector", "serve"], env=variables, capture_output=True, text=True)


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("variables", "word"),
    [({"DATABASE_URL": "mysql://x/y"}, "postgres://"), ({"DYNO": "web.1"}, "DYNO")],
)
def test_settings_that_would_lose_orders_are_refused(
    configure: Callable[..., Path], environ: dict[str, str], variables: dict[str, str], word: str
) -> None:
    refusal = run_serve(configure(), {**environ, **variables})
    assert refusal.returncode == 2
    assert word in refusal.stderr


@pytest.mark.sqlite
def test_renamed_store_is_refused(service: Service, configure: Callable[..., Path], environ: dict[str, str]) -> None:
    service.post_shopify(shopify_order())
    path = configure()
    path.write_text(path.read_text("utf-8").replace("tienda-mx", "tienda-nueva"), "utf-8")
    refusal = run_serve(path, environ)
    assert refusal.returncode == 2
    assert "tienda-mx" in refusal.stderr


@pytest.mark.sqlite
def test_serve_says_where_it_is_when_it_is_ready(
    running_service: Callable[..., RunningService], tmp_path: Path
) -> None:
    service = running_service()
    wait_until(lambda: "ready" in (tmp_path / "log").read_text("utf-8"))
    lines = (tmp_path / "log").read_text("utf-8").splitlines()
    start = lines.index("The connector is ready. Ctrl-C stops it.")
    assert lines[start + 1].startswith(f"Dashboard: http://127.0.0.1:{service.port}/ (")
    assert f"  http://127.0.0.1:{service.port}/webhooks/tienda-mx" in lines[start:]


@pytest.mark.sqlite
def test_serve_exits_with_one_sentence_when_the_port_is_taken(
    configure: Callable[..., Path], environ: dict[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        own = build_environment(configure(), environ, port)
        command = [sys.executable, "-m", "connector", "serve"]
        refusal = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert (refusal.returncode, refusal.stdout) == (1, "")
    assert refusal.stderr == f"Port {port} on 127.0.0.1 is in use. Stop what listens there, or set PORT to another.\n"
    assert list(tmp_path.glob("connector.db*")) == []


@pytest.mark.postgresql
def test_start_waits_for_an_unavailable_database(
    configure: Callable[..., Path], environ: dict[str, str], tmp_path: Path
) -> None:
    address, socket_directory = environ["DATABASE_URL"].split("?host=")
    away = tmp_path / "socket"
    port = free_port()
    own = build_environment(configure(), environ, port) | {"DATABASE_URL": f"{address}?host={away}"}
    service = RunningService(port=port, environ=own, folder=tmp_path)
    service.start()
    try:
        wait_until(lambda: "database_away" in (tmp_path / "log").read_text())
        away.symlink_to(socket_directory)  # now the database is reachable
        service.wait_until_ready()
    finally:
        assert service.end() == 0
        service.client.close()
