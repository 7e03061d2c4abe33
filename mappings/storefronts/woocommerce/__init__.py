"""WooCommerce: reads orders as its webhooks and its REST API write them."""

from mappings.storefronts.woocommerce.schema import WooOrderSchema
from mappings.storefronts.woocommerce.store import WooStore
from mappings.storefronts.woocommerce.storefront import WooCommerce

__all__ = ["WooCommerce", "WooOrderSchema", "WooStore"]
