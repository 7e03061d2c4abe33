"""Names claimants so that another process on the same machine can tell whether one is still alive."""

import os
import socket
import uuid
from pathlib import Path


def new_worker_id() -> str:
    """`host:process id:when it started:random`. The last part tells apart two forwarders of one process."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{process_start_time(pid)}:{uuid.uuid4().hex[:12]}"


def is_dead(worker_id: str) -> bool:
    """True when the claimant's process surely does not run any more. Of another machine's nothing is known: False.

    Should this ever be wrong (containers that share a host name but not their processes), no harm is done beyond
    what a lease that ran out does: the living one finds its claim lost.
    """
    match worker_id.rsplit(":", 3):
        case [host, pid, started, _] if host == socket.gethostname() and started:
            return process_start_time(int(pid)) != started
    return False


def process_start_time(pid: int) -> str:
    """When a process started, in clock ticks since this machine's boot; "" where there is none, or no /proc.

    Field 22 of https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html. A process id alone is given again.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
