"""The body of a request, as the server reads it from the socket.

What the server finds wrong with it, such as a chunk size that is no number, is the sender's fault: the response is 400.
Without this, gunicorn's exceptions would pass for faults of the application.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Flask
from werkzeug.exceptions import BadRequest, HTTPException


class RequestBody:
    """A WSGI input stream that raises `BadRequest` where the server's raises its own exceptions."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        return self._call(self._stream.read, *([size] if size >= 0 else []))

    def readline(self, size: int = -1) -> bytes:
        return self._call(self._stream.readline, *([size] if size >= 0 else []))

    def readlines(self, hint: int = -1) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _call(self, method: Callable[..., bytes], *arguments: int) -> bytes:
        try:
            return method(*arguments)
        except HTTPException:
            raise
        except Exception as error:  # of the server's parser, or of the socket
            raise BadRequest("the request body is incomplete, or is not valid HTTP") from error


def configure_request_bodies(app: Flask) -> None:
    wsgi_app = app.wsgi_app

    def with_checked_body(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"] = RequestBody(environ["wsgi.input"])
        return wsgi_app(environ, start_response)

    app.wsgi_app = with_checked_body  # type: ignore[method-assign]
