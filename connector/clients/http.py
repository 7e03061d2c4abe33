"""The HTTP client. It reports what happened to each request instead of raising: an order may have been accepted.

It uses httpx's requests, responses and transports, but not `httpx.Client`, which keeps cookies and logs URLs. Its
connections come from httpcore, whose network backend is where a deadline for the whole exchange can be set
(`deadlines.py`), and connections can be opened before they are needed (`ready_connections.py`).
https://www.python-httpx.org/advanced/transports/ and https://www.encode.io/httpcore/network-backends/, read 2026-11-30.
"""

import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore
import httpx

from connector.clients.deadlines import DeadlineBackend, deadline
from connector.clients.ready_connections import ReadyConnections
from connector.core.http_result import HttpResult
from connector.core.messages import build_message
from mappings.destination import Destination
from mappings.problems import Problem
from mappings.settings import Account

DEFAULT_HEADERS = {
    "User-Agent": "connector (webhook-driven order connector)",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}
MAX_RESPONSE_BYTES = 1_048_576
KEEP_ALIVE_S = 5.0

#: Raised before a complete request can have reached the server.
NOT_SENT_ERRORS = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpcore.LocalProtocolError,
    httpx.InvalidURL,
    UnicodeError,
)
#: The message of each error. It says nothing about the order.
ERROR_CODES: list[tuple[type[Exception], str]] = [
    (httpcore.ConnectTimeout, "connect_timeout"),
    (httpcore.ReadTimeout, "read_timeout"),
    (httpcore.WriteTimeout, "write_timeout"),
    (httpcore.ConnectError, "connect_failed"),
    (httpcore.RemoteProtocolError, "response_incomplete"),
    (httpcore.ReadError, "connection_broken"),
    (httpx.DecodingError, "response_undecodable"),
]


class RequestFailedError(Exception):
    """A request did not return what it was made for. `result` is what it returned."""

    def __init__(self, message: str, result: HttpResult) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachability:
    """Whether a server responds, and by how many seconds this machine's clock is ahead of the server's."""

    status: int | None = None
    error: Problem | None = None
    seconds_ahead: float | None = None  # None: the response had no date


