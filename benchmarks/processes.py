"""Starts and stops the processes that are measured, each in the benchmark's temporary directory.

The connector is started only by its public commands, so that its internals can change.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psycopg

from benchmarks.native import build
from connector.core.processes import die_with_parent
from connector.worker.supervisor import gunicorn_command

ROOT = Path(__file__).parents[1]
READY_WITHIN_S = 60.0


def find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def run_process(
    command: Sequence[str], *, directory: Path, name: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` until the block ends, and log its output to `<name>.log`."""
    full_environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    with (directory / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own commands
            command, cwd=directory, env=full_environment, stdout=log, stderr=log, preexec_fn=die_with_parent
        )
    try:
        yield process
    except RuntimeError as error:
        output = (directory / f"{name}.log").read_text(errors="replace")
        error.add_note(f"The end of {name}'s output:\n{output[-2000:]}")
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def run_gunicorn(
    app: str, *, port: int, processes: int, directory: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `app` under the gunicorn of `connector serve`, with the same worker class, threads and limits."""
    connector_gunicorn = gunicorn_command("127.0.0.1", port, processes)
    command = [app if argument.startswith("connector.web.app") else argument for argument in connector_gunicorn]
    name = "web-" + "".join(letter for letter in app if letter.isalnum())
    with run_process(command, directory=directory, name=name, environment=environment) as process:
        wait_until_ready(process, port)
        yield process


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait for any HTTP response at `port`. Raises `RuntimeError` if the process ends first."""
    give_up_at = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with status {process.returncode}")
        try:
            httpx.get(f"http://127.0.0.1:{port}/health/live", trust_env=False, timeout=5)
        except httpx.HTTPError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"nothing responds at port {port}")


def wait_for_file(file: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the process has created the file. Raises `RuntimeError` if it ends first or takes too long."""
    give_up_at = time.monotonic() + READY_WITHIN_S
    while not file.exists():
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise RuntimeError(f"{process.args!r} did not create {file.name}")
        time.sleep(0.02)


def run_command(command: Sequence[str], *, directory: Path, environment: Mapping[str, str]) -> None:
    full_environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    result = subprocess.run(command, cwd=directory, env=full_environment, capture_output=True, check=False)  # noqa: S603
    if result.returncode:
        raise RuntimeError(f"{command!r} ended with status {result.returncode}: {result.stderr.decode()[-2000:]}")


def connector_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "connector", *arguments]


def slow_fsync_environment(delay_ms: float) -> dict[str, str]:
    """Return the environment variables that make every fsync and fdatasync take `delay_ms` longer."""
    if not delay_ms:
        return {}
    return {"LD_PRELOAD": str(build("slow_fsync")), "SLOW_FSYNC_US": str(round(delay_ms * 1000))}


@contextmanager
def run_postgres(directory: Path, *, fsync_ms: float = 0) -> Iterator[str]:
    """Run a PostgreSQL server with its default settings. Yields the URL of its database."""
    with run_process(
        [sys.executable, "-m", "benchmarks.serve_postgres", str(directory / "postgres")],
        directory=directory,
        name="postgres",
        environment=slow_fsync_environment(fsync_ms),
    ) as process:
        url_file = directory / "postgres.url"
        wait_for_file(url_file, process)
        yield url_file.read_text()
        with suppress(FileNotFoundError):
            url_file.unlink()


def create_database(server_url: str, name: str, *, template: str | None = None) -> str:
    """Create a database, as a copy of `template` if there is one. Returns its URL."""
    execute(server_url, f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
    return server_url.replace("/postgres?", f"/{name}?")


def execute(server_url: str, statement: str) -> None:
    """Execute a statement that PostgreSQL does not allow inside a transaction."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement.encode())
