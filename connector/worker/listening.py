"""Where the web server listens: whether it can, and whether it responds.

Imports little: the supervisor stays in memory.
"""

import errno
import os
import socket
import time

#: How long a service that was killed may still hold the port: gunicorn would wait for 5 s.
PORT_WAIT_S = 6.0
POLL_S = 0.2
PROBE_TIMEOUT_S = 2.0
#: The addresses of this machine, for those that stand for all of them.
LOCAL_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


def format_host(host: str) -> str:
    """Return a host as in an address: `[::1]`."""
    return f"[{host}]" if ":" in host else host


def find_port_fault(host: str, port: int, *, wait_s: float = PORT_WAIT_S) -> str | None:
    """Return why nothing can listen on the port, or None. Waits while it is in use."""
    give_up_at = time.monotonic() + wait_s
    while True:
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
                0
            ]
            with socket.create_server(address[:2], family=family):
                return None
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
                return f"Nothing can listen on {host}, port {port}: {reason}. Set HOST or PORT to another."
            if time.monotonic() >= give_up_at:
                return f"Port {port} on {host} is in use. Stop what listens there, or set PORT to another."
            time.sleep(POLL_S)


def is_ready(host: str, port: int) -> bool:
    """Return whether the service's web server responds there, and reaches the database."""
    request = b"GET /health/ready HTTP/1.0\r\nHost: localhost\r\n\r\n"
    try:
        with socket.create_connection((LOCAL_ADDRESSES.get(host, host), port), PROBE_TIMEOUT_S) as connection:
            connection.sendall(request)
            return b" 200 " in connection.recv(64)
    except OSError:
        return False
