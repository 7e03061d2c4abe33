"""Measures how fast webhooks are accepted, as a share of an empty Flask view under the same gunicorn."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from benchmarks import orders
from benchmarks.destination import FakeDestination, run_destination
from benchmarks.load import LoadResult, post
from benchmarks.plots import draw
from benchmarks.processes import (
    connector_command,
    find_free_port,
    run_command,
    run_gunicorn,
    run_postgres,
    run_process,
    slow_fsync_environment,
    wait_until_ready,
)
from benchmarks.report import Target, console, describe_machine, format_figure, median, print_table, write_result
from benchmarks.stores import build_environment, write_configuration
from benchmarks.systems import NotInstalledError, open_system

#: The number of a backlog's first order. Orders that are posted during the measurement have lower numbers.
BACKLOG_FIRST = 10_000_000
#: The response time of a slow destination, and the longest that an attempt waits for it.
SLOW_MS, TIMEOUT_S = 5_000, 20


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to run the connector, the baseline that it is compared with, and the targets."""

    name: str
    processes: int = 1
    connections_per_process: int = 16  # each with a request in flight at any time
    engine: str = "sqlite"
    fsync_ms: float = 0
    worker: str = "none"  # beside the web processes: none, live, backlog, down, slow
    baseline: str = "empty"  # or commit_each, or naive
    response_ms: float = 0  # how long the destination takes
    app: str = "connector.web.app:create_wsgi()"
    share: Target | None = None  # of orders accepted per second
    p99_ratio: Target | None = None
    p99_ms: Target | None = None


CASES = [
    Case(name="SQLite", share=Target(value=0.60), p99_ratio=Target(value=2.5, at_most=True)),
    Case(name="SQLite", processes=2, share=Target(value=0.62), p99_ratio=Target(value=2.5, at_most=True)),
    Case(name="SQLite, fsync + 2 ms", fsync_ms=2, share=Target(value=0.60)),
    Case(name="SQLite, fsync + 2 ms", fsync_ms=2, processes=2, share=Target(value=0.60)),
    Case(
        name="against a commit per request, fsync + 2 ms",
        fsync_ms=2,
        baseline="commit_each",
        share=Target(value=3, unit="x"),
    ),
    Case(
        name="4 processes on one file",
        processes=4,
        connections_per_process=8,
        p99_ms=Target(value=100, at_most=True, unit=" ms"),
    ),
    Case(name="orders are sent meanwhile", worker="live"),
    *(
        Case(
            name=name,
            worker=worker,
            share=Target(value=0.40),
            p99_ms=Target(value=150, at_most=True, unit=" ms"),
        )
        for name, worker in (
            ("a backlog drains", "backlog"),
            ("destination is down", "down"),
            ("destination is slow", "slow"),
        )
    ),
    Case(name="PostgreSQL", engine="postgresql", share=Target(value=0.55)),
    Case(name="PostgreSQL", engine="postgresql", processes=2, share=Target(value=0.55)),
    Case(name="PostgreSQL, fsync + 2 ms", engine="postgresql", fsync_ms=2),
    *(
        Case(
            name=f"against sending inside the request, {response_ms} ms",
            processes=2,
            worker="live",
            baseline="naive",
            response_ms=response_ms,
            share=Target(value=share, unit="x"),
        )
        for response_ms, share in ((100, 3), (500, 30))
    ),
    *(
        Case(name=name, processes=processes, app=f"benchmarks.apps.no_database:{app}()")
        for name, app in (
            ("nothing stored", "create_immediate"),
            ("nothing stored, through another thread", "create_threaded"),
        )
        for processes in (1, 2)
    ),
]


@dataclass(kw_only=True)
class Round:
    """The baseline and the connector, measured one after the other."""

    baseline: LoadResult
    connector: LoadResult

    @property
    def share(self) -> float:
        return self.connector.per_s / self.baseline.per_s


