"""Credentials that people enter: used by every process in place of the configuration's, and shown by none."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from sqlalchemy import update
from sqlmodel import col, select

from connector.core.exceptions import NotFoundError
from connector.database.models import AccountCredential
from connector.database.queries.audit import list_trail
from connector.operations.credentials import (
    CredentialsRejectedError,
    CredentialsUntestedError,
    InvalidCredentialError,
    TokenKeysMissingError,
    Verdict,
    list_credentials,
    replace_credentials,
    withdraw_credentials,
)
from connector.operations.jobs import advance_jobs
from connector.operations.probe import ProbeOutcome, ProbeResult
from connector.settings.setup import generate_token_key
from connector.worker.worker import Worker
from mappings.problems import load_problems, render_problem
from tests.support.orders import shopify_order, woo_order
from tests.support.service import CONFIGURATION, Service

KEY, OTHER_KEY = generate_token_key(), generate_token_key()
OLD = {"bodega": "rayo-key", "erp": "lapyme-key"}
NEW = "clave-nueva-de-la-bodega"
DESTINATIONS = {"bodega": "rayo", "erp": "lapyme"}
OpenService = Callable[..., Service]


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "TOKEN_KEYS": KEY}


def reject_old_keys(service: Service) -> None:
    for account, destination in DESTINATIONS.items():
        service.sandbox.inject_fault(destination, "reject_key", match=OLD[account], times=None)


def run_worker(worker: Worker) -> None:
    """Run the duties as though their intervals had passed, and deliver what is due."""
    worker.reload_settings()
    worker.run_duties()
    while claimed := worker.claim_due():
        for item in claimed:
            worker.process(item)


def place_order(service: Service, account: str, number: int = 727) -> None:
    response = (
        service.post_shopify(shopify_order(number)) if account == "bodega" else service.post_woo(woo_order(number))
    )
    assert response.json["status"] == "accepted"


def replace(service: Service, account: str = "bodega", value: str = NEW, **more: Any) -> Verdict:
    return replace_credentials(service.runtime, account, {"api_key": value}, actor="ana", **more).verdict


def states(service: Service) -> list[str]:
    return [delivery["state"] for delivery in service.deliveries()]


@pytest.mark.parametrize("account", ["bodega", "erp"])
def test_new_key_sends_what_waits_at_once_in_a_worker_that_runs_already(
    open_service: OpenService, account: str
) -> None:
    service = open_service()
    reject_old_keys(service)
    worker = open_service().worker()
    for number in range(727, 733):
        place_order(service, account, number)
    run_worker(worker)
    assert set(states(service)) == {"waiting"}
    assert service.api("/accounts").json["items"][account == "erp"]["state"] == "circuit open"

    assert replace(service, account) is Verdict.ACCEPTED
    assert service.api("/accounts").json["items"][account == "erp"]["state"] == "flowing"
    run_worker(worker)
    assert set(states(service)) == {"delivered"}
    assert len(service.sandbox.orders(DESTINATIONS[account])) == 6


def test_worker_that_does_not_have_the_new_key_yet_claims_nothing(open_service: OpenService) -> None:
    service = open_service()
    reject_old_keys(service)
    late, current = service.worker(), open_service().worker()
    replace(service)
    place_order(service, "bodega")
    assert late.claim_due() == []
    run_worker(current)
    assert states(service) == ["delivered"]


def test_rejection_of_the_old_key_that_comes_late_stops_nobody(open_service: OpenService) -> None:
    service = open_service()
    reject_old_keys(service)
    worker = service.worker()
    place_order(service, "bodega")
    [claimed] = worker.claim_due()
    replace(service)
    worker.process(claimed)  # with the key that it has
    assert service.api("/accounts").json["items"][0]["state"] == "flowing"
    run_worker(worker)
    assert states(service) == ["delivered"]


def test_key_survives_a_restart_until_the_configured_one_changes(open_service: OpenService) -> None:
    service = open_service()
    replace(service)
    restarted = open_service()
    assert restarted.runtime.settings.accounts["bodega"].api_key == NEW  # type: ignore[attr-defined]
    changed = open_service(text=CONFIGURATION.replace('"rayo-key"', '"otra-clave"'))
    assert changed.runtime.settings.accounts["bodega"].api_key == "otra-clave"  # type: ignore[attr-defined]
    [status] = list_credentials(changed.runtime, "bodega")
    assert (status.source, status.use, status.entered_by) == ("configuration", "outdated", "ana")


def test_key_is_not_sent_to_another_address(open_service: OpenService) -> None:
    replace(open_service())
    text = CONFIGURATION.replace('base_url = "{rayo}"', 'base_url = "https://otra.example"')
    moved = open_service(text=text)
    assert moved.runtime.settings.accounts["bodega"].api_key == "rayo-key"  # type: ignore[attr-defined]


def test_withdrawn_key_gives_way_to_the_configured_one(open_service: OpenService) -> None:
    service = open_service()
    worker = service.worker()
    replace(service)
    run_worker(worker)
    assert worker.runtime.settings.accounts["bodega"].api_key == NEW  # type: ignore[attr-defined]
    withdraw_credentials(service.runtime, "bodega", actor="ana")
    run_worker(worker)
    assert worker.runtime.settings.accounts["bodega"].api_key == "rayo-key"  # type: ignore[attr-defined]
    place_order(service, "bodega")
    run_worker(worker)
    assert states(service) == ["delivered"]
    with pytest.raises(NotFoundError):
        withdraw_credentials(service.runtime, "bodega", actor="ana")


def test_rejected_key_is_not_kept(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "reject_key", match="clave-mala", times=None)
    with pytest.raises(CredentialsRejectedError) as raised:
        replace(service, value="clave-mala")
    assert "clave-mala" not in str(raised.value)
    [status] = list_credentials(service.runtime, "bodega")
    assert (status.source, status.use) == ("configuration", None)


def test_key_that_cannot_be_tested_is_kept_only_if_that_is_asked_for(open_service: OpenService) -> None:
    text = CONFIGURATION.replace('base_url = "{lapyme}"', 'base_url = "http://127.0.0.1:9"')
    service = open_service(text=text)
    with pytest.raises(CredentialsUntestedError):
        replace(service, "erp")
    assert replace(service, "erp", keep_untested=True) is Verdict.UNTESTED
    [status] = list_credentials(service.runtime, "erp")
    assert (status.source, status.is_verified) == ("entered", False)


def test_key_without_the_scope_of_the_test_is_not_called_wrong() -> None:
    """A 403 says that the key may not do what the test does. It may still create orders."""

    def is_wrong(outcome: ProbeOutcome, status: int) -> bool:
        return ProbeResult(account="erp", outcome=outcome, status=status, message="").rejects_credentials

    assert not is_wrong(ProbeOutcome.CREDENTIALS_REJECTED, 403)
    assert is_wrong(ProbeOutcome.CREDENTIALS_REJECTED, 401)
    assert is_wrong(ProbeOutcome.NO_TOKEN, 403)  # an exchange of the key does nothing else
    assert not is_wrong(ProbeOutcome.NO_TOKEN, 429)


def test_orders_refused_for_their_credentials_are_sent_with_the_new_key(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "status", status=403, match="YERBA-BAD", times=None)
    refused = woo_order(1)
    refused["line_items"][0]["sku"] = "YERBA-BAD"
    service.post_woo(refused)
    service.drain()
    place_order(service, "erp", 2)
    for _ in range(4):
        service.clock.forward(31)
        service.drain()
    assert [delivery["reason"] for delivery in service.deliveries()] == ["refused", None]
    service.sandbox.clear_faults()
    replacement = replace_credentials(service.runtime, "erp", {"api_key": NEW}, actor="ana")
    assert replacement.job is not None
    advance_jobs(service.runtime)
    run_worker(service.worker())
    assert states(service) == ["delivered", "delivered"]


def test_order_whose_attempt_was_ambiguous_with_the_old_key_is_not_sent_with_the_new_one(
    open_service: OpenService,
) -> None:
    """The destination may know an idempotency key only together with the credentials, and create the order twice."""
    service = open_service()
    service.sandbox.inject_fault("lapyme", "process_then_drop")
    worker = service.worker()
    place_order(service, "erp")
    run_worker(worker)
    assert states(service) == ["waiting"]
    replace(service, "erp")
    service.clock.forward(600)
    run_worker(worker)
    [delivery] = service.deliveries()
    assert (delivery["state"], delivery["reason"]) == ("parked", "uncertain")
    assert "credentials were replaced" in delivery["problems"][0]
    assert len(service.sandbox.orders("lapyme")) == 1
    service.api(f"/deliveries/{delivery['id']}/retrigger", json={"force": True})  # a person looked
    run_worker(worker)
    assert states(service) == ["delivered"]


def test_token_of_the_old_key_is_dropped(service: Service) -> None:
    worker = service.worker()
    place_order(service, "bodega", 1)
    run_worker(worker)
    replace(service)
    exchanges = len([request for request in service.sandbox.requests("rayo") if request.outcome == "token"])
    place_order(service, "bodega", 2)
    run_worker(worker)
    after = [request for request in service.sandbox.requests("rayo") if request.outcome == "token"]
    assert len(after) == exchanges + 1
    assert states(service) == ["delivered", "delivered"]


def test_pause_stays_when_the_key_is_replaced(service: Service) -> None:
    service.api("/accounts/bodega/pause", json={})
    replace(service)
    assert service.api("/accounts").json["items"][0]["state"] == "paused"


def test_header_keeps_its_scheme(open_service: OpenService) -> None:
    more = """
