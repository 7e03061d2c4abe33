"""When a worker deletes what is older than the configuration keeps: soon after it starts, and then daily."""

import random
from collections.abc import Callable
from time import monotonic, sleep

from connector.database.coordination import acquire_lock, release_lock, release_lock_of_dead_holder
from connector.operations.retention import apply_retention, last_run_at, record_run
from connector.runtime import Runtime

#: After a start, between once and twice this: other processes start at the same time, and have more urgent work.
START_DELAY_S = 60.0
RUN_EVERY_S = 86_400.0
#: Another worker has done it, if its run ended in this time.
RECENT_S = 3_600.0
#: After a run that failed, or that another process was making.
RETRY_S = 600.0
#: Rows per transaction, and the pause after each, so that webhooks and deliveries can be stored in between.
BATCH_SIZE, PAUSE_S = 100, 0.25
#: How long the lock outlives a process that died on another machine.
LOCK_TTL_S = 300.0
RETENTION_LOCK = "retention"


class RunStoppedError(Exception):
    """The worker stops, or another process has taken the lock. The next run continues."""


class RetentionSchedule:
    """The runs of one worker.

    Args:
        should_stop: whether the worker stops. It is checked after each transaction.
    """

    def __init__(self, runtime: Runtime, worker_id: str, should_stop: Callable[[], bool]) -> None:
        self.runtime = runtime
        self.worker_id = worker_id
        self.should_stop = should_stop
        self._next_run = monotonic() + START_DELAY_S * random.uniform(1.0, 2.0)  # noqa: S311  # not for secrets

    def run(self) -> bool:
        """Make a run if it is due. Return False: the next look is after the duty's interval."""
        if monotonic() < self._next_run:
            return False
        self._next_run = monotonic() + RETRY_S  # also if it raises
        database = self.runtime.database
        last_run = last_run_at(database)
        age_s = (database.clock() - last_run).total_seconds() if last_run else RECENT_S
        if 0 <= age_s < RECENT_S:
            self._next_run = monotonic() + RUN_EVERY_S - age_s
            return False
        release_lock_of_dead_holder(database, RETENTION_LOCK)
        if not self._acquire_lock():
            return False
        try:
            self._apply()
        except RunStoppedError:
            self.runtime.log.info("retention_stopped")
        else:
            self._next_run = monotonic() + RUN_EVERY_S
        finally:
            release_lock(database, RETENTION_LOCK, self.worker_id)
        return False

    def _apply(self) -> None:
        began_at = monotonic()
        result = apply_retention(self.runtime, batch_size=BATCH_SIZE, pause=self._pause)
        record_run(self.runtime.database)
        self.runtime.log.info(
            "retention_applied",
            deliveries=result.pruned.deliveries,
            events=result.pruned.events,
            expired=result.expired,
            audit_entries=result.audit_entries,
            expire_soon=result.announced,
            seconds=round(monotonic() - began_at, 1),
        )

    def _acquire_lock(self) -> bool:
        """Acquire the lock, or extend it."""
        return acquire_lock(self.runtime.database, RETENTION_LOCK, self.worker_id, lease_s=LOCK_TTL_S)

    def _pause(self) -> None:
        """Raises `RunStoppedError`."""
        sleep(PAUSE_S)
        if self.should_stop() or not self._acquire_lock():
            raise RunStoppedError