@dataclass(kw_only=True)
class Measurement:
    case: Case
    rounds: list[Round] = field(default_factory=list)

    def connector_median(self, figure: str) -> float:
        return median(getattr(round_.connector, figure) for round_ in self.rounds)

    def baseline_median(self, figure: str) -> float:
        return median(getattr(round_.baseline, figure) for round_ in self.rounds)

    @property
    def share(self) -> float:
        return median(round_.share for round_ in self.rounds)

    @property
    def p99_ratio(self) -> float:
        return median(round_.connector.p99_ms / round_.baseline.p99_ms for round_ in self.rounds)

    @property
    def errors(self) -> int:
        return sum(round_.connector.errors for round_ in self.rounds)


@dataclass(frozen=True, kw_only=True)
class Pace:
    rounds: int
    seconds: float
    backlog: int  # orders that wait when the worker starts, in the case with a backlog


def measure(case: Case, pace: Pace) -> Measurement:
    with TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        next_number = 0  # no order is posted twice
        max_per_s: dict[int, float] = {}  # by port: building requests that are never posted takes time

        def load(port: int, seconds: float) -> LoadResult:
            nonlocal next_number
            first, count = next_number, int(max_per_s.get(port, 3_000) * seconds)
            next_number += count
            requests = orders.build_requests(first, count)
            connections = case.connections_per_process * case.processes
            loaded = post(requests, directory, port=port, connections=connections, seconds=seconds)
            max_per_s[port] = max(200.0, 2 * loaded.per_s)
            return loaded

        baseline_port = stack.enter_context(open_baseline(case, directory))
        connector_port, destination = stack.enter_context(open_connector(case, directory, pace))
        for port in (baseline_port, connector_port):
            load(port, min(1.0, pace.seconds))  # warm up
        measurement = Measurement(case=case)
        for _ in range(pace.rounds):
            baseline = load(baseline_port, pace.seconds)
            measurement.rounds.append(Round(baseline=baseline, connector=load(connector_port, pace.seconds)))
        if case.worker == "backlog" and destination is not None:
            sent = sum(number >= BACKLOG_FIRST for number in destination.arrivals())
            if sent == pace.backlog:
                console.print(f"[red]All {pace.backlog} orders were sent before the end: use a larger --backlog.[/]")
    return measurement


@contextmanager
def open_baseline(case: Case, directory: Path) -> Iterator[int]:
    """Run what the connector is compared with. Yields its port."""
    with ExitStack() as stack:
        if case.baseline == "naive":
            destination = stack.enter_context(run_destination(directory, delay_ms=case.response_ms))
            naive = open_system("naive", directory, destination, processes=case.processes, in_flight=0)
            yield stack.enter_context(naive).port
            return
        port = find_free_port()
        environment = {
            **slow_fsync_environment(case.fsync_ms),
            "DATABASE_URL": f"sqlite:///{directory / 'baseline.db'}",
        }
        app = f"benchmarks.apps.{case.baseline}:app"
        stack.enter_context(
            run_gunicorn(app, port=port, processes=case.processes, directory=directory, environment=environment)
        )
        yield port


@contextmanager
def open_connector(case: Case, directory: Path, pace: Pace) -> Iterator[tuple[int, FakeDestination | None]]:
    """Run the connector's web processes, and a worker if the case has one.

    Yields the port, and the destination if orders are sent to one.
    """
    with ExitStack() as stack:
        url = f"sqlite:///{directory / 'connector.db'}"
        if case.engine == "postgresql":
            url = stack.enter_context(run_postgres(directory, fsync_ms=case.fsync_ms))
        destination, base_url, settings = None, "http://127.0.0.1:9", {}  # the `discard` port: nothing listens there
        if case.worker in ("live", "backlog", "slow"):
            delay_ms = SLOW_MS if case.worker == "slow" else case.response_ms
            destination = stack.enter_context(run_destination(directory, delay_ms=delay_ms))
            base_url, settings = destination.url, {"concurrency": 16, "timeout_s": TIMEOUT_S}
        configuration = write_configuration(directory, destination="rayo", base_url=base_url, **settings)
        port = find_free_port()
        environment = {
            **build_environment(configuration, url, port=port, processes=case.processes),
            **slow_fsync_environment(case.fsync_ms),
        }
        run_command(connector_command("migrate"), directory=directory, environment=environment)
        if case.worker in ("none", "backlog"):
            stack.enter_context(
                run_gunicorn(
                    case.app, port=port, processes=case.processes, directory=directory, environment=environment
                )
            )
            if case.worker == "backlog":
                requests = orders.build_requests(BACKLOG_FIRST, pace.backlog)
                post(requests, directory, port=port, connections=case.connections_per_process, seconds=600)
                command = connector_command("worker")
                stack.enter_context(run_process(command, directory=directory, name="worker", environment=environment))
        else:
            command = connector_command("serve")
            process = stack.enter_context(
                run_process(command, directory=directory, name="serve", environment=environment)
            )
            wait_until_ready(process, port)
        yield port, destination


