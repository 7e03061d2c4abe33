"""What changes in an order after it was delivered raises an alert that names the fields, and no value."""

from collections.abc import Callable
from typing import Any

import pytest

from connector.database.alerts import collect_notes
from connector.database.queries.deliveries import list_notes
from connector.delivery.changes import compare_changed
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service


def deliver_shopify(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at="2026-11-20T10:01:00-06:00"))
    service.drain()
    assert service.only_delivery()["state"] == "delivered"


def alerts_after(service: Service, *posts: Callable[[], Any]) -> list[str]:
    for post in posts:
        post()
        service.drain()
        compare_changed(service.runtime)
    return [note["text"] for note in service.only_delivery()["notes"] if note["kind"] == "alert"]


def change_shopify(service: Service, minute: int, **changes: Any) -> Callable[[], Any]:
    order = shopify_order(updated_at=f"2026-11-20T10:{minute:02}:00-06:00", **changes)
    return lambda: service.post_shopify(order, "orders/updated")


def refunded_lines() -> dict[str, Any]:
    order = shopify_order()
    line = {**order["line_items"][0], "current_quantity": 1}
    return {"line_items": [line], "current_total_price": "349.00", "financial_status": "partially_refunded"}


def moved_address() -> dict[str, Any]:
    address = {**shopify_order()["shipping_address"], "city": "Puebla de prueba"}
    return {"shipping_address": address}


def test_refund_and_new_address_name_the_fields(service: Service) -> None:
    deliver_shopify(service)
    alerts = alerts_after(service, change_shopify(service, 5, **refunded_lines(), **moved_address()))
    assert alerts == [
        "Changed after delivery: consumidor_destino.ciudad, productos[0].cantidad. Compare with the destination."
    ]
    assert len(service.sandbox.orders("rayo")) == 1
    assert collect_notes(service.database) == 1


def test_same_change_is_reported_once(service: Service) -> None:
    deliver_shopify(service)
    posts = [change_shopify(service, minute, **moved_address()) for minute in (5, 6)]
    assert len(alerts_after(service, *posts)) == 1
    back = change_shopify(service, 7)
    assert len(alerts_after(service, back)) == 1


@pytest.mark.parametrize(
    "changes",
    [{}, {"note": "Timbre 4"}, {"tags": "vip"}, {"fulfillment_status": "fulfilled"}],
)
def test_what_does_not_change_the_body_raises_no_alert(service: Service, changes: dict[str, Any]) -> None:
    deliver_shopify(service)
    assert alerts_after(service, change_shopify(service, 5, **changes)) == []


def test_shipped_order_raises_no_alert(service: Service) -> None:
    deliver_shopify(service)
    line = {**shopify_order()["line_items"][0], "fulfillable_quantity": 0, "fulfillment_status": "fulfilled"}
    assert alerts_after(service, change_shopify(service, 5, line_items=[line], fulfillment_status="fulfilled")) == []


def test_cancelled_and_erased_orders_have_no_second_alert(service: Service) -> None:
    service.post_woo(woo_order())
    service.drain()
    marked = [{"id": 9, "key": "_anonymized", "value": "yes"}]
    erased = woo_order(date_modified_gmt="2026-11-20T15:05:00", meta_data=marked)
    cancelled = woo_order(date_modified_gmt="2026-11-20T15:09:00", status="cancelled")
    alerts = alerts_after(service, lambda: service.post_woo(erased), lambda: service.post_woo(cancelled))
    assert len(alerts) == 1
    assert "cancelled at the store" in alerts[0]


def test_order_that_cannot_be_mapped_any_more_says_why_without_values(service: Service) -> None:
    service.post_woo(woo_order())
    service.drain()
    line = {**woo_order()["line_items"][0], "sku": ""}
    changed = woo_order(date_modified_gmt="2026-11-20T15:05:00", line_items=[line])
    [alert] = alerts_after(service, lambda: service.post_woo(changed))
    assert alert.startswith(
        "Changed after delivery, and cannot be mapped any more: Products > line 1 > SKU is missing."
    )
    [note] = list_notes(service.database, 1)
    assert "Yerba" not in str(note.message)
