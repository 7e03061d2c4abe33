"""Catch-up: lists the orders of a store that changed, and records those whose webhooks never came.

The orders go through the same intake as webhooks, which ignores repeats. A reading can be interrupted at any time; it
continues after the last page whose orders are on disk.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector.catch_up.listing import OrderPages, ReadingFailedError, ReadingStoppedError, Window
from connector.catch_up.unknown import ListedVersion, find_unknown
from connector.core.exceptions import DatabaseUnavailableError
from connector.core.messages import build_message
from connector.database.events import record_events
from connector.database.readings import begin_reading, fail_reading, finish_reading, load_reading, record_progress
from connector.runtime import Runtime, open_store_api, stop_reason
from mappings.order_listing import OrderListing, OrderPage
from mappings.problems import Problem, render_problem
from mappings.settings import Store

#: How long the orders of a page may take to be on disk.
COMMIT_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingOrder:
    """An order, or a version of one, that was not on record."""

    store: str  # its id
    order_id: str
    number: str | None
    updated_at: datetime | None


@dataclass(slots=True, kw_only=True)
class ReadingResult:
    """What a reading of one store came to."""

    store: str  # its id
    orders: int = 0  # read
    missing: list[MissingOrder] = field(default_factory=list)
    unreadable: int = 0  # entries of the list that are no orders
    unrecorded: int = 0  # orders that the database refused
    error: Problem | None = None  # why it is not complete
    retry_after_s: float = 0.0  # how long the store wants to be left alone
    is_interrupted: bool = False  # the process is to stop, or another one has taken over

    @property
    def is_complete(self) -> bool:
        return self.error is None and not self.is_interrupted and not self.unrecorded


def orders_floor(runtime: Runtime, store: Store) -> datetime:
    """Return where the first reading starts: at the store's `since`, else when the connector first ran with it."""
    return store.since or runtime.first_run(store)


def readable_window(runtime: Runtime, store: Store, after: datetime) -> Window:
    """Return the time from `after` until `catch_up_lag_s` ago.

    It ends at a whole second, as storefronts date their orders: what changes later in that second is read next time.
    """
    before = runtime.clock() - timedelta(seconds=store.catch_up_lag_s)
    return Window(after=after, before=before.replace(microsecond=0))


def read_changes(
    runtime: Runtime,
    store: Store,
    *,
    since: datetime | None = None,
    dry_run: bool = False,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int], None] = lambda _orders: None,
) -> ReadingResult:
    """Read what changed in a store since the last complete reading, and record what is missing.

    One process at a time should read a store.

    Args:
        since: read from there instead.
        dry_run: record nothing, neither orders nor the reading.
        check: called often; raises `ReadingStoppedError` to interrupt.
        on_progress: called after each page with how many orders were read so far.

    Raises `DatabaseUnavailableError`; what was read until then is on record.
    """
    if stop := stop_reason(runtime.database, store):
        return ReadingResult(store=store.id, error=stop)
    with open_store_api(runtime, store) as api:
        listing = runtime.settings.storefront(store).order_listing
        if api is None or listing is None:
            return ReadingResult(store=store.id, error=build_message("listing_not_configured"))
        pages = OrderPages(api, listing, check=check, clock=runtime.clock)
        reading = Reading(runtime, store, listing, pages, since=since, dry_run=dry_run, on_progress=on_progress)
        return reading.run()


class Reading:
    """One reading of one store."""

    def __init__(
        self,
        runtime: Runtime,
        store: Store,
        listing: OrderListing[Any],
        pages: OrderPages,
        *,
        since: datetime | None,
        dry_run: bool,
        on_progress: Callable[[int], None],
    ) -> None:
        self.runtime = runtime
        self.database = runtime.database
        self.store = store
        self.listing = listing
        self.pages = pages
        self.dry_run = dry_run
        self.on_progress = on_progress
        self.result = ReadingResult(store=store.id)
        floor = orders_floor(runtime, store)
        recorded = load_reading(self.database, store.id)
        read_until = max(recorded.read_until, floor) if recorded else floor
        self.floor = floor
        after = since or max(floor, read_until - timedelta(seconds=store.catch_up_overlap_s))
        self.window = readable_window(runtime, store, after)
        self.continues = after <= read_until  # otherwise what lies between has not been read

    def run(self) -> ReadingResult:
        if self.continues and not self.dry_run:
            begin_reading(self.database, self.store.id, floor=self.floor)
        try:
            for period, page in self.pages.read(self.window):
                self.take_page(page, period)
        except ReadingStoppedError:
            self.result.is_interrupted = True
        except ReadingFailedError as error:
            self.result.retry_after_s = error.retry_after_s
            self.fail(error.problem, detail=error.detail)
        except DatabaseUnavailableError:
            raise
        except Exception as error:  # a fault of ours, or a list that nobody has seen yet
            self.fail(build_message("listing_failed", exception=type(error).__name__))
        else:
            if self.continues and not self.dry_run:
                finish_reading(self.database, self.store.id)
        return self.result

    def fail(self, problem: Problem, *, detail: str | None = None) -> None:
        self.result.error = problem
        self.runtime.log.warning("catch_up_failed", store=self.store.id, error=render_problem(problem), detail=detail)
        if not self.dry_run:
            fail_reading(self.database, self.store.id, problem)

    def take_page(self, page: OrderPage, period: Window) -> None:
        """Take in what a page has that is not on record, and then move on."""
        orders = [listed for listed in page.orders if self.window.contains(listed)]
        unknown = find_unknown(self.runtime, self.store, orders)
        self.result.orders += len(orders)
        self.count_unreadable(page)
        if self.dry_run:
            self.result.missing += map(describe_missing, unknown)
        else:
            recorded = self.record(unknown)
            read_until = period.before if page.next_request is None else page.complete_until
            record_progress(
                self.database,
                self.store.id,
                read_from=self.window.after,
                read_until=read_until and min(read_until, period.before),
                orders=len(orders),
                missing=len(recorded),
            )
            self.result.missing += map(describe_missing, recorded)
        self.on_progress(self.result.orders)

    def record(self, unknown: Sequence[ListedVersion]) -> list[ListedVersion]:
        """Record events. Returns the versions that were new, once they are on disk."""
        results = self.database.commit_all(
            record_events, [version.event for version in unknown], timeout_s=COMMIT_TIMEOUT_S
        )
        recorded = []
        for version, result in zip(unknown, results, strict=True):
            if isinstance(result, Exception):
                self.result.unrecorded += 1
                self.runtime.log.error("order_not_recorded", store=self.store.id, error=type(result).__name__)
            elif result.status != "duplicate":
                recorded.append(version)
                self.runtime.log.info("caught_up", event_id=result.event_id, store=self.store.id, status=result.status)
        return recorded

    def count_unreadable(self, page: OrderPage) -> None:
        if page.unreadable:
            self.result.unreadable += page.unreadable
            self.runtime.log.warning("listed_entries_unreadable", store=self.store.id, count=page.unreadable)


def describe_missing(version: ListedVersion) -> MissingOrder:
    return MissingOrder(
        store=version.event.store,
        order_id=version.listed.order_id,
        number=version.event.identity.order_number,
        updated_at=version.listed.updated_at,
    )
