"""Runs the load program, which posts prepared requests, and summarizes the responses and their times."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.native import build
from benchmarks.orders import write_requests

#: A storefront's servers reuse a connection for a while. gunicorn's processes share connections, not requests.
REQUESTS_PER_CONNECTION = 50


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """The outcome of one run of requests."""

    requests: int
    accepted: int  # responses with status 200 and "accepted"
    per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    started_ns: list[int]  # CLOCK_MONOTONIC, by request

    @property
    def errors(self) -> int:
        return self.requests - self.accepted


def post(
    requests: Iterator[bytes], directory: Path, *, port: int, connections: int, seconds: float, per_s: float = 0
) -> LoadResult:
    """Write the requests to a file, then post them over `connections` for at most `seconds`."""
    file = directory / "requests.bin"
    write_requests(file, requests)
    try:
        return post_file(file, directory, port=port, connections=connections, seconds=seconds, per_s=per_s)
    finally:
        file.unlink()


def post_file(
    file: Path, directory: Path, *, port: int, connections: int, seconds: float, per_s: float = 0
) -> LoadResult:
    times = directory / "times.txt"
    subprocess.run(  # noqa: S603  # our own program
        [build("load"), *map(str, (port, connections, REQUESTS_PER_CONNECTION, per_s, seconds, file, times))],
        check=True,
    )
    rows = [tuple(map(int, line.split())) for line in times.read_text().splitlines()]
    started = [row[1] for row in rows]
    durations = sorted(row[2] for row in rows)
    accepted = sum(1 for row in rows if row[3] == 200 and row[4])
    ended = max(row[1] + row[2] for row in rows)
    return LoadResult(
        requests=len(rows),
        accepted=accepted,
        per_s=accepted / ((ended - min(started)) / 1e9),
        p50_ms=percentile(durations, 50) / 1e6,
        p99_ms=percentile(durations, 99) / 1e6,
        max_ms=durations[-1] / 1e6,
        started_ns=started,
    )


def percentile(ordered: list[int], percent: float) -> int:
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
