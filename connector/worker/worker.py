"""The forwarder: claims what is due, carries it in threads, gives back what it did not send."""

import os
import signal
import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from time import monotonic, sleep

from connector.alerts import start_monitor
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
from connector.delivery.deliver import deliver
from connector.delivery.requeue import MAX_PER_RUN, reload_lookup_tables, requeue_mappable
from connector.observability.logs import flush_log
from connector.operations.actions import advance_bulk_retries
from connector.runtime import Runtime

#: Those that end within this time have their places filled by one claim.
BATCH_DELAY_S = 0.01
STOP_CHECK_S = 0.1
#: How often what a dead process was sending is looked for.
RECOVER_EVERY_S = 2.0
#: How often a job to retrigger many is looked for; and between two of its pages, so that webhooks need not wait.
JOBS_EVERY_S, JOB_PAGES_EVERY_S = 1.0, 0.05
#: How often it is looked for what a process parked that had not read a table again yet.
REQUEUE_EVERY_S = 60.0
#: What may take how long after SIGTERM. Heroku kills 30 s after it:
#: https://devcenter.heroku.com/articles/dyno-shutdown-behavior, read 2026-11-21.
DRAIN_TIMEOUT_S = 25.0


class Worker:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.worker_id = new_worker_id()
        self.is_stopping = False
        self._work_available = threading.Event()
        self._running: dict[Future[None], ClaimedDelivery] = {}
        self._recording: set[int] = set()  # of those, the deliveries that have been answered
        self._backlogged: set[str] = set()  # accounts that had more due than there was room for
        self._next_full_scan = 0.0  # monotonic: when all accounts are asked for what is due
        self._next_requeue_scan = 0.0  # monotonic: when what lacked rows is looked for
        accounts = runtime.settings.accounts
        self._limits = {id_: Limit(account.concurrency, account.rate_per_s) for id_, account in accounts.items()}
        # Orders on their way to a retired account are claimed too, to be parked with the reason.
        self._limits |= {id_: Limit(1) for id_ in runtime.settings.retired}

    def stop(self) -> None:
        """Claim nothing more; `run` ends when what is in flight has.

        It takes no lock, as an `Event` would: a signal may come while the thread that it interrupts holds that.
        """
        self.is_stopping = True

    def run(self) -> None:
        """Forward until `stop`. A database that is away is waited for."""
        threads = sum(limit.concurrency for limit in self._limits.values())  # no account waits for another's
        pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="deliver")
        self.runtime.log.info("forwarder_started", accounts=len(self.runtime.settings.accounts), threads=threads)
        next_recovery = monotonic()
        is_database_down = False
        poll_s = self.runtime.database.backend.poll_interval_s
        jobs_thread = threading.Thread(target=self.run_bulk_retries, name="jobs", daemon=True)
        jobs_thread.start()
        with self.runtime.database.listen(self._work_available.set):
            while not self.is_stopping:
                self._work_available.clear()
                try:
                    if monotonic() >= next_recovery:
                        self.recover()
                        next_recovery = monotonic() + RECOVER_EVERY_S
                    for claimed in self.claim_due():
                        future = pool.submit(self.process, claimed)
                        self._running[future] = claimed
                        future.add_done_callback(self._on_done)
                    if is_database_down:
                        self.runtime.log.info("database_back")
                    is_database_down = False
                except DatabaseUnavailableError:
                    if not is_database_down:
                        self.runtime.log.warning("database_away", what="waiting for it")
                    is_database_down = True
                    sleep(1.0)
                self.wait_for_work(poll_s)
            self.shut_down(pool)
        jobs_thread.join(timeout=JOBS_EVERY_S)

    def run_bulk_retries(self) -> None:
        """Retrigger what people want retriggered in bulk, until `stop`. Any number of forwarders may do so at once."""
        while not self.is_stopping:
            try:
                pause_s = JOB_PAGES_EVERY_S if advance_bulk_retries(self.runtime) else JOBS_EVERY_S
            except DatabaseUnavailableError:  # said by the loop that claims
                pause_s = JOBS_EVERY_S
            except Exception as error:
                self.runtime.log.error("job_failed", error=type(error).__name__)
                pause_s = JOBS_EVERY_S
            self.sleep_unless_stopped(pause_s)

    def sleep_unless_stopped(self, seconds: float) -> None:
        """Sleep so long, but not much past `stop`."""
        deadline = monotonic() + seconds
        while not self.is_stopping and monotonic() < deadline:
            sleep(min(STOP_CHECK_S, seconds))

    def wait_for_work(self, seconds: float) -> None:
        """Wait until there may be something to claim, or `stop`: that cannot wake a thread, so it is looked for."""
        deadline = monotonic() + seconds
        while not self.is_stopping and monotonic() < deadline:
            if self._work_available.wait(min(STOP_CHECK_S, seconds)):
                sleep(BATCH_DELAY_S)
                return

    def claim_due(self) -> list[ClaimedDelivery]:
        """Claim as many as there are threads for, of every account that has some."""
        in_flight, recording = self._count_in_flight()
        free_slots = {id_: limit.concurrency - in_flight[id_] for id_, limit in self._limits.items()}
        accounts_with_slots = [account for account, slots in free_slots.items() if slots > 0]
        accounts_due = self.accounts_due(accounts_with_slots) if accounts_with_slots else []
        if not accounts_due:
            return []
        claimed = claim_deliveries(
            self.runtime.database,
            worker_id=self.worker_id,
            limits={account: self._limits[account] for account in accounts_due},
            lease_s=self.runtime.settings.environment.lease_s,
        )
        claimed_counts = Counter(worker_id.delivery.account for worker_id in claimed)
        self._backlogged = {
            account
            for account in accounts_due
            if claimed_counts[account] >= max(1, free_slots[account] - recording[account])
        }
        # A process that was stopped, or a clock that jumped, lets a lease run out under one of our own threads. That
        # thread goes on under the new one: a second would send the same attempt again.
        in_flight_ids = set(self._in_flight_ids())
        return [worker_id for worker_id in claimed if worker_id.delivery.id not in in_flight_ids]

    def _count_in_flight(self) -> tuple[Counter[str], Counter[str]]:
        """How many of each account have yet to be answered, and have been: those leave their places any moment.

        The claim counts once more, in its transaction.
        """
        running = [claimed.delivery for claimed in list(self._running.values())]
        recording = Counter(delivery.account for delivery in running if delivery.id in self._recording)
        return Counter(delivery.account for delivery in running) - recording, recording

    def accounts_due(self, accounts: list[str]) -> list[str]:
        """Of these, the ones that have something due. Those that had more than could be claimed are not asked again,
        unless all were not asked for a while."""
        backlogged = [account for account in accounts if account in self._backlogged]
        if backlogged and monotonic() < self._next_full_scan:
            return backlogged
        self._next_full_scan = monotonic() + self.runtime.database.backend.poll_interval_s
        return accounts_with_due_work(self.runtime.database, accounts)

    def process(self, claimed: ClaimedDelivery) -> None:
        try:
            with self.runtime.tracing.span("deliver", kind="consumer", parent=claimed.event.traceparent) as span:
                span.set_attributes(delivery_id=claimed.delivery.id, account=claimed.delivery.account)
                deliver(self.runtime, claimed, on_response=lambda: self._mark_recording(claimed))
        except ConnectorError as error:  # the claim runs out, and the delivery is settled then
            self.runtime.log.warning(
                "delivery_interrupted", delivery_id=claimed.delivery.id, error=type(error).__name__
            )
        except Exception as error:
            self.runtime.log.error("delivery_failed", delivery_id=claimed.delivery.id, error=type(error).__name__)

    def _mark_recording(self, claimed: ClaimedDelivery) -> None:
        """Have others claimed while it is recorded what came of this one: that may be one transaction."""
        self._recording.add(claimed.delivery.id)
        self._work_available.set()

    def _on_done(self, future: Future[None]) -> None:
        claimed = self._running.pop(future, None)
        if claimed is not None:
            self._recording.discard(claimed.delivery.id)
        self._work_available.set()  # a place is free

    def ensure_circuits(self) -> None:
        """Have the row by which processes take turns at an account's limits, whatever became of it meanwhile."""
        ensure_circuits(self.runtime.database, self._limits)

    def recover(self) -> None:
        """Settle what was held by processes that died, or whose leases ran out."""
        database = self.runtime.database
        self.refresh_lookup_tables()
        self.ensure_circuits()
        release_claims(database, self.worker_id, exclude=self._in_flight_ids())
        expire_leases_of_dead_workers(database, is_dead)
        for delivery_id in recover_interrupted(
            database, destinations_with_idempotency=self.runtime.destinations_with_idempotency
        ):
            self.runtime.log.warning("recovered", delivery_id=delivery_id)

    def refresh_lookup_tables(self) -> None:
        """Go on with the tables as they are now, and wake what lacked a row of them."""
        previous, self.runtime = self.runtime, reload_lookup_tables(self.runtime)
        if self.runtime is not previous or monotonic() >= self._next_requeue_scan:
            has_more = requeue_mappable(self.runtime) >= MAX_PER_RUN
            self._next_requeue_scan = monotonic() + (0.0 if has_more else REQUEUE_EVERY_S)

    def _in_flight_ids(self) -> list[int]:
        return [claimed.delivery.id for claimed in list(self._running.values())]

    def shut_down(self, pool: ThreadPoolExecutor) -> None:
        """Give back what is not being sent, so that no socket opens that there is no time for; end what is."""
        self.runtime.log.info("forwarder_stopping", in_flight=len(self._running))
        try:
            release_claims(self.runtime.database, self.worker_id)
        except DatabaseUnavailableError:  # whoever comes next finds that this process is dead
            self.runtime.log.warning("claims_not_released")
        wait_for(set(self._running), timeout=DRAIN_TIMEOUT_S)
        pool.shutdown(wait=False, cancel_futures=True)
        self.runtime.log.info("forwarder_stopped", in_flight=len(self._running))


def run_worker(runtime: Runtime) -> None:
    """Forward until SIGTERM or SIGINT. Ends the process even if an attempt outlasts its time: its lease settles it."""
    worker = Worker(runtime)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: worker.stop())
    with start_monitor(runtime):
        worker.run()
    if worker._running:
        flush_log()
        os._exit(0)  # a thread cannot be ended; the interpreter would wait for it past the time we have
