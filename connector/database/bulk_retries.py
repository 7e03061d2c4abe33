"""Jobs that retrigger many deliveries, page by page. A page and how far the job has come are one transaction.

So a job needs no lease: whoever works on it, and wherever the last one died, no delivery is taken twice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, func, select, update

from connector.core.exceptions import ConflictError, NotFoundError
from connector.database.engine import Database, Transaction
from connector.database.idempotency import IdempotentRequest, transact_idempotently
from connector.database.models import Delivery, Job, JobState, State, deliveries, jobs, read_row, read_rows
from connector.database.operator_actions import RetriggerRequest, requeue_or_skip
from connector.database.sql.execute import insert_ignore

#: Deliveries in one transaction: webhooks wait for no more than these.
PAGE_SIZE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries a job is about: those of `ids`, or else those of a state; and of these what the rest says.

    Args:
        since, until: when they were made.
    """

    state: str | None = State.PARKED
    reason: str | None = None
    account: str | None = None
    store: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: tuple[int, ...] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        exact = {"state": self.state, "reason": self.reason, "account": self.account, "store": self.store}
        return [
            *(deliveries.c[name] == value for name, value in exact.items() if value is not None),
            *([deliveries.c.created_at >= self.since] if self.since is not None else []),
            *([deliveries.c.created_at < self.until] if self.until is not None else []),
            *([deliveries.c.id.in_(self.ids)] if self.ids is not None else []),
        ]

    def to_json(self) -> dict[str, Any]:
        """As the job's row keeps it: what was given alone."""
        values: dict[str, Any] = {"state": self.state, "reason": self.reason, "account": self.account}
        values |= {"store": self.store, "ids": list(self.ids) if self.ids is not None else None}
        values |= {"since": self.since and self.since.isoformat(), "until": self.until and self.until.isoformat()}
        return {name: value for name, value in values.items() if value is not None}


def read_filter(job: Job) -> DeliveryFilter:
    """What `kept` made of it."""
    filters: dict[str, Any] = {"state": None, **job.filters}
    instants: dict[str, Any] = {
        name: datetime.fromisoformat(filters.pop(name)) for name in ("since", "until") if name in filters
    }
    ids = tuple(filters.pop("ids")) if "ids" in filters else None
    return DeliveryFilter(**filters, **instants, ids=ids)


def start_job(
    database: Database,
    delivery_filter: DeliveryFilter,
    request: RetriggerRequest,
    *,
    token: str,
    idempotency: IdempotentRequest | None = None,
) -> Job:
    """Have what `choice` chooses now retriggered; what comes in later is not in it. Nothing is queued yet."""
    matching = select(func.count(), func.max(deliveries.c.id)).where(*delivery_filter.conditions())
    with database.read() as connection:  # outside of the writer's turn: there may be many
        total, last_id = connection.execute(matching).one()

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
        insert_ignore(transaction.connection, jobs, [values], unique=["token"], returning=["id"])
        created = select(jobs).where(jobs.c.token == token)
        return cast(Job, transaction.execute(created).one())

    return transact_idempotently(database, start, idempotency)


def load_job(database: Database, job_id: int) -> Job:
    """Raises `NotFoundError`."""
    with database.read() as connection:
        job: Job | None = read_row(connection.execute(select(jobs).where(jobs.c.id == job_id)))
    if job is None:
        raise job_not_found(job_id)
    return job


def list_jobs(database: Database, *, before: int | None = None, limit: int) -> list[Job]:
    """Newest first. `before` is the id of the last one seen."""
    statement = select(jobs).where(*([jobs.c.id < before] if before is not None else []))
    with database.read() as connection:
        return read_rows(connection.execute(statement.order_by(jobs.c.id.desc()).limit(limit)))


def cancel_job(database: Database, job_id: int, idempotency: IdempotentRequest | None = None) -> Job:
    """Take no further page of it; what it has queued stays queued. Raises `NotFoundError`, `ConflictError`."""

    def cancel(transaction: Transaction) -> Job:
        job = lock_job(transaction, job_id)
        if job.state == JobState.FINISHED:
            raise ConflictError("it has finished")
        return change_job(transaction, job_id, state=JobState.CANCELLED, ended_at=job.ended_at or transaction.now)

    return transact_idempotently(database, cancel, idempotency)


