"""Starts complete systems that send orders from webhook to Rayo: the connector and its peers."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.destination import FakeDestination
from benchmarks.orders import SECRET
from benchmarks.peers.registry import PEERS, REDIS_COMMAND, VENV, build_peer_environment
from benchmarks.processes import (
    ROOT,
    connector_command,
    find_free_port,
    run_command,
    run_gunicorn,
    run_postgres,
    run_process,
    wait_for_file,
    wait_until_ready,
)
from benchmarks.stores import build_environment, write_configuration
from connector.web.gunicorn_worker import MAX_CONCURRENT_REQUESTS

CONNECTORS = ("connector", "connector on PostgreSQL")
NODE_RED = "node-red"
NOTHING_STORED = "nothing stored"
TIMEOUT_S = 20
#: The environment variable `NODE_RED` names another folder, with benchmarks/peers/nodered/package.json installed.
NODE_RED_HOME = Path(os.environ.get("NODE_RED", ROOT / "benchmarks" / "peers" / "nodered"))


class NotInstalledError(Exception):
    """Software that a system needs is not installed."""


@dataclass(frozen=True, kw_only=True)
class System:
    port: int
    processes: list["subprocess.Popen[bytes]"]  # without database and Redis servers


@contextmanager
def open_system(
    name: str, directory: Path, destination: FakeDestination, *, processes: int, in_flight: int
) -> Iterator[System]:
    """Run the system `name` until the block ends.

    Args:
        processes: its web processes.
        in_flight: the maximum of orders in flight.
    """
    directory = directory / "".join(letter for letter in name if letter.isalnum())
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    special = {NODE_RED: start_node_red, NOTHING_STORED: start_without_database}
    start = start_connector if name in CONNECTORS else special.get(name, start_peer)
    with ExitStack() as stack:
        yield start(name, directory, destination, processes=processes, in_flight=in_flight, stack=stack)


def start_connector(
    name: str, directory: Path, destination: FakeDestination, *, processes: int, in_flight: int, stack: ExitStack
) -> System:
    url = f"sqlite:///{directory / 'connector.db'}"
    if name != "connector":
        url = stack.enter_context(run_postgres(directory))
    configuration = write_configuration(
        directory, destination="rayo", base_url=destination.url, concurrency=in_flight, timeout_s=TIMEOUT_S
    )
    port = find_free_port()
    environment = {
        **build_environment(configuration, url, port=port, processes=processes),
        "WORKER_PROCESSES": "1",  # as the peers have
    }
    serve = stack.enter_context(
        run_process(connector_command("serve"), directory=directory, name="serve", environment=environment)
    )
    wait_until_ready(serve, port)
    return System(port=port, processes=[serve])


def start_without_database(
    name: str, directory: Path, destination: FakeDestination, *, processes: int, in_flight: int, stack: ExitStack
) -> System:
    """Start the connector's web processes and a bare loop, connected by a socket, as if a queue cost nothing."""
    configuration = write_configuration(directory, destination="rayo", base_url=destination.url, timeout_s=TIMEOUT_S)
    port, orders = find_free_port(), directory / "orders"
    environment = {
        **build_environment(configuration, f"sqlite:///{directory / 'connector.db'}", port=port, processes=processes),
        "ORDERS_TO": str(orders),
    }
    run_command(connector_command("migrate"), directory=directory, environment=environment)
    command = [sys.executable, "-m", "benchmarks.bare_loop", str(orders), str(in_flight)]
    loop = stack.enter_context(run_process(command, directory=directory, name="loop", environment=environment))
    wait_for_file(orders, loop)
    app = "benchmarks.apps.no_database:create_forwarding()"
    web = stack.enter_context(
        run_gunicorn(app, port=port, processes=processes, directory=directory, environment=environment)
    )
    return System(port=port, processes=[web, loop])


def start_peer(
    name: str, directory: Path, destination: FakeDestination, *, processes: int, in_flight: int, stack: ExitStack
) -> System:
    peer = PEERS[name]
    if not VENV.exists():
        raise NotInstalledError("The peers are not installed: see benchmarks/peers/registry.py.")
    server_url = ""
    if peer.server == "postgresql":
        server_url = stack.enter_context(run_postgres(directory))
    elif peer.server == "redis":
        server_url = stack.enter_context(run_redis(directory))
    environment = build_peer_environment(
        secret=SECRET,
        rayo_url=destination.url,
        folder=directory,
        concurrency=in_flight,
        timeout_s=TIMEOUT_S,
        server_url=server_url,
    )
    setup, worker = peer.setup_command(), peer.worker_command(concurrency=in_flight)
    if setup:
        run_command(setup, directory=directory, environment=environment)
    port = find_free_port()
    command = peer.web_command(port, processes=processes, threads=MAX_CONCURRENT_REQUESTS)
    started = [stack.enter_context(run_process(command, directory=directory, name="web", environment=environment))]
    if worker:
        started.append(
            stack.enter_context(run_process(worker, directory=directory, name="worker", environment=environment))
        )
    wait_until_ready(started[0], port)
    return System(port=port, processes=started)


def start_node_red(
    name: str, directory: Path, destination: FakeDestination, *, processes: int, in_flight: int, stack: ExitStack
) -> System:
    """Start one process without a limit of orders in flight: Node-RED's nodes have no option for either."""
    program = NODE_RED_HOME / "node_modules" / "node-red" / "red.js"
    if not program.exists():
        raise NotInstalledError("Node-RED is not installed: npm install --prefix benchmarks/peers/nodered")
    port = find_free_port()
    settings = ROOT / "benchmarks" / "peers" / "nodered" / "settings.js"
    command = ["node", str(program), "--settings", str(settings), "--userDir", str(directory)]
    environment = {"PORT": str(port), "WEBHOOK_SECRET": SECRET, "RAYO_URL": destination.url, "RAYO_API_KEY": "key"}
    process = stack.enter_context(run_process(command, directory=directory, name=name, environment=environment))
    wait_until_ready(process, port)
    return System(port=port, processes=[process])


@contextmanager
def run_redis(directory: Path) -> Iterator[str]:
    if shutil.which(REDIS_COMMAND[0]) is None:
        raise NotInstalledError("This peer needs redis-server: on Debian, apt-get install redis-server.")
    port = find_free_port()
    command = [*REDIS_COMMAND, "--port", str(port), "--dir", str(directory)]
    with run_process(command, directory=directory, name="redis"):
        yield f"redis://127.0.0.1:{port}/0"
