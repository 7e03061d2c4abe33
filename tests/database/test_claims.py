"""Claims, leases and crashes: deliveries of a dead process are recovered, and nothing is sent without a claim."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from connector.core.exceptions import DatabaseUnavailableError
from connector.core.worker_id import is_dead
from connector.database.attempts import AttemptRecord, AttemptResult, Decision, record_sent
from connector.database.circuits import CircuitReport
from connector.database.claims import (
    ClaimedDelivery,
    recover_interrupted,
    release_claims,
)
from connector.database.engine import Database, Transaction
from connector.database.models import State
from connector.database.restores import check_generation
from connector.delivery.deliver import deliver
from connector.web.app import create_app
from mappings.destination import Outcome
from tests.support.claims import LEASE_S, claim, start_sending
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service


@pytest.fixture
def stalled_service(service: Service) -> Iterator[Service]:
    """The service with a clock that stands still, so that timestamps never distinguish events."""
    at = service.clock()
    database = Database(service.runtime.settings.environment.database_url, clock=lambda: at)
    check_generation(database, key_windows_s={})
    runtime = replace(service.runtime, database=database, clock=database.clock)
    yield replace(service, runtime=runtime, client=create_app(runtime).test_client())
    database.close()


def recover_expired(service: Service) -> list[int]:
    return recover_interrupted(
        service.database, destinations_with_idempotency=service.runtime.destinations_with_idempotency
    )


def record_attempt(
    service: Service, claimed: ClaimedDelivery, outcome: Outcome, decision: Decision | None = None
) -> bool:
    """Record an outcome as the process that sent the first attempt does."""
    tried = AttemptRecord(number=1, outcome=outcome, started_at=service.clock(), duration_ms=1)
    is_taken = outcome is Outcome.DELIVERED
    usual = Decision(state=State.DELIVERED if is_taken else State.PARKED, remote_id="r-1" if is_taken else None)
    health = CircuitReport(circuit="erp", outcome=outcome, failure_threshold=5, probe_after_s=30)
    result = AttemptResult(delivery=claimed.delivery, attempt=tried, decision=decision or usual, circuit_report=health)
    return record_sent(service.database, result)


def state_and_reason(service: Service) -> tuple[Any, ...]:
    delivery = service.only_delivery()
    return delivery["state"], delivery["reason"], delivery["attempts"]


def test_claimed_delivery_is_exclusive_until_the_lease_expires(service: Service) -> None:
    service.post_woo(woo_order())
    assert len(claim(service, "first")) == 1
    assert claim(service, "second") == []
    service.clock.forward(LEASE_S + 1)
    assert len(claim(service, "second")) == 1


def test_claims_respect_the_account_concurrency_across_processes(service: Service) -> None:
    for number in range(5):
        service.post_woo(woo_order(number))
    assert len(claim(service, "first", concurrency=3)) == 3
    assert claim(service, "second", concurrency=3) == []


def test_unsent_claims_are_released(service: Service) -> None:
    service.post_woo(woo_order())
    claim(service, "first")
    assert release_claims(service.database, "first") == 1
    assert len(claim(service, "second")) == 1


def test_worker_that_lost_its_claim_does_not_send(service: Service) -> None:
    service.post_woo(woo_order())
    [sleeper] = claim(service, "sleeper")
    service.clock.forward(LEASE_S + 1)
    claim(service, "other")
    assert not start_sending(service, sleeper)


def test_worker_with_an_expired_lease_does_not_send(service: Service) -> None:
    service.post_woo(woo_order())
    [sleeper] = claim(service, "sleeper")
    service.clock.forward(LEASE_S + 1)
    assert not start_sending(service, sleeper)
    deliver(service.runtime, sleeper)
    assert service.sandbox.requests("lapyme") == []


def test_sending_state_and_body_are_committed_before_connecting(service: Service) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    assert start_sending(service, claimed)
    service.database.close()  # as after a kill
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["body"], delivery["idempotency_key"]) == ("sending", {"a": 1}, "key")
    assert [(attempt["number"], attempt["outcome"]) for attempt in delivery["attempt_log"]] == [(1, "sending")]


class ForgetfulDatabase(Database):
    """Commits and then loses the connection before the acknowledgement, once, when told to."""

    is_about_to_fail = False

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with super().write() as transaction:
            yield transaction
        if self.is_about_to_fail:
            self.is_about_to_fail = False
            raise DatabaseUnavailableError("the connection was lost")


@pytest.fixture
def forgetful_database(service: Service) -> Iterator[ForgetfulDatabase]:
    database = ForgetfulDatabase(service.runtime.settings.environment.database_url)
    check_generation(database, key_windows_s={})
    yield database
    database.close()


def test_unacknowledged_commit_of_sending_is_recognised(
    service: Service, forgetful_database: ForgetfulDatabase
) -> None:
    service.post_shopify(shopify_order())
    [claimed] = claim(service, "first")
    forgetful_database.is_about_to_fail = True
    assert start_sending(replace(service, runtime=replace(service.runtime, database=forgetful_database)), claimed)
    assert state_and_reason(service) == ("sending", None, 1)
    assert not start_sending(service, claimed)  # from another process it would be a second request


def test_unacknowledged_commit_of_an_outcome_is_recorded_once(
    service: Service, forgetful_database: ForgetfulDatabase
) -> None:
    service.post_shopify(shopify_order())
    [claimed] = claim(service, "first")
    start_sending(service, claimed)
    forgetful_database.is_about_to_fail = True
    assert record_attempt(
        replace(service, runtime=replace(service.runtime, database=forgetful_database)), claimed, Outcome.DELIVERED
    )
    assert state_and_reason(service) == ("delivered", None, 1)
    assert service.only_delivery()["notes"] == []


def test_unacknowledged_commit_of_a_webhook_is_accepted_once(
    service: Service, forgetful_database: ForgetfulDatabase
) -> None:
    forgetful_database.is_about_to_fail = True
    runtime = replace(service.runtime, database=forgetful_database)
    answered = replace(service, runtime=runtime, client=create_app(runtime).test_client()).post_woo(woo_order())
    assert answered.status_code == 200
    assert len(service.deliveries()) == 1


def test_newer_version_received_before_sending_stops_the_older(service: Service) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:09:00"))
    assert not start_sending(service, claimed)
    deliver(service.runtime, claimed)
    assert [order.body["order_date"] for order in service.sandbox.orders("lapyme")] == ["2026-11-20T15:00:00Z"]
    assert service.only_delivery()["event"] == "2"


def test_newer_version_with_equal_timestamp_stops_the_older(stalled_service: Service) -> None:
    stalled_service.post_woo(woo_order())
    [claimed] = claim(stalled_service, "first")
    stalled_service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:09:00"))
    assert not start_sending(stalled_service, claimed)


def test_concurrent_attempt_prevents_another(stalled_service: Service) -> None:
    stalled_service.post_woo(woo_order())
    [claimed] = claim(stalled_service, "first")
    assert start_sending(stalled_service, claimed)
    decision = Decision(state=State.WAITING, due_at=claimed.delivery.due_at, keeps_claim=True)
    assert record_attempt(stalled_service, claimed, Outcome.TOKEN_EXPIRED, decision)
    assert not start_sending(stalled_service, claimed)


def test_slow_commit_prevents_sending(service: Service) -> None:
    settings = service.runtime.settings
    timeout_s = settings.accounts["erp"].timeout_s
    no_time = replace(settings, environment=replace(settings.environment, lease_s=int(timeout_s)))
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    deliver(replace(service.runtime, settings=no_time), claimed)
    assert service.sandbox.requests("lapyme") == []
    assert state_and_reason(service) == ("waiting", None, 1)
    assert service.only_delivery()["attempt_log"][0]["outcome"] == "not_processed"


def test_cancellation_received_before_sending_stops_the_delivery(service: Service) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    service.post_woo(woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:09:00"))
    deliver(service.runtime, claimed)
    assert service.sandbox.requests("lapyme") == []
    assert state_and_reason(service) == ("discarded", "cancelled", 0)


@pytest.mark.parametrize(
    ("post", "order", "settled"),
    [
        ("post_shopify", shopify_order(), ("parked", "uncertain", 1)),
        ("post_woo", woo_order(), ("waiting", None, 1)),
    ],
)
def test_crashed_attempt_is_recovered_when_its_lease_expires(
    service: Service, post: str, order: dict[str, Any], settled: tuple[Any, ...]
) -> None:
    getattr(service, post)(order)
    [claimed] = claim(service, "crashed")
    start_sending(service, claimed)
    assert recover_expired(service) == []
    service.clock.forward(LEASE_S + 1)
    assert recover_expired(service) == [claimed.delivery.id]
    assert state_and_reason(service) == settled
    assert service.only_delivery()["attempt_log"][0]["outcome"] == "ambiguous"


def test_retry_after_a_crash_reuses_body_and_idempotency_key(service: Service) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "crashed")
    start_sending(service, claimed)
    service.clock.forward(LEASE_S + 1)
    recover_expired(service)
    service.deliver_due()
    [request] = service.sandbox.requests("lapyme")
    assert (request.body, request.key) == ('{"a": 1}', "key")


def test_late_success_resolves_an_uncertain_delivery(service: Service) -> None:
    service.post_shopify(shopify_order())
    [claimed] = claim(service, "sleeper")
    start_sending(service, claimed)
    service.clock.forward(LEASE_S + 1)
    recover_expired(service)
    assert not record_attempt(service, claimed, Outcome.DELIVERED)
    assert state_and_reason(service) == ("delivered", None, 1)
    assert service.only_delivery()["remote_id"] == "r-1"


def test_a_late_success_of_an_older_attempt_raises_an_alert(service: Service) -> None:
    service.post_shopify(shopify_order())
    [claimed] = claim(service, "sleeper")
    start_sending(service, claimed)
    service.clock.forward(LEASE_S + 1)
    recover_expired(service)
    service.api(f"/deliveries/{claimed.delivery.id}/retrigger", json={"force": True})
    service.deliver_due()
    assert not record_attempt(service, claimed, Outcome.DELIVERED)
    delivery = service.only_delivery()
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 2)
    assert [note["kind"] for note in delivery["notes"]] == ["retrigger", "alert"]
    assert delivery["notes"][1]["text"] == (
        "Attempt 1 got its response after its claim was lost: delivered, with r-1 as the destination's id. "
        "Compare with the destination."
    )


def test_update_received_while_sending_is_applied_afterwards(service: Service) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    start_sending(service, claimed)
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:09:00", payment_method="x"))
    assert service.only_delivery()["event"] == "1"
    decision = Decision(state=State.WAITING, due_at=service.clock())
    assert record_attempt(service, claimed, Outcome.NOT_PROCESSED, decision)
    assert service.only_delivery()["event"] == "2"


@pytest.mark.parametrize(
    ("decision", "settled"),
    [
        (Decision(state=State.WAITING), ("discarded", "cancelled", 1)),
        (Decision(state=State.DELIVERED, remote_id="r"), ("delivered", None, 1)),
    ],
)
def test_cancellation_while_sending_alerts_and_prevents_retries(
    service: Service, decision: Decision, settled: tuple[Any, ...]
) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    start_sending(service, claimed)
    service.post_woo(woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:09:00"))
    record_attempt(service, claimed, Outcome.NOT_PROCESSED, decision)
    assert state_and_reason(service) == settled
    assert [note["kind"] for note in service.only_delivery()["notes"]] == ["alert"]


def test_second_deletion_while_sending_alerts_and_holds_the_order_afterwards(service: Service) -> None:
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:01:00"))
    service.post_woo({"id": 727}, "order.deleted")
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:02:00"), "order.restored")
    [claimed] = claim(service, "first")
    start_sending(service, claimed)
    service.post_woo({"id": 727}, "order.deleted")
    record_attempt(service, claimed, Outcome.NOT_PROCESSED, Decision(state=State.WAITING))
    assert state_and_reason(service) == ("parked", "held", 1)
    assert [note["kind"] for note in service.only_delivery()["notes"]] == ["alert"]


def test_cancellation_after_an_ambiguous_attempt_is_uncertain(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "process_then_drop")
    service.post_woo(woo_order())
    service.deliver_due()
    service.post_woo(woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:09:00"))
    assert state_and_reason(service) == ("parked", "uncertain", 1)
    assert [note["kind"] for note in service.only_delivery()["notes"]] == ["alert"]


def test_internal_mapping_error_parks_only_that_order(service: Service) -> None:
    service.post_woo(woo_order(1))
    service.post_woo(woo_order(2))
    with service.database.write() as transaction:
        transaction.connection.exec_driver_sql("UPDATE events SET body = 'not json' WHERE id = 1")
    service.drain()
    states = [(delivery["state"], delivery["reason"]) for delivery in service.deliveries()]
    assert states == [("parked", "unmappable"), ("delivered", None)]


def test_claims_of_a_dead_process_are_recovered_immediately(service: Service) -> None:
    for number in (1, 2):
        service.post_woo(woo_order(number))
    completed = subprocess.run(
        [sys.executable, "-c", "from connector.core.worker_id import new_worker_id; print(new_worker_id())"],
        capture_output=True,
        text=True,
        check=True,
    )
    sending, _ = claim(service, completed.stdout.strip())
    start_sending(service, sending)
    service.worker().recover()
    assert [delivery["state"] for delivery in service.deliveries()] == ["waiting", "waiting"]
    assert len(claim(service, "other")) == 2


def test_claims_of_a_running_process_are_kept(service: Service) -> None:
    service.post_woo(woo_order())
    claim(service, service.worker().worker_id)
    service.worker().recover()
    assert claim(service, "other") == []


def test_process_of_another_machine_is_never_assumed_dead() -> None:
    assert not is_dead("another-machine:1:1:abc")


def test_sending_is_committed_while_the_socket_is_open(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "latency", latency_s=0.7)
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    carrier = threading.Thread(target=deliver, args=(service.runtime, claimed))
    carrier.start()
    while not service.sandbox.requests("lapyme"):
        time.sleep(0.01)
    delivery = service.only_delivery()
    carrier.join()
    assert (delivery["state"], delivery["attempts"]) == ("sending", 1)
    assert delivery["body"] == service.sandbox.orders("lapyme")[0].body
    assert service.only_delivery()["state"] == "delivered"


def test_cancellation_prevents_the_retry_of_a_crashed_attempt(service: Service) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "crashed")
    start_sending(service, claimed)
    service.post_woo(woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:09:00"))
    service.clock.forward(LEASE_S + 1)
    recover_expired(service)
    assert state_and_reason(service) == ("parked", "uncertain", 1)
