"""Orders in situations that many tests start from."""

from typing import Any

from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service


def without_colonia(number: int = 1001, **changes: Any) -> dict[str, Any]:
    order = shopify_order(number, **changes)
    order["shipping_address"] = {**order["shipping_address"], "address2": "Depto 4 \u2060"}
    return order


def retrigger(service: Service, delivery_id: str, **body: Any) -> Any:
    return service.api(f"/deliveries/{delivery_id}/retrigger", json=body)


def resolve(service: Service, delivery_id: str, **body: Any) -> Any:
    return service.api(f"/deliveries/{delivery_id}/resolve", json=body)


def lose_a_response(service: Service, destination: str) -> dict[str, Any]:
    """Create an order that the destination has but whose response was lost."""
    if destination == "rayo":
        service.sandbox.inject_fault("rayo", "process_then_drop")
        service.post_shopify(shopify_order())
    else:
        service.sandbox.inject_fault("lapyme", "process_then_drop")
        service.sandbox.inject_fault("lapyme", "status", status=422)
        service.post_woo(woo_order())
        service.deliver_due()
        service.clock.forward(60)
    service.deliver_due()
    delivery = service.only_delivery()
    assert delivery["reason"] == "uncertain"
    return delivery


def refuse_order(service: Service, *numbers: int) -> None:
    """Create orders that LaPyme refuses."""
    for number in numbers:
        service.sandbox.inject_fault("lapyme", "status", status=422)
        service.post_woo(woo_order(number))
        service.deliver_due()


def create_mixed_deliveries(service: Service) -> None:
    """Create a parked order, two delivered ones, an ignored webhook and a duplicate."""
    service.post_shopify(without_colonia(2))
    service.post_shopify(shopify_order(3), event_id="e-3")
    service.post_shopify(shopify_order(3), event_id="e-3")
    service.post_woo(woo_order(5))
    service.post_shopify(shopify_order(6, test=True), **{"X-Shopify-Test": "true"})
    service.drain()
