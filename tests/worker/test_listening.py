"""The port of `connector serve`, before it starts and when it is ready."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from connector.worker.listening import find_port_fault, is_ready


@contextmanager
def responding(response: bytes) -> Iterator[int]:
    """A server that returns `response` to one connection. Yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def respond() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(response)

        thread = threading.Thread(target=respond)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        fault = f"Port {port} on 127.0.0.1 is in use. Stop what listens there, or set PORT to another."
        assert find_port_fault("127.0.0.1", port, wait_s=0) == fault
    assert find_port_fault("127.0.0.1", port, wait_s=0) is None
    assert find_port_fault("::", port, wait_s=0) is None


def test_port_that_is_freed_meanwhile_is_waited_for() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Timer(0.3, listener.close).start()
    assert find_port_fault("127.0.0.1", listener.getsockname()[1], wait_s=30) is None


@pytest.mark.parametrize(
    ("host", "reason"),
    [("192.0.2.1", "Cannot assign requested address"), ("sin.nombre.invalid", "")],
)
def test_address_of_another_machine_is_named(host: str, reason: str) -> None:
    fault = find_port_fault(host, 8000, wait_s=0)
    assert fault is not None
    assert fault.startswith(f"Nothing can listen on {host}, port 8000: {reason}")
    assert fault.endswith("Set HOST or PORT to another.")


@pytest.mark.parametrize(
    ("response", "expected"),
    [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False), (b"", False)],
)
def test_service_is_ready_when_it_says_so(response: bytes, expected: bool) -> None:
    with responding(response) as port:
        assert is_ready("0.0.0.0", port) is expected  # noqa: S104
    assert is_ready("127.0.0.1", port) is False
