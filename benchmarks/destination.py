"""Starts the program that plays a destination, and reads from it when which order arrived. It judges nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.native import build
from benchmarks.processes import free_port, running, wait_until_ready


@dataclass(frozen=True, kw_only=True)
class Arrival:
    first_ns: int  # CLOCK_MONOTONIC
    times: int


@dataclass(frozen=True, kw_only=True)
class Destination:
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def arrivals(self) -> dict[int, Arrival]:
        """By order number, for all that arrived since the start or the last `forget`."""
        reply = httpx.get(f"{self.url}/times", trust_env=False, timeout=60)
        rows = [tuple(map(int, line.split())) for line in reply.content.splitlines()]
        return {number: Arrival(first_ns=first_ns, times=times) for number, first_ns, times in rows}

    def answered(self) -> int:
        """How many orders were answered, repeats among them."""
        return int(httpx.get(f"{self.url}/count", trust_env=False).content)

    def forget(self) -> None:
        httpx.get(f"{self.url}/reset", trust_env=False)


@contextmanager
def destination(directory: Path, *, delay_ms: float = 0) -> Iterator[Destination]:
    port = free_port()
    command = [str(build("destination")), str(port), str(delay_ms)]
    with running(command, directory=directory, name=f"destination-{port}") as process:
        wait_until_ready(process, port)
        yield Destination(port=port)
