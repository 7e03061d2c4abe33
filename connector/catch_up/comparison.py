"""Compares the paid orders of a store with the recorded ones, and finds those that are missing."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from connector.catch_up.listing import OrderPages, ReadingFailedError
from connector.catch_up.reading import orders_floor, readable_window
from connector.catch_up.unknown import ListedVersion, describe
from connector.core.messages import build_message
from connector.database.models import State
from connector.database.order_records import OrderRecord, load_order_records
from connector.runtime import Runtime, open_store_api
from mappings.order_listing import ListedOrder
from mappings.problems import Problem
from mappings.settings import Store

#: What became of a paid order for one account: the state of its delivery, or that the store cancelled it before.
OUTCOMES = (*map(str, State), "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingDelivery:
    """A paid order without a delivery for an account that a route leads to."""

    store: str  # its id
    order_id: str
    number: str | None
    account: str
    updated_at: datetime | None
    what: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderVerdict:
    """What became of one paid order, for each account of its routes."""

    outcomes: list[str]
    missing: list[MissingDelivery]


@dataclass(slots=True, kw_only=True)
class StoreComparison:
    """The paid orders of one store, and what is on record about them."""

    store: str  # its id
    verdicts: dict[str, OrderVerdict] = field(default_factory=dict)  # by order id
    error: Problem | None = None  # why the store's orders could not be read

    @property
    def outcomes(self) -> Counter[str]:
        """How many deliveries have each outcome."""
        return Counter(outcome for verdict in self.verdicts.values() for outcome in verdict.outcomes)

    @property
    def missing(self) -> list[MissingDelivery]:
        return [missing for verdict in self.verdicts.values() for missing in verdict.missing]


def compare_with_store(
    runtime: Runtime,
    store: Store,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_progress: Callable[[int], None] = lambda _orders: None,
) -> StoreComparison:
    """Account for each paid order of a store, from its API. Changes nothing.

    What changed within `catch_up_lag_s` is left out: its webhook may be on its way.

    Args:
        since: leave out orders that were paid before, as far as that is known; by default, where catch-up starts.
        until: leave out orders that were paid from then on; where that is not known, that were placed.
        on_progress: called after each page with how many orders were read so far.
    """
    comparison = StoreComparison(store=store.id)
    since = since or orders_floor(runtime, store)
    window = readable_window(runtime, store, since)
    orders_read = 0
    with open_store_api(runtime, store) as api:
        listing = runtime.settings.storefront(store).order_listing
        if api is None or listing is None:
            comparison.error = build_message("listing_not_configured")
            return comparison
        pages = OrderPages(api, listing, check=lambda: None, clock=runtime.clock)
        try:
            for _period, page in pages.read(window):
                orders = [
                    listed
                    for listed in page.orders
                    if window.contains(listed) and is_of_period(runtime, store, listed, since, until)
                ]
                comparison.verdicts |= judge_orders(runtime, store, orders)
                orders_read += len(page.orders)
                on_progress(orders_read)
        except ReadingFailedError as error:
            comparison.error = error.problem
    return comparison


def is_of_period(runtime: Runtime, store: Store, listed: ListedOrder, since: datetime, until: datetime | None) -> bool:
    """Return whether an order was paid in the period, or placed, or changed, as far as it says."""
    times = runtime.settings.storefront(store).order_times(listed.payload)
    if times.paid_at is not None and times.paid_at < since:
        return False
    at = times.paid_at or times.placed_at
    return until is None or at is None or at < until


def judge_orders(runtime: Runtime, store: Store, orders: list[ListedOrder]) -> dict[str, OrderVerdict]:
    """Return what became of those of the orders that are paid, by order id."""
    records = load_order_records(runtime.database, store.id, {listed.order_id: listed.updated_at for listed in orders})
    verdicts = {}
    for listed in orders:
        record = records.get(listed.order_id, OrderRecord())
        version = describe(runtime, store, listed, is_new=not record.events)
        if "paid" in version.event.identity.topics_for_routes:
            verdicts[listed.order_id] = judge_order(version, record)
    return verdicts


def judge_order(version: ListedVersion, record: OrderRecord) -> OrderVerdict:
    outcomes, missing = [], []
    is_cancelled = "cancelled" in version.topics or any("cancelled" in event.topics for event in record.events)
    for account in sorted(version.event.accounts):
        if account in record.states:
            outcomes.append(record.states[account][0])
        elif record.is_erased:
            outcomes.append("erased")
        elif is_cancelled:
            outcomes.append("cancelled")
        else:
            code = "paid_without_delivery" if record.events else "paid_not_on_record"
            missing.append(
                MissingDelivery(
                    store=version.event.store,
                    order_id=version.listed.order_id,
                    number=version.event.identity.order_number,
                    account=account,
                    updated_at=version.listed.updated_at,
                    what=build_message(code),
                )
            )
    return OrderVerdict(outcomes=outcomes, missing=missing)
