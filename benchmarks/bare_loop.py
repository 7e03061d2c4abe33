"""The least that must be done to forward orders: threads that map, check and post them, and remember nothing.

`python -m benchmarks.bare_loop FILE THREADS` takes orders from a file of raw webhook bodies, over and over, until
SIGTERM; where there is no such file, it makes a socket of that name, and takes what comes there. It is configured as
the connector is.
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
    at = 0
    while at < len(content):
        (length,) = struct.unpack_from("<I", content, at)
        yield content[at + 4 : at + 4 + length]
        at += 4 + length


def receive_bodies(socket_file: Path) -> Iterator[bytes]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(socket_file))
        while True:
            yield receiver.recv(1_000_000)


class Orders(Protocol):
    def next(self) -> bytes:
        """One for each thread that asks."""


class Repeated:
    def __init__(self, bodies: list[bytes]) -> None:
        self._bodies = cycle(bodies)
        self._lock = threading.Lock()

    def next(self) -> bytes:
        with self._lock:
            return next(self._bodies)


class Received:
    """What has come in, which is in memory until it is asked for."""

    def __init__(self, bodies: Iterator[bytes]) -> None:
        self._bodies: SimpleQueue[bytes] = SimpleQueue()
        threading.Thread(target=self._receive, args=(bodies,), daemon=True).start()

    def _receive(self, bodies: Iterator[bytes]) -> None:
        for body in bodies:
            self._bodies.put(body)

    def next(self) -> bytes:
        return self._bodies.get()


def forward(orders: Orders) -> None:
    settings = load_settings()
    (store,) = settings.stores.values()
    (account,) = settings.accounts.values()
    storefront, destination = settings.storefront(store), settings.destination(account)
    # The connector must open a connection for each order where a repeat would be a second one, so this does too.
    limits = httpx.Limits(max_keepalive_connections=1 if destination.supports_idempotency else 0)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer token"}
    with httpx.Client(base_url=account.base_url, limits=limits, headers=headers, trust_env=False) as client:
        while True:
            payload = json.loads(orders.next())
            written = destination.build_request(storefront.parse_order(payload, store), account, store)
            key = {destination.idempotency_header: str(payload["id"])} if destination.idempotency_header else {}
            reply = client.post(
                destination.path,
                content=written.bytes,
                headers=key,
                params=destination.query_params(account),
                timeout=20,
            )
            if destination.parse_order_id(reply.raise_for_status().json()) is None:
                raise ValueError("the destination did not take it")


def main() -> None:
    file = Path(sys.argv[1])
    orders = Repeated(list(read_bodies(file))) if file.exists() else Received(receive_bodies(file))
    threads = [threading.Thread(target=forward, args=(orders,), daemon=True) for _ in range(int(sys.argv[2]))]
    for thread in threads:
        thread.start()
    threads[0].join()


if __name__ == "__main__":
    main()
