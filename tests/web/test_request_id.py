"""`X-Request-Id` is accepted, logged with each line of its request, and returned with every response."""

import re
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from connector.observability.logs import add_request_id
from tests.support.orders import shopify_order
from tests.support.service import Service

pytestmark = pytest.mark.sqlite


@pytest.fixture
def log_lines(service: Service, engine: str) -> list[Any]:
    captured = LogCapture()
    wrapper = structlog.make_filtering_bound_logger("debug")
    structlog.configure(processors=[add_request_id, captured], wrapper_class=wrapper)
    entries: list[Any] = captured.entries
    return entries


def test_incoming_id_is_logged_and_returned(service: Service, log_lines: list[Any]) -> None:
    response = service.post_shopify(shopify_order(), **{"X-Request-Id": "f47ac10b-58cc-4372"})
    assert response.headers["X-Request-Id"] == "f47ac10b-58cc-4372"
    assert [line["request_id"] for line in log_lines if line["event"] == "webhook"] == ["f47ac10b-58cc-4372"]


def test_missing_id_is_generated(service: Service, log_lines: list[Any]) -> None:
    responses = [service.post_shopify(shopify_order(number)) for number in (1, 2)]
    request_ids = [response.headers["X-Request-Id"] for response in responses]
    assert [line["request_id"] for line in log_lines if line["event"] == "webhook"] == request_ids
    assert len(set(request_ids)) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", request_id) for request_id in request_ids)


@pytest.mark.parametrize("odd", ["short", "x" * 129, "ximena@example.mx", "with space", "línea-ñandú-1"])
def test_invalid_id_is_neither_logged_nor_returned(service: Service, log_lines: list[Any], odd: str) -> None:
    response = service.post_shopify(shopify_order(), **{"X-Request-Id": odd})
    assert re.fullmatch("[0-9a-f]{16}", response.headers["X-Request-Id"])
    assert odd not in repr(log_lines)


@pytest.mark.parametrize("path", ["/nowhere", "/api/events", "/health/live", "/metrics", "/webhooks/nobody"])
def test_every_response_has_an_id(service: Service, path: str, engine: str) -> None:
    assert len(service.client.get(path).headers.getlist("X-Request-Id")) == 1


def test_log_lines_outside_requests_have_no_id(service: Service, log_lines: list[Any]) -> None:
    service.post_shopify(shopify_order())
    service.drain()
    assert ["request_id" in line for line in log_lines if line["event"] == "attempt"] == [False]
