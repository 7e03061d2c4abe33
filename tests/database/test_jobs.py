"""Jobs: selection, plan, progress, complete accounting, and no delivery processed twice."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from connector.core.exceptions import ConflictError, InvalidRequestError
from connector.database import job_pages
from connector.database import jobs as database_jobs
from connector.database.jobs import JobPlan, JobRequest
from connector.database.models import Delivery, JobAction, JobDelivery
from connector.database.queries.audit import list_trail
from connector.database.queries.deliveries import DeliveryFilter, search_deliveries
from connector.database.queries.job_results import load_job_results
from connector.database.stats.overview import find_failure_groups
from connector.delivery.mapping_check import check_mapping
from connector.operations import jobs
from mappings.problems import render_cause
from tests.support.jobs import process_jobs, start_job
from tests.support.orders import shopify_order, woo_order
from tests.support.rows import differences, execute_statements, read_rows_of
from tests.support.scenarios import lose_a_response, refuse_order, resolve, without_colonia
from tests.support.service import Service


def delivery_states(service: Service) -> list[tuple[str, str | None]]:
    return [(delivery["state"], delivery["reason"]) for delivery in service.deliveries()]


def test_job_queues_parked_deliveries_and_reports_skipped_ones(service: Service) -> None:
    lose_a_response(service, "rayo")
    refuse_order(service, 7, 8)
    job = start_job(service, note="LaPyme knows the products now")
    process_jobs(service)
    assert delivery_states(service) == [("parked", "uncertain"), ("waiting", None), ("waiting", None)]
    done = database_jobs.load_job(service.database, job.id)
    assert (done.state, done.total, done.acted) == ("finished", 3, 2)
    assert done.skipped_reasons == {"is_uncertain": 1}
    reason = "it is uncertain: look at the destination first, then resolve it or use `force`"
    assert service.api(f"/jobs/{job.id}").json["left_why"] == {reason: 1}
    [note] = service.api("/deliveries/2").json["notes"]
    assert (note["kind"], note["who"], note["text"]) == ("retrigger", "ana", "LaPyme knows the products now")


@pytest.mark.parametrize(
    ("choice", "queued"),
    [
        (DeliveryFilter(state="parked", reason="refused"), ["2", "3"]),
        (DeliveryFilter(state="parked", account="bodega"), []),
        (DeliveryFilter(state="parked", store="tienda-ar"), ["2", "3"]),
        (DeliveryFilter(ids=(3,)), ["3"]),
        (DeliveryFilter(ids=(1, 2, 99)), ["2"]),
    ],
)
def test_job_applies_filters(service: Service, choice: DeliveryFilter, queued: list[str]) -> None:
    lose_a_response(service, "rayo")
    refuse_order(service, 7, 8)
    start_job(service, choice)
    process_jobs(service)
    assert [delivery["id"] for delivery in service.deliveries(state="waiting")] == queued


def test_job_filters_by_creation_time(service: Service) -> None:
    refuse_order(service, 7)
    service.clock.forward(3600)
    between = service.clock()
    service.clock.forward(3600)
    refuse_order(service, 8)
    start_job(service, DeliveryFilter(state="parked", since=between))
    process_jobs(service)
    assert [delivery["order_id"] for delivery in service.deliveries(state="waiting")] == ["8"]
    start_job(service, DeliveryFilter(state="parked", until=between))
    process_jobs(service)
    assert [delivery["order_id"] for delivery in service.deliveries(state="waiting")] == ["7", "8"]


def test_interrupted_job_resumes_without_repeating(service: Service) -> None:
    refuse_order(service, *range(1, 6))
    start_job(service)
    jobs.advance_jobs(service.runtime, size=2)
    assert [delivery["id"] for delivery in service.deliveries(state="waiting")] == ["1", "2"]
    for _ in range(2):  # those are sent and refused again while the job pauses
        service.sandbox.inject_fault("lapyme", "status", status=422)
    service.deliver_due()
    process_jobs(service)
    assert [delivery["id"] for delivery in service.deliveries(state="waiting")] == ["3", "4", "5"]
    assert [delivery["attempts"] for delivery in service.deliveries()] == [2, 2, 1, 1, 1]


def test_concurrent_workers_process_each_page_once(service: Service) -> None:
    refuse_order(service, *range(1, 8))
    start_job(service)
    threads = [threading.Thread(target=process_jobs, args=(service, 2)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(service.api(f"/deliveries/{id_}").json["notes"]) for id_ in range(1, 8)] == [1] * 7
    assert database_jobs.load_job(service.database, 1).acted == 7


def test_stale_page_is_not_processed(service: Service) -> None:
    refuse_order(service, 7, 8)
    start_job(service)
    job = job_pages.next_running_job(service.database)
    assert job is not None
    assert job_pages.advance_job(service.database, job, destinations_with_idempotency=set(), page_size=1)
    assert job_pages.advance_job(service.database, job, destinations_with_idempotency=set(), page_size=1) is None
    assert len(service.api("/deliveries/1").json["notes"]) == 1


def test_repeated_request_returns_the_same_job(service: Service) -> None:
    refuse_order(service, 7)
    request = JobRequest(action=JobAction.RETRIGGER, actor="ana")
    job_ids = [
        database_jobs.start_job(service.database, DeliveryFilter(state="parked"), request, token="one").id
        for _ in range(2)
    ]
    assert job_ids == [1, 1]


def test_cancelled_job_stops(service: Service) -> None:
    refuse_order(service, *range(1, 4))
    job = start_job(service).id
    jobs.advance_jobs(service.runtime, size=2)
    assert jobs.stop_job(service.runtime, job, actor="ana").state == "cancelled"
    process_jobs(service)
    assert [delivery["id"] for delivery in service.deliveries(state="waiting")] == ["1", "2"]


def test_finished_job_cannot_be_cancelled(service: Service) -> None:
    job = start_job(service).id
    assert database_jobs.load_job(service.database, job).state == "finished"  # there was nothing to do
    with pytest.raises(ConflictError):
        jobs.stop_job(service.runtime, job, actor="ana")


def test_delivered_orders_require_force_and_explicit_ids(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.deliver_due()
    with pytest.raises(InvalidRequestError, match="`force` needs `ids`"):
        start_job(service, force=True)
    start_job(service, DeliveryFilter(ids=(1,)))
    process_jobs(service)
    assert delivery_states(service) == [("delivered", None)]
    start_job(service, DeliveryFilter(ids=(1,)), force=True)
    process_jobs(service)
    assert delivery_states(service) == [("waiting", None)]


@pytest.mark.parametrize(
    "choice",
    [
        DeliveryFilter(state="delivered"),
        DeliveryFilter(),
        DeliveryFilter(state="parked", reason="lost"),
        DeliveryFilter(ids=()),
        DeliveryFilter(ids=(1,) * 1001),
    ],
)
def test_contradictory_selection_is_refused(service: Service, choice: DeliveryFilter) -> None:
    with pytest.raises(InvalidRequestError):
        start_job(service, choice)


def test_worker_processes_jobs_alongside_deliveries(open_service: Callable[..., Service]) -> None:
    service = open_service()
    refuse_order(service, 7)
    start_job(service)
    worker = service.worker()
    running = threading.Thread(target=worker.run)
    running.start()
    give_up_at = time.monotonic() + 10
    while service.deliveries()[0]["state"] != "delivered" and time.monotonic() < give_up_at:
        time.sleep(0.02)
    worker.stop()
    running.join()
    assert delivery_states(service) == [("delivered", None)]


RETRIGGER = JobRequest(action=JobAction.RETRIGGER, actor="ana")


def plan_of(service: Service, job_id: int) -> JobPlan:
    """Return what a job did, in the form of a plan."""
    job = database_jobs.load_job(service.database, job_id)
    plan = JobPlan()
    plan.left.update(job.skipped_reasons)
    for item in read_rows_of(service, JobDelivery):
        if item["job_id"] == job_id and item["is_done"]:
            plan.acted[item["why"]] += 1
    return plan


@pytest.mark.parametrize("action", JobAction)
@pytest.mark.parametrize("looked", [False, True])
def test_plan_says_what_the_job_does(service: Service, action: JobAction, looked: bool) -> None:
    if looked and action != JobAction.RETRIGGER:
        return
    lose_a_response(service, "rayo")
    refuse_order(service, 7, 8)
    service.post_woo(woo_order(9))
    service.drain()
    service.post_woo(woo_order(10))
    selected = DeliveryFilter(ids=(1, 2, 3, 4, 5))
    plan = jobs.plan_job(service.runtime, selected, JobRequest(action=action, actor="ana", looked=looked))
    start_job(service, selected, action=action, looked=looked)
    process_jobs(service)
    assert plan_of(service, 1) == plan
    assert plan.total == 5
    assert (
        plan.acted.total()
        == {JobAction.RETRIGGER: 3 + looked, JobAction.DISCARD: 4, JobAction.MARK_DELIVERED: 3}[action]
    )


def park(service: Service, *ids: int, reason: str = "refused") -> None:
    values = {"state": "parked", "reason": reason, "due_at": None}
    execute_statements(service, update(Delivery).where(col(Delivery.id).in_(ids)).values(values))


def test_job_of_500_orders_accounts_for_each(service: Service) -> None:
    """Some are delivered, some refused again, one is discarded meanwhile, one is uncertain, and the job is stopped."""
    lose_a_response(service, "rayo")
    for number in range(2, 501):
        service.post_woo(woo_order(number))
    park(service, *range(2, 501))
    job = start_job(service, note="the key is right now")
    jobs.advance_jobs(service.runtime, size=100)
    jobs.stop_job(service.runtime, job.id, actor="ana", note="lunch")
    assert not jobs.advance_jobs(service.runtime)
    resolve(service, "500", **{"as": "discarded"})
    jobs.resume_job(service.runtime, job.id, actor="ana")
    process_jobs(service, 100)
    for _ in range(3):
        service.sandbox.inject_fault("lapyme", "status", status=422)
    service.drain()
    done = database_jobs.load_job(service.database, job.id)
    results = load_job_results(service.database, done)
    assert (done.state, done.total, done.acted, results.pending) == ("finished", 500, 498, 0)
    assert results.outcomes == {("delivered", None): 495, ("parked", "refused"): 3}
    assert [(group.reason, group.count) for group in results.parked] == [("refused", 3)]
    assert {group.why: (group.count, group.orders) for group in results.left} == {
        "is_uncertain": (1, [(1, "#1001")]),
        "changed_meanwhile": (1, [(500, "500")]),
    }
    notes = [order.body["notes"] for order in service.sandbox.orders("lapyme")]
    assert len(notes) == len(set(notes)) == 495
    entries = list_trail(service.database, limit=1_000).entries
    assert [(entry.action, entry.actor, entry.text) for entry in entries if entry.job_id == job.id] == [
        ("resume-job", "ana", ""),
        ("stop-job", "ana", "lunch"),
        ("start-job", "ana", "the key is right now"),
    ]


def test_delivery_that_was_settled_meanwhile_is_left_and_listed(service: Service) -> None:
    refuse_order(service, 7, 8)
    start_job(service)
    resolve(service, "1", **{"as": "discarded"})
    process_jobs(service)
    assert plan_of(service, 1) == JobPlan(acted=Counter(was_refused=1), left=Counter(changed_meanwhile=1))
    left = DeliveryFilter(job=1, job_result="changed_meanwhile")
    assert [row.id for row in search_deliveries(service.database, left, limit=50).rows] == [1]


def test_delivery_that_was_parked_after_the_job_was_created_is_not_part_of_it(service: Service) -> None:
    refuse_order(service, 7)
    start_job(service)
    refuse_order(service, 8)
    process_jobs(service)
    assert delivery_states(service) == [("waiting", None), ("parked", "refused")]


@pytest.mark.parametrize(
    ("action", "state"), [(JobAction.DISCARD, "discarded"), (JobAction.MARK_DELIVERED, "delivered")]
)
def test_orders_are_settled_together(service: Service, action: JobAction, state: str) -> None:
    lose_a_response(service, "rayo")
    refuse_order(service, 7)
    start_job(service, action=action, note="handled by hand")
    process_jobs(service)
    assert [current for current, _ in delivery_states(service)] == [state, state]
    [note] = service.api("/deliveries/2").json["notes"]
    assert (note["kind"], note["who"], note["text"]) == ("resolve", "ana", "handled by hand")
    assert differences(service) == []


def test_uncertain_orders_are_sent_again_only_after_looking(service: Service) -> None:
    lose_a_response(service, "rayo")
    start_job(service)
    process_jobs(service)
    assert delivery_states(service) == [("parked", "uncertain")]
    start_job(service, looked=True)
    process_jobs(service)
    assert delivery_states(service) == [("waiting", None)]


def test_cancelled_order_is_not_sent_by_a_job_that_sends_uncertain_ones(service: Service) -> None:
    lose_a_response(service, "rayo")
    cancelled = shopify_order(cancelled_at="2026-11-20T12:00:00-06:00", updated_at="2026-11-20T12:00:00-06:00")
    service.post_shopify(cancelled, topic="orders/cancelled")
    start_job(service, looked=True)
    process_jobs(service)
    service.drain()
    assert [state for state, _ in delivery_states(service)] != ["delivered"]
    assert len(service.sandbox.orders()) == 1


def test_held_orders_are_sent_only_if_just_they_are_selected(service: Service) -> None:
    refuse_order(service, 7)
    service.post_woo(woo_order(8))
    park(service, 1, 2, reason="held")  # order 7 was attempted
    cases: list[tuple[DeliveryFilter, dict[str, Any], dict[str, int]]] = [
        (DeliveryFilter(state="parked"), {"looked": True}, {"is_held": 2}),
        (DeliveryFilter(state="parked", reason="held"), {}, {"held_after_attempt": 1}),
        (DeliveryFilter(state="parked", reason="held"), {"looked": True}, {}),
    ]
    for selected, options, left in cases:
        plan = jobs.plan_job(service.runtime, selected, replace(RETRIGGER, **options))
        job = start_job(service, selected, **options)
        process_jobs(service)
        assert dict(plan.left) == database_jobs.load_job(service.database, job.id).skipped_reasons == left
    assert delivery_states(service) == [("waiting", None), ("waiting", None)]


def test_cause_selects_exactly_its_orders(service: Service) -> None:
    refuse_order(service, 7, 8)
    service.sandbox.inject_fault("lapyme", "status", status=404)
    service.post_woo(woo_order(9))
    service.drain()
    for number in (1, 2):
        service.post_shopify(without_colonia(number))
    service.post_shopify(shopify_order(3, shipping_address=None))
    service.drain()
    groups = find_failure_groups(service.database)
    assert len(groups) == 4
    for group in groups:
        filters: dict[str, Any] = group.filters
        plan = jobs.plan_job(service.runtime, DeliveryFilter(**filters), RETRIGGER)
        assert plan.acted.total() == group.count, group


def test_job_advanced_beside_workers_sends_each_order_once(service: Service) -> None:
    for number in range(1, 41):
        service.post_woo(woo_order(number))
    park(service, *range(1, 41))
    start_job(service)
    stop = threading.Event()

    def deliver() -> None:
        while not stop.is_set():
            service.drain()

    threads = [threading.Thread(target=process_jobs, args=(service, 3)) for _ in range(2)]
    workers = [threading.Thread(target=deliver) for _ in range(2)]
    for thread in [*workers, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    for thread in workers:
        thread.join()
    service.drain()
    assert {state for state, _ in delivery_states(service)} == {"delivered"}
    assert [delivery["attempts"] for delivery in service.deliveries()] == [1] * 40
    assert len(service.sandbox.orders()) == 40


def test_mapping_check_says_how_many_could_be_sent(service: Service) -> None:
    service.post_shopify(without_colonia(1))
    service.post_shopify(shopify_order(2))
    service.drain()
    park(service, 1, 2, reason="unmappable")
    ids = database_jobs.list_actionable_ids(service.database, DeliveryFilter(state="parked"), RETRIGGER)
    check = check_mapping(service.runtime, ids)
    assert (check.mappable, check.unmappable, check.not_fetched, check.unchecked) == (1, 1, 0, 0)
    assert [(render_cause(problem), count) for problem, count in check.problems.values()] == [
        ("Shipping address > neighbourhood is missing.", 1)
    ]
