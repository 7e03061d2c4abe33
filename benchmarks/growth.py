"""Whether an order costs more as the database grows, in orders that were delivered or in orders that wait.

The rows are made by SQL from a few that the connector made: it says nothing about how they came to be.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import psutil  # type: ignore[import-untyped]

from benchmarks import orders
from benchmarks.destination import destination
from benchmarks.filling import Filler
from benchmarks.forwarding import Forwarded, cpu_s, watch
from benchmarks.load import post
from benchmarks.plots import draw
from benchmarks.processes import connector, create_database, free_port, gunicorn, postgres, run, running
from benchmarks.report import Target, console, describe_machine, median, print_table, show, write_result
from benchmarks.stores import environment_of, write_configuration

#: Times what it costs in the smallest database.
FLAT = Target(value=1.2, at_most=True, unit="x")
IN_FLIGHT, CONNECTIONS = 16, 16


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much a database holds."""

    grows: str  # "delivered", "pruned" or "waiting"
    delivered: int
    waiting: int
    pruned: int = 0

    @property
    def orders(self) -> int:
        return {"delivered": self.delivered, "pruned": self.pruned, "waiting": self.waiting}[self.grows]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a web process did."""

    orders: int
    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float  # per order
    pss_mb: float


@dataclass(kw_only=True)
class Grown:
    """A database of one size, and what was measured on it."""

    size: Size
    directory: Path
    variables: dict[str, str] = field(default_factory=dict)
    size_mb: float = 0.0
    taken: list[Taken] = field(default_factory=list)
    forwarded: list[Forwarded] = field(default_factory=list)
    next_order: int = 1_000

    @property
    def filler(self) -> Filler:
        return Filler(url=self.variables["DATABASE_URL"])

    def of(self, what: str, name: str) -> float:
        return median(getattr(one, name) for one in getattr(self, what))


def prepare(size: Size, directory: Path, body_bytes: int, server: str | None) -> Grown:
    """Have the connector take, and carry, an order, and multiply it. `server` is PostgreSQL's address."""
    directory.mkdir()
    grown = Grown(size=size, directory=directory)
    url = f"sqlite:///{directory / 'connector.db'}"
    if server is not None:
        url = create_database(server, directory.name)
    with destination(directory) as played:
        configuration = write_configuration(directory, destination="rayo", base_url=played.url)
        grown.variables = dict(environment_of(configuration, url, port=free_port()))
        run(connector("migrate"), directory=directory, variables=grown.variables)
        take(grown, seconds=5, numbers=range(1, 2), body_bytes=body_bytes)
        grown.filler.keep_seed("waiting", orders.order_id(1))
        with running(connector("worker"), directory=directory, name="worker", variables=grown.variables):
            give_up_at = time.monotonic() + 60
            while grown.filler.count_waiting() or not played.answered():
                if time.monotonic() > give_up_at:
                    raise RuntimeError("the first order is not delivered")
                time.sleep(0.1)
            time.sleep(0.5)  # its outcome is recorded after its answer
    grown.filler.keep_seed("delivered", orders.order_id(1))
    grown.filler.fill("delivered", size.delivered)
    grown.filler.fill("delivered", size.pruned, pruned=True)
    grown.filler.fill("waiting", size.waiting)
    grown.filler.settle()
    grown.size_mb = grown.filler.size_mb()
    return grown


def take(grown: Grown, *, seconds: float, numbers: range, body_bytes: int) -> Taken:
    port = free_port()
    app = "connector.web.app:create_wsgi()"
    with gunicorn(app, port=port, processes=1, directory=grown.directory, variables=grown.variables) as started:
        if len(numbers) > 1:
            warm = orders.requests(numbers[0], 100, body_bytes=body_bytes)
            post(warm, grown.directory, port=port, connections=CONNECTIONS, seconds=seconds)
            numbers = numbers[100:]
        (web,) = psutil.Process(started.pid).children()
        cpu_before_s = cpu_s([web])
        made = orders.requests(numbers[0], len(numbers), body_bytes=body_bytes)
        posted = post(made, grown.directory, port=port, connections=CONNECTIONS, seconds=seconds)
        if posted.errors:
            raise RuntimeError(f"{posted.errors} orders were not taken")
        return Taken(
            orders=posted.accepted,
            per_s=posted.per_s,
            p50_ms=posted.p50_ms,
            p99_ms=posted.p99_ms,
            cpu_ms=(cpu_s([web]) - cpu_before_s) / posted.accepted * 1000,
            pss_mb=web.memory_full_info().pss / 1e6,
        )


def forward(grown: Grown, seconds: float) -> Forwarded:
    with destination(grown.directory) as played:
        write_configuration(
            grown.directory, destination="rayo", base_url=played.url, concurrency=IN_FLIGHT, timeout_s=30
        )
        command = connector("worker")
        process = running(command, directory=grown.directory, name="worker", variables=grown.variables)
        waiting = grown.filler.count_waiting()
        return watch([process], played, skip=2 * IN_FLIGHT, most=waiting - 2 * IN_FLIGHT, seconds=seconds)


