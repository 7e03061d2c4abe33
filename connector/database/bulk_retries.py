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
from connector.database.idempotency import Once, transact_once
from connector.database.models import Delivery, Job, JobState, State, deliveries, jobs, read_row, read_rows
from connector.database.operator_actions import Asked, requeue_or_leave
from connector.database.sql.execute import insert_new

#: Deliveries in one transaction: webhooks wait for no more than these.
PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
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

    def kept(self) -> dict[str, Any]:
        """As the job's row keeps it: what was given alone."""
        values: dict[str, Any] = {"state": self.state, "reason": self.reason, "account": self.account}
        values |= {"store": self.store, "ids": list(self.ids) if self.ids is not None else None}
        values |= {"since": self.since and self.since.isoformat(), "until": self.until and self.until.isoformat()}
        return {name: value for name, value in values.items() if value is not None}


def read_choice(job: Job) -> Choice:
    """What `kept` made of it."""
    filters: dict[str, Any] = {"state": None, **job.filters}
    instants: dict[str, Any] = {
        name: datetime.fromisoformat(filters.pop(name)) for name in ("since", "until") if name in filters
    }
    ids = tuple(filters.pop("ids")) if "ids" in filters else None
    return Choice(**filters, **instants, ids=ids)


def start_job(database: Database, choice: Choice, asked: Asked, *, token: str, once: Once | None = None) -> Job:
    """Have what `choice` chooses now retriggered; what comes in later is not in it. Nothing is queued yet."""
    chosen = select(func.count(), func.max(deliveries.c.id)).where(*choice.conditions())
    with database.read() as connection:  # outside of the writer's turn: there may be many
        total, last = connection.execute(chosen).one()

    def start(transaction: Transaction) -> Job:
        values = {
            "token": token,
            "who": asked.who,
            "note": asked.note,
            "force": asked.force,
            "filters": choice.kept(),
            "state": JobState.RUNNING if total else JobState.FINISHED,
            "total": total,
            "queued": 0,
            "left_why": {},
            "after_id": 0,
            "until_id": last or 0,
            "created_at": transaction.now,
            "ended_at": None if total else transaction.now,
        }
        insert_new(transaction.connection, jobs, [values], unique=["token"], returning=["id"])
        made = select(jobs).where(jobs.c.token == token)
        return cast(Job, transaction.execute(made).one())

    return transact_once(database, start, once)


def load_job(database: Database, job_id: int) -> Job:
    """Raises `NotFoundError`."""
    with database.read() as connection:
        job: Job | None = read_row(connection.execute(select(jobs).where(jobs.c.id == job_id)))
    if job is None:
        raise no_job(job_id)
    return job


def list_jobs(database: Database, *, before: int | None = None, limit: int) -> list[Job]:
    """Newest first. `before` is the id of the last one seen."""
    statement = select(jobs).where(*([jobs.c.id < before] if before is not None else []))
    with database.read() as connection:
        return read_rows(connection.execute(statement.order_by(jobs.c.id.desc()).limit(limit)))


def cancel_job(database: Database, job_id: int, once: Once | None = None) -> Job:
    """Take no further page of it; what it has queued stays queued. Raises `NotFoundError`, `ConflictError`."""

    def cancel(transaction: Transaction) -> Job:
        job = lock_job(transaction, job_id)
        if job.state == JobState.FINISHED:
            raise ConflictError("it has finished")
        return change_job(transaction, job_id, state=JobState.CANCELLED, ended_at=job.ended_at or transaction.now)

    return transact_once(database, cancel, once)


def resume_job(database: Database, job_id: int) -> Job:
    """Let a cancelled job go on where it stopped. Raises `NotFoundError`, `ConflictError`."""

    def resume(transaction: Transaction) -> Job:
        job = lock_job(transaction, job_id)
        if job.state == JobState.FINISHED:
            raise ConflictError("it has finished")
        return change_job(transaction, job_id, state=JobState.RUNNING, ended_at=None)

    return database.transact(resume)


def list_chosen(database: Database, choice: Choice, *, after: int = 0, until: int | None = None) -> list[int]:
    """The ids of what `choice` chooses now, in the order in which a job takes them."""
    last = [deliveries.c.id <= until] if until is not None else []
    statement = select(deliveries.c.id).where(*choice.conditions(), deliveries.c.id > after, *last)
    with database.read() as connection:
        return list(connection.execute(statement.order_by(deliveries.c.id)).scalars())


def oldest_running(database: Database) -> Job | None:
    running = select(jobs).where(jobs.c.state == JobState.RUNNING).order_by(jobs.c.id).limit(1)
    with database.read() as connection:
        job: Job | None = read_row(connection.execute(running))
    return job


def advance_job(database: Database, job: Job, *, keyed: set[str], size: int = PAGE) -> Job | None:
    """Retrigger the job's next page. Returns the job as it is then; None where somebody else went on with it.

    Args:
        keyed: destinations with an idempotency key.
        size: how many deliveries a page has.
    """
    job_id = cast(int, job.id)
    chosen = [*read_choice(job).conditions(), deliveries.c.id <= job.until_id]
    page = select(deliveries.c.id).where(*chosen, deliveries.c.id > job.after_id).order_by(deliveries.c.id).limit(size)
    with database.read() as connection:  # outside of the writer's turn: a page may be far away
        ids = list(connection.execute(page).scalars())

    def advance(transaction: Transaction) -> Job | None:
        current = lock_job(transaction, job_id)
        if current.state != JobState.RUNNING or current.after_id != job.after_id:
            return None
        if not ids:
            return change_job(transaction, job_id, state=JobState.FINISHED, ended_at=transaction.now)
        queued, left = retrigger_page(transaction, current, ids, chosen, keyed=keyed)
        transaction.announce()
        whys = dict(Counter(current.left_why) + left)
        return change_job(transaction, job_id, after_id=ids[-1], queued=current.queued + queued, left_why=whys)

    return database.transact(advance)


def retrigger_page(
    transaction: Transaction, job: Job, ids: Sequence[int], chosen: Sequence[ColumnElement[bool]], *, keyed: set[str]
) -> tuple[int, Counter[str]]:
    """Queue those that the filters still choose and whose state allows it. Returns how many, and why others not."""
    mine = select(deliveries).where(deliveries.c.id.in_(ids), *chosen).order_by(deliveries.c.id).with_for_update()
    present: list[Delivery] = read_rows(transaction.execute(mine))
    asked = Asked(who=job.who, note=job.note, force=job.force)
    done = [requeue_or_leave(transaction, one, asked, has_key=one.destination in keyed) for one in present]
    left = Counter(one.why for one in done if one.done == "left")
    return len(done) - left.total(), left


def lock_job(transaction: Transaction, job_id: int) -> Job:
    job: Job | None = read_row(transaction.execute(select(jobs).where(jobs.c.id == job_id).with_for_update()))
    if job is None:
        raise no_job(job_id)
    return job


def change_job(transaction: Transaction, job_id: int, **values: Any) -> Job:
    transaction.execute(update(jobs).where(jobs.c.id == job_id).values(values))
    return lock_job(transaction, job_id)


def no_job(job_id: int) -> NotFoundError:
    return NotFoundError(f"no job {job_id}")
