"""Measures whether an order costs more as the database grows, by delivered orders and by waiting orders.

The rows are copied by SQL from those of one order that the connector received and sent.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import psutil

from benchmarks import orders
from benchmarks.destination import run_destination
from benchmarks.filling import Filler
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
)
from benchmarks.report import Target, console, describe_machine, format_figure, median, print_table, write_result
from benchmarks.sending import SendingResult, cpu_s, measure_sending
from benchmarks.stores import build_environment, write_configuration

#: The cost of an order, as a multiple of its cost in the smallest database.
MAX_GROWTH = Target(value=1.2, at_most=True, unit="x")
IN_FLIGHT, CONNECTIONS = 16, 16


@dataclass(frozen=True, kw_only=True)
class Size:
    """The number of orders in a database."""

    varied: str  # the state that grows: "delivered", "pruned" or "waiting"
    delivered: int
    waiting: int
    pruned: int = 0

    @property
    def orders(self) -> int:
        return {"delivered": self.delivered, "pruned": self.pruned, "waiting": self.waiting}[self.varied]


@dataclass(frozen=True, kw_only=True)
class AcceptResult:
    """What a web process did."""

    orders: int
    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float  # per order
    pss_mb: float


@dataclass(kw_only=True)
class FilledDatabase:
    """A database of one size, and the measurements with it."""

    size: Size
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    size_mb: float = 0.0
    accepted: list[AcceptResult] = field(default_factory=list)
    sent: list[SendingResult] = field(default_factory=list)
    next_order: int = 1_000

    @property
    def filler(self) -> Filler:
        return Filler(url=self.environment["DATABASE_URL"])

    def accepted_median(self, figure: str) -> float:
        return median(getattr(result, figure) for result in self.accepted)

    def sent_median(self, figure: str) -> float:
        return median(getattr(result, figure) for result in self.sent)


def prepare(size: Size, directory: Path, body_bytes: int, server_url: str | None) -> FilledDatabase:
    """Have the connector receive and deliver an order, and copy its rows.

    Args:
        server_url: PostgreSQL's; None for SQLite.
    """
    directory.mkdir()
    database = FilledDatabase(size=size, directory=directory)
    url = f"sqlite:///{directory / 'connector.db'}"
    if server_url is not None:
        url = create_database(server_url, directory.name)
    with run_destination(directory) as destination:
        configuration = write_configuration(directory, destination="rayo", base_url=destination.url)
        database.environment = dict(build_environment(configuration, url, port=find_free_port()))
        run_command(connector_command("migrate"), directory=directory, environment=database.environment)
        measure_accepting(database, seconds=5, numbers=range(1, 2), body_bytes=body_bytes)
        database.filler.save_seed("waiting", orders.order_id(1))
        with run_process(
            connector_command("worker"), directory=directory, name="worker", environment=database.environment
        ):
            give_up_at = time.monotonic() + 60
            while database.filler.count_waiting() or not destination.count_responses():
                if time.monotonic() > give_up_at:
                    raise RuntimeError("the first order is not delivered")
                time.sleep(0.1)
            time.sleep(0.5)  # the outcome is recorded after the response
    database.filler.save_seed("delivered", orders.order_id(1))
    database.filler.fill("delivered", size.delivered)
    database.filler.fill("delivered", size.pruned, pruned=True)
    database.filler.fill("waiting", size.waiting)
    database.filler.settle()
    database.size_mb = database.filler.size_mb()
    return database


def measure_accepting(database: FilledDatabase, *, seconds: float, numbers: range, body_bytes: int) -> AcceptResult:
    port = find_free_port()
    app = "connector.web.app:create_wsgi()"
    with run_gunicorn(
        app, port=port, processes=1, directory=database.directory, environment=database.environment
    ) as gunicorn:
        if len(numbers) > 1:
            warm_up = orders.build_requests(numbers[0], 100, body_bytes=body_bytes)
            post(warm_up, database.directory, port=port, connections=CONNECTIONS, seconds=seconds)
            numbers = numbers[100:]
        (web,) = psutil.Process(gunicorn.pid).children()
        cpu_before_s = cpu_s([web])
        requests = orders.build_requests(numbers[0], len(numbers), body_bytes=body_bytes)
        posted = post(requests, database.directory, port=port, connections=CONNECTIONS, seconds=seconds)
        if posted.errors:
            raise RuntimeError(f"{posted.errors} orders were not accepted")
        return AcceptResult(
            orders=posted.accepted,
            per_s=posted.per_s,
            p50_ms=posted.p50_ms,
            p99_ms=posted.p99_ms,
            cpu_ms=(cpu_s([web]) - cpu_before_s) / posted.accepted * 1000,
            pss_mb=web.memory_full_info().pss / 1e6,
        )


def run_worker(database: FilledDatabase, seconds: float) -> SendingResult:
    with run_destination(database.directory) as destination:
        write_configuration(
            database.directory, destination="rayo", base_url=destination.url, concurrency=IN_FLIGHT, timeout_s=30
        )
        command = connector_command("worker")
        worker = run_process(command, directory=database.directory, name="worker", environment=database.environment)
        max_orders = database.filler.count_waiting() - 2 * IN_FLIGHT
        return measure_sending([worker], destination, skip=2 * IN_FLIGHT, max_orders=max_orders, seconds=seconds)


def measure_round(database: FilledDatabase, seconds: float, body_bytes: int) -> None:
    """Send orders, then receive some, then restore the number of waiting orders."""
    database.sent.append(run_worker(database, seconds))
    max_orders = int(1_500 * seconds)
    numbers = range(database.next_order, database.next_order + max_orders)
    database.next_order += max_orders
    database.accepted.append(measure_accepting(database, seconds=seconds, numbers=numbers, body_bytes=body_bytes))
    database.filler.fill("waiting", database.size.waiting - database.filler.count_waiting())
    database.filler.settle()


def build_rows(series: Sequence[FilledDatabase]) -> list[list[str]]:
    smallest = series[0]

    def format_multiple(cpu_ms: float, smallest_cpu_ms: float, database: FilledDatabase) -> str:
        return format_figure(cpu_ms / smallest_cpu_ms, None if database is smallest else MAX_GROWTH)

    return [
        [
            f"{database.size.orders:,} {database.size.varied}",
            f"{database.size_mb:.0f}",
            f"{database.accepted_median('per_s'):.0f}",
            f"{database.accepted_median('p99_ms'):.0f}",
            f"{database.accepted_median('cpu_ms'):.2f}",
            format_multiple(database.accepted_median("cpu_ms"), smallest.accepted_median("cpu_ms"), database),
            f"{database.accepted_median('pss_mb'):.0f}",
            f"{database.sent_median('per_s'):.0f}",
            f"{database.sent_median('cpu_ms'):.2f}",
            format_multiple(database.sent_median("cpu_ms"), smallest.sent_median("cpu_ms"), database),
            f"{database.sent_median('pss_mb'):.0f}",
        ]
        for database in series
    ]


def list_sizes(counts: Sequence[int], pruned: int, waiting: int) -> list[list[Size]]:
    """Return the series of sizes. Each starts with its smallest."""
    delivered_series = [Size(varied="delivered", delivered=count, waiting=waiting) for count in counts]
    if pruned:
        delivered_series.append(Size(varied="pruned", delivered=counts[0], pruned=pruned, waiting=waiting))
    waiting_series = [Size(varied="waiting", delivered=counts[0], waiting=count) for count in counts]
    return [delivered_series, waiting_series]


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=3.0, show_default=True, help="Duration of receiving orders, and of sending them.")
@click.option(
    "--orders",
    "counts",
    multiple=True,
    type=int,
    default=(1_000, 10_000, 100_000, 1_000_000),
    show_default=True,
    help="Orders in the database.",
)
@click.option("--pruned", default=0, help="Also measure with this number of pruned orders.")
@click.option("--waiting", default=3_000, show_default=True, help="Waiting orders while the delivered ones grow.")
@click.option("--body-bytes", default=0, help="Minimum size of a webhook. The sample has about 3,000, real ones 6,000.")
@click.option("--engine", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--quick", is_flag=True, help="Run one round with small databases, and store nothing.")
def main(
    rounds: int,
    seconds: float,
    counts: tuple[int, ...],
    pruned: int,
    waiting: int,
    body_bytes: int,
    engine: str,
    quick: bool,
) -> None:
    """Measure what an order costs as the database grows."""
    if quick:
        rounds, seconds, counts, pruned, waiting = 1, 0.5, (200, 400), 0, 200
    machine = describe_machine()
    all_series: list[list[FilledDatabase]] = []
    with TemporaryDirectory() as name, ExitStack() as stack:
        server_url = stack.enter_context(run_postgres(Path(name))) if engine == "postgresql" else None
        for number, sizes in enumerate(list_sizes(counts, pruned, waiting)):
            all_series.append([])
            for size in sizes:
                console.print(f"[dim]Preparing {size.orders:,} {size.varied} …[/]")
                directory = Path(name) / f"{number}-{size.varied}-{size.orders}"
                all_series[-1].append(prepare(size, directory, body_bytes, server_url))
        for round_number in range(1, rounds + 1):
            console.print(f"[dim]Round {round_number} …[/]")
            for series in all_series:
                for database in series:
                    measure_round(database, seconds, body_bytes)
    columns = ["", "MB", "accepted/s", "p99 ms", "CPU ms", "to the smallest", "PSS MB"]
    columns += ["sent/s", "CPU ms", "to the smallest", "PSS MB"]
    rows = [row for series in all_series for row in build_rows(series)]
    table = print_table("What an order costs as the database grows", columns, rows)
    if quick or engine != "sqlite":
        return
    figures = [[serialize_database(database) for database in series] for series in all_series]
    write_result(
        "growth",
        figures,
        machine,
        tables=[table],
        rounds=rounds,
        seconds=seconds,
        body_bytes=body_bytes,
        waiting=waiting,
    )
    draw("growth")


def serialize_database(database: FilledDatabase) -> dict[str, Any]:
    return {
        "size": {**asdict(database.size), "orders": database.size.orders},
        "size_mb": database.size_mb,
        "accepted": [asdict(result) for result in database.accepted],
        "sent": [asdict(result) for result in database.sent],
    }


if __name__ == "__main__":
    main()
