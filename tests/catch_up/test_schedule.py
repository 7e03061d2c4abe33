"""When stores are read: at a start, at intervals, after a silence, on request; by one process at a time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.catch_up import schedule
from connector.catch_up.listing import MAX_ATTEMPTS
from connector.catch_up.schedule import CatchUp, StoreLock, is_due
from connector.core.exceptions import DatabaseUnavailableError
from connector.core.http_result import HttpResult
from connector.core.worker_id import new_worker_id
from connector.database.coordination import acquire_lock
from connector.database.models import StoreReading
from connector.database.readings import begin_reading, load_reading, retry_delay_s
from connector.operations import actions
from tests.support.listing import Shop, changed_order, open_shop, recorded_reading
from tests.support.mapping_cases import build_store
from tests.support.service import Service

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def minutes_earlier(minutes: float | None) -> datetime | None:
    return None if minutes is None else NOW - timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("began", "started", "finished", "failures", "requested", "expected"),
    [
        # No reading yet, and none since the start.
        (0, None, None, 0, None, True),
        (1, 30, 29, 0, None, True),
        # Again when the lag of five minutes after the start is over.
        (4, 3, 3, 0, None, False),
        (5, 4, 4, 0, None, True),
        (6, 1, 1, 0, None, False),
        # At the interval.
        (600, 59, 58, 0, None, False),
        (600, 60, 59, 0, None, True),
        # Interrupted, as by a process that died.
        (600, 10, None, 0, None, True),
        (600, 10, 20, 0, None, True),
        # After a failure: pauses of 30 s, 1 min, 2 min, 4 min, up to the interval.
        (600, 0.4, 60, 1, None, False),
        (600, 0.6, 60, 1, None, True),
        (600, 3.9, 60, 4, None, False),
        (600, 4.1, 60, 4, None, True),
        (600, 59, 120, 30, None, False),
        (600, 61, 120, 30, None, True),
        # On request.
        (600, 10, 9, 0, 1, True),
        (600, 0.1, 60, 5, 0, True),
    ],
)
def test_store_is_read_when_it_is_due(
    began: float,
    started: float | None,
    finished: float | None,
    failures: int,
    requested: float | None,
    expected: bool,
) -> None:
    reading = StoreReading(
        store="tienda",
        read_until=NOW,
        started_at=minutes_earlier(started),
        finished_at=minutes_earlier(finished),
        failures=failures,
        requested_at=minutes_earlier(requested),
    )
    store = build_store("woocommerce")
    began_at = NOW - timedelta(minutes=began)
    assert is_due(store, reading, now=NOW, began_at=began_at) is expected
    never = replace(store, catch_up_every_s=0.0)
    assert is_due(never, reading, now=NOW, began_at=began_at) is (requested is not None)


def test_pause_after_failures_is_no_longer_than_the_interval() -> None:
    store = build_store("woocommerce", catch_up_every_s=100)
    assert [retry_delay_s(store, failures) for failures in (1, 2, 3, 5_000)] == [30, 60, 100, 100]


@pytest.fixture
def shop(service: Service, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return open_shop(service, monkeypatch)


def start_worker(service: Service) -> CatchUp:
    return CatchUp(lambda: service.runtime, new_worker_id(), lambda: False)


def run_once(*workers: CatchUp) -> None:
    for worker in workers:
        worker.start_due()
    for worker in workers:
        worker.wait(10)


def readings_of(shop: Shop) -> int:
    return shop.pages_requested.count("1")


def test_stores_without_an_api_are_not_read(service: Service, shop: Shop) -> None:
    worker = start_worker(service)
    assert [store.name for store in worker.stores()] == ["tienda-ar"]


def test_worker_reads_at_its_start_and_when_the_lag_has_passed(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, 1)]
    worker = start_worker(service)
    run_once(worker)
    service.drain()
    assert len(service.sandbox.orders("lapyme")) == 1
    shop.orders.append(changed_order(service, 2, minutes=4))  # lost while no worker ran
    service.clock.forward(240)
    run_once(worker)
    assert readings_of(shop) == 1
    service.clock.forward(61)
    run_once(worker)
    service.drain()
    assert len(service.sandbox.orders("lapyme")) == 2
    service.clock.forward(3_500)
    run_once(worker)
    assert readings_of(shop) == 2
    service.clock.forward(200)
    run_once(worker)
    assert readings_of(shop) == 3


def test_interval_of_zero_reads_only_on_request(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(service, monkeypatch, catch_up_every_s=0.0)
    worker = start_worker(service)
    run_once(worker)
    service.clock.forward(86_400)
    run_once(worker)
    assert (shop.requests, load_reading(service.database, shop.store.id)) == ([], None)
    begin_reading(service.database, shop.store.id, floor=service.clock() - timedelta(hours=1))
    request_reading(service, shop)
    run_once(worker)
    run_once(worker)
    assert readings_of(shop) == 1
    assert recorded_reading(service, shop).requested_at is None


def test_request_before_the_first_reading_is_met_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(service, monkeypatch, since=None, catch_up_every_s=0.0)
    service.clock.forward(3_600)
    shop.orders = [changed_order(service, 1)]
    actions.request_catch_up(service.runtime, shop.store.name, actor="ana")
    worker = start_worker(service)
    run_once(worker)
    run_once(worker)
    assert readings_of(shop) == 1
    reading = recorded_reading(service, shop)
    assert (reading.requested_at, reading.orders_missing) == (None, 1)
    assert reading.read_until > service.clock() - timedelta(minutes=6)


def request_reading(service: Service, shop: Shop) -> None:
    with service.database.write() as transaction:
        transaction.connection.exec_driver_sql("UPDATE store_readings SET requested_at = started_at")


def test_stores_are_read_when_the_database_is_back(
    service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = start_worker(service)
    run_once(worker)
    service.clock.forward(600)
    run_once(worker)
    service.clock.forward(600)

    def fail(*_: Any) -> Any:
        raise DatabaseUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(schedule, "load_readings", fail)
        with pytest.raises(DatabaseUnavailableError):
            worker.start_due()
    run_once(worker)
    assert readings_of(shop) == 3
    service.clock.forward(301)
    run_once(worker)
    assert readings_of(shop) == 4


def test_silent_store_is_read_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(service, monkeypatch, catch_up_every_s=1_000_000.0)
    service.post_woo(changed_order(service, 1))
    worker = start_worker(service)
    run_once(worker)
    service.clock.forward(600)
    run_once(worker)
    service.clock.forward(47 * 3_600)
    run_once(worker)
    assert readings_of(shop) == 2
    service.clock.forward(3_600)
    run_once(worker)
    run_once(worker)
    assert readings_of(shop) == 3


def test_two_workers_read_a_store_once(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, number) for number in range(1, 8)]
    run_once(*(start_worker(service) for _ in range(3)))
    assert readings_of(shop) == 1
    assert len(service.deliveries()) == 7


def test_other_worker_takes_over_from_one_that_died(service: Service, shop: Shop) -> None:
    worker = start_worker(service)
    run_once(worker)
    service.clock.forward(600)
    run_once(worker)
    service.clock.forward(600)
    begin_reading(service.database, shop.store.id, floor=service.clock())
    assert acquire_lock(service.database, f"catch-up:{shop.store.id}", "other-machine:1:2:3", lease_s=300)
    run_once(worker)
    assert readings_of(shop) == 2
    service.clock.forward(301)
    run_once(worker)
    assert readings_of(shop) == 3


def test_reading_ends_when_the_process_is_to_stop(service: Service, shop: Shop) -> None:
    shop.orders = [changed_order(service, number, minutes=60 - number) for number in range(1, 6)]
    worker = CatchUp(lambda: service.runtime, new_worker_id(), lambda: len(shop.requests) >= 2)
    run_once(worker)
    assert len(service.deliveries()) == 4
    assert recorded_reading(service, shop).failures == 0
    assert StoreLock(service.database, shop.store.id, "next-worker").acquire()


def test_reading_ends_when_another_process_has_the_lock(
    service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "LOCK_RENEW_S", 0.0)
    shop.orders = [changed_order(service, number, minutes=60 - number) for number in range(1, 6)]

    def take_over(number: int) -> None:
        service.clock.forward(301)
        acquire_lock(service.database, f"catch-up:{shop.store.id}", "other-machine:1:2:3", lease_s=300)

    shop.on_request = take_over
    run_once(start_worker(service))
    assert len(shop.requests) == 1


def test_store_that_asks_for_patience_is_left_alone(service: Service, shop: Shop) -> None:
    shop.responses = [HttpResult(status=429, headers={"retry-after": "900"})] * MAX_ATTEMPTS
    worker = start_worker(service)
    run_once(worker)
    service.clock.forward(300)
    run_once(worker)
    assert len(shop.requests) == 1


def test_fault_is_not_repeated_at_once(service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fail(*_: Any, **__: Any) -> Any:
        calls.append(1)
        raise ValueError

    monkeypatch.setattr(schedule, "read_changes", fail)
    worker = start_worker(service)
    run_once(worker)
    run_once(worker)
    assert len(calls) == 1


def test_running_worker_catches_up(
    service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch, open_service: Callable[..., Service]
) -> None:
    import threading
    import time

    shop.orders = [changed_order(service, 1)]
    worker = service.worker()
    running = threading.Thread(target=worker.run)
    running.start()
    until = time.monotonic() + 10
    while not service.sandbox.orders("lapyme") and time.monotonic() < until:
        time.sleep(0.01)
    worker.stop()
    running.join()
    assert len(service.sandbox.orders("lapyme")) == 1
