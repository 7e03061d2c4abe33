"""The least that must be done to forward orders: threads that map, check and post them, and remember nothing.

`python -m benchmarks.bare_loop FILE THREADS` takes orders from a file of raw webhook bodies, over and over, until
SIGTERM. It is configured as the connector is.
"""

import json
import struct
import sys
import threading
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import httpx

from connector.settings import load_settings


def read_bodies(file: Path) -> Iterator[bytes]:
    content = file.read_bytes()
    at = 0
    while at < len(content):
        (length,) = struct.unpack_from("<I", content, at)
        yield content[at + 4 : at + 4 + length]
        at += 4 + length


class Orders:
    """The orders, one for each thread that asks."""

    def __init__(self, bodies: list[bytes]) -> None:
        self._bodies = cycle(bodies)
        self._lock = threading.Lock()

    def next(self) -> bytes:
        with self._lock:
            return next(self._bodies)


def forward(orders: Orders) -> None:
    settings = load_settings()
    (store,) = settings.stores.values()
    (account,) = settings.accounts.values()
    storefront, destination = settings.storefront(store), settings.destination(account)
    # The connector must open a connection for each order where a repeat would be a second one, so this does too.
    limits = httpx.Limits(max_keepalive_connections=1 if destination.has_key else 0)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer token"}
    with httpx.Client(base_url=account.base_url, limits=limits, headers=headers, trust_env=False) as client:
        while True:
            payload = json.loads(orders.next())
            written = destination.write(storefront.read(payload, store), account, store)
            key = {destination.idempotency_header: str(payload["id"])} if destination.idempotency_header else {}
            reply = client.post(
                destination.path, content=written.bytes, headers=key, params=destination.query(account), timeout=20
            )
            if destination.reply_id(reply.raise_for_status().json()) is None:
                raise ValueError("the destination did not take it")


def main() -> None:
    orders = Orders(list(read_bodies(Path(sys.argv[1]))))
    threads = [threading.Thread(target=forward, args=(orders,), daemon=True) for _ in range(int(sys.argv[2]))]
    for thread in threads:
        thread.start()
    threads[0].join()


if __name__ == "__main__":
    main()
