"""The minimum that sending orders takes: threads that map, validate and post them, and record nothing.

`python -m benchmarks.bare_loop FILE THREADS` sends the orders of a file of raw webhook bodies, over and over, until
SIGTERM. If the file does not exist, it creates a Unix socket with that name, and sends the orders that arrive there.
It reads the connector's configuration.
"""

import json
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

import httpx

from connector.settings import load_settings


def read_bodies(file: Path) -> Iterator[bytes]:
    content = file.read_bytes()
    offset = 0
    while offset < len(content):
        (length,) = struct.unpack_from("<I", content, offset)
        yield content[offset + 4 : offset + 4 + length]
        offset += 4 + length


def receive_bodies(socket_file: Path) -> Iterator[bytes]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(socket_file))
        while True:
            yield receiver.recv(1_000_000)


class Orders(Protocol):
    def next(self) -> bytes:
        """Return the next body. Any thread may call it."""


class RepeatedOrders:
    """The orders of a file, over and over."""

    def __init__(self, bodies: list[bytes]) -> None:
        self._bodies = cycle(bodies)
        self._lock = threading.Lock()

    def next(self) -> bytes:
        with self._lock:
            return next(self._bodies)


class ReceivedOrders:
    """The orders that have arrived, in memory until a thread sends them."""

    def __init__(self, bodies: Iterator[bytes]) -> None:
        self._bodies: SimpleQueue[bytes] = SimpleQueue()
        threading.Thread(target=self._receive, args=(bodies,), daemon=True).start()

    def _receive(self, bodies: Iterator[bytes]) -> None:
        for body in bodies:
            self._bodies.put(body)

    def next(self) -> bytes:
        return self._bodies.get()


def send_orders(orders: Orders) -> None:
    settings = load_settings()
    (store,) = settings.stores.values()
    (account,) = settings.accounts.values()
    storefront, destination = settings.storefront(store), settings.destination(account)
    # Without an idempotency key, the connector opens a connection for each order, so this does too.
    limits = httpx.Limits(max_keepalive_connections=1 if destination.supports_idempotency else 0)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer token"}
    with httpx.Client(base_url=account.base_url, limits=limits, headers=headers, trust_env=False) as client:
        while True:
            payload = json.loads(orders.next())
            request = destination.build_request(storefront.parse_order(payload, store), account, store)
            key = {destination.idempotency_header: str(payload["id"])} if destination.idempotency_header else {}
            response = client.post(
                destination.path,
                content=request.bytes,
                headers=key,
                params=destination.query_params(account),
                timeout=20,
            )
            if destination.parse_order_id(response.raise_for_status().json()) is None:
                raise ValueError("the destination did not accept the order")


def main() -> None:
    file = Path(sys.argv[1])
    orders = RepeatedOrders(list(read_bodies(file))) if file.exists() else ReceivedOrders(receive_bodies(file))
    threads = [threading.Thread(target=send_orders, args=(orders,), daemon=True) for _ in range(int(sys.argv[2]))]
    for thread in threads:
        thread.start()
    threads[0].join()


if __name__ == "__main__":
    main()
