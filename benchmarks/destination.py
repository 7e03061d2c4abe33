"""Starts the program that acts as a destination, and reads from it which orders arrived when."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.native import build
from benchmarks.processes import find_free_port, run_process, wait_until_ready


@dataclass(frozen=True, kw_only=True)
class Arrival:
    first_ns: int  # CLOCK_MONOTONIC
    times: int


@dataclass(frozen=True, kw_only=True)
class FakeDestination:
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def arrivals(self) -> dict[int, Arrival]:
        """Return the orders that arrived since the start or the last `reset`, by order number."""
        response = httpx.get(f"{self.url}/times", trust_env=False, timeout=60)
        rows = [tuple(map(int, line.split())) for line in response.content.splitlines()]
        return {number: Arrival(first_ns=first_ns, times=times) for number, first_ns, times in rows}

    def count_responses(self) -> int:
        """Return the number of orders that were responded to, including repeats."""
        return int(httpx.get(f"{self.url}/count", trust_env=False).content)

    def reset(self) -> None:
        httpx.get(f"{self.url}/reset", trust_env=False)


@contextmanager
def run_destination(directory: Path, *, delay_ms: float = 0) -> Iterator[FakeDestination]:
    port = find_free_port()
    command = [str(build("destination")), str(port), str(delay_ms)]
    with run_process(command, directory=directory, name=f"destination-{port}") as process:
        wait_until_ready(process, port)
        yield FakeDestination(port=port)
