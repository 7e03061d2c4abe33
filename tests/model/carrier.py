"""Runs a delivery in a thread that stops at every point where a process may die, until told to go on or die.

The stop points are where the connector leaves its own process: before the token, before the socket, and when the
response has arrived. Only the HTTP clients of the connector are replaced.
"""

import threading
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

from connector.clients.http import Client
from connector.clients.tokens import TokenProvider
from connector.core.http_result import HttpResult
from connector.database.claims import ClaimedDelivery
from connector.delivery.deliver import deliver
from connector.runtime import AccountClients, Runtime
from connector.sandbox.server import SandboxServer
from tests.model.outcomes import ACCEPT, Trick

PACKED = "packed"  # the request is built; nothing is committed
SENDING = "sending"  # the sending state is committed; no socket is open
ANSWERED = "answered"  # only this thread knows the response
ENDED = "ended"


class ProcessDied(BaseException):  # a kill is not an error that code can catch
    """The process was killed."""


class Carrier:
    def __init__(self, runtime: Runtime, sandbox: SandboxServer, claimed: ClaimedDelivery, nowhere: Client) -> None:
        self.claimed = claimed
        self.trick = ACCEPT
        self.at = "claimed"
        self.sent: list[tuple[bytes, str | None]] = []  # the body and key of each request
        self._sandbox = sandbox
        self._nowhere = nowhere
        self._is_dead = False
        self._error: BaseException | None = None
        self._go = threading.Semaphore(0)
        self._stop_points: SimpleQueue[str] = SimpleQueue()
        outbound = {
            id_: AccountClients(client=StoppingClient(self, real.client), tokens=StoppingTokens(self, real.tokens))  # type: ignore[arg-type]
            for id_, real in runtime.account_clients.items()
        }
        self._runtime = replace(runtime, account_clients=outbound)
        self._thread = threading.Thread(target=self._run, name="carrier", daemon=True)

    def go_on(self, trick: Trick) -> str:
        """Continue to the next stop point and return it."""
        self.trick = trick
        if self.at == "claimed":
            self._thread.start()
        else:
            self._go.release()
        self.at = self._stop_points.get(timeout=30)
        if self._error is not None:
            raise self._error
        return self.at

    def die(self) -> None:
        if self.at not in ("claimed", ENDED):
            self._is_dead = True
            self._go.release()
            self.at = self._stop_points.get(timeout=30)

    def _run(self) -> None:
        try:
            deliver(self._runtime, self.claimed)
        except ProcessDied:
            pass
        except BaseException as error:
            self._error = error
        self._stop_points.put(ENDED)

    def stop_at(self, stop_point: str) -> None:
        self._stop_points.put(stop_point)
        self._go.acquire()
        if self._is_dead:
            raise ProcessDied

    def ask(self, real: Client, path: str, options: dict[str, Any]) -> HttpResult:
        """Send the request to a destination prepared with the trick."""
        trick = self.trick
        self.sent.append((options["body"], options["headers"].get("Idempotency-Key")))
        if trick.is_unreachable:
            return self._nowhere.request("POST", path, **options)
        if trick.fault:
            destination = self.claimed.delivery.destination
            self._sandbox.inject_fault(destination, trick.fault, **trick.options)
        answer = real.request("POST", path, **options)
        self._sandbox.clear_faults()
        return answer


@dataclass(frozen=True)
class StoppingClient:
    carrier: Carrier
    real: Client

    def request(self, method: str, path: str, **options: Any) -> HttpResult:
        self.carrier.stop_at(SENDING)
        answer = self.carrier.ask(self.real, path, options)
        self.carrier.stop_at(ANSWERED)
        return answer


@dataclass(frozen=True)
class StoppingTokens:
    carrier: Carrier
    real: TokenProvider

    @property
    def can_refresh(self) -> bool:
        return self.real.can_refresh

    def invalidate(self, text: str) -> None:
        self.real.invalidate(text)

    def bearer(self) -> str | None:
        self.carrier.stop_at(PACKED)
        status = self.carrier.trick.token_status
        token = self.real.bearer()
        if status is None or not self.real.can_refresh or token is None:
            return token
        self.real.invalidate(token)
        sandbox = self.carrier._sandbox
        sandbox.inject_fault(self.carrier.claimed.delivery.destination, "token_status", status=status)
        try:
            return self.real.bearer()
        finally:
            sandbox.clear_faults()
