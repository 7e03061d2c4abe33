"""What comes in: who is let in, what is recorded once, what goes nowhere."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connector.core.signatures import sign
from connector.database.engine import Database
from connector.web.app import create_app
from mappings import STOREFRONTS
from tests.support.orders import SHOPIFY_SECRET, WOO_SECRET, encode, shopify_order, woo_order
from tests.support.service import Service

SHOPIFY, WOO = STOREFRONTS["shopify"], STOREFRONTS["woocommerce"]


def events(service: Service) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = service.api("/events").json["items"]
    return items


def post_raw(service: Service, body: bytes, signature: str | None, store: str = "tienda-mx") -> Any:
    headers = {"X-Shopify-Topic": "orders/paid"}
    if signature is not None:
        headers["X-Shopify-Hmac-Sha256"] = signature
    return service.client.post(f"/webhooks/{store}", data=body, headers=headers)


ANOTHER_ROUTE = """
[accounts.hub]
destination = "centelar"
base_url = "https://centelar.example"
connection_id = 1

[[routes]]
from = "tienda-mx"
to = ["hub"]
"""
BODY = encode(shopify_order())
GOOD = sign(SHOPIFY.signature, SHOPIFY_SECRET, BODY)


@pytest.mark.parametrize(
    ("store", "body", "signature", "status"),
    [
        ("nobody", BODY, GOOD, 404),
        ("tienda-mx", b"x" * (2 * 1024 * 1024 + 1), None, 413),
        ("tienda-mx", BODY, None, 401),
        ("tienda-mx", BODY, sign(SHOPIFY.signature, "another secret", BODY), 401),
        ("tienda-mx", BODY + b" ", GOOD, 401),
        ("tienda-mx", BODY, "á" * 44, 401),
        ("tienda-mx", BODY, "", 401),
        ("tienda-mx", b"{", sign(SHOPIFY.signature, SHOPIFY_SECRET, b"{"), 400),
        ("tienda-mx", b"[]", sign(SHOPIFY.signature, SHOPIFY_SECRET, b"[]"), 400),
        ("tienda-mx", b"", sign(SHOPIFY.signature, SHOPIFY_SECRET, b""), 400),
        ("tienda-mx", b'{"id": NaN}', sign(SHOPIFY.signature, SHOPIFY_SECRET, b'{"id": NaN}'), 400),
        ("tienda-mx", b'{"id": "\xff"}', sign(SHOPIFY.signature, SHOPIFY_SECRET, b'{"id": "\xff"}'), 400),
        ("tienda-mx", b"[" * 99_999, sign(SHOPIFY.signature, SHOPIFY_SECRET, b"[" * 99_999), 400),
    ],
)
def test_what_is_not_a_stores_webhook_is_refused_and_leaves_nothing(
    service: Service, store: str, body: bytes, signature: str | None, status: int
) -> None:
    answer = post_raw(service, body, signature, store)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == status
    assert events(service) == []
    assert service.deliveries() == []


def test_a_body_that_is_too_long_is_refused_before_its_signature_is_looked_at(service: Service) -> None:
    body = b" " * (2 * 1024 * 1024 + 1)
    assert post_raw(service, body, sign(SHOPIFY.signature, SHOPIFY_SECRET, body)).status_code == 413


def test_every_live_secret_of_a_store_signs(open_service: Callable[..., Service]) -> None:
    from tests.support.service import CONFIGURATION

    service = open_service(text=CONFIGURATION.replace('["{shopify}"]', '["new secret", "{shopify}"]'))
    for number, secret in enumerate(["new secret", SHOPIFY_SECRET]):
        body = encode(shopify_order(number))
        assert post_raw(service, body, sign(SHOPIFY.signature, secret, body)).status_code == 200


def test_signature_stands_over_the_bytes_as_they_came(service: Service) -> None:
    body = b'{ "id":23,"status":"processing","url":"http:\\/\\/x","note":"\\u00e9 \\u2060" }\n'
    headers = {"X-WC-Webhook-Topic": "order.created", "X-WC-Webhook-Signature": sign(WOO.signature, WOO_SECRET, body)}
    assert service.client.post("/webhooks/tienda-ar", data=body, headers=headers).status_code == 200


def test_missing_topic_is_malformed(service: Service) -> None:
    answer = service.client.post("/webhooks/tienda-mx", data=BODY, headers={"X-Shopify-Hmac-Sha256": GOOD})
    assert answer.status_code == 400
    assert events(service) == []


def test_the_same_event_again_is_a_duplicate_and_makes_no_second_delivery(service: Service) -> None:
    first = service.post_shopify(shopify_order(), event_id="same")
    again = service.post_shopify(shopify_order(), event_id="same")
    assert first.json["status"] == "accepted"
    assert again.json == {"status": "duplicate", "event": first.json["event"]}
    assert [event["duplicates"] for event in events(service)] == [1]
    assert len(service.deliveries()) == 1


def test_created_paid_and_updated_make_one_delivery(service: Service) -> None:
    statuses = [
        service.post_shopify(shopify_order(), topic).json["status"]
        for topic in ("orders/create", "orders/paid", "orders/updated", "orders/paid")
    ]
    assert statuses == ["ignored", "accepted", "accepted", "accepted"]
    service.drain()
    assert len(service.deliveries()) == 1
    assert len(service.sandbox.orders("rayo")) == 1


def test_an_order_that_cannot_be_read_is_taken_in_and_parked(service: Service) -> None:
    answer = service.post_shopify({"id": 3, "shipping_address": "Av. Álvaro Obregón 151"})
    assert (answer.status_code, answer.json["status"]) == (200, "accepted")
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"], delivery["attempts"]) == ("parked", "unmappable", 0)


def test_an_order_has_a_delivery_for_each_account_that_its_routes_name(open_service: Callable[..., Service]) -> None:
    from tests.support.service import CONFIGURATION

    service = open_service(text=CONFIGURATION.replace('to = ["bodega"]', 'to = ["bodega", "erp"]') + ANOTHER_ROUTE)
    service.post_shopify(shopify_order())
    assert sorted(delivery["account"] for delivery in service.deliveries()) == ["bodega", "erp", "hub"]


def test_two_orders_under_one_woocommerce_delivery_id_both_arrive(service: Service) -> None:
    for number in (1, 2):
        service.post_woo(woo_order(number), **{"X-WC-Webhook-Delivery-ID": "fa4f12a74ad48fbc"})
    service.drain()
    assert sorted(order.key or "" for order in service.sandbox.orders("lapyme")) == [
        "order:tienda-ar:1:r1",
        "order:tienda-ar:2:r1",
    ]


def test_one_woocommerce_order_under_two_delivery_ids_arrives_once(service: Service) -> None:
    statuses = [
        service.post_woo(woo_order(), **{"X-WC-Webhook-Delivery-ID": delivery_id}).json["status"]
        for delivery_id in ("one", "two")
    ]
    service.drain()
    assert statuses == ["accepted", "duplicate"]
    assert len(service.sandbox.orders("lapyme")) == 1


def test_woocommerces_unsigned_ping_is_answered_200_and_not_recorded(service: Service) -> None:
    answer = service.client.post(
        "/webhooks/tienda-ar", data=b"webhook_id=12", content_type="application/x-www-form-urlencoded"
    )
    assert (answer.status_code, answer.json) == (200, {"status": "ignored", "event": None})
    assert events(service) == []


@pytest.mark.parametrize("body", [b"webhook_id=", b"webhook_id=1&x=2", b"webhook_id=x", b" webhook_id=1"])
def test_what_only_looks_like_a_ping_needs_a_signature(service: Service, body: bytes) -> None:
    assert service.client.post("/webhooks/tienda-ar", data=body).status_code == 401


@pytest.mark.parametrize(
    ("post", "payload", "topic", "headers"),
    [
        ("post_shopify", shopify_order(), "orders/paid", {"X-Shopify-Test": "true"}),
        ("post_shopify", {"id": 1, "order_id": 2}, "refunds/create", {}),
        ("post_shopify", {"shop_id": 1}, "shop/redact", {}),
        ("post_shopify", {"hello": "world"}, "orders/paid", {}),
        ("post_woo", {"code": "woocommerce_rest_cannot_view", "message": "Sorry"}, "order.created", {}),
        ("post_woo", {"action": "woocommerce_add_to_cart", "arg": 3}, "action.woocommerce_add_to_cart", {}),
        ("post_woo", woo_order(status="checkout-draft"), "order.created", {}),
        ("post_woo", woo_order(status="pending"), "order.created", {}),
    ],
)
def test_what_is_no_paid_order_is_recorded_with_a_reason_and_goes_nowhere(
    service: Service, post: str, payload: dict[str, Any], topic: str, headers: dict[str, str]
) -> None:
    answer = getattr(service, post)(payload, topic, **headers)
    assert (answer.status_code, answer.json["status"]) == (200, "ignored")
    [event] = events(service)
    assert event["status"] == "ignored"
    assert event["reason"]
    assert service.deliveries() == []


@pytest.mark.parametrize("order_id", ["\ud800", "a\u0000b", "x" * 300, [1], {"a": 1}, 1.5, True, None, 10**400])
def test_an_id_that_cannot_be_kept_is_no_fault_of_ours(service: Service, order_id: Any) -> None:
    answer = service.post_shopify(shopify_order(id=order_id))
    assert answer.status_code in (200, 400)
    assert service.deliveries() == []


@pytest.mark.sqlite
def test_an_event_is_on_disk_before_it_is_answered(service: Service) -> None:
    with service.database.read() as session:
        assert session.connection().exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert session.connection().exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    service.post_shopify(shopify_order())
    service.database.close()  # as a killed process leaves it: nothing in memory counts
    assert len(service.deliveries()) == 1


@pytest.mark.sqlite
def test_a_database_that_cannot_commit_answers_503_and_keeps_nothing(service: Service) -> None:
    impatient = Database(service.runtime.settings.environment.database_url, timeout_s=1)
    impatient_service = replace(service, client=create_app(replace(service.runtime, database=impatient)).test_client())
    with service.database.write():  # another process holds the lock
        answer = impatient_service.post_shopify(shopify_order())
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert events(service) == []
    impatient.timeout_s = 8  # a busy disk may take longer than that for one commit
    assert impatient_service.post_shopify(shopify_order()).json["status"] == "accepted"
    impatient.close()
