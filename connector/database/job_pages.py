"""Performs jobs page by page. A page and the job's progress are one transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, update
from sqlmodel import col, select

from connector.core.messages import build_message
from connector.database.engine import Database, Transaction
from connector.database.jobs import RESOLUTIONS, JobRequest, change_job, find_refusal, lock_job
from connector.database.models import Delivery, Job, JobAction, JobDelivery, JobState
from connector.database.operator_actions import (
    ERASED,
    PREVIOUS_STATES,
    RetriggerRequest,
    apply_resolution,
    requeue,
)
from connector.database.queries.deliveries import DeliveryFilter
from mappings.problems import Problem

#: Deliveries in one transaction, for which webhooks may have to wait.
PAGE_SIZE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What a job did to a delivery: `why` is what it was, or why it was left alone."""

    delivery_id: int
    is_done: bool
    why: Problem


def next_running_job(database: Database) -> Job | None:
    with database.read() as session:
        running = select(Job).where(Job.state == JobState.RUNNING).order_by(col(Job.id)).limit(1)
        return session.exec(running).one_or_none()


def advance_job(
    database: Database, job: Job, *, destinations_with_idempotency: set[str], page_size: int = PAGE_SIZE
) -> Job | None:
    """Process the job's next page. Returns the job afterwards; None if another process has advanced it."""
    page = select(JobDelivery.delivery_id, JobDelivery.remote_id).where(
        JobDelivery.job_id == job.id, col(JobDelivery.delivery_id) > job.after_id
    )
    with database.read() as session:
        remote_ids = dict(session.exec(page.order_by(col(JobDelivery.delivery_id)).limit(page_size)).all())

    def advance(transaction: Transaction) -> Job | None:
        current = lock_job(transaction, job.id)
        if current.state != JobState.RUNNING or current.after_id != job.after_id:
            return None
        if not remote_ids:
            return change_job(transaction, job.id, state=JobState.FINISHED, ended_at=transaction.now)
        results = process_page(
            transaction, current, remote_ids, destinations_with_idempotency=destinations_with_idempotency
        )
        record_results(transaction, job.id, results)
        transaction.notify()
        left = Counter(result.why.code for result in results if not result.is_done)
        return change_job(
            transaction,
            job.id,
            after_id=max(remote_ids),
            acted=current.acted + len(results) - left.total(),
            skipped_reasons=dict(Counter(current.skipped_reasons) + left),
        )

    return database.transact(advance)


def process_page(
    transaction: Transaction,
    job: Job,
    remote_ids: Mapping[int, str | None],
    *,
    destinations_with_idempotency: set[str],
) -> list[JobResult]:
    """Do the job's action to those deliveries that still match and whose state allows it.

    Args:
        remote_ids: what was entered for each of the page's deliveries, by its id.
    """
    ids = list(remote_ids)
    statement = select(Delivery).where(col(Delivery.id).in_(ids)).order_by(col(Delivery.id))
    deliveries = transaction.load_all(statement.with_for_update())
    delivery_filter = DeliveryFilter.from_json(job.filters)
    conditions: list[ColumnElement[bool]] = delivery_filter.conditions()
    matching = set(transaction.load_all(select(Delivery.id).where(col(Delivery.id).in_(ids), *conditions)))
    return [
        process_delivery(
            transaction,
            job,
            delivery_filter,
            delivery,
            remote_id=remote_ids[delivery.id],
            supports_idempotency=delivery.destination in destinations_with_idempotency,
        )
        if delivery.id in matching
        else JobResult(delivery_id=delivery.id, is_done=False, why=build_message("changed_meanwhile"))
        for delivery in deliveries
    ]


def process_delivery(
    transaction: Transaction,
    job: Job,
    delivery_filter: DeliveryFilter,
    delivery: Delivery,
    *,
    remote_id: str | None,
    supports_idempotency: bool,
) -> JobResult:
    action = JobAction(job.action)
    request = JobRequest(action=action, actor=job.who, note=job.note, force=job.force, looked=job.looked)
    may_have_arrived = delivery.attempts > 0 or bool(delivery.sent_before_restore)
    refusal = find_refusal(request, delivery_filter, delivery.state, delivery.reason, may_have_arrived=may_have_arrived)
    if delivery.erased_at is not None:
        refusal = ERASED
    if refusal is not None:
        return JobResult(delivery_id=delivery.id, is_done=False, why=refusal)
    if action == JobAction.RETRIGGER:
        retrigger = RetriggerRequest(actor=job.who, note=job.note, force=job.force, looked=job.looked)
        requeue(transaction, delivery, retrigger, supports_idempotency=supports_idempotency, ignores_routes=job.force)
    else:
        new_state = RESOLUTIONS[action]
        apply_resolution(transaction, delivery, new_state=new_state, remote_id=remote_id, note=job.note, actor=job.who)
    return JobResult(delivery_id=delivery.id, is_done=True, why=PREVIOUS_STATES[delivery.reason or delivery.state])


def record_results(transaction: Transaction, job_id: int, results: Sequence[JobResult]) -> None:
    """Record what was done to each delivery: one statement for those with the same result."""
    ids_by_result: dict[tuple[bool, str], list[int]] = {}
    for result in results:
        ids_by_result.setdefault((result.is_done, result.why.code), []).append(result.delivery_id)
    for (is_done, why), ids in ids_by_result.items():
        rows = update(JobDelivery).where(col(JobDelivery.job_id) == job_id, col(JobDelivery.delivery_id).in_(ids))
        transaction.execute(rows.values(is_done=is_done, why=why))
