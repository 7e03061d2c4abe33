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

from connector.core.processes import end_with_parent
from connector.observability.logs import flush_log, get_logger, set_up_log

#: A forwarder that dies this often within this time will not come up by itself.
MOST_RESTARTS, WITHIN_S = 5, 60.0
#: After SIGTERM: the forwarder's own 25 s and a little. A dyno is killed at 30 s.
END_WITHIN_S = 28.0
#: A webhook is answered in milliseconds; this is for one that waits for the database's lock.
WEB_TIMEOUT_S = 30
#: Every web process answers this many at once.
WEB_THREADS = 24


class Supervisor:
    def __init__(self, web: list[str]) -> None:
        self.web = web  # the command
        self.log = get_logger()
        self.is_stopping = False  # no `Event`: it has a lock, which a signal's handler may find held
        self._restarts: deque[float] = deque(maxlen=MOST_RESTARTS)

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT. Returns the exit status: 0 when it was told to end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        web = start(self.web)
        forwarder = start(forwarder_command())
        status = 0
        while self.goes_on_after(0.1):
            if web.poll() is not None:
                self.log.error("web_ended", status=web.returncode)
                status = web.returncode or 1
                break
            if forwarder.poll() is not None:
                self.log.error("forwarder_ended", status=forwarder.returncode)
                if not self.may_restart():
                    self.log.error("forwarder_cannot_be_kept_up", restarts=MOST_RESTARTS, within_s=WITHIN_S)
                    status = 1
                    break
                forwarder = start(forwarder_command())
        end([web, forwarder])
        return status

    def may_restart(self) -> bool:
        """True unless the forwarder has been restarted too often of late. Waits a little longer each time."""
        now = time.monotonic()
        recent = [at for at in self._restarts if now - at < WITHIN_S]
        self._restarts.append(now)
        if len(recent) >= MOST_RESTARTS:
            return False
        self.goes_on_after(0.2 * 2 ** len(recent))
        return True

    def stop(self) -> None:
        self.is_stopping = True

    def goes_on_after(self, seconds: float) -> bool:
        """Wait so long, but not past `stop`. False when it has come."""
        until = time.monotonic() + seconds
        while not self.is_stopping and time.monotonic() < until:
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


def forwarder_command() -> list[str]:
    return [sys.executable, "-m", "connector", "worker"]


def start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, preexec_fn=end_with_parent)  # noqa: S603  # our own commands


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    """SIGTERM to all at once, then SIGKILL to what is left when the time is up."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    give_up_at = time.monotonic() + END_WITHIN_S
    for process in processes:
        try:
            process.wait(max(0.0, give_up_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def become_supervisor(host: str, port: int, processes: int) -> NoReturn:
    """Let this process go on as the supervisor, without all that it imported to check the configuration."""
    flush_log()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "connector.worker.supervisor", host, str(port), str(processes)])  # noqa: S606


def main() -> None:
    host, port, processes = sys.argv[1:]
    set_up_log()
    sys.exit(Supervisor(gunicorn_command(host, int(port), int(processes))).run())


if __name__ == "__main__":
    main()
