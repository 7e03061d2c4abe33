"""Requests about personal data, and notices about the app: each is an obligation, or stops a store, once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from connector.database.models import PrivacyRequest, RequestState
from connector.database.privacy_requests import RequestFilter, close_request, list_requests
from connector.database.stopped_stores import read_stopped_stores, resume_store
from connector.sandbox.server import SandboxServer
from tests.support.notices import (
    ALL_NOTICES,
    DOMAIN,
    EMAIL,
    NOTICE_CONFIGURATION,
    NOTICES,
    PHONE,
    SHOPIFY_NOTICES,
    TIENDANUBE_NOTICES,
    post_notice,
    sign_headers,
)
from tests.support.orders import encode
from tests.support.service import Service
from tests.support.thin_webhooks import SHOP

REQUESTS = [(store, topic) for store, topic, _ in ALL_NOTICES if not topic.startswith("app-")]


@pytest.fixture
def shops(open_service: Callable[..., Service], sandbox: SandboxServer) -> Service:
    return open_service(text=NOTICE_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))


def recorded(service: Service) -> list[PrivacyRequest]:
    return list_requests(service.database, RequestFilter(), limit=50)


def stops(service: Service) -> dict[str, str]:
    return {store: row.code for store, row in read_stopped_stores(service.database).items()}


@pytest.mark.parametrize(("store", "topic"), REQUESTS)
def test_request_is_an_open_obligation_with_a_due_date(shops: Service, store: str, topic: str) -> None:
    response = post_notice(shops, store, topic)
    [request] = recorded(shops)
    assert (response.status_code, response.json) == (
        200,
        {"status": "accepted", "event": None, "request": str(request.id)},
    )
    assert (request.store, request.kind, request.state) == (store, topic, "open")
    assert request.due_at - request.received_at == timedelta(days=30)
    assert shops.api("/events").json["items"] == []  # its body, with personal data, is in no other table


@pytest.mark.parametrize("store", NOTICES)
def test_request_names_the_customer_and_the_orders(shops: Service, store: str) -> None:
    post_notice(shops, store, "customers-redact")
    [request] = recorded(shops)
    orders = NOTICES[store]["customers-redact"]["orders_to_redact"]
    assert (request.customer_id, request.email, request.phone) == ("191167", EMAIL, PHONE)
    assert request.order_ids == [str(order) for order in orders]


@pytest.mark.parametrize(("store", "topic", "payload"), ALL_NOTICES)
def test_forged_notice_is_refused_and_leaves_nothing(
    shops: Service, store: str, topic: str, payload: dict[str, Any]
) -> None:
    body = encode(payload)
    for headers in ({}, sign_headers(store, body + b" "), {"X-Shopify-Topic": topic}):
        response = shops.client.post(f"/webhooks/{store}/privacy/{topic}", data=body, headers=headers)
        assert response.status_code == 401
    assert (recorded(shops), stops(shops)) == ([], {})


@pytest.mark.parametrize(("store", "topic"), REQUESTS)
def test_repeated_request_is_one_obligation(shops: Service, store: str, topic: str) -> None:
    first = post_notice(shops, store, topic).json["request"]
    repeat = post_notice(shops, store, topic).json
    assert repeat == {"status": "duplicate", "event": None, "request": first}
    close_request(shops.database, int(first), RequestState.DONE, actor="ana")
    post_notice(shops, store, topic)
    [request] = recorded(shops)
    assert (request.state, request.repeats) == ("done", 2)
    assert (request.email, request.phone) == (None, None)  # a repeat does not bring them back


def test_same_bytes_are_another_obligation_long_after_the_first_was_closed(shops: Service) -> None:
    """A shop that leaves, comes back and leaves again sends the same body both times."""
    first = post_notice(shops, "nube", "store-redact").json["request"]
    close_request(shops.database, int(first), RequestState.DONE, actor="ana")
    shops.clock.forward(timedelta(days=8).total_seconds())
    assert post_notice(shops, "nube", "store-redact").json["status"] == "accepted"
    assert [request.state for request in recorded(shops)] == ["open", "done"]


def test_requests_with_other_ids_are_other_obligations(shops: Service) -> None:
    post_notice(shops, "nube", "customers-data-request")
    other = {**TIENDANUBE_NOTICES["customers-data-request"], "data_request": {"id": 457}}
    post_notice(shops, "nube", "customers-data-request", other)
    assert [request.platform_id for request in recorded(shops)] == ["457", "456"]


@pytest.mark.parametrize("path", ["/privacy", "/privacy/", ""])
@pytest.mark.parametrize(("store", "topic"), REQUESTS)
def test_body_says_what_it_is_where_the_address_does_not(shops: Service, store: str, topic: str, path: str) -> None:
    body = encode(NOTICES[store][topic])
    headers = {**sign_headers(store, body), "X-Shopify-Topic": "orders/paid"}  # not signed, so not believed
    response = shops.client.post(f"/webhooks/{store}{path}", data=body, headers=headers)
    assert (response.status_code, (response.json or {})["status"]) == (200, "accepted")
    assert [request.kind for request in recorded(shops)] == [topic]


@pytest.mark.parametrize("store", NOTICES)
def test_address_and_body_must_agree(shops: Service, store: str) -> None:
    topics = [topic for topic in NOTICES[store] if not topic.startswith("app-")]
    for topic in topics:
        for other in topics:
            if other != topic:
                response = post_notice(shops, store, topic, NOTICES[store][other])
                assert response.status_code == 400
                assert response.json["detail"] == (
                    f"this address is for {topic}, but the body is {other}: nothing was recorded"
                )
    assert (recorded(shops), stops(shops)) == ([], {})


@pytest.mark.parametrize(
    ("store", "topic", "changes"),
    [
        ("tienda-mx", "customers-redact", {"shop_domain": "other.myshopify.com"}),
        ("tienda-mx", "store-redact", {"shop_domain": "other.myshopify.com"}),
        ("tienda-mx", "app-uninstalled", {"myshopify_domain": "other.myshopify.com"}),
        ("nube", "store-redact", {"store_id": SHOP + 1}),
        ("nube", "app-suspended", {"store_id": SHOP + 1}),
    ],
)
def test_notice_of_another_shop_is_refused(shops: Service, store: str, topic: str, changes: dict[str, Any]) -> None:
    payload = NOTICES[store][topic] | changes
    response = post_notice(shops, store, topic, payload, **{"X-Shopify-Shop-Domain": DOMAIN})
    assert response.status_code == 401
    assert (recorded(shops), stops(shops)) == ([], {})


def test_notice_is_recorded_for_the_other_shop_of_the_same_app(
    open_service: Callable[..., Service], sandbox: SandboxServer
) -> None:
    """An app has one address for all shops that it is installed in."""
    second = NOTICE_CONFIGURATION + (
        '\n[stores.nube-2]\nstorefront = "tiendanube"\nsecrets = ["nube-secreto"]\nstore_id = 77\napi_token = "t"\n'
        '\n[[routes]]\nfrom = "nube-2"\nto = ["bodega"]\n'
    )
    service = open_service(text=second.replace("NUBE", sandbox.url("tiendanube")))
    post_notice(service, "nube", "store-redact", {"store_id": 77})
    assert [request.store for request in recorded(service)] == ["nube-2"]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"shop_domain": DOMAIN},
        {"shop_domain": DOMAIN, "orders_to_redact": [1], "data_request": {"id": 1}},
        {"id": 1, "name": "#1001", "financial_status": "paid"},
        SHOPIFY_NOTICES["app-uninstalled"],  # that of shop/update is the same
    ],
)
def test_body_that_is_no_notice_is_refused(shops: Service, payload: dict[str, Any]) -> None:
    assert post_notice(shops, "tienda-mx", None, payload).status_code == 400
    assert (recorded(shops), stops(shops)) == ([], {})


@pytest.mark.parametrize(
    ("store", "topic"), [("nobody", "store-redact"), ("nube", "orders-paid"), ("tienda-ar", "customers-redact")]
)
def test_address_that_does_not_exist_is_not_found(shops: Service, store: str, topic: str) -> None:
    assert shops.client.post(f"/webhooks/{store}/privacy/{topic}", data=b"{}").status_code == 404


def test_topic_that_the_platform_does_not_send_is_not_found(shops: Service) -> None:
    assert post_notice(shops, "tienda-mx", "app-suspended", {"shop_domain": DOMAIN}).status_code == 404


def test_shopify_name_of_a_topic_works_too(shops: Service) -> None:
    body = encode(SHOPIFY_NOTICES["store-redact"])
    response = shops.client.post(
        "/webhooks/tienda-mx/privacy/shop-redact", data=body, headers=sign_headers("tienda-mx", body)
    )
    assert response.status_code == 200
    assert [request.kind for request in recorded(shops)] == ["store-redact"]


@pytest.mark.parametrize(
    ("store", "topic", "code"),
    [
        ("tienda-mx", "app-uninstalled", "app_uninstalled"),
        ("tienda-mx", "store-redact", "app_uninstalled"),
        ("nube", "app-uninstalled", "app_uninstalled"),
        ("nube", "app-suspended", "app_suspended"),
        ("nube", "store-redact", "app_uninstalled"),
    ],
)
def test_store_is_stopped_when_its_app_does_not_work_there(shops: Service, store: str, topic: str, code: str) -> None:
    assert post_notice(shops, store, topic).status_code == 200
    assert stops(shops) == {store: code}


def test_store_is_resumed_when_the_platform_says_so(shops: Service) -> None:
    post_notice(shops, "nube", "app-suspended")
    assert post_notice(shops, "nube", "app-resumed").json["status"] == "accepted"
    assert stops(shops) == {}


def test_store_whose_app_was_uninstalled_is_not_resumed_by_the_platform(shops: Service) -> None:
    for topic in ("app-suspended", "app-uninstalled", "app-suspended", "app-resumed"):
        post_notice(shops, "nube", topic)
    assert stops(shops) == {"nube": "app_uninstalled"}


def test_repeat_does_not_stop_a_store_that_a_person_resumed(shops: Service) -> None:
    post_notice(shops, "nube", "store-redact")
    resume_store(shops.database, "nube", actor="ana")
    post_notice(shops, "nube", "store-redact")
    assert stops(shops) == {}
