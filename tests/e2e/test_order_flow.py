"""The main flow: a signed webhook arrives, and the right body reaches its destination once."""

from tests.support.orders import RAYO_BODY, shopify_order, woo_order
from tests.support.service import UUID, Service


def test_shopify_order_reaches_rayo(service: Service) -> None:
    response = service.post_shopify(shopify_order())
    assert (response.status_code, response.json) == (200, {"status": "accepted", "event": "1"})

    service.drain()

    [order] = service.sandbox.orders("rayo")
    assert order.body == RAYO_BODY
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["remote_id"], delivery["attempts"]) == ("delivered", order.remote_id, 1)


def test_woocommerce_order_reaches_lapyme(service: Service) -> None:
    service.post_woo(woo_order())
    service.drain()

    [order] = service.sandbox.orders("lapyme")
    assert order.key == "order:tienda-ar:727:r1"
    assert order.body == {
        "customer_id": UUID,
        "assigned_warehouse_id": UUID,
        "totals": {"subtotal": 35000, "tax_amount": 7350, "total": 42350},
        "lines": [
            {
                "product_name_snapshot": "Yerba mate 1 kg",
                "sku_snapshot": "YERBA-1",
                "ordered_quantity": 3,
                "unit_price": 12100,
                "tax_rate_id": 5,
            },
            {
                "product_name_snapshot": "Envío",
                "sku_snapshot": "ENVIO",
                "ordered_quantity": 1,
                "unit_price": 6050,
                "tax_rate_id": 5,
            },
        ],
        "delivery_method": "shipping",
        "order_date": "2026-11-20T15:00:00Z",
        "currency": "PES",
        "notes": "woocommerce 727",
    }
    assert service.only_delivery()["state"] == "delivered"


def test_data_the_destination_cannot_receive_is_a_warning(service: Service) -> None:
    service.post_shopify(shopify_order(note="Tocar el timbre"))
    service.drain()
    assert service.only_delivery()["warnings"] == ["Customer note is not sent: Rayo has no field for it."]
