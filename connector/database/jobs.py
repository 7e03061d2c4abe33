"""Jobs: one action on many deliveries, page by page.

The deliveries that match when a job is created are its own, whatever happens to them, so each of them is accounted for
at the end. A page and the job's progress are committed together. So a job needs no lease: whichever process continues
it, no delivery is processed twice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, insert, literal, not_, update
from sqlmodel import col, func, select

from connector.core.exceptions import ConflictError, NotFoundError
from connector.core.messages import build_message
from connector.database.engine import Database, Transaction
from connector.database.idempotency import IdempotentRequest, transact_idempotently
from connector.database.insert_ignore import insert_ignore
from connector.database.models import Delivery, Job, JobAction, JobDelivery, JobState, OperatorAction, Reason, State
from connector.database.operator_actions import (
    ERASED,
    PREVIOUS_STATES,
    RetriggerRequest,
    apply_resolution,
    requeue,
    resolve_refusal,
    retrigger_refusal,
)
from connector.database.queries.deliveries import DeliveryFilter
from mappings.problems import Problem

#: Deliveries in one transaction, for which webhooks may have to wait.
PAGE_SIZE = 50

#: No job acts on an order whose personal data was erased.
NOT_ERASED = col(Delivery.erased_at).is_(None)
#: The state to which a job's action takes a delivery.
RESOLUTIONS = {JobAction.DISCARD: State.DISCARDED, JobAction.MARK_DELIVERED: State.DELIVERED}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a person wants done.

    Args:
        force: also what is delivered, discarded or uncertain.
        looked: also what may have arrived: the person looked for each of them at the destination.
    """

    action: JobAction
    actor: str
    note: str | None = None
    force: bool = False
    looked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """What a job would do now. Counts by the code of the message that says what they are, or why they are left."""

    acted: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.acted.total() + self.left.total()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What a job did to a delivery: `why` is what it was, or why it was left alone."""

    delivery_id: int
    is_done: bool
    why: Problem


def plan_job(database: Database, delivery_filter: DeliveryFilter, request: JobRequest) -> JobPlan:
    """Return what a job would do if it were started and processed now."""
    was_attempted = col(Delivery.attempts) > 0
    groups = (
        select(Delivery.state, Delivery.reason, was_attempted, func.count())
        .where(*delivery_filter.conditions(), NOT_ERASED)
        .group_by(Delivery.state, col(Delivery.reason), was_attempted)
    )
    erased = select(func.count()).select_from(Delivery).where(*delivery_filter.conditions(), not_(NOT_ERASED))
    plan = JobPlan()
    with database.read() as session:
        if count := session.exec(erased).one():
            plan.left[ERASED.code] = count
        for state, reason, is_attempted, count in session.exec(groups):
            refusal = find_refusal(request, delivery_filter, state, reason, was_attempted=is_attempted)
            if refusal is None:
                plan.acted[PREVIOUS_STATES[reason or state].code] += count
            else:
                plan.left[refusal.code] += count
    return plan


def list_actionable_ids(database: Database, delivery_filter: DeliveryFilter, request: JobRequest) -> list[int]:
    """The ids of the deliveries that a job would act on, in ascending order."""
    matching = select(Delivery.id, Delivery.state, Delivery.reason, Delivery.attempts)
    matching = matching.where(*delivery_filter.conditions(), NOT_ERASED)
    with database.read() as session:
        rows = session.exec(matching.order_by(col(Delivery.id))).all()
    return [
        id_
        for id_, state, reason, attempts in rows
        if find_refusal(request, delivery_filter, state, reason, was_attempted=attempts > 0) is None
    ]


def find_refusal(
    request: JobRequest, delivery_filter: DeliveryFilter, state: str, reason: str | None, *, was_attempted: bool
) -> Problem | None:
    """Why a job leaves a delivery alone; None if it does not.

    It sends what is held only if the person selected just that, and not if it may have arrived.
    """
    if request.action != JobAction.RETRIGGER:
        return resolve_refusal(state, RESOLUTIONS[request.action])
    if reason == Reason.HELD and not request.force:
        if delivery_filter.reason != Reason.HELD and delivery_filter.ids is None:
            return build_message("is_held")
        if was_attempted and not request.looked:
            return build_message("held_after_attempt")
    return retrigger_refusal(state, reason, force=request.force, looked=request.looked)


def start_job(
    database: Database,
    delivery_filter: DeliveryFilter,
    request: JobRequest,
    *,
    token: str,
    idempotency: IdempotentRequest | None = None,
) -> Job:
    """Create a job for the deliveries that match now. It changes none of them yet.

    Args:
        token: a repeated call with the same token returns the same job.
    """

    def start(transaction: Transaction) -> Job:
        values = {
            "token": token,
            "action": request.action,
            "who": request.actor,
            "note": request.note,
            "force": request.force,
            "looked": request.looked,
            "filters": delivery_filter.to_json(),
            "state": JobState.RUNNING,
            "total": 0,
            "acted": 0,
            "skipped_reasons": {},
            "after_id": 0,
            "created_at": transaction.now,
        }
        is_new = insert_ignore(transaction.connection, Job, [values], unique=("token",))
        job = require_job(transaction.load_one(select(Job).where(Job.token == token)))
        if not is_new:
            return job
        matching = select(literal(job.id), Delivery.id).where(*delivery_filter.conditions())
        transaction.execute(insert(JobDelivery).from_select(["job_id", "delivery_id"], matching))
        count = select(func.count()).select_from(JobDelivery).where(JobDelivery.job_id == job.id)
        total = transaction.load_one(count) or 0
        record_job_action(transaction, job.id, "start-job", request.actor, request.note)
        ended = {} if total else {"state": JobState.FINISHED, "ended_at": transaction.now}
        return change_job(transaction, job.id, total=total, **ended)

    return transact_idempotently(database, start, idempotency)


def record_job_action(transaction: Transaction, job_id: int, kind: str, actor: str, note: str | None) -> None:
    """Add an entry to the audit trail."""
    values = {"at": transaction.now, "job_id": job_id, "kind": kind, "who": actor, "text": note or ""}
    transaction.execute(insert(OperatorAction).values(values))


def load_job(database: Database, job_id: int) -> Job:
    """Raises `NotFoundError`."""
    with database.read() as session:
        return require_job(session.exec(select(Job).where(Job.id == job_id)).one_or_none(), job_id)


def list_jobs(database: Database, *, before_id: int | None = None, limit: int) -> list[Job]:
    """Newest first. `before_id` is the id of the last one on the previous page."""
    statement = select(Job).where(*([col(Job.id) < before_id] if before_id is not None else []))
    with database.read() as session:
        return list(session.exec(statement.order_by(col(Job.id).desc()).limit(limit)).all())


def stop_job(
    database: Database,
    job_id: int,
    *,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> Job:
    """Stop a job. What it has done stays done. Raises `NotFoundError`, `ConflictError`."""

    def stop(transaction: Transaction) -> Job:
        job = lock_unfinished_job(transaction, job_id)
        if job.state == JobState.CANCELLED:
            return job
        record_job_action(transaction, job_id, "stop-job", actor, note)
        return change_job(transaction, job_id, state=JobState.CANCELLED, ended_at=transaction.now)

    return transact_idempotently(database, stop, idempotency)


def resume_job(
    database: Database,
    job_id: int,
    *,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> Job:
    """Continue a stopped job where it stopped. Raises `NotFoundError`, `ConflictError`."""

    def resume(transaction: Transaction) -> Job:
        job = lock_unfinished_job(transaction, job_id)
        if job.state == JobState.RUNNING:
            return job
        record_job_action(transaction, job_id, "resume-job", actor, note)
        return change_job(transaction, job_id, state=JobState.RUNNING, ended_at=None)

    return transact_idempotently(database, resume, idempotency)


def next_running_job(database: Database) -> Job | None:
    with database.read() as session:
        running = select(Job).where(Job.state == JobState.RUNNING).order_by(col(Job.id)).limit(1)
        return session.exec(running).one_or_none()


def advance_job(
    database: Database, job: Job, *, destinations_with_idempotency: set[str], page_size: int = PAGE_SIZE
) -> Job | None:
    """Process the job's next page. Returns the job afterwards; None if another process has advanced it."""
    page = select(JobDelivery.delivery_id).where(
        JobDelivery.job_id == job.id, col(JobDelivery.delivery_id) > job.after_id
    )
    with database.read() as session:
        ids = session.exec(page.order_by(col(JobDelivery.delivery_id)).limit(page_size)).all()

    def advance(transaction: Transaction) -> Job | None:
        current = lock_job(transaction, job.id)
        if current.state != JobState.RUNNING or current.after_id != job.after_id:
            return None
        if not ids:
            return change_job(transaction, job.id, state=JobState.FINISHED, ended_at=transaction.now)
        results = process_page(transaction, current, ids, destinations_with_idempotency=destinations_with_idempotency)
        record_results(transaction, job.id, results)
        transaction.notify()
        left = Counter(result.why.code for result in results if not result.is_done)
        return change_job(
            transaction,
            job.id,
            after_id=ids[-1],
            acted=current.acted + len(results) - left.total(),
            skipped_reasons=dict(Counter(current.skipped_reasons) + left),
        )

    return database.transact(advance)


