"""Claims, leases and crashes: what a dead process held is settled, and nothing opens a socket without a claim."""

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
from connector.delivery.deliver import deliver
from connector.web.app import create_app
from mappings.destination import Outcome
from tests.support.claims import LEASE_S, claim, start_sending
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service


@pytest.fixture
def standstill(service: Service) -> Iterator[Service]:
    """The service with a clock that stands still, so that only what happened tells one moment from the next."""
    at = service.clock()
    database = Database(service.runtime.settings.environment.database_url, clock=lambda: at)
    runtime = replace(service.runtime, database=database, clock=database.clock)
    yield replace(service, runtime=runtime, client=create_app(runtime).test_client())
    database.close()


def recover(service: Service) -> list[int]:
    return recover_interrupted(
        service.database, destinations_with_idempotency=service.runtime.destinations_with_idempotency
    )


def answer(service: Service, claimed: ClaimedDelivery, outcome: Outcome, decision: Decision | None = None) -> bool:
    """Record an outcome as the process does that sent the first attempt."""
    tried = AttemptRecord(number=1, outcome=outcome, started_at=service.clock(), duration_ms=1)
    is_taken = outcome is Outcome.DELIVERED
    usual = Decision(state=State.DELIVERED if is_taken else State.PARKED, remote_id="r-1" if is_taken else None)
    health = CircuitReport(circuit="erp", outcome=outcome, failure_threshold=5, probe_after_s=30)
    ended = AttemptResult(delivery=claimed.delivery, attempt=tried, decision=decision or usual, circuit_report=health)
    return record_sent(service.database, ended)


def told(service: Service) -> tuple[Any, ...]:
    delivery = service.only_delivery()
    return delivery["state"], delivery["reason"], delivery["attempts"]


def test_a_claimed_delivery_is_nobody_elses_until_its_lease_runs_out(service: Service) -> None:
    service.post_woo(woo_order())
    assert len(claim(service, "first")) == 1
    assert claim(service, "second") == []
    service.clock.forward(LEASE_S + 1)
    assert len(claim(service, "second")) == 1


def test_no_more_are_claimed_than_the_account_takes_at_once_by_all_processes(service: Service) -> None:
    for number in range(5):
        service.post_woo(woo_order(number))
    assert len(claim(service, "first", concurrency=3)) == 3
    assert claim(service, "second", concurrency=3) == []


def test_what_was_claimed_and_not_sent_is_given_back(service: Service) -> None:
    service.post_woo(woo_order())
    claim(service, "first")
    assert release_claims(service.database, "first") == 1
    assert len(claim(service, "second")) == 1


def test_a_process_that_lost_its_claim_does_not_send(service: Service) -> None:
    service.post_woo(woo_order())
    [sleeper] = claim(service, "sleeper")
    service.clock.forward(LEASE_S + 1)
    claim(service, "other")
    assert not start_sending(service, sleeper)


def test_a_process_whose_lease_ran_out_does_not_send_even_if_nobody_took_over(service: Service) -> None:
    service.post_woo(woo_order())
    [sleeper] = claim(service, "sleeper")
    service.clock.forward(LEASE_S + 1)
    assert not start_sending(service, sleeper)
    deliver(service.runtime, sleeper)
    assert service.sandbox.requests("lapyme") == []


def test_sending_is_on_disk_with_its_bytes_before_the_socket_opens(service: Service) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    assert start_sending(service, claimed)
    service.database.close()  # as a killed process leaves it
    shown = service.only_delivery()
    assert (shown["state"], shown["body"], shown["idempotency_key"]) == ("sending", {"a": 1}, "key")
    assert [(one["number"], one["outcome"]) for one in shown["attempt_log"]] == [(1, "sending")]


class ForgetfulDatabase(Database):
    """Commits, and then loses the connection before it can say so: once, when told to."""

    is_about_to_fail = False

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with super().write() as transaction:
            yield transaction
        if self.is_about_to_fail:
            self.is_about_to_fail = False
            raise DatabaseUnavailableError("the connection was lost")


@pytest.fixture
def forgetful(service: Service) -> Iterator[ForgetfulDatabase]:
    database = ForgetfulDatabase(service.runtime.settings.environment.database_url)
    yield database
    database.close()


def test_a_commit_of_sending_that_was_not_told_of_is_known_for_ones_own(
    service: Service, forgetful: ForgetfulDatabase
) -> None:
    service.post_shopify(shopify_order())
    [claimed] = claim(service, "first")
    forgetful.is_about_to_fail = True
    assert start_sending(replace(service, runtime=replace(service.runtime, database=forgetful)), claimed)
    assert told(service) == ("sending", None, 1)
    assert not start_sending(service, claimed)  # by anyone else it would be a second request


