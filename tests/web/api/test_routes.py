"""`/api` and `/health`: authentication, pagination, filters and errors."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connector.web.app import create_app
from mappings.ids import hash_body
from tests.support.orders import encode, shopify_order, woo_order
from tests.support.service import ADMIN_TOKEN, Service


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic admin", "Bearer", "Bearer admïn", "admin"])
def test_the_api_needs_the_admin_token(service: Service, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    response = service.client.get("/api/deliveries", headers=headers)
    assert (response.status_code, response.get_json()["status"]) == (401, 401)
    assert response.content_type == "application/problem+json"


def test_api_is_disabled_without_an_admin_token(service: Service) -> None:
    settings = service.runtime.settings
    bare = replace(settings, environment=replace(settings.environment, admin_token=None))
    client = create_app(replace(service.runtime, settings=bare)).test_client()
    assert client.get("/api/deliveries", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}).status_code == 404
    assert client.get("/health/ready").status_code == 200


def test_lists_are_paged_newest_first(service: Service) -> None:
    for number in range(5):
        service.post_woo(woo_order(number))
    ids: list[str] = []
    cursor = None
    for expected in (2, 2, 1):
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = service.api("/deliveries", query_string=query).json
        assert len(page["items"]) == expected
        ids += [delivery["order_id"] for delivery in page["items"]]
        cursor = page["next"]
    assert cursor is None
    assert ids == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize(
    ("filters", "order_ids"),
    [
        ({"state": "waiting"}, ["8", "7"]),
        ({"state": "parked", "reason": "unmappable"}, []),
        ({"account": "erp"}, ["8", "7"]),
        ({"store": "tienda-mx"}, ["5500000001001"]),
        ({"order": "7"}, ["7"]),
        ({"order": "#1001"}, ["5500000001001"]),
        ({"since": "2020-01-01T00:00:00Z"}, ["8", "7", "5500000001001"]),
        ({"until": "2020-01-01T00:00:00Z"}, []),
        ({"since": "0001-01-01T00:00:00Z", "until": "9999-12-31T23:59:59Z"}, ["8", "7", "5500000001001"]),
    ],
)
def test_deliveries_are_filtered(service: Service, filters: dict[str, str], order_ids: list[str]) -> None:
    service.post_shopify(shopify_order())
    service.drain()
    service.post_woo(woo_order(7))
    service.post_woo(woo_order(8))
    items = service.api("/deliveries", query_string=filters).json["items"]
    assert [delivery["order_id"] for delivery in items] == order_ids


def test_deliveries_are_filtered_by_creation_time_and_remote_id(service: Service) -> None:
    for number in (1, 2, 3):
        service.post_woo(woo_order(number))
        service.drain()
        service.clock.forward(3600)
    first, second, third = service.deliveries()
    assert service.deliveries(since=second["created_at"]) == [second, third]
    assert service.deliveries(until=second["created_at"]) == [first]
    assert service.deliveries(remote_id=second["remote_id"]) == [second]


def test_all_query_errors_are_reported_together(service: Service) -> None:
    response = service.api("/deliveries?limit=0&colour=red&state=lost")
    assert response.json["detail"] == (
        "unknown query parameter: colour"
        " (allowed: limit, cursor, state, reason, account, store, order, remote_id, since, until);"
        " `limit` must be from 1 to 200; `state` must be one of waiting, sending, delivered, parked, discarded"
    )
    assert service.api("/deliveries?limit=1&limit=2").status_code == 400


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"store": "tienda-ar"}, 1),
        ({"topic": "orders/paid"}, 1),
        ({"topic": "paid"}, 2),
        ({"topic": "cancelled"}, 0),
        ({"order": "727"}, 1),
        ({"since": "2020-01-01T00:00:00Z"}, 2),
        ({"until": "2020-01-01T00:00:00Z"}, 0),
    ],
)
def test_events_are_filtered(service: Service, filters: dict[str, str], count: int) -> None:
    service.post_shopify(shopify_order())
    service.post_woo(woo_order())
    assert len(service.api("/events", query_string=filters).json["items"]) == count


@pytest.mark.parametrize(
    "path",
    [
        "/deliveries?limit=201",
        "/deliveries?limit=0",
        "/deliveries?limit=x",
        "/deliveries?cursor=x",
        "/deliveries?state=lost",
        "/deliveries?reason=lost",
        "/deliveries?colour=red",
        "/events?since=yesterday",
        "/events?since=2026-01-01T00:00:00",
        "/events?since=0001-01-01T00:00:00%2B12:00",
        "/events?until=9999-12-31T23:59:59-12:00",
    ],
)
def test_invalid_query_is_400(service: Service, path: str) -> None:
    response = service.api(path)
    assert (response.status_code, response.content_type) == (400, "application/problem+json")


def test_event_shows_its_deliveries(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.post_shopify(shopify_order())
    event = service.api("/events/1").json
    assert event.pop("received_at").endswith("Z")
    assert event == {
        "id": "1",
        "store": "tienda-mx",
        "event_key": f"orders/paid:{hash_body(encode(shopify_order()))}",
        "topic": "orders/paid",
        "topics": ["orders/paid", "paid"],
        "order_id": "5500000001001",
        "order_number": "#1001",
        "source": "webhook",
        "status": "accepted",
        "reason": None,
        "warnings": [],
        "duplicates": 1,
        "deliveries": ["1"],
    }


def test_delivery_shows_its_full_history(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.drain()
    delivery = service.only_delivery()
    [attempt] = delivery["attempt_log"]
    assert set(delivery) == {
        *("id", "event", "store", "account", "destination", "order_id", "order_number", "state", "reason", "problems"),
        *("warnings", "correctable", "attempts", "next_attempt_at", "remote_id", "created_at", "updated_at"),
        *("idempotency_key", "body", "attempt_log", "notes"),
    }
    assert (attempt["number"], attempt["outcome"], attempt["status"], attempt["error"]) == (1, "delivered", 200, None)
    assert delivery["body"]["consumidor_destino"]["colonia"] == "Roma Norte"


@pytest.mark.parametrize(
    "body",
    [{"force": "yes"}, {"note": 3}, {"note": "\ud800"}, {"note": "a\u0000"}, {"note": "x" * 3000}, {"forced": True}, 3],
)
def test_invalid_retrigger_is_400(service: Service, body: Any) -> None:
    service.post_shopify(shopify_order())
    assert service.api("/deliveries/1/retrigger", json=body).status_code == 400


def test_deeply_nested_body_is_400(service: Service) -> None:
    service.post_shopify(shopify_order())
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
    body = b'{"note": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert service.client.post("/api/deliveries/1/retrigger", data=body, headers=headers).status_code == 400


@pytest.mark.parametrize(("method", "path"), [("GET", "/webhooks/tienda-mx"), ("POST", "/health/live")])
def test_unsupported_method_lists_the_allowed_ones(service: Service, method: str, path: str) -> None:
    response = service.client.open(path, method=method)
    assert (response.status_code, response.content_type) == (405, "application/problem+json")
    assert response.headers["Allow"]


def test_health_is_ready_only_with_a_migrated_database(service: Service) -> None:
    assert service.client.get("/health/live").json == {"status": "ok"}
    assert service.client.get("/health/ready").json == {"status": "ok", "worker": "none"}
    with service.database.write() as transaction:
        transaction.connection.exec_driver_sql("DELETE FROM alembic_version")
    assert service.client.get("/health/ready").status_code == 503
    assert service.client.get("/health/live").status_code == 200


def test_filtered_route_discards_with_a_reason(open_service: Callable[..., Service]) -> None:
    from tests.support.service import CONFIGURATION

    text = CONFIGURATION.replace('to = ["bodega"]', 'to = ["bodega"]\nonly = {{ country = ["AR"] }}')
    service = open_service(text=text)
    service.post_shopify(shopify_order())
    service.drain()
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == ("discarded", "filtered")
    assert delivery["problems"] == ["country MX is not among AR"]


def test_overlong_id_is_not_truncated(service: Service) -> None:
    service.post_woo(woo_order())
    assert service.api("/events/1").status_code == 200
    assert service.api(f"/events/{'0' * 19}12").status_code == 404


def test_too_deeply_nested_body_is_400(service: Service) -> None:
    service.post_woo(woo_order())
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    response = service.client.post("/api/deliveries/1/retrigger", data="[" * 100_000, headers=headers)
    assert (response.status_code, response.content_type) == (400, "application/problem+json")


@pytest.mark.parametrize(
    "query", ["deliveries?order=%00", "deliveries?account=a%00", "events?topic=%00", "events?store=%00"]
)
def test_impossible_filter_is_400(service: Service, query: str) -> None:
    assert service.api(f"/{query}").status_code == 400


def test_all_errors_of_a_body_are_reported_at_once(service: Service) -> None:
    service.post_woo(woo_order())
    response = service.api("/jobs", json={"colour": "red", "force": 1, "ids": ["1", "x"], "since": "2026-01-01"})
    assert response.json == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "unknown field: colour (allowed: note, action, state, reason, account, store, problem, error, "
        "job, since, until, ids, force, looked, remote_ids, others_without_id);"
        " `since` needs an offset, as in 2026-11-21T16:00:00Z; `ids` must be ids; `force` must be true or false",
    }


def test_unknown_field_is_refused_although_it_is_null(service: Service) -> None:
    service.post_woo(woo_order())
    response = service.api("/deliveries/1/retrigger", json={"colour": None})
    assert response.status_code == 400
    assert "unknown field: colour" in response.json["detail"]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"force": null, "note": null}'])
def test_absent_empty_and_null_bodies_are_equivalent(service: Service, body: bytes) -> None:
    service.post_woo(woo_order())
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}  # and no content type
    assert service.client.post("/api/deliveries/1/retrigger", data=body, headers=headers).status_code == 202


def test_an_invalid_idempotency_key_says_what_is_allowed(service: Service) -> None:
    service.post_woo(woo_order())
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Idempotency-Key": "two words"}
    response = service.client.post("/api/deliveries/1/retrigger", headers=headers)
    assert response.json == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "`Idempotency-Key` must be 1 to 255 visible ASCII characters",
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/events"), ("GET", "/api/events/9"), ("POST", "/api/events/1/retrigger"), ("GET", "/health/ready")],
)
@pytest.mark.parametrize("token", [ADMIN_TOKEN, "x"])
def test_response_is_neither_kept_nor_reinterpreted(service: Service, method: str, path: str, token: str) -> None:
    response = service.client.open(path, method=method, headers={"Authorization": f"Bearer {token}"})
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("item", [[None, None], "7", None])
def test_items_that_are_no_objects_are_refused(service: Service, item: Any) -> None:
    body = {"action": "mark-delivered", "remote_ids": [item]}
    assert service.api("/job-preview", json=body).status_code == 400
