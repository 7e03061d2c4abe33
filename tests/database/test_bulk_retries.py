"""Bulk retries: selection, progress, and no delivery processed twice."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from connector.core.exceptions import ConflictError, InvalidRequestError
from connector.database import bulk_retries
from connector.database.operator_actions import RetriggerRequest
from connector.database.queries.deliveries import DeliveryFilter
from connector.operations import actions
from tests.support.orders import shopify_order
from tests.support.scenarios import lose_a_response, refuse_order
from tests.support.service import Service


def start_bulk_retry(service: Service, choice: DeliveryFilter | None = None, **options: Any) -> str:
    return str(
        actions.start_bulk_retry(service.runtime, choice or DeliveryFilter(state="parked"), actor="ana", **options).id
    )


def process_bulk_retries(service: Service, size: int = 50) -> None:
    while actions.advance_bulk_retries(service.runtime, size=size):
        pass


def delivery_states(service: Service) -> list[tuple[str, str | None]]:
    return [(delivery["state"], delivery["reason"]) for delivery in service.deliveries()]


def test_bulk_retry_queues_parked_deliveries_and_reports_skipped_ones(service: Service) -> None:
    lose_a_response(service, "rayo")
    refuse_order(service, 7, 8)
    job = start_bulk_retry(service, note="LaPyme knows the products now")
    process_bulk_retries(service)
    assert delivery_states(service) == [("parked", "uncertain"), ("waiting", None), ("waiting", None)]
    done = bulk_retries.load_job(service.database, int(job))
    assert (done.state, done.total, done.queued) == ("finished", 3, 2)
    assert done.skipped_reasons == {"is_uncertain": 1}
    reason = "it is uncertain: look at the destination first, then resolve it or use `force`"
    assert service.api(f"/retriggers/{job}").json["left_why"] == {reason: 1}
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
def test_bulk_retry_applies_filters(service: Service, choice: DeliveryFilter, queued: list[str]) -> None:
    lose_a_response(service, "rayo")
    refuse_order(service, 7, 8)
    start_bulk_retry(service, choice)
    process_bulk_retries(service)
    assert [delivery["id"] for delivery in service.deliveries(state="waiting")] == queued


def test_bulk_retry_filters_by_creation_time(service: Service) -> None:
    refuse_order(service, 7)
    service.clock.forward(3600)
    between = service.clock()
    service.clock.forward(3600)
    refuse_order(service, 8)
    start_bulk_retry(service, DeliveryFilter(state="parked", since=between))
    process_bulk_retries(service)
    assert [delivery["order_id"] for delivery in service.deliveries(state="waiting")] == ["8"]
    start_bulk_retry(service, DeliveryFilter(state="parked", until=between))
    process_bulk_retries(service)
    assert [delivery["order_id"] for delivery in service.deliveries(state="waiting")] == ["7", "8"]


def test_interrupted_bulk_retry_resumes_without_repeating(service: Service) -> None:
    refuse_order(service, *range(1, 6))
    start_bulk_retry(service)
    actions.advance_bulk_retries(service.runtime, size=2)
    assert [delivery["id"] for delivery in service.deliveries(state="waiting")] == ["1", "2"]
    for _ in range(2):  # those are sent and refused again while the bulk retry pauses
        service.sandbox.inject_fault("lapyme", "status", status=422)
    service.deliver_due()
    process_bulk_retries(service)
    assert [delivery["id"] for delivery in service.deliveries(state="waiting")] == ["3", "4", "5"]
    assert [delivery["attempts"] for delivery in service.deliveries()] == [2, 2, 1, 1, 1]


def test_concurrent_workers_process_each_page_once(service: Service) -> None:
    refuse_order(service, *range(1, 8))
    start_bulk_retry(service)
    threads = [threading.Thread(target=process_bulk_retries, args=(service, 2)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(service.api(f"/deliveries/{id_}").json["notes"]) for id_ in range(1, 8)] == [1] * 7
    assert bulk_retries.load_job(service.database, 1).queued == 7


def test_stale_page_is_not_processed(service: Service) -> None:
    refuse_order(service, 7)
    start_bulk_retry(service)
    stale = bulk_retries.next_running_job(service.database)
    assert stale is not None
    process_bulk_retries(service)
    assert bulk_retries.advance_job(service.database, stale, destinations_with_idempotency=set()) is None
    assert len(service.api("/deliveries/1").json["notes"]) == 1


def test_repeated_request_returns_the_same_bulk_retry(service: Service) -> None:
    refuse_order(service, 7)
    request = RetriggerRequest(actor="ana")
    job_ids = [
        bulk_retries.start_job(service.database, DeliveryFilter(state="parked"), request, token="one").id
        for _ in range(2)
    ]
    assert job_ids == [1, 1]


def test_cancelled_bulk_retry_stops(service: Service) -> None:
    refuse_order(service, *range(1, 4))
    job = int(start_bulk_retry(service))
    actions.advance_bulk_retries(service.runtime, size=2)
    assert actions.cancel_bulk_retry(service.runtime, job, actor="ana").state == "cancelled"
    process_bulk_retries(service)
    assert [delivery["id"] for delivery in service.deliveries(state="waiting")] == ["1", "2"]


def test_finished_bulk_retry_cannot_be_cancelled(service: Service) -> None:
    job = int(start_bulk_retry(service))
    assert bulk_retries.load_job(service.database, job).state == "finished"  # there was nothing to do
    with pytest.raises(ConflictError):
        actions.cancel_bulk_retry(service.runtime, job, actor="ana")


def test_delivered_orders_require_force_and_explicit_ids(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.deliver_due()
    with pytest.raises(InvalidRequestError, match="`force` needs `ids`"):
        start_bulk_retry(service, force=True)
    start_bulk_retry(service, DeliveryFilter(ids=(1,)))
    process_bulk_retries(service)
    assert delivery_states(service) == [("delivered", None)]
    start_bulk_retry(service, DeliveryFilter(ids=(1,)), force=True)
    process_bulk_retries(service)
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
        start_bulk_retry(service, choice)


def test_worker_processes_bulk_retries_alongside_deliveries(open_service: Callable[..., Service]) -> None:
    service = open_service()
    refuse_order(service, 7)
    start_bulk_retry(service)
    worker = service.worker()
    running = threading.Thread(target=worker.run)
    running.start()
    give_up_at = time.monotonic() + 10
    while service.deliveries()[0]["state"] != "delivered" and time.monotonic() < give_up_at:
        time.sleep(0.02)
    worker.stop()
    running.join()
    assert delivery_states(service) == [("delivered", None)]
