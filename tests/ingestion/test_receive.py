"""Receiving webhooks: authentication, duplicates and ignored events."""

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
from tests.support.visitor import visit

SHOPIFY, WOOCOMMERCE_URL = STOREFRONTS["shopify"], STOREFRONTS["woocommerce"]


def recorded_events(service: Service) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = service.api("/events").json["items"]
    return items


def post_signed(service: Service, body: bytes, signature: str | None, store: str = "tienda-mx") -> Any:
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
VALID_SIGNATURE = sign(SHOPIFY.signature, SHOPIFY_SECRET, BODY)


@pytest.mark.parametrize(
    ("store", "body", "signature", "status"),
    [
        ("nobody", BODY, VALID_SIGNATURE, 404),
        ("tienda-mx", b"x" * (2 * 1024 * 1024 + 1), None, 413),
        ("tienda-mx", BODY, None, 401),
        ("tienda-mx", BODY, sign(SHOPIFY.signature, "another secret", BODY), 401),
        ("tienda-mx", BODY + b" ", VALID_SIGNATURE, 401),
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
def test_unauthenticated_webhook_is_refused_and_not_recorded(
    service: Service, store: str, body: bytes, signature: str | None, status: int
) -> None:
    response = post_signed(service, body, signature, store)
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    assert response.json["status"] == status
    assert recorded_events(service) == []
    assert service.deliveries() == []


def test_oversized_body_is_refused_before_the_signature_check(service: Service) -> None:
    body = b" " * (2 * 1024 * 1024 + 1)
    assert post_signed(service, body, sign(SHOPIFY.signature, SHOPIFY_SECRET, body)).status_code == 413


def test_every_configured_secret_is_accepted(open_service: Callable[..., Service]) -> None:
    from tests.support.service import CONFIGURATION

    service = open_service(text=CONFIGURATION.replace('["{shopify}"]', '["new secret", "{shopify}"]'))
    for number, secret in enumerate(["new secret", SHOPIFY_SECRET]):
        body = encode(shopify_order(number))
        assert post_signed(service, body, sign(SHOPIFY.signature, secret, body)).status_code == 200


def test_body_of_another_shop_is_refused_though_its_header_names_this_one(
    open_service: Callable[..., Service],
) -> None:
    from tests.support.service import CONFIGURATION

    domain = 'secrets = ["{shopify}"]\nshop_domain = "norte.myshopify.com"'
    service = open_service(text=CONFIGURATION.replace('secrets = ["{shopify}"]', domain))
    header = {"X-Shopify-Shop-Domain": "norte.myshopify.com"}
    of_another = shopify_order(order_status_url="https://sur.myshopify.com/6/orders/5b/authenticate?key=0")
    assert service.post_shopify(of_another, **header).status_code == 401
    assert recorded_events(service) == []
    assert service.post_shopify(shopify_order(), **header).json["status"] == "accepted"


def test_signature_covers_the_raw_body(service: Service) -> None:
    body = b'{ "id":23,"status":"processing","url":"http:\\/\\/x","note":"\\u00e9 \\u2060" }\n'
    headers = {
        "X-WC-Webhook-Topic": "order.created",
        "X-WC-Webhook-Signature": sign(WOOCOMMERCE_URL.signature, WOO_SECRET, body),
    }
    assert service.client.post("/webhooks/tienda-ar", data=body, headers=headers).status_code == 200


def test_missing_topic_is_malformed(service: Service) -> None:
    response = service.client.post("/webhooks/tienda-mx", data=BODY, headers={"X-Shopify-Hmac-Sha256": VALID_SIGNATURE})
    assert response.status_code == 400
    assert recorded_events(service) == []


def test_repeated_event_is_a_duplicate_and_creates_no_second_delivery(service: Service) -> None:
    first = service.post_shopify(shopify_order(), event_id="one")
    again = service.post_shopify(shopify_order(), event_id="another")
    assert first.json["status"] == "accepted"
    assert again.json == {"status": "duplicate", "event": first.json["event"]}
    assert [event["duplicates"] for event in recorded_events(service)] == [1]
    assert len(service.deliveries()) == 1


def test_created_paid_and_updated_events_create_one_delivery(service: Service) -> None:
    unpaid = shopify_order(financial_status="pending")
    posts = [(unpaid, "orders/create"), (shopify_order(), "orders/paid"), (shopify_order(), "orders/updated")]
    statuses = [service.post_shopify(payload, topic).json["status"] for payload, topic in posts]
    assert statuses == ["ignored", "accepted", "accepted"]
    service.drain()
    assert len(service.deliveries()) == 1
    assert len(service.sandbox.orders("rayo")) == 1


def test_unreadable_order_is_accepted_and_parked(service: Service) -> None:
    payload = {"id": 3, "financial_status": "paid", "shipping_address": "Av. Álvaro Obregón 151"}
    response = service.post_shopify(payload)
    assert (response.status_code, response.json["status"]) == (200, "accepted")
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"], delivery["attempts"]) == ("parked", "unmappable", 0)


def test_replays_with_invented_ids_and_topics_make_no_more_events(service: Service) -> None:
    service.post_shopify(shopify_order())
    for number in range(20):
        headers = {"X-Shopify-Webhook-Id": f"w-{number}", "X-Shopify-Shop-Domain": f"{number}.example"}
        service.post_shopify(shopify_order(), f"orders/invented-{number}", **headers)
        service.post_shopify(shopify_order(), **headers)
    assert [event["duplicates"] for event in recorded_events(service)] == [19, 20]


def test_topic_contradicted_by_the_signed_body_changes_nothing_and_is_a_warning(service: Service) -> None:
    pending = shopify_order(1, financial_status="pending")
    assert service.post_shopify(pending, "orders/paid").json["status"] == "ignored"
    assert service.post_shopify(shopify_order(2), "orders/cancelled").json["status"] == "accepted"
    assert service.post_woo(woo_order(3), "order.deleted").json["status"] == "accepted"
    service.drain()
    assert [delivery["state"] for delivery in service.deliveries()] == ["delivered", "delivered"]
    deleted, cancelled, unpaid = recorded_events(service)
    assert unpaid["reason"] == "The order is not paid, and no route accepts any of its other topics."
    assert [event["warnings"] for event in (unpaid, cancelled, deleted)] == [
        ["The topic says that the order is paid, and the body does not: it counts as not paid."],
        ["The topic says that the order is cancelled, and the body does not: it counts as not cancelled."],
        ["The topic says that the order is deleted, and the body holds the order: it counts as not deleted."],
    ]


def test_order_that_is_paid_by_its_body_takes_the_routes_of_paid_orders(open_service: Callable[..., Service]) -> None:
    from tests.support.service import CONFIGURATION

    topics = 'to = ["bodega"]\ntopics = ["orders/paid"]'
    service = open_service(text=CONFIGURATION.replace('to = ["bodega"]', topics))
    assert service.post_shopify(shopify_order(), "orders/fulfilled").json["status"] == "accepted"
    preparing = woo_order(status="preparando", date_paid_gmt="2026-11-20T15:00:30")
    assert service.post_woo(preparing).json["status"] == "accepted"
    service.drain()
    assert [delivery["state"] for delivery in service.deliveries()] == ["delivered", "delivered"]


@pytest.mark.parametrize("topics", ['["paid"]', '["updated"]'])
def test_order_with_an_unknown_payment_status_is_parked_until_a_person_decides(
    open_service: Callable[..., Service], topics: str
) -> None:
    from tests.support.service import CONFIGURATION

    service = open_service(text=CONFIGURATION.replace('to = ["bodega"]', f'to = ["bodega"]\ntopics = {topics}'))
    service.post_shopify(shopify_order(financial_status="in_mediation"), "orders/updated")
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("parked", "unmappable")
    assert delivery["problems"] == [
        "Shopify does not document the payment status “in_mediation”: look there whether the order is paid, and if it "
        "is, retrigger it with `force`."
    ]
    assert service.api(f"/deliveries/{delivery['id']}/retrigger", json={"force": True}).status_code == 202
    service.drain()
    assert service.only_delivery()["state"] == "delivered"


@pytest.mark.parametrize("status", ["refunded", "voided"])
def test_returned_payment_never_leaves_whatever_topics_a_route_has(
    open_service: Callable[..., Service], status: str
) -> None:
    from tests.support.service import CONFIGURATION

    service = open_service(text=CONFIGURATION.replace('to = ["bodega"]', 'to = ["bodega"]\ntopics = ["updated"]'))
    service.post_shopify(shopify_order(financial_status=status), "orders/updated")
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("discarded", "filtered")
    assert delivery["problems"] == ["its payment was refunded or voided"]
    assert service.sandbox.orders() == []


def test_order_has_a_delivery_per_routed_account(open_service: Callable[..., Service]) -> None:
    from tests.support.service import CONFIGURATION

    service = open_service(text=CONFIGURATION.replace('to = ["bodega"]', 'to = ["bodega", "erp"]') + ANOTHER_ROUTE)
    service.post_shopify(shopify_order())
    assert sorted(delivery["account"] for delivery in service.deliveries()) == ["bodega", "erp", "hub"]


def test_orders_sharing_a_woocommerce_delivery_id_are_both_delivered(service: Service) -> None:
    for number in (1, 2):
        service.post_woo(woo_order(number), **{"X-WC-Webhook-Delivery-ID": "fa4f12a74ad48fbc"})
    service.drain()
    assert sorted(order.key or "" for order in service.sandbox.orders("lapyme")) == [
        "order:tienda-ar:1:r1",
        "order:tienda-ar:2:r1",
    ]


def test_order_with_two_woocommerce_delivery_ids_is_delivered_once(service: Service) -> None:
    statuses = [
        service.post_woo(woo_order(), **{"X-WC-Webhook-Delivery-ID": delivery_id}).json["status"]
        for delivery_id in ("one", "two")
    ]
    service.drain()
    assert statuses == ["accepted", "duplicate"]
    assert len(service.sandbox.orders("lapyme")) == 1


def test_woocommerces_unsigned_ping_is_answered_200_and_not_recorded(service: Service) -> None:
    response = service.client.post(
        "/webhooks/tienda-ar", data=b"webhook_id=12", content_type="application/x-www-form-urlencoded"
    )
    assert (response.status_code, response.json) == (200, {"status": "ignored", "event": None})
    assert recorded_events(service) == []


def test_trailing_slash_is_the_same_address(service: Service) -> None:
    response = post_signed(service, BODY, VALID_SIGNATURE, "tienda-mx/")
    assert (response.status_code, response.json["status"]) == (200, "accepted")
    assert post_signed(service, BODY, VALID_SIGNATURE).json["status"] == "duplicate"
    assert post_signed(service, BODY, VALID_SIGNATURE, "nobody/").status_code == 404


@pytest.mark.parametrize("body", [b"webhook_id=", b"webhook_id=1&x=2", b"webhook_id=x", b" webhook_id=1"])
def test_payload_resembling_a_ping_needs_a_signature(service: Service, body: bytes) -> None:
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
def test_event_without_a_paid_order_is_recorded_and_ignored(
    service: Service, post: str, payload: dict[str, Any], topic: str, headers: dict[str, str]
) -> None:
    response = getattr(service, post)(payload, topic, **headers)
    assert (response.status_code, response.json["status"]) == (200, "ignored")
    [event] = recorded_events(service)
    assert event["status"] == "ignored"
    assert event["reason"]
    assert service.deliveries() == []


@pytest.mark.parametrize("order_id", ["\ud800", "a\u0000b", "x" * 300, [1], {"a": 1}, 1.5, True, None, 10**400])
def test_unstorable_id_is_a_client_error(service: Service, order_id: Any) -> None:
    response = service.post_shopify(shopify_order(id=order_id))
    assert response.status_code in (200, 400)
    assert service.deliveries() == []


UNUSUAL_NOTES = ['"sin \\ud83d"', "1" + "0" * 5000, "-1e999", "[" * 250 + "]" * 250]


@pytest.mark.parametrize("note", UNUSUAL_NOTES)
def test_what_is_accepted_can_be_read_everywhere(service: Service, note: str) -> None:
    body = encode(shopify_order(note="NOTE")).replace(b'"NOTE"', note.encode())
    response = post_signed(service, body, sign(SHOPIFY.signature, SHOPIFY_SECRET, body))
    assert response.json == {"status": "accepted", "event": "1"}
    service.drain()
    assert service.only_delivery()["state"] == "delivered"
    assert service.api("/deliveries/1/preview", json={}).json["problems"] == []
    visitor = visit(service)
    visitor.sign_in()
    for page in ("/", "/events/1", "/deliveries/1", "/deliveries/1/preview"):
        assert visitor.get(page).status_code == 200, page


@pytest.mark.parametrize("note", ["[" * 1000 + "]" * 1000, "NaN", "-Infinity"])
def test_what_could_not_be_read_later_is_refused(service: Service, note: str) -> None:
    body = encode(shopify_order(note="NOTE")).replace(b'"NOTE"', note.encode())
    assert post_signed(service, body, sign(SHOPIFY.signature, SHOPIFY_SECRET, body)).status_code == 400
    assert recorded_events(service) == []


@pytest.mark.sqlite
def test_event_is_committed_before_the_response(service: Service) -> None:
    with service.database.read() as session:
        assert session.connection().exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert session.connection().exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    service.post_shopify(shopify_order())
    service.database.close()  # as after a kill: nothing in memory counts
    assert len(service.deliveries()) == 1


@pytest.mark.sqlite
def test_failed_commit_returns_503_and_records_nothing(service: Service) -> None:
    impatient = Database(service.runtime.settings.environment.database_url, timeout_s=1)
    impatient_service = replace(service, client=create_app(replace(service.runtime, database=impatient)).test_client())
    with service.database.write():  # another process holds the lock
        response = impatient_service.post_shopify(shopify_order())
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert recorded_events(service) == []
    impatient.timeout_s = 8  # a busy disk may take longer for one commit
    assert impatient_service.post_shopify(shopify_order()).json["status"] == "accepted"
    impatient.close()
