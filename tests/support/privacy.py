"""Invented personal data and secrets, and orders that use all of them."""

from tests.support.orders import SHOPIFY_SECRET, WOO_SECRET, shopify_order, woo_order
from tests.support.scenarios import without_colonia
from tests.support.service import Service

PERSONAL_DATA = [
    "Ximena",
    "Prueba",
    "Obregón",
    "5551234567",
    "55 5123 4567",
    "ximena@",
    "Tobías",
    "Ensayo",
    "Corrientes",
]


SECRETS = [SHOPIFY_SECRET, WOO_SECRET, "rayo-key", "lapyme-key", "eyJ"]  # a JWT begins with the last


def produce_every_outcome(service: Service) -> None:
    """Create delivered, parked, duplicate, refused and retriggered orders."""
    service.post_shopify(shopify_order(1))
    service.post_shopify(without_colonia(2))
    misplaced = {**shopify_order()["shipping_address"], "zip": "Ximena"}
    service.post_shopify(shopify_order(9, shipping_address=misplaced))  # a problem that quotes it
    service.post_shopify({"id": 3, "shipping_address": {"name": "Ximena"}})
    service.post_woo(woo_order(4))
    service.client.post("/webhooks/tienda-mx", data=b'{"name": "Ximena"}', headers={"X-Shopify-Topic": "orders/paid"})
    service.deliver_due()
    for destination, fault, options in [
        ("rayo", "process_then_drop", {}),
        ("rayo", "status", {"status": 400}),
        ("rayo", "token_status", {"status": 500}),
        ("lapyme", "status", {"status": 422}),
        ("lapyme", "garbage", {}),
        ("lapyme", "status", {"status": 401}),
    ]:
        service.sandbox.inject_fault(destination, fault, **options)
    service.sandbox.inject_fault("rayo", "expire_tokens")
    for number in range(5, 8):
        service.post_shopify(shopify_order(number))
        service.post_woo(woo_order(number))
    for _ in range(3):
        service.deliver_due()
        service.clock.forward(700)
    for delivery in service.deliveries():
        service.api(f"/deliveries/{delivery['id']}/retrigger", json={"force": True, "note": "asked Ximena Prueba"})
