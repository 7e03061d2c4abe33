"""Orders from before the store was connected stay where they are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from connector.database.models import KnownStore
from tests.support.orders import shopify_order, woo_order
from tests.support.service import CONFIGURATION, Service

SINCE = 'since = "2026-01-01T00:00:00Z"'
OLD, RECENT, NEW = "2025-10-02T09:30:00", "2025-12-20T18:00:00", "2026-01-04T12:00:00"


def state_and_reason(service: Service) -> tuple[str, str | None]:
    [delivery] = service.deliveries()
    return delivery["state"], delivery["reason"]


@pytest.mark.parametrize(
    ("placed_at", "paid_at", "expected"),
    [
        (OLD, OLD, ("discarded", "filtered")),
        (OLD, NEW, ("delivered", None)),
        (RECENT, RECENT, ("discarded", "filtered")),
        (RECENT, NEW, ("delivered", None)),
        (NEW, NEW, ("delivered", None)),
        (OLD, None, ("discarded", "filtered")),
        (RECENT, None, ("parked", "held")),
        (NEW, None, ("delivered", None)),
        (None, None, ("delivered", None)),
    ],
)
def test_time_of_payment_decides(
    service: Service, placed_at: str | None, paid_at: str | None, expected: tuple[str, str | None]
) -> None:
    service.post_woo(woo_order(status="completed", date_created_gmt=placed_at, date_paid_gmt=paid_at))
    service.drain()
    assert state_and_reason(service) == expected


def test_old_order_says_why_and_a_person_can_send_it(service: Service) -> None:
    service.post_woo(woo_order(date_created_gmt=OLD, date_paid_gmt=OLD))
    service.drain()
    delivery = service.only_delivery()
    assert delivery["problems"] == [
        "it was paid on 2025-10-02 09:30 UTC, before the store's `since` (2026-01-01 00:00 UTC)"
    ]
    assert service.api(f"/deliveries/{delivery['id']}/retrigger", json={"force": True}).status_code == 202
    service.drain()
    assert state_and_reason(service) == ("delivered", None)


def test_old_order_is_discarded_though_it_cannot_be_mapped(service: Service) -> None:
    service.post_woo(woo_order(date_created_gmt=OLD, date_paid_gmt=OLD, line_items="?", shipping=None))
    service.drain()
    assert state_and_reason(service) == ("discarded", "filtered")


def test_shopify_order_of_the_last_weeks_is_held_until_a_person_retriggers_it(service: Service) -> None:
    """Its payload does not say when it was paid: a voucher of OXXO is paid days after the order."""
    service.post_shopify(shopify_order(created_at="2025-12-20T12:00:00-06:00"))
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("parked", "held")
    assert "placed on 2025-12-20 18:00 UTC" in delivery["problems"][0]
    assert service.api(f"/deliveries/{delivery['id']}/retrigger", json={}).status_code == 202
    service.drain()
    assert state_and_reason(service) == ("delivered", None)


def test_held_order_is_judged_again_when_its_payment_becomes_known(service: Service) -> None:
    service.post_woo(woo_order(date_created_gmt=RECENT, date_modified_gmt="2026-01-02T10:00:00"))
    service.drain()
    assert state_and_reason(service) == ("parked", "held")
    service.post_woo(woo_order(date_created_gmt=RECENT, date_paid_gmt=NEW, date_modified_gmt=NEW))
    service.drain()
    assert state_and_reason(service) == ("delivered", None)


@pytest.mark.parametrize(("age", "expected"), [(timedelta(hours=23), "delivered"), (timedelta(hours=25), "discarded")])
def test_default_is_a_day_before_the_first_run(
    open_service: Callable[..., Service], age: timedelta, expected: str
) -> None:
    service = open_service(text=CONFIGURATION.replace(SINCE, ""))
    with service.database.read() as session:
        first_runs = {store.id: store.first_run_at for store in session.exec(select(KnownStore))}
    assert set(first_runs) == {"tienda-mx", "tienda-ar"}
    service.clock.forward(7 * 86_400)  # later, the same orders are still the new ones
    at = f"{first_runs['tienda-ar'] - age:%Y-%m-%dT%H:%M:%S}"
    service.post_woo(woo_order(date_created_gmt=at, date_paid_gmt=at))
    service.drain()
    assert state_and_reason(service)[0] == expected


def test_first_run_is_not_forgotten(open_service: Callable[..., Service]) -> None:
    first = open_service(text=CONFIGURATION.replace(SINCE, "")).runtime.first_runs
    again = open_service(text=CONFIGURATION.replace(SINCE, "")).runtime.first_runs
    assert first == again
    assert all(datetime.now(UTC) - at < timedelta(minutes=5) for at in first.values())


def test_preview_says_that_an_old_order_would_be_discarded(service: Service) -> None:
    service.post_woo(woo_order(date_created_gmt=OLD, date_paid_gmt=OLD))
    preview: dict[str, Any] = service.api("/deliveries/1/preview", json={}).json
    assert preview["body"] is None
    assert "It would be discarded: it was paid on 2025-10-02" in preview["problems"][0]