[accounts.hub]
destination = "centelar"
base_url = "http://127.0.0.1:9"
connection_id = 1
headers = { Authorization = "Bearer viejo", X-Sucursal = "3" }
"""
    service = open_service(more=more)
    worker = service.worker()
    for entered in ("nuevo", " Bearer nuevo\n"):
        values = {"headers.Authorization": entered}
        replace_credentials(service.runtime, "hub", values, actor="ana", keep_untested=True)
        worker.reload_settings()
        headers = {"Authorization": "Bearer nuevo", "X-Sucursal": "3"}
        assert worker.runtime.settings.accounts["hub"].headers == headers


@pytest.mark.parametrize(
    ("value", "code"), [("", "empty"), (" ", "empty"), ("contraseña", "unprintable"), ("a\nb", "unprintable")]
)
def test_value_that_no_header_takes_is_refused(service: Service, value: str, code: str) -> None:
    with pytest.raises(InvalidCredentialError) as raised:
        replace(service, value=value)
    assert raised.value.code == code


def test_nothing_is_kept_without_token_keys(open_service: OpenService, environ: dict[str, str]) -> None:
    del environ["TOKEN_KEYS"]
    service = open_service()
    with pytest.raises(TokenKeysMissingError):
        replace(service)
    assert rows(service) == []


def test_wrong_token_keys_leave_the_configured_key_in_use(open_service: OpenService, environ: dict[str, str]) -> None:
    replace(open_service())
    for keys in (OTHER_KEY, ""):
        environ["TOKEN_KEYS"] = keys
        runtime = open_service().runtime
        assert runtime.settings.accounts["bodega"].api_key == "rayo-key"  # type: ignore[attr-defined]
        [status] = list_credentials(runtime, "bodega")
        assert (status.source, status.use) == ("configuration", "unreadable")


def test_older_token_key_can_be_removed_after_a_start(open_service: OpenService, environ: dict[str, str]) -> None:
    replace(open_service())
    for keys in (f"{OTHER_KEY},{KEY}", OTHER_KEY):
        environ["TOKEN_KEYS"] = keys
        assert open_service().runtime.settings.accounts["bodega"].api_key == NEW  # type: ignore[attr-defined]


def test_row_that_was_moved_to_another_account_is_not_used(open_service: OpenService) -> None:
    service = open_service()
    replace(service)
    service.database.transact(
        lambda transaction: (
            transaction.execute(
                update(AccountCredential).where(col(AccountCredential.account) == "bodega").values(account="erp")
            ).rowcount
        )
    )
    moved = open_service().runtime
    assert moved.settings.accounts["erp"].api_key == "lapyme-key"  # type: ignore[attr-defined]
    assert [status.use for status in list_credentials(moved, "erp")] == ["unreadable"]


def test_key_of_an_account_that_was_deleted_is_left_alone(open_service: OpenService) -> None:
    service = open_service()
    replace(service, "erp")
    account = CONFIGURATION[CONFIGURATION.index("[accounts.erp]") : CONFIGURATION.index("{more}")]
    text = CONFIGURATION.replace(account, "").replace('to = ["erp"]', 'to = ["bodega"]').replace("{more}", "")
    deleted = open_service(text='retired = ["erp"]\n' + text)
    assert set(deleted.runtime.settings.accounts) == {"bodega"}
    deleted.worker().reload_settings()
    with pytest.raises(NotFoundError):
        replace(deleted, "erp")


def test_credential_is_nowhere_to_be_read(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    worker = service.worker()
    replace(service, note="rotation")
    run_worker(worker)
    status = service.api("/accounts/bodega/credentials")
    logged = capsys.readouterr()
    texts = [logged.out, logged.err, repr(worker.runtime.settings), status.text, service.api("/accounts").text]
    assert "credentials_replaced" in logged.out + logged.err
    assert not [text for text in texts if NEW in text]
    assert NEW not in json.dumps([row.model_dump(mode="json") for row in rows(service)])
    [entry] = [entry for entry in list_trail(service.database, limit=10).entries if entry.action == "set-credentials"]
    message = render_problem(load_problems([entry.message or {}])[0])
    assert (entry.actor, entry.account, entry.text) == ("ana", "bodega", "rotation")
    assert message == "`api_key` is replaced: the destination accepts it."


def rows(service: Service) -> list[AccountCredential]:
    with service.database.read() as session:
        return list(session.exec(select(AccountCredential)).all())
