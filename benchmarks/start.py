"""How soon a started service takes its first order, how much memory its processes take, and how long `map` takes."""

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
import psutil  # type: ignore[import-untyped]

from benchmarks import orders
from benchmarks.destination import destination
from benchmarks.load import post
from benchmarks.plots import draw
from benchmarks.processes import (
    connector,
    create_database,
    free_port,
    gunicorn,
    postgres,
    run,
    running,
    wait_until_ready,
)
from benchmarks.report import Target, console, describe_machine, median, print_table, show, write_result
from benchmarks.stores import environment_of, write_configuration

FIRST_ORDER = Target(value=2.5, at_most=True, unit=" s")
AT_REST = Target(value=160, at_most=True, unit=" MB")
MAP = Target(value=0.6, at_most=True, unit=" s")
GIVE_UP_S = 60.0


def seconds_to_first_order(command: list[str], directory: Path, variables: dict[str, str], number: int) -> float:
    """From the start of the process to the answer to an order that was posted until it was taken."""
    (request,) = orders.requests(number, 1)
    port = int(variables["PORT"])
    began = time.monotonic()
    with running(command, directory=directory, name="start", variables=variables):
        while time.monotonic() - began < GIVE_UP_S:
            if b"accepted" in ask(port, request):
                return time.monotonic() - began
            time.sleep(0.005)
        raise RuntimeError(f"{command!r} takes no order")


def ask(port: int, request: bytes) -> bytes:
    """Post once. Returns the reply, empty when there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=GIVE_UP_S) as connection:
            connection.sendall(request)
            reply = b""
            while b"}" not in reply and (more := connection.recv(65_536)):
                reply += more
            return reply
    except OSError:
        return b""


def measure_first_order(rounds: int, engine: str) -> dict[str, list[float]]:
    """Seconds to the first order: of an empty view, of a new database, and of one that is there."""
    seconds: dict[str, list[float]] = {"an empty view": [], "a new database": [], "a database that is there": []}
    with TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        url = stack.enter_context(postgres(directory)) if engine == "postgresql" else None
        configuration = write_configuration(directory, destination="rayo", base_url="http://127.0.0.1:9")
        numbers = count()
        for round_ in range(rounds):
            fresh = f"sqlite:///{directory / f'{round_}.db'}"
            if url is not None:
                fresh = create_database(url, f"round_{round_}")
            for what, times in seconds.items():
                variables = dict(environment_of(configuration, fresh, port=free_port()))
                command = connector("serve")
                if what == "an empty view":
                    command = gunicorn_alone("benchmarks.apps.empty:app", int(variables["PORT"]))
                times.append(seconds_to_first_order(command, directory, variables, next(numbers)))
    return seconds


def gunicorn_alone(app: str, port: int) -> list[str]:
    options = ["--worker-class", "gthread", "--threads", "8", "--no-control-socket"]
    return [sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}", *options]


def measure_memory(seconds: float, engine: str) -> dict[str, dict[str, float]]:
    """MB of each process (PSS: what is shared is shared out), at rest, and when orders have come for `seconds`."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        url = f"sqlite:///{directory / 'connector.db'}"
        if engine == "postgresql":
            url = stack.enter_context(postgres(directory))
        played = stack.enter_context(destination(directory))
        port = free_port()
        configuration = write_configuration(directory, destination="rayo", base_url=played.url)
        variables = environment_of(configuration, url, port=port)
        serve = stack.enter_context(running(connector("serve"), directory=directory, name="serve", variables=variables))
        wait_until_ready(serve, port)
        post(orders.requests(0, 1), directory, port=port, connections=1, seconds=10)
        time.sleep(2)
        memory = {"at rest": pss_mb(serve)}
        post(orders.requests(1, int(1_500 * seconds)), directory, port=port, connections=16, seconds=seconds)
        memory["under load"] = pss_mb(serve)
    # Not beside the others: processes that run at once share pages, and would look smaller.
    return {**memory, "an empty view, at rest": measure_memory_of_empty()}


def measure_memory_of_empty() -> dict[str, float]:
    app = "benchmarks.apps.empty:app"
    with (
        TemporaryDirectory() as name,
        gunicorn(app, port=free_port(), processes=1, directory=Path(name)) as empty,
    ):
        return pss_mb(empty)


def pss_mb(started: "subprocess.Popen[bytes]") -> dict[str, float]:
    top = psutil.Process(started.pid)
    return {name_of(one): one.memory_full_info().pss / 1e6 for one in [top, *top.children(recursive=True)]}


def name_of(process: psutil.Process) -> str:
    command = process.cmdline()
    if command[-1] == "serve":
        return "supervisor"
    if command[-1] == "worker":
        return "forwarder"
    return "gunicorn" if process.children() else "web process"


def measure_map(rounds: int) -> dict[str, list[float]]:
    """Seconds of `connector map`, and of a Python that does nothing."""
    sample = str(orders.SAMPLES / "shopify.json")
    command = connector("map", "--storefront", "shopify", "--destination", "rayo", "--set", "api_key=key", sample)
    seconds: dict[str, list[float]] = {"python": [], "map": []}
    with TemporaryDirectory() as directory:
        for _ in range(rounds + 1):
            for what, started in (("python", [sys.executable, "-c", "pass"]), ("map", command)):
                began = time.monotonic()
                run(started, directory=Path(directory), variables={})
                seconds[what].append(time.monotonic() - began)
    return {what: times[1:] for what, times in seconds.items()}  # the first one fills the disk's cache


@click.command()
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=10.0, show_default=True, help="Of load, before memory is looked at again.")
@click.option("--engine", "engines", multiple=True, type=click.Choice(["sqlite", "postgresql"]), default=["sqlite"])
@click.option("--quick", is_flag=True, help="One round: only to see that it runs.")
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
            [what, show(median(times), FIRST_ORDER if "empty" not in what else None), f"{median(times) / empty_s:.1f}"]
            for what, times in first_order.items()
        ]
        title = f"From the start to the first order taken, {engine}"
        tables.append(print_table(title, ["", "seconds", "times an empty view"], rows))
        tables.append(print_memory(memory, engine))
    mapped, python = median(figures["map_s"]["map"]), median(figures["map_s"]["python"])
    row = ["connector map", show(mapped, MAP), f"{python:.2f} s", f"{mapped / python:.1f}"]
    tables.append(print_table("A command", ["", "seconds", "a Python that does nothing", "times that"], [row]))
    if quick:
        console.print("[dim]Nothing is kept.[/]")
        return
    write_result("start", figures, machine, tables=tables, rounds=rounds, seconds=seconds)
    draw("start")


def print_memory(memory: dict[str, dict[str, float]], engine: str) -> dict[str, Any]:
    parts = list(memory["at rest"])
    rows = [
        [
            when,
            *(f"{of[part]:.0f}" if part in of else "" for part in parts),
            show(sum(of.values()), AT_REST if when == "at rest" else None, digits=0),
        ]
        for when, of in memory.items()
    ]
    return print_table(
        f"Memory (PSS, MB) of one web process and the forwarder, {engine}", ["", *parts, "together"], rows
    )


if __name__ == "__main__":
    main()
