"""Drives the load program: posts prepared requests and says how many were answered how fast. It judges nothing."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.native import build
from benchmarks.orders import write_requests

#: A storefront's servers keep a connection for a while; and gunicorn's processes share new ones, not requests.
PER_CONNECTION = 50


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What came of one run of requests."""

    requests: int
    accepted: int  # answered 200 and "accepted"
    per_s: float
    p50_ms: float
    p99_ms: float
    most_ms: float
    began_ns: list[int]  # CLOCK_MONOTONIC, by request

    @property
    def errors(self) -> int:
        return self.requests - self.accepted


def post(
    made: Iterator[bytes], directory: Path, *, port: int, connections: int, seconds: float, per_s: float = 0
) -> Loaded:
    """Write the requests down, then post them over `connections` for `seconds` at most."""
    file = directory / "requests.bin"
    write_requests(file, made)
    try:
        return post_file(file, directory, port=port, connections=connections, seconds=seconds, per_s=per_s)
    finally:
        file.unlink()


def post_file(file: Path, directory: Path, *, port: int, connections: int, seconds: float, per_s: float = 0) -> Loaded:
    times = directory / "times.txt"
    subprocess.run(  # noqa: S603  # our own program
        [build("load"), *map(str, (port, connections, PER_CONNECTION, per_s, seconds, file, times))], check=True
    )
    rows = [tuple(map(int, line.split())) for line in times.read_text().splitlines()]
    began = [row[1] for row in rows]
    took = sorted(row[2] for row in rows)
    accepted = sum(1 for row in rows if row[3] == 200 and row[4])
    last = max(row[1] + row[2] for row in rows)
    return Loaded(
        requests=len(rows),
        accepted=accepted,
        per_s=accepted / ((last - min(began)) / 1e9),
        p50_ms=percentile(took, 50) / 1e6,
        p99_ms=percentile(took, 99) / 1e6,
        most_ms=took[-1] / 1e6,
        began_ns=began,
    )


def percentile(ordered: list[int], percent: float) -> int:
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
