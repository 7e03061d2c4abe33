"""Measures how fast a backlog is sent, as a share of a bare loop that maps and posts the same orders."""

import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from benchmarks.backlog import Backlog
from benchmarks.destination import FakeDestination, run_destination
from benchmarks.plots import draw
from benchmarks.processes import connector_command, run_postgres, run_process
from benchmarks.report import Target, console, describe_machine, format_figure, median, print_table, write_result
from benchmarks.sending import SendingResult, measure_sending, split_profile
from benchmarks.stores import SAMPLES, build_environment, write_configuration

#: Of the bare loop's speed, with a destination that responds at once; on SQLite with 16 in flight, less.
SHARE, SHARE_SQLITE_16 = Target(value=0.75), Target(value=0.65)
#: Of the limit that orders in flight and response time set, with a destination that responds after 100 ms.
SHARE_OF_LIMIT = Target(value=0.9)


@dataclass(frozen=True, kw_only=True)
class Case:
    destination: str
    engine: str
    response_ms: float
    in_flight: int  # in all processes together
    processes: int = 1

    @property
    def share(self) -> Target | None:
        if self.response_ms:
            return None
        return SHARE_SQLITE_16 if (self.engine, self.in_flight) == ("sqlite", 16) else SHARE

    @property
    def share_of_limit(self) -> Target | None:
        return SHARE_OF_LIMIT if self.response_ms == 100 and self.in_flight >= 64 else None


#: What a complete run measures, sorted by engine and destination, because each pair has its own backlog.
CASES = [
    *(
        Case(destination="rayo", engine="sqlite", response_ms=response_ms, in_flight=in_flight)
        for response_ms in (0, 100, 500)
        for in_flight in (16, 64, 128)
    ),
    *(
        Case(destination="rayo", engine="sqlite", response_ms=100, in_flight=in_flight, processes=2)
        for in_flight in (64, 128)
    ),
    *(
        Case(destination="lapyme", engine="sqlite", response_ms=response_ms, in_flight=in_flight)
        for response_ms, in_flight in ((0, 16), (0, 64), (0, 128), (100, 64))
    ),
    *(
        Case(destination="rayo", engine="postgresql", response_ms=response_ms, in_flight=in_flight)
        for response_ms, in_flight in ((0, 16), (0, 64), (100, 64))
    ),
]


@dataclass(kw_only=True)
class Measurement:
    case: Case
    loop: list[SendingResult] = field(default_factory=list)
    connector: list[SendingResult] = field(default_factory=list)

    @property
    def share(self) -> float:
        return median(ours.per_s / loop.per_s for ours, loop in zip(self.connector, self.loop, strict=True))

    @property
    def share_of_limit(self) -> float:
        """The speed as a share of orders in flight / response time; 0 if the destination responds at once."""
        if not self.case.response_ms:
            return 0.0
        return self.connector_median("per_s") * self.case.response_ms / 1000 / self.case.in_flight

    def connector_median(self, figure: str) -> float:
        return median(getattr(result, figure) for result in self.connector)

    def loop_median(self, figure: str) -> float:
        return median(getattr(result, figure) for result in self.loop)


@dataclass(frozen=True, kw_only=True)
class Pace:
    rounds: int
    seconds: float
    backlog: int


def measure(case: Case, backlog: Backlog, pace: Pace, directory: Path) -> Measurement:
    measurement = Measurement(case=case)
    with run_destination(directory, delay_ms=case.response_ms) as destination:
        for _ in range(pace.rounds):
            measurement.loop.append(run_loop(case, backlog, pace, destination, directory))
            measurement.connector.append(run_connector(case, backlog, pace, destination, directory))
    return measurement


def write_case_configuration(case: Case, destination: FakeDestination, directory: Path) -> Path:
    return write_configuration(
        directory, destination=case.destination, base_url=destination.url, concurrency=case.in_flight, timeout_s=30
    )


def run_loop(case: Case, backlog: Backlog, pace: Pace, destination: FakeDestination, directory: Path) -> SendingResult:
    threads = case.in_flight // case.processes
    command = [sys.executable, "-m", "benchmarks.bare_loop", str(backlog.bodies), str(threads)]
    environment = build_environment(write_case_configuration(case, destination, directory), "sqlite:///unused.db")
    loops = [
        run_process(command, directory=directory, name=f"loop-{number}", environment=environment)
        for number in range(case.processes)
    ]
    return measure_sending(loops, destination, skip=2 * case.in_flight, max_orders=10_000_000, seconds=pace.seconds)


def run_connector(
    case: Case,
    backlog: Backlog,
    pace: Pace,
    destination: FakeDestination,
    directory: Path,
    *,
    profile: Path | None = None,
) -> SendingResult:
    url = backlog.copy()
    environment = {
        **build_environment(write_case_configuration(case, destination, directory), url),
        "WORKER_PROCESSES": str(case.processes),
    }
    workers = [
        run_process(connector_command("worker"), directory=directory, name=f"worker-{number}", environment=environment)
        for number in range(case.processes)
    ]
    result = measure_sending(
        workers,
        destination,
        skip=2 * case.in_flight,
        max_orders=backlog.orders - 2 * case.in_flight,
        seconds=pace.seconds,
        profile=profile,
    )
    backlog.drop(url)
    if result.duplicates:
        raise RuntimeError(f"{result.duplicates} orders arrived twice")
    return result