def build_row(measurement: Measurement) -> list[str]:
    case = measurement.case
    return [
        case.name,
        str(case.processes),
        f"{measurement.baseline_median('per_s'):.0f}",
        f"{measurement.connector_median('per_s'):.0f}",
        format_figure(measurement.share, case.share),
        f"{measurement.connector_median('p50_ms'):.1f}",
        f"{measurement.baseline_median('p99_ms'):.1f}",
        format_figure(measurement.connector_median("p99_ms"), case.p99_ms, digits=1),
        format_figure(measurement.p99_ratio, case.p99_ratio),
        format_figure(measurement.errors, Target(value=0, at_most=True), digits=0),
    ]


def serialize_measurement(measurement: Measurement) -> dict[str, Any]:
    def without_times(loaded: LoadResult) -> dict[str, Any]:
        return {name: value for name, value in asdict(loaded).items() if name != "started_ns"}

    return {
        "case": asdict(measurement.case),
        "share": measurement.share,
        "p99_ratio": measurement.p99_ratio,
        "errors": measurement.errors,
        "rounds": [
            {"baseline": without_times(round_.baseline), "connector": without_times(round_.connector)}
            for round_ in measurement.rounds
        ],
    }


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=4.0, show_default=True, help="Duration of each of a round's two halves.")
@click.option("--backlog", default=20_000, show_default=True, help="Waiting orders, in the case with a backlog.")
@click.option("--processes", type=int, help="Run only the cases with this number of web processes.")
@click.option("--only", help="Run only the cases whose name contains this text.")
@click.option("--connections", type=int, help="Connections per web process, each with a request in flight.")
@click.option("--quick", is_flag=True, help="Run one short round, by default of the first case, and store nothing.")
def main(
    rounds: int,
    seconds: float,
    backlog: int,
    processes: int | None,
    only: str | None,
    connections: int | None,
    quick: bool,
) -> None:
    """Measure how fast webhooks are accepted, against an empty view under the same gunicorn."""
    pace = Pace(rounds=1, seconds=1.0, backlog=300) if quick else Pace(rounds=rounds, seconds=seconds, backlog=backlog)
    cases = [case for case in CASES if processes in (None, case.processes) and (only or "") in case.name]
    if quick and not (only or processes):
        cases = cases[:1]
    if connections:
        cases = [replace(case, connections_per_process=connections) for case in cases]
    machine = describe_machine()
    measurements = []
    for case in cases:
        console.print(f"[dim]{case.name}, processes: {case.processes} …[/]")
        try:
            measurements.append(measure(case, pace))
        except NotInstalledError as error:
            console.print(f"[yellow]Skipped. {error}[/]")
    columns = ["", "processes", "baseline/s", "connector/s", "share", "p50 ms", "baseline p99 ms", "p99 ms"]
    table = print_table(
        "Webhooks accepted durably, against an empty Flask view under the same gunicorn, or what is named",
        [*columns, "p99 ratio", "errors"],
        [build_row(measurement) for measurement in measurements],
    )
    if quick or processes or only or connections:
        return
    figures = [serialize_measurement(measurement) for measurement in measurements]
    write_result("accept", figures, machine, tables=[table], rounds=rounds, seconds=seconds, backlog=backlog)
    draw("accept")


if __name__ == "__main__":
    main()
