"""Measures orders from the webhook to the destination: their ages and their number per second, against the peers.

Nothing fails here: `tests.chaos` covers failures.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks import orders
from benchmarks.destination import FakeDestination, run_destination
from benchmarks.load import percentile, post
from benchmarks.peers.registry import PEERS
from benchmarks.plots import draw
from benchmarks.report import Target, console, describe_machine, format_figure, median, print_table, write_result
from benchmarks.systems import CONNECTORS, NODE_RED, NOTHING_STORED, NotInstalledError, System, open_system

#: Without `naive`, which sends inside the request: `accept` compares with it.
SYSTEMS = (*CONNECTORS, *(name for name in PEERS if name != "naive"), NODE_RED, NOTHING_STORED)
#: The connector's orders per second, as a multiple of the peer's.
TARGETS = {"huey": 1.2, "celery": 2.0, "procrastinate": 2.5, "dbos": 5.0}
#: When no order has arrived for this long, the missing ones are lost.
LOST_AFTER_S = 15.0


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """The outcome of a number of posted orders."""

    posted: int
    arrived: int
    duplicates: int
    per_s: float  # from the first webhook to the last arrival
    p50_ms: float  # of their ages on arrival
    p99_ms: float


def measure_batch(
    system: System,
    destination: FakeDestination,
    directory: Path,
    *,
    first: int,
    count: int,
    connections: int,
    per_s: float = 0,
) -> BatchResult:
    """Post orders, and wait until they have arrived.

    Args:
        per_s: orders per second; 0 posts them as fast as they are accepted.
    """
    destination.reset()
    requests = orders.build_requests(first, count)
    posted = post(requests, directory, port=system.port, connections=connections, seconds=600, per_s=per_s)
    responses, arrivals, changed_at = 0, destination.arrivals(), time.monotonic()
    while len(arrivals) < posted.accepted and time.monotonic() - changed_at < LOST_AFTER_S:
        time.sleep(0.05)
        if (new_responses := destination.count_responses()) != responses:
            responses, changed_at = new_responses, time.monotonic()
        if responses >= posted.accepted:
            arrivals = destination.arrivals()
    arrivals = destination.arrivals()
    ages = sorted(arrival.first_ns - posted.started_ns[order - first] for order, arrival in arrivals.items())
    if not ages:
        raise RuntimeError("no order arrived")
    last_ns = max(arrival.first_ns for arrival in arrivals.values())
    return BatchResult(
        posted=posted.accepted,
        arrived=len(arrivals),
        duplicates=sum(arrival.times - 1 for arrival in arrivals.values()),
        per_s=len(arrivals) / ((last_ns - posted.started_ns[0]) / 1e9),
        p50_ms=percentile(ages, 50) / 1e6,
        p99_ms=percentile(ages, 99) / 1e6,
    )


def wait_for_first_arrival(system: System, destination: FakeDestination, directory: Path) -> None:
    """Post orders until one arrives, which shows that all parts of the system have started."""
    for number in range(100):
        post(orders.build_requests(number, 1), directory, port=system.port, connections=1, seconds=60)
        time.sleep(0.5)
        if destination.count_responses():
            return
    raise RuntimeError("no order arrives")


@dataclass(frozen=True, kw_only=True)
class Pace:
    processes: int
    in_flight: int
    response_ms: float
    orders: int
    per_s: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Run:
    burst: BatchResult  # posted as fast as they are accepted
    steady: BatchResult  # posted at a constant rate


def measure(name: str, pace: Pace) -> Run:
    with (
        TemporaryDirectory() as folder,
        run_destination(Path(folder), delay_ms=pace.response_ms) as destination,
        open_system(name, Path(folder), destination, processes=pace.processes, in_flight=pace.in_flight) as system,
    ):
        directory, connections = Path(folder), 16 * pace.processes
        wait_for_first_arrival(system, destination, directory)
        measure_batch(system, destination, directory, first=100, count=50, connections=connections)  # warm up
        burst = measure_batch(system, destination, directory, first=1_000, count=pace.orders, connections=connections)
        steady = measure_batch(
            system,
            destination,
            directory,
            first=1_000_000,
            count=round(pace.per_s * pace.seconds),
            connections=connections,
            per_s=pace.per_s,
        )
    return Run(burst=burst, steady=steady)


def calculate_multiple(runs: dict[str, list[Run]], name: str) -> float:
    """Return the connector's orders per second as a multiple of the system's, on the same engine if it has one."""
    connector_runs = runs.get("connector", [])
    if name in PEERS and PEERS[name].server == "postgresql":
        connector_runs = runs.get("connector on PostgreSQL") or connector_runs
    pairs = zip(connector_runs, runs[name], strict=True)
    return median(connector.burst.per_s / peer.burst.per_s for connector, peer in pairs)


def build_row(name: str, runs: dict[str, list[Run]]) -> list[str]:
    system_runs = runs[name]
    batches = [batch for run in system_runs for batch in (run.burst, run.steady)]
    target = Target(value=TARGETS[name], unit="x") if name in TARGETS else None
    return [
        name,
        f"{median(run.burst.per_s for run in system_runs):.0f}",
        "" if name in CONNECTORS or "connector" not in runs else format_figure(calculate_multiple(runs, name), target),
        *(f"{median(getattr(run.burst, figure) for run in system_runs):.0f}" for figure in ("p50_ms", "p99_ms")),
        *(f"{median(getattr(run.steady, figure) for run in system_runs):.0f}" for figure in ("p50_ms", "p99_ms")),
        str(sum(batch.posted - batch.arrived for batch in batches)),
        str(sum(batch.duplicates for batch in batches)),
    ]


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--system", "systems", multiple=True, type=click.Choice(SYSTEMS), help="System to measure. Default: all.")
@click.option("--processes", default=1, show_default=True, help="Web processes.")
@click.option("--in-flight", default=16, show_default=True, help="Maximum of orders in flight.")
@click.option("--response-ms", default=20.0, show_default=True, help="The destination's response time.")
@click.option("--orders", "count", default=1_000, show_default=True, help="Orders posted as fast as they are accepted.")
@click.option("--per-s", default=20.0, show_default=True, help="Orders per second at the steady rate.")
@click.option("--seconds", default=10.0, show_default=True, help="Duration of the steady rate.")
@click.option("--quick", is_flag=True, help="Run one short round of the connector, and store nothing.")
def main(
    rounds: int,
    systems: Sequence[str],
    processes: int,
    in_flight: int,
    response_ms: float,
    count: int,
    per_s: float,
    seconds: float,
    quick: bool,
) -> None:
    """Measure orders from webhook to destination, through the connector and through its peers."""
    pace = Pace(
        processes=processes,
        in_flight=in_flight,
        response_ms=response_ms,
        orders=100 if quick else count,
        per_s=per_s,
        seconds=1 if quick else seconds,
    )
    names = systems or (("connector",) if quick else SYSTEMS)
    machine = describe_machine()
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for round_number in range(1, 2 if quick else rounds + 1):
        for name in names:
            console.print(f"[dim]Round {round_number}: {name} …[/]")
            try:
                runs[name].append(measure(name, pace))
            except NotInstalledError as error:
                console.print(f"[yellow]Skipped. {error}[/]")
    runs = {name: system_runs for name, system_runs in runs.items() if system_runs}
    columns = [
        "",
        "orders/s",
        "connector's multiple",
        "p50 ms",
        "p99 ms",
        "steady p50 ms",
        "steady p99 ms",
        "lost",
        "duplicates",
    ]
    table = print_table("From webhook to destination", columns, [build_row(name, runs) for name in runs])
    if quick or systems:
        return
    figures = {name: [asdict(run) for run in system_runs] for name, system_runs in runs.items()}
    write_result("whole", figures, machine, tables=[table], rounds=rounds, **asdict(pace))
    draw("whole")


if __name__ == "__main__":
    main()
