"""Runs the service for the demo as a separate process."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from connector.settings.setup import generate_token_key

#: The longest that the service may take to start on a busy machine.
START_TIMEOUT_S = 60.0
#: Longer than the 28 s that the service allows for attempts in flight.
STOP_TIMEOUT_S = 35.0


class DemoError(Exception):
    """The service did not start, stopped, or did not process an order in time."""


class Interrupt:
    """Records SIGINT, SIGTERM and SIGHUP, and raises `KeyboardInterrupt` only in `pause`, between two steps."""

    def __init__(self) -> None:
        self.is_requested = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self.is_requested = True

    def pause(self, seconds: float = 0.05) -> None:
        time.sleep(seconds)
        if self.is_requested:
            raise KeyboardInterrupt


@dataclass(frozen=True, kw_only=True)
class ServiceProcess:
    """A running service, and a client for its API."""

    url: str
    variables: dict[str, str]  # its environment
    process: subprocess.Popen[bytes]
    api: httpx.Client

    def ensure_running(self) -> None:
        """Raise `DemoError` if the service has stopped."""
        if self.process.poll() is not None:
            raise DemoError(f"The service stopped with exit status {self.process.returncode}.")

    def wait_until_ready(self, interrupt: Interrupt) -> None:
        """Wait until the service is ready. Raises `DemoError` if it does not start."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self.ensure_running()
            with suppress(httpx.TransportError):  # it does not listen yet
                if self.api.get("/health/ready").status_code == 200:
                    return
            interrupt.pause()
        raise DemoError(f"The service was not ready within {START_TIMEOUT_S:.0f} s.")

    def get(self, path: str, **query: str) -> Any:
        response = self.api.get(path, params=query)
        response.raise_for_status()
        return response.json()


def build_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a service whose configuration and database are in `folder`."""
    return {
        "CONNECTOR_CONFIG": str(folder / "connector.toml"),
        "CONNECTOR_TOML": "",  # not that of this machine's own service
        "DATABASE_URL": f"sqlite:///{folder / 'connector.db'}",
        "ADMIN_TOKEN": secrets.token_urlsafe(32),
        "TOKEN_KEYS": generate_token_key(),
        "HOST": "127.0.0.1",
        "PORT": str(find_free_port()),
        "WEB_CONCURRENCY": "1",
        "WORKER_PROCESSES": "1",
        "LEASE_S": "60",
        "AUTO_MIGRATE": "1",
        "ALLOW_EPHEMERAL_SQLITE": "1",  # the demo keeps nothing
    }


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def run_service(variables: dict[str, str], log: Path) -> Iterator[ServiceProcess]:
    """Run `connector serve` until the block ends. Its output goes to `log`."""
    url = f"http://{variables['HOST']}:{variables['PORT']}"
    authorization = {"Authorization": f"Bearer {variables['ADMIN_TOKEN']}"}
    with log.open("wb") as output:
        # In a separate session, so that Ctrl-C only reaches the demo, which stops the service gracefully.
        process = subprocess.Popen(
            [sys.executable, "-m", "connector", "serve"],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        # Ignore proxies in the environment: the service is on this machine.
        with httpx.Client(base_url=url, headers=authorization, trust_env=False, timeout=10) as api:
            yield ServiceProcess(url=url, variables=variables, process=process, api=api)
    finally:
        terminate(process)


def terminate(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
