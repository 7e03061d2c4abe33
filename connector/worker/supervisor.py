"""`connector serve`: runs gunicorn and the workers as child processes.

The supervisor restarts a worker that dies, less and less often if it keeps dying: the web server goes on storing
webhooks. It stops all of them on SIGTERM or SIGINT, or when gunicorn ends. It does no other work and imports little,
since it stays in memory.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from typing import NoReturn

from connector.core.processes import die_with_parent
from connector.observability.logs import configure_logging, flush_log, get_logger
from connector.worker.listening import format_host, is_ready

FIRST_RESTART_DELAY_S, MAX_RESTART_DELAY_S = 0.2, 60.0
#: By default, SQLite gets a worker for each core up to this: each takes 75 MB. On PostgreSQL each takes four
#: connections as well, and the smallest plans allow 20 in all, so the default is one.
MAX_DEFAULT_WORKERS = 2
#: Deaths of a worker within this time count for the delay, and so many are reported.
RECENT_S, MANY_DEATHS = 600.0, 5
POLL_INTERVAL_S = 0.1
#: After SIGTERM: the worker's own 25 s and a margin. Heroku kills all processes at 30 s.
SHUTDOWN_TIMEOUT_S = 28.0
#: A web request takes milliseconds; this allows for one that waits for the database's lock.
WEB_TIMEOUT_S = 30
#: Connections that a web process serves at a time, each in a thread, and those that wait for their next request too.
WEB_THREADS, WEB_CONNECTIONS = 1000, 1200


class WorkerProcess:
    """A worker that is started again when it dies: twice as late for each recent death."""

    def __init__(self) -> None:
        self.log = get_logger()
        self.process = start_process(worker_command())
        self._restart_at: float | None = None  # monotonic
        self._deaths: deque[float] = deque()  # monotonic

    def restart_if_dead(self) -> None:
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            self.process, self._restart_at = start_process(worker_command()), None
        elif self._restart_at is None and self.process.poll() is not None:
            self._restart_at = time.monotonic() + self.record_death(self.process.returncode)

    def record_death(self, status: int) -> float:
        """Return how many seconds to wait before the worker is started again.

        The web server keeps running: webhooks are stored, and sent when a worker runs again.
        """
        now = time.monotonic()
        self._deaths.append(now)
        while now - self._deaths[0] > RECENT_S:
            self._deaths.popleft()
        restart_in_s = min(FIRST_RESTART_DELAY_S * 2.0 ** (len(self._deaths) - 1), MAX_RESTART_DELAY_S)
        self.log.error("worker_ended", status=status, restart_in_s=restart_in_s)
        if len(self._deaths) >= MANY_DEATHS:
            self.log.error("worker_keeps_ending", deaths=len(self._deaths), within_s=RECENT_S, webhooks="still stored")
        return restart_in_s


class Supervisor:
    """Runs the web server and the workers.

    Args:
        address: the host and port on which the web server listens.
        workers: their number. The first starts with the web server, and the others when that responds.
        ready_text: printed once, when the web server responds there.
    """

    def __init__(
        self, web_command: list[str], address: tuple[str, int], *, workers: int = 1, ready_text: str = ""
    ) -> None:
        self.web_command = web_command
        self.address = address
        self.worker_count = workers
        self.ready_text = ready_text
        self.log = get_logger()
        self.is_stopping = False  # not an `Event`: its lock may be held by the thread that a signal interrupts

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT. Return the exit status: 0 after such a signal, else an error."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: self.stop())
        os.environ["WORKER_PROCESSES"] = str(self.worker_count)  # the workers divide the accounts' limits
        web = start_process(self.web_command)
        workers = [WorkerProcess()]
        status = 0
        is_announced = False
        while self.sleep_unless_stopped(POLL_INTERVAL_S):
            if web.poll() is not None:
                self.log.error("web_ended", status=web.returncode)
                status = web.returncode or 1
                break
            for worker in workers:
                worker.restart_if_dead()
            if not is_announced and is_ready(*self.address):
                is_announced = True
                print(self.ready_text, flush=True)
                workers += [WorkerProcess() for _ in range(self.worker_count - 1)]
        stop_processes([web, *(worker.process for worker in workers)])
        return status

    def stop(self) -> None:
        """Make `run` stop the processes and return. Safe in a signal handler."""
        self.is_stopping = True

    def sleep_unless_stopped(self, seconds: float) -> bool:
        """Sleep until the time is up or `stop` is called. Return False if it was called."""
        deadline = time.monotonic() + seconds
        while not self.is_stopping and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.is_stopping


def gunicorn_command(host: str, port: int, processes: int) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", "connector.web.app:create_wsgi()"),
        *("--bind", f"{format_host(host)}:{port}"),
        *("--workers", str(processes)),
        *("--worker-class", "connector.web.gunicorn_worker.DeadlineWorker"),
        *("--threads", str(WEB_THREADS), "--worker-connections", str(WEB_CONNECTIONS)),
        *("--timeout", str(WEB_TIMEOUT_S), "--graceful-timeout", "20", "--keep-alive", "5"),
        *("--forwarder-headers", ""),  # by default a header of the request sets SCRIPT_NAME or PATH_INFO
        *("--log-level", "warning", "--no-control-socket"),
    ]


def worker_command() -> list[str]:
    return [sys.executable, "-m", "connector", "worker"]


def start_process(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, preexec_fn=die_with_parent)  # noqa: S603  # our own commands


def stop_processes(processes: list[subprocess.Popen[bytes]]) -> None:
    """Send SIGTERM to all, and SIGKILL to those that outlast `SHUTDOWN_TIMEOUT_S`."""
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


def default_worker_count(database_url: str) -> int:
    return min(len(os.sched_getaffinity(0)), MAX_DEFAULT_WORKERS) if database_url.startswith("sqlite") else 1


def exec_supervisor(host: str, port: int, *, web_processes: int, workers: int, ready_text: str) -> NoReturn:
    """Replace this process with the supervisor, which frees the memory of everything imported so far."""
    flush_log()
    sys.stdout.flush()
    sys.stderr.flush()
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the supervisor reads and closes it
    file.write(ready_text.encode())
    file.seek(0)
    os.set_inheritable(file.fileno(), True)
    arguments = [host, str(port), str(web_processes), str(workers), str(file.fileno())]
    os.execv(sys.executable, [sys.executable, "-m", "connector.worker.supervisor", *arguments])  # noqa: S606


def main() -> None:
    host, port, web_processes, workers, text_descriptor = sys.argv[1:]
    configure_logging()
    with open(int(text_descriptor), encoding="utf-8") as file:
        ready_text = file.read()
    command = gunicorn_command(host, int(port), int(web_processes))
    sys.exit(Supervisor(command, (host, int(port)), workers=int(workers), ready_text=ready_text).run())


if __name__ == "__main__":
    main()
