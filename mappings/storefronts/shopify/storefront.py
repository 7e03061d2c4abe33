"""Shopify."""

from mappings.storefront import Signature, Storefront
from mappings.storefronts.shopify.api import required_fetches
from mappings.storefronts.shopify.schema import ShopifyOrderSchema
from mappings.storefronts.shopify.store import ShopifyStoreSchema
from mappings.storefronts.shopify.webhook import identify, sample_headers

STOREFRONT = Storefront(
    name="shopify",
    schema_class=ShopifyOrderSchema,
    # Newer deliveries: https://shopify.dev/docs/apps/build/events/verify-deliveries, read 2026-11-21.
    signature=Signature(headers=("X-Shopify-Hmac-Sha256", "Shopify-Hmac-Sha256"), encoding="base64"),
    identify=identify,
    settings_schema_class=ShopifyStoreSchema,
    sample_headers=sample_headers,
    sample_topic="orders/paid",
    required_fetches=required_fetches,
    # https://shopify.dev/docs/api/admin-rest, "Authentication", read 2026-11-21.
    api_headers=lambda store: {"X-Shopify-Access-Token": store.api_token, "Accept": "application/json"},
)
