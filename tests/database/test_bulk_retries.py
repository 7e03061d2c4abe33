"""Jobs that retrigger many deliveries: what they take and leave, how they are told of, and that none is taken twice."""

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
from tests.support.scenarios import lose_a_reply, refuse
from tests.support.service import Service


def start(service: Service, choice: DeliveryFilter | None = None, **options: Any) -> str:
    return str(
        actions.start_bulk_retry(service.runtime, choice or DeliveryFilter(state="parked"), actor="ana", **options).id
    )


def work_off(service: Service, size: int = 50) -> None:
    while actions.advance_bulk_retries(service.runtime, size=size):
        pass


def states(service: Service) -> list[tuple[str, str | None]]:
    return [(one["state"], one["reason"]) for one in service.deliveries()]


def test_a_job_queues_what_is_parked_and_says_what_it_left_and_why(service: Service) -> None:
    lose_a_reply(service, "rayo")
    refuse(service, 7, 8)
    job = start(service, note="LaPyme knows the products now")
    work_off(service)
    assert states(service) == [("parked", "uncertain"), ("waiting", None), ("waiting", None)]
    done = bulk_retries.load_job(service.database, int(job))
    assert (done.state, done.total, done.queued) == ("finished", 3, 2)
    why = "it is uncertain: look at the destination first, then resolve it or use `force`"
    assert done.skipped_reasons == {why: 1}
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
def test_a_job_takes_what_its_filters_choose(service: Service, choice: DeliveryFilter, queued: list[str]) -> None:
    lose_a_reply(service, "rayo")
    refuse(service, 7, 8)
    start(service, choice)
    work_off(service)
    assert [one["id"] for one in service.deliveries(state="waiting")] == queued


def test_a_job_takes_what_was_made_in_a_time(service: Service) -> None:
    refuse(service, 7)
    service.clock.forward(3600)
    between = service.clock()
    service.clock.forward(3600)
    refuse(service, 8)
    start(service, DeliveryFilter(state="parked", since=between))
    work_off(service)
    assert [one["order_id"] for one in service.deliveries(state="waiting")] == ["8"]
    start(service, DeliveryFilter(state="parked", until=between))
    work_off(service)
    assert [one["order_id"] for one in service.deliveries(state="waiting")] == ["7", "8"]


def test_a_job_that_stopped_halfway_goes_on_and_takes_no_delivery_twice(service: Service) -> None:
    refuse(service, *range(1, 6))
    start(service)
    actions.advance_bulk_retries(service.runtime, size=2)
    assert [one["id"] for one in service.deliveries(state="waiting")] == ["1", "2"]
    for _ in range(2):  # those go out and are refused again, while the job rests
        service.sandbox.inject_fault("lapyme", "status", status=422)
    service.carry_due()
    work_off(service)
    assert [one["id"] for one in service.deliveries(state="waiting")] == ["3", "4", "5"]
    assert [one["attempts"] for one in service.deliveries()] == [2, 2, 1, 1, 1]


def test_two_forwarders_work_at_one_job_and_take_no_page_twice(service: Service) -> None:
    refuse(service, *range(1, 8))
    start(service)
    threads = [threading.Thread(target=work_off, args=(service, 2)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(service.api(f"/deliveries/{id_}").json["notes"]) for id_ in range(1, 8)] == [1] * 7
    assert bulk_retries.load_job(service.database, 1).queued == 7


def test_a_page_that_was_read_by_another_is_not_taken(service: Service) -> None:
    refuse(service, 7)
    start(service)
    stale = bulk_retries.next_running_job(service.database)
    assert stale is not None
    work_off(service)
    assert bulk_retries.advance_job(service.database, stale, destinations_with_idempotency=set()) is None
    assert len(service.api("/deliveries/1").json["notes"]) == 1


def test_a_job_that_is_asked_for_again_by_the_same_request_is_the_same_job(service: Service) -> None:
    refuse(service, 7)
    asked = RetriggerRequest(actor="ana")
    made = [
        bulk_retries.start_job(service.database, DeliveryFilter(state="parked"), asked, token="one").id
        for _ in range(2)
    ]
    assert made == [1, 1]


def test_a_cancelled_job_takes_no_further_page(service: Service) -> None:
    refuse(service, *range(1, 4))
    job = int(start(service))
    actions.advance_bulk_retries(service.runtime, size=2)
    assert actions.cancel_bulk_retry(service.runtime, job, actor="ana").state == "cancelled"
    work_off(service)
    assert [one["id"] for one in service.deliveries(state="waiting")] == ["1", "2"]


def test_a_finished_job_cannot_be_cancelled(service: Service) -> None:
    job = int(start(service))
    assert bulk_retries.load_job(service.database, job).state == "finished"  # there was nothing to do
    with pytest.raises(ConflictError):
        actions.cancel_bulk_retry(service.runtime, job, actor="ana")


def test_a_job_sends_what_was_delivered_only_by_force_and_by_id(service: Service) -> None:
    service.post_shopify(shopify_order())
    service.carry_due()
    with pytest.raises(InvalidRequestError, match="`force` needs `ids`"):
        start(service, force=True)
    start(service, DeliveryFilter(ids=(1,)))
    work_off(service)
    assert states(service) == [("delivered", None)]
    start(service, DeliveryFilter(ids=(1,)), force=True)
    work_off(service)
    assert states(service) == [("waiting", None)]


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
def test_a_choice_that_makes_no_sense_is_refused(service: Service, choice: DeliveryFilter) -> None:
    with pytest.raises(InvalidRequestError):
        start(service, choice)


def test_the_forwarder_works_jobs_off_beside_its_orders(open_service: Callable[..., Service]) -> None:
    service = open_service()
    refuse(service, 7)
    start(service)
    forwarder = service.forwarder()
    running = threading.Thread(target=forwarder.run)
    running.start()
    give_up_at = time.monotonic() + 10
    while service.deliveries()[0]["state"] != "delivered" and time.monotonic() < give_up_at:
        time.sleep(0.02)
    forwarder.stop()
    running.join()
    assert states(service) == [("delivered", None)]
