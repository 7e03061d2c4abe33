"""Watches the database for what people must know, and sends alerts. One process at a time does it for all.

It runs in its own thread in the worker, or in a web process while there is no worker. No webhook or delivery waits for
it.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from connector.alerts.messages import build_section, compose_message
from connector.clients.notifiers import Message, build_notifier
from connector.core.exceptions import DatabaseUnavailableError
from connector.core.messages import build_message
from connector.core.worker_id import new_worker_id
from connector.database.alerts import (
    CONDITION_KINDS,
    AlertEvent,
    OngoingCondition,
    add_alert_events,
    collect_late_accounts,
    collect_notes,
    collect_open_circuits,
    collect_parked,
    collect_requests,
    delete_old_alerts,
    load_alerts,
    record_notified,
    sync_conditions,
)
from connector.database.coordination import (
    acquire_lock,
    get_checkpoint,
    is_worker_running,
    release_lock,
    release_lock_of_dead_holder,
    set_checkpoint,
)
from connector.database.expiry import read_expiring
from connector.database.lost_webhooks import read_lost_webhooks
from connector.database.models import Alert, StoppedStore
from connector.database.readings import is_failing
from connector.database.reconciliation.run import Discrepancy, Scope, reconcile
from connector.database.restores import load_status
from connector.database.signature_failures import is_recovered, read_signature_failures
from connector.database.stats.counters import last_event_times, roll_up_counters
from connector.database.stopped_stores import read_stopped_stores
from connector.database.store_errors import read_store_errors
from connector.database.store_status import load_readings, load_webhook_checks
from connector.runtime import Runtime
from connector.settings.alerts import Channel
from mappings.problems import Problem, load_problems

CHECK_EVERY_S = 5.0
#: A standby monitor checks this often, and takes over after this long without another.
STANDBY_AFTER_S = 30.0
#: How long the lock outlives a process that died.
LOCK_TTL_S = 60.0
#: How long a channel that failed is not used, doubled each time.
FIRST_BACKOFF_S, MAX_BACKOFF_S = 15.0, 1_800.0
CLEANUP_EVERY_S = 86_400.0
#: So that a store with one good webhook and one bad one does not begin and end an alert with each order.
STORE_ERRORS_SETTLED_AFTER = timedelta(hours=1)
#: How long webhooks must be broken: the service itself may be restarting, so that its address does not answer.
BROKEN_WEBHOOKS_STAY = timedelta(minutes=10)
#: Webhooks are still being lost if the last was found in the last two intervals of catch-up, or in this time: an
#: interval may be seconds, or 0, if only people start it.
MIN_LOST_WEBHOOKS_S, LOST_WEBHOOKS_WITHOUT_INTERVAL_S = 600.0, 3_600.0
#: What follows from that a store is stopped, which is alerted itself.
CONSEQUENCES_OF_STOP = {"silent", "webhooks", "catch_up", "lost_webhooks"}
MAX_SECTIONS = 20
#: An unclaimed delivery raises the backlog alert; it is an inconsistency only after a day.
LATE_S = 86_400.0
MAX_DIFFERENCES = 100
MONITOR_LOCK = "alerts"
#: After this long, a worker is taken to stay: the alert that none runs ends. One that keeps dying lives less long.
WORKER_STAYS_AFTER_S = 90.0


@dataclass(slots=True, kw_only=True)
class ChannelState:
    """A channel and its recent failures."""

    channel: Channel
    send: Callable[[Message], str | None]
    failures: int = 0
    backoff_until: float = field(default=float("-inf"))  # monotonic


class AlertMonitor:
    def __init__(self, runtime: Runtime, *, is_standby: bool = False) -> None:
        self.runtime = runtime
        self.is_standby = is_standby
        self.database = runtime.database
        self.alerts = runtime.settings.alerts
        self.holder = new_worker_id()
        self.started_at = monotonic()
        self.no_worker_since: datetime | None = None  # as a standby
        self.channel_states = [
            ChannelState(channel=channel, send=build_notifier(channel)) for channel in self.alerts.channels
        ]

    def run(self, stop_requested: threading.Event) -> None:
        """Check every few seconds until `stop_requested` is set. Errors are logged and do not end it."""
        is_first = True
        while is_first or not stop_requested.wait(STANDBY_AFTER_S if self.is_standby else CHECK_EVERY_S):
            is_first = False
            try:
                if self.is_standby and is_worker_running(self.database):
                    self.no_worker_since = None
                elif self.acquire_leadership():
                    self.check()
                    if self.is_standby:  # a worker that is back takes over at once
                        release_lock(self.database, MONITOR_LOCK, self.holder)
            except DatabaseUnavailableError:
                continue  # the worker logs it
            except Exception as error:
                self.runtime.log.error("alerts_failed", error=type(error).__name__)
        with suppress(DatabaseUnavailableError):  # the lock expires
            release_lock(self.database, MONITOR_LOCK, self.holder)

    def acquire_leadership(self) -> bool:
        standby_after_s = STANDBY_AFTER_S if self.is_standby else 0.0
        if release_lock_of_dead_holder(self.database, MONITOR_LOCK):
            standby_after_s = 0.0
        return acquire_lock(
            self.database, MONITOR_LOCK, self.holder, lease_s=LOCK_TTL_S, standby_after_s=standby_after_s
        )

    def check(self) -> None:
        """Collect what is new, and notify each channel of what is due."""
        settings = self.runtime.settings
        accounts = {*settings.accounts, *settings.retired}
        collect_parked(self.database, accounts)
        collect_notes(self.database)
        collect_requests(self.database)
        may_end = self.is_standby or monotonic() - self.started_at >= WORKER_STAYS_AFTER_S
        kinds = [kind for kind in CONDITION_KINDS if kind != "worker" or may_end]
        sync_conditions(self.database, self.conditions(), kinds)
        self.run_periodic_tasks()
        for channel_state in self.channel_states:
            if monotonic() >= channel_state.backoff_until and self.acquire_leadership():
                try:
                    self.notify(channel_state)
                except DatabaseUnavailableError:
                    raise
                except Exception as error:  # whatever is wrong with one channel, the others are used
                    self.back_off(channel_state, kinds=[], error=type(error).__name__)

    def conditions(self) -> list[OngoingCondition]:
        roll_up_counters(self.database, ["events"])
        last_webhooks = last_event_times(self.database)
        stopped = read_stopped_stores(self.database)
        conditions = [
            *collect_open_circuits(self.database),
            *self.backlogs(),
            *self.silent_stores(last_webhooks),
            *self.signature_failures(last_webhooks),
            *self.store_errors(),
            *self.broken_webhooks(),
            *self.failed_readings(),
            *self.lost_webhooks(),
            *self.stopped_stores(stopped),
            *self.expiring_orders(),
            *self.missing_worker(),
            *self.restored_database(),
        ]
        return [
            condition
            for condition in conditions
            if condition.kind not in CONSEQUENCES_OF_STOP or condition.store not in stopped
        ]

    def backlogs(self) -> list[OngoingCondition]:
        return collect_late_accounts(self.database, self.runtime.settings.accounts, self.alerts.backlog_after_s)

    def silent_stores(self, last_webhooks: Mapping[str, datetime]) -> Iterator[OngoingCondition]:
        """Yield the stores that have sent webhooks before, but none for longer than `silent_after_h`."""
        now = self.runtime.clock()
        for store, last_at in last_webhooks.items():
            is_configured = store in self.runtime.settings.stores_by_id
            hours = self.alerts.silent_after_h_by_store.get(store, self.alerts.silent_after_h)
            if is_configured and last_at < now - timedelta(hours=hours):
                yield OngoingCondition(kind="silent", store=store, since=last_at)

    def signature_failures(self, last_webhooks: Mapping[str, datetime]) -> Iterator[OngoingCondition]:
        """Yield the stores whose address received `signature_failures` or more webhooks with a wrong signature.

        The default is three: WooCommerce disables a webhook after more than five failures in a row, which two orders
        can cause (docs/storefronts.md). One or two may come from a curious stranger.
        """
        failures_by_store = read_signature_failures(self.database)
        now = self.runtime.clock()
        for store in self.runtime.settings.stores.values():
            failures = failures_by_store.get(store.id)
            if failures is None or failures.count < self.alerts.signature_failures:
                continue
            if not is_recovered(failures, last_webhooks.get(store.id), now):
                cause = build_message(failures.reason)
                yield OngoingCondition(kind="signature", store=store.id, causes=[cause], since=failures.since)

    def store_errors(self) -> Iterator[OngoingCondition]:
        """Yield the stores that send errors in place of orders."""
        errors_by_store = read_store_errors(self.database, settled_after=STORE_ERRORS_SETTLED_AFTER)
        for store in self.runtime.settings.stores.values():
            if errors := errors_by_store.get(store.id):
                causes = [Problem(code=error.code) for error in errors]
                since = min(error.since for error in errors)
                yield OngoingCondition(kind="store_errors", store=store.id, causes=causes, since=since)

    def broken_webhooks(self) -> Iterator[OngoingCondition]:
        """Yield the stores whose webhooks are missing or do not arrive, if repairing them did not help."""
        checks = load_webhook_checks(self.database)
        stays_since = self.runtime.clock() - BROKEN_WEBHOOKS_STAY
        for store in self.runtime.settings.stores.values():
            check = checks.get(store.id)
            if check is not None and check.failed_since is not None and check.failed_since <= stays_since:
                causes = load_problems([*([check.error] if check.error else []), *check.problems])
                yield OngoingCondition(kind="webhooks", store=store.id, causes=causes, since=check.failed_since)

    def failed_readings(self) -> Iterator[OngoingCondition]:
        """Yield the stores whose orders catch-up has failed to read for a while."""
        readings = load_readings(self.database)
        for store in self.runtime.settings.stores.values():
            reading = readings.get(store.id)
            if reading is None or not is_failing(reading, self.runtime.clock()) or reading.failed_since is None:
                continue
            if store.catch_up_every_s and self.runtime.settings.can_list_orders(store):
                causes = load_problems([reading.error] if reading.error else [])
                yield OngoingCondition(kind="catch_up", store=store.id, causes=causes, since=reading.failed_since)

    def lost_webhooks(self) -> Iterator[OngoingCondition]:
        """Yield the stores that lost `lost_webhooks` or more webhooks in 24 hours, one of them lately."""
        lost_by_store = read_lost_webhooks(self.database)
        now = self.runtime.clock()
        for store in self.runtime.settings.stores.values():
            lost = lost_by_store.get(store.id)
            if lost is None or lost.orders < self.alerts.lost_webhooks:
                continue
            interval_s = store.catch_up_every_s or LOST_WEBHOOKS_WITHOUT_INTERVAL_S
            if lost.last_at >= now - timedelta(seconds=max(2 * interval_s, MIN_LOST_WEBHOOKS_S)):
                causes = [build_message("webhooks_lost", orders=lost.orders)]
                yield OngoingCondition(kind="lost_webhooks", store=store.id, causes=causes, since=lost.since)

    def stopped_stores(self, stopped: Mapping[str, StoppedStore]) -> Iterator[OngoingCondition]:
        """Yield the stores whose API is not called, because the app does not work there any more."""
        for store in self.runtime.settings.stores.values():
            if (stop := stopped.get(store.id)) is not None:
                causes = [build_message(stop.code)]
                yield OngoingCondition(kind="stopped", store=store.id, causes=causes, since=stop.stopped_at)

    def expiring_orders(self) -> Iterator[OngoingCondition]:
        """Yield the accounts with parked orders that are discarded soon, unless somebody acts on them."""
        now = self.runtime.clock()
        for expiring in read_expiring(self.database):
            days = (expiring.expires_at - now).days
            causes = [build_message("orders_expire", orders=expiring.orders, days=max(0, days))]
            yield OngoingCondition(
                kind="expiring", account=expiring.account, causes=causes, since=expiring.announced_at
            )

    def missing_worker(self) -> Iterator[OngoingCondition]:
        """Yield that no worker runs, if a standby has found so for a while: a restart takes seconds."""
        now = self.runtime.clock()
        if not self.is_standby:
            return
        self.no_worker_since = self.no_worker_since or now
        if now - self.no_worker_since >= timedelta(seconds=STANDBY_AFTER_S):
            yield OngoingCondition(kind="worker", since=self.no_worker_since)

    def restored_database(self) -> Iterator[OngoingCondition]:
        """Yield that orders are held since the database was restored from a backup."""
        status = load_status(self.database)
        if status.restore is not None and status.held:
            yield OngoingCondition(kind="restored", since=status.restore.noticed_at)

    def run_periodic_tasks(self) -> None:
        """Reconcile recent records, over two intervals so that none is skipped, and delete old alerts once a day."""
        now = self.runtime.clock()
        now_s = int(now.timestamp())
        if now_s - get_checkpoint(self.database, "alerts:reconciled") >= self.alerts.reconcile_every_s:
            report = reconcile(
                self.database,
                Scope(since=now - timedelta(seconds=2 * self.alerts.reconcile_every_s)),
                accounts=self.runtime.settings.accounts,
                lease_s=self.runtime.settings.environment.lease_s,
                late_s=LATE_S,
                max_listed=MAX_DIFFERENCES,
            )
            add_alert_events(self.database, [difference_alert(difference) for difference in report.differences])
            self.database.transact(lambda transaction: set_checkpoint(transaction, "alerts:reconciled", now_s))
        if now_s - get_checkpoint(self.database, "alerts:tidied") >= CLEANUP_EVERY_S:
            delete_old_alerts(self.database)
            self.database.transact(lambda transaction: set_checkpoint(transaction, "alerts:tidied", now_s))

    def notify(self, channel_state: ChannelState) -> None:
        """Send everything that is due on a channel in one message. If that fails, it stays due."""
        now = self.runtime.clock()
        due = [alert for alert in load_alerts(self.database) if self.is_due(alert, channel_state.channel, now)][
            :MAX_SECTIONS
        ]
        if not due:
            return
        name = channel_state.channel.name
        sections = [
            build_section(alert, alert.notified.get(name, {}), self.runtime.settings.public_url) for alert in due
        ]
        error = channel_state.send(compose_message(sections))
        kinds = sorted({section.kind for section in sections})
        if error is not None:
            self.back_off(channel_state, kinds=kinds, error=error)
            return
        channel_state.failures = 0
        notices = {
            alert.id: {"at": now.isoformat(), "orders": alert.orders, "stands": alert.ended_at is None} for alert in due
        }
        record_notified(self.database, name, notices)
        self.runtime.log.info("alert_sent", channel=name, kinds=kinds)

    def back_off(self, channel_state: ChannelState, *, kinds: list[str], error: str) -> None:
        backoff_s = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(channel_state.failures, 20))
        channel_state.failures, channel_state.backoff_until = channel_state.failures + 1, monotonic() + backoff_s
        name = channel_state.channel.name
        self.runtime.log.warning("alert_not_sent", channel=name, kinds=kinds, error=error, again_in_s=backoff_s)

    def is_due(self, alert: Alert, channel: Channel, now: datetime) -> bool:
        """Whether to notify: at once if the alert is new or resolved, else at most once per interval."""
        if alert.kind not in channel.kinds:
            return False
        last_notice = alert.notified.get(channel.name)
        if alert.kind in CONDITION_KINDS and alert.ended_at is not None:
            return last_notice is not None and last_notice["stands"]
        if last_notice is None:
            return True
        elapsed_s = (now - datetime.fromisoformat(last_notice["at"])).total_seconds()
        if alert.kind in CONDITION_KINDS:
            interval_s = self.alerts.remind_every_h * 3_600 if last_notice["stands"] else self.alerts.repeat_every_s
            return elapsed_s >= interval_s
        return alert.orders > last_notice["orders"] and elapsed_s >= self.alerts.repeat_every_s


def difference_alert(difference: Discrepancy) -> AlertEvent:
    delivery_id = str(difference.id) if difference.kind == "delivery" else None
    example = {
        "delivery": delivery_id,
        "store": difference.store,
        "order": difference.order,
        "what": difference.what.to_json(),
    }
    return AlertEvent(
        fingerprint=f"difference:{difference.kind}:{difference.id}",
        kind="differences",
        account=difference.account,
        causes=(),
        example=example,
    )


@contextmanager
def monitor_thread(runtime: Runtime, *, is_standby: bool) -> Iterator[None]:
    """Monitor in a thread while the block runs."""
    stop_requested = threading.Event()
    thread = threading.Thread(
        target=AlertMonitor(runtime, is_standby=is_standby).run, args=(stop_requested,), name="alerts", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop_requested.set()
        thread.join(timeout=1.0)  # not longer, if a channel hangs: its message is sent again
