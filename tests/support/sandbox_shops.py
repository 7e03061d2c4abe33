"""Shops of all three platforms in the sandbox, whose webhooks a test may lose."""

from datetime import timedelta
from typing import Any

from tests.support.listing import minutes_ago
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service
from tests.support.thin_webhooks import SHOP, tiendanube_order

SHOPS_CONFIGURATION = """
[stores.tienda-mx]
storefront = "shopify"
secrets = ["{shopify}"]
since = "2026-11-01T00:00:00Z"
api_url = "SANDBOX/shopify"
api_token = "shpat_ficha"
catch_up_lag_s = 60

[stores.tienda-ar]
storefront = "woocommerce"
secrets = ["{woo}"]
since = "2026-11-01T00:00:00Z"
api_url = "SANDBOX/woocommerce"
api_token = "ck_clave:cs_secreto"
catch_up_lag_s = 60

[stores.nube]
storefront = "tiendanube"
secrets = ["nube-secreto"]
since = "SINCE"
store_id = 4410733
api_token = "token-de-nube"
api_url = "SANDBOX/tiendanube"
catch_up_lag_s = 60

[accounts.bodega]
destination = "rayo"
api_key = "rayo-key"
base_url = "{rayo}"
breaker_failures = 50

[accounts.erp]
destination = "lapyme"
api_key = "lapyme-key"
base_url = "{lapyme}"
customer_id = "{uuid}"
assigned_warehouse_id = "{uuid}"
breaker_failures = 50

[[routes]]
from = "tienda-mx"
to = ["bodega"]

[[routes]]
from = "tienda-ar"
to = ["erp"]

[[routes]]
from = "nube"
to = ["bodega"]
"""
STORES = ("tienda-mx", "tienda-ar", "nube")


def shops_configuration(service_clock: Any, sandbox_url: str) -> str:
    since = service_clock() - timedelta(hours=5)  # Tiendanube is read in lists of six hours
    text = SHOPS_CONFIGURATION.replace("SANDBOX", sandbox_url.rstrip("/"))
    return text.replace("SINCE", f"{since:%Y-%m-%dT%H:%M:%SZ}")


def put_order(service: Service, store: str, number: int, minutes: float = 10, **changes: Any) -> dict[str, Any]:
    """Put a paid order that changed so many minutes ago into a shop. No webhook comes of it."""
    at = minutes_ago(service, minutes)
    times = {"created_at": f"{at}+0000", "updated_at": f"{at}+0000"}
    orders = {
        "tienda-mx": ("shopify", shopify_order(number, **times)),
        "tienda-ar": ("woocommerce", woo_order(number, date_modified_gmt=at, date_paid_gmt=at)),
        "nube": ("tiendanube", tiendanube_order(id=number, number=number, **times)),
    }
    storefront, order = orders[store]
    service.sandbox.put_order(storefront, SHOP, order | changes)
    return order | changes
