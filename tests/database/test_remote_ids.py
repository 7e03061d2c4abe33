"""Jobs that mark orders as delivered, with the ids that a person enters for them."""

from typing import Any

import pytest

from connector.core.exceptions import InvalidRequestError
from connector.database.jobs import JobPlan, JobRequest
from connector.database.models import Job, JobAction, JobDelivery
from connector.database.queries.deliveries import DeliveryFilter
from connector.database.remote_ids import InvalidRemoteIdsError, RemoteId
from connector.operations import jobs
from tests.support.jobs import process_jobs, start_job
from tests.support.orders import shopify_order
from tests.support.rows import read_rows_of
from tests.support.scenarios import refuse_order, without_colonia
from tests.support.service import Service


def mark_with(service: Service, *lines: tuple[str, str], **options: Any) -> Job:
    remote_ids = [RemoteId(line=number, order=order, remote_id=id_) for number, (order, id_) in enumerate(lines, 1)]
    return start_job(service, action=JobAction.MARK_DELIVERED, remote_ids=remote_ids, **options)


def test_entered_ids_are_stored_with_their_orders(service: Service) -> None:
    refuse_order(service, 7, 8)
    mark_with(service, ("8", "L-8"), ("7", "L-7"))
    process_jobs(service, size=1)
    assert [(row["state"], row["remote_id"]) for row in service.deliveries()] == [
        ("delivered", "L-7"),
        ("delivered", "L-8"),
    ]


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        ([("7", "L-7"), ("99", "L-99")], ["line_without_order", "remote_ids_missing"]),
        ([("7", "L-7"), ("7", "L-70"), ("8", "L-8")], ["line_repeated"]),
        ([("7", "L-7")], ["remote_ids_missing"]),
        ([("7", "L-7"), ("8", "")], ["line_unreadable"]),
        ([("7", "L-7"), ("8", "L-8"), ("1", "R-1")], ["line_left_alone"]),
    ],
)
def test_no_job_is_started_if_a_line_does_not_fit(
    service: Service, lines: list[tuple[str, str]], problems: list[str]
) -> None:
    refuse_order(service, 7, 8)
    service.post_shopify(shopify_order(1))
    by_ids = DeliveryFilter(ids=(1, 2, 3))
    for choice in (plan_mark, mark_with):
        with pytest.raises(InvalidRemoteIdsError) as raised:
            choice(service, *lines, delivery_filter=by_ids)
        assert [problem.code for problem in raised.value.problems] == problems
    assert read_rows_of(service, JobDelivery) == []


def plan_mark(service: Service, *lines: tuple[str, str], delivery_filter: DeliveryFilter) -> JobPlan:
    remote_ids = [RemoteId(line=number, order=order, remote_id=id_) for number, (order, id_) in enumerate(lines, 1)]
    request = JobRequest(action=JobAction.MARK_DELIVERED, actor="ana", remote_ids=remote_ids)
    return jobs.plan_job(service.runtime, delivery_filter, request)


def test_line_that_names_orders_of_several_stores_is_refused(service: Service) -> None:
    refuse_order(service, 1)
    service.post_shopify(without_colonia(1))
    service.drain()
    with pytest.raises(InvalidRemoteIdsError) as raised:
        mark_with(service, ("1", "L-1"))
    assert raised.value.problems[0].code == "line_of_several"


def test_ids_are_only_for_orders_that_are_marked_as_delivered(service: Service) -> None:
    with pytest.raises(InvalidRequestError, match="go with the action mark-delivered"):
        start_job(service, remote_ids=[RemoteId(line=1, order="7", remote_id="L-7")])
