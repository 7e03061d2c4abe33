"""Runs workers, or bare loops, against a fake destination for a while, and measures their speed and cost."""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.destination import FakeDestination

#: A run that has not sent its first orders by then has failed.
START_WITHIN_S = 60.0
POLL_EVERY_S = 0.02


@dataclass(frozen=True, kw_only=True)
class SendingResult:
    """What the processes did together, after they had warmed up."""

    orders: int
    seconds: float
    cpu_s: float
    pss_mb: float
    duplicates: int = 0

    @property
    def per_s(self) -> float:
        return self.orders / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Processor time per order."""
        return self.cpu_s / self.orders * 1000


def measure_sending(
    senders: Sequence[AbstractContextManager["subprocess.Popen[bytes]"]],
    destination: FakeDestination,
    *,
    skip: int,
    max_orders: int,
    seconds: float,
    profile: Path | None = None,
) -> SendingResult:
    """Start the senders, and measure after their first `skip` orders, for `seconds` or until `max_orders` arrived.

    Args:
        profile: the file for the stacks of the first sender.
    """
    destination.reset()
    with ExitStack() as stack:
        started = [stack.enter_context(sender) for sender in senders]
        processes = [psutil.Process(process.pid) for process in started]
        give_up_at = time.monotonic() + START_WITHIN_S
        while destination.count_responses() < skip:
            if any(process.poll() is not None for process in started) or time.monotonic() > give_up_at:
                raise RuntimeError(f"{started[0].args!r} sends nothing")
            time.sleep(POLL_EVERY_S)
        first_order, started_s, cpu_before_s = destination.count_responses(), time.monotonic(), cpu_s(processes)
        recorder = record_profile(started[0].pid, seconds, profile) if profile else None
        while (last_order := destination.count_responses()) < max_orders and time.monotonic() - started_s < seconds:
            time.sleep(POLL_EVERY_S)
        ended_s, cpu_after_s = time.monotonic(), cpu_s(processes)
        pss_mb = sum(process.memory_full_info().pss for process in processes) / 1e6
        if recorder:
            recorder.wait()
    return SendingResult(
        orders=last_order - first_order,
        seconds=ended_s - started_s,
        cpu_s=cpu_after_s - cpu_before_s,
        pss_mb=pss_mb,
        duplicates=sum(arrival.times - 1 for arrival in destination.arrivals().values()),
    )


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return float(sum(time_.user + time_.system for time_ in times))


def record_profile(pid: int, seconds: float, file: Path) -> "subprocess.Popen[bytes]":
    """Sample where a process spends its time. py-spy must be permitted to read other processes, as root is."""
    venv = str(Path(sys.executable).parent)
    program = shutil.which("py-spy", path=venv) or shutil.which("py-spy")
    if program is None:
        raise SystemExit("--profile needs py-spy: pip install -r benchmarks/requirements.txt")
    command = [program, "record", "--pid", str(pid), "--duration", str(max(1, round(seconds)))]
    # Only the thread that holds the interpreter's lock: the other stacks do not show whether a thread waits or works.
    command += ["--gil", "--rate", "100", "--format", "raw", "--output", str(file)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603


#: The part of the work that a frame's file belongs to. The innermost frame that is listed decides.
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
    """Return the share of each part of the work, from py-spy's raw stacks."""
    samples = dict.fromkeys([part for part, _ in PARTS] + ["other"], 0)
    for line in file.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        samples[find_part(stack)] += int(count)
    total = sum(samples.values()) or 1
    return {part: count / total for part, count in samples.items()}


def find_part(stack: str) -> str:
    for frame in reversed(stack.split(";")):
        for part, paths in PARTS:
            if any(path in frame for path in paths):
                return part
    return "other"
