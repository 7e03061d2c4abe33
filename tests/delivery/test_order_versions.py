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


def test_later_arrival_of_one_second_wins_if_both_are_paid(service: Service) -> None:
    corrected = shopify_order()
    corrected["shipping_address"] = {**corrected["shipping_address"], "address1": "Av. Álvaro Obregón \u206091"}
    service.post_shopify(shopify_order(), "orders/paid")
    service.post_shopify(corrected, "orders/updated")
    service.drain()
    assert service.only_delivery()["body"]["consumidor_destino"]["no_exterior"] == "91"


def test_newer_version_after_delivery_is_recorded_and_not_sent(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=timestamp(1)))
    service.drain()
    response = service.post_shopify(shopify_order(updated_at=timestamp(2), note="late"), "orders/updated")
    service.drain()
    assert response.json["status"] == "accepted"
    assert len(service.sandbox.orders("rayo")) == 1


def test_order_cancelled_after_the_payment_that_comes_late_is_not_sent(service: Service) -> None:
    cancelled = shopify_order(updated_at=timestamp(5), cancelled_at=timestamp(5))
    service.post_shopify(cancelled, "orders/cancelled")
    response = service.post_shopify(shopify_order(updated_at=timestamp(1)), "orders/paid")
    service.drain()
    assert response.json["status"] == "ignored"
    assert service.deliveries() == []
    assert service.sandbox.orders() == []


def test_cancelled_order_that_is_paid_later_is_held_where_a_cancellation_is_final(service: Service) -> None:
    cancelled = shopify_order(updated_at=timestamp(5), cancelled_at=timestamp(5))
    service.post_shopify(cancelled, "orders/cancelled")
    response = service.post_shopify(shopify_order(updated_at=timestamp(9)), "orders/paid")
    service.drain()
    assert response.json["status"] == "accepted"
    assert state_and_reason(service) == ("parked", "held")
    [problem] = service.only_delivery()["problems"]
    assert "was cancelled" in problem
    assert service.sandbox.orders() == []


def test_order_cancelled_while_waiting_is_discarded(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=timestamp(1)))
    service.post_shopify(shopify_order(updated_at=timestamp(2), cancelled_at=timestamp(2)), "orders/cancelled")
    service.drain()
    assert state_and_reason(service) == ("discarded", "cancelled")
    assert service.sandbox.orders() == []


def test_reopened_order_is_held_until_a_person_retriggers_it(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=timestamp(1)))
    service.post_shopify(shopify_order(updated_at=timestamp(2), cancelled_at=timestamp(2)), "orders/cancelled")
    service.post_shopify(shopify_order(updated_at=timestamp(3)), "orders/paid")
    service.post_shopify(shopify_order(updated_at=timestamp(4), note="later"), "orders/updated")
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"], delivery["event"]) == ("parked", "held", "4")
    assert service.api(f"/deliveries/{delivery['id']}/retrigger", json={}).status_code == 202
    service.drain()
    assert state_and_reason(service) == ("delivered", None)


def test_held_order_that_is_cancelled_again_is_discarded(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=timestamp(1), cancelled_at=timestamp(1)), "orders/cancelled")
    service.post_shopify(shopify_order(updated_at=timestamp(2)), "orders/paid")
    service.post_shopify(shopify_order(updated_at=timestamp(3), cancelled_at=timestamp(3)), "orders/cancelled")
    assert state_and_reason(service) == ("discarded", "cancelled")


def woo_timestamp(minute: int) -> str:
    return f"2026-11-20T15:{minute:02}:00"


def test_payment_revives_an_order_that_woocommerce_cancelled_unpaid(service: Service) -> None:
    service.post_woo(woo_order(status="pending", date_modified_gmt=woo_timestamp(1)), "order.created")
    service.post_woo(woo_order(status="cancelled", date_modified_gmt=woo_timestamp(2)))
    assert service.deliveries() == []
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(3)))
    service.drain()
    assert state_and_reason(service) == ("delivered", None)
    assert len(service.sandbox.orders("lapyme")) == 1


def test_payment_revives_a_discarded_delivery(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(1)))
    service.post_woo(woo_order(status="cancelled", date_modified_gmt=woo_timestamp(2)))
    assert state_and_reason(service) == ("discarded", "cancelled")
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(3)))
    assert state_and_reason(service) == ("waiting", None)
    service.post_woo(woo_order(status="cancelled", date_modified_gmt=woo_timestamp(4)))
    assert state_and_reason(service) == ("discarded", "cancelled")


@pytest.mark.parametrize("minute", [1, 2])
def test_cancellation_holds_for_versions_that_are_not_newer(service: Service, minute: int) -> None:
    service.post_woo(woo_order(status="cancelled", date_modified_gmt=woo_timestamp(2)))
    response = service.post_woo(woo_order(date_modified_gmt=woo_timestamp(minute)))
    service.drain()
    assert response.json["status"] == "ignored"
    assert service.deliveries() == []


