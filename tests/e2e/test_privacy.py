"""Secrets and personal data stay in the database and the bodies: no log line, exception text or URL holds any."""

import logging
from typing import Any

import pytest
import structlog
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from connector.database.models import Attempt
from tests.support.orders import woo_order
from tests.support.privacy import PERSONAL_DATA, SECRETS, produce_every_outcome
from tests.support.service import Service


def test_logs_contain_no_secrets_or_personal_data(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("debug"))
    with capture_logs() as lines:
        produce_every_outcome(service)
    outcomes = {line.get("outcome") for line in lines}
    assert outcomes >= {"delivered", "refused", "ambiguous", "not_processed", "unauthorized"}
    logged = "\n".join([*map(repr, lines), *caplog.messages])
    assert [word for word in PERSONAL_DATA + SECRETS if word in logged] == []


def test_request_urls_contain_no_secrets_or_personal_data(service: Service) -> None:
    produce_every_outcome(service)
    urls = [f"{request.path}?{request.query}" for request in service.sandbox.requests()]
    assert urls
    assert [word for word in PERSONAL_DATA + SECRETS if word in "\n".join(urls)] == []


@pytest.mark.parametrize("path", ["/api/deliveries", "/api/events"])
def test_responses_contain_no_secrets(service: Service, path: str) -> None:
    produce_every_outcome(service)
    body: Any = service.api(path.removeprefix("/api")).get_data(as_text=True)
    assert [word for word in SECRETS if word in body] == []


def test_settings_repr_contains_no_secrets(service: Service) -> None:
    printed = repr(service.runtime.settings)
    assert [word for word in [*SECRETS[:4], "admin'"] if word in printed] == []


def test_database_errors_contain_no_parameters(service: Service) -> None:
    service.post_woo(woo_order())
    row = {"delivery_id": 999, "number": 1, "started_at": service.clock(), "outcome": "x", "error": "Tobías Ensayo"}
    with pytest.raises(IntegrityError) as caught, service.database.write() as transaction:
        transaction.execute(insert(Attempt).values(is_manual=False, **row))
    assert "Ensayo" not in str(caught.value)
