"""Tiendanube, called Nuvemshop in Brazil: reads orders as its API writes them. Its webhooks only name them."""

from mappings.storefronts.tiendanube.schema import TiendanubeOrderSchema
from mappings.storefronts.tiendanube.store import TiendanubeStore
from mappings.storefronts.tiendanube.storefront import Tiendanube

__all__ = ["Tiendanube", "TiendanubeOrderSchema", "TiendanubeStore"]
