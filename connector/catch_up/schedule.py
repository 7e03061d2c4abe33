"""Decides when a worker reads a store: at its start, at intervals, after a silence, and when a person asks for it."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any

from connector.catch_up.listing import ReadingStoppedError
from connector.catch_up.reading import ReadingResult, read_changes
from connector.core.exceptions import DatabaseUnavailableError
from connector.core.messages import build_message
from connector.core.worker_id import new_worker_id
from connector.database.coordination import acquire_lock, release_lock, release_lock_of_dead_holder
from connector.database.engine import Database
from connector.database.models import StoreReading
from connector.database.readings import FIRST_RETRY_S, is_unfinished, load_reading, next_reading_at
from connector.database.stats.overview import last_webhook_by_store
from connector.database.stopped_stores import read_stopped_stores
from connector.database.store_status import load_readings
from connector.runtime import Runtime
from mappings.settings import Store

#: Stores that one worker reads at a time.
MAX_READINGS = 4
#: How long the lock outlives a process that died on another machine, and how often it is extended.
LOCK_TTL_S, LOCK_RENEW_S = 300.0, 20.0
LOCK_RETRY_S = 0.2


def lock_name(store_id: str) -> str:
    return f"catch-up:{store_id}"


class StoreLock:
    """The right to read a store, which one process has at a time."""

    def __init__(self, database: Database, store_id: str, holder: str) -> None:
        self.database = database
        self.name = lock_name(store_id)
        self.holder = holder
        self._renew_at = 0.0  # monotonic

    def acquire(self) -> bool:
        release_lock_of_dead_holder(self.database, self.name)
        return self.renew()

    def renew(self) -> bool:
        """Extend the lock if it is time to. Return whether it is held."""
        if monotonic() < self._renew_at:
            return True
        is_held = acquire_lock(self.database, self.name, self.holder, lease_s=LOCK_TTL_S)
        if is_held:
            self._renew_at = monotonic() + LOCK_RENEW_S
        return is_held

    def release(self) -> None:
        release_lock(self.database, self.name, self.holder)


def read_with_lock(
    runtime: Runtime, store: Store, lock: StoreLock, *, should_stop: Callable[[], bool], **options: Any
) -> ReadingResult:
    """Read what changed in a store while `lock` is held, and release it. Takes the options of `read_changes`."""

    def check() -> None:
        if should_stop() or not lock.renew():
            raise ReadingStoppedError

    try:
        return read_changes(runtime, store, check=check, **options)
    finally:
        lock.release()


def read_when_free(
    runtime: Runtime,
    store: Store,
    *,
    wait_s: float,
    on_wait: Callable[[], None] = lambda: None,
    should_stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> ReadingResult:
    """Read what changed in a store, as soon as no other process does. Takes the options of `read_changes`.

    Args:
        wait_s: how long to wait for the other process.
        on_wait: called once if it has to wait.
    """
    if options.get("dry_run"):
        return read_changes(runtime, store, **options)
    lock = StoreLock(runtime.database, store.id, new_worker_id())
    deadline, has_waited = monotonic() + wait_s, False
    while not lock.acquire():
        if not has_waited:
            on_wait()
        has_waited = True
        if monotonic() >= deadline or should_stop():
            return ReadingResult(store=store.id, error=build_message("listing_busy"))
        sleep(LOCK_RETRY_S)
    return read_with_lock(runtime, store, lock, should_stop=should_stop, **options)


def is_due(store: Store, reading: StoreReading | None, *, now: datetime, began_at: datetime) -> bool:
    """Return whether to read a store now.

    Args:
        began_at: when this worker started, or when the database was back. A store is read then, and again
            `catch_up_lag_s` later, for the orders that were too young the first time.
    """
    if reading is not None and reading.requested_at is not None:
        return True
    if store.catch_up_every_s == 0:
        return False
    if reading is None or reading.started_at is None:
        return True
    lag_is_over_at = began_at + timedelta(seconds=store.catch_up_lag_s)
    if reading.started_at < began_at or reading.started_at < lag_is_over_at <= now:
        return True
    if is_unfinished(reading):
        return True  # interrupted, unless another process holds the lock
    return now >= next_reading_at(store, reading.started_at, reading.failures)


class CatchUp:
    """Reads the stores that are due, each in a thread.

    Args:
        get_runtime: returns the worker's runtime, which changes when a lookup table does.
        holder: the worker's id.
    """

    def __init__(self, get_runtime: Callable[[], Runtime], holder: str, should_stop: Callable[[], bool]) -> None:
        self.get_runtime = get_runtime
        self.holder = holder
        self.should_stop = should_stop
        self._began_at: datetime | None = None  # None: the database was not reached yet, or is away
        self._threads: dict[str, threading.Thread] = {}  # by store id
        self._not_before: dict[str, float] = {}  # by store id, monotonic: what the store asked for

    def stores(self) -> list[Store]:
        settings = self.get_runtime().settings
        return [store for store in settings.stores.values() if settings.can_list_orders(store)]

    def start_due(self) -> bool:
        """Duty: start reading the stores that are due. Returns False: nothing is left to do at once."""
        try:
            for store, started_at in self.due_stores():
                self._threads = {id_: thread for id_, thread in self._threads.items() if thread.is_alive()}
                if store.id not in self._threads and len(self._threads) < MAX_READINGS:
                    thread = threading.Thread(
                        target=self.read, args=(store, started_at), name=f"catch-up-{store.id}", daemon=True
                    )
                    self._threads[store.id] = thread
                    thread.start()
        except DatabaseUnavailableError:
            self._began_at = None
            raise
        return False

    def due_stores(self) -> list[tuple[Store, datetime | None]]:
        """Return the stores to read now, each with when its last reading began."""
        runtime = self.get_runtime()
        readings = load_readings(runtime.database)
        now = runtime.clock()
        self._began_at = self._began_at or now
        stopped = read_stopped_stores(runtime.database)
        stores = [store for store in self.stores() if store.id not in stopped]
        stores = [store for store in stores if monotonic() >= self._not_before.get(store.id, 0.0)]
        due = [store for store in stores if is_due(store, readings.get(store.id), now=now, began_at=self._began_at)]
        silent = [store for store in stores if store not in due and self.may_be_silent(store, readings.get(store.id))]
        if silent:
            last_webhooks = last_webhook_by_store(runtime.database, [store.id for store in silent])
            due += [store for store in silent if self.is_silent(store, readings[store.id], last_webhooks[store.id])]
        return [(store, last_start(readings.get(store.id))) for store in due]

    def max_silence(self, store: Store) -> timedelta:
        alerts = self.get_runtime().settings.alerts
        return timedelta(hours=alerts.silent_after_h_by_store.get(store.id, alerts.silent_after_h))

    def may_be_silent(self, store: Store, reading: StoreReading | None) -> bool:
        """Return whether a silence may begin before the store is due. It rarely does, so webhooks are rarely read."""
        max_silence = self.max_silence(store)
        if reading is None or reading.started_at is None or store.catch_up_every_s <= max_silence.total_seconds():
            return False
        return not reading.failures and self.get_runtime().clock() - reading.started_at >= timedelta(minutes=1)

    def is_silent(self, store: Store, reading: StoreReading, last_webhook_at: datetime | None) -> bool:
        """Return whether the store has been silent for too long, and was not read since."""
        if last_webhook_at is None or reading.started_at is None:
            return False
        silent_at = last_webhook_at + self.max_silence(store)
        return reading.started_at < silent_at <= self.get_runtime().clock()

    def read(self, store: Store, started_at: datetime | None) -> None:
        """Read one store, unless another process does, or has begun since `started_at`. Raises nothing."""
        runtime = self.get_runtime()
        lock = StoreLock(runtime.database, store.id, self.holder)
        try:
            if not lock.acquire():
                return
            if last_start(load_reading(runtime.database, store.id)) != started_at:
                lock.release()
                return
            result = read_with_lock(runtime, store, lock, should_stop=self.should_stop)
        except DatabaseUnavailableError:
            runtime.log.warning("catch_up_interrupted", store=store.id)
        except Exception as error:
            self._not_before[store.id] = monotonic() + FIRST_RETRY_S
            runtime.log.error("catch_up_failed", store=store.id, error=type(error).__name__)
        else:
            self._not_before[store.id] = monotonic() + result.retry_after_s
            runtime.log.info(
                "catch_up",
                store=store.id,
                orders=result.orders,
                missing=len(result.missing),
                is_complete=result.is_complete,
            )

    def wait(self, timeout_s: float) -> None:
        """Wait until the readings under way have stopped, or the time is up."""
        deadline = monotonic() + timeout_s
        for thread in list(self._threads.values()):
            thread.join(timeout=max(0.0, deadline - monotonic()))


def last_start(reading: StoreReading | None) -> datetime | None:
    return reading.started_at if reading is not None else None
