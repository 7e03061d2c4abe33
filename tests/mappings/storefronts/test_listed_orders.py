"""What an order in a list of the storefront's API stands for, as an event."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from mappings import STOREFRONTS
from mappings.problems import Problem
from mappings.settings import Store
from mappings.storefront import MalformedWebhookError, WebhookIdentity
from mappings.storefronts.tiendanube import TiendanubeStore

MOMENT = datetime(2026, 11, 30, 12, 0, 1, tzinfo=UTC)
SHOPIFY_ORDER: dict[str, Any] = {
    "id": 450789469,
    "name": "#1001",
    "financial_status": "paid",
    "updated_at": "2026-11-30T09:00:01-03:00",
}
WOO_ORDER: dict[str, Any] = {
    "id": 727,
    "number": "727",
    "status": "processing",
    "date_modified_gmt": "2026-11-30T12:00:01",
}
TIENDANUBE_ORDER: dict[str, Any] = {
    "id": 77,
    "number": 128,
    "status": "open",
    "payment_status": "paid",
    "cancelled_at": "-0001-11-30T00:00:00+0000",
    "updated_at": "2026-11-30T12:00:01+0000",
}
ORDERS = {"shopify": SHOPIFY_ORDER, "woocommerce": WOO_ORDER, "tiendanube": TIENDANUBE_ORDER}


def identify(storefront: str, *, is_new: bool = False, **changes: Any) -> WebhookIdentity:
    return STOREFRONTS[storefront].identify_listed(ORDERS[storefront] | changes, is_new=is_new)


@pytest.mark.parametrize(
    ("storefront", "order_id", "number"),
    [("shopify", "450789469", "#1001"), ("woocommerce", "727", "727"), ("tiendanube", "77", "128")],
)
def test_listed_order_is_an_event_of_its_version(storefront: str, order_id: str, number: str) -> None:
    identity = identify(storefront)
    assert (identity.topic, identity.order_id, identity.order_number) == ("catch-up", order_id, number)
    assert identity.source_updated_at == MOMENT
    assert re.fullmatch(rf"catch-up:{order_id}:2026-11-30T12:00:01\+00:00:[0-9a-f]{{64}}", identity.event_key)
    assert identity.ignore_reason is None
    assert identity.has_order
    assert not identity.undoes_deletion
    assert not identity.refetch_on_duplicate
    assert identity == identify(storefront)


@pytest.mark.parametrize("storefront", list(ORDERS))
def test_another_version_has_another_event_key(storefront: str) -> None:
    assert identify(storefront, note="Gracias").event_key != identify(storefront).event_key


@pytest.mark.parametrize(
    ("storefront", "changes", "topics"),
    [
        ("shopify", {}, {"paid", "orders/paid"}),
        ("shopify", {"financial_status": "pending"}, set()),
        (
            "shopify",
            {"cancelled_at": "2026-11-30T08:00:00-03:00"},
            {"paid", "orders/paid", "cancelled", "orders/cancelled"},
        ),
        ("woocommerce", {}, {"paid"}),
        ("woocommerce", {"status": "pending"}, set()),
        ("woocommerce", {"status": "cancelled"}, {"cancelled"}),
        ("woocommerce", {"status": "trash"}, {"cancelled", "order.deleted"}),
        ("woocommerce", {"status": "enviado", "date_paid_gmt": "2026-11-30T11:00:00"}, {"paid"}),
        ("tiendanube", {}, {"paid", "order/paid"}),
        ("tiendanube", {"payment_status": "pending"}, set()),
        ("tiendanube", {"status": "cancelled"}, {"paid", "order/paid", "cancelled", "order/cancelled"}),
        (
            "tiendanube",
            {"payment_status": "voided", "cancelled_at": "2026-11-30T11:00:00+0000"},
            {"cancelled", "order/cancelled"},
        ),
    ],
)
def test_topics_are_what_the_order_proves(storefront: str, changes: dict[str, Any], topics: set[str]) -> None:
    own = {"shopify": "orders/updated", "woocommerce": "order.updated", "tiendanube": "order/updated"}[storefront]
    identity = identify(storefront, **changes)
    assert identity.topics == {"catch-up", "updated", own} | topics
    assert identity.is_unpaid is ("paid" not in topics)
    assert identity.is_cancellation is ("cancelled" in topics)


@pytest.mark.parametrize(
    ("storefront", "own"),
    [("shopify", "orders/create"), ("woocommerce", "order.created"), ("tiendanube", "order/created")],
)
def test_new_order_is_also_a_created_one(storefront: str, own: str) -> None:
    assert identify(storefront, is_new=True).topics - identify(storefront).topics == {"created", own}


@pytest.mark.parametrize(("storefront", "status"), [("shopify", "financial_status"), ("tiendanube", "payment_status")])
def test_undocumented_payment_status_takes_the_routes_of_a_paid_order(storefront: str, status: str) -> None:
    changes: dict[str, Any] = {status: "en_revision"}
    identity = identify(storefront, **changes)
    assert identity.has_unknown_payment
    assert "paid" not in identity.topics
    assert "paid" in identity.topics_for_routes
    assert not identify(storefront).has_unknown_payment


def test_listed_draft_is_ignored_as_its_webhook_is() -> None:
    assert identify("woocommerce", status="checkout-draft").ignore_reason == Problem(code="draft_order")


@pytest.mark.parametrize("storefront", list(ORDERS))
def test_order_without_a_time_keeps_none(storefront: str) -> None:
    identity = identify(storefront, updated_at=None, date_modified_gmt="pronto")
    assert identity.source_updated_at is None
    assert "::" in identity.event_key


@pytest.mark.parametrize("storefront", list(ORDERS))
@pytest.mark.parametrize("order_id", [None, "x" * 201, True])
def test_entry_without_an_id_is_malformed(storefront: str, order_id: Any) -> None:
    with pytest.raises(MalformedWebhookError):
        identify(storefront, id=order_id)


@pytest.mark.parametrize("storefront", ["shopify", "woocommerce"])
def test_event_stores_the_listed_order(storefront: str) -> None:
    order = ORDERS[storefront] | {"note": "Pérez ñandú", "total": "899.00"}
    body = STOREFRONTS[storefront].listed_body(order, Store(id="tienda", name="Tienda", storefront=storefront))
    assert json.loads(body) == order
    assert b": " not in body


@pytest.mark.parametrize(
    ("changes", "event"),
    [
        ({}, "order/paid"),
        ({"payment_status": "pending"}, "order/updated"),
        ({"status": "cancelled"}, "order/cancelled"),
    ],
)
def test_event_of_tiendanube_stores_the_webhook_that_would_name_the_order(changes: dict[str, Any], event: str) -> None:
    store = TiendanubeStore(id="tienda", name="Tienda", storefront="tiendanube", store_id="4410733")
    storefront = STOREFRONTS["tiendanube"]
    body = storefront.listed_body(TIENDANUBE_ORDER | changes, store)
    payload = json.loads(body)
    assert payload == {"store_id": 4410733, "event": event, "id": 77}
    assert storefront.identify({}, payload, body).order_id == "77"
    [fetch] = storefront.required_fetches(payload, store, set())
    assert fetch.is_order