def profile_connector(backlog: Backlog, pace: Pace, directory: Path) -> dict[str, float]:
    """Sample where processor time goes while orders are sent to a destination that responds at once."""
    case = Case(destination=backlog.destination, engine=backlog.engine, response_ms=0, in_flight=64)
    file = directory / "stacks.txt"
    with run_destination(directory) as destination:
        run_connector(case, backlog, pace, destination, directory, profile=file)
    return split_profile(file)


def build_row(measurement: Measurement) -> list[str]:
    case = measurement.case
    return [
        case.destination,
        case.engine,
        f"{case.response_ms:g}",
        str(case.in_flight),
        str(case.processes),
        f"{measurement.loop_median('per_s'):.0f}",
        f"{measurement.connector_median('per_s'):.0f}",
        format_figure(measurement.share, case.share),
        format_figure(measurement.share_of_limit, case.share_of_limit) if case.response_ms else "",
        f"{measurement.loop_median('cpu_ms'):.2f}",
        f"{measurement.connector_median('cpu_ms'):.2f}",
        f"{measurement.connector_median('pss_mb'):.0f}",
    ]


def serialize_measurement(measurement: Measurement) -> dict[str, Any]:
    return {
        "case": asdict(measurement.case),
        "share": measurement.share,
        "share_of_limit": measurement.share_of_limit,
        "loop": [asdict(result) for result in measurement.loop],
        "connector": [asdict(result) for result in measurement.connector],
    }


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=4.0, show_default=True, help="Duration of each of a round's two halves.")
@click.option("--backlog", default=6_000, show_default=True, help="Waiting orders.")
@click.option("--destination", "destinations", multiple=True, type=click.Choice(list(SAMPLES)))
@click.option("--engine", "engines", multiple=True, type=click.Choice(["sqlite", "postgresql"]))
@click.option("--response-ms", "response_times_ms", multiple=True, type=float, help="The destination's response time.")
@click.option("--in-flight", "numbers_in_flight", multiple=True, type=int)
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1), help="Workers, or bare loops.")
@click.option("--profile", "is_profiled", is_flag=True, help="Also profile the worker, as a complete run does.")
@click.option("--quick", is_flag=True, help="Run one short round of one case, and store nothing.")
def main(
    rounds: int,
    seconds: float,
    backlog: int,
    destinations: tuple[str, ...],
    engines: tuple[str, ...],
    response_times_ms: tuple[float, ...],
    numbers_in_flight: tuple[int, ...],
    processes: int,
    is_profiled: bool,
    quick: bool,
) -> None:
    """Measure how fast a backlog is sent, against a bare loop over the same orders.

    Without an option that chooses cases, all are run, and the results are stored.
    """
    is_complete = not (quick or destinations or engines or response_times_ms or numbers_in_flight)
    pace = Pace(rounds=1, seconds=1.0, backlog=400) if quick else Pace(rounds=rounds, seconds=seconds, backlog=backlog)
    cases = CASES
    if not is_complete:
        cases = [
            Case(
                destination=destination,
                engine=engine,
                response_ms=response_ms,
                in_flight=in_flight,
                processes=processes,
            )
            for engine in engines or ("sqlite",)
            for destination in destinations or ("rayo",)
            for response_ms in response_times_ms or (0,)
            for in_flight in numbers_in_flight or (16,)
        ]
    machine = describe_machine()
    measurements: list[Measurement] = []
    profiles: dict[str, dict[str, float]] = {}
    with TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        for engine, engine_cases in groupby(cases, lambda case: case.engine):
            server_url = stack.enter_context(run_postgres(directory)) if engine == "postgresql" else None
            for destination, group in groupby(engine_cases, lambda case: case.destination):
                console.print(f"[dim]{destination}, {engine}: receiving {pace.backlog} orders …[/]")
                loaded = Backlog(
                    directory=directory,
                    destination=destination,
                    engine=engine,
                    server_url=server_url,
                    orders=pace.backlog,
                )
                for case in group:
                    console.print(
                        f"[dim]{destination}, {engine}, {case.response_ms:g} ms, {case.in_flight} in flight …[/]"
                    )
                    measurements.append(measure(case, loaded, pace, directory))
                if is_profiled or is_complete:
                    profiles[f"{destination}, {engine}"] = profile_connector(loaded, pace, directory)
    columns = ["destination", "engine", "response ms", "in flight", "processes", "loop/s", "connector/s", "share"]
    columns += ["share of limit", "loop CPU ms", "CPU ms", "PSS MB"]
    title = "A backlog sent, against a bare loop over the same orders"
    tables = [print_table(title, columns, [build_row(measurement) for measurement in measurements])]
    if profiles:
        parts = next(iter(profiles.values()))
        rows = [[name, *(f"{share:.0%}" for share in shares.values())] for name, shares in profiles.items()]
        tables.append(print_table("Where the interpreter's time goes", ["", *parts], rows))
    if not is_complete:
        return
    figures = {"cases": [serialize_measurement(measurement) for measurement in measurements], "profile": profiles}
    write_result("forward", figures, machine, tables=tables, rounds=rounds, seconds=seconds, backlog=backlog)
    draw("forward")


if __name__ == "__main__":
    main()
