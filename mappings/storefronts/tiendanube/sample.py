"""An invented Tiendanube shop."""

from collections.abc import Mapping
from typing import Any, ClassVar

from mappings.samples import SampleStore
from mappings.storefronts.tiendanube.store import TiendanubeStore


class SampleTiendanubeStore(SampleStore):
    settings: ClassVar[Mapping[str, Any]] = {"store_id": 4410733, "api_token": "ficha"}
    topic = "order/paid"

    def build_payload(self, order: Mapping[str, Any], topic: str, store: TiendanubeStore) -> dict[str, Any]:
        return {"store_id": int(store.store_id), "event": topic, "id": order.get("id")}
