"""What the dashboard's overview shows, read by indexes and bounded scans: no page reads a whole table."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from connector.database.circuits import MAX_ATTEMPTS_SCANNED
from connector.database.engine import Database
from connector.database.models import Attempt, Delivery, Event, EventSource, Reason, State, omit
from connector.database.queries.deliveries import MAX_IDS_PER_QUERY, error_fingerprint
from connector.database.queries.id_ranges import id_range
from connector.database.stats.counters import last_event_times
from mappings.destination import Outcome
from mappings.problems import Problem, load_problems

#: Parked deliveries per reason whose problems are grouped.
MAX_PARKED_PER_REASON = 1_000
#: The newest events, among which each store's last one is searched before its own index is.
LAST_EVENTS = 1_000


@dataclass(slots=True, kw_only=True)
class FailureGroup:
    """Parked deliveries that share a problem, whatever values it contains.

    Args:
        problem: of the newest delivery; None if an attempt failed instead.
        error: of the last attempt, if an attempt failed.
        oldest_at: when the oldest delivery was created.
    """

    reason: str
    problem: Problem | None = None
    error: Problem | None = None
    accounts: Counter[str] = field(default_factory=Counter)
    orders: list[tuple[int, str]] = field(default_factory=list)  # delivery id, order number; newest first
    oldest_at: datetime | None = None

    @property
    def count(self) -> int:
        return sum(self.accounts.values())

    @property
    def filters(self) -> dict[str, str]:
        """The fields of a `DeliveryFilter` that selects its deliveries."""
        filters = {"state": str(State.PARKED), "reason": self.reason}
        if self.problem is not None:
            filters["problem"] = self.problem.fingerprint
        elif self.error is not None:
            filters["error"] = error_fingerprint(self.error)
        return filters


def count_by_hour(database: Database, since: datetime, until: datetime) -> Counter[tuple[str, str]]:
    """The number of deliveries created in each UTC hour (`2026-11-21 16`), by their current state."""
    hour = database.backend.utc_hour(col(Delivery.created_at))
    with database.read() as session:
        low, high = id_range(session, Delivery, Delivery.created_at, since=since, until=until)
        statement = (
            select(hour, Delivery.state, func.count())
            .where(col(Delivery.id).between(low, high))
            .where(Delivery.created_at >= since, Delivery.created_at < until)
            .group_by(hour, Delivery.state)
        )
        return Counter({(at, state): count for at, state, count in session.exec(statement)})


def has_events(database: Database) -> bool:
    """Return whether any webhook has come, or catch-up has read an order."""
    with database.read() as session:
        return session.exec(select(Event.id).limit(1)).first() is not None


def oldest_waiting(database: Database) -> datetime | None:
    """When the oldest waiting delivery was created."""
    oldest_id = select(func.min(Delivery.id)).where(Delivery.state == State.WAITING).scalar_subquery()
    with database.read() as session:
        return session.exec(select(Delivery.created_at).where(col(Delivery.id) == oldest_id)).one_or_none()


def find_failure_groups(database: Database, *, max_per_reason: int = MAX_PARKED_PER_REASON) -> list[FailureGroup]:
    """Group the newest parked deliveries by problem, the largest group first."""
    parked: list[Delivery] = []
    with database.read() as session:
        for reason in (Reason.HELD, Reason.UNCERTAIN, Reason.REFUSED, Reason.UNMAPPABLE, Reason.EXHAUSTED):
            conditions = [col(Delivery.state) == State.PARKED, col(Delivery.reason) == reason]
            parked += session.exec(select_parked(conditions).limit(max_per_reason)).all()
        return group_failures(session, parked)


def select_parked(conditions: Sequence[ColumnElement[bool]]) -> SelectOfScalar[Delivery]:
    """Parked deliveries for `group_failures`, newest first."""
    return (
        select(Delivery)
        .where(*conditions)
        .order_by(col(Delivery.id).desc())
        .options(*omit(Delivery.body, Delivery.warnings))
    )


def group_failures(session: Session, parked: Iterable[Delivery]) -> list[FailureGroup]:
    """Group parked deliveries by reason and problem, or else by the error of the last attempt; the largest first."""
    parked = list(parked)
    groups: dict[tuple[str, str | Problem | None], FailureGroup] = {}
    errors_by_id = last_errors(session, [delivery.id for delivery in parked if not delivery.problems])
    for delivery in parked:
        reason = delivery.reason or ""
        problems = {problem.fingerprint: problem for problem in reversed(load_problems(delivery.problems))}
        error = None if problems else errors_by_id.get(delivery.id)
        for key in problems or [error]:
            problem = problems[key] if isinstance(key, str) else None
            new_group = FailureGroup(reason=reason, problem=problem, error=error)
            group = groups.setdefault((reason, key), new_group)
            group.accounts[delivery.account] += 1
            group.orders.append((delivery.id, delivery.order_number or delivery.order_id))
            group.oldest_at = delivery.created_at
    return sorted(groups.values(), key=lambda group: -group.count)


def last_errors(session: Session, ids: Collection[int]) -> dict[int, Problem]:
    """The error of each delivery's last attempt, without its order's data. Those that fail alike have the same."""
    is_last = and_(col(Attempt.delivery_id) == col(Delivery.id), col(Attempt.number) == col(Delivery.attempts))
    errors_by_id: dict[int, Problem] = {}
    ids = list(ids)
    for start in range(0, len(ids), MAX_IDS_PER_QUERY):
        statement = select(Delivery.id, Attempt.error).join(Attempt, is_last)
        rows = session.exec(statement.where(col(Delivery.id).in_(ids[start : start + MAX_IDS_PER_QUERY])))
        errors_by_id |= {id_: Problem.from_json(error).without_order_data() for id_, error in rows if error}
    return errors_by_id


def last_delivered(database: Database) -> dict[str, datetime]:
    """By account, when its last attempt succeeded, among the last `MAX_ATTEMPTS_SCANNED` attempts."""
    last = (
        select(Attempt.delivery_id, Attempt.outcome, Attempt.started_at)
        .order_by(col(Attempt.id).desc())
        .limit(MAX_ATTEMPTS_SCANNED)
        .subquery()
    )
    statement = (
        select(Delivery.account, func.max(last.c.started_at))
        .join(last, last.c.delivery_id == Delivery.id)
        .where(last.c.outcome == Outcome.DELIVERED)
        .group_by(Delivery.account)
    )
    with database.read() as session:
        return dict(session.exec(statement).all())


def last_webhook_by_store(database: Database, stores: Iterable[str]) -> dict[str, datetime | None]:
    """Time of each store's last webhook, or None. Orders that catch-up read are no webhooks.

    A store that is not among the last events is looked up in the counters; one that they do not have yet, in the index
    of its orders, which is short then.
    """
    newest = select(Event.store, Event.received_at, Event.source).order_by(col(Event.id).desc())
    recent = newest.limit(LAST_EVENTS).subquery()
    is_webhook = recent.c.source == EventSource.WEBHOOK
    last_received = select(recent.c.store, func.max(recent.c.received_at)).where(is_webhook).group_by(recent.c.store)
    with database.read() as session:
        last_by_store: dict[str, datetime | None] = dict(session.exec(last_received).all())
    if set(stores) <= set(last_by_store):
        return last_by_store
    last_by_store = {**last_event_times(database), **last_by_store}
    with database.read() as session:
        for store in set(stores) - set(last_by_store):
            webhook_ids = select(func.max(Event.id)).where(Event.store == store, Event.source == EventSource.WEBHOOK)
            newest_id = webhook_ids.scalar_subquery()
            at = session.exec(select(Event.received_at).where(col(Event.id) == newest_id)).one_or_none()
            last_by_store[store] = at
    return last_by_store
