"""Worker ids, from which another process on the same machine can tell whether the worker is still alive."""

import os
import socket
import uuid
from pathlib import Path


def new_worker_id() -> str:
    """Return `host:pid:start time:random`. The random part distinguishes two workers in one process."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{process_start_time(pid)}:{uuid.uuid4().hex[:12]}"


def is_dead(worker_id: str) -> bool:
    """Whether the worker's process is known to have ended. Always False for a worker on another machine.

    A wrong answer (containers that share a host name but not their processes) does the same as an expired lease:
    the live worker finds that it has lost its claim.
    """
    match worker_id.rsplit(":", 3):
        case [host, pid, started, _] if host == socket.gethostname() and started:
            return process_start_time(int(pid)) != started
    return False


def process_start_time(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; "" if it has ended or there is no /proc.

    Field 22 of https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html. Process ids are reused; this is not.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
