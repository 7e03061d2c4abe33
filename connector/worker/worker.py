"""The worker: claims due deliveries, delivers them in threads, and releases what it has not sent when it stops."""

import math
import os
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic, sleep

from connector.alerts import start_monitor
from connector.catch_up.schedule import CatchUp
from connector.core.exceptions import ConnectorError, DatabaseUnavailableError
from connector.core.worker_id import is_dead, new_worker_id
from connector.database.claims import (
    ClaimedDelivery,
    Limit,
    accounts_with_due_work,
    claim_deliveries,
    ensure_circuits,
    expire_leases_of_dead_workers,
    recover_interrupted,
    release_claims,
)
from connector.database.coordination import (
    PRESENCE_TTL_S,
    WORKER_LOCK,
    acquire_lock,
    release_lock,
    release_lock_of_dead_holder,
)
from connector.delivery.changes import compare_changed
from connector.delivery.deliver import deliver
from connector.delivery.requeue import MAX_PER_RUN, requeue_mappable
from connector.observability.logs import flush_log
from connector.operations.jobs import advance_jobs
from connector.privacy.erase import erase_pending
from connector.privacy.requests import close_erased_requests
from connector.runtime import Runtime, check_database_generation
from connector.worker.duties import Duty
from connector.worker.in_flight import InFlight
from connector.worker.reload import reload_settings
from connector.worker.retention import RetentionSchedule
from connector.worker.webhook_checks import POLL_EVERY_S, WebhookChecks

#: With many deliveries in flight, those that finish within this time are replaced by one claim. With few, the claim
#: costs less than the wait.
BATCH_DELAY_S, BATCH_FROM = 0.01, 16
#: How often a sleeping thread looks for `stop`.
STOP_CHECK_S = 0.1
DATABASE_RETRY_S = 1.0
#: Intervals of the duties. Between the pages of a job there is a pause for webhooks to be written.
RECOVER_EVERY_S = 2.0
RELOAD_EVERY_S = 2.0
REQUEUE_EVERY_S = 60.0
PRESENCE_EVERY_S = 5.0
CHECK_GENERATION_EVERY_S = 2.0
JOBS_EVERY_S, JOB_PAGE_EVERY_S = 1.0, 0.05
COMPARE_EVERY_S = 2.0
ERASE_PENDING_EVERY_S = 30.0
CLOSE_UNUSED_EVERY_S = 1.0
#: Connections that are opened for an account's next deliveries, for each that may be in flight: opening one takes two
#: round trips, TCP's and TLS's, and sending one.
READY_PER_SLOT = 2
RETENTION_CHECK_EVERY_S = 5.0
#: How often to look for stores whose orders are to be read, and how long a reading may take to stop.
CATCH_UP_CHECK_EVERY_S, CATCH_UP_STOP_S = 2.0, 2.0
#: How long attempts in flight may take after SIGTERM. Heroku kills a process 30 s after it:
#: https://devcenter.heroku.com/articles/dyno-shutdown-behavior, read 2026-11-21.
DRAIN_TIMEOUT_S = 25.0


