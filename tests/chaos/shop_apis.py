"""The shops' own orders, at one fake API for each shop, and the outages of these APIs."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from connector.sandbox.server import SandboxServer
from tests.chaos.shops import Shop

#: What a caller sees of an API that is down.
OUTAGES: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("drop_unread", {}),
    ("status", {"status": 503}),
    ("status", {"status": 500}),
    ("status", {"status": 429, "retry_after_s": 2}),
    ("latency", {"latency_s": 4.0}),
)


class ShopApis:
    """A server for each shop, since two shops of one platform have nothing in common. `stack` closes them."""

    def __init__(self, shops: Sequence[Shop], stack: ExitStack) -> None:
        self._shops = {shop.store: shop for shop in shops}
        self.servers = {shop.store: stack.enter_context(SandboxServer()) for shop in shops}

    def services(self) -> dict[str, tuple[SandboxServer, str]]:
        """Return the server of each store's API, and its name there."""
        return {store: (server, self._shops[store].platform.storefront.name) for store, server in self.servers.items()}

    def url(self, store: str) -> str:
        server, name = self.services()[store]
        return server.url(name)

    def put(self, shop: Shop, order: Mapping[str, Any]) -> None:
        """Make this the order's state in the shop."""
        if shop.store in self.servers:
            self.servers[shop.store].put_order(shop.platform.storefront.name, shop.api_id, order)

    def stop(self, value: float) -> None:
        """Take one API down. `value`, from 0 to 1, decides which, and how it fails."""
        server, name = self._pick(value)
        kind, options = OUTAGES[int(value * 1_000) % len(OUTAGES)]
        server.inject_fault(name, kind, times=None, **options)

    def start(self, value: float) -> None:
        """Bring back what `stop` took down."""
        server, _ = self._pick(value)
        server.clear_faults()

    def clear_faults(self) -> None:
        for server in self.servers.values():
            server.clear_faults()

    def _pick(self, value: float) -> tuple[SandboxServer, str]:
        services = list(self.services().values())
        return services[int(value * len(services)) % len(services)]
