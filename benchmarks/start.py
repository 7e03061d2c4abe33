"""Measures the time from a start to the first accepted order, the processes' memory, and `connector map`."""

import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import psutil

from benchmarks import orders
from benchmarks.destination import run_destination
from benchmarks.load import post
from benchmarks.plots import draw
from benchmarks.processes import (
    connector_command,
    create_database,
    find_free_port,
    run_command,
    run_gunicorn,
    run_postgres,
    run_process,
    wait_until_ready,
)
from benchmarks.report import Target, console, describe_machine, format_figure, median, print_table, write_result
from benchmarks.stores import build_environment, write_configuration

MAX_FIRST_ORDER = Target(value=2.5, at_most=True, unit=" s")
MAX_AT_REST = Target(value=160, at_most=True, unit=" MB")
MAX_MAP = Target(value=0.6, at_most=True, unit=" s")
MAX_WAIT_S = 60.0


def seconds_to_first_order(command: list[str], directory: Path, environment: dict[str, str], number: int) -> float:
    """Return seconds from the start of the process to the first response that accepts an order."""
    (request,) = orders.build_requests(number, 1)
    port = int(environment["PORT"])
    started_s = time.monotonic()
    with run_process(command, directory=directory, name="start", environment=environment):
        while time.monotonic() - started_s < MAX_WAIT_S:
            if b"accepted" in post_once(port, request):
                return time.monotonic() - started_s
            time.sleep(0.005)
        raise RuntimeError(f"{command!r} accepted no order")


def post_once(port: int, request: bytes) -> bytes:
    """Return the response, or empty bytes without one."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=MAX_WAIT_S) as connection:
            connection.sendall(request)
            response = b""
            while b"}" not in response and (received := connection.recv(65_536)):
                response += received
            return response
    except OSError:
        return b""


def measure_first_order(rounds: int, engine: str) -> dict[str, list[float]]:
    """Return seconds to the first order: of an empty view, with a new database, and with an existing one."""
    seconds: dict[str, list[float]] = {"an empty view": [], "a new database": [], "an existing database": []}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        directory = Path(folder)
        server_url = stack.enter_context(run_postgres(directory)) if engine == "postgresql" else None
        configuration = write_configuration(directory, destination="rayo", base_url="http://127.0.0.1:9")
        numbers = count()
        for round_number in range(rounds):
            url = f"sqlite:///{directory / f'{round_number}.db'}"
            if server_url is not None:
                url = create_database(server_url, f"round_{round_number}")
            for name, times in seconds.items():
                environment = dict(build_environment(configuration, url, port=find_free_port()))
                command = connector_command("serve")
                if name == "an empty view":
                    command = empty_view_command("benchmarks.apps.empty:app", int(environment["PORT"]))
                times.append(seconds_to_first_order(command, directory, environment, next(numbers)))
    return seconds


def empty_view_command(app: str, port: int) -> list[str]:
    options = ["--worker-class", "gthread", "--threads", "8", "--no-control-socket"]
    return [sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}", *options]


def measure_memory(seconds: float, engine: str) -> dict[str, dict[str, float]]:
    """Return MB of each process (PSS divides shared pages), at rest and after `seconds` of load."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        directory = Path(folder)
        url = f"sqlite:///{directory / 'connector.db'}"
        if engine == "postgresql":
            url = stack.enter_context(run_postgres(directory))
        destination = stack.enter_context(run_destination(directory))
        port = find_free_port()
        configuration = write_configuration(directory, destination="rayo", base_url=destination.url)
        environment = build_environment(configuration, url, port=port)
        command = connector_command("serve")
        serve = stack.enter_context(run_process(command, directory=directory, name="serve", environment=environment))
        wait_until_ready(serve, port)
        post(orders.build_requests(0, 1), directory, port=port, connections=1, seconds=10)
        time.sleep(2)
        memory = {"at rest": pss_mb(serve)}
        post(orders.build_requests(1, int(1_500 * seconds)), directory, port=port, connections=16, seconds=seconds)
        memory["under load"] = pss_mb(serve)
    # Measured alone: processes that run at the same time share pages, so their PSS is smaller.
    return {**memory, "an empty view, at rest": measure_empty_view_memory()}


