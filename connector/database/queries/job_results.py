"""The results of a job: the present states of the deliveries that it acted on, and the deliveries that it skipped."""

from collections import Counter
from dataclasses import dataclass, field

from sqlmodel import col, func, select

from connector.database.engine import Database
from connector.database.models import Delivery, Job, JobDelivery, State
from connector.database.stats.overview import FailureGroup, group_failures, select_parked

#: Parked deliveries of a job whose problems are grouped, and deliveries that are named for each reason.
MAX_PARKED, MAX_EXAMPLES = 1_000, 5


@dataclass(slots=True, kw_only=True)
class LeftGroup:
    """Deliveries that a job skipped for the same reason, a code of `connector.core.messages`.

    Args:
        orders: delivery id and order number of the first ones.
    """

    why: str
    count: int
    orders: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResults:
    """What came of a job.

    Args:
        outcomes: the deliveries that it acted on, by their state and reason now.
        parked: those of them that are parked, by cause.
        pending: deliveries that it has not reached.
        waiting_accounts: the accounts for which deliveries that it acted on wait.
    """

    outcomes: Counter[tuple[str, str | None]]
    parked: list[FailureGroup]
    left: list[LeftGroup]
    pending: int
    waiting_accounts: frozenset[str]

    @property
    def in_progress(self) -> int:
        """Deliveries that it acted on and that are yet to be sent."""
        return sum(count for (state, _), count in self.outcomes.items() if state in (State.WAITING, State.SENDING))

    @property
    def parked_count(self) -> int:
        return sum(count for (state, _), count in self.outcomes.items() if state == State.PARKED)


def count_outcomes(database: Database, job_id: int) -> Counter[tuple[str, str | None]]:
    """The number of deliveries that a job acted on, by their state and reason now."""
    statement = (
        select(Delivery.state, Delivery.reason, func.count())
        .join(JobDelivery, col(JobDelivery.delivery_id) == col(Delivery.id))
        .where(JobDelivery.job_id == job_id, col(JobDelivery.is_done).is_(True))
        .group_by(Delivery.state, col(Delivery.reason))
    )
    with database.read() as session:
        return Counter({(state, reason): count for state, reason, count in session.exec(statement)})


def load_job_results(database: Database, job: Job) -> JobResults:
    done_ids = select(JobDelivery.delivery_id).where(JobDelivery.job_id == job.id, col(JobDelivery.is_done).is_(True))
    parked = select_parked([col(Delivery.state) == State.PARKED, col(Delivery.id).in_(done_ids)]).limit(MAX_PARKED)
    outcomes = count_outcomes(database, job.id)
    waiting = select(Delivery.account).where(Delivery.state == State.WAITING, col(Delivery.id).in_(done_ids)).distinct()
    with database.read() as session:
        waiting_accounts = frozenset(session.exec(waiting).all())
        groups = group_failures(session, session.exec(parked).all())
        left = [LeftGroup(why=why, count=count) for why, count in sorted(job.skipped_reasons.items())]
        for group in left:
            examples = (
                select(Delivery.id, func.coalesce(Delivery.order_number, Delivery.order_id))
                .join(JobDelivery, col(JobDelivery.delivery_id) == col(Delivery.id))
                .where(JobDelivery.job_id == job.id, JobDelivery.why == group.why, col(JobDelivery.is_done).is_(False))
                .order_by(col(Delivery.id))
                .limit(MAX_EXAMPLES)
            )
            group.orders = [(id_, order) for id_, order in session.exec(examples)]
    pending = job.total - job.acted - sum(job.skipped_reasons.values())
    return JobResults(outcomes=outcomes, parked=groups, left=left, pending=pending, waiting_accounts=waiting_accounts)


def list_job_delivery_ids(database: Database, job_id: int, *, after_id: int = 0) -> list[int]:
    """The ids of a job's deliveries, in ascending order."""
    statement = select(JobDelivery.delivery_id).where(
        JobDelivery.job_id == job_id, col(JobDelivery.delivery_id) > after_id
    )
    with database.read() as session:
        return list(session.exec(statement.order_by(col(JobDelivery.delivery_id))).all())
