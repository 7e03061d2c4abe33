"""Requests about personal data and notices about an app, as Shopify and Tiendanube send them."""

from typing import Any

from connector.core.signatures import sign
from mappings import STOREFRONTS
from tests.support.orders import SHOPIFY_SECRET, encode
from tests.support.service import Service
from tests.support.thin_webhooks import SECRET, SHOP

EMAIL, PHONE = "regina.ejemplo@correo.example", "+523312345678"
DOMAIN = "vela-norte.myshopify.com"
CUSTOMER = {"id": 191167, "email": EMAIL, "phone": PHONE}

NOTICE_CONFIGURATION = """
[stores.tienda-mx]
storefront = "shopify"
secrets = ["{shopify}"]
since = "2026-01-01T00:00:00Z"
shop_domain = ["vela-norte.myshopify.com"]

[stores.tienda-ar]
storefront = "woocommerce"
secrets = ["{woo}"]
since = "2026-01-01T00:00:00Z"

[stores.nube]
storefront = "tiendanube"
secrets = ["nube-secreto"]
since = "2026-01-01T00:00:00Z"
store_id = 4410733
api_token = "token-de-nube"
api_url = "NUBE"

[accounts.bodega]
destination = "rayo"
api_key = "rayo-key"
base_url = "{rayo}"

[[routes]]
from = "tienda-mx"
to = ["bodega"]

[[routes]]
from = "nube"
to = ["bodega"]
"""

SHOPIFY_NOTICES: dict[str, dict[str, Any]] = {
    "customers-data-request": {
        "shop_id": 954889,
        "shop_domain": DOMAIN,
        "orders_requested": [299938, 280263],
        "customer": CUSTOMER,
        "data_request": {"id": 9999},
    },
    "customers-redact": {
        "shop_id": 954889,
        "shop_domain": DOMAIN,
        "customer": CUSTOMER,
        "orders_to_redact": [299938, 280263],
    },
    "store-redact": {"shop_id": 954889, "shop_domain": DOMAIN},
    "app-uninstalled": {"id": 954889, "name": "Vela Norte", "domain": "vela.example", "myshopify_domain": DOMAIN},
}
TIENDANUBE_NOTICES: dict[str, dict[str, Any]] = {
    "customers-data-request": {
        "store_id": SHOP,
        "customer": {**CUSTOMER, "identification": "30111222"},
        "orders_requested": [213],
        "checkouts_requested": [214],
        "drafts_orders_requested": [10000],
        "data_request": {"id": 456},
    },
    "customers-redact": {
        "store_id": SHOP,
        "customer": {**CUSTOMER, "identification": "30111222"},
        "orders_to_redact": [213, 3415],
    },
    "store-redact": {"store_id": SHOP},
    "app-uninstalled": {"store_id": SHOP, "event": "app/uninstalled"},
    "app-suspended": {"store_id": SHOP, "event": "app/suspended"},
    "app-resumed": {"store_id": SHOP, "event": "app/resumed"},
}
NOTICES = {"tienda-mx": SHOPIFY_NOTICES, "nube": TIENDANUBE_NOTICES}
#: Store, topic and body of each.
ALL_NOTICES = [(store, topic, body) for store, notices in NOTICES.items() for topic, body in notices.items()]


def sign_headers(store: str, body: bytes) -> dict[str, str]:
    """Return the header with the signature that the store's platform would make."""
    if store == "nube":
        return {"x-linkedstore-hmac-sha256": sign(STOREFRONTS["tiendanube"].signature, SECRET, body)}
    return {"X-Shopify-Hmac-Sha256": sign(STOREFRONTS["shopify"].signature, SHOPIFY_SECRET, body)}


def post_notice(
    service: Service, store: str, topic: str | None, payload: dict[str, Any] | None = None, **headers: str
) -> Any:
    """Post a signed notice to its address; without a topic, to the address that names none."""
    body = encode(NOTICES[store][topic or ""] if payload is None else payload)
    suffix = f"/{topic}" if topic else ""
    return service.client.post(
        f"/webhooks/{store}/privacy{suffix}", data=body, headers={**sign_headers(store, body), **headers}
    )