def test_order_that_comes_back_after_it_was_sent_is_not_sent_again(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(1)))
    service.drain()
    service.post_woo(woo_order(status="cancelled", date_modified_gmt=woo_timestamp(2)))
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(3)))
    service.drain()
    delivery = service.only_delivery()
    assert delivery["state"] == "delivered"
    assert [note["kind"] for note in delivery["notes"]] == ["alert", "alert"]
    assert len(service.sandbox.orders("lapyme")) == 1


def test_order_that_comes_back_is_held_at_an_account_that_processed_an_attempt(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(1)))
    service.drain()
    service.sandbox.clear_faults()
    assert state_and_reason(service) == ("parked", "refused")
    service.post_woo(woo_order(status="cancelled", date_modified_gmt=woo_timestamp(2)))
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(3)))
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("parked", "held")
    service.api(f"/deliveries/{delivery['id']}/retrigger", json={})
    service.drain()
    assert [order.key for order in service.sandbox.orders("lapyme")] == ["order:tienda-ar:727:r2"]


@pytest.mark.parametrize("restored_first", [False, True])
def test_restored_order_wins_over_its_deletion(service: Service, restored_first: bool) -> None:
    """A deletion has no time but its arrival, which may be later than that of the version that undid it."""
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(1)))
    posts = [
        ({"id": 727}, "order.deleted"),
        (woo_order(date_modified_gmt=woo_timestamp(2)), "order.restored"),
    ]
    for payload, topic in sorted(posts, key=lambda post: (post[1] == "order.restored") is not restored_first):
        service.post_woo(payload, topic)
    service.drain()
    assert state_and_reason(service) == ("delivered", None)
    assert len(service.sandbox.orders("lapyme")) == 1


def test_old_body_does_not_undo_a_deletion(service: Service) -> None:
    """The topic is in a header, which is not signed."""
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(1)))
    service.post_woo({"id": 727}, "order.deleted")
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(1)), "order.restored")
    service.drain()
    assert state_and_reason(service) == ("parked", "held")
    assert service.sandbox.orders("lapyme") == []


def delete(service: Service) -> str:
    status: str = service.post_woo({"id": 727}, "order.deleted").json["status"]
    return status


def restore(service: Service, minute: int) -> None:
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(minute)), "order.restored")


def test_second_deletion_of_a_restored_order_holds_it(service: Service) -> None:
    """Its bytes are those of the first, so it may be a copy of that: a person decides."""
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(1)))
    assert [delete(service), delete(service)] == ["accepted", "duplicate"]
    assert state_and_reason(service) == ("discarded", "cancelled")
    restore(service, 2)
    assert state_and_reason(service) == ("waiting", None)
    assert [delete(service), delete(service)] == ["accepted", "duplicate"]
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("parked", "held")
    assert "not certain which came last" in delivery["problems"][0]
    assert service.sandbox.orders() == []
    restore(service, 3)
    assert state_and_reason(service) == ("waiting", None)
    assert delete(service) == "accepted"
    assert state_and_reason(service) == ("parked", "held")


def test_old_version_under_another_topic_does_not_make_a_copy_of_a_deletion_new(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(1)))
    delete(service)
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(1)), "order.restored")
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(1)), "order.created")
    assert delete(service) == "duplicate"


def test_second_deletion_of_a_delivered_order_raises_an_alert(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(1)))
    delete(service)
    restore(service, 2)
    service.drain()
    assert [delete(service), delete(service)] == ["accepted", "duplicate"]
    delivery = service.only_delivery()
    assert delivery["state"] == "delivered"
    assert [(note["kind"], "not certain which came last" in note["text"]) for note in delivery["notes"]] == [
        ("alert", True)
    ]


def test_old_body_posted_as_restored_does_not_undo_a_later_deletion(service: Service) -> None:
    """The topic is in a header, which is not signed. It is not certain either that it is old: a person decides."""
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(1)))
    restore(service, 1)
    delete(service)
    service.drain()
    assert state_and_reason(service) == ("parked", "held")
    assert service.sandbox.orders() == []


def test_version_after_a_deletion_is_held_if_it_does_not_say_that_it_undoes_it(service: Service) -> None:
    service.post_woo({"id": 727}, "order.deleted")
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(2)))
    service.drain()
    assert state_and_reason(service) == ("parked", "held")
    service.post_woo(woo_order(date_modified_gmt=woo_timestamp(3)), "order.restored")
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
    service.post_woo(woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:04:00"))
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:03:00"))
    service.drain()
    assert state_and_reason(service) == ("discarded", "cancelled")
    assert service.sandbox.orders() == []
