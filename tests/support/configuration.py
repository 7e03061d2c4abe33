"""Small configurations, and the variables of the example."""

CUSTOMER_ID = "5d0c8a34-7a0e-4d2e-9a53-3f1f6a2b8c90"
WAREHOUSE_ID = "a1e6b0d7-2c4f-4e8b-8f19-6b7c5d4e3f21"
VARIABLES = {
    "SHOPIFY_SECRET": "secreto-de-shopify",
    "WOOCOMMERCE_SECRET": "secreto-de-woo",
    "TIENDANUBE_SECRET": "secreto-de-nube",
    "TIENDANUBE_STORE_ID": "4410733",
    "TIENDANUBE_TOKEN": "ficha-de-nube",
    "RAYO_API_KEY": "llave-de-rayo",
    "LAPYME_API_KEY": "llave-de-lapyme",
    "LAPYME_CUSTOMER_ID": CUSTOMER_ID,
    "LAPYME_WAREHOUSE_ID": WAREHOUSE_ID,
    "CENTELAR_URL": "https://centelar.example",
    "CENTELAR_TOKEN": "ficha-de-centelar",
}

STORE = """
[stores.tienda-mx]
storefront = "shopify"
secrets = ["secreto"]
"""
ACCOUNT = """
[accounts.bodega]
destination = "rayo"
api_key = "llave"
"""
ROUTE = """
[[routes]]
from = "tienda-mx"
to = ["bodega"]
"""
SMALLEST = STORE + ACCOUNT + ROUTE
