"""Runs the real service for the demo, as a process of its own on this machine, and ends it again."""

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

#: How long the service may take to come up on a machine that is busy.
UP_WITHIN_S = 60.0
#: The service gives itself 28 s to end what is in flight.
END_WITHIN_S = 35.0


class DemoError(Exception):
    """The service did not come up, went away, or left an order lying."""


class Interrupt:
    """Notes SIGINT, SIGTERM and SIGHUP, and raises `KeyboardInterrupt` only where the demo waits: never half way."""

    def __init__(self) -> None:
        self.is_noted = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, *_: object) -> None:
        self.is_noted = True

    def pause(self, seconds: float = 0.05) -> None:
        time.sleep(seconds)
        if self.is_noted:
            raise KeyboardInterrupt


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service that runs, and how to speak with it."""

    url: str
    variables: dict[str, str]  # of its environment
    process: subprocess.Popen[bytes]
    api: httpx.Client

    def require_up(self) -> None:
        """Raises `DemoError` when the service has ended."""
        if self.process.poll() is not None:
            raise DemoError(f"The service ended by itself, with exit status {self.process.returncode}.")

    def wait_until_ready(self, interrupt: Interrupt) -> None:
        """Raises `DemoError` when it does not come up."""
        give_up_at = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < give_up_at:
            self.require_up()
            with suppress(httpx.TransportError):  # it does not listen yet
                if self.api.get("/health/ready").status_code == 200:
                    return
            interrupt.pause()
        raise DemoError(f"The service was not ready within {UP_WITHIN_S:.0f} s.")

    def get(self, path: str, **query: str) -> Any:
        answer = self.api.get(path, params=query)
        answer.raise_for_status()
        return answer.json()


def choose_variables(folder: Path) -> dict[str, str]:
    """Return the environment of a service whose configuration and database are in `folder`."""
    return {
        "CONNECTOR_CONFIG": str(folder / "connector.toml"),
        "DATABASE_URL": f"sqlite:///{folder / 'connector.db'}",
        "ADMIN_TOKEN": secrets.token_urlsafe(16),
        "HOST": "127.0.0.1",
        "PORT": str(find_free_port()),
        "WEB_CONCURRENCY": "1",
        "LEASE_S": "60",
        "AUTO_MIGRATE": "1",
        "ALLOW_EPHEMERAL_SQLITE": "1",  # all of it is ephemeral
    }


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def run_service(variables: dict[str, str], log: Path) -> Iterator[Service]:
    """Run `connector serve` until the block ends. What it says goes to `log`."""
    url = f"http://{variables['HOST']}:{variables['PORT']}"
    authorization = {"Authorization": f"Bearer {variables['ADMIN_TOKEN']}"}
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches the demo alone, which ends the service in good order.
        process = subprocess.Popen(
            [sys.executable, "-m", "connector", "serve"],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        # No proxy of the environment: none knows the ports of this machine.
        with httpx.Client(base_url=url, headers=authorization, trust_env=False, timeout=10) as api:
            yield Service(url=url, variables=variables, process=process, api=api)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
