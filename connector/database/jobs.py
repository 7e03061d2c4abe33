"""Jobs: one action on many deliveries, page by page.

A job stores
the
deliveries
that match
when it is
created, so
each of them
is accounted
for at the
end. A page and the job's progress are committed together. So a job needs no lease: whichever process continues
it, no delivery is processed twice.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, bindparam, false, insert, literal, not_, or_, update
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
    resolve_refusal,
    retrigger_refusal,
)
from connector.database.queries.deliveries import DeliveryFilter
from connector.database.remote_ids import Candidate, RemoteId, assign_remote_ids
from mappings.problems import Problem

#: No job acts on an order whose personal data was erased.
NOT_ERASED = col(Delivery.erased_at).is_(None)
#: The state to which a job's action takes a delivery.
RESOLUTIONS = {JobAction.DISCARD: State.DISCARDED, JobAction.MARK_DELIVERED: State.DELIVERED}
#: Of a delivery for which a remote id may be entered.
CANDIDATE_COLUMNS: tuple[Any, ...] = (
    Delivery.id,
    Delivery.order_id,
    Delivery.order_number,
    Delivery.state,
    Delivery.reason,
    Delivery.attempts,
    Delivery.erased_at,
)


#: An attempt was made, or the database was restored from a backup that may not know of one.
MAY_HAVE_ARRIVED = or_(col(Delivery.attempts) > 0, func.coalesce(col(Delivery.sent_before_restore), false()))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a person wants done.

    Args:
        force: also what is delivered, discarded or uncertain.
        looked: also what may have arrived: the person looked for each of them at the destination.
        remote_ids: of orders that are marked as delivered, their ids at the destination.
        others_without_id: if there are `remote_ids`, the other orders may have none.
    """

    action: JobAction
    actor: str
    note: str | None = None
    force: bool = False
    looked: bool = False
    remote_ids: Sequence[RemoteId] = ()
    others_without_id: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """What a job would do now. Counts by the code of the message that says what they are, or why they are left."""

    acted: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.acted.total() + self.left.total()


def plan_job(database: Database, delivery_filter: DeliveryFilter, request: JobRequest) -> JobPlan:
    """Return what a job would do if it were started and processed now. Raises `InvalidRemoteIdsError`."""
    groups = (
        select(Delivery.state, Delivery.reason, MAY_HAVE_ARRIVED, func.count())
        .where(*delivery_filter.conditions(), NOT_ERASED)
        .group_by(Delivery.state, col(Delivery.reason), MAY_HAVE_ARRIVED)
    )
    erased = select(func.count()).select_from(Delivery).where(*delivery_filter.conditions(), not_(NOT_ERASED))
    plan = JobPlan()
    with database.read() as session:
        if count := session.exec(erased).one():
            plan.left[ERASED.code] = count
        for state, reason, is_doubtful, count in session.exec(groups):
            refusal = find_refusal(request, delivery_filter, state, reason, may_have_arrived=is_doubtful)
            if refusal is None:
                plan.acted[PREVIOUS_STATES[reason or state].code] += count
            else:
                plan.left[refusal.code] += count
    if request.remote_ids:
        with database.read() as session:
            candidates = session.exec(select(*CANDIDATE_COLUMNS).where(*delivery_filter.conditions())).all()
        match_remote_ids(request, delivery_filter, candidates)
    return plan


def list_actionable_ids(database: Database, delivery_filter: DeliveryFilter, request: JobRequest) -> list[int]:
    """The ids of the deliveries that a job would act on, in ascending order."""
    matching = select(Delivery.id, Delivery.state, Delivery.reason, MAY_HAVE_ARRIVED)
    matching = matching.where(*delivery_filter.conditions(), NOT_ERASED)
    with database.read() as session:
        rows = session.exec(matching.order_by(col(Delivery.id))).all()
    return [
        id_
        for id_, state, reason, is_doubtful in rows
        if find_refusal(request, delivery_filter, state, reason, may_have_arrived=is_doubtful) is None
    ]


def find_refusal(
    request: JobRequest, delivery_filter: DeliveryFilter, state: str, reason: str | None, *, may_have_arrived: bool
) -> Problem | None:
    """Why a job leaves a delivery alone; None if it does not.

    It sends what is held only if the person selected just that, and not if it may have arrived.
    """
    if request.action != JobAction.RETRIGGER:
        return resolve_refusal(state, RESOLUTIONS[request.action])
    if reason == Reason.HELD and not request.force:
        if delivery_filter.reason != Reason.HELD and delivery_filter.ids is None:
            return build_message("is_held")
        if may_have_arrived and not request.looked:
            return build_message("held_after_attempt")
    return retrigger_refusal(state, reason, force=request.force, looked=request.looked)


def match_remote_ids(
    request: JobRequest, delivery_filter: DeliveryFilter, rows: Iterable[Sequence[Any]]
) -> dict[int, str]:
    """Return the remote ids by delivery id. Raises `InvalidRemoteIdsError`.

    Args:
        rows: `CANDIDATE_COLUMNS` of the job's deliveries.
    """
    candidates = [
        Candidate(
            id=id_,
            order_id=order_id,
            order_number=order_number,
            refusal=ERASED
            if erased_at is not None
            else find_refusal(request, delivery_filter, state, reason, may_have_arrived=attempts > 0),
        )
        for id_, order_id, order_number, state, reason, attempts, erased_at in rows
    ]
    return assign_remote_ids(request.remote_ids, candidates, others_without_id=request.others_without_id)


def start_job(
    database: Database,
    delivery_filter: DeliveryFilter,
    request: JobRequest,
    *,
    token: str,
    idempotency: IdempotentRequest | None = None,
) -> Job:
    """Create a job for the deliveries that match now. It changes none of them yet. Raises `InvalidRemoteIdsError`.

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
        if request.remote_ids:
            record_remote_ids(transaction, job.id, request, delivery_filter)
        count = select(func.count()).select_from(JobDelivery).where(JobDelivery.job_id == job.id)
        total = transaction.load_one(count) or 0
        record_job_action(transaction, job.id, "start-job", request.actor, request.note)
        ended = {} if total else {"state": JobState.FINISHED, "ended_at": transaction.now}
        return change_job(transaction, job.id, total=total, **ended)

    return transact_idempotently(database, start, idempotency)


def record_remote_ids(
    transaction: Transaction, job_id: int, request: JobRequest, delivery_filter: DeliveryFilter
) -> None:
    """Store the remote ids with the job's deliveries. Raises `InvalidRemoteIdsError`."""
    is_of_job = and_(col(JobDelivery.delivery_id) == col(Delivery.id), col(JobDelivery.job_id) == job_id)
    rows = transaction.execute(select(*CANDIDATE_COLUMNS).join(JobDelivery, is_of_job)).all()
    remote_ids = match_remote_ids(request, delivery_filter, rows)
    job_delivery = JobDelivery.__table__  # type: ignore[attr-defined]
    statement = update(job_delivery).where(
        job_delivery.c.job_id == job_id, job_delivery.c.delivery_id == bindparam("id_of_delivery")
    )
    transaction.execute(
        statement.values(remote_id=bindparam("remote_id_of_order")),
        [{"id_of_delivery": id_, "remote_id_of_order": remote_id} for id_, remote_id in remote_ids.items()],
    )


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
    """Stop a job, without undoing anything. Raises `NotFoundError`, `ConflictError`."""

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
