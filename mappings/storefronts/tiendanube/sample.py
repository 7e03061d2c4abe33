"""An invented Tiendanube shop."""

from collections.abc import Mapping
from typing import Any, ClassVar

from mappings.notices import NoticeTopic
from mappings.samples import SampleStore, build_customer_notice
from mappings.storefronts.tiendanube.store import TiendanubeStore


class SampleTiendanubeStore(SampleStore):
    settings: ClassVar[Mapping[str, Any]] = {"store_id": 4410733, "api_token": "ficha"}
    topic = "order/paid"

    def build_payload(self, order: Mapping[str, Any], topic: str, store: TiendanubeStore) -> dict[str, Any]:
        return {"store_id": int(store.store_id), "event": topic, "id": order.get("id")}

    def build_notice(
        self, topic: NoticeTopic, store: TiendanubeStore, order_ids: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        shop = {"store_id": int(store.store_id)}
        if topic in (NoticeTopic.APP_UNINSTALLED, NoticeTopic.APP_SUSPENDED, NoticeTopic.APP_RESUMED):
            return {**shop, "event": topic.replace("-", "/")}
        return {**shop, **build_customer_notice(topic, order_ids)}
