"""Counts and searches of the dashboard: bounded queries that still return every row."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import update

from connector.database.models import Event
from connector.database.queries import pages
from connector.database.queries.audit import TrailCursor, list_trail
from connector.database.queries.deliveries import DeliveryFilter, search_deliveries
from connector.database.queries.events import EventFilter, search_events
from connector.database.queries.terms import delivery_ids_by_email
from connector.database.reconciliation.run import Scope, reconcile
from connector.database.stats.counters import roll_up_counters
from connector.database.stats.gauges import count_parked, count_waiting
from connector.database.stats.overview import (
    count_by_hour,
    find_failure_groups,
    last_delivered,
    last_webhook_by_store,
    oldest_waiting,
)
from mappings.problems import render_cause
from tests.support.jobs import process_jobs, start_job
from tests.support.orders import shopify_order, woo_order
from tests.support.rows import execute_statements
from tests.support.scenarios import create_mixed_deliveries, without_colonia
from tests.support.service import Service


def test_hourly_chart_agrees_with_reconciliation(service: Service) -> None:
    create_mixed_deliveries(service)
    service.clock.forward(3 * 3600)
    service.post_woo(woo_order(9))
    runtime = service.runtime
    report = reconcile(runtime.database, Scope(), accounts=runtime.settings.accounts, lease_s=60, late_s=60)
    by_day: Counter[tuple[str, str]] = Counter()
    for (_store, day), count in report.days.items():
        for state in ("waiting", "sending", "delivered", "parked", "discarded"):
            by_day[day, state] += count[state]
    now = runtime.clock()
    hourly = count_by_hour(runtime.database, now - timedelta(days=2), now + timedelta(days=1))
    charted: Counter[tuple[str, str]] = Counter()
    for (hour, state), deliveries in hourly.items():
        charted[hour[:10], state] += deliveries
    assert charted == +by_day
    assert sum(hourly.values()) == 4
    assert len({hour for hour, _ in hourly}) == 2


def test_hourly_counts_split_exactly_on_the_hour(service: Service) -> None:
    service.post_woo(woo_order(1))
    at = service.runtime.clock()
    service.clock.forward(3600)
    service.post_woo(woo_order(2))
    hour = timedelta(hours=1)
    assert sum(count_by_hour(service.database, at - hour, at).values()) == 1
    assert sum(count_by_hour(service.database, at, at + hour + timedelta(minutes=1)).values()) == 1
    assert count_by_hour(service.database, at + 5 * hour, at + 6 * hour) == {}


def test_problems_that_differ_only_in_values_are_grouped(service: Service) -> None:
    for number, digits in ((1, "123"), (2, "45678")):
        address = {**shopify_order()["shipping_address"], "phone": digits}
        service.post_shopify(shopify_order(number, shipping_address=address, billing_address=None))
    service.drain()
    [cause] = find_failure_groups(service.database)
    assert (cause.reason, cause.count, [number for _, number in cause.orders]) == ("unmappable", 2, ["#2", "#1"])
    page = search_deliveries(
        service.database,
        DeliveryFilter(state="parked", problem=cause.problem.fingerprint if cause.problem else None),
        limit=10,
    )
    assert [row.order_number for row in page.rows] == ["#2", "#1"]


def test_failed_attempts_are_grouped_by_their_error(service: Service) -> None:
    for number, status in ((1, 422), (2, 404), (3, 422)):
        service.sandbox.inject_fault("rayo", "status", status=status)
        service.post_shopify(shopify_order(number))
        service.drain()
    groups = find_failure_groups(service.database)
    assert [(group.error and render_cause(group.error), group.count) for group in groups] == [
        ("status 422", 2),
        ("status 404", 1),
    ]


def test_store_with_only_old_events_keeps_its_last_webhook_time(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.database.stats.overview.LAST_EVENTS", 2)
    service.post_shopify(shopify_order(1))
    for number in range(3):
        service.post_woo(woo_order(number))
    last_at = last_webhook_by_store(service.database, ["tienda-mx"])["tienda-mx"]
    assert last_at is not None
    service.clock.forward(600)
    roll_up_counters(service.database)
    counted_at = last_webhook_by_store(service.database, ["tienda-mx"])["tienda-mx"]
    assert counted_at is not None
    assert abs(counted_at - last_at) < timedelta(milliseconds=1)


def test_order_that_catch_up_read_is_no_webhook(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for last_events in (1_000, 1):
        monkeypatch.setattr("connector.database.stats.overview.LAST_EVENTS", last_events)
        service.post_woo(woo_order(last_events))
        execute_statements(service, update(Event).values(source="catch-up"))
        service.post_shopify(shopify_order(last_events))
        last_webhooks = last_webhook_by_store(service.database, ["tienda-mx", "tienda-ar"])
        assert last_webhooks["tienda-ar"] is None
        assert last_webhooks["tienda-mx"] is not None


def test_pagination_returns_every_row_once(service: Service) -> None:
    for number in range(7):
        service.post_woo(woo_order(number))
    ids: list[str] = []
    before = None
    while True:
        page = search_deliveries(service.database, DeliveryFilter(account="erp"), before_id=before, limit=3)
        ids += [row.order_id for row in page.rows]
        before = page.next
        if before is None:
            break
    assert ids == ["6", "5", "4", "3", "2", "1", "0"]


def test_truncated_search_can_be_continued(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_SCANNED_ROWS", 2)
    service.post_shopify(shopify_order(1))
    for number in range(5):
        service.post_woo(woo_order(number))
    ids, cuts, before = [], [], None
    while True:
        page = search_deliveries(service.database, DeliveryFilter(account="bodega"), before_id=before, limit=3)
        ids += [row.order_number for row in page.rows]
        cuts.append(page.is_truncated)
        before = page.next
        if before is None:
            break
    assert (ids, cuts) == (["#1"], [True, True, False])
    monkeypatch.setattr(pages, "MAX_SCANNED_ROWS", 2)
    assert search_events(service.database, EventFilter(store="tienda-mx"), limit=3).is_truncated


def test_delivery_is_found_by_every_identifier(service: Service) -> None:
    create_mixed_deliveries(service)
    [delivery] = service.deliveries(order="#3")
    for term in ("#3", "3", "5500000000003", delivery["remote_id"]):
        page = search_deliveries(
            service.database, DeliveryFilter(), term=term, limit=5, stores=["tienda-mx", "tienda-ar"]
        )
        assert [row.order_number for row in page.rows] == ["#3"]
    ids, _ = delivery_ids_by_email(service.database, "Ximena@example.mx")
    page = search_deliveries(service.database, DeliveryFilter(ids=tuple(ids)), limit=5)
    assert [row.order_number for row in page.rows] == ["#3", "#2"]
    events = search_events(service.database, EventFilter(order="#3"), limit=5, stores=["tienda-mx"])
    assert [row.duplicates for row in events.rows] == [1]


def test_audit_log_pagination_returns_every_row_once(service: Service) -> None:
    for number in range(4):
        service.post_shopify(without_colonia(number))
    service.drain()
    service.api("/accounts/bodega/pause", json={"note": "stocktaking"})
    start_job(service, DeliveryFilter(state="parked", reason="unmappable"))
    process_jobs(service)  # four notes of one instant
    service.api("/accounts/bodega/resume", json={})
    entries: list[tuple[str, str | None]] = []
    after: TrailCursor | None = None
    is_first = True
    while is_first or after:
        page = list_trail(service.database, after=after, limit=3)
        entries += [(entry.action, entry.order) for entry in page.entries]
        after, is_first = page.next, False
    retriggered = [("retrigger", f"#{number}") for number in (3, 2, 1, 0)]
    assert entries == [("resume", None), *retriggered, ("start-job", None), ("pause", None)]


def test_open_deliveries_are_counted(service: Service) -> None:
    create_mixed_deliveries(service)
    service.post_woo(woo_order(50))
    assert count_parked(service.database) == {"unmappable": 1}
    assert {account: waiting.count for account, waiting in count_waiting(service.database).items()} == {"erp": 1}
    assert oldest_waiting(service.database) is not None
    assert set(last_delivered(service.database)) == {"bodega", "erp"}
