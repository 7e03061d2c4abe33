"""`connector serve`: gunicorn, and the forwarder as a process beside it, under one supervisor.

The supervisor does no work of its own. It starts both, brings the forwarder back when it dies, and ends both when it
is told to, when the web server ends, or when the forwarder cannot be kept up. It imports little, since it stays.
"""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from typing import NoReturn

from connector.core.processes import die_with_parent
from connector.observability.logs import configure_logging, flush_log, get_logger

#: A forwarder that dies this often within this time will not come up by itself.
MAX_RESTARTS, RESTART_WINDOW_S = 5, 60.0
#: After SIGTERM: the forwarder's own 25 s and a little. A dyno is killed at 30 s.
SHUTDOWN_TIMEOUT_S = 28.0
#: A webhook is answered in milliseconds; this is for one that waits for the database's lock.
WEB_TIMEOUT_S = 30
#: Every web process answers this many at once.
WEB_THREADS = 24


class Supervisor:
    def __init__(self, web_command: list[str]) -> None:
        self.web_command = web_command  # the command
        self.log = get_logger()
        self.is_stopping = False  # no `Event`: it has a lock, which a signal's handler may find held
        self._restarts: deque[float] = deque(maxlen=MAX_RESTARTS)

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT. Returns the exit status: 0 when it was told to end."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: self.stop())
        web_command = start_process(self.web_command)
        worker = start_process(worker_command())
        status = 0
        while self.sleep_unless_stopped(0.1):
            if web_command.poll() is not None:
                self.log.error("web_ended", status=web_command.returncode)
                status = web_command.returncode or 1
                break
            if worker.poll() is not None:
                self.log.error("forwarder_ended", status=worker.returncode)
                if not self.may_restart():
                    self.log.error("forwarder_cannot_be_kept_up", restarts=MAX_RESTARTS, within_s=RESTART_WINDOW_S)
                    status = 1
                    break
                worker = start_process(worker_command())
        stop_processes([web_command, worker])
        return status

    def may_restart(self) -> bool:
        """True unless the forwarder has been restarted too often of late. Waits a little longer each time."""
        now = time.monotonic()
        recent = [restarted_at for restarted_at in self._restarts if now - restarted_at < RESTART_WINDOW_S]
        self._restarts.append(now)
        if len(recent) >= MAX_RESTARTS:
            return False
        self.sleep_unless_stopped(0.2 * 2 ** len(recent))
        return True

    def stop(self) -> None:
        self.is_stopping = True

    def sleep_unless_stopped(self, seconds: float) -> bool:
        """Wait so long, but not past `stop`. False when it has come."""
        deadline = time.monotonic() + seconds
        while not self.is_stopping and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.is_stopping


def gunicorn_command(host: str, port: int, processes: int) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", "connector.web.app:create_wsgi()"),
        *("--bind", f"{host}:{port}"),
        *("--workers", str(processes)),
        *("--worker-class", "gthread", "--threads", str(WEB_THREADS)),
        *("--timeout", str(WEB_TIMEOUT_S), "--graceful-timeout", "20", "--keep-alive", "5"),
        *("--log-level", "warning", "--no-control-socket"),
    ]


def worker_command() -> list[str]:
    return [sys.executable, "-m", "connector", "worker"]


def start_process(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, preexec_fn=die_with_parent)  # noqa: S603  # our own commands


def stop_processes(processes: list[subprocess.Popen[bytes]]) -> None:
    """SIGTERM to all at once, then SIGKILL to what is left when the time is up."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + SHUTDOWN_TIMEOUT_S
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def exec_supervisor(host: str, port: int, processes: int) -> NoReturn:
    """Let this process go on as the supervisor, without all that it imported to check the configuration."""
    flush_log()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "connector.worker.supervisor", host, str(port), str(processes)])  # noqa: S606


def main() -> None:
    host, port, processes = sys.argv[1:]
    configure_logging()
    sys.exit(Supervisor(gunicorn_command(host, int(port), int(processes))).run())


if __name__ == "__main__":
    main()
