"""Runs forwarders, or bare loops, against a destination for a while, and says how fast and at what cost they went."""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks.destination import Destination

#: A run that has not begun by then has failed.
BEGIN_WITHIN_S = 60.0
LOOK_EVERY_S = 0.02


@dataclass(frozen=True, kw_only=True)
class Forwarded:
    """What the processes together did while they were in full swing."""

    orders: int
    seconds: float
    cpu_s: float
    pss_mb: float
    again: int = 0  # orders that arrived more than once

    @property
    def per_s(self) -> float:
        return self.orders / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Processor time per order."""
        return self.cpu_s / self.orders * 1000


def watch(
    running: Sequence[AbstractContextManager["subprocess.Popen[bytes]"]],
    played: Destination,
    *,
    skip: int,
    most: int,
    seconds: float,
    profile: Path | None = None,
) -> Forwarded:
    """Start forwarders, leave out their first `skip` orders, then look at them for `seconds` or until `most` arrived.

    Args:
        profile: where to keep the stacks of the first of them.
    """
    played.forget()
    with ExitStack() as stack:
        started = [stack.enter_context(one) for one in running]
        processes = [psutil.Process(one.pid) for one in started]
        begun_at = time.monotonic()
        while played.answered() < skip:
            if any(one.poll() is not None for one in started) or time.monotonic() - begun_at > BEGIN_WITHIN_S:
                raise RuntimeError(f"{started[0].args!r} forwards nothing")
            time.sleep(LOOK_EVERY_S)
        first, from_s, cpu_from_s = played.answered(), time.monotonic(), cpu_s(processes)
        recorder = record_profile(started[0].pid, seconds, profile) if profile else None
        while (answered := played.answered()) < most and time.monotonic() - from_s < seconds:
            time.sleep(LOOK_EVERY_S)
        until_s, cpu_until_s = time.monotonic(), cpu_s(processes)
        pss_mb = sum(one.memory_full_info().pss for one in processes) / 1e6
        if recorder:
            recorder.wait()
    arrived = played.arrivals()
    return Forwarded(
        orders=answered - first,
        seconds=until_s - from_s,
        cpu_s=cpu_until_s - cpu_from_s,
        pss_mb=pss_mb,
        again=sum(arrival.times - 1 for arrival in arrived.values()),
    )


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    return float(sum(one.cpu_times().user + one.cpu_times().system for one in processes))


def record_profile(pid: int, seconds: float, file: Path) -> "subprocess.Popen[bytes]":
    """Sample where a process spends its time. py-spy needs the right to look into other processes, as root has."""
    beside = str(Path(sys.executable).parent)
    program = shutil.which("py-spy", path=beside) or shutil.which("py-spy")
    if program is None:
        raise SystemExit("--profile needs py-spy: pip install -r benchmarks/requirements.txt")
    command = [program, "record", "--pid", str(pid), "--duration", str(max(1, round(seconds)))]
    # Of the thread that holds the interpreter's lock: the others' stacks do not show whether they wait or work.
    command += ["--gil", "--rate", "100", "--format", "raw", "--output", str(file)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603


#: Which part of the work a frame's file belongs to. The innermost frame that is listed decides.
PARTS = [
    (
        "mapping",
        ("mappings/", "marshmallow/", "phonenumbers/", "stdnum/", "jsonschema_rs/", "connector/delivery/prepare.py"),
    ),
    ("HTTP", ("connector/clients/", "httpx/", "httpcore/", "h11/", "ssl.py", "socket.py")),
    ("database", ("connector/database/", "sqlalchemy/", "sqlmodel/", "pydantic/", "psycopg/", "sqlite3/")),
    ("log", ("connector/observability/logs.py", "structlog/")),
    ("loop and decisions", ("connector/", "concurrent/", "threading.py", "queue.py")),
]


def split_profile(file: Path) -> dict[str, float]:
    """The share of each part of the work, from py-spy's raw stacks."""
    samples = dict.fromkeys([part for part, _ in PARTS] + ["other"], 0)
    for line in file.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        samples[part_of(stack)] += int(number)
    total = sum(samples.values()) or 1
    return {part: number / total for part, number in samples.items()}


def part_of(stack: str) -> str:
    for frame in reversed(stack.split(";")):
        for part, places in PARTS:
            if any(place in frame for place in places):
                return part
    return "other"
