"""Shopify: its signatures, and the requests for what a webhook lacks."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from mappings.access_tokens import TokenRequest
from mappings.fields import parse_datetime
from mappings.notices import Notice, NoticeTopic
from mappings.storefront import Fetch, OrderTimes, Signature, Storefront, WebhookIdentity
from mappings.storefronts.shopify.api import API_VERSION, find_required_fetches
from mappings.storefronts.shopify.listing import ShopifyOrderListing
from mappings.storefronts.shopify.notices import TOPICS, is_notice_of_shop, read_notice
from mappings.storefronts.shopify.sample import SampleShopifyStore
from mappings.storefronts.shopify.schema import ShopifyOrderSchema
from mappings.storefronts.shopify.setup import SETUP_PLAN
from mappings.storefronts.shopify.store import ShopifyStore, ShopifyStoreSchema
from mappings.storefronts.shopify.tokens import build_token_request
from mappings.storefronts.shopify.webhook import identify_listed_order, identify_webhook, is_of_shop
from mappings.storefronts.shopify.webhook_api import ShopifyWebhookApi


class Shopify(Storefront[ShopifyStore]):
    name = "shopify"
    order_schema = ShopifyOrderSchema
    settings_schema = ShopifyStoreSchema
    # Newer deliveries: https://shopify.dev/docs/apps/build/events/verify-deliveries, read 2026-11-21.
    signature = Signature(headers=("X-Shopify-Hmac-Sha256", "Shopify-Hmac-Sha256"), encoding="base64")
    order_listing = ShopifyOrderListing()
    webhook_api = ShopifyWebhookApi()
    notice_topics = TOPICS
    setup_plan = SETUP_PLAN
    sample = SampleShopifyStore()

    def identify(self, headers: Mapping[str, str], payload: Mapping[str, Any], body: bytes) -> WebhookIdentity:
        return identify_webhook(headers, payload, body)

    def identify_listed(self, payload: Mapping[str, Any], *, is_new: bool) -> WebhookIdentity:
        return identify_listed_order(payload, is_new=is_new)

    def order_times(self, payload: Mapping[str, Any]) -> OrderTimes:
        """Return when the order was placed. Its payload does not say when it was paid: only its transactions do.

        https://shopify.dev/docs/api/admin-rest/latest/resources/order, read 2026-11-30.
        """
        return OrderTimes(placed_at=parse_datetime(payload.get("created_at")))

    def belongs_to_store(self, headers: Mapping[str, str], payload: Mapping[str, Any], store: ShopifyStore) -> bool:
        return is_of_shop(headers, payload, store.shop_domain)

    def read_notice(self, payload: Mapping[str, Any], topic: NoticeTopic | None = None) -> Notice | None:
        return read_notice(payload, topic)

    def is_notice_of_store(self, payload: Mapping[str, Any], store: ShopifyStore) -> bool:
        return is_notice_of_shop(payload, store)

    def required_fetches(
        self, payload: Mapping[str, Any], store: ShopifyStore, required_details: Set[str]
    ) -> Sequence[Fetch]:
        return find_required_fetches(payload, store, required_details)

    def probe_path(self, store: ShopifyStore) -> str:
        # https://shopify.dev/docs/api/admin-rest/latest/resources/order#get-orders-count, read 2026-11-30.
        return f"/admin/api/{API_VERSION}/orders/count.json"

    def api_headers(self, store: ShopifyStore, token: str | None) -> dict[str, str]:
        # https://shopify.dev/docs/api/admin-rest, "Authentication", read 2026-11-21.
        return {"X-Shopify-Access-Token": token or "", "Accept": "application/json"}

    def token_request(self, store: ShopifyStore) -> TokenRequest | None:
        return build_token_request(store)
