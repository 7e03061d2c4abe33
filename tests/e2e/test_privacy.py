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
from tests.support.privacy import PERSONAL, SECRET, live_through_everything
from tests.support.service import Service


def test_no_log_line_holds_secrets_or_personal_data(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("debug"))
    with capture_logs() as lines:
        live_through_everything(service)
    outcomes = {line.get("outcome") for line in lines}
    assert outcomes >= {"delivered", "refused", "ambiguous", "not_processed", "unauthorized"}
    logged = "\n".join([*map(repr, lines), *caplog.messages])
    assert [word for word in PERSONAL + SECRET if word in logged] == []


def test_no_request_line_holds_secrets_or_personal_data(service: Service) -> None:
    live_through_everything(service)
    urls = [f"{seen.path}?{seen.query}" for seen in service.sandbox.requests()]
    assert urls
    assert [word for word in PERSONAL + SECRET if word in "\n".join(urls)] == []


@pytest.mark.parametrize("path", ["/api/deliveries", "/api/events"])
def test_no_secret_is_ever_shown(service: Service, path: str) -> None:
    live_through_everything(service)
    shown: Any = service.api(path.removeprefix("/api")).get_data(as_text=True)
    assert [word for word in SECRET if word in shown] == []


def test_settings_print_no_secret(service: Service) -> None:
    shown = repr(service.runtime.settings)
    assert [word for word in [*SECRET[:4], "admin'"] if word in shown] == []


def test_no_error_of_the_database_tells_what_it_was_given(service: Service) -> None:
    service.post_woo(woo_order())
    row = {"delivery_id": 999, "number": 1, "started_at": service.clock(), "outcome": "x", "error": "Tobías Ensayo"}
    with pytest.raises(IntegrityError) as caught, service.database.write() as transaction:
        transaction.execute(insert(Attempt).values(is_manual=False, **row))
    assert "Tobías" not in str(caught.value)
