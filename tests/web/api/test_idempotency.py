"""`Idempotency-Key`: a repeated request acts once and gets the same response from any process."""

import threading
from typing import Any

import pytest
from flask import Flask

from connector.database import jobs
from connector.database.idempotency import IdempotentRequest
from connector.database.jobs import JobRequest
from connector.database.models import JobAction
from connector.database.queries.deliveries import DeliveryFilter
from connector.web.app import create_app
from tests.support.api_access import give_api_access
from tests.support.orders import woo_order
from tests.support.service import ADMIN_TOKEN, Service

AS_DELIVERED: dict[str, Any] = {"as": "delivered"}


def post(service: Service, path: str, key: str = "k-1", app: Flask | None = None, **body: Any) -> Any:
    """Post to a new app with empty memory, as to another process, unless `app` is given."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Idempotency-Key": key}
    client = (app or create_app(service.runtime)).test_client()
    return client.post(f"/api{path}", json=body, headers=headers)


def create_refused_order(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.post_woo(woo_order())
    service.deliver_due()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/deliveries/1/retrigger", {"note": "the product is there"}),
        ("/deliveries/1/resolve", {"as": "delivered", "remote_id": "L-7"}),
        ("/events/1/retrigger", {}),
        ("/jobs", {"reason": "refused"}),
        ("/accounts/erp/pause", {"note": "they count their stock"}),
        ("/accounts/erp/resume", {}),
        ("/stores/tienda-ar/catch-up", {}),
        ("/stores/tienda-ar/webhooks/sync", {"note": "they were disabled"}),
    ],
)
def test_repeated_request_with_the_same_key_returns_the_first_response(
    service: Service, path: str, body: dict[str, Any]
) -> None:
    give_api_access(service, "tienda-ar")
    create_refused_order(service)
    first, again = post(service, path, **body), post(service, path, **body)
    assert first.status_code in (200, 202)
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert (first.headers.get("Idempotency-Replayed"), again.headers.get("Idempotency-Replayed")) == (None, "true")


def test_repeated_request_with_a_key_acts_once(service: Service) -> None:
    create_refused_order(service)
    for _ in range(3):
        post(service, "/deliveries/1/retrigger", note="once")
    assert [note["text"] for note in service.only_delivery()["notes"]] == ["once"]


def test_key_reused_for_another_request_is_422(service: Service) -> None:
    create_refused_order(service)
    post(service, "/accounts/erp/pause")
    other_requests: list[tuple[str, dict[str, Any]]] = [
        ("/accounts/erp/pause", {"note": "other"}),
        ("/accounts/erp/resume", {}),
    ]
    for path, body in other_requests:
        response = post(service, path, **body)
        assert (response.status_code, response.content_type) == (422, "application/problem+json")
    assert service.api("/accounts").json["items"][1]["state"] == "paused"


def test_concurrent_requests_with_one_key_act_once_and_get_the_same_response(service: Service) -> None:
    create_refused_order(service)
    apps = [create_app(service.runtime) for _ in range(8)]
    bodies: list[bytes] = []

    def ask(app: Flask) -> None:
        bodies.append(post(service, "/jobs", app=app, reason="refused").data)

    threads = [threading.Thread(target=ask, args=(app,)) for app in apps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 8
    assert len(set(bodies)) == 1
    assert len(service.api("/jobs").json["items"]) == 1


def test_failed_request_is_not_cached(service: Service) -> None:
    service.post_woo(woo_order())
    assert post(service, "/deliveries/1/resolve", **AS_DELIVERED).status_code == 409  # it waits
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.deliver_due()
    assert post(service, "/deliveries/1/resolve", **AS_DELIVERED).status_code == 200


def test_key_expires_after_a_day(service: Service) -> None:
    create_refused_order(service)
    post(service, "/deliveries/1/retrigger")
    service.clock.forward(24 * 3600 + 1)
    assert "Idempotency-Replayed" not in post(service, "/deliveries/1/retrigger").headers
    assert len(service.only_delivery()["notes"]) == 2


@pytest.mark.sqlite
@pytest.mark.parametrize("key", ["", " ", "two words", "ñ", "k" * 256])
def test_invalid_key_is_400(service: Service, key: str) -> None:
    create_refused_order(service)
    assert post(service, "/deliveries/1/retrigger", key).status_code == 400
    assert service.only_delivery()["notes"] == []


def test_action_is_rolled_back_when_its_response_cannot_be_stored(service: Service) -> None:
    create_refused_order(service)

    def die(_: Any) -> tuple[int, str]:
        raise MemoryError

    once = IdempotentRequest(key="k-1", request_digest="r", build_response=die)
    with pytest.raises(MemoryError):
        jobs.start_job(
            service.database,
            DeliveryFilter(state="parked"),
            JobRequest(action=JobAction.RETRIGGER, actor="ana"),
            token="t",
            idempotency=once,
        )
    assert service.api("/jobs").json == {"items": [], "next": None}
    assert post(service, "/jobs").status_code == 202