def test_an_outcome_whose_commit_was_not_told_of_is_recorded_once(
    service: Service, forgetful: ForgetfulDatabase
) -> None:
    service.post_shopify(shopify_order())
    [claimed] = claim(service, "first")
    start_sending(service, claimed)
    forgetful.is_about_to_fail = True
    assert answer(replace(service, runtime=replace(service.runtime, database=forgetful)), claimed, Outcome.DELIVERED)
    assert told(service) == ("delivered", None, 1)
    assert service.only_delivery()["notes"] == []


def test_a_webhook_whose_commit_was_not_told_of_is_accepted_once(
    service: Service, forgetful: ForgetfulDatabase
) -> None:
    forgetful.is_about_to_fail = True
    runtime = replace(service.runtime, database=forgetful)
    answered = replace(service, runtime=runtime, client=create_app(runtime).test_client()).post_woo(woo_order())
    assert answered.status_code == 200
    assert len(service.deliveries()) == 1


def test_a_newer_version_between_reading_and_sending_stops_the_older(service: Service) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:09:00"))
    assert not start_sending(service, claimed)
    deliver(service.runtime, claimed)
    assert [order.body["order_date"] for order in service.sandbox.orders("lapyme")] == ["2026-11-20T15:00:00Z"]
    assert service.only_delivery()["event"] == "2"


def test_a_newer_version_of_the_very_same_instant_stops_the_older(standstill: Service) -> None:
    standstill.post_woo(woo_order())
    [claimed] = claim(standstill, "first")
    standstill.post_woo(woo_order(date_modified_gmt="2026-11-20T15:09:00"))
    assert not start_sending(standstill, claimed)


def test_an_attempt_that_was_made_meanwhile_stops_another(standstill: Service) -> None:
    standstill.post_woo(woo_order())
    [claimed] = claim(standstill, "first")
    assert start_sending(standstill, claimed)
    decision = Decision(state=State.WAITING, due_at=claimed.delivery.due_at, keeps_claim=True)
    assert answer(standstill, claimed, Outcome.TOKEN_EXPIRED, decision)
    assert not start_sending(standstill, claimed)


def test_what_took_too_long_to_commit_is_not_sent(service: Service) -> None:
    settings = service.runtime.settings
    timeout_s = settings.accounts["erp"].timeout_s
    no_time = replace(settings, environment=replace(settings.environment, lease_s=int(timeout_s)))
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    deliver(replace(service.runtime, settings=no_time), claimed)
    assert service.sandbox.requests("lapyme") == []
    assert told(service) == ("waiting", None, 1)
    assert service.only_delivery()["attempt_log"][0]["outcome"] == "not_processed"


def test_a_cancellation_between_reading_and_sending_stops_it(service: Service) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    service.post_woo(woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:09:00"))
    deliver(service.runtime, claimed)
    assert service.sandbox.requests("lapyme") == []
    assert told(service) == ("discarded", "cancelled", 0)


@pytest.mark.parametrize(
    ("post", "order", "settled"),
    [
        ("post_shopify", shopify_order(), ("parked", "uncertain", 1)),
        ("post_woo", woo_order(), ("waiting", None, 1)),
    ],
)
def test_what_a_crash_left_sending_is_settled_when_its_lease_ends(
    service: Service, post: str, order: dict[str, Any], settled: tuple[Any, ...]
) -> None:
    getattr(service, post)(order)
    [claimed] = claim(service, "crashed")
    start_sending(service, claimed)
    assert recover(service) == []
    service.clock.forward(LEASE_S + 1)
    assert recover(service) == [claimed.delivery.id]
    assert told(service) == settled
    assert service.only_delivery()["attempt_log"][0]["outcome"] == "ambiguous"


def test_after_a_crash_lapyme_gets_the_same_bytes_under_the_same_key(service: Service) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "crashed")
    start_sending(service, claimed)
    service.clock.forward(LEASE_S + 1)
    recover(service)
    service.carry_due()
    [request] = service.sandbox.requests("lapyme")
    assert (request.body, request.key) == ('{"a": 1}', "key")


def test_a_late_success_settles_what_was_uncertain(service: Service) -> None:
    service.post_shopify(shopify_order())
    [claimed] = claim(service, "sleeper")
    start_sending(service, claimed)
    service.clock.forward(LEASE_S + 1)
    recover(service)
    assert not answer(service, claimed, Outcome.DELIVERED)
    assert told(service) == ("delivered", None, 1)
    assert service.only_delivery()["remote_id"] == "r-1"


