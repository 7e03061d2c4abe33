"""The webhook method and order that create a delivery for each destination."""

from tests.support.orders import shopify_order, woo_order

RAYO, LAPYME = "rayo", "lapyme"

POST = {RAYO: ("post_shopify", shopify_order), LAPYME: ("post_woo", woo_order)}
