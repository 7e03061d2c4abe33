"""A deadline for all network operations of a request.

httpx's timeouts limit each network operation, so a response that drips in could take forever. Here the thread that
makes a request sets a deadline, and no operation on its connection waits past it.
"""

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore

_deadline = threading.local()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limit all network operations of this thread inside the block to `seconds` in total."""
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
    """A connection that keeps to the deadline of the thread that uses it."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, remaining_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, remaining_s(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
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
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        return DeadlineStream(super().connect_tcp(host, port, remaining_s(timeout), local_address, socket_options))
