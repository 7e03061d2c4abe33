"""The forwarder: claims what is due, carries it in threads, gives back what it did not send."""

import os
import signal
import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from time import monotonic, sleep

from connector.alerts import watching
from connector.core.exceptions import ConnectorError, DatabaseUnavailableError
from connector.core.worker_id import is_dead, name_claimant
from connector.database.claims import (
    Claimed,
    Limit,
    claim_deliveries,
    due_accounts,
    expire_dead,
    open_accounts,
    recover_lost,
    release_claims,
)
from connector.database.orders import row_id
from connector.delivery.deliver import deliver
from connector.delivery.requeue import MOST, read_tables_again, wake_mappable
from connector.observability.logs import flush_log
from connector.operations.actions import advance_jobs
from connector.runtime import Runtime

#: Those that end within this time have their places filled by one claim.
GATHER_S = 0.01
STOP_WITHIN_S = 0.1
#: How often what a dead process was sending is looked for.
RECOVER_EVERY_S = 2.0
#: How often a job to retrigger many is looked for; and between two of its pages, so that webhooks need not wait.
JOBS_EVERY_S, PAGES_EVERY_S = 1.0, 0.05
#: How often it is looked for what a process parked that had not read a table again yet.
WAKE_EVERY_S = 60.0
#: What may take how long after SIGTERM. Heroku kills 30 s after it:
#: https://devcenter.heroku.com/articles/dyno-shutdown-behavior, read 2026-11-21.
FINISH_S = 25.0


