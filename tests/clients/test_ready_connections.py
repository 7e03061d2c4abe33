"""Connections that are opened ahead: each is used once, and none that the server has closed."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from benchmarks.certificates import server_context, write_certificate
from connector.clients import ready_connections
from connector.clients.http import Client
from connector.clients.tls import create_tls_context

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
#: Long enough on a slow machine. A test that passes does not wait for it.
PATIENCE_S = 20


class Server:
    """Accepts connections, hands each to a function in a thread of its own, and records what happened."""

    def __init__(
        self, serve: Callable[["Server", Any], None], context: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self.serve = serve
        self.context = context
        self.hung_up: SimpleQueue[str] = SimpleQueue()  # which side ended a connection without a request
        self.accepted: SimpleQueue[None] = SimpleQueue()  # an item for each connection
        self.requests: list[bytes] = []
        self.resumed: list[bool] = []
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.handle, args=(connection,), daemon=True).start()

    def handle(self, connection: Any) -> None:
        connection.settimeout(PATIENCE_S)
        if self.context is not None:
            connection = self.context.wrap_socket(connection, server_side=True)
            self.resumed.append(connection.session_reused)
        self.accepted.put(None)
        self.serve(self, connection)

    def wait_for_connection(self) -> None:
        self.accepted.get(timeout=PATIENCE_S)


def respond(server: Server, connection: Any) -> None:
    """Respond to one request, and close."""
    request = b""
    with suppress(ConnectionResetError):  # the client closed with a TLS session that it had not read
        while b"\r\n\r\n{}" not in request and (received := connection.recv(65_536)):
            request += received
    if request:
        server.requests.append(request)
        connection.sendall(RESPONSE)
    else:
        server.hung_up.put("client")
    connection.close()


def hang_up(server: Server, connection: Any) -> None:
    """Close the first connection without waiting for a request, and respond on the others."""
    server.serve = respond
    connection.close()
    server.hung_up.put("server")


@pytest.fixture(params=["http", "https"])
def open_pair(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[Server, Client]]]:
    """Open a server and a client for it, once without and once with TLS."""
    opened: list[tuple[Server, Client]] = []

    def open_pair(serve: Callable[[Server, Any], None], *, keep_alive: bool = False) -> tuple[Server, Client]:
        context = None
        if request.param == "https":
            files = write_certificate(tmp_path)
            monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
            context = server_context(*files)
        server = Server(serve, context)
        url = f"{request.param}://localhost:{server.port}"
        client = Client(url, headers={}, ssl_context=create_tls_context(), keep_alive=keep_alive)
        opened.append((server, client))
        return server, client

    yield open_pair
    for server, client in opened:
        client.close()
        server.socket.close()


def post(client: Client) -> int | None:
    return client.request("POST", "/orders", body=b"{}", timeout_s=PATIENCE_S).status


def test_request_uses_a_connection_that_was_opened_before(open_pair: Callable[..., tuple[Server, Client]]) -> None:
    server, client = open_pair(respond)
    client.open_ahead(1)
    server.wait_for_connection()
    assert post(client) == 200
    assert server.accepted.empty()
    assert post(client) == 200  # each is used once
    server.wait_for_connection()
    assert len(server.requests) == 2


def test_request_waits_for_a_connection_that_is_opening(open_pair: Callable[..., tuple[Server, Client]]) -> None:
    server, client = open_pair(respond)
    client.open_ahead(3)
    assert [post(client) for _ in range(3)] == [200, 200, 200]
    assert server.accepted.qsize() == 3


def test_ready_connections_count_against_those_to_open(open_pair: Callable[..., tuple[Server, Client]]) -> None:
    server, client = open_pair(respond)
    client.open_ahead(2)
    client.open_ahead(3)
    for _ in range(3):
        server.wait_for_connection()
    assert [post(client) for _ in range(3)] == [200, 200, 200]
    assert server.accepted.empty()


def test_connection_that_the_server_closed_carries_no_request(
    open_pair: Callable[..., tuple[Server, Client]],
) -> None:
    server, client = open_pair(hang_up)
    client.open_ahead(1)
    assert server.hung_up.get(timeout=PATIENCE_S) == "server"
    result = client.request("POST", "/orders", body=b"{}", timeout_s=PATIENCE_S)
    assert (result.status, result.error) == (200, None)
    assert len(server.requests) == 1


def test_connection_that_nobody_used_in_time_is_closed(
    open_pair: Callable[..., tuple[Server, Client]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = open_pair(respond)
    client.open_ahead(1)
    server.wait_for_connection()
    client.close_unused()
    assert post(client) == 200
    assert server.accepted.empty()
    monkeypatch.setattr(ready_connections, "MAX_UNUSED_S", 0)
    client.open_ahead(1)
    server.wait_for_connection()
    while server.hung_up.empty():
        client.close_unused()
    assert server.hung_up.get() == "client"


def test_connection_that_became_too_old_is_not_used(
    open_pair: Callable[..., tuple[Server, Client]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = open_pair(respond)
    monkeypatch.setattr(ready_connections, "MAX_UNUSED_S", 0)
    client.open_ahead(1)
    server.wait_for_connection()
    assert post(client) == 200
    assert server.hung_up.get(timeout=PATIENCE_S) == "client"


def test_server_that_could_not_be_reached_ahead_is_tried_again(
    open_pair: Callable[..., tuple[Server, Client]],
) -> None:
    server, client = open_pair(respond)
    server.socket.shutdown(socket.SHUT_RDWR)
    server.socket.close()
    client.open_ahead(1)
    assert client.request("POST", "/orders", body=b"{}", timeout_s=PATIENCE_S).was_sent is False
    server = Server(respond, server.context, server.port)
    client.open_ahead(1)
    assert post(client) == 200
    server.socket.close()


def test_reused_connections_are_not_opened_ahead(open_pair: Callable[..., tuple[Server, Client]]) -> None:
    server, client = open_pair(respond, keep_alive=True)
    client.open_ahead(5)
    assert post(client) == 200
    assert server.accepted.qsize() == 1


@pytest.mark.parametrize("open_pair", ["https"], indirect=True)
def test_sessions_are_resumed(open_pair: Callable[..., tuple[Server, Client]]) -> None:
    server, client = open_pair(respond)
    assert [post(client) for _ in range(3)] == [200, 200, 200]
    assert server.resumed == [False, True, True]
