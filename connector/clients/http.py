"""Sends requests, and says what came of each. Raises nothing: an exception could hide that an order was taken."""

import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from typing import Any

import httpcore
import httpx

from connector.core.http_result import HttpResult
from mappings.destination import Destination
from mappings.settings import Account

DEFAULT_HEADERS = {
    "User-Agent": "connector (webhook-driven order connector)",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
}
MAX_RESPONSE_BYTES = 1_048_576

#: Raised before a whole request can have reached the other side.
NOT_SENT_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
    UnicodeError,
)


class RequestFailedError(Exception):
    """A request did not return what it was made for. `result` is what it returned."""

    def __init__(self, message: str, result: HttpResult) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachability:
    """Whether anybody is there, and by how many seconds this machine's clock is ahead of theirs."""

    status: int | None = None
    error: str | None = None
    seconds_ahead: float | None = None  # None: they told no time


class Client:
    """Sends the requests of one account, store or channel. Threads may share it: each has connections of its own.

    httpx's own client would merge, log and keep cookies, for a fifth of an exchange's processor time and more; and
    who shares a pool looks through everybody's connections twice for each request.

    Args:
        base_url: what paths are appended to; "" where whole addresses are given.
        headers: sent with every request.
        keeps_alive: whether the next request of a thread may go through the connection of its last.
    """

    def __init__(self, base_url: str, *, headers: Mapping[str, str], ssl_context: Any, keep_alive: bool) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = httpx.Headers({**DEFAULT_HEADERS, **headers})
        self._ssl_context = ssl_context
        self._keep_alive = keep_alive
        self._local = threading.local()
        self._transports: list[DeadlineTransport] = []

    def request(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> HttpResult:
        """Ask once, and wait for the answer `timeout_s` at most in all."""
        started = time.monotonic()
        try:
            request = self._build(method, path, timeout_s, body=body, headers=headers, query=query)
        except Exception as error:  # nothing has left yet, whatever it is
            return HttpResult(was_sent=False, error=f"the request could not be built ({type(error).__name__})")
        with deadline(timeout_s):
            result = self._exchange(request)
        return replace(result, duration_ms=round((time.monotonic() - started) * 1000))

    def _build(
        self,
        method: str,
        path: str,
        timeout_s: float,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        merged = self._headers.copy()
        merged.update(headers)
        return httpx.Request(
            method,
            parse_url(self._base_url + path, tuple((query or {}).items())),
            headers=merged,
            content=body,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)},
        )

    @property
    def _transport(self) -> "DeadlineTransport":
        transport: DeadlineTransport | None = getattr(self._local, "transport", None)
        if transport is None:
            transport = DeadlineTransport(self._ssl_context, keepalive=int(self._keep_alive))
            self._local.transport = transport
            self._transports.append(transport)
        return transport

    def _exchange(self, request: httpx.Request) -> HttpResult:
        try:
            response = self._transport.handle_request(request)
        except NOT_SENT_ERRORS as error:
            return HttpResult(was_sent=False, error=error_text(error))
        except Exception as error:  # once sending began, anything may have happened at the other side
            return HttpResult(error=error_text(error))
        result = HttpResult(status=response.status_code, retry_after=response.headers.get("Retry-After"))
        try:
            return replace(result, body=read_response_body(response.iter_bytes()))
        except Exception as error:  # the status was seen, and counts
            return replace(result, error=f"{error_text(error)} after status {response.status_code}")
        finally:
            with suppress(Exception):  # the answer is known; how its connection ends changes nothing
                response.close()

    def ping(self, timeout_s: float) -> Reachability:
        """Ask for nothing at the address itself."""
        try:
            with deadline(timeout_s):
                response = self._transport.handle_request(self._build("HEAD", "/", timeout_s))
                response.close()
        except Exception as error:
            return Reachability(error=error_text(error))
        try:
            server_time = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError):
            return Reachability(status=response.status_code)
        mean_truncation_s = 0.5  # on the average, of what the header cuts off: RFC 9110, 5.6.7
        return Reachability(
            status=response.status_code, seconds_ahead=time.time() - server_time.timestamp() - mean_truncation_s
        )

    def close(self) -> None:
        for transport in self._transports:
            transport.close()


@lru_cache(maxsize=1_000)
def parse_url(url: str, query: tuple[tuple[str, str], ...]) -> httpx.URL:
    """The same few are asked all the time, and to parse one takes a while."""
    return httpx.URL(url).copy_merge_params(dict(query))


def open_account_client(account: Account, destination: Destination[Any], ssl_context: Any) -> Client:
    """A kept connection that the other side just dropped looks like a request without an answer. Where there is no
    key that would be a doubtful order, so every POST there opens a connection of its own.
    """
    return Client(
        account.base_url, headers=account.headers, ssl_context=ssl_context, keep_alive=destination.supports_idempotency
    )


def read_response_body(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            raise httpx.DecodingError(f"the reply is longer than {MAX_RESPONSE_BYTES} bytes")
    return bytes(body)


#: What each error means, in words that say nothing about the order.
ERROR_TEXTS: list[tuple[type[Exception], str]] = [
    (httpx.ConnectTimeout, "no connection within the time limit"),
    (httpx.ReadTimeout, "no answer within the time limit"),
    (httpx.WriteTimeout, "the request was not taken within the time limit"),
    (httpx.ConnectError, "no connection"),
    (httpx.RemoteProtocolError, "the connection ended without a whole answer"),
    (httpx.ReadError, "the connection broke before a whole answer"),
    (httpx.DecodingError, "the answer cannot be decoded"),
]


def error_text(error: Exception) -> str:
    text = next((text for kind, text in ERROR_TEXTS if isinstance(error, kind)), "the request failed")
    return f"{text} ({type(error).__name__})"


# httpx limits each operation, so an answer that drips may take for ever. These bound the whole exchange: the calling
# thread sets its deadline, and no operation on a connection waits past it.

_deadline = threading.local()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Bound all network operations of this thread inside the block to `seconds` in all."""
    _deadline.at = time.monotonic() + seconds
    try:
        yield
    finally:
        _deadline.at = None


def remaining_s(timeout: float | None) -> float | None:
    deadline_at: float | None = getattr(_deadline, "at", None)
    if deadline_at is None:
        return timeout
    left_s = max(deadline_at - time.monotonic(), 0.001)
    return left_s if timeout is None else min(timeout, left_s)


class DeadlineStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, remaining_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, remaining_s(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, remaining_s(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class DeadlineBackend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return DeadlineStream(super().connect_tcp(host, port, remaining_s(timeout), local_address, socket_options))


class DeadlineTransport(httpx.HTTPTransport):
    """httpx's own transport over connections that keep the thread's deadline."""

    def __init__(self, ssl_context: Any, *, keepalive: int) -> None:
        super().__init__(verify=ssl_context)
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context,
            max_connections=None,
            max_keepalive_connections=keepalive,
            keepalive_expiry=5.0,
            network_backend=DeadlineBackend(),
        )


@cache
def tls_context() -> ssl.SSLContext:
    """What TLS connections are made by. It costs 25 ms or more: one serves all of a process."""
    return httpx.create_ssl_context()
