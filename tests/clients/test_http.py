"""The HTTP client: connections, time limits, and no exceptions."""

import gzip
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from connector.clients.http import MAX_RESPONSE_BYTES, Client, open_account_client
from connector.clients.tokens import token_expiry
from connector.core.http_result import HttpResult
from connector.core.outcomes import classify
from connector.core.retry import delay_s, parse_retry_after
from connector.runtime import utc_now
from mappings import DESTINATIONS
from mappings.destination import Outcome
from mappings.settings import Account


class CountingServer(ThreadingHTTPServer):
    """An HTTP server that counts connections."""

    daemon_threads = True
    connections = 0
    reply = b"{}"
    encoding = ""
    headers: Any = None

    def process_request(self, request: object, client_address: object) -> None:
        self.connections += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.headers = self.headers  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        response = self.server.reply  # type: ignore[attr-defined]
        self.send_response(200)
        if self.server.encoding:  # type: ignore[attr-defined]
            self.send_header("Content-Encoding", self.server.encoding)  # type: ignore[attr-defined]
        self.send_header("Content-Length", str(len(response)))
        self.end_headers()
        self.wfile.write(response)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def open_client(destination: str, port: int, **options: object) -> Client:
    base_url = f"http://127.0.0.1:{port}"
    account = Account(name="a", id="a", destination=destination, base_url=base_url, **options)  # type: ignore[arg-type]
    return open_account_client(account, DESTINATIONS[destination], httpx.create_ssl_context())


@pytest.mark.parametrize(("destination", "connections"), [("rayo", 3), ("lapyme", 1)])
def test_post_without_an_idempotency_key_uses_a_new_connection(
    server: CountingServer, destination: str, connections: int
) -> None:
    sender = open_client(destination, server.server_port)
    for _ in range(3):
        assert sender.request("POST", "/x", body=b"{}", timeout_s=5).status == 200
    assert server.connections == connections
    sender.close()


def test_endless_response_is_cut_and_its_status_counts(server: CountingServer) -> None:
    server.reply = b"x" * (MAX_RESPONSE_BYTES + 1)
    sender = open_client("rayo", server.server_port)
    response = sender.request("POST", "/x", body=b"{}", timeout_s=5)
    assert (response.status, response.body, response.was_sent) == (200, None, True)
    assert classify(DESTINATIONS["rayo"], response) == (Outcome.AMBIGUOUS, None)
    sender.close()


def test_uncompressed_responses_are_asked_for(server: CountingServer) -> None:
    sender = open_client("lapyme", server.server_port)
    sender.request("POST", "/x", body=b"{}", timeout_s=5)
    assert server.headers["Accept-Encoding"] == "identity"
    sender.close()


@pytest.mark.parametrize(
    ("encoding", "reply"),
    [
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}"))),
        ("gzip", gzip.compress(b" " * 100_000_000)),
        ("gzip", gzip.compress(b"{}")[:-4]),
        ("gzip", b"no gzip"),
        ("br", b"{}"),
    ],
    ids=["twice", "too long", "cut off", "not compressed", "unknown"],
)
@pytest.mark.parametrize("destination", ["rayo", "lapyme"])
def test_compressed_response_that_costs_memory_is_unreadable(
    server: CountingServer, destination: str, encoding: str, reply: bytes
) -> None:
    server.reply, server.encoding = reply, encoding
    sender = open_client(destination, server.server_port)
    tracemalloc.start()
    response = sender.request("POST", "/x", body=b"{}", timeout_s=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (response.status, response.body) == (200, None)
    assert classify(DESTINATIONS[destination], response) == (Outcome.AMBIGUOUS, None)
    assert peak < 10 * MAX_RESPONSE_BYTES
    sender.close()


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_response_of_a_server_that_always_compresses_is_read(
    server: CountingServer, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    server.reply, server.encoding = compress(b'{"ok": true}'), encoding
    sender = open_client("rayo", server.server_port)
    assert sender.request("POST", "/x", body=b"{}", timeout_s=5).body == b'{"ok": true}'
    sender.close()


def test_unsendable_header_is_not_processed(server: CountingServer) -> None:
    sender = open_client("lapyme", server.server_port)
    response = sender.request("POST", "/x", body=b"{}", headers={"Idempotency-Key": "order:ñ"}, timeout_s=5)
    assert (response.was_sent, response.status) == (False, None)
    assert server.connections == 0
    sender.close()


def test_account_headers_are_sent(server: CountingServer) -> None:
    sender = open_client("lapyme", server.server_port, headers={"X-Own": "1"})
    sender.request("POST", "/x", body=b"{}", timeout_s=5)
    assert server.headers["X-Own"] == "1"
    sender.close()


def test_retry_delay_grows_up_to_its_limit() -> None:
    account = Account(name="a", id="a", destination="lapyme", base_url="https://x.example", retry_max_s=60)
    for tries, ceiling in [(1, 1), (3, 4), (5, 16), (10, 60), (1000, 60)]:
        delays = [delay_s(account, tries) for _ in range(300)]
        assert 0 <= min(delays) < ceiling / 3
        assert ceiling * 2 / 3 < max(delays) <= ceiling


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        ("2.0", 2),
        ("9" * 30, None),
        (" 5 ", 5),
        ("-1", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("²", None),
    ],
)
def test_retry_after_accepts_seconds_and_dates(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, utc_now()) == seconds


def test_retry_after_is_honoured_up_to_a_limit() -> None:
    account = Account(name="a", id="a", destination="lapyme", base_url="https://x.example")
    assert delay_s(account, 1, 100) == 100
    assert delay_s(account, 1, 604_800) == 3_600


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "eyJhbGciOiJub25lIn0.eyJleHAiOiJ4In0."])
def test_token_without_a_readable_expiry_is_not_cached_forever(token: str) -> None:
    now = utc_now()
    assert 0 < (token_expiry(token, now) - now).total_seconds() <= 300


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff", b"NaN", b""])
def test_any_response_can_be_classified(body: bytes) -> None:
    for destination in DESTINATIONS.values():
        outcome, _ = classify(destination, HttpResult(status=200, body=body))
        assert outcome is Outcome.AMBIGUOUS
