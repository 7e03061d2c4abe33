"""Bulk retries: jobs that queue many deliveries again, page by page.

A page and the job's progress are committed together. So a job needs no lease: whichever process continues it, no
delivery is queued twice.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, update
from sqlmodel import col, func, select

from connector.core.exceptions import ConflictError, NotFoundError
from connector.database.engine import Database, Transaction
from connector.database.idempotency import IdempotentRequest, transact_idempotently
from connector.database.insert_ignore import insert_ignore
from connector.database.models import Delivery, Job, JobState
from connector.database.operator_actions import RetriggerRequest, requeue_or_skip
from connector.database.queries.deliveries import DeliveryFilter

#: Deliveries in one transaction, for which webhooks may have to wait.
PAGE_SIZE = 50


def start_job(
    database: Database,
    delivery_filter: DeliveryFilter,
    request: RetriggerRequest,
    *,
    token: str,
    idempotency: IdempotentRequest | None = None,
) -> Job:
    """Create a job for the deliveries that match now. It queues nothing yet.

    Args:
        token: a repeated call with the same token returns the same job.
    """
    matching = select(func.count(), func.max(Delivery.id)).where(*delivery_filter.conditions())
    with database.read() as session:  # not in the transaction: there may be many
        total, last_id = session.exec(matching).one()

    def start(transaction: Transaction) -> Job:
        values = {
            "token": token,
            "who": request.actor,
            "note": request.note,
            "force": request.force,
            "filters": delivery_filter.to_json(),
            "state": JobState.RUNNING if total else JobState.FINISHED,
            "total": total,
            "queued": 0,
            "skipped_reasons": {},
            "after_id": 0,
            "until_id": last_id or 0,
            "created_at": transaction.now,
            "ended_at": None if total else transaction.now,
        }
        insert_ignore(transaction.connection, Job, [values], unique=("token",))
        return require_job(transaction.load_one(select(Job).where(Job.token == token)))

    return transact_idempotently(database, start, idempotency)


def load_job(database: Database, job_id: int) -> Job:
    """Raises `NotFoundError`."""
    with database.read() as session:
        return require_job(session.exec(select(Job).where(Job.id == job_id)).one_or_none(), job_id)


def list_jobs(database: Database, *, before_id: int | None = None, limit: int) -> list[Job]:
    """Newest first. `before_id` is the id of the last one on the previous page."""
    statement = select(Job).where(*([col(Job.id) < before_id] if before_id is not None else []))
    with database.read() as session:
        return list(session.exec(statement.order_by(col(Job.id).desc()).limit(limit)).all())


def cancel_job(database: Database, job_id: int, idempotency: IdempotentRequest | None = None) -> Job:
    """Stop a job. What it has queued stays queued. Raises `NotFoundError`, `ConflictError`."""

    def cancel(transaction: Transaction) -> Job:
        job = lock_job(transaction, job_id)
        if job.state == JobState.FINISHED:
            raise ConflictError("it has finished")
        return change_job(transaction, job_id, state=JobState.CANCELLED, ended_at=job.ended_at or transaction.now)

    return transact_idempotently(database, cancel, idempotency)


def resume_job(database: Database, job_id: int) -> Job:
    """Continue a cancelled job where it stopped. Raises `NotFoundError`, `ConflictError`."""

    def resume(transaction: Transaction) -> Job:
        job = lock_job(transaction, job_id)
        if job.state == JobState.FINISHED:
            raise ConflictError("it has finished")
        return change_job(transaction, job_id, state=JobState.RUNNING, ended_at=None)

    return database.transact(resume)


def next_running_job(database: Database) -> Job | None:
    with database.read() as session:
        running = select(Job).where(Job.state == JobState.RUNNING).order_by(col(Job.id)).limit(1)
        return session.exec(running).one_or_none()


def advance_job(
    database: Database, job: Job, *, destinations_with_idempotency: set[str], page_size: int = PAGE_SIZE
) -> Job | None:
    """Queue the job's next page. Returns the job afterwards; None if another process has advanced it."""
    conditions = [*DeliveryFilter.from_json(job.filters).conditions(), col(Delivery.id) <= job.until_id]
    page = select(Delivery.id).where(*conditions, col(Delivery.id) > job.after_id).order_by(col(Delivery.id))
    with database.read() as session:  # not in the transaction: it may scan many rows
        ids = session.exec(page.limit(page_size)).all()

    def advance(transaction: Transaction) -> Job | None:
        current = lock_job(transaction, job.id)
        if current.state != JobState.RUNNING or current.after_id != job.after_id:
            return None
        if not ids:
            return change_job(transaction, job.id, state=JobState.FINISHED, ended_at=transaction.now)
        queued, skipped = retrigger_page(
            transaction, current, ids, conditions, destinations_with_idempotency=destinations_with_idempotency
        )
        transaction.notify()
        skipped_reasons = dict(Counter(current.skipped_reasons) + skipped)
        return change_job(
            transaction, job.id, after_id=ids[-1], queued=current.queued + queued, skipped_reasons=skipped_reasons
        )

    return database.transact(advance)


def retrigger_page(
    transaction: Transaction,
    job: Job,
    ids: Sequence[int],
    conditions: Sequence[ColumnElement[bool]],
    *,
    destinations_with_idempotency: set[str],
) -> tuple[int, Counter[str]]:
    """Queue those that still match and whose state allows it. Returns their number, and the codes of why not."""
    statement = select(Delivery).where(col(Delivery.id).in_(ids), *conditions).order_by(col(Delivery.id))
    matches = transaction.load_all(statement.with_for_update())
    request = RetriggerRequest(actor=job.who, note=job.note, force=job.force)
    results = [
        requeue_or_skip(
            transaction,
            item,
            request,
            supports_idempotency=item.destination in destinations_with_idempotency,
            ignores_routes=job.force,
        )
        for item in matches
    ]
    skipped = Counter(item.why.code for item in results if item.done == "left")
    return len(results) - skipped.total(), skipped


def lock_job(transaction: Transaction, job_id: int) -> Job:
    return require_job(transaction.load_one(select(Job).where(Job.id == job_id).with_for_update()), job_id)


def change_job(transaction: Transaction, job_id: int, **values: Any) -> Job:
    transaction.execute(update(Job).where(col(Job.id) == job_id).values(values))
    return lock_job(transaction, job_id)


def require_job(job: Job | None, job_id: int | str = "") -> Job:
    if job is None:
        raise NotFoundError(f"no job {job_id}")
    return job