class Client:
    """Sends the requests of one account, store or alert channel. Thread-safe.

    Args:
        base_url: prepended to every path; "" if paths are complete URLs.
        headers: sent with every request.
        keep_alive: whether connections are reused. Otherwise every request has its own: one that `open_ahead` opened,
            or a new one.
    """

    def __init__(
        self, base_url: str, *, headers: Mapping[str, str], ssl_context: ssl.SSLContext, keep_alive: bool
    ) -> None:
        self._base_url = base_url.rstrip("/")
        connection = {} if keep_alive else {"Connection": "close"}
        self._headers = httpx.Headers({**DEFAULT_HEADERS, **connection, **headers})
        self._ready = None if keep_alive else ReadyConnections(httpx.URL(self._base_url), ssl_context)
        self._transport = DeadlineTransport(ssl_context, self._ready)

    def request(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        max_bytes: int = MAX_RESPONSE_BYTES,
    ) -> HttpResult:
        """Send one request and return what happened. Raises nothing.

        Args:
            timeout_s: for the whole exchange, from connecting to the end of the response.
            max_bytes: of the response's body, compressed or not. A longer one is an error.
        """
        started_at = time.monotonic()
        try:
            request = self._build_request(method, path, timeout_s, body=body, headers=headers, query=query)
        except Exception as error:  # whatever it is, nothing was sent
            return HttpResult(was_sent=False, error=build_message("request_not_built", exception=type(error).__name__))
        with deadline(timeout_s):
            result = self._exchange(request, max_bytes)
        return replace(result, duration_ms=round((time.monotonic() - started_at) * 1000))

    def ping(self, timeout_s: float) -> Reachability:
        """Send a HEAD request to the base URL's root, to see whether the server responds and what time it has."""
        try:
            with deadline(timeout_s):
                response = self._transport.handle_request(self._build_request("HEAD", "/", timeout_s))
                response.close()
        except Exception as error:
            return Reachability(error=describe_error(error))
        try:
            server_time = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError):
            return Reachability(status=response.status_code)
        mean_truncation_s = 0.5  # the header has no fractions of a second: RFC 9110 §5.6.7
        return Reachability(
            status=response.status_code, seconds_ahead=time.time() - server_time.timestamp() - mean_truncation_s
        )

    def open_ahead(self, count: int) -> None:
        """Have `count` connections ready or opening, if they are not reused. Returns at once, and raises nothing.

        Whoever calls this calls `close_unused` within seconds.
        """
        if self._ready is not None:
            self._ready.open_ahead(count)

    def close_unused(self) -> None:
        """Close connections that were opened ahead and not used for too long."""
        if self._ready is not None:
            self._ready.close_unused()

    def close(self) -> None:
        self._transport.close()
        if self._ready is not None:
            self._ready.close()

    def _build_request(
        self,
        method: str,
        path: str,
        timeout_s: float,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        url = httpx.URL(self._base_url + path)
        merged_headers = self._headers.copy()
        merged_headers.update(headers)
        return httpx.Request(
            method,
            url.copy_merge_params(query) if query else url,
            headers=merged_headers,
            content=body,
            extensions={"timeout": httpx.Timeout(timeout_s).as_dict()},
        )

    def _exchange(self, request: httpx.Request, max_bytes: int) -> HttpResult:
        try:
            response = self._transport.handle_request(request)
        except NOT_SENT_ERRORS as error:
            return HttpResult(was_sent=False, error=describe_error(error))
        except Exception as error:  # once sending has begun, the server may have processed it
            return HttpResult(error=describe_error(error))
        result = HttpResult(status=response.status_code, headers=dict(response.headers))
        try:
            return replace(result, body=read_body(response, max_bytes))
        except Exception as error:  # the status was received, and counts
            failure = build_message("failed_after_status", error=describe_error(error), status=response.status_code)
            return replace(result, error=failure)
        finally:
            with suppress(Exception):  # the result is known, however the connection ends
                response.close()


def open_account_client(account: Account, destination: Destination[Any], ssl_context: ssl.SSLContext) -> Client:
    """Return a client that reuses connections only if the destination has an idempotency key.

    A request on a connection that the server has just closed looks like one without a response: an ambiguous attempt.
    """
    return Client(
        account.base_url, headers=account.headers, ssl_context=ssl_context, keep_alive=destination.supports_idempotency
    )


def read_body(response: httpx.Response, max_bytes: int = MAX_RESPONSE_BYTES) -> bytes:
    """Raises `httpx.DecodingError` if the body is too long or cannot be decompressed, and httpcore's exceptions."""
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise httpx.DecodingError(f"the response is longer than {max_bytes} bytes")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    return bytes(body) if encoding in {"identity", ""} or not body else decompress(bytes(body), encoding, max_bytes)


def decompress(body: bytes, encoding: str, max_bytes: int = MAX_RESPONSE_BYTES) -> bytes:
    """Decompress a response of a server that compresses although it was asked not to.

    httpx would apply each encoding in turn and without a limit: 658 bytes of gzip in gzip became 484 MB.
    """
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise httpx.DecodingError("the response has an encoding that was not asked for")
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib, whichever it is
    try:
        decompressed = decompressor.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise httpx.DecodingError("the response cannot be decompressed") from error
    if len(decompressed) > max_bytes:
        raise httpx.DecodingError(f"the response is longer than {max_bytes} bytes")
    if not decompressor.eof:
        raise httpx.DecodingError("the compressed response is incomplete")
    return decompressed


def describe_error(error: Exception) -> Problem:
    code = next((code for kind, code in ERROR_CODES if isinstance(error, kind)), "request_failed")
    return build_message(code, exception=type(error).__name__)


class DeadlineTransport(httpx.BaseTransport):
    """A pool of connections that keep to their deadlines. Raises httpcore's exceptions."""

    def __init__(self, ssl_context: ssl.SSLContext, ready: ReadyConnections | None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context,
            max_connections=None,
            max_keepalive_connections=None if ready is None else 0,
            keepalive_expiry=KEEP_ALIVE_S,
            network_backend=DeadlineBackend() if ready is None else ready,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        response = self._pool.handle_request(
            httpcore.Request(
                request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
            )
        )
        return httpx.Response(response.status, headers=response.headers, stream=ResponseStream(response))

    def close(self) -> None:
        self._pool.close()


class ResponseStream(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()
