"""gunicorn's threaded worker, with deadlines, so that slow senders and readers do not delay others.

In gunicorn's worker, a connection occupies one of a few threads for any length of time. Here, there are many threads,
at about 50 KB each, and a connection has one until its deadline. The application runs when the whole request is read,
for at most `MAX_CONCURRENT_REQUESTS` at a time. docs/adr/0010-many-threads-and-deadlines.md compares other servers.

The master process loads this module too, so it imports little.
"""

import math
import resource
import socket
import struct
import threading
import time
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

from gunicorn.workers.gthread import ThreadWorker

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Requests for which the application runs at the same time, in one process.
MAX_CONCURRENT_REQUESTS = 24
#: Of these, at most so many for anything but webhooks and health checks, which a flood of pages must not hold up.
MAX_CONCURRENT_PAGES = 8
URGENT_PATHS = ("/webhooks/", "/health/")
#: From the connection, or the first byte of a later request, to the last byte of the body.
REQUEST_TIMEOUT_S = 15.0
#: From the end of the application's work until the client has read the response.
RESPONSE_TIMEOUT_S = 30.0
#: What a connection has left of these when the process stops.
STOP_TIMEOUT_S = 5.0
CHECK_INTERVAL_S = 0.5
#: File descriptors of a process besides its connections: listeners, the database, logs.
OTHER_DESCRIPTORS = 100
NO_DEADLINE = math.inf


class DeadlineWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    wsgi: "WSGIApplication"

    def init_process(self) -> None:
        from connector.observability.logs import get_logger

        self.service_log = get_logger()
        self.deadlines: dict[socket.socket, float] = {}  # of active connections; only the main thread adds and removes
        self.slots = threading.BoundedSemaphore(MAX_CONCURRENT_REQUESTS)
        self.page_slots = threading.BoundedSemaphore(MAX_CONCURRENT_PAGES)
        descriptors = raise_descriptor_limit(self.worker_connections + OTHER_DESCRIPTORS)
        self.max_active = min(self.cfg.threads, descriptors - OTHER_DESCRIPTORS - self.max_keepalived)
        self.next_check_at = 0.0
        self.stop_at = NO_DEADLINE
        super().init_process()

    def load_wsgi(self) -> None:
        from connector.web.body_buffer import buffer_body

        super().load_wsgi()
        application: WSGIApplication = self.wsgi

        def serve(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            connection = environ["gunicorn.socket"]
            is_urgent = environ["PATH_INFO"].startswith(URGENT_PATHS)
            with buffer_body(environ):
                self.deadlines[connection] = NO_DEADLINE
                with nullcontext() if is_urgent else self.page_slots, self.slots:
                    response: Iterable[bytes] = application(environ, start_response)
            self.deadlines[connection] = time.monotonic() + RESPONSE_TIMEOUT_S
            return response

        self.wsgi = serve

    def enqueue_req(self, conn: Any) -> None:
        """Give a thread to a connection that is new, or that begins its next request. In the main thread."""
        if len(self.deadlines) >= self.max_active:
            self.close_slowest()
        self.deadlines[conn.sock] = time.monotonic() + REQUEST_TIMEOUT_S
        conn.data_ready = True  # else gunicorn waits for the first byte in its own way
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Serve a request. In its thread."""
        is_kept_alive = super().handle(conn)
        if not is_kept_alive:
            # gunicorn closes it in the main thread, and waits there until the client has closed it too.
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_WR)
                while conn.sock.recv(65_536):
                    pass
                conn.sock.shutdown(socket.SHUT_RDWR)
        return is_kept_alive

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Take a connection back from its thread. In the main thread."""
        self.deadlines.pop(conn.sock, None)
        super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Close what has passed its deadline. gunicorn's main thread calls this at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        if now < self.next_check_at:
            return
        self.next_check_at = now + CHECK_INTERVAL_S
        if not self.alive:
            self.stop_at = min(self.stop_at, now + STOP_TIMEOUT_S)
        overdue = [
            connection
            for connection, deadline in list(self.deadlines.items())
            if deadline != NO_DEADLINE and min(deadline, self.stop_at) <= now
        ]
        for connection in overdue:
            abort(connection)
        if overdue:
            self.service_log.warning("slow_connections_closed", count=len(overdue))

    def close_slowest(self) -> None:
        """Make room for a new connection: under an attack, those who send at normal speed must get in."""
        connection, deadline = min(list(self.deadlines.items()), key=lambda item: item[1])
        if deadline != NO_DEADLINE:
            self.deadlines[connection] = NO_DEADLINE  # closed once; its thread ends now
            abort(connection)


def abort(connection: socket.socket) -> None:
    """End all reads and writes of a connection at once. What the client has not received yet is thrown away."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)


def raise_descriptor_limit(wanted: int) -> int:
    """Let this process have as many open files as it wants, or as it is allowed to. Return how many it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
