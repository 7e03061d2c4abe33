"""A Tiendanube store whose webhooks only name the order."""

from typing import Any

from connector.core.signatures import sign
from mappings import STOREFRONTS
from tests.support.orders import encode
from tests.support.service import Service

SECRET = "nube-secreto"


SHOP = 4410733


THIN_CONFIGURATION = """
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
from = "nube"
to = ["bodega"]
"""


def tiendanube_order(**changes: Any) -> dict[str, Any]:
    order = {
        "id": 9001,
        "number": 501,
        "created_at": "2026-11-20T12:00:00+0000",
        "updated_at": "2026-11-20T12:01:00+0000",
        "currency": "MXN",
        "total": "300.00",
        "shipping_cost_customer": "0.00",
        "status": "open",
        "payment_status": "paid",
        "gateway": "mercado-pago",
        "products": [{"id": 1, "name": "Vela", "sku": "VELA-1", "price": "300.00", "quantity": "1"}],
        "shipping_pickup_type": "ship",
        "shipping_address": {
            "name": "Regina Ejemplo",
            "phone": "+52 33 1234 5678",
            "address": "Av. Vallarta",
            "number": "1500",
            "floor": None,
            "locality": "Americana",
            "city": "Guadalajara",
            "province": "Jalisco",
            "zipcode": "44160",
            "country": "MX",
        },
    }
    return order | changes


def post_thin_webhook(service: Service, event: str = "order/paid", *, shop: int = SHOP, order_id: int = 9001) -> Any:
    body = encode({"store_id": shop, "event": event, "id": order_id})
    signature = sign(STOREFRONTS["tiendanube"].signature, SECRET, body)
    return service.client.post("/webhooks/nube", data=body, headers={"x-linkedstore-hmac-sha256": signature})


def store_order(service: Service, **changes: Any) -> None:
    """Store the order in the fake shop."""
    service.sandbox.put_order("tiendanube", SHOP, tiendanube_order(**changes))
