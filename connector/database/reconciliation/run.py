"""Counts events and deliveries by store and day, and finds each one that is not accounted for. Changes nothing.

Rows are read in batches, each from one snapshot, so that the service can run meanwhile and memory is bounded.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Text, and_, cast, exists, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from connector.core.http_result import HttpResult
from connector.core.outcomes import classify
from connector.core.worker_id import is_dead
from connector.database.engine import Database
from connector.database.models import Attempt, Circuit, Delivery, Event, Note, Reason, State, omit
from connector.database.orders import EventSummary, newest_event
from connector.database.prune import is_same_order
from connector.database.queries.id_ranges import first_id_since
from connector.database.reconciliation.rules import (
    Evidence,
    OrderHistory,
    RecordedAttempt,
    RuleContext,
    blocked_by,
    delivery_differences,
    event_differences,
    follows_newest_event,
)
from mappings import DESTINATIONS
from mappings.destination import Outcome
from mappings.problems import Problem
from mappings.settings import Account

#: Rows that are read at once.
BATCH_SIZE = 500
#: How far rows' times may differ from the order of their ids, due to clocks and long transactions.
RECONCILE_ORDER_TOLERANCE = timedelta(minutes=10)
#: Differences that are listed. The rest is counted.
MAX_LISTED = 1_000

Row = TypeVar("Row", Event, Delivery)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which events, by when they were received, and which deliveries, by when they were created."""

    store: str | None = None  # its id
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, store: Any, at: Any) -> list[ColumnElement[bool]]:
        return [
            *([store == self.store] if self.store is not None else []),
            *([at >= self.since] if self.since is not None else []),
            *([at < self.until] if self.until is not None else []),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    kind: str  # "event" or "delivery"
    id: int
    store: str
    day: str
    account: str | None  # of a delivery
    order: str | None  # its number, else its id
    what: Problem


@dataclass(slots=True, kw_only=True)
class ReconciliationReport:
    """The result of a reconciliation.

    Args:
        days: by store id and UTC day, the number of each status, state and difference.
        held: by account and what blocks it, the number of its waiting deliveries.
        for_a_person: by account, the number of deliveries about which a person must decide.
    """

    max_listed: int = MAX_LISTED
    days: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    for_a_person: Counter[str] = field(default_factory=Counter)
    differences: list[Discrepancy] = field(default_factory=list)
    total: int = 0  # differences, listed or not

    def add(self, discrepancy: Discrepancy) -> None:
        self.total += 1
        self.days[discrepancy.store, discrepancy.day]["differences"] += 1
        if len(self.differences) < self.max_listed:
            self.differences.append(discrepancy)


def reconcile(
    database: Database,
    scope: Scope,
    *,
    accounts: Mapping[str, Account],
    lease_s: float,
    late_s: float,
    batch_size: int = BATCH_SIZE,
    max_listed: int = MAX_LISTED,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ReconciliationReport:
    """Check every event and every delivery of `scope`.

    Args:
        accounts: the configured accounts, by id.
        late_s: how long a due delivery may be unclaimed while its account takes orders.
        on_progress: called after each batch with how many of the sum of `last_ids` are done.
    """
    report = ReconciliationReport(max_listed=max_listed)
    last_event_id, _ = last_ids(database)
    for session, events in read_batches(database, Event, Event.received_at, scope, batch_size):
        check_events(report, session, events)
        on_progress(events[-1].id)
    for session, deliveries in read_batches(database, Delivery, Delivery.created_at, scope, batch_size):
        context = RuleContext(
            now=database.clock(),
            accounts=accounts,
            circuits={circuit.account: circuit for circuit in session.exec(select(Circuit))},
            lease_s=lease_s,
            late_s=late_s,
            is_dead=is_dead,
        )
        check_deliveries(report, session, deliveries, context)
        on_progress(last_event_id + deliveries[-1].id)
    return report


def last_ids(database: Database) -> tuple[int, int]:
    """The highest ids of events and of deliveries; 0 without rows."""
    with database.read() as session:
        event_id = session.exec(select(func.max(Event.id))).one()
        delivery_id = session.exec(select(func.max(Delivery.id))).one()
    return event_id or 0, delivery_id or 0


def read_batches(
    database: Database, model: type[Row], at: Any, scope: Scope, batch_size: int
) -> Iterator[tuple[Session, list[Row]]]:
    """Yield batches of rows by id, without bodies, with the session that read them. Ignores rows added meanwhile."""
    with database.read() as session:
        last_id = session.exec(select(func.max(model.id))).one() or 0
        after_id = 0
        if scope.since is not None:
            after_id = first_id_since(session, model, at, scope.since - RECONCILE_ORDER_TOLERANCE) - 1
    statement = (
        select(model)
        .where(*scope.conditions(col(model.store), col(at)))
        .order_by(col(model.id))
        .limit(batch_size)
        .options(*omit(model.body))
    )
    is_over = False
    while not is_over:
        with database.read() as session:
            rows = list(session.exec(statement.where(col(model.id) > after_id, col(model.id) <= last_id)).all())
            if rows:
                yield session, rows
                after_id = rows[-1].id
        is_over = len(rows) < batch_size


def check_events(report: ReconciliationReport, session: Session, events: list[Event]) -> None:
    accounts_by_id = accounts_by_event(session, [event.id for event in events])
    suspicious = []
    for event in events:
        count = report.days[event.store, utc_day(event.received_at)]
        count[event.status] += 1
        count["duplicates"] += event.duplicates
        order = OrderHistory(accounts=accounts_by_id[event.id], was_cancelled=False, had_order=True)
        if any(event_differences(event, order)):
            suspicious.append(event)
    history = prior_history(session, [event.id for event in suspicious])
    for event in suspicious:  # a cancelled order may lack deliveries
        was_cancelled, had_order = history[event.id]
        order = OrderHistory(accounts=accounts_by_id[event.id], was_cancelled=was_cancelled, had_order=had_order)
        for what in event_differences(event, order):
            report.add(build_discrepancy("event", event, utc_day(event.received_at), None, what))


def build_discrepancy(kind: str, row: Event | Delivery, day: str, account: str | None, what: Problem) -> Discrepancy:
    order = row.order_number or row.order_id
    return Discrepancy(kind=kind, id=row.id, store=row.store, day=day, account=account, order=order, what=what)


def utc_day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def accounts_by_event(session: Session, ids: Iterable[int]) -> dict[int, set[str]]:
    """By event id, the accounts for which its order has a delivery."""
    statement = select(Event.id, Delivery.account).join(Delivery, is_same_order(Event, Delivery))
    accounts: dict[int, set[str]] = defaultdict(set)
    for event_id, account in session.exec(statement.where(col(Event.id).in_(ids))):
        accounts[event_id].add(account)
    return accounts


def prior_history(session: Session, ids: list[int]) -> dict[int, tuple[bool, bool]]:
    """By event id, whether its order was cancelled by then, and whether an event contained the order by then."""
    if not ids:
        return {}
    earlier = aliased(Event)
    is_earlier = and_(is_same_order(earlier, Event), col(earlier.id) <= col(Event.id))
    cancels = cast(col(earlier.topics), Text).contains('"cancelled"')  # even if a later version has undone it
    was_cancelled = exists(col(earlier.id)).where(is_earlier, cancels).correlate(Event)
    had_order = exists(col(earlier.id)).where(is_earlier, col(earlier.has_order)).correlate(Event)
    statement = select(Event.id, was_cancelled, had_order).where(col(Event.id).in_(ids))
    return {id_: (cancelled, contained) for id_, cancelled, contained in session.exec(statement)}


def check_deliveries(
    report: ReconciliationReport, session: Session, deliveries: list[Delivery], context: RuleContext
) -> None:
    ids = [delivery.id for delivery in deliveries]
    attempts_by_id = attempts_by_delivery(session, ids)
    reclassified = reclassify_responses(session, ids)
    resolution_times = last_resolutions(session, ids)
    mismatched_ids = deliveries_with_wrong_event(session, ids)
    ids_with_body = deliveries_with_body(session, ids)
    events_by_id = events_by_delivery(session, [row.id for row in deliveries if depends_on_events(row)])
    for delivery in deliveries:
        created_day = utc_day(delivery.created_at)
        report.days[delivery.store, created_day][delivery.state] += 1
        if delivery.reason == Reason.HELD:
            report.for_a_person[delivery.account] += 1
        circuit = context.circuits.get(delivery.account)
        if delivery.state == State.WAITING and (blocker := blocked_by(circuit, context)) is not None:
            report.held[delivery.account, blocker] += 1
        order_events = events_by_id[delivery.id]
        newest = newest_event(order_events)
        evidence = Evidence(
            attempts=attempts_by_id[delivery.id],
            reclassified=reclassified.get(delivery.id),
            resolved_at=resolution_times.get(delivery.id),
            newest_event_id=newest.id if newest else None,
            is_cancelled=any(
                event.is_cancellation and event.id > (delivery.override_event_id or 0) for event in order_events
            ),
            event_matches_order=delivery.id not in mismatched_ids,
            has_body=delivery.id in ids_with_body,
        )
        for what in delivery_differences(delivery, evidence, context):
            report.add(build_discrepancy("delivery", delivery, created_day, delivery.account, what))


def depends_on_events(delivery: Delivery) -> bool:
    return follows_newest_event(delivery) or delivery.state in (State.WAITING, State.PARKED)


def attempts_by_delivery(session: Session, ids: list[int]) -> dict[int, list[RecordedAttempt]]:
    statement = (
        select(Attempt, col(Attempt.reply).is_not(None))
        .where(col(Attempt.delivery_id).in_(ids))
        .order_by(col(Attempt.delivery_id), col(Attempt.number))
        .options(*omit(Attempt.reply))
    )
    records: dict[int, list[RecordedAttempt]] = defaultdict(list)
    for attempt, has_response in session.exec(statement):
        record = RecordedAttempt(
            number=attempt.number,
            outcome=attempt.outcome,
            started_at=attempt.started_at,
            has_response=has_response,
        )
        records[attempt.delivery_id].append(record)
    return records


def reclassify_responses(session: Session, ids: list[int]) -> dict[int, tuple[Outcome, str | None]]:
    """Classify the stored response of what is `delivered` again. One response is in memory at a time."""
    is_last = and_(col(Attempt.delivery_id) == col(Delivery.id), col(Attempt.number) == col(Delivery.attempts))
    statement = (
        select(Delivery.id, Delivery.destination, Attempt.status, Attempt.reply)
        .join(Attempt, is_last)
        .where(col(Delivery.id).in_(ids), Delivery.state == State.DELIVERED, col(Attempt.reply).is_not(None))
    )
    reclassified = {}
    for id_, destination, status, response in session.exec(statement, execution_options={"yield_per": 20}):
        if destination in DESTINATIONS:
            reclassified[id_] = classify(DESTINATIONS[destination], HttpResult(status=status, body=response))
    return reclassified


def last_resolutions(session: Session, ids: list[int]) -> dict[int, datetime]:
    """By delivery id, when a person last resolved it whose name is recorded, or when it expired."""
    has_actor = and_(col(Note.who).is_not(None), col(Note.who) != "")
    statement = (
        select(Note.delivery_id, func.max(Note.at))
        .where(col(Note.delivery_id).in_(ids), col(Note.kind).in_(["resolve", "expire"]), has_actor)
        .group_by(col(Note.delivery_id))
    )
    return dict(session.exec(statement).all())


def deliveries_with_wrong_event(session: Session, ids: list[int]) -> set[int]:
    """The deliveries whose event is about another order, or does not contain it."""
    is_mismatched = or_(col(Event.order_id).is_(None), ~is_same_order(Event, Delivery), ~col(Event.has_order))
    joined = select(Delivery.id).join(Event, col(Event.id) == col(Delivery.event_id))
    return set(session.exec(joined.where(col(Delivery.id).in_(ids), is_mismatched)))


def deliveries_with_body(session: Session, ids: list[int]) -> set[int]:
    return set(session.exec(select(Delivery.id).where(col(Delivery.id).in_(ids), func.length(Delivery.body) > 0)))


def events_by_delivery(session: Session, ids: list[int]) -> dict[int, list[EventSummary]]:
    """By delivery id, the events of its order."""
    statement = (
        select(Delivery.id, Event)
        .join(Event, is_same_order(Delivery, Event))
        .where(col(Delivery.id).in_(ids))
        .options(*omit(Event.body))
    )
    events_by_id: dict[int, list[EventSummary]] = defaultdict(list)
    for delivery_id, event in session.exec(statement):
        summary = EventSummary(
            id=event.id,
            source_updated_at=event.source_updated_at,
            is_paid=event.is_paid,
            has_order=event.has_order,
            is_cancellation=event.is_cancellation,
            undoes_deletion=event.undoes_deletion,
        )
        events_by_id[delivery_id].append(summary)
    return events_by_id
