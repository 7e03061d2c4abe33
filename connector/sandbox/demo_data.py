"""The demo's configuration and orders, all of invented people.

To add a storefront or a destination, add a store or an account to `CONFIGURATION`, and an order or two.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from string import Template
from typing import Any

from connector.sandbox.fault_injection import FaultKind
from connector.sandbox.webhook_sender import read_sample

#: Accounts are named after their destination, so that the output reads "store → destination".
CONFIGURATION = Template("""\
# Written by `connector demo`. The sandbox stands in for the destinations and for the shops' APIs.

[stores.shopify-mx]
storefront = "shopify"
secrets = ["$secret-shopify-mx"]
since = "2026-01-01T00:00:00Z"

[stores.shopify-ar]
storefront = "shopify"
secrets = ["$secret-shopify-ar"]
since = "2026-01-01T00:00:00Z"
document_from = "note_attributes:dni"

[stores.woo-mx]
storefront = "woocommerce"
secrets = ["$secret-woo-mx"]
since = "2026-01-01T00:00:00Z"
api_url = "$sandbox/woocommerce"
api_token = "ck_demo:cs_demo"
# An hour and five minutes are the defaults. The demo has no time for that.
catch_up_every_s = 2
catch_up_lag_s = 0

[stores.woo-ar]
storefront = "woocommerce"
secrets = ["$secret-woo-ar"]
since = "2026-01-01T00:00:00Z"

[stores.shopify-sur]
storefront = "shopify"
secrets = ["$secret-shopify-sur"]
since = "2026-01-01T00:00:00Z"
document_from = "note_attributes:dni"

[stores.woo-sur]
storefront = "woocommerce"
secrets = ["$secret-woo-sur"]
since = "2026-01-01T00:00:00Z"

[stores.nube-mx]
storefront = "tiendanube"
secrets = ["$secret-nube-mx"]
since = "2026-01-01T00:00:00Z"
store_id = 4410733
api_url = "$sandbox/tiendanube"
api_token = "demo"

[stores.nube-ar]
storefront = "tiendanube"
secrets = ["$secret-nube-ar"]
since = "2026-01-01T00:00:00Z"
store_id = 5120066
api_url = "$sandbox/tiendanube"
api_token = "demo"

[stores.nube-sur]
storefront = "tiendanube"
secrets = ["$secret-nube-sur"]
since = "2026-01-01T00:00:00Z"
store_id = 5120077
api_url = "$sandbox/tiendanube"
api_token = "demo"

[accounts.rayo]
destination = "rayo"
base_url = "$sandbox/rayo"
api_key = "demo"
timeout_s = 5

[accounts.lapyme]
destination = "lapyme"
base_url = "$sandbox/lapyme"
api_key = "demo"
customer_id = "b7d1f0a2-6f0c-4a55-9b1e-2f6a3f1c0d11"
assigned_warehouse_id = "0f4c9a7e-3d52-4f6b-8c21-7a9e5b2d4c33"
timeout_s = 5
retry_first_s = 0.3

[accounts.centelar]
destination = "centelar"
base_url = "$sandbox/centelar"
connection_id = 1
ext_code = "{store}-{order_id}"
timeout_s = 5

[[routes]]
from = "shopify-mx"
to = ["rayo"]

[[routes]]
from = "woo-mx"
to = ["rayo"]

[[routes]]
from = "nube-mx"
to = ["rayo"]

[[routes]]
from = "shopify-ar"
to = ["lapyme"]

[[routes]]
from = "woo-ar"
to = ["lapyme"]

[[routes]]
from = "nube-ar"
to = ["lapyme"]

[[routes]]
from = "shopify-sur"
to = ["centelar"]

[[routes]]
from = "woo-sur"
to = ["centelar"]

[[routes]]
from = "nube-sur"
to = ["centelar"]
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOrder:
    """An order of the demo."""

    store: str
    account: str
    order_id: str
    number: str  # as the merchant sees it, such as "#1001"
    sku: str  # unique, to find the order in what the destination received
    payload: Mapping[str, Any]
    expected_copies: int = 1  # how often the destination must have it at the end
    fault: FaultKind | None = None  # injected at the destination, once


