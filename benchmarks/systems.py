"""Starts whole systems that carry orders from webhook to Rayo: the connector, and its peers. It measures nothing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.destination import Destination
from benchmarks.orders import SECRET
from benchmarks.peers.registry import PEERS, REDIS_COMMAND, VENV, variables
from benchmarks.processes import (
    ROOT,
    connector,
    free_port,
    gunicorn,
    postgres,
    run,
    running,
    wait_until_ready,
    wait_until_there,
)
from benchmarks.stores import environment_of, write_configuration
from connector.worker.supervisor import WEB_THREADS

CONNECTORS = ("connector", "connector on PostgreSQL")
NODE_RED = "node-red"
UNKEPT = "nothing kept"
TIMEOUT_S = 20
#: `NODE_RED` names another place: `npm install --prefix <place>` with benchmarks/peers/nodered/package.json in it.
NODE_RED_HOME = Path(os.environ.get("NODE_RED", ROOT / "benchmarks" / "peers" / "nodered"))


class NotInstalledError(Exception):
    """What a system runs in is not on this machine."""


@dataclass(frozen=True, kw_only=True)
class System:
    port: int
    processes: list["subprocess.Popen[bytes]"]  # the ones to look at: servers of others are not among them


@contextmanager
def open_system(name: str, directory: Path, played: Destination, *, processes: int, in_flight: int) -> Iterator[System]:
    """Start `name` inside the block, with so many web processes, and so many orders under way at most."""
    directory = directory / "".join(letter for letter in name if letter.isalnum())
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    others = {NODE_RED: start_node_red, UNKEPT: start_unkept}
    starts = start_connector if name in CONNECTORS else others.get(name, start_peer)
    with ExitStack() as stack:
        yield starts(name, directory, played, processes=processes, in_flight=in_flight, stack=stack)


def start_connector(
    name: str, directory: Path, played: Destination, *, processes: int, in_flight: int, stack: ExitStack
) -> System:
    url = f"sqlite:///{directory / 'connector.db'}"
    if name != "connector":
        url = stack.enter_context(postgres(directory))
    configuration = write_configuration(
        directory, destination="rayo", base_url=played.url, concurrency=in_flight, timeout_s=TIMEOUT_S
    )
    port = free_port()
    environment = environment_of(configuration, url, port=port, processes=processes)
    serve = stack.enter_context(running(connector("serve"), directory=directory, name="serve", variables=environment))
    wait_until_ready(serve, port)
    return System(port=port, processes=[serve])


def start_unkept(
    name: str, directory: Path, played: Destination, *, processes: int, in_flight: int, stack: ExitStack
) -> System:
    """The connector's web processes and a bare loop, a socket between them: as if a queue cost nothing."""
    configuration = write_configuration(directory, destination="rayo", base_url=played.url, timeout_s=TIMEOUT_S)
    port, orders = free_port(), directory / "orders"
    environment = {
        **environment_of(configuration, f"sqlite:///{directory / 'connector.db'}", port=port, processes=processes),
        "ORDERS_TO": str(orders),
    }
    run(connector("migrate"), directory=directory, variables=environment)
    command = [sys.executable, "-m", "benchmarks.bare_loop", str(orders), str(in_flight)]
    loop = stack.enter_context(running(command, directory=directory, name="loop", variables=environment))
    wait_until_there(orders, loop)
    app = "benchmarks.apps.unkept:sent_on()"
    served = gunicorn(app, port=port, processes=processes, directory=directory, variables=environment)
    return System(port=port, processes=[stack.enter_context(served), loop])


def start_peer(
    name: str, directory: Path, played: Destination, *, processes: int, in_flight: int, stack: ExitStack
) -> System:
    peer = PEERS[name]
    if not VENV.exists():
        raise NotInstalledError("The peers have an environment of their own: see benchmarks/peers/registry.py.")
    server_url = ""
    if peer.server == "postgresql":
        server_url = stack.enter_context(postgres(directory))
    elif peer.server == "redis":
        server_url = stack.enter_context(redis(directory))
    environment = variables(
        secret=SECRET,
        rayo_url=played.url,
        folder=directory,
        concurrency=in_flight,
        timeout_s=TIMEOUT_S,
        server_url=server_url,
    )
    setup, worker = peer.setup_command(), peer.worker_command(concurrency=in_flight)
    if setup:
        run(setup, directory=directory, variables=environment)
    port = free_port()
    command = peer.web_command(port, processes=processes, threads=WEB_THREADS)
    started = [stack.enter_context(running(command, directory=directory, name="web", variables=environment))]
    if worker:
        started.append(stack.enter_context(running(worker, directory=directory, name="worker", variables=environment)))
    wait_until_ready(started[0], port)
    return System(port=port, processes=started)


def start_node_red(
    name: str, directory: Path, played: Destination, *, processes: int, in_flight: int, stack: ExitStack
) -> System:
    """One process, and no limit to what is under way: its nodes know neither."""
    program = NODE_RED_HOME / "node_modules" / "node-red" / "red.js"
    if not program.exists():
        raise NotInstalledError("Node-RED is not there: npm install --prefix benchmarks/peers/nodered")
    port = free_port()
    settings = ROOT / "benchmarks" / "peers" / "nodered" / "settings.js"
    command = ["node", str(program), "--settings", str(settings), "--userDir", str(directory)]
    environment = {"PORT": str(port), "WEBHOOK_SECRET": SECRET, "RAYO_URL": played.url, "RAYO_API_KEY": "key"}
    process = stack.enter_context(running(command, directory=directory, name=name, variables=environment))
    wait_until_ready(process, port)
    return System(port=port, processes=[process])


@contextmanager
def redis(directory: Path) -> Iterator[str]:
    if shutil.which(REDIS_COMMAND[0]) is None:
        raise NotInstalledError("This peer needs redis-server: on Debian, apt-get install redis-server.")
    port = free_port()
    command = [*REDIS_COMMAND, "--port", str(port), "--dir", str(directory)]
    with running(command, directory=directory, name="redis"):
        yield f"redis://127.0.0.1:{port}/0"
