"""Connections that are opened before they are needed, and used for one request each.

A destination without an idempotency key gets a connection for each order. On a used connection, a request that the
server no longer accepts looks like one without a response. Opening a connection takes two round trips, so it happens
before an order needs it.

httpcore asks this backend for a connection (https://www.encode.io/httpcore/network-backends/, read 2026-11-30).
"""

import ssl
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from dataclasses import dataclass, field

import httpcore
import httpx

from connector.clients.deadlines import DeadlineBackend, DeadlineStream, deadline, remaining_s

#: A connection that was not used for so long is closed. Servers wait longer than this for a request: nginx for 60 s
#: (https://nginx.org/en/docs/http/ngx_http_core_module.html#client_header_timeout, read 2026-11-30).
MAX_UNUSED_S = 3.0
#: How long opening one may take. A request that waits for it then opens its own.
OPEN_TIMEOUT_S = 5.0
#: Connections that are ready or opening.
MAX_READY = 128


@dataclass(frozen=True, slots=True)
class ReadyConnection:
    stream: httpcore.NetworkStream
    opened_at: float = field(default_factory=time.monotonic)

    @property
    def is_too_old(self) -> bool:
        return time.monotonic() - self.opened_at > MAX_UNUSED_S

    def is_usable(self) -> bool:
        """False if it is too old, or the server has closed it or sent anything before a request."""
        if self.is_too_old:
            return False
        connection = self.stream.get_extra_info("socket")
        connection.settimeout(0)
        try:
            connection.recv(1)  # with TLS 1.3, this reads the session that follows the handshake
        except (BlockingIOError, ssl.SSLWantReadError):
            return True  # nothing has come
        except OSError:
            return False
        return False


class EncryptedStream(DeadlineStream):
    """A connection on which the handshake has been made already."""

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return self


class ReadyConnections(DeadlineBackend):
    """The connections of one server. Thread-safe.

    Args:
        base_url: names the server. Requests to another one get new connections.
    """

    def __init__(self, base_url: httpx.URL, ssl_context: ssl.SSLContext) -> None:
        self._is_encrypted = base_url.scheme == "https"
        self._server = base_url.raw_host.decode(), base_url.port or (443 if self._is_encrypted else 80)
        self._ssl_context = ssl_context
        self._connections: deque[Future[ReadyConnection]] = deque()  # ready or opening, the oldest first
        self._pool: ThreadPoolExecutor | None = None

    def open_ahead(self, count: int) -> None:
        """Have `count` connections ready or opening, or `MAX_READY`. Called by one thread at a time."""
        self.close_unused()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=MAX_READY, thread_name_prefix="connect")
        for _ in range(min(count, MAX_READY) - len(self._connections)):
            self._connections.append(self._pool.submit(self._open))

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a connection that is ready or becomes so first, else a new one. Raises httpcore's errors."""
        while (host, port) == self._server and (future := self._take()):
            connection = wait_for(future, timeout)
            if connection is not None and connection.is_usable():
                return connection.stream
            close_when_open(future)
        return super().connect_tcp(host, port, timeout, local_address, socket_options)

    def close_unused(self) -> None:
        """Close those that can no longer be used."""
        for future in list(self._connections):
            if is_over(future):
                with suppress(ValueError):  # another thread has taken it
                    self._connections.remove(future)
                    close_when_open(future)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        while future := self._take():
            close_when_open(future)

    def _take(self) -> Future[ReadyConnection] | None:
        try:
            return self._connections.popleft()
        except IndexError:
            return None

    def _open(self) -> ReadyConnection:
        with deadline(OPEN_TIMEOUT_S):
            stream = super().connect_tcp(*self._server)
            if self._is_encrypted:
                stream = EncryptedStream(stream.start_tls(self._ssl_context, self._server[0]))
        return ReadyConnection(stream)


def wait_for(future: Future[ReadyConnection], timeout: float | None) -> ReadyConnection | None:
    """Return a connection once it is open, None if opening it failed. Raises `httpcore.ConnectTimeout`."""
    try:
        return future.result(remaining_s(timeout))
    except FutureTimeoutError as error:
        close_when_open(future)
        raise httpcore.ConnectTimeout from error
    except Exception:  # a new connection will show whether the server can be reached now
        return None


def is_over(future: Future[ReadyConnection]) -> bool:
    if not future.done():
        return False
    return future.cancelled() or future.exception() is not None or future.result().is_too_old


def close_when_open(future: Future[ReadyConnection]) -> None:
    """Close a connection that is no longer needed, now or when it has opened."""

    def close(opened: Future[ReadyConnection]) -> None:
        if not opened.cancelled() and opened.exception() is None:
            opened.result().stream.close()

    future.add_done_callback(close)
