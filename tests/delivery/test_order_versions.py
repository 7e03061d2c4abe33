"""Newer versions replace older ones, cancellations stop unsent orders, and nothing is sent twice."""

import pytest

from tests.support.orders import shopify_order, woo_order
from tests.support.scenarios import without_colonia
from tests.support.service import Service


def at(minute: int) -> str:
    return f"2026-11-20T10:{minute:02}:00-06:00"


def state(service: Service) -> tuple[str, str | None]:
    [delivery] = service.deliveries()
    return delivery["state"], delivery["reason"]


def test_an_order_that_cannot_be_mapped_is_parked_with_what_the_merchant_sees(service: Service) -> None:
    service.post_shopify(without_colonia())
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"], delivery["attempts"]) == ("parked", "unmappable", 0)
    assert delivery["problems"] == ["Shipping address > neighbourhood is missing."]
    assert service.sandbox.requests("rayo") == []


def test_a_newer_version_heals_what_could_not_be_mapped(service: Service) -> None:
    service.post_shopify(without_colonia(updated_at=at(1)))
    service.drain()
    service.post_shopify(shopify_order(updated_at=at(2)), "orders/updated")
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["problems"], delivery["event"]) == ("delivered", [], "2")
    assert len(service.sandbox.orders("rayo")) == 1


def test_an_older_version_that_comes_late_changes_nothing(service: Service) -> None:
    service.post_shopify(without_colonia(updated_at=at(5)))
    service.drain()
    service.post_shopify(shopify_order(updated_at=at(2)), "orders/updated")
    service.drain()
    assert state(service) == ("parked", "unmappable")


def test_a_version_known_before_the_paid_event_is_what_goes(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=at(9)), "orders/updated")
    service.post_shopify(without_colonia(updated_at=at(3)), "orders/paid")
    service.drain()
    assert state(service) == ("delivered", None)


@pytest.mark.parametrize("first", ["orders/create", "orders/paid"])
def test_created_and_paid_of_one_second_are_paid_whichever_comes_first(service: Service, first: str) -> None:
    unpaid = shopify_order(updated_at=at(5), financial_status="pending")
    posts = [(unpaid, "orders/create"), (shopify_order(updated_at=at(5)), "orders/paid")]
    for payload, topic in sorted(posts, key=lambda post: post[1] != first):
        service.post_shopify(payload, topic)
    service.drain()
    assert state(service) == ("delivered", None)


def test_after_delivery_a_newer_version_is_recorded_and_not_sent(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=at(1)))
    service.drain()
    answer = service.post_shopify(shopify_order(updated_at=at(2), note="late"), "orders/updated")
    service.drain()
    assert answer.json["status"] == "accepted"
    assert len(service.sandbox.orders("rayo")) == 1


@pytest.mark.parametrize("paid_minute", [1, 9])
def test_cancelled_before_paid_arrives_never(service: Service, paid_minute: int) -> None:
    cancelled = shopify_order(updated_at=at(5), cancelled_at=at(5))
    service.post_shopify(cancelled, "orders/cancelled")
    answer = service.post_shopify(shopify_order(updated_at=at(paid_minute)), "orders/paid")
    service.drain()
    assert answer.json["status"] == "ignored"
    assert service.deliveries() == []
    assert service.sandbox.orders() == []


def test_cancelled_while_it_waits_is_discarded(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=at(1)))
    service.post_shopify(shopify_order(updated_at=at(2), cancelled_at=at(2)), "orders/cancelled")
    service.drain()
    assert state(service) == ("discarded", "cancelled")
    assert service.sandbox.orders() == []


def test_a_cancelled_order_that_comes_back_waits_for_a_person(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=at(1)))
    service.post_shopify(shopify_order(updated_at=at(2), cancelled_at=at(2)), "orders/cancelled")
    service.post_shopify(shopify_order(updated_at=at(3)), "orders/paid")
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("discarded", "cancelled")
    assert [note["kind"] for note in delivery["notes"]] == ["alert"]
    assert service.api(f"/deliveries/{delivery['id']}/retrigger", json={"force": True}).status_code == 202
    service.drain()
    assert state(service) == ("delivered", None)


def test_a_cancellation_older_than_what_is_known_does_not_count(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=at(5)))
    service.post_shopify(shopify_order(updated_at=at(2), cancelled_at=at(2)), "orders/cancelled")
    service.drain()
    assert state(service) == ("delivered", None)


def test_cancelled_after_delivery_raises_an_alert(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=at(1)))
    service.drain()
    service.post_shopify(shopify_order(updated_at=at(2), cancelled_at=at(2)), "orders/cancelled")
    delivery = service.only_delivery()
    assert delivery["state"] == "delivered"
    assert [note["kind"] for note in delivery["notes"]] == ["alert"]


@pytest.mark.parametrize("status", ["cancelled", "refunded"])
def test_woocommerce_says_cancelled_by_status(service: Service, status: str) -> None:
    service.post_woo(woo_order())
    service.post_woo(woo_order(status=status, date_modified_gmt="2026-11-20T15:09:00"))
    service.drain()
    assert state(service) == ("discarded", "cancelled")


def test_woocommerce_deletion_cancels(service: Service) -> None:
    service.post_woo(woo_order())
    service.post_woo({"id": 727}, "order.deleted")
    service.drain()
    assert state(service) == ("discarded", "cancelled")


def test_a_failed_payment_is_no_cancellation_the_order_goes_when_it_is_paid(service: Service) -> None:
    service.post_woo(woo_order(status="failed", date_modified_gmt="2026-11-20T15:01:00"))
    service.post_woo(woo_order(status="processing", date_modified_gmt="2026-11-20T15:02:00"))
    service.drain()
    assert state(service) == ("delivered", None)


def test_what_is_no_longer_paid_is_held_back_and_comes_back_when_it_is(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:01:00"))
    service.post_woo(woo_order(status="on-hold", date_modified_gmt="2026-11-20T15:02:00"))
    service.drain()
    assert state(service) == ("discarded", "filtered")
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:03:00"))
    service.drain()
    assert state(service) == ("delivered", None)


def test_what_was_filtered_and_then_cancelled_never_comes_back_by_itself(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:01:00"))
    service.post_woo(woo_order(status="on-hold", date_modified_gmt="2026-11-20T15:02:00"))
    service.drain()
    service.post_woo(woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:03:00"))
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:04:00"))
    service.drain()
    assert state(service) == ("discarded", "cancelled")
    assert service.sandbox.orders() == []
