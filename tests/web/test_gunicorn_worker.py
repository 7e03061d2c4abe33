"""The web worker on real sockets: slow connections are closed in time, and other requests are served normally."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from connector.worker.supervisor import gunicorn_command
from tests.support.quick_worker import BIG_BYTES

ROOT = Path(__file__).parents[2]
THREADS = 60
#: Deadlines are 2 s; the rest is for a busy machine.
CLOSED_WITHIN_S = 20
PATIENT_S = 30
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
Connect = Callable[[bytes], socket.socket]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with start_server() as started:
        yield started


@pytest.fixture
def patient_server() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server whose deadline and slow pages last longer than a busy machine stalls."""
    with start_server(REQUEST_TIMEOUT_S=str(PATIENT_S), SLOW_PAGE_S=str(PATIENT_S)) as started:
        yield started
        os.killpg(started[0].pid, signal.SIGKILL)  # it would wait for the slow pages


class start_server:  # noqa: N801  # a context manager
    """gunicorn as `serve` runs it, with the worker that has short deadlines."""

    def __init__(self, **environ: str) -> None:
        self.environ = environ

    def __enter__(self) -> tuple[subprocess.Popen[bytes], int]:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        command = [
            "tests.support.quick_worker:app" if part.startswith("connector.web.app") else part
            for part in gunicorn_command("127.0.0.1", port, 1)
        ]
        options = ["--worker-class", "tests.support.quick_worker.QuickWorker", "--threads", str(THREADS)]
        self.process = subprocess.Popen(
            [*command, *options, "--worker-connections", "100"],
            cwd=ROOT,
            env={**os.environ, **self.environ},
            start_new_session=True,
        )
        give_up_at = time.monotonic() + 60
        while time.monotonic() < give_up_at:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(GET)
                if client.recv(1000):
                    return self.process, port
            time.sleep(0.1)
        raise AssertionError("gunicorn did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(40)


@pytest.fixture
def connect(server: tuple[subprocess.Popen[bytes], int]) -> Iterator[Connect]:
    with connections_to(server[1]) as open_connection:
        yield open_connection


@pytest.fixture
def connect_to_patient(patient_server: tuple[subprocess.Popen[bytes], int]) -> Iterator[Connect]:
    with connections_to(patient_server[1]) as open_connection:
        yield open_connection


@contextmanager
def connections_to(port: int) -> Iterator[Connect]:
    with ExitStack() as stack:

        def open_connection(first_bytes: bytes) -> socket.socket:
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(CLOSED_WITHIN_S)
            client.connect(("127.0.0.1", port))
            client.sendall(first_bytes)
            return client

        yield open_connection


def read_all(client: socket.socket) -> bytes:
    received = bytearray()
    with suppress(ConnectionError):
        while data := client.recv(1_000_000):
            received += data
    return bytes(received)


def read_response(client: socket.socket) -> tuple[bytes, bytes]:
    """Return the head and the body of a response that has a `Content-Length`."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(1)
    head = data.partition(b"\r\n\r\n")[0]
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    body = bytearray()
    while len(body) < length:
        body += client.recv(length - len(body))
    return head, bytes(body)


@pytest.mark.parametrize(
    ("start", "drip"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: shop\r\n", b"X: y\r\n"),
        (b"POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 90000\r\n\r\n", b"z"),
        (b"POST /echo HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nz\r\n"),
    ],
    ids=["nothing", "headers", "body", "chunks"],
)
def test_slow_sender_is_cut_off(connect: Connect, start: bytes, drip: bytes) -> None:
    client = connect(start)
    client.settimeout(0.3)
    give_up_at = time.monotonic() + CLOSED_WITHIN_S
    while time.monotonic() < give_up_at:
        try:
            client.sendall(drip)
            response = client.recv(1000)
        except TimeoutError:
            continue
        except ConnectionError:
            response = b""
        assert response == b""
        return
    pytest.fail("the connection was not closed")


def test_slow_reader_is_cut_off(connect: Connect) -> None:
    client = connect(b"GET /big HTTP/1.1\r\nHost: shop\r\n\r\n")
    client.recv(100)
    time.sleep(5)
    assert len(read_all(client)) < BIG_BYTES / 2


def test_reader_at_normal_speed_gets_a_long_page(server: tuple[subprocess.Popen[bytes], int]) -> None:
    with socket.create_connection(("127.0.0.1", server[1]), timeout=CLOSED_WITHIN_S) as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: shop\r\n\r\n")
        head, body = read_response(client)
    assert head.startswith(b"HTTP/1.1 200")
    assert len(body) == BIG_BYTES


def test_client_that_does_not_close_holds_up_nobody(connect: Connect) -> None:
    for _ in range(10):  # gunicorn would wait 2 s for each of them, in the thread that accepts connections
        assert connect(b"GET / HTTP/1.0\r\n\r\n").recv(15) == b"HTTP/1.0 200 OK"
    started_at = time.monotonic()
    assert read_response(connect(GET))[1] == b"ok"
    assert time.monotonic() - started_at < 5


def test_more_slow_connections_than_threads_do_not_keep_others_out(connect_to_patient: Connect) -> None:
    slow = [connect_to_patient(b"GET / HTTP/1.1\r\n") for _ in range(THREADS + 30)]
    # The socket gives up before the deadlines of the slow ones pass.
    assert read_response(connect_to_patient(GET))[1] == b"ok"
    assert read_all(slow[0]) == b""


def test_flood_of_pages_does_not_hold_up_webhooks(connect_to_patient: Connect) -> None:
    for _ in range(THREADS - 4):  # more than twice as many as run at the same time
        connect_to_patient(b"GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n")
    time.sleep(0.3)
    webhook = connect_to_patient(b"POST /webhooks/tienda HTTP/1.1\r\nHost: shop\r\nContent-Length: 2\r\n\r\n{}")
    # The socket gives up before a slow page ends.
    assert webhook.recv(1000).startswith(b"HTTP/1.1 404")


def test_keep_alive_and_pipelining(connect: Connect) -> None:
    client = connect(GET + b"POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\nabc" + GET)
    assert [read_response(client)[1] for _ in range(3)] == [b"ok", b"abc", b"ok"]
    time.sleep(2.5)  # longer than a request may take: the time between two requests does not count
    client.sendall(GET)
    assert read_response(client)[1] == b"ok"


def test_chunked_body_and_head_and_continue(connect: Connect) -> None:
    chunked = b"POST /echo HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    client = connect(chunked + b"HEAD / HTTP/1.1\r\nHost: shop\r\n\r\n")
    assert read_response(client)[1] == b"abcde"
    assert client.recv(1000).endswith(b"\r\n\r\n")  # no body
    client.sendall(b"POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"ok")
    assert read_response(client)[1] == b"ok"


def test_large_body_arrives_whole(connect: Connect) -> None:
    body = bytes(range(256)) * 4000
    client = connect(b"POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\n\r\n" % len(body))
    client.sendall(body)
    assert read_response(client)[1] == body


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST /echo HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: shop\r\nX: " + b"y" * 9000 + b"\r\n\r\n", b"431"),
        (b"GET /nowhere HTTP/1.1\r\nHost: shop\r\n\r\n", b"404"),
    ],
    ids=["nonsense", "bad chunk", "long header", "not found"],
)
def test_errors_are_answered(connect: Connect, request_bytes: bytes, status: bytes) -> None:
    assert connect(request_bytes).recv(1000).split()[1] == status


def test_body_that_is_cut_off_is_refused(connect: Connect) -> None:
    client = connect(b"POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n\r\nabc")
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1000).split()[1] == b"400"


def test_stop_answers_requests_under_way_and_cuts_off_slow_ones() -> None:
    with start_server() as (process, port):
        clients = [socket.create_connection(("127.0.0.1", port), timeout=CLOSED_WITHIN_S) for _ in range(3)]
        working, half_sent, slow = clients
        working.sendall(b"GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n")
        half_sent.sendall(GET[:20])
        slow.sendall(GET[:20])
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        half_sent.sendall(GET[20:])
        assert read_response(working)[1] == b"done"
        assert read_response(half_sent)[1] == b"ok"
        assert read_all(slow) == b""
        for client in clients:
            client.close()
        assert process.wait(10) == 0


def test_header_does_not_set_the_path_of_the_application(connect: Connect) -> None:
    headers = b"Script_Name: /environ\r\nSCRIPT_NAME: /environ\r\nSCRIPT-NAME: /environ\r\nPath_Info: /\r\n"
    client = connect(b"GET /environ HTTP/1.1\r\nHost: shop\r\n" + headers + b"\r\n")
    head, body = read_response(client)
    if head.split()[1] != b"400":
        assert b'"script_name":""' in body
        assert b'"path":"/environ"' in body
