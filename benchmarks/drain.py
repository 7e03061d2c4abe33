"""Measures how fast a backlog is sent over HTTPS to a destination that is a round trip away.

The limit is the number of orders in flight divided by the time that one takes on a connection that is open already.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from benchmarks.backlog import Backlog
from benchmarks.certificates import write_certificate
from benchmarks.destination import FakeDestination, run_destination
from benchmarks.plots import draw
from benchmarks.processes import connector_command, find_free_port, run_process
from benchmarks.report import Target, console, describe_machine, format_figure, median, print_table, write_result
from benchmarks.sending import SendingResult, measure_sending
from benchmarks.stores import SAMPLES, build_environment, write_configuration

SHARE_OF_LIMIT = Target(value=0.9)


@dataclass(frozen=True, kw_only=True)
class Case:
    destination: str
    round_trip_ms: float
    in_flight: int

    @property
    def limit_per_s(self) -> float:
        return self.in_flight / self.round_trip_ms * 1000


ROUND_TRIPS_MS = (50, 100, 150)


@dataclass(kw_only=True)
class Measurement:
    case: Case
    results: list[SendingResult] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        return median(result.per_s for result in self.results)

    @property
    def share_of_limit(self) -> float:
        return self.per_s / self.case.limit_per_s


def measure(case: Case, backlog: Backlog, rounds: int, seconds: float, directory: Path) -> Measurement:
    files = write_certificate(directory)
    measurement = Measurement(case=case)
    with ExitStack() as stack:
        destination = stack.enter_context(run_destination(directory))
        port = stack.enter_context(run_distant_server(case, destination, files, directory))
        for _ in range(rounds):
            measurement.results.append(run_worker(case, backlog, destination, port, files[0], seconds, directory))
    return measurement


@contextmanager
def run_distant_server(
    case: Case, destination: FakeDestination, files: tuple[Path, Path], directory: Path
) -> Iterator[int]:
    """Put a round trip and TLS before a destination. Yields the port."""
    port = find_free_port()
    arguments = [port, destination.port, case.round_trip_ms, *files]
    command = [sys.executable, "-m", "benchmarks.distant_server", *map(str, arguments)]
    with run_process(command, directory=directory, name=f"distant-{port}"):
        yield port


def run_worker(
    case: Case,
    backlog: Backlog,
    destination: FakeDestination,
    port: int,
    certificate: Path,
    seconds: float,
    directory: Path,
) -> SendingResult:
    configuration = write_configuration(
        directory,
        destination=case.destination,
        base_url=f"https://localhost:{port}",
        concurrency=case.in_flight,
        timeout_s=30,
    )
    url = backlog.copy()
    environment = {**build_environment(configuration, url), "SSL_CERT_FILE": str(certificate)}
    worker = run_process(connector_command("worker"), directory=directory, name="worker", environment=environment)
    skip = 4 * case.in_flight
    result = measure_sending([worker], destination, skip=skip, max_orders=backlog.orders - skip, seconds=seconds)
    backlog.drop(url)
    if result.duplicates:
        raise RuntimeError(f"{result.duplicates} orders arrived twice")
    return result


def build_row(measurement: Measurement) -> list[str]:
    case = measurement.case
    return [
        case.destination,
        f"{case.round_trip_ms:g}",
        str(case.in_flight),
        f"{case.limit_per_s:.0f}",
        f"{measurement.per_s:.1f}",
        format_figure(measurement.share_of_limit, SHARE_OF_LIMIT),
        f"{median(result.cpu_ms for result in measurement.results):.2f}",
    ]


def serialize_measurement(measurement: Measurement) -> dict[str, Any]:
    return {
        "case": asdict(measurement.case),
        "share_of_limit": measurement.share_of_limit,
        "results": [asdict(result) for result in measurement.results],
    }


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=10.0, show_default=True, help="Duration of each run.")
@click.option("--backlog", default=2_000, show_default=True, help="Waiting orders.")
@click.option("--destination", "destinations", multiple=True, type=click.Choice(list(SAMPLES)))
@click.option("--round-trip-ms", "round_trips_ms", multiple=True, type=float)
@click.option("--in-flight", default=4, show_default=True, type=click.IntRange(1))
@click.option("--quick", is_flag=True, help="Run one short round of one case, and store nothing.")
def main(
    rounds: int,
    seconds: float,
    backlog: int,
    destinations: tuple[str, ...],
    round_trips_ms: tuple[float, ...],
    in_flight: int,
    quick: bool,
) -> None:
    """Measure how fast a backlog is sent over HTTPS to a destination that is a round trip away.

    Without an option that chooses cases, all are run, and the results are stored.
    """
    cases = [
        Case(destination=destination, round_trip_ms=round_trip_ms, in_flight=in_flight)
        for destination in destinations or SAMPLES
        for round_trip_ms in round_trips_ms or ROUND_TRIPS_MS
    ]
    is_complete = not (quick or destinations or round_trips_ms)
    if quick:
        cases, rounds, seconds, backlog = cases[:1], 1, 2.0, 200
    machine = describe_machine()
    measurements: list[Measurement] = []
    with TemporaryDirectory() as name:
        directory = Path(name)
        for destination, group in groupby(cases, lambda case: case.destination):
            console.print(f"[dim]{destination}: receiving {backlog} orders …[/]")
            loaded = Backlog(
                directory=directory, destination=destination, engine="sqlite", server_url=None, orders=backlog
            )
            for case in group:
                console.print(f"[dim]{destination}, {case.round_trip_ms:g} ms …[/]")
                measurements.append(measure(case, loaded, rounds, seconds, directory))
    columns = ["destination", "round trip ms", "in flight", "limit/s", "connector/s", "share of limit", "CPU ms"]
    title = "A backlog sent over HTTPS to a destination that is a round trip away"
    table = print_table(title, columns, [build_row(measurement) for measurement in measurements])
    if not is_complete:
        return
    figures = [serialize_measurement(measurement) for measurement in measurements]
    write_result("drain", figures, machine, tables=[table], rounds=rounds, seconds=seconds, backlog=backlog)
    draw("drain")


if __name__ == "__main__":
    main()
