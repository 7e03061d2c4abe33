"""Operator actions over the API in each state, and their audit notes."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.orders import shopify_order, woo_order
from tests.support.scenarios import lose_a_response, resolve, retrigger, without_colonia
from tests.support.service import CONFIGURATION, Service


def test_refused_delivery_is_retriggered_with_a_new_key(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.post_woo(woo_order())
    service.deliver_due()
    response = retrigger(service, "1", note="SKU created at LaPyme")
    assert (response.status_code, response.json["state"]) == (202, "waiting")
    service.deliver_due()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["idempotency_key"]) == ("delivered", "order:tienda-ar:727:r2")
    assert [attempt["manual"] for attempt in delivery["attempt_log"]] == [False, True]
    assert delivery["notes"][0]["text"] == "SKU created at LaPyme"


def test_unmappable_delivery_is_retriggered_after_a_settings_change(service: Service) -> None:
    service.post_shopify(without_colonia())
    service.deliver_due()
    assert retrigger(service, "1").status_code == 202
    service.deliver_due()
    assert service.only_delivery()["reason"] == "unmappable"


@pytest.mark.parametrize("destination", ["rayo", "lapyme"])
def test_uncertain_delivery_requires_force(service: Service, destination: str) -> None:
    lose_a_response(service, destination)
    assert retrigger(service, "1").status_code == 409
    assert retrigger(service, "1", force=True).status_code == 202
    service.deliver_due()
    assert service.only_delivery()["state"] == "delivered"
    # Rayo has no idempotency keys, so forcing created a second shipment; LaPyme returned the first order.
    assert len(service.sandbox.orders(destination)) == (2 if destination == "rayo" else 1)


def test_forced_retrigger_with_an_idempotency_key_creates_no_duplicate(service: Service) -> None:
    service.post_woo(woo_order())
    service.deliver_due()
    before = service.only_delivery()
    assert retrigger(service, "1").status_code == 409
    retrigger(service, "1", force=True)
    service.deliver_due()
    after = service.only_delivery()
    assert (after["state"], after["remote_id"]) == ("delivered", before["remote_id"])
    assert len(service.sandbox.orders("lapyme")) == 1


def test_new_key_creates_a_new_order_and_requires_force(service: Service) -> None:
    lose_a_response(service, "lapyme")
    assert retrigger(service, "1", new_key=True).status_code == 409
    assert retrigger(service, "1", new_key=True, force=True).status_code == 202
    service.deliver_due()
    assert [order.key for order in service.sandbox.orders("lapyme")] == [
        "order:tienda-ar:727:r1",
        "order:tienda-ar:727:r2",
    ]


def test_new_key_is_refused_for_a_destination_without_idempotency(service: Service) -> None:
    lose_a_response(service, "rayo")
    assert retrigger(service, "1", new_key=True, force=True).status_code == 409


def test_retriggered_waiting_delivery_is_due_immediately(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "status", status=429, retry_after_s=1000)
    service.post_woo(woo_order())
    service.deliver_due()
    assert retrigger(service, "1").status_code == 202
    service.deliver_due()
    assert service.only_delivery()["state"] == "delivered"


def test_resolve_as_delivered_keeps_the_remote_id_and_the_note(service: Service) -> None:
    lose_a_response(service, "rayo")
    response = resolve(service, "1", **{"as": "delivered"}, remote_id="909521d0", note="seen at Rayo")
    assert (response.status_code, response.json["state"], response.json["remote_id"]) == (200, "delivered", "909521d0")
    assert response.json["reason"] is None
    assert service.only_delivery()["notes"][0]["text"] == "seen at Rayo"
    assert resolve(service, "1", **{"as": "delivered"}).status_code == 409


def test_resolve_as_discarded_ends_a_parked_or_waiting_order(service: Service) -> None:
    service.post_woo(woo_order())
    assert resolve(service, "1", **{"as": "delivered"}).status_code == 409
    assert resolve(service, "1", **{"as": "discarded"}).json["reason"] == "by hand"
    service.drain()
    assert service.sandbox.orders() == []


@pytest.mark.parametrize(
    "body",
    [{}, {"as": "sent"}, {"as": 3}, {"as": "discarded", "remote_id": "x"}, {"as": "delivered", "who": "me"}, []],
)
def test_invalid_resolution_is_400(service: Service, body: Any) -> None:
    lose_a_response(service, "rayo")
    assert service.api("/deliveries/1/resolve", json=body).status_code == 400
    assert service.only_delivery()["reason"] == "uncertain"


def test_retriggering_an_event_creates_missing_deliveries_only(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.deliver_due()
    response = service.api("/events/1/retrigger", json={})
    assert response.status_code == 202
    [skipped] = response.json["deliveries"]
    assert (skipped["id"], skipped["done"]) == ("1", "left")
    assert service.api("/events/1/retrigger", json={"force": True}).json["deliveries"][0]["done"] == "queued"
    service.deliver_due()
    assert len(service.sandbox.orders("rayo")) == 2  # by an operator


def test_retriggering_an_event_skips_an_uncertain_delivery(service: Service) -> None:
    lose_a_response(service, "rayo")
    [skipped] = service.api("/events/1/retrigger", json={}).json["deliveries"]
    assert (skipped["done"], "uncertain" in skipped["why"]) == ("left", True)


def test_retriggering_an_event_creates_the_delivery_of_a_new_route(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.deliver_due()
    with service.database.write() as transaction:  # as if the route had not been there
        transaction.connection.exec_driver_sql("DELETE FROM attempts")
        transaction.connection.exec_driver_sql("DELETE FROM deliveries")
    [created] = service.api("/events/1/retrigger", json={}).json["deliveries"]
    assert created["done"] == "queued"
    assert len(service.deliveries()) == 1


def test_retriggering_a_cancelled_order_requires_force(service: Service) -> None:
    service.post_shopify(shopify_order(cancelled_at="2026-11-20T10:09:00-06:00"), "orders/cancelled")
    service.post_shopify(shopify_order(), "orders/paid")
    [left] = service.api("/events/2/retrigger", json={}).json["deliveries"]
    assert (left["id"], left["account"], left["done"]) == (None, "bodega", "left")
    assert "cancelled" in left["why"]
    assert service.deliveries() == []
    [forced] = service.api("/events/2/retrigger", json={"force": True}).json["deliveries"]
    assert (forced["id"], forced["account"], forced["done"]) == ("1", "bodega", "queued")
    service.drain()
    assert service.only_delivery()["state"] == "delivered"


def test_forced_retrigger_of_an_event_keeps_to_the_routes_unless_the_account_is_named(
    open_service: Callable[..., Service],
) -> None:
    route = 'from = "tienda-mx"\nto = ["bodega"]\n'
    more = f'{route}\n[[routes]]\nfrom = "tienda-mx"\nto = ["erp"]\nonly.country = ["AR"]\n'
    service = open_service(text=CONFIGURATION.replace(route, more))
    service.post_shopify(shopify_order(cancelled_at="2026-11-20T10:09:00-06:00"), "orders/cancelled")
    service.post_shopify(shopify_order(), "orders/paid")
    results = service.api("/events/2/retrigger", json={"force": True}).json["deliveries"]
    assert {(result["account"], result["done"]) for result in results} == {("bodega", "queued"), ("erp", "left")}
    service.drain()
    assert [(delivery["account"], delivery["state"]) for delivery in service.deliveries()] == [("bodega", "delivered")]
    [named] = service.api("/events/2/retrigger", json={"force": True, "account": "erp"}).json["deliveries"]
    assert (named["account"], named["done"]) == ("erp", "queued")
    assert service.api("/events/2/retrigger", json={"account": "nobody"}).status_code == 404


def test_forced_retrigger_of_an_event_leaves_what_the_route_excludes(open_service: Callable[..., Service]) -> None:
    route = 'from = "tienda-mx"\nto = ["bodega"]\n'
    service = open_service(text=CONFIGURATION.replace(route, f'{route}only.country = ["AR"]\n'))
    service.post_shopify(shopify_order())
    service.drain()
    assert service.only_delivery()["reason"] == "filtered"
    [left] = service.api("/events/1/retrigger", json={"force": True}).json["deliveries"]
    assert (left["id"], left["done"], left["why"]) == ("1", "left", "country MX is not among AR")
    [queued] = service.api("/events/1/retrigger", json={"force": True, "account": "bodega"}).json["deliveries"]
    assert queued["done"] == "queued"
    service.drain()
    assert service.only_delivery()["state"] == "delivered"


@pytest.mark.parametrize("path", ["/events/9/retrigger", "/deliveries/9/retrigger", "/deliveries/x/resolve"])
def test_unknown_id_is_404(service: Service, path: str) -> None:
    response = service.api(path, json={"as": "discarded"} if "resolve" in path else {})
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"


def test_discarded_uncertain_delivery_is_retriggered_with_its_key(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "process_then_drop")
    service.post_woo(woo_order())
    service.deliver_due()
    resolve(service, "1", **{"as": "discarded"})
    service.post_woo(woo_order(customer_note="changed", date_modified_gmt="2026-11-20T15:04:00"))
    retrigger(service, "1", force=True)
    service.deliver_due()
    first, second = service.sandbox.requests("lapyme")
    assert (first.body, first.key) == (second.body, second.key)
    assert len(service.sandbox.orders("lapyme")) == 1


def test_refused_then_cancelled_delivery_is_retriggered_with_a_new_key(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.post_woo(woo_order())
    service.deliver_due()
    service.post_woo(woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:09:00"))
    retrigger(service, "1", force=True)
    service.deliver_due()
    keys = [request.key for request in service.sandbox.requests("lapyme")]
    assert keys == ["order:tienda-ar:727:r1", "order:tienda-ar:727:r2"]


def test_new_key_is_refused_while_the_old_key_is_retried(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "process_then_drop")
    service.post_woo(woo_order())
    service.deliver_due()
    assert retrigger(service, "1", new_key=True, force=True).status_code == 409
