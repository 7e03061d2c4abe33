"""An order whose customer was erased at the store is never mapped."""

from typing import Any

import pytest

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
        {"meta_data": MARKED},
        {"meta_data": MARKED, "billing": erased_address(), "shipping": erased_address()},
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


def test_order_that_waits_is_held_when_its_customer_is_erased(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:01:00"))
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:09:00", meta_data=MARKED))
    service.drain()
    assert service.only_delivery()["reason"] == "held"
    assert service.sandbox.orders() == []
