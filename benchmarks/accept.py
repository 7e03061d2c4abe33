"""How fast webhooks are taken, as a share of an empty Flask view under the same gunicorn. It measures no forwarding."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from benchmarks import orders
from benchmarks.destination import Destination, destination
from benchmarks.load import Loaded, post
from benchmarks.plots import draw
from benchmarks.processes import (
    connector,
    free_port,
    gunicorn,
    postgres,
    run,
    running,
    slow_fsync,
    wait_until_ready,
)
from benchmarks.report import Target, console, describe_machine, median, print_table, show, write_result
from benchmarks.stores import environment_of, write_configuration
from benchmarks.systems import NotInstalledError, open_system

#: The number of the first order of a backlog; those that are posted meanwhile are below it.
BACKLOG_FIRST = 10_000_000
#: An answer of a destination that is slow, and the longest that an attempt waits for it.
SLOW_MS, TIMEOUT_S = 5_000, 20


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to run the connector, what it is compared with, and what is wanted of it."""

    name: str
    processes: int = 1
    per_process: int = 16  # connections, each with a request under way at any time
    engine: str = "sqlite"
    fsync_ms: float = 0
    forwarder: str = "none"  # beside the web processes: none, live, backlog, down, slow
    against: str = "empty"  # or commit_each, or naive
    answer_ms: float = 0  # how long the destination takes
    app: str = "connector.web.app:create_wsgi()"  # beside which nothing else runs where it is another
    share: Target | None = None  # of orders taken per second
    p99_ratio: Target | None = None
    p99_ms: Target | None = None


CASES = [
    Case(name="SQLite", share=Target(value=0.70), p99_ratio=Target(value=2.5, at_most=True)),
    Case(name="SQLite", processes=2, share=Target(value=0.62), p99_ratio=Target(value=2.5, at_most=True)),
    Case(name="SQLite, fsync + 2 ms", fsync_ms=2, share=Target(value=0.60)),
    Case(name="SQLite, fsync + 2 ms", fsync_ms=2, processes=2, share=Target(value=0.60)),
    Case(
        name="against a commit each, fsync + 2 ms", fsync_ms=2, against="commit_each", share=Target(value=3, unit="x")
    ),
    Case(
        name="4 processes on one file", processes=4, per_process=8, p99_ms=Target(value=100, at_most=True, unit=" ms")
    ),
    Case(name="orders are sent on meanwhile", forwarder="live"),
    *(
        Case(
            name=name,
            forwarder=forwarder,
            share=Target(value=0.40),
            p99_ms=Target(value=150, at_most=True, unit=" ms"),
        )
        for name, forwarder in (
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
            name=f"against sending inside the request, {answer_ms} ms",
            processes=2,
            forwarder="live",
            against="naive",
            answer_ms=answer_ms,
            share=Target(value=share, unit="x"),
        )
        for answer_ms, share in ((100, 3), (500, 30))
    ),
    *(
        Case(name=name, processes=processes, app=f"benchmarks.apps.unkept:{app}()")
        for name, app in (("nothing kept", "view"), ("nothing kept, by another thread", "handed_over"))
        for processes in (1, 2)
    ),
]


@dataclass(kw_only=True)
class Round:
    """What was compared with, and the connector, one after the other."""

    other: Loaded
    connector: Loaded

    @property
    def share(self) -> float:
        return self.connector.per_s / self.other.per_s


@dataclass(kw_only=True)
class Measured:
    case: Case
    rounds: list[Round] = field(default_factory=list)

    def of(self, what: str) -> float:
        return median(getattr(one.connector, what) for one in self.rounds)

    def of_other(self, what: str) -> float:
        return median(getattr(one.other, what) for one in self.rounds)

    @property
    def share(self) -> float:
        return median(one.share for one in self.rounds)

    @property
    def p99_ratio(self) -> float:
        return median(one.connector.p99_ms / one.other.p99_ms for one in self.rounds)

    @property
    def errors(self) -> int:
        return sum(one.connector.errors for one in self.rounds)


@dataclass(frozen=True, kw_only=True)
class Pace:
    rounds: int
    seconds: float
    backlog: int  # orders that lie there before the forwarder starts, where a backlog is wanted


def measure(case: Case, pace: Pace) -> Measured:
    with TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        next_number = 0  # no order comes twice
        most_per_s: dict[int, float] = {}  # by port: making requests that are never posted costs time

        def load(port: int, seconds: float) -> Loaded:
            nonlocal next_number
            first, number = next_number, int(most_per_s.get(port, 3_000) * seconds)
            next_number += number
            made = orders.requests(first, number)
            connections = case.per_process * case.processes
            loaded = post(made, directory, port=port, connections=connections, seconds=seconds)
            most_per_s[port] = max(200.0, 2 * loaded.per_s)
            return loaded

        other = stack.enter_context(open_other(case, directory))
        port, played = stack.enter_context(open_connector(case, directory, pace))
        for one in (other, port):
            load(one, min(1.0, pace.seconds))
        measured = Measured(case=case)
        for _ in range(pace.rounds):
            measured.rounds.append(Round(other=load(other, pace.seconds), connector=load(port, pace.seconds)))
        if case.forwarder == "backlog" and played is not None:
            arrived = played.arrivals()
            if sum(number >= BACKLOG_FIRST for number in arrived) == pace.backlog:
                console.print(f"[red]{pace.backlog} orders were all gone before the end: make --backlog larger.[/]")
    return measured


