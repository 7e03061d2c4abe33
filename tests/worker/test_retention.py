"""When a worker deletes old content: soon after its start, then daily, and one worker at a time."""

from collections.abc import Callable

import pytest

from connector.database.coordination import acquire_lock
from connector.database.models import Delivery
from connector.operations.retention import last_run_at
from connector.worker import retention
from connector.worker.retention import RETENTION_LOCK, RetentionSchedule
from tests.support.orders import woo_order
from tests.support.rows import read_rows_of
from tests.support.service import Service

DAY_S = 86_400


class Time:
    """`monotonic` of the schedules."""

    seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(retention, "monotonic", time)
    monkeypatch.setattr(retention, "PAUSE_S", 0.0)
    return time


@pytest.fixture
def old_orders(service: Service) -> Service:
    """A service with five orders that ended long ago."""
    for number in range(5):
        service.post_woo(woo_order(number))
    service.drain()
    service.clock.forward(91 * DAY_S)
    return service


def schedule(service: Service, name: str = "A", should_stop: Callable[[], bool] = lambda: False) -> RetentionSchedule:
    return RetentionSchedule(service.runtime, name, should_stop)


def advance(service: Service, time: Time, seconds: float) -> None:
    time.seconds += seconds
    service.clock.forward(seconds)


def pruned(service: Service) -> int:
    return sum(row["pruned_at"] is not None for row in read_rows_of(service, Delivery))


def test_first_run_is_one_to_two_minutes_after_a_start(old_orders: Service, time: Time) -> None:
    first = schedule(old_orders)
    advance(old_orders, time, 59)
    first.run()
    assert pruned(old_orders) == 0
    advance(old_orders, time, 62)
    first.run()
    assert pruned(old_orders) == 5


def test_next_run_is_a_day_later(old_orders: Service, time: Time) -> None:
    first = schedule(old_orders)
    advance(old_orders, time, 121)
    first.run()
    first_run = last_run_at(old_orders.database)
    advance(old_orders, time, DAY_S - 60)
    first.run()
    assert last_run_at(old_orders.database) == first_run
    advance(old_orders, time, 61)
    first.run()
    last_run = last_run_at(old_orders.database)
    assert first_run is not None
    assert last_run is not None
    assert last_run > first_run


def test_worker_skips_what_another_has_just_done(old_orders: Service, time: Time) -> None:
    first, second = schedule(old_orders), schedule(old_orders, "B")
    advance(old_orders, time, 121)
    first.run()
    first_run = last_run_at(old_orders.database)
    advance(old_orders, time, 30)
    second.run()
    assert last_run_at(old_orders.database) == first_run


def test_worker_waits_while_another_does_it(old_orders: Service, time: Time) -> None:
    assert acquire_lock(old_orders.database, RETENTION_LOCK, "B", lease_s=60)
    first = schedule(old_orders)
    advance(old_orders, time, 121)
    acquire_lock(old_orders.database, RETENTION_LOCK, "B", lease_s=60)
    first.run()
    assert pruned(old_orders) == 0
    advance(old_orders, time, 601)
    first.run()
    assert pruned(old_orders) == 5


def test_run_stops_with_its_worker_and_is_continued_by_the_next(
    old_orders: Service, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_SIZE", 2)
    stopping = schedule(old_orders, should_stop=lambda: True)
    advance(old_orders, time, 121)
    stopping.run()
    assert (pruned(old_orders), last_run_at(old_orders.database)) == (2, None)
    restarted = schedule(old_orders, "B")
    advance(old_orders, time, 121)
    restarted.run()
    assert pruned(old_orders) == 5
    assert last_run_at(old_orders.database) is not None
