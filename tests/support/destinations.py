"""Which method and which order bring a delivery to each destination."""

from tests.support.orders import shopify_order, woo_order

RAYO, LAPYME = "rayo", "lapyme"

POST = {RAYO: ("post_shopify", shopify_order), LAPYME: ("post_woo", woo_order)}
