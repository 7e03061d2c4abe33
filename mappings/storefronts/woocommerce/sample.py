"""An invented WooCommerce shop."""

from collections.abc import Mapping
from typing import Any

from mappings.samples import SampleStore
from mappings.settings import Store


class SampleWooStore(SampleStore):
    topic = "order.updated"

    def build_headers(self, payload: Mapping[str, Any], topic: str, store: Store) -> dict[str, str]:
        address = next(iter(store.shop_domain), "sample.example")
        resource, _, event = topic.partition(".")
        return {
            "X-WC-Webhook-Source": f"https://{address}/",
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-ID": "1",
            "X-WC-Webhook-Delivery-ID": "0123456789abcdef0123456789abcdef",
        }
