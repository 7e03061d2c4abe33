"""How fast a backlog is forwarded, as a share of a bare loop that maps and posts the same orders and keeps nothing."""

import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from benchmarks.backlog import Backlog
from benchmarks.destination import Destination, destination
from benchmarks.forwarding import Forwarded, split_profile, watch
from benchmarks.plots import draw
from benchmarks.processes import connector, postgres, running
from benchmarks.report import Target, console, describe_machine, median, print_table, show, write_result
from benchmarks.stores import SAMPLES, environment_of, write_configuration

#: Of the share of the bare loop at 0 ms, and of what in flight / latency allows at 100 ms.
OF_LOOP, OF_LATENCY = Target(value=0.75), Target(value=0.9)


@dataclass(frozen=True, kw_only=True)
class Case:
    destination: str
    engine: str
    answer_ms: float
    in_flight: int
    forwarders: int = 1  # processes; those in flight are all of them together

    @property
    def of_loop(self) -> Target | None:
        return OF_LOOP if self.answer_ms == 0 else None

    @property
    def of_latency(self) -> Target | None:
        return OF_LATENCY if self.answer_ms == 100 and self.in_flight >= 64 else None


#: What a whole run measures; sorted by engine and destination, since a backlog is made for each.
CASES = [
    *(
        Case(destination="rayo", engine="sqlite", answer_ms=answer_ms, in_flight=in_flight)
        for answer_ms in (0, 100, 500)
        for in_flight in (16, 64, 128)
    ),
    *(
        Case(destination="rayo", engine="sqlite", answer_ms=100, in_flight=in_flight, forwarders=2)
        for in_flight in (64, 128)
    ),
    *(
        Case(destination="lapyme", engine="sqlite", answer_ms=answer_ms, in_flight=in_flight)
        for answer_ms, in_flight in ((0, 16), (0, 64), (0, 128), (100, 64))
    ),
    *(
        Case(destination="rayo", engine="postgresql", answer_ms=answer_ms, in_flight=in_flight)
        for answer_ms, in_flight in ((0, 16), (0, 64), (100, 64))
    ),
]


@dataclass(kw_only=True)
class Measured:
    case: Case
    loop: list[Forwarded] = field(default_factory=list)
    connector: list[Forwarded] = field(default_factory=list)

    @property
    def share(self) -> float:
        return median(ours.per_s / bare.per_s for ours, bare in zip(self.connector, self.loop, strict=True))

    @property
    def of_latency(self) -> float:
        """Of what in flight / latency allows, which no forwarder can pass."""
        if not self.case.answer_ms:
            return 0.0
        return median(one.per_s for one in self.connector) * self.case.answer_ms / 1000 / self.case.in_flight

    def of(self, what: str) -> float:
        return median(getattr(one, what) for one in self.connector)

    def of_loop(self, what: str) -> float:
        return median(getattr(one, what) for one in self.loop)


@dataclass(frozen=True, kw_only=True)
class Pace:
    rounds: int
    seconds: float
    backlog: int


def measure(case: Case, backlog: Backlog, pace: Pace, directory: Path) -> Measured:
    measured = Measured(case=case)
    with destination(directory, delay_ms=case.answer_ms) as played:
        for _ in range(pace.rounds):
            measured.loop.append(run_loop(case, backlog, pace, played, directory))
            measured.connector.append(run_connector(case, backlog, pace, played, directory))
    return measured


def configure(case: Case, played: Destination, directory: Path) -> Path:
    return write_configuration(
        directory, destination=case.destination, base_url=played.url, concurrency=case.in_flight, timeout_s=30
    )


def run_loop(case: Case, backlog: Backlog, pace: Pace, played: Destination, directory: Path) -> Forwarded:
    threads = case.in_flight // case.forwarders
    command = [sys.executable, "-m", "benchmarks.bare_loop", str(backlog.bodies), str(threads)]
    variables = environment_of(configure(case, played, directory), "sqlite:///unused.db")
    processes = [
        running(command, directory=directory, name=f"loop-{number}", variables=variables)
        for number in range(case.forwarders)
    ]
    return watch(processes, played, skip=2 * case.in_flight, most=10_000_000, seconds=pace.seconds)


def run_connector(
    case: Case,
    backlog: Backlog,
    pace: Pace,
    played: Destination,
    directory: Path,
    *,
    profile: Path | None = None,
) -> Forwarded:
    url = backlog.copy()
    variables = environment_of(configure(case, played, directory), url)
    processes = [
        running(connector("worker"), directory=directory, name=f"worker-{number}", variables=variables)
        for number in range(case.forwarders)
    ]
    most = backlog.orders - 2 * case.in_flight
    forwarded = watch(processes, played, skip=2 * case.in_flight, most=most, seconds=pace.seconds, profile=profile)
    backlog.drop(url)
    if forwarded.again:
        raise RuntimeError(f"{forwarded.again} orders arrived twice")
    return forwarded