class Forwarder:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.claim = name_claimant()
        self.is_stopping = False
        self._wake = threading.Event()
        self._running: dict[Future[None], Claimed] = {}
        self._ending: set[int] = set()  # of those, the deliveries that have been answered
        self._behind: set[str] = set()  # accounts that had more due than there was room for
        self._look_at = 0.0  # monotonic: when all accounts are asked for what is due
        self._wake_at = 0.0  # monotonic: when what lacked rows is looked for
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
        is_away = False
        poll_s = self.runtime.database.dialect.poll_s
        jobs = threading.Thread(target=self.work_off_jobs, name="jobs", daemon=True)
        jobs.start()
        with self.runtime.database.listening(self._wake.set):
            while not self.is_stopping:
                self._wake.clear()
                try:
                    if monotonic() >= next_recovery:
                        self.recover()
                        next_recovery = monotonic() + RECOVER_EVERY_S
                    for claimed in self.claim_due():
                        future = pool.submit(self.carry, claimed)
                        self._running[future] = claimed
                        future.add_done_callback(self._finish)
                    if is_away:
                        self.runtime.log.info("database_back")
                    is_away = False
                except DatabaseUnavailableError:
                    if not is_away:
                        self.runtime.log.warning("database_away", what="waiting for it")
                    is_away = True
                    sleep(1.0)
                self.rest(poll_s)
            self.finish(pool)
        jobs.join(timeout=JOBS_EVERY_S)

    def work_off_jobs(self) -> None:
        """Retrigger what people want retriggered in bulk, until `stop`. Any number of forwarders may do so at once."""
        while not self.is_stopping:
            try:
                rest_s = PAGES_EVERY_S if advance_jobs(self.runtime) else JOBS_EVERY_S
            except DatabaseUnavailableError:  # said by the loop that claims
                rest_s = JOBS_EVERY_S
            except Exception as error:
                self.runtime.log.error("job_failed", error=type(error).__name__)
                rest_s = JOBS_EVERY_S
            self.sleep(rest_s)

    def sleep(self, seconds: float) -> None:
        """Sleep so long, but not much past `stop`."""
        sleep_until = monotonic() + seconds
        while not self.is_stopping and monotonic() < sleep_until:
            sleep(min(STOP_WITHIN_S, seconds))

    def rest(self, seconds: float) -> None:
        """Wait until there may be something to claim, or `stop`: that cannot wake a thread, so it is looked for."""
        rest_until = monotonic() + seconds
        while not self.is_stopping and monotonic() < rest_until:
            if self._wake.wait(min(STOP_WITHIN_S, seconds)):
                sleep(GATHER_S)
                return

    def claim_due(self) -> list[Claimed]:
        """Claim as many as there are threads for, of every account that has some."""
        in_flight, ending = self._count()
        room = {id_: limit.concurrency - in_flight[id_] for id_, limit in self._limits.items()}
        open_ = [account for account, free in room.items() if free > 0]
        due = self.due(open_) if open_ else []
        if not due:
            return []
        claimed = claim_deliveries(
            self.runtime.database,
            claim=self.claim,
            limits={account: self._limits[account] for account in due},
            lease_s=self.runtime.settings.environment.lease_s,
        )
        taken = Counter(one.delivery.account for one in claimed)
        self._behind = {account for account in due if taken[account] >= max(1, room[account] - ending[account])}
        # A process that was stopped, or a clock that jumped, lets a lease run out under one of our own threads. That
        # thread goes on under the new one: a second would send the same attempt again.
        held = set(self._held())
        return [one for one in claimed if row_id(one.delivery) not in held]

    def _count(self) -> tuple[Counter[str], Counter[str]]:
        """How many of each account have yet to be answered, and have been: those leave their places any moment.

        The claim counts once more, in its transaction.
        """
        running = [claimed.delivery for claimed in list(self._running.values())]
        answered = Counter(one.account for one in running if row_id(one) in self._ending)
        return Counter(one.account for one in running) - answered, answered

    def due(self, accounts: list[str]) -> list[str]:
        """Of these, the ones that have something due. Those that had more than could be claimed are not asked again,
        unless all were not asked for a while."""
        behind = [account for account in accounts if account in self._behind]
        if behind and monotonic() < self._look_at:
            return behind
        self._look_at = monotonic() + self.runtime.database.dialect.poll_s
        return due_accounts(self.runtime.database, accounts)

    def carry(self, claimed: Claimed) -> None:
        try:
            with self.runtime.tracing.span("deliver", kind="consumer", parent=claimed.event.traceparent) as span:
                span.tell(delivery_id=claimed.delivery.id, account=claimed.delivery.account)
                deliver(self.runtime, claimed, on_answer=lambda: self._end(claimed))
        except ConnectorError as error:  # the claim runs out, and the delivery is settled then
            self.runtime.log.warning(
                "delivery_interrupted", delivery_id=claimed.delivery.id, error=type(error).__name__
            )
        except Exception as error:
            self.runtime.log.error("delivery_failed", delivery_id=claimed.delivery.id, error=type(error).__name__)

    def _end(self, claimed: Claimed) -> None:
        """Have others claimed while it is recorded what came of this one: that may be one transaction."""
        self._ending.add(row_id(claimed.delivery))
        self._wake.set()

    def _finish(self, future: Future[None]) -> None:
        claimed = self._running.pop(future, None)
        if claimed is not None:
            self._ending.discard(row_id(claimed.delivery))
        self._wake.set()  # a place is free

    def open_accounts(self) -> None:
        """Have the row by which processes take turns at an account's limits, whatever became of it meanwhile."""
        open_accounts(self.runtime.database, self._limits)

    def recover(self) -> None:
        """Settle what was held by processes that died, or whose leases ran out."""
        database = self.runtime.database
        self.heed_tables()
        self.open_accounts()
        release_claims(database, self.claim, besides=self._held())
        expire_dead(database, is_dead)
        for delivery_id in recover_lost(database, keyed=self.runtime.keyed):
            self.runtime.log.warning("recovered", delivery_id=delivery_id)

    def heed_tables(self) -> None:
        """Go on with the tables as they are now, and wake what lacked a row of them."""
        known, self.runtime = self.runtime, read_tables_again(self.runtime)
        if self.runtime is not known or monotonic() >= self._wake_at:
            has_more = wake_mappable(self.runtime) >= MOST
            self._wake_at = monotonic() + (0.0 if has_more else WAKE_EVERY_S)

    def _held(self) -> list[int]:
        return [row_id(claimed.delivery) for claimed in list(self._running.values())]

    def finish(self, pool: ThreadPoolExecutor) -> None:
        """Give back what is not being sent, so that no socket opens that there is no time for; end what is."""
        self.runtime.log.info("forwarder_stopping", in_flight=len(self._running))
        try:
            release_claims(self.runtime.database, self.claim)
        except DatabaseUnavailableError:  # whoever comes next finds that this process is dead
            self.runtime.log.warning("claims_not_released")
        wait_for(set(self._running), timeout=FINISH_S)
        pool.shutdown(wait=False, cancel_futures=True)
        self.runtime.log.info("forwarder_stopped", in_flight=len(self._running))


def run_worker(runtime: Runtime) -> None:
    """Forward until SIGTERM or SIGINT. Ends the process even if an attempt outlasts its time: its lease settles it."""
    forwarder = Forwarder(runtime)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: forwarder.stop())
    with watching(runtime):
        forwarder.run()
    if forwarder._running:
        flush_log()
        os._exit(0)  # a thread cannot be ended; the interpreter would wait for it past the time we have
