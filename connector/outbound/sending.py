"""Sends requests, and says what came of each. Raises nothing: an exception could hide that an order was taken."""

import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpcore
import httpx

from connector.retry import Answer
from mappings.settings import Account
from mappings.spoke import Destination

USER_AGENT = "connector (webhook-driven order connector)"
LONGEST_REPLY_BYTES = 1_048_576

#: Raised before a whole request can have reached the other side.
NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
    UnicodeError,
)


class Sender:
    """The HTTP client of one account. Threads may share it."""

    def __init__(self, account: Account, destination: Destination, ssl_context: Any) -> None:
        # A kept connection that the other side just dropped looks like a request without an answer. Where there is
        # no key that would be a doubtful order, so every POST there opens a connection of its own.
        keepalive = account.concurrency if destination.has_key else 0
        self.account = account
        self.client = httpx.Client(
            base_url=account.base_url,
            headers={"User-Agent": USER_AGENT, **account.headers},
            transport=DeadlineTransport(ssl_context, keepalive=keepalive),
            follow_redirects=False,
        )

    def post(
        self, path: str, *, body: bytes | None, headers: dict[str, str], query: dict[str, str] | None = None
    ) -> Answer:
        """POST once and wait for the answer, `account.timeout_s` at most in all."""
        started = time.monotonic()
        answer = self._post(path, body, headers, query)
        duration_ms = round((time.monotonic() - started) * 1000)
        return Answer(
            was_sent=answer.was_sent,
            status=answer.status,
            body=answer.body,
            retry_after=answer.retry_after,
            error=answer.error,
            duration_ms=duration_ms,
        )

    def _post(self, path: str, body: bytes | None, headers: dict[str, str], query: dict[str, str] | None) -> Answer:
        timeout_s = self.account.timeout_s
        try:
            request = self.client.build_request(
                "POST", path, content=body, headers=headers, params=query or None, timeout=timeout_s
            )
        except Exception as error:  # nothing has left yet, whatever it is
            return Answer(was_sent=False, error=f"the request could not be built: {type(error).__name__}")
        with deadline(timeout_s):
            try:
                response = self.client.send(request, stream=True)
            except NEVER_SENT as error:
                return Answer(was_sent=False, error=describe(error))
            except Exception as error:  # once sending began, anything may have happened at the other side
                return Answer(error=describe(error))
            retry_after = response.headers.get("Retry-After")
            try:
                reply = read_reply(response.iter_bytes())
            except Exception as error:  # the status was seen, and counts
                return Answer(
                    status=response.status_code,
                    retry_after=retry_after,
                    error=f"{describe(error)} after status {response.status_code}",
                )
            finally:
                close_quietly(response)
        return Answer(status=response.status_code, body=reply, retry_after=retry_after)

    def close(self) -> None:
        self.client.close()


def read_reply(chunks: Iterable[bytes]) -> bytes:
    reply = bytearray()
    for chunk in chunks:
        reply += chunk
        if len(reply) > LONGEST_REPLY_BYTES:
            raise httpx.DecodingError(f"the reply is longer than {LONGEST_REPLY_BYTES} bytes")
    return bytes(reply)


def close_quietly(response: httpx.Response) -> None:
    with suppress(Exception):  # the answer is known; how its connection ends changes nothing
        response.close()


#: What each error means, in words that say nothing about the order.
DESCRIPTIONS: list[tuple[type[Exception], str]] = [
    (httpx.ConnectTimeout, "no connection within the time limit"),
    (httpx.ReadTimeout, "no answer within the time limit"),
    (httpx.WriteTimeout, "the request was not taken within the time limit"),
    (httpx.ConnectError, "no connection"),
    (httpx.RemoteProtocolError, "the connection ended without a whole answer"),
    (httpx.ReadError, "the connection broke before a whole answer"),
    (httpx.DecodingError, "the answer cannot be decoded"),
]


def describe(error: Exception) -> str:
    words = next((words for kind, words in DESCRIPTIONS if isinstance(error, kind)), "the request failed")
    return f"{words} ({type(error).__name__})"


# httpx limits each operation, so an answer that drips may take for ever. These bound the whole exchange: the calling
# thread sets its deadline, and no operation on a connection waits past it.

_deadline = threading.local()


class deadline:  # noqa: N801  # reads as a statement: `with deadline(20):`
    """Bound all network operations of this thread inside the block to `seconds` in all."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        _deadline.at = time.monotonic() + self.seconds

    def __exit__(self, *_: object) -> None:
        _deadline.at = None


def remaining(timeout: float | None) -> float | None:
    at: float | None = getattr(_deadline, "at", None)
    if at is None:
        return timeout
    left = max(at - time.monotonic(), 0.001)
    return left if timeout is None else min(timeout, left)


class DeadlineStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, remaining(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, remaining(timeout)))

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
        return DeadlineStream(super().connect_tcp(host, port, remaining(timeout), local_address, socket_options))


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