def with_changes(payload: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `payload` with the values at some dotted paths changed: `line_items.0.sku`."""
    changed = deepcopy(dict(payload))
    for path, value in changes.items():
        *steps, last = path.split(".")
        node: Any = changed
        for step in steps:
            node = node[int(step) if isinstance(node, list) else step]
        node[last] = value
    return changed


def shopify_order(sample: str, number: int, name: str, sku: str, product: str, **fields: Any) -> DemoOrder:
    """Return an order made from a Shopify sample, with another person and product."""
    order_id = 5_812_345_000_000 + number
    first_name, _, last_name = name.partition(" ")
    changes = {
        "id": order_id,
        "name": f"#{number}",
        "order_number": number,
        "line_items.0.sku": sku,
        "line_items.0.name": product,
        "line_items.0.title": product,
    }
    for address in ("shipping_address", "billing_address"):
        changes |= {f"{address}.first_name": first_name, f"{address}.last_name": last_name, f"{address}.name": name}
    payload = with_changes(json.loads(read_sample(sample)), changes)
    return DemoOrder(order_id=str(order_id), number=f"#{number}", sku=sku, payload=payload, **fields)


def woo_order(sample: str, number: int, name: str, sku: str, product: str, **fields: Any) -> DemoOrder:
    """Return an order made from a WooCommerce sample, with another person and product."""
    first_name, _, last_name = name.partition(" ")
    changes = {"id": number, "number": str(number), "line_items.0.sku": sku, "line_items.0.name": product}
    for address in ("shipping", "billing"):
        changes |= {f"{address}.first_name": first_name, f"{address}.last_name": last_name}
    payload = with_changes(json.loads(read_sample(sample)), changes)
    return DemoOrder(order_id=str(number), number=str(number), sku=sku, payload=payload, **fields)


def tiendanube_order(sample: str, number: int, name: str, sku: str, product: str, **fields: Any) -> DemoOrder:
    """Return an order made from a Tiendanube sample, with another person and product."""
    order_id = 1_650_300_000 + number
    first_name, _, _ = name.partition(" ")
    changes = {
        "id": order_id,
        "number": number,
        "contact_name": name,
        "billing_name": first_name,
        "shipping_address.name": name,
        "products.0.sku": sku,
        "products.0.name": product,
    }
    payload = with_changes(json.loads(read_sample(sample)), changes)
    return DemoOrder(order_id=str(order_id), number=str(number), sku=sku, payload=payload, **fields)


SHOPIFY_TO_RAYO: Mapping[str, Any] = {"store": "shopify-mx", "account": "rayo"}
WOO_TO_RAYO: Mapping[str, Any] = {"store": "woo-mx", "account": "rayo"}
SHOPIFY_TO_LAPYME: Mapping[str, Any] = {"store": "shopify-ar", "account": "lapyme"}
WOO_TO_LAPYME: Mapping[str, Any] = {"store": "woo-ar", "account": "lapyme"}
SHOPIFY_TO_CENTELAR: Mapping[str, Any] = {"store": "shopify-sur", "account": "centelar"}
WOO_TO_CENTELAR: Mapping[str, Any] = {"store": "woo-sur", "account": "centelar"}
TIENDANUBE_TO_RAYO: Mapping[str, Any] = {"store": "nube-mx", "account": "rayo"}
TIENDANUBE_TO_LAPYME: Mapping[str, Any] = {"store": "nube-ar", "account": "lapyme"}
TIENDANUBE_TO_CENTELAR: Mapping[str, Any] = {"store": "nube-sur", "account": "centelar"}
LOST_RESPONSE: Mapping[str, Any] = {"fault": FaultKind.PROCESS_THEN_DROP}
NOT_DELIVERED: Mapping[str, Any] = {"expected_copies": 0}

COFFEE = shopify_order("shopify", 1001, "Ximena Robles", "CAFE-CHIAPAS", "Café de Chiapas 1 kg", **SHOPIFY_TO_RAYO)
YERBA = woo_order("woocommerce", 2001, "Tobías Ferreyra", "YERBA-FUERTE", "Yerba mate fuerte 1 kg", **WOO_TO_LAPYME)
MATES = shopify_order("shopify-ar", 3001, "Abril Quiroga", "MATE-ALGARROBO", "Mate de algarrobo", **SHOPIFY_TO_LAPYME)
MOLE = woo_order("woocommerce-mx", 4001, "Damián Cantú", "MOLE-ROJO", "Mole rojo 1 kg", **WOO_TO_RAYO)
FORGED = shopify_order(
    "shopify", 1002, "Iker Lozano", "TEQUILA", "Tequila reposado", **SHOPIFY_TO_RAYO, **NOT_DELIVERED
)
SHAWL = shopify_order("shopify", 1003, "Renata Villaseñor", "REBOZO-AZUL", "Rebozo azul", **SHOPIFY_TO_RAYO)
HAMMOCK = woo_order("woocommerce-mx", 4002, "Emiliano Garza", "HAMACA", "Hamaca doble", **WOO_TO_RAYO, **LOST_RESPONSE)
AGAVE = woo_order("woocommerce-mx", 4003, "Jimena Solís", "AGAVE", "Miel de agave", **WOO_TO_RAYO)
SWEETS = woo_order("woocommerce", 2002, "Malena Ibarra", "DULCE", "Dulce de leche", **WOO_TO_LAPYME, **LOST_RESPONSE)
CANCELLED = shopify_order(
    "shopify", 1004, "Fermín Ochoa", "COMAL", "Comal de barro", **SHOPIFY_TO_RAYO, **NOT_DELIVERED
)
TEST_NOTIFICATION = shopify_order(
    "shopify", 9999, "Prueba Shopify", "PRUEBA", "Producto de prueba", **SHOPIFY_TO_RAYO, **NOT_DELIVERED
)
PONCHO = shopify_order("shopify-ar", 3002, "Nahuel Sosa", "PONCHO", "Poncho salteño", **SHOPIFY_TO_CENTELAR)
WINE = woo_order("woocommerce", 2003, "Delfina Roca", "VINO", "Vino Malbec", **WOO_TO_CENTELAR, **NOT_DELIVERED)
OLIVES = woo_order("woocommerce", 2004, "Ulises Paz", "OLIVA", "Aceite de oliva", **WOO_TO_CENTELAR)
LOOM = tiendanube_order("tiendanube-mx", 5001, "Itzel Arriaga", "TELAR", "Telar de cintura", **TIENDANUBE_TO_RAYO)
GOURD = tiendanube_order("tiendanube", 6001, "Bautista Roldán", "CALABAZA", "Mate de calabaza", **TIENDANUBE_TO_LAPYME)
ALFAJOR = tiendanube_order(
    "tiendanube", 6002, "Catalina Sosa", "ALFAJOR", "Alfajores, docena", **TIENDANUBE_TO_CENTELAR
)
VANILLA = tiendanube_order(
    "tiendanube-mx", 5002, "Leonardo Pech", "VAINILLA", "Vainilla de Papantla", **TIENDANUBE_TO_RAYO
)