def measure_round(grown: Grown, seconds: float, body_bytes: int) -> None:
    """Forward, then take orders in, then bring the backlog back to its size."""
    grown.forwarded.append(forward(grown, seconds))
    most = int(1_500 * seconds)
    numbers = range(grown.next_order, grown.next_order + most)
    grown.next_order += most
    grown.taken.append(take(grown, seconds=seconds, numbers=numbers, body_bytes=body_bytes))
    grown.filler.fill("waiting", grown.size.waiting - grown.filler.count_waiting())
    grown.filler.settle()


def table_rows(series: Sequence[Grown]) -> list[list[str]]:
    first = series[0]

    def beside_first(grown: Grown, what: str) -> str:
        times = grown.of(what, "cpu_ms") / first.of(what, "cpu_ms")
        return show(times, None if grown is first else FLAT)

    return [
        [
            f"{grown.size.orders:,} {grown.size.grows}",
            f"{grown.size_mb:.0f}",
            f"{grown.of('taken', 'per_s'):.0f}",
            f"{grown.of('taken', 'p99_ms'):.0f}",
            f"{grown.of('taken', 'cpu_ms'):.2f}",
            beside_first(grown, "taken"),
            f"{grown.of('taken', 'pss_mb'):.0f}",
            f"{grown.of('forwarded', 'per_s'):.0f}",
            f"{grown.of('forwarded', 'cpu_ms'):.2f}",
            beside_first(grown, "forwarded"),
            f"{grown.of('forwarded', 'pss_mb'):.0f}",
        ]
        for grown in series
    ]


def sizes(orders_: Sequence[int], pruned: int, usual: int) -> list[list[Size]]:
    """The series: each begins with the smallest."""
    delivered = [Size(grows="delivered", delivered=count, waiting=usual) for count in orders_]
    if pruned:
        delivered.append(Size(grows="pruned", delivered=orders_[0], pruned=pruned, waiting=usual))
    waiting = [Size(grows="waiting", delivered=orders_[0], waiting=count) for count in orders_]
    return [delivered, waiting]


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=3.0, show_default=True, help="Of taking orders, and of forwarding them, each time.")
@click.option(
    "--orders", "counts", multiple=True, type=int, default=(1_000, 10_000, 100_000, 1_000_000), show_default=True
)
@click.option("--pruned", default=0, help="Also this many whose bodies were pruned.")
@click.option("--usual", default=3_000, show_default=True, help="Orders that wait where the delivered ones grow.")
@click.option("--body-bytes", default=0, help="Of a webhook, at least; the sample has about 3,000, real ones 6,000.")
@click.option("--engine", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--quick", is_flag=True, help="One round of small databases: only to see that it runs.")
def main(
    rounds: int,
    seconds: float,
    counts: tuple[int, ...],
    pruned: int,
    usual: int,
    body_bytes: int,
    engine: str,
    quick: bool,
) -> None:
    """Measure what an order costs as the database grows."""
    if quick:
        rounds, seconds, counts, pruned, usual = 1, 0.5, (200, 400), 0, 200
    machine = describe_machine()
    all_series: list[list[Grown]] = []
    with TemporaryDirectory() as name, ExitStack() as stack:
        server = stack.enter_context(postgres(Path(name))) if engine == "postgresql" else None
        for number, series in enumerate(sizes(counts, pruned, usual)):
            all_series.append([])
            for size in series:
                console.print(f"[dim]{size.orders:,} {size.grows} are made …[/]")
                directory = Path(name) / f"{number}-{size.grows}-{size.orders}"
                all_series[-1].append(prepare(size, directory, body_bytes, server))
        for round_ in range(rounds):
            console.print(f"[dim]round {round_ + 1} …[/]")
            for grown in (one for series in all_series for one in series):
                measure_round(grown, seconds, body_bytes)
    columns = ["", "MB", "taken/s", "p99 ms", "CPU ms", "to the smallest", "PSS MB"]
    columns += ["forwarded/s", "CPU ms", "to the smallest", "PSS MB"]
    rows = [row for series in all_series for row in table_rows(series)]
    table = print_table("What an order costs as the database grows", columns, rows)
    if quick or engine != "sqlite":
        return
    figures = [
        [
            {
                "size": {**asdict(one.size), "orders": one.size.orders},
                "size_mb": one.size_mb,
                "taken": [asdict(taken) for taken in one.taken],
                "forwarded": [asdict(forwarded) for forwarded in one.forwarded],
            }
            for one in series
        ]
        for series in all_series
    ]
    write_result(
        "growth", figures, machine, tables=[table], rounds=rounds, seconds=seconds, body_bytes=body_bytes, usual=usual
    )
    draw("growth")


if __name__ == "__main__":
    main()
