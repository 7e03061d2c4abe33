"""Starts what is measured as processes of its own, in a directory of its own, and ends them; it measures nothing.

The connector is started by its public commands alone, so that its inside may change.
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


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str], *, directory: Path, name: str, variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` inside the block, its output going to `<name>.log`, and end it and its children with the block."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(variables or {})}
    with (directory / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own commands
            command, cwd=directory, env=environment, stdout=log, stderr=log, preexec_fn=die_with_parent
        )
    try:
        yield process
    except RuntimeError as error:
        said = (directory / f"{name}.log").read_text(errors="replace")
        error.add_note(f"The last that {name} said:\n{said[-2000:]}")
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def gunicorn(
    app: str, *, port: int, processes: int, directory: Path, variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`app` under the gunicorn of `connector serve`, with the same worker class, threads and limits."""
    given = gunicorn_command("127.0.0.1", port, processes)
    command = [app if part.startswith("connector.web.app") else part for part in given]
    name = "web-" + "".join(letter for letter in app if letter.isalnum())
    with running(command, directory=directory, name=name, variables=variables) as process:
        wait_until_ready(process, port)
        yield process


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Until HTTP is answered at `port`, whatever the answer. Raises `RuntimeError` when the process ends before."""
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
    raise RuntimeError(f"nothing answers at port {port}")


def wait_until_there(file: Path, process: subprocess.Popen[bytes]) -> None:
    """Until a process has made a file. Raises `RuntimeError` when it ends before, or takes too long."""
    give_up_at = time.monotonic() + READY_WITHIN_S
    while not file.exists():
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise RuntimeError(f"{process.args!r} did not make {file.name}")
        time.sleep(0.02)


def run(command: Sequence[str], *, directory: Path, variables: Mapping[str, str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{command!r} ended with status {done.returncode}: {done.stderr.decode()[-2000:]}")


def connector(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "connector", *arguments]


def slow_fsync(delay_ms: float) -> dict[str, str]:
    """The environment in which every fsync and fdatasync lasts `delay_ms` longer."""
    if not delay_ms:
        return {}
    return {"LD_PRELOAD": str(build("slow_fsync")), "SLOW_FSYNC_US": str(round(delay_ms * 1000))}


@contextmanager
def postgres(directory: Path, *, fsync_ms: float = 0) -> Iterator[str]:
    """A PostgreSQL of its own, with its settings as they come: the address of its database."""
    with (
        running(
            [sys.executable, "-m", "benchmarks.serve_postgres", str(directory / "postgres")],
            directory=directory,
            name="postgres",
            variables=slow_fsync(fsync_ms),
        ) as process,
    ):
        address = directory / "postgres.url"
        wait_until_there(address, process)
        yield address.read_text()
        with suppress(FileNotFoundError):
            address.unlink()


def create_database(server: str, name: str, *, template: str | None = None) -> str:
    """Make a database at the PostgreSQL of `server`, a copy of `template` if that is named; its address."""
    ask(server, f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
    return server.replace("/postgres?", f"/{name}?")


def ask(server: str, statement: str) -> None:
    """Have PostgreSQL do what no transaction may hold."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())
