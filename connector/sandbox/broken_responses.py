"""Responses that break HTTP on purpose, written straight to the connection."""

import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NoReturn

from flask import Response
from werkzeug.serving import WSGIRequestHandler


class RawResponse(Response):
    """A response that `write` sends on the socket. The connection is closed afterwards."""

    def __init__(self, write: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self._write = write

    def __call__(self, environ: dict[str, Any], start_response: Any) -> NoReturn:
        connection: socket.socket = environ["werkzeug.socket"]
        with suppress(OSError):  # the client may have disconnected
            self._write(connection)
        raise ConnectionAbortedError("closed on purpose")


class QuietHandler(WSGIRequestHandler):
    """Handles requests without logging."""

    def log(self, type: str, message: str, *args: Any) -> None:
        pass

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        # Otherwise an unread body would be parsed as the next request.
        self.close_connection = True


class LoggingHandler(QuietHandler):
    """Logs each request as werkzeug does."""

    log = WSGIRequestHandler.log


def _response_head(content: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(content)
    )


def dropped_connection() -> RawResponse:
    return RawResponse(lambda _connection: None)


def garbage_response() -> RawResponse:
    return RawResponse(lambda connection: connection.sendall(b"\x16\x03\x01\x00\xff no HTTP at all\r\n\r\n"))


def truncated_response(content: bytes) -> RawResponse:
    return RawResponse(lambda connection: connection.sendall(_response_head(content) + content[: len(content) // 2]))


def slow_response(content: bytes, wait: Callable[[], Any]) -> RawResponse:
    """Send `content` byte by byte, with a `wait` before each."""

    def write(connection: socket.socket) -> None:
        connection.sendall(_response_head(content))
        for byte in _iter_bytes(content):
            wait()
            connection.sendall(byte)

    return RawResponse(write)


def _iter_bytes(content: bytes) -> Iterable[bytes]:
    return (content[position : position + 1] for position in range(len(content)))