class Worker:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.worker_id = new_worker_id()
        self.in_flight = InFlight()
        self.is_stopping = False  # not an `Event`: its lock may be held by the thread that a signal interrupts
        self._work_available = threading.Event()
        self._backlogged: set[str] = set()  # accounts that had more due work than free slots
        self._next_full_scan = 0.0  # monotonic: when all accounts are next checked for due work
        self._is_database_down = False
        accounts = runtime.settings.accounts
        self._limits = {id_: Limit(account.concurrency, account.rate_per_s) for id_, account in accounts.items()}
        # Open deliveries of a retired account are claimed too, to be parked with the reason.
        self._limits |= {id_: Limit(1) for id_ in runtime.settings.retired}
        worker_processes = runtime.settings.environment.worker_processes or 1
        self._shares = {id_: math.ceil(limit.concurrency / worker_processes) for id_, limit in self._limits.items()}
        self.catch_up = CatchUp(lambda: self.runtime, self.worker_id, lambda: self.is_stopping)
        self._requeue_duty = Duty(run=self.requeue_mappable, interval_s=REQUEUE_EVERY_S)
        self._duties = [
            Duty(run=self.check_generation, interval_s=CHECK_GENERATION_EVERY_S),  # first: before anything is claimed
            Duty(run=self.reload_settings, interval_s=RELOAD_EVERY_S),
            self._requeue_duty,
            Duty(run=self.recover, interval_s=RECOVER_EVERY_S),
            Duty(run=self.show_presence, interval_s=PRESENCE_EVERY_S),
            Duty(run=self.close_unused_connections, interval_s=CLOSE_UNUSED_EVERY_S),
        ]

    def stop(self) -> None:
        """Claim nothing more, so that `run` returns when the attempts in flight are done. Safe in a signal handler."""
        self.is_stopping = True

    def run(self) -> None:
        """Deliver until `stop`. While the database is unavailable, wait for it."""
        thread_count = sum(self._shares.values())  # no account waits for another
        pool = ThreadPoolExecutor(max_workers=thread_count, thread_name_prefix="deliver")
        jobs = threading.Thread(target=self.run_jobs, name="jobs", daemon=True)
        comparisons = threading.Thread(target=self.run_comparisons, name="comparisons", daemon=True)
        catch_up = threading.Thread(target=self.run_catch_up, name="catch-up", daemon=True)
        erasures = threading.Thread(target=self.run_erasures, name="erasures", daemon=True)
        webhook_checks = threading.Thread(target=self.run_webhook_checks, name="webhook-checks", daemon=True)
        retention = threading.Thread(target=self.run_retention, name="retention", daemon=True)
        self.runtime.log.info("worker_started", accounts=len(self.runtime.settings.accounts), threads=thread_count)
        jobs.start()
        comparisons.start()
        catch_up.start()
        erasures.start()
        webhook_checks.start()
        retention.start()
        with self.runtime.database.listen(self._work_available.set):
            while not self.is_stopping:
                self._work_available.clear()
                self.deliver_due(pool)
                self.wait_for_work(self.runtime.database.backend.poll_interval_s)
            self.shut_down(pool)
        jobs.join(timeout=JOBS_EVERY_S)
        self.catch_up.wait(CATCH_UP_STOP_S)

    def deliver_due(self, pool: ThreadPoolExecutor) -> None:
        """Run the duties that are due, and start delivering what can be claimed."""
        try:
            self.run_duties()
            for claimed in self.claim_due():
                self.start(pool, claimed)
        except DatabaseUnavailableError:
            if not self._is_database_down:
                self.runtime.log.warning("database_away", what="waiting for it")
            self._is_database_down = True
            sleep(DATABASE_RETRY_S)
        else:
            if self._is_database_down:
                self.runtime.log.info("database_back")
            self._is_database_down = False

    def run_duties(self) -> None:
        for duty in self._duties:
            duty.run_if_due()

    def claim_due(self) -> list[ClaimedDelivery]:
        """Claim as many due deliveries as there are free slots, for every account."""
        sending, recording = self.in_flight.count_by_account()
        free_slots = {id_: share - sending[id_] for id_, share in self._shares.items()}
        accounts = self.accounts_due([account for account, slots in free_slots.items() if slots > 0])
        if not accounts:
            return []
        claimed = claim_deliveries(
            self.runtime.database,
            worker_id=self.worker_id,
            limits={account: self._limits[account] for account in accounts},
            lease_s=self.runtime.settings.environment.lease_s,
            max_claims=free_slots,
            credentials_version=self.runtime.settings.entered_credentials_version or 0,
        )
        counts = Counter(item.delivery.account for item in claimed)
        self._backlogged = {
            account for account in accounts if counts[account] >= max(1, free_slots[account] - recording[account])
        }
        self.open_connections(counts)
        # A suspended process or a clock that jumped can let a lease expire under one of our own threads. That thread
        # continues under the new lease: a second one would send the same attempt again.
        in_flight_ids = self.in_flight.ids()
        return [item for item in claimed if item.delivery.id not in in_flight_ids]

    def open_connections(self, claimed: Mapping[str, int]) -> None:
        """Open connections for what was claimed, while it is mapped and committed, and for what follows it.

        Args:
            claimed: numbers of deliveries by account id.
        """
        for account, count in claimed.items():
            if account not in self.runtime.account_clients:
                continue  # retired
            limit = self._limits[account]
            following = limit.concurrency * READY_PER_SLOT if account in self._backlogged else 0
            if limit.rate_per_s is not None:
                following = min(following, math.ceil(limit.rate_per_s))
            self.runtime.account_clients[account].client.open_ahead(count + following)

    def close_unused_connections(self) -> bool:
        """Duty: close what was opened for deliveries that did not follow."""
        for clients in self.runtime.account_clients.values():
            clients.client.close_unused()
        return False

    def accounts_due(self, accounts: list[str]) -> list[str]:
        """Return those of `accounts` that have due deliveries.

        Accounts with a backlog are taken to have more, so that the others are only checked every `poll_interval_s`.
        """
        backlogged = [account for account in accounts if account in self._backlogged]
        if not accounts or (backlogged and monotonic() < self._next_full_scan):
            return backlogged
        self._next_full_scan = monotonic() + self.runtime.database.backend.poll_interval_s
        return accounts_with_due_work(self.runtime.database, accounts)

    def start(self, pool: ThreadPoolExecutor, claimed: ClaimedDelivery) -> None:
        """Deliver in a thread of the pool."""

        def on_done(_: Future[None]) -> None:
            self.in_flight.remove(claimed)
            self._work_available.set()

        future = pool.submit(self.process, claimed)
        self.in_flight.add(claimed, future)
        future.add_done_callback(on_done)

    def process(self, claimed: ClaimedDelivery) -> None:
        """Deliver. Raises nothing: after an error, the claim expires, and the delivery is recovered then."""

        def on_response() -> None:
            self.in_flight.mark_recording(claimed)
            self._work_available.set()  # others may be claimed meanwhile

        try:
            with self.runtime.tracing.span("deliver", kind="consumer", parent=claimed.event.traceparent) as span:
                span.set_attributes(delivery_id=claimed.delivery.id, account=claimed.delivery.account)
                deliver(self.runtime, claimed, on_response=on_response)
        except ConnectorError as error:
            self.runtime.log.warning(
                "delivery_interrupted", delivery_id=claimed.delivery.id, error=type(error).__name__
            )
        except Exception as error:
            self.runtime.log.error("delivery_failed", delivery_id=claimed.delivery.id, error=type(error).__name__)

    def ensure_circuits(self) -> None:
        """Create missing rows of circuits. Claims lock them, so that workers share each account's limits."""
        ensure_circuits(self.runtime.database, self._limits)

    def recover(self) -> bool:
        """Duty: free what dead workers had claimed, and settle what was being sent when its lease expired."""
        database = self.runtime.database
        self.ensure_circuits()
        release_claims(database, self.worker_id, exclude=self.in_flight.ids())
        expire_leases_of_dead_workers(database, is_dead)
        for delivery_id in recover_interrupted(
            database, destinations_with_idempotency=self.runtime.destinations_with_idempotency
        ):
            self.runtime.log.warning("recovered", delivery_id=delivery_id)
        return False

    def check_generation(self) -> bool:
        """Duty: hold what may have been sent, if the database was restored from a backup or changed its server."""
        check_database_generation(self.runtime.settings, self.runtime.database)
        return False

    def show_presence(self) -> bool:
        """Duty: hold the lock by which other processes see that a worker runs, unless another worker does."""
        release_lock_of_dead_holder(self.runtime.database, WORKER_LOCK)
        acquire_lock(self.runtime.database, WORKER_LOCK, self.worker_id, lease_s=PRESENCE_TTL_S)
        return False

    def reload_settings(self) -> bool:
        """Duty: use the lookup tables and credentials as they are now, and requeue at once what waited for a row."""
        previous, self.runtime = self.runtime, reload_settings(self.runtime)
        if self.runtime is not previous:
            self._requeue_duty.next_run = 0.0
        return False

    def requeue_mappable(self) -> bool:
        """Duty: requeue deliveries whose missing rows were added, including those that other workers parked."""
        return requeue_mappable(self.runtime) >= MAX_PER_RUN

    def run_jobs(self) -> None:
        """Advance jobs until `stop`, beside the deliveries. Any number of workers may do so at once."""
        duty = Duty(
            run=lambda: advance_jobs(self.runtime),
            interval_s=JOBS_EVERY_S,
            busy_interval_s=JOB_PAGE_EVERY_S,
        )
        self.run_beside_deliveries(duty, failure="job_failed")

    def run_comparisons(self) -> None:
        """Compare delivered orders that changed with what was sent, until `stop`. Any number of workers may do so."""
        duty = Duty(run=lambda: compare_changed(self.runtime), interval_s=COMPARE_EVERY_S)
        self.run_beside_deliveries(duty, failure="comparisons_failed")

    def run_catch_up(self) -> None:
        """Read what changed in the stores when they are due, until `stop`. One worker at a time reads a store."""
        if self.catch_up.stores():
            duty = Duty(run=self.catch_up.start_due, interval_s=CATCH_UP_CHECK_EVERY_S)
            self.run_beside_deliveries(duty, failure="catch_up_failed")

    def run_erasures(self) -> None:
        """Erase orders that a person had erased once their deliveries have ended. Any number of workers may do so."""
        duty = Duty(run=self.erase_pending, interval_s=ERASE_PENDING_EVERY_S)
        self.run_beside_deliveries(duty, failure="erasures_failed")

    def erase_pending(self) -> bool:
        is_more = erase_pending(self.runtime)
        close_erased_requests(self.runtime)
        return is_more

    def run_webhook_checks(self) -> None:
        """Look at the stores' webhooks and repair them, until `stop`. Any number of workers may do so."""
        checks = WebhookChecks(self.runtime)
        if checks.stores:
            self.run_beside_deliveries(Duty(run=checks.run, interval_s=POLL_EVERY_S), failure="webhook_checks_failed")

    def run_retention(self) -> None:
        """Delete what is older than the configuration keeps, once a day, until `stop`. One worker at a time does it."""
        schedule = RetentionSchedule(self.runtime, self.worker_id, lambda: self.is_stopping)
        if not self.runtime.settings.retention.is_forever:
            self.run_beside_deliveries(
                Duty(run=schedule.run, interval_s=RETENTION_CHECK_EVERY_S), failure="retention_failed"
            )

    def run_beside_deliveries(self, duty: Duty, *, failure: str) -> None:
        while not self.is_stopping:
            try:
                duty.run_if_due()
            except DatabaseUnavailableError:
                pass  # `deliver_due` logs it
            except Exception as error:
                self.runtime.log.error(failure, error=type(error).__name__)
            sleep(min(STOP_CHECK_S, max(0.0, duty.next_run - monotonic())))

    def wait_for_work(self, seconds: float) -> None:
        """Wait until there may be something to claim, or `stop`."""
        deadline = monotonic() + seconds
        while not self.is_stopping and monotonic() < deadline:
            if self._work_available.wait(min(STOP_CHECK_S, seconds)):
                if len(self.in_flight) >= BATCH_FROM:
                    sleep(BATCH_DELAY_S)
                return

    def shut_down(self, pool: ThreadPoolExecutor) -> None:
        """Release the deliveries that are not being sent yet, and wait for those that are."""
        self.runtime.log.info("worker_stopping", in_flight=len(self.in_flight))
        try:
            release_claims(self.runtime.database, self.worker_id)
            release_lock(self.runtime.database, WORKER_LOCK, self.worker_id)
        except DatabaseUnavailableError:  # another worker will find that this process is dead
            self.runtime.log.warning("claims_not_released")
        self.in_flight.wait(DRAIN_TIMEOUT_S)
        pool.shutdown(wait=False, cancel_futures=True)
        self.runtime.log.info("worker_stopped", in_flight=len(self.in_flight))


def run_worker(runtime: Runtime) -> None:
    """Deliver until SIGTERM or SIGINT. Attempts that outlast `DRAIN_TIMEOUT_S` are left to be recovered."""
    worker = Worker(runtime)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: worker.stop())
    with start_monitor(runtime):
        worker.run()
    if worker.in_flight:
        flush_log()
        os._exit(0)  # the interpreter would wait for the threads
