"""Errors reach Sentry, here a receiver on a socket, without order data or secrets."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sentry_sdk
import structlog
from flask import Flask
from gunicorn.http.errors import InvalidChunkSize

from connector.observability.sentry import configure_sentry
from connector.web.app import create_app
from connector.web.body_buffer import buffer_body
from tests.support.orders import shopify_order
from tests.support.privacy import PERSONAL_DATA, SECRETS
from tests.support.receivers import Receiver, run_receiver
from tests.support.service import ADMIN_TOKEN, Service

pytestmark = pytest.mark.sqlite


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as receiver:
        before = structlog.get_config()["processors"]
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("debug"))
        configure_sentry(f"http://key@127.0.0.1:{receiver.port}/1")
        yield receiver
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)
        structlog.configure(processors=before)


def received_events(receiver: Receiver) -> list[Any]:
    """Return the events of the received envelopes, which are lines of JSON."""
    sentry_sdk.flush(5)
    events = []
    for received in receiver.received:
        body = gzip.decompress(received.body) if received.body[:2] == b"\x1f\x8b" else received.body
        events += [json.loads(line) for line in body.splitlines() if b'"exception"' in line]
    return events


def failing_app(service: Service) -> Flask:
    app = create_app(service.runtime)

    def fail() -> str:
        customer = "Ximena Prueba, ximena@example.mx"
        try:
            return str(int(customer))
        except ValueError as error:
            raise KeyError("rayo-key", customer) from error

    app.add_url_rule("/fail", "fail", fail, methods=["POST"])
    return app


def test_exception_is_reported_with_its_stack_and_no_data(service: Service, receiver: Receiver, engine: str) -> None:
    headers = {"X-Request-Id": "request-0001", "X-Customer": "Ximena"}
    response = failing_app(service).test_client().post("/fail?who=Ximena", json=shopify_order(), headers=headers)
    assert response.status_code == 500
    [event] = received_events(receiver)
    values = [(exception["type"], exception.get("value")) for exception in event["exception"]["values"]]
    assert values == [("ValueError", ""), ("KeyError", "")]
    assert event["exception"]["values"][1]["stacktrace"]["frames"][-1]["function"] == "fail"
    assert event["tags"]["logged"] == "request_failed"
    event_text = json.dumps({name: value for name, value in event.items() if name != "exception"})
    event_text += json.dumps(
        [exception["stacktrace"]["frames"][-1].get("vars") for exception in event["exception"]["values"]]
    )
    assert [word for word in PERSONAL_DATA + SECRETS if word in event_text] == []


def test_internal_error_in_a_delivery_is_reported_with_its_id(
    service: Service, receiver: Receiver, engine: str
) -> None:
    service.post_shopify(shopify_order())
    worker = service.worker()
    [claimed] = worker.claim_due()
    outbound = service.runtime.account_clients
    outbound["bodega"] = replace(outbound["bodega"], tokens=None)  # type: ignore[arg-type]
    worker.process(claimed)
    [event] = received_events(receiver)
    assert event["exception"]["values"][0]["type"] == "AttributeError"
    assert event["tags"] == {"logged": "delivery_failed", "delivery_id": "1"}
    assert [word for word in PERSONAL_DATA + SECRETS if word in json.dumps(event)] == []


class BrokenStream:
    """An input stream whose reader fails as gunicorn's does, for example over a chunk size that is no number."""

    def read(self, *_: int) -> bytes:
        raise InvalidChunkSize(b"zz")

    readline = read


@pytest.mark.parametrize("path", ["/webhooks/tienda-mx", "/api/events/1/retrigger"])
def test_a_body_that_breaks_http_is_the_senders_fault(
    service: Service, receiver: Receiver, engine: str, path: str
) -> None:
    environ = {"wsgi.input": BrokenStream(), "wsgi.input_terminated": True, "CONTENT_TYPE": "application/json"}
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    with buffer_body(environ):
        response = service.client.post(path, headers=headers, environ_overrides=environ)
    assert response.status_code == 400
    assert received_events(receiver) == []


def test_expected_errors_are_not_reported(service: Service, receiver: Receiver, engine: str) -> None:
    service.client.post("/webhooks/tienda-mx", data=b"{}")
    service.post_shopify({"id": 3})
    service.drain()
    assert received_events(receiver) == []