def profile_connector(backlog: Backlog, pace: Pace, directory: Path) -> dict[str, float]:
    """Where the processor's time goes, sampled while an immediate destination is forwarded to."""
    case = Case(destination=backlog.destination, engine=backlog.engine, answer_ms=0, in_flight=64)
    file = directory / "stacks.txt"
    with destination(directory) as played:
        run_connector(case, backlog, pace, played, directory, profile=file)
    return split_profile(file)


def table_row(measured: Measured) -> list[str]:
    case = measured.case
    return [
        case.destination,
        case.engine,
        f"{case.answer_ms:g}",
        str(case.in_flight),
        str(case.forwarders),
        f"{measured.of_loop('per_s'):.0f}",
        f"{measured.of('per_s'):.0f}",
        show(measured.share, case.of_loop),
        show(measured.of_latency, case.of_latency) if case.answer_ms else "",
        f"{measured.of_loop('cpu_ms'):.2f}",
        f"{measured.of('cpu_ms'):.2f}",
        f"{measured.of('pss_mb'):.0f}",
    ]


def figures_of(measured: Measured) -> dict[str, Any]:
    return {
        "case": asdict(measured.case),
        "share": measured.share,
        "of_latency": measured.of_latency,
        "loop": [asdict(one) for one in measured.loop],
        "connector": [asdict(one) for one in measured.connector],
    }


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=4.0, show_default=True, help="Of each of a round's two halves, in full swing.")
@click.option("--backlog", default=6_000, show_default=True, help="Orders that wait.")
@click.option("--destination", "destinations", multiple=True, type=click.Choice(list(SAMPLES)))
@click.option("--engine", "engines", multiple=True, type=click.Choice(["sqlite", "postgresql"]))
@click.option("--answer-ms", "answers_ms", multiple=True, type=float)
@click.option("--in-flight", "numbers_in_flight", multiple=True, type=int)
@click.option("--forwarders", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--profile", "is_profiled", is_flag=True, help="Also show where processor time goes: a whole run does.")
@click.option("--quick", is_flag=True, help="One short round of one case: only to see that it runs.")
def main(
    rounds: int,
    seconds: float,
    backlog: int,
    destinations: tuple[str, ...],
    engines: tuple[str, ...],
    answers_ms: tuple[float, ...],
    numbers_in_flight: tuple[int, ...],
    forwarders: int,
    is_profiled: bool,
    quick: bool,
) -> None:
    """Measure how fast a backlog is forwarded, against a bare loop over the same orders."""
    is_whole = not (quick or destinations or engines or answers_ms or numbers_in_flight)
    pace = Pace(rounds=1, seconds=1.0, backlog=400) if quick else Pace(rounds=rounds, seconds=seconds, backlog=backlog)
    cases = CASES
    if not is_whole:
        cases = [
            Case(destination=where, engine=engine, answer_ms=answer_ms, in_flight=in_flight, forwarders=forwarders)
            for engine in engines or ("sqlite",)
            for where in destinations or ("rayo",)
            for answer_ms in answers_ms or (0,)
            for in_flight in numbers_in_flight or (16,)
        ]
    machine = describe_machine()
    done: list[Measured] = []
    parts: dict[str, dict[str, float]] = {}
    with TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        for engine, of_engine in groupby(cases, lambda case: case.engine):
            server = stack.enter_context(postgres(directory)) if engine == "postgresql" else None
            for where, of_both in groupby(of_engine, lambda case: case.destination):
                console.print(f"[dim]{where}, {engine}: {pace.backlog} orders are taken in …[/]")
                waiting = Backlog(
                    directory=directory, destination=where, engine=engine, server=server, orders=pace.backlog
                )
                for case in of_both:
                    console.print(f"[dim]{where}, {engine}, {case.answer_ms:g} ms, {case.in_flight} in flight …[/]")
                    done.append(measure(case, waiting, pace, directory))
                if is_profiled or is_whole:
                    parts[f"{where}, {engine}"] = profile_connector(waiting, pace, directory)
    columns = ["destination", "engine", "answers in ms", "in flight", "processes", "loop/s", "connector/s", "share"]
    columns += ["of latency's", "loop CPU ms", "CPU ms", "PSS MB"]
    title = "A backlog forwarded, against a bare loop over the same orders"
    tables = [print_table(title, columns, [table_row(one) for one in done])]
    if parts:
        first = next(iter(parts.values()))
        rows = [[of, *(f"{share:.0%}" for share in shares.values())] for of, shares in parts.items()]
        tables.append(print_table("Where the interpreter's time goes", ["", *first], rows))
    if not is_whole:
        return
    figures = {"cases": [figures_of(one) for one in done], "profile": parts}
    write_result("forward", figures, machine, tables=tables, rounds=rounds, seconds=seconds, backlog=backlog)
    draw("forward")


if __name__ == "__main__":
    main()