def measure_empty_view_memory() -> dict[str, float]:
    app = "benchmarks.apps.empty:app"
    with (
        TemporaryDirectory() as name,
        run_gunicorn(app, port=find_free_port(), processes=1, directory=Path(name)) as process,
    ):
        return pss_mb(process)


def pss_mb(started: "subprocess.Popen[bytes]") -> dict[str, float]:
    top = psutil.Process(started.pid)
    processes = [top, *top.children(recursive=True)]
    return {name_process(process): process.memory_full_info().pss / 1e6 for process in processes}


def name_process(process: psutil.Process) -> str:
    command = process.cmdline()
    if command[-1] == "serve":
        return "supervisor"
    if command[-1] == "worker":
        return "worker"
    return "gunicorn" if process.children() else "web process"


def measure_map(rounds: int) -> dict[str, list[float]]:
    """Return seconds of `connector map`, and of an empty Python program."""
    sample = str(orders.SAMPLES / "shopify.json")
    command = connector_command(
        "map", "--storefront", "shopify", "--destination", "rayo", "--set", "api_key=key", sample
    )
    seconds: dict[str, list[float]] = {"python": [], "map": []}
    with TemporaryDirectory() as directory:
        for _ in range(rounds + 1):
            for name, timed_command in (("python", [sys.executable, "-c", "pass"]), ("map", command)):
                started_s = time.monotonic()
                run_command(timed_command, directory=Path(directory), environment={})
                seconds[name].append(time.monotonic() - started_s)
    return {name: times[1:] for name, times in seconds.items()}  # the first run fills the disk's cache


@click.command()
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1))
@click.option(
    "--seconds", default=10.0, show_default=True, help="Duration of the load before memory is measured again."
)
@click.option("--engine", "engines", multiple=True, type=click.Choice(["sqlite", "postgresql"]), default=["sqlite"])
@click.option("--quick", is_flag=True, help="Run one round, and store nothing.")
def main(rounds: int, seconds: float, engines: tuple[str, ...], quick: bool) -> None:
    """Measure starts, memory, and `connector map`."""
    if quick:
        rounds, seconds = 1, 1.0
    machine = describe_machine()
    tables = []
    figures: dict[str, Any] = {"map_s": measure_map(rounds)}
    for engine in engines:
        first_order, memory = measure_first_order(rounds, engine), measure_memory(seconds, engine)
        figures[engine] = {"first_order_s": first_order, "memory_mb": memory}
        empty_s = median(first_order["an empty view"])
        rows = [
            [
                name,
                format_figure(median(times), MAX_FIRST_ORDER if name != "an empty view" else None),
                f"{median(times) / empty_s:.1f}",
            ]
            for name, times in first_order.items()
        ]
        title = f"From the start to the first accepted order, {engine}"
        tables.append(print_table(title, ["", "seconds", "multiple"], rows))
        tables.append(print_memory(memory, engine))
    map_s, python_s = median(figures["map_s"]["map"]), median(figures["map_s"]["python"])
    row = ["connector map", format_figure(map_s, MAX_MAP), f"{python_s:.2f} s", f"{map_s / python_s:.1f}"]
    tables.append(print_table("A command", ["", "seconds", "an empty Python program", "multiple"], [row]))
    if quick:
        console.print("[dim]Nothing is stored.[/]")
        return
    write_result("start", figures, machine, tables=tables, rounds=rounds, seconds=seconds)
    draw("start")


def print_memory(memory: dict[str, dict[str, float]], engine: str) -> dict[str, Any]:
    processes = list(memory["at rest"])
    rows = [
        [
            state,
            *(f"{sizes[process]:.0f}" if process in sizes else "" for process in processes),
            format_figure(sum(sizes.values()), MAX_AT_REST if state == "at rest" else None, digits=0),
        ]
        for state, sizes in memory.items()
    ]
    return print_table(f"Memory (PSS, MB) of one web process and the worker, {engine}", ["", *processes, "total"], rows)


if __name__ == "__main__":
    main()
