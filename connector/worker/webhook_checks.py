"""Decides when a worker checks the stores' webhooks: soon after it starts, at intervals, and for a reason.

The reasons: a person asks for it, or catch-up found an order without a webhook.
"""

from time import monotonic

from connector.core.messages import render_stored
from connector.database.stopped_stores import read_stopped_stores
from connector.database.store_status import load_readings, load_webhook_checks
from connector.database.store_webhooks import take_webhook_request
from connector.operations.webhooks import WebhooksReport, repair_webhooks, sync_webhooks
from connector.runtime import Runtime
from mappings.settings import Store

#: After a start: the web server must listen, because the check asks it for `/health/ready`.
START_DELAY_S = 10.0
CHECK_EVERY_S = 3_600.0
#: After a check that found something wrong, doubled each time. On a slow machine the web server starts late.
FIRST_RETRY_S, MAX_RETRY_S = 20.0, 3_600.0
#: How often requests of people are looked for.
POLL_EVERY_S = 2.0


class WebhookChecks:
    """The checks of one worker. Several workers share the work, because each skips what another has just checked."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.stores = find_stores_to_check(runtime)
        self._next_check = dict.fromkeys((store.id for store in self.stores), monotonic() + START_DELAY_S)
        self._interval_s = dict.fromkeys((store.id for store in self.stores), START_DELAY_S)
        self._failures = dict.fromkeys((store.id for store in self.stores), 0)
        self._orders_missed: dict[str, int] = {}  # by catch-up's count

    def run(self) -> bool:
        """Check the stores that are due. Returns False: the next look is after `POLL_EVERY_S`."""
        rows = load_webhook_checks(self.runtime.database)
        self._notice_missed_orders()
        stopped = read_stopped_stores(self.runtime.database)
        for store in self.stores:
            if store.id in stopped:
                continue
            row = rows.get(store.id)
            if (
                row is not None
                and row.requested_at is not None
                and take_webhook_request(self.runtime.database, store.id)
            ):
                self._schedule(store, sync_webhooks(self.runtime, store))
            elif monotonic() >= self._next_check[store.id]:
                age_s = (self.runtime.clock() - row.checked_at).total_seconds() if row and row.checked_at else None
                if age_s is not None and age_s < self._interval_s[store.id] / 2:  # another worker's
                    self._next_check[store.id] = monotonic() + self._interval_s[store.id] / 2
                elif (report := repair_webhooks(self.runtime, store)) is not None:
                    self._schedule(store, report)
        return False

    def _notice_missed_orders(self) -> None:
        """Have the webhooks of a store checked now, if catch-up found orders there that no webhook had brought."""
        readings = load_readings(self.runtime.database)
        for store in self.stores:
            count = readings[store.id].orders_missing if store.id in readings else 0
            is_more = count > self._orders_missed.setdefault(store.id, count)
            self._orders_missed[store.id] = count
            if is_more and not self._failures[store.id]:
                self._next_check[store.id] = monotonic()
                self._interval_s[store.id] = FIRST_RETRY_S

    def _schedule(self, store: Store, report: WebhooksReport) -> None:
        """Log what was done and what is wrong, and set the time of the next check."""
        log = self.runtime.log.bind(store=store.id)
        for change in report.changes:
            log.info("webhook_changed", topic=change.topic, change=change.kind)
        check = load_webhook_checks(self.runtime.database)[store.id]
        for problem in [*check.problems, *([check.error] if check.error else [])]:
            log.warning("webhook_problem", problem=render_stored(problem))
        failures = 0 if check.failed_since is None else self._failures[store.id] + 1
        retry_s = min(MAX_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures - 1, 20))
        self._failures[store.id] = failures
        self._interval_s[store.id] = retry_s if failures else CHECK_EVERY_S
        self._next_check[store.id] = monotonic() + self._interval_s[store.id]


def find_stores_to_check(runtime: Runtime) -> list[Store]:
    settings = runtime.settings
    if settings.public_url is None:
        return []
    return [
        store
        for store in settings.stores.values()
        if store.has_api and settings.storefront(store).webhook_api is not None
    ]
