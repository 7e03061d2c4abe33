"""An order whose customer was erased at the store is never mapped, and one that is on its way is sent first."""

from typing import Any

import pytest

from connector.database.privacy_requests import RequestFilter, list_requests
from connector.database.queries.events import EventFilter, list_events, load_event
from tests.support.orders import woo_order
from tests.support.service import Service

MARKED = [{"id": 9, "key": "_anonymized", "value": "yes"}]


def erased_address() -> dict[str, Any]:
    """What WooCommerce leaves of an address."""
    texts = dict.fromkeys(("first_name", "last_name", "address_1", "city", "postcode"), "[deleted]")
    return {**texts, "company": "", "address_2": "", "state": "", "country": "", "phone": "0000000000"}


@pytest.mark.parametrize(
    "changes",
    [
        {"billing": {**erased_address(), "first_name": "[borrado]", "email": "deleted@site.invalid"}},
        {"billing": erased_address()},
    ],
)
def test_erased_customer_is_held_even_with_force(service: Service, changes: dict[str, Any]) -> None:
    service.post_woo(woo_order(**changes))
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("parked", "held")
    assert delivery["problems"] == ["The store erased the customer's data: the order cannot be sent any more."]
    service.api(f"/deliveries/{delivery['id']}/retrigger", json={"force": True})
    service.drain()
    assert service.only_delivery()["reason"] == "held"
    assert service.sandbox.requests("lapyme") == []


def test_order_that_waits_is_sent_with_the_address_that_was_erased(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:01:00"))
    erased = woo_order(date_modified_gmt="2026-11-20T15:09:00", meta_data=MARKED, shipping=erased_address())
    assert service.post_woo(erased).json["status"] == "ignored"
    service.drain()
    assert service.only_delivery()["state"] == "delivered"
    assert len(service.sandbox.orders()) == 1
    [request] = list_requests(service.database, RequestFilter(), limit=9)
    assert (request.kind, request.state, request.order_ids) == ("customers-redact", "open", [str(woo_order()["id"])])


def test_erased_order_that_was_never_sent_makes_no_delivery(service: Service) -> None:
    assert service.post_woo(woo_order(meta_data=MARKED)).json["status"] == "ignored"
    assert service.deliveries() == []
    [request] = list_requests(service.database, RequestFilter(), limit=9)
    assert (request.state, request.closed_by) == ("done", "connector")  # nothing is kept of it


def test_erased_order_is_not_kept(service: Service) -> None:
    service.post_woo(woo_order(meta_data=[*MARKED, {"id": 3, "key": "_billing_dni", "value": "30111222"}]))
    [event] = list_events(service.database, EventFilter(), limit=9)
    assert load_event(service.database, event.id).body == b""


def test_versions_of_an_erased_order_are_one_request(service: Service) -> None:
    service.post_woo(woo_order())
    for minute in (5, 6):
        service.post_woo(woo_order(date_modified_gmt=f"2026-11-20T15:0{minute}:00", meta_data=MARKED))
    assert [request.repeats for request in list_requests(service.database, RequestFilter(), limit=9)] == [1]
