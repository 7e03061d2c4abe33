"""`connector doctor` and `connector check --live` say whether stores' apps get tokens."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector.core.check_result import CheckResult
from connector.database.circuits import CircuitReport, record_outcome, store_circuit
from connector.operations.doctor import run_checks
from connector.sandbox.server import SandboxServer
from mappings.destination import Outcome
from tests.support.commands import Command
from tests.support.service import CONFIGURATION, Service

KEY = "a2V5LW9mLXRoZS10ZXN0cy0wMTIzNDU2Nzg5YWJjZGU="
OTHER_KEY = "b3RoZXIta2V5LW9mLXRoZS10ZXN0cy0wMTIzNDU2Nzg="
CLIENT_SECRET = "secreto-de-la-app"
STORE = f"""
[stores.otra]
storefront = "shopify"
client_id = "app"
client_secret = "{CLIENT_SECRET}"
api_url = "SANDBOX/shopify"

[[routes]]
from = "otra"
to = ["bodega"]
"""
#: What the doctor says of a fault -> of the result.
FAULTS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"fault": "reject_key", "match": CLIENT_SECRET},
        "no access token, because the store's app is rejected (status 400, invalid_client): check its client_id and "
        "client_secret, and that it is installed in the shop",
        "correct client_id and client_secret of [stores.otra], or install the app",
    ),
    (
        {"fault": "token_status", "status": 503},
        "no access token: status 503, server_error",
        "check api_url and the network",
    ),
]

Look = Callable[..., list[tuple[str, str, str | None]]]


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "TOKEN_KEYS": KEY}


@pytest.fixture
def service(open_service: Callable[..., Service], sandbox: SandboxServer) -> Service:
    return open_service(text=CONFIGURATION + STORE.replace("SANDBOX/", sandbox.url()))


@pytest.fixture
def look(service: Service, tmp_path: Path, environ: dict[str, str]) -> Look:
    """Run the doctor. Returns severity, message and remedy of what it says about the store's API."""

    def run(*, is_offline: bool = False, **variables: str) -> list[tuple[str, str, str | None]]:
        checks: list[CheckResult] = list(
            run_checks(tmp_path / "connector.toml", {**environ, **variables}, is_offline=is_offline)
        )
        return [
            (check.severity, check.message, check.remedy)
            for check in checks
            if check.subject == "store otra" and not re.search("webhook|its orders", check.message)
        ]

    return run


def test_working_exchange_is_a_line_with_its_lifetime(service: Service, look: Look) -> None:
    responds = ("ok", f"its API at {service.sandbox.url('shopify')} responds", None)
    assert look() == [("ok", "its app gets tokens, each valid for 24 h", None), responds]
    [line] = [request for request in service.sandbox.requests("shopify") if request.path.endswith("access_token")]
    assert line.outcome == "served"


@pytest.mark.parametrize(("fault", "message", "remedy"), FAULTS)
def test_failing_exchange_is_a_fault_that_says_which(
    service: Service, look: Look, fault: dict[str, Any], message: str, remedy: str
) -> None:
    service.sandbox.add_fault({"destination": "shopify", **fault})
    assert look() == [("fault", message, remedy)]


def test_stored_token_is_a_line_with_its_expiry(service: Service, look: Look) -> None:
    service.runtime.store_apis["otra"].tokens.get(timeout_s=5)
    assert look(is_offline=True) == [("ok", "its stored token expires in 24 h, and is renewed before", None)]
    [(severity, message, _)] = look(is_offline=True, TOKEN_KEYS=OTHER_KEY)
    assert (severity, message) == ("warning", "no key of TOKEN_KEYS decrypts its stored token, or it is another app's")


def test_tokens_in_memory_only_are_a_warning(service: Service, look: Look, environ: dict[str, str]) -> None:
    message = "its tokens are kept in memory only, because TOKEN_KEYS is not set: each process obtains its own"
    remedy = "set TOKEN_KEYS to what connector token --key prints"
    assert look(is_offline=True, TOKEN_KEYS="") == [("warning", message, remedy)]
    configuration = service.runtime.settings.directory / "connector.toml"
    check = Command(configuration=configuration, environ={**environ, "TOKEN_KEYS": ""})
    status, output = check("check")
    assert (status, f"Store otra: {message}." in output) == (0, True)


@pytest.mark.parametrize(
    ("fault", "message", "status"),
    [(None, "its app gets tokens, each valid for 24 h", 0), *((fault, message, 1) for fault, message, _ in FAULTS)],
)
def test_check_live_has_a_line_for_the_exchange(
    service: Service, environ: dict[str, str], fault: dict[str, Any] | None, message: str, status: int
) -> None:
    check = Command(configuration=service.runtime.settings.directory / "connector.toml", environ=environ)
    if fault:
        service.sandbox.add_fault({"destination": "shopify", "times": None, **fault})
    actual_status, output = check("check", "--live")
    assert (actual_status, f"Store otra: {message}.\n" in output) == (status, True)
    assert json.loads(check("check", "--live", "--json")[1])["tokens"]["otra"] == {
        "is_good": not status,
        "said": message,
    }


def test_open_circuit_of_a_store_is_a_fault(service: Service, look: Look) -> None:
    report = CircuitReport(
        circuit=store_circuit("otra"), outcome=Outcome.UNAUTHORIZED, failure_threshold=5, probe_after_s=30
    )
    record_outcome(service.database, report)
    assert look(is_offline=True)[0][:2] == (
        "fault",
        "requests to its API are suspended: credentials rejected; orders that need it wait",
    )
