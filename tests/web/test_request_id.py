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
def lines(service: Service, engine: str) -> list[Any]:
    captured = LogCapture()
    wrapper = structlog.make_filtering_bound_logger("debug")
    structlog.configure(processors=[add_request_id, captured], wrapper_class=wrapper)
    entries: list[Any] = captured.entries
    return entries


def test_an_id_that_came_is_logged_and_sent_back(service: Service, lines: list[Any]) -> None:
    answer = service.post_shopify(shopify_order(), **{"X-Request-Id": "f47ac10b-58cc-4372"})
    assert answer.headers["X-Request-Id"] == "f47ac10b-58cc-4372"
    assert [line["request_id"] for line in lines if line["event"] == "webhook"] == ["f47ac10b-58cc-4372"]


def test_a_request_without_one_is_given_one(service: Service, lines: list[Any]) -> None:
    answers = [service.post_shopify(shopify_order(number)) for number in (1, 2)]
    given = [answer.headers["X-Request-Id"] for answer in answers]
    assert [line["request_id"] for line in lines if line["event"] == "webhook"] == given
    assert len(set(given)) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in given)


@pytest.mark.parametrize("odd", ["short", "x" * 129, "ximena@example.mx", "with space", "línea-ñandú-1"])
def test_what_is_no_id_is_neither_logged_nor_sent_back(service: Service, lines: list[Any], odd: str) -> None:
    answer = service.post_shopify(shopify_order(), **{"X-Request-Id": odd})
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-Id"])
    assert odd not in repr(lines)


@pytest.mark.parametrize("path", ["/nowhere", "/api/events", "/health/live", "/metrics", "/webhooks/nobody"])
def test_every_answer_carries_one(service: Service, path: str, engine: str) -> None:
    assert len(service.client.get(path).headers.getlist("X-Request-Id")) == 1


def test_what_is_logged_outside_of_requests_has_none(service: Service, lines: list[Any]) -> None:
    service.post_shopify(shopify_order())
    service.drain()
    assert ["request_id" in line for line in lines if line["event"] == "attempt"] == [False]