@contextmanager
def open_other(case: Case, directory: Path) -> Iterator[int]:
    """What the connector is compared with; its port."""
    with ExitStack() as stack:
        if case.against == "naive":
            played = stack.enter_context(destination(directory, delay_ms=case.answer_ms))
            naive = open_system("naive", directory, played, processes=case.processes, in_flight=0)
            yield stack.enter_context(naive).port
            return
        port = free_port()
        variables = {**slow_fsync(case.fsync_ms), "DATABASE_URL": f"sqlite:///{directory / 'other.db'}"}
        app = f"benchmarks.apps.{case.against}:app"
        served = gunicorn(app, port=port, processes=case.processes, directory=directory, variables=variables)
        stack.enter_context(served)
        yield port


@contextmanager
def open_connector(case: Case, directory: Path, pace: Pace) -> Iterator[tuple[int, Destination | None]]:
    """The connector's web processes, and the forwarder as the case has it: the port, and where orders go to, if any."""
    with ExitStack() as stack:
        url = f"sqlite:///{directory / 'connector.db'}"
        if case.engine == "postgresql":
            url = stack.enter_context(postgres(directory, fsync_ms=case.fsync_ms))
        played, base_url, settings = None, "http://127.0.0.1:9", {}  # the port of `discard`, where nothing listens
        if case.forwarder in ("live", "backlog", "slow"):
            delay_ms = SLOW_MS if case.forwarder == "slow" else case.answer_ms
            played = stack.enter_context(destination(directory, delay_ms=delay_ms))
            base_url, settings = played.url, {"concurrency": 16, "timeout_s": TIMEOUT_S}
        configuration = write_configuration(directory, destination="rayo", base_url=base_url, **settings)
        port = free_port()
        variables = {
            **environment_of(configuration, url, port=port, processes=case.processes),
            **slow_fsync(case.fsync_ms),
        }
        run(connector("migrate"), directory=directory, variables=variables)
        if case.forwarder in ("none", "backlog"):
            stack.enter_context(
                gunicorn(case.app, port=port, processes=case.processes, directory=directory, variables=variables)
            )
            if case.forwarder == "backlog":
                made = orders.requests(BACKLOG_FIRST, pace.backlog)
                post(made, directory, port=port, connections=case.per_process, seconds=600)
                stack.enter_context(
                    running(connector("worker"), directory=directory, name="worker", variables=variables)
                )
        else:
            command = connector("serve")
            process = stack.enter_context(running(command, directory=directory, name="serve", variables=variables))
            wait_until_ready(process, port)
        yield port, played


def table_row(measured: Measured) -> list[str]:
    case = measured.case
    return [
        case.name,
        str(case.processes),
        f"{measured.of_other('per_s'):.0f}",
        f"{measured.of('per_s'):.0f}",
        show(measured.share, case.share),
        f"{measured.of('p50_ms'):.1f}",
        f"{measured.of_other('p99_ms'):.1f}",
        show(measured.of("p99_ms"), case.p99_ms, digits=1),
        show(measured.p99_ratio, case.p99_ratio),
        show(measured.errors, Target(value=0, at_most=True), digits=0),
    ]


def figures_of(measured: Measured) -> dict[str, Any]:
    def without_times(loaded: Loaded) -> dict[str, Any]:
        return {name: value for name, value in asdict(loaded).items() if name != "began_ns"}

    return {
        "case": asdict(measured.case),
        "share": measured.share,
        "p99_ratio": measured.p99_ratio,
        "errors": measured.errors,
        "rounds": [
            {"other": without_times(one.other), "connector": without_times(one.connector)} for one in measured.rounds
        ],
    }


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=4.0, show_default=True, help="Of each of a round's two halves.")
@click.option("--backlog", default=20_000, show_default=True, help="Orders that lie there where a backlog drains.")
@click.option("--processes", type=int, help="Only the cases of so many web processes.")
@click.option("--only", help="Only the cases whose name holds this.")
@click.option("--connections", type=int, help="To each process, each with a request under way at any time.")
@click.option("--quick", is_flag=True, help="One short round, of the first case if none is named: to see that it runs.")
def main(
    rounds: int,
    seconds: float,
    backlog: int,
    processes: int | None,
    only: str | None,
    connections: int | None,
    quick: bool,
) -> None:
    """Measure how fast webhooks are taken, against an empty view under the same gunicorn."""
    pace = Pace(rounds=1, seconds=1.0, backlog=300) if quick else Pace(rounds=rounds, seconds=seconds, backlog=backlog)
    cases = [case for case in CASES if processes in (None, case.processes) and (only or "") in case.name]
    if quick and not (only or processes):
        cases = cases[:1]
    if connections:
        cases = [replace(case, per_process=connections) for case in cases]
    machine = describe_machine()
    done = []
    for case in cases:
        console.print(f"[dim]{case.name}, processes: {case.processes} …[/]")
        try:
            done.append(measure(case, pace))
        except NotInstalledError as error:
            console.print(f"[yellow]Left out. {error}[/]")
    columns = ["", "processes", "other/s", "connector/s", "share", "p50 ms", "other p99 ms", "p99 ms", "p99 ratio"]
    table = print_table(
        "Webhooks taken durably, against an empty Flask view under the same gunicorn, or what is named",
        [*columns, "errors"],
        [table_row(one) for one in done],
    )
    if quick or processes or only or connections:
        return
    figures = [figures_of(one) for one in done]
    write_result("accept", figures, machine, tables=[table], rounds=rounds, seconds=seconds, backlog=backlog)
    draw("accept")


if __name__ == "__main__":
    main()
