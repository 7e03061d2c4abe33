"""An invented Shopify shop."""

import uuid
from collections.abc import Mapping
from typing import Any

from mappings.notices import NoticeTopic
from mappings.samples import SampleStore, build_customer_notice
from mappings.storefronts.shopify.api import API_VERSION
from mappings.storefronts.shopify.store import ShopifyStore, is_permanent_domain


class SampleShopifyStore(SampleStore):
    topic = "orders/paid"

    def build_notice(self, topic: NoticeTopic, store: ShopifyStore, order_ids: tuple[int, ...] = ()) -> dict[str, Any]:
        domain = next(filter(is_permanent_domain, store.shop_domain), "sample.myshopify.com")
        if topic is NoticeTopic.APP_UNINSTALLED:
            return {"id": 954889, "name": "Sample", "domain": "sample.example", "myshopify_domain": domain}
        return {"shop_id": 954889, "shop_domain": domain, **build_customer_notice(topic, order_ids)}

    def build_headers(self, payload: Mapping[str, Any], topic: str, store: ShopifyStore) -> dict[str, str]:
        """Return the headers with which Shopify would post `payload`. One state of an order always has the same ids."""
        event = f"{topic}:{payload.get('id')}:{payload.get('updated_at')}"
        return {
            "X-Shopify-Topic": topic,
            "X-Shopify-Shop-Domain": next(filter(is_permanent_domain, store.shop_domain), "sample.myshopify.com"),
            "X-Shopify-API-Version": API_VERSION,
            "X-Shopify-Event-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, event)),
            "X-Shopify-Webhook-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, "webhook:" + event)),
        }