def process_page(
    transaction: Transaction, job: Job, ids: Sequence[int], *, destinations_with_idempotency: set[str]
) -> list[JobResult]:
    """Do the job's action to those deliveries that still match and whose state allows it."""
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
    supports_idempotency: bool,
) -> JobResult:
    action = JobAction(job.action)
    request = JobRequest(action=action, actor=job.who, note=job.note, force=job.force, looked=job.looked)
    was_attempted = delivery.attempts > 0
    refusal = find_refusal(request, delivery_filter, delivery.state, delivery.reason, was_attempted=was_attempted)
    if delivery.erased_at is not None:
        refusal = ERASED
    if refusal is not None:
        return JobResult(delivery_id=delivery.id, is_done=False, why=refusal)
    if action == JobAction.RETRIGGER:
        retrigger = RetriggerRequest(actor=job.who, note=job.note, force=job.force)
        requeue(transaction, delivery, retrigger, supports_idempotency=supports_idempotency, ignores_routes=job.force)
    else:
        new_state = RESOLUTIONS[action]
        apply_resolution(transaction, delivery, new_state=new_state, remote_id=None, note=job.note, actor=job.who)
    return JobResult(delivery_id=delivery.id, is_done=True, why=PREVIOUS_STATES[delivery.reason or delivery.state])


