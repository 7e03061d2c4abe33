"""Newer versions replace older ones, cancellations stop unsent orders, and nothing is sent twice."""

import pytest

from tests.support.orders import shopify_order, woo_order
from tests.support.scenarios import without_colonia
from tests.support.service import Service


def timestamp(minute: int) -> str:
    return f"2026-11-20T10:{minute:02}:00-06:00"


def state_and_reason(service: Service) -> tuple[str, str | None]:
    [delivery] = service.deliveries()
    return delivery["state"], delivery["reason"]


def test_unmappable_order_is_parked_with_its_problems(service: Service) -> None:
    service.post_shopify(without_colonia())
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"], delivery["attempts"]) == ("parked", "unmappable", 0)
    assert delivery["problems"] == ["Shipping address > neighbourhood is missing."]
    assert service.sandbox.requests("rayo") == []


def test_newer_version_fixes_an_unmappable_order(service: Service) -> None:
    service.post_shopify(without_colonia(updated_at=timestamp(1)))
    service.drain()
    service.post_shopify(shopify_order(updated_at=timestamp(2)), "orders/updated")
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["problems"], delivery["event"]) == ("delivered", [], "2")
    assert len(service.sandbox.orders("rayo")) == 1


def test_late_older_version_changes_nothing(service: Service) -> None:
    service.post_shopify(without_colonia(updated_at=timestamp(5)))
    service.drain()
    service.post_shopify(shopify_order(updated_at=timestamp(2)), "orders/updated")
    service.drain()
    assert state_and_reason(service) == ("parked", "unmappable")


def test_newest_known_version_is_sent_after_payment(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=timestamp(9)), "orders/updated")
    service.post_shopify(without_colonia(updated_at=timestamp(3)), "orders/paid")
    service.drain()
    assert state_and_reason(service) == ("delivered", None)


@pytest.mark.parametrize("first", ["orders/create", "orders/paid"])
def test_created_and_paid_in_the_same_second_count_as_paid(service: Service, first: str) -> None:
    unpaid = shopify_order(updated_at=timestamp(5), financial_status="pending")
    posts = [(unpaid, "orders/create"), (shopify_order(updated_at=timestamp(5)), "orders/paid")]
    for payload, topic in sorted(posts, key=lambda post: post[1] != first):
        service.post_shopify(payload, topic)
    service.drain()
    assert state_and_reason(service) == ("delivered", None)


def test_newer_version_after_delivery_is_recorded_and_not_sent(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=timestamp(1)))
    service.drain()
    response = service.post_shopify(shopify_order(updated_at=timestamp(2), note="late"), "orders/updated")
    service.drain()
    assert response.json["status"] == "accepted"
    assert len(service.sandbox.orders("rayo")) == 1


@pytest.mark.parametrize("paid_minute", [1, 9])
def test_order_cancelled_before_payment_is_not_sent(service: Service, paid_minute: int) -> None:
    cancelled = shopify_order(updated_at=timestamp(5), cancelled_at=timestamp(5))
    service.post_shopify(cancelled, "orders/cancelled")
    response = service.post_shopify(shopify_order(updated_at=timestamp(paid_minute)), "orders/paid")
    service.drain()
    assert response.json["status"] == "ignored"
    assert service.deliveries() == []
    assert service.sandbox.orders() == []


def test_order_cancelled_while_waiting_is_discarded(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=timestamp(1)))
    service.post_shopify(shopify_order(updated_at=timestamp(2), cancelled_at=timestamp(2)), "orders/cancelled")
    service.drain()
    assert state_and_reason(service) == ("discarded", "cancelled")
    assert service.sandbox.orders() == []


def test_reopened_order_waits_for_an_operator(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=timestamp(1)))
    service.post_shopify(shopify_order(updated_at=timestamp(2), cancelled_at=timestamp(2)), "orders/cancelled")
    service.post_shopify(shopify_order(updated_at=timestamp(3)), "orders/paid")
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("discarded", "cancelled")
    assert [note["kind"] for note in delivery["notes"]] == ["alert"]
    assert service.api(f"/deliveries/{delivery['id']}/retrigger", json={"force": True}).status_code == 202
    service.drain()
    assert state_and_reason(service) == ("delivered", None)


def test_outdated_cancellation_is_ignored(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=timestamp(5)))
    service.post_shopify(shopify_order(updated_at=timestamp(2), cancelled_at=timestamp(2)), "orders/cancelled")
    service.drain()
    assert state_and_reason(service) == ("delivered", None)


def test_cancelled_after_delivery_raises_an_alert(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=timestamp(1)))
    service.drain()
    service.post_shopify(shopify_order(updated_at=timestamp(2), cancelled_at=timestamp(2)), "orders/cancelled")
    delivery = service.only_delivery()
    assert delivery["state"] == "delivered"
    assert [note["kind"] for note in delivery["notes"]] == ["alert"]


@pytest.mark.parametrize("status", ["cancelled", "refunded"])
def test_woocommerce_status_cancels(service: Service, status: str) -> None:
    service.post_woo(woo_order())
    service.post_woo(woo_order(status=status, date_modified_gmt="2026-11-20T15:09:00"))
    service.drain()
    assert state_and_reason(service) == ("discarded", "cancelled")


def test_woocommerce_deletion_cancels(service: Service) -> None:
    service.post_woo(woo_order())
    service.post_woo({"id": 727}, "order.deleted")
    service.drain()
    assert state_and_reason(service) == ("discarded", "cancelled")


def test_failed_payment_does_not_cancel_the_order(service: Service) -> None:
    service.post_woo(woo_order(status="failed", date_modified_gmt="2026-11-20T15:01:00"))
    service.post_woo(woo_order(status="processing", date_modified_gmt="2026-11-20T15:02:00"))
    service.drain()
    assert state_and_reason(service) == ("delivered", None)


def test_unpaid_order_is_held_until_it_is_paid(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:01:00"))
    service.post_woo(woo_order(status="on-hold", date_modified_gmt="2026-11-20T15:02:00"))
    service.drain()
    assert state_and_reason(service) == ("discarded", "filtered")
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:03:00"))
    service.drain()
    assert state_and_reason(service) == ("delivered", None)


def test_filtered_then_cancelled_order_is_not_resumed(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:01:00"))
    service.post_woo(woo_order(status="on-hold", date_modified_gmt="2026-11-20T15:02:00"))
    service.drain()
    service.post_woo(woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:03:00"))
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:04:00"))
    service.drain()
    assert state_and_reason(service) == ("discarded", "cancelled")
    assert service.sandbox.orders() == []
