"""How long orders take from the webhook to the destination, and how many a second do, against the peers.

It says nothing about what happens to them when something fails.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks import orders
from benchmarks.destination import Destination, destination
from benchmarks.load import percentile, post
from benchmarks.peers.registry import PEERS
from benchmarks.plots import draw
from benchmarks.report import Target, console, describe_machine, median, print_table, show, write_result
from benchmarks.systems import CONNECTORS, NODE_RED, UNKEPT, NotInstalledError, System, open_system

#: What forwards inside the request takes nothing in that it has not sent: `accept` compares with it.
SYSTEMS = (*CONNECTORS, *(name for name in PEERS if name != "naive"), NODE_RED, UNKEPT)
#: How many times as many orders a second as these the connector is wanted to carry.
TARGETS = {"huey": 1.2, "celery": 2.0, "procrastinate": 2.5, "dbos": 5.0}
#: No order has arrived for so long: those that are missing do not come any more.
LOST_AFTER_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What became of some orders that were posted."""

    posted: int
    arrived: int
    again: int  # arrivals of an order that had arrived
    per_s: float  # from the first webhook to the last arrival
    p50_ms: float  # of their ages on arrival
    p99_ms: float


def carry(
    system: System, played: Destination, directory: Path, *, first: int, number: int, connections: int, per_s: float = 0
) -> Carried:
    """Post `number` orders, as fast as they are taken or so many a second, and wait until they arrived."""
    played.forget()
    made = orders.requests(first, number)
    posted = post(made, directory, port=system.port, connections=connections, seconds=600, per_s=per_s)
    answered, arrivals, changed_at = 0, played.arrivals(), time.monotonic()
    while len(arrivals) < posted.accepted and time.monotonic() - changed_at < LOST_AFTER_S:
        time.sleep(0.05)
        if (now := played.answered()) != answered:
            answered, changed_at = now, time.monotonic()
        if answered >= posted.accepted:
            arrivals = played.arrivals()
    arrivals = played.arrivals()
    ages = sorted(arrival.first_ns - posted.began_ns[order - first] for order, arrival in arrivals.items())
    if not ages:
        raise RuntimeError("no order arrived")
    last_ns = max(arrival.first_ns for arrival in arrivals.values())
    return Carried(
        posted=posted.accepted,
        arrived=len(arrivals),
        again=sum(arrival.times - 1 for arrival in arrivals.values()),
        per_s=len(arrivals) / ((last_ns - posted.began_ns[0]) / 1e9),
        p50_ms=percentile(ages, 50) / 1e6,
        p99_ms=percentile(ages, 99) / 1e6,
    )


def wait_until_carried(system: System, played: Destination, directory: Path) -> None:
    """Until all parts of a system are there, as the first order that arrives shows."""
    for number in range(100):
        post(orders.requests(number, 1), directory, port=system.port, connections=1, seconds=60)
        time.sleep(0.5)
        if played.answered():
            return
    raise RuntimeError("no order is carried")


@dataclass(frozen=True, kw_only=True)
class Pace:
    processes: int
    in_flight: int
    answer_ms: float
    orders: int
    per_s: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Run:
    burst: Carried  # as fast as they are taken
    steady: Carried  # so many a second


def measure(name: str, pace: Pace) -> Run:
    with (
        TemporaryDirectory() as place,
        destination(Path(place), delay_ms=pace.answer_ms) as played,
        open_system(name, Path(place), played, processes=pace.processes, in_flight=pace.in_flight) as system,
    ):
        directory, connections = Path(place), 16 * pace.processes
        wait_until_carried(system, played, directory)
        carry(system, played, directory, first=100, number=50, connections=connections)  # what is slow once, is over
        burst = carry(system, played, directory, first=1_000, number=pace.orders, connections=connections)
        steady = carry(
            system,
            played,
            directory,
            first=1_000_000,
            number=round(pace.per_s * pace.seconds),
            connections=connections,
            per_s=pace.per_s,
        )
    return Run(burst=burst, steady=steady)


def ratio(runs: dict[str, list[Run]], name: str) -> float:
    """How many times as many orders a second the connector carried, on the same engine where there is one."""
    ours = runs.get("connector", [])
    if name in PEERS and PEERS[name].server == "postgresql":
        ours = runs.get("connector on PostgreSQL") or ours
    return median(one.burst.per_s / other.burst.per_s for one, other in zip(ours, runs[name], strict=True))


def table_row(name: str, runs: dict[str, list[Run]]) -> list[str]:
    mine = runs[name]
    target = Target(value=TARGETS[name], unit="x") if name in TARGETS else None
    return [
        name,
        f"{median(run.burst.per_s for run in mine):.0f}",
        "" if name in CONNECTORS or "connector" not in runs else show(ratio(runs, name), target),
        *(f"{median(getattr(run.burst, what) for run in mine):.0f}" for what in ("p50_ms", "p99_ms")),
        *(f"{median(getattr(run.steady, what) for run in mine):.0f}" for what in ("p50_ms", "p99_ms")),
        str(sum(of.posted - of.arrived for run in mine for of in (run.burst, run.steady))),
        str(sum(of.again for run in mine for of in (run.burst, run.steady))),
    ]


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--system", "systems", multiple=True, type=click.Choice(SYSTEMS), help="Default: all.")
@click.option("--processes", default=1, show_default=True, help="That take webhooks.")
@click.option("--in-flight", default=16, show_default=True, help="Orders under way at one time, at most.")
@click.option("--answer-ms", default=20.0, show_default=True, help="How long the destination takes.")
@click.option("--orders", "number", default=1_000, show_default=True, help="Posted as fast as they are taken.")
@click.option("--per-s", default=20.0, show_default=True, help="At the steady rate.")
@click.option("--seconds", default=10.0, show_default=True, help="Of the steady rate.")
@click.option("--quick", is_flag=True, help="One short round of the connector: only to see that it runs.")
def main(
    rounds: int,
    systems: Sequence[str],
    processes: int,
    in_flight: int,
    answer_ms: float,
    number: int,
    per_s: float,
    seconds: float,
    quick: bool,
) -> None:
    """Measure orders from webhook to destination, through the connector and through its peers."""
    pace = Pace(
        processes=processes,
        in_flight=in_flight,
        answer_ms=answer_ms,
        orders=100 if quick else number,
        per_s=per_s,
        seconds=1 if quick else seconds,
    )
    chosen = systems or (("connector",) if quick else SYSTEMS)
    machine = describe_machine()
    runs: dict[str, list[Run]] = {name: [] for name in chosen}
    for round_ in range(1 if quick else rounds):
        for name in chosen:
            console.print(f"[dim]round {round_ + 1}: {name} …[/]")
            try:
                runs[name].append(measure(name, pace))
            except NotInstalledError as error:
                console.print(f"[yellow]Left out. {error}[/]")
    runs = {name: of for name, of in runs.items() if of}
    columns = ["", "orders/s", "connector's are", "p50 ms", "p99 ms", "steady p50 ms", "steady p99 ms", "lost", "again"]
    table = print_table("From webhook to destination", columns, [table_row(name, runs) for name in runs])
    if quick or systems:
        return
    figures = {name: [asdict(run) for run in of] for name, of in runs.items()}
    write_result("whole", figures, machine, tables=[table], rounds=rounds, **asdict(pace))
    draw("whole")


if __name__ == "__main__":
    main()
