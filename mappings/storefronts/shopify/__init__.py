"""Shopify: reads orders as its webhooks and its REST Admin API write them."""

from mappings.storefronts.shopify.schema import ShopifyOrderSchema
from mappings.storefronts.shopify.store import ShopifyStore
from mappings.storefronts.shopify.storefront import Shopify

__all__ = ["Shopify", "ShopifyOrderSchema", "ShopifyStore"]