def test_a_late_success_of_an_older_attempt_raises_an_alert(service: Service) -> None:
    service.post_shopify(shopify_order())
    [claimed] = claim(service, "sleeper")
    start_sending(service, claimed)
    service.clock.forward(LEASE_S + 1)
    recover(service)
    service.api(f"/deliveries/{claimed.delivery.id}/retrigger", json={"force": True})
    service.carry_due()
    assert not answer(service, claimed, Outcome.DELIVERED)
    shown = service.only_delivery()
    assert (shown["state"], shown["attempts"]) == ("delivered", 2)
    assert [note["kind"] for note in shown["notes"]] == ["retrigger", "alert"]
    assert "r-1" in shown["notes"][1]["text"]


def test_what_came_in_during_sending_is_applied_when_the_attempt_ends(service: Service) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    start_sending(service, claimed)
    service.post_woo(woo_order(date_modified_gmt="2026-11-20T15:09:00", payment_method="x"))
    assert service.only_delivery()["event"] == "1"
    decision = Decision(state=State.WAITING, due_at=service.clock())
    assert answer(service, claimed, Outcome.NOT_PROCESSED, decision)
    assert service.only_delivery()["event"] == "2"


@pytest.mark.parametrize(
    ("decision", "settled"),
    [
        (Decision(state=State.WAITING), ("discarded", "cancelled", 1)),
        (Decision(state=State.DELIVERED, remote_id="r"), ("delivered", None, 1)),
    ],
)
def test_a_cancellation_during_sending_alerts_and_stops_what_would_be_repeated(
    service: Service, decision: Decision, settled: tuple[Any, ...]
) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    start_sending(service, claimed)
    service.post_woo(woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:09:00"))
    answer(service, claimed, Outcome.NOT_PROCESSED, decision)
    assert told(service) == settled
    assert [note["kind"] for note in service.only_delivery()["notes"]] == ["alert"]


def test_a_cancellation_during_an_ambiguous_wait_is_uncertain_not_discarded(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "process_then_drop")
    service.post_woo(woo_order())
    service.carry_due()
    service.post_woo(woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:09:00"))
    assert told(service) == ("parked", "uncertain", 1)
    assert [note["kind"] for note in service.only_delivery()["notes"]] == ["alert"]


def test_a_fault_of_ours_in_mapping_parks_the_order_and_lets_others_go(service: Service) -> None:
    service.post_woo(woo_order(1))
    service.post_woo(woo_order(2))
    with service.database.write() as transaction:
        transaction.connection.exec_driver_sql("UPDATE events SET body = 'not json' WHERE id = 1")
    service.drain()
    states = [(delivery["state"], delivery["reason"]) for delivery in service.deliveries()]
    assert states == [("parked", "unmappable"), ("delivered", None)]


def test_what_a_dead_process_held_is_settled_at_once(service: Service) -> None:
    for number in (1, 2):
        service.post_woo(woo_order(number))
    ended = subprocess.run(
        [sys.executable, "-c", "from connector.core.worker_id import new_worker_id; print(new_worker_id())"],
        capture_output=True,
        text=True,
        check=True,
    )
    sending, _ = claim(service, ended.stdout.strip())
    start_sending(service, sending)
    service.forwarder().recover()
    assert [delivery["state"] for delivery in service.deliveries()] == ["waiting", "waiting"]
    assert len(claim(service, "other")) == 2


def test_what_a_living_process_holds_is_left_alone(service: Service) -> None:
    service.post_woo(woo_order())
    claim(service, service.forwarder().worker_id)
    service.forwarder().recover()
    assert claim(service, "other") == []


def test_nothing_is_known_of_another_machines_processes() -> None:
    assert not is_dead("another-machine:1:1:abc")


def test_sending_is_committed_while_the_socket_is_open(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "latency", latency_s=0.7)
    service.post_woo(woo_order())
    [claimed] = claim(service, "first")
    carrier = threading.Thread(target=deliver, args=(service.runtime, claimed))
    carrier.start()
    while not service.sandbox.requests("lapyme"):
        time.sleep(0.01)
    shown = service.only_delivery()
    carrier.join()
    assert (shown["state"], shown["attempts"]) == ("sending", 1)
    assert shown["body"] == service.sandbox.orders("lapyme")[0].body
    assert service.only_delivery()["state"] == "delivered"


def test_a_cancellation_of_what_a_crash_left_sending_stops_its_repeat(service: Service) -> None:
    service.post_woo(woo_order())
    [claimed] = claim(service, "crashed")
    start_sending(service, claimed)
    service.post_woo(woo_order(status="cancelled", date_modified_gmt="2026-11-20T15:09:00"))
    service.clock.forward(LEASE_S + 1)
    recover(service)
    assert told(service) == ("parked", "uncertain", 1)
