"""Jobs: one action on many deliveries. The API, the dashboard and the command line all call these functions.

With `idempotency`, a request that was made before under the same `Idempotency-Key` raises `AlreadyProcessedError`.
"""

from uuid import uuid4

from connector.core.exceptions import InvalidRequestError
from connector.database import job_pages, jobs
from connector.database.idempotency import IdempotentRequest
from connector.database.jobs import JobPlan, JobRequest
from connector.database.models import Job, JobAction, Reason, State
from connector.database.queries.deliveries import DeliveryFilter
from connector.runtime import Runtime

#: States that a filter may select. Deliveries in other states need `force`, and so their ids.
BULK_STATES = (State.PARKED, State.WAITING)
MAX_IDS = 1_000


def plan_job(runtime: Runtime, delivery_filter: DeliveryFilter, request: JobRequest) -> JobPlan:
    """Return what a job would do now. Changes nothing. Raises `InvalidRequestError`."""
    validate_job(delivery_filter, request)
    return jobs.plan_job(runtime.database, delivery_filter, request)


def start_job(
    runtime: Runtime,
    delivery_filter: DeliveryFilter,
    request: JobRequest,
    *,
    idempotency: IdempotentRequest | None = None,
) -> Job:
    """Start a job in which the worker does to each delivery what the action would do to it alone.

    Raises `InvalidRequestError`.
    """
    validate_job(delivery_filter, request)
    job = jobs.start_job(runtime.database, delivery_filter, request, token=uuid4().hex, idempotency=idempotency)
    runtime.log.info("job_started", job_id=job.id, action=job.action, total=job.total, force=job.force)
    return job


def validate_job(delivery_filter: DeliveryFilter, request: JobRequest) -> None:
    """Raises `InvalidRequestError`: `force` requires explicit ids, because a filter could duplicate many orders."""
    if (request.force or request.looked) and request.action != JobAction.RETRIGGER:
        raise InvalidRequestError("`force` and `looked` go with the action retrigger")
    if (request.remote_ids or request.others_without_id) and request.action != JobAction.MARK_DELIVERED:
        raise InvalidRequestError("`remote_ids` and `others_without_id` go with the action mark-delivered")
    if request.force and delivery_filter.ids is None:
        raise InvalidRequestError("`force` needs `ids`: check each of them at the destination first")
    if delivery_filter.ids is None and delivery_filter.state not in BULK_STATES:
        raise InvalidRequestError(f"`state` must be one of {', '.join(BULK_STATES)}, unless `ids` are given")
    if delivery_filter.ids is not None and not 1 <= len(delivery_filter.ids) <= MAX_IDS:
        raise InvalidRequestError(f"`ids` must be from 1 to {MAX_IDS} ids")
    for name, value, allowed_values in (
        ("state", delivery_filter.state, State),
        ("reason", delivery_filter.reason, Reason),
    ):
        if value is not None and value not in list(allowed_values):
            raise InvalidRequestError(f"`{name}` must be one of {', '.join(allowed_values)}")


def advance_jobs(runtime: Runtime, *, size: int = job_pages.PAGE_SIZE) -> bool:
    """Process the next `size` deliveries of the oldest running job. Return False if there is none."""
    job = job_pages.next_running_job(runtime.database)
    if job is None:
        return False
    updated_job = job_pages.advance_job(
        runtime.database, job, destinations_with_idempotency=runtime.destinations_with_idempotency, page_size=size
    )
    if updated_job is not None and updated_job.ended_at is not None:
        left = sum(updated_job.skipped_reasons.values())
        runtime.log.info("job_finished", job_id=updated_job.id, acted=updated_job.acted, left=left)
    return True


def stop_job(
    runtime: Runtime,
    job_id: int,
    *,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> Job:
    """Stop it, without undoing anything. Raises `NotFoundError`, `ConflictError`."""
    job = jobs.stop_job(runtime.database, job_id, actor=actor, note=note, idempotency=idempotency)
    runtime.log.info("job_stopped", job_id=job_id, who=actor)
    return job


def resume_job(
    runtime: Runtime,
    job_id: int,
    *,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> Job:
    """Go on where a stopped job stopped: no delivery is processed twice. Raises `NotFoundError`, `ConflictError`."""
    job = jobs.resume_job(runtime.database, job_id, actor=actor, note=note, idempotency=idempotency)
    runtime.log.info("job_resumed", job_id=job_id, who=actor)
    return job