def resume_job(database: Database, job_id: int) -> Job:
    """Let a cancelled job go on where it stopped. Raises `NotFoundError`, `ConflictError`."""

    def resume(transaction: Transaction) -> Job:
        job = lock_job(transaction, job_id)
        if job.state == JobState.FINISHED:
            raise ConflictError("it has finished")
        return change_job(transaction, job_id, state=JobState.RUNNING, ended_at=None)

    return database.transact(resume)


def list_matching_ids(
    database: Database, delivery_filter: DeliveryFilter, *, after_id: int = 0, until_id: int | None = None
) -> list[int]:
    """The ids of what `choice` chooses now, in the order in which a job takes them."""
    upper_bound = [deliveries.c.id <= until_id] if until_id is not None else []
    statement = select(deliveries.c.id).where(*delivery_filter.conditions(), deliveries.c.id > after_id, *upper_bound)
    with database.read() as connection:
        return list(connection.execute(statement.order_by(deliveries.c.id)).scalars())


def next_running_job(database: Database) -> Job | None:
    running = select(jobs).where(jobs.c.state == JobState.RUNNING).order_by(jobs.c.id).limit(1)
    with database.read() as connection:
        job: Job | None = read_row(connection.execute(running))
    return job


def advance_job(
    database: Database, job: Job, *, destinations_with_idempotency: set[str], page_size: int = PAGE_SIZE
) -> Job | None:
    """Retrigger the job's next page. Returns the job as it is then; None where somebody else went on with it.

    Args:
        keyed: destinations with an idempotency key.
        size: how many deliveries a page has.
    """
    job_id = cast(int, job.id)
    conditions = [*read_filter(job).conditions(), deliveries.c.id <= job.until_id]
    page = (
        select(deliveries.c.id)
        .where(*conditions, deliveries.c.id > job.after_id)
        .order_by(deliveries.c.id)
        .limit(page_size)
    )
    with database.read() as connection:  # outside of the writer's turn: a page may be far away
        ids = list(connection.execute(page).scalars())

    def advance(transaction: Transaction) -> Job | None:
        current = lock_job(transaction, job_id)
        if current.state != JobState.RUNNING or current.after_id != job.after_id:
            return None
        if not ids:
            return change_job(transaction, job_id, state=JobState.FINISHED, ended_at=transaction.now)
        queued, skipped = retrigger_page(
            transaction, current, ids, conditions, destinations_with_idempotency=destinations_with_idempotency
        )
        transaction.notify()
        skipped_reasons = dict(Counter(current.skipped_reasons) + skipped)
        return change_job(
            transaction, job_id, after_id=ids[-1], queued=current.queued + queued, skipped_reasons=skipped_reasons
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
    """Queue those that the filters still choose and whose state allows it. Returns how many, and why others not."""
    statement = (
        select(deliveries).where(deliveries.c.id.in_(ids), *conditions).order_by(deliveries.c.id).with_for_update()
    )
    matches: list[Delivery] = read_rows(transaction.execute(statement))
    request = RetriggerRequest(actor=job.who, note=job.note, force=job.force)
    results = [
        requeue_or_skip(
            transaction, item, request, supports_idempotency=item.destination in destinations_with_idempotency
        )
        for item in matches
    ]
    skipped = Counter(item.why for item in results if item.done == "left")
    return len(results) - skipped.total(), skipped


def lock_job(transaction: Transaction, job_id: int) -> Job:
    job: Job | None = read_row(transaction.execute(select(jobs).where(jobs.c.id == job_id).with_for_update()))
    if job is None:
        raise job_not_found(job_id)
    return job


def change_job(transaction: Transaction, job_id: int, **values: Any) -> Job:
    transaction.execute(update(jobs).where(jobs.c.id == job_id).values(values))
    return lock_job(transaction, job_id)


def job_not_found(job_id: int) -> NotFoundError:
    return NotFoundError(f"no job {job_id}")