def record_results(transaction: Transaction, job_id: int, results: Sequence[JobResult]) -> None:
    """Record what was done to each delivery: one statement for those with the same result."""
    ids_by_result: dict[tuple[bool, str], list[int]] = {}
    for result in results:
        ids_by_result.setdefault((result.is_done, result.why.code), []).append(result.delivery_id)
    for (is_done, why), ids in ids_by_result.items():
        rows = update(JobDelivery).where(col(JobDelivery.job_id) == job_id, col(JobDelivery.delivery_id).in_(ids))
        transaction.execute(rows.values(is_done=is_done, why=why))


def lock_job(transaction: Transaction, job_id: int) -> Job:
    return require_job(transaction.load_one(select(Job).where(Job.id == job_id).with_for_update()), job_id)


def lock_unfinished_job(transaction: Transaction, job_id: int) -> Job:
    """Raises `NotFoundError`, `ConflictError`."""
    job = lock_job(transaction, job_id)
    if job.state == JobState.FINISHED:
        raise ConflictError("it has finished")
    return job


def change_job(transaction: Transaction, job_id: int, **values: Any) -> Job:
    transaction.execute(update(Job).where(col(Job.id) == job_id).values(values))
    return lock_job(transaction, job_id)


def require_job(job: Job | None, job_id: int | str = "") -> Job:
    if job is None:
        raise NotFoundError(f"no job {job_id}")
    return job
