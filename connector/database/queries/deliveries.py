"""Reads deliveries, their attempts and notes."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, cast, or_
from sqlmodel import Session, col, func, select

from connector.core.exceptions import NotFoundError
from connector.database.engine import Database
from connector.database.models import REASONS_BY_STATE, Attempt, Delivery, JobDelivery, Note, Reason, State, omit
from connector.database.orders import matches_order
from connector.database.queries import pages
from connector.database.queries.id_ranges import id_range
from connector.database.queries.pages import SearchPage, build_page, scan_floor, without_index
from connector.database.queries.terms import delivery_ids_by_term
from mappings.problems import Problem

#: Ids in one statement: engines limit the number of parameters.
MAX_IDS_PER_QUERY = 500

Conditions = list[ColumnElement[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries. A field that is None does not restrict them.

    Args:
        order: an order's id or number.
        since, until: when the delivery was created.
        problem: the fingerprint of one of the delivery's problems.
        without_held: not those about which a person must decide one by one. False is like None.
    """

    state: str | None = None
    reason: str | None = None
    account: str | None = None
    store: str | None = None
    order: str | None = None
    remote_id: str | None = None
    problem: str | None = None
    error: str | None = None
    job: int | None = None
    job_result: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: tuple[int, ...] | None = None
    without_held: bool | None = None

    def conditions(self) -> Conditions:
        exact = [
            (col(Delivery.state), self.state),
            (col(Delivery.reason), self.reason),
            (col(Delivery.account), self.account),
            (col(Delivery.store), self.store),
            (col(Delivery.remote_id), self.remote_id),
        ]
        conditions: Conditions = [column == value for column, value in exact if value is not None]
        if self.order is not None:
            conditions.append(or_(col(Delivery.order_id) == self.order, col(Delivery.order_number) == self.order))
        if self.problem is not None:
            conditions.append(problem_condition(self.problem))
        if self.error is not None:
            conditions.append(error_condition(self.error))
        if self.job is not None:
            conditions.append(job_condition(self.job, self.job_result))
        if self.since is not None:
            conditions.append(col(Delivery.created_at) >= self.since)
        if self.until is not None:
            conditions.append(col(Delivery.created_at) < self.until)
        if self.ids is not None:
            conditions.append(col(Delivery.id).in_(self.ids))
        if self.without_held:
            conditions.append(or_(col(Delivery.reason).is_(None), col(Delivery.reason) != Reason.HELD))
        return conditions

    def to_json(self) -> dict[str, Any]:
        """The fields that are not None, for a JSON column."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "DeliveryFilter":
        times: dict[str, Any] = {
            name: datetime.fromisoformat(values[name]) for name in ("since", "until") if name in values
        }
        ids: dict[str, Any] = {"ids": tuple(values["ids"])} if "ids" in values else {}
        parsed: dict[str, Any] = {**values, **times, **ids}
        return cls(**parsed)


def problem_condition(fingerprint: str) -> ColumnElement[bool]:
    return cast(Delivery.problems, String).like(f"%{escape_like(json.dumps(fingerprint))}%", escape="!")


def error_fingerprint(error: Problem) -> str:
    """What attempts that failed alike have in common: `DeliveryFilter.error`."""
    status = error.params.get("status")
    return error.fingerprint if status is None else f"{error.fingerprint} {status}"


def error_condition(error: str) -> ColumnElement[bool]:
    """The condition that the last attempt failed so. The fingerprint is the first key of a stored problem."""
    fingerprint, _, status = error.partition(" ")
    starts_with = escape_like(f'{{"fingerprint": {json.dumps(fingerprint)}')
    attempts = select(Attempt.id).where(
        Attempt.delivery_id == Delivery.id,
        Attempt.number == Delivery.attempts,
        cast(Attempt.error, String).like(f"{starts_with}%", escape="!"),
    )
    if status:
        attempts = attempts.where(cast(Attempt.status, String) == status)
    return attempts.exists()


def job_condition(job_id: int, result: str | None) -> ColumnElement[bool]:
    delivery_ids = select(JobDelivery.delivery_id).where(JobDelivery.job_id == job_id)
    if result is not None:
        delivery_ids = delivery_ids.where(JobDelivery.why == result)
    return col(Delivery.id).in_(delivery_ids)


def escape_like(text: str) -> str:
    for character in "!%_":
        text = text.replace(character, f"!{character}")
    return text


def list_deliveries(
    database: Database, delivery_filter: DeliveryFilter, *, before_id: int | None = None, limit: int
) -> list[Delivery]:
    """All that match, newest first, without their bodies.

    Args:
        before_id: the id of the last one on the previous page.
    """
    conditions = delivery_filter.conditions()
    with database.read() as session:
        if delivery_filter.since is not None or delivery_filter.until is not None:
            low, high = created_between(session, delivery_filter)
            conditions.append(col(Delivery.id).between(low, high))
        if before_id is not None:
            conditions.append(col(Delivery.id) < before_id)
        return list(session.exec(select_without_body().where(*conditions).limit(limit)).all())


def search_deliveries(
    database: Database,
    delivery_filter: DeliveryFilter,
    *,
    term: str | None = None,
    before_id: int | None = None,
    after_id: int | None = None,
    limit: int,
    stores: Collection[str] = (),
) -> SearchPage[Delivery]:
    """Newest first, without their bodies. Reads a bounded number of rows.

    Args:
        term: an order's id or number, or the destination's id.
        before_id: `next` of the previous page.
        after_id: only deliveries with a higher id.
        stores: the ids of all stores, to look an order's id up by index.
    """
    rows: list[Delivery] = []
    stop_ids: list[int] = []
    filters = unindexed_conditions(delivery_filter)
    with database.read() as session:
        low, high = created_between(session, delivery_filter, before_id)
        low = max(low, (after_id or 0) + 1)
        ids: Sequence[int] | None = delivery_filter.ids
        if term is not None:
            ids = delivery_ids_by_term(session, term, stores)
        for index_conditions in index_scans(delivery_filter):
            floor, stop_id = low, None
            if ids is not None:
                index_conditions = [*index_conditions, col(Delivery.id).in_(ids)]
            elif delivery_filter.job is not None:
                pass  # its own rows bound the scan
            elif filters and index_conditions:
                floor, stop_id = index_scan_floor(session, index_conditions, low, high)
            elif filters:
                floor, stop_id = scan_floor(low, high)
            conditions = [col(Delivery.id).between(floor, high), *index_conditions, *filters]
            rows += session.exec(select_without_body().where(*conditions).limit(limit + 1)).all()
            stop_ids += [stop_id] if stop_id is not None else []
    return build_page(rows, limit, max(stop_ids, default=None))


def select_without_body() -> Any:
    """Deliveries, newest first. Their bodies may be large and are not loaded."""
    return select(Delivery).options(*omit(Delivery.body)).order_by(col(Delivery.id).desc())


def created_between(session: Session, delivery_filter: DeliveryFilter, before_id: int | None = None) -> tuple[int, int]:
    since, until = delivery_filter.since, delivery_filter.until
    return id_range(session, Delivery, Delivery.created_at, since=since, until=until, before_id=before_id)


def index_scans(delivery_filter: DeliveryFilter) -> list[Conditions]:
    """The conditions of each scan in the order of ids: one per (state, reason), by their index, or one of the table."""
    state, reason = delivery_filter.state, delivery_filter.reason
    if state is None and reason is None:
        return [[]]
    return [
        [col(Delivery.state) == scan_state, col(Delivery.reason) == scan_reason]  # `== None` becomes IS NULL
        for scan_state in (State if state is None else [state])
        for scan_reason in REASONS_BY_STATE[State(scan_state)]
        if reason in (None, scan_reason)
    ]


def index_scan_floor(session: Session, conditions: Conditions, low: int, high: int) -> tuple[int, int | None]:
    """Like `scan_floor`, for the rows of one (state, reason)."""
    ids = select(Delivery.id).where(col(Delivery.id).between(low, high), *conditions).order_by(col(Delivery.id).desc())
    floor = session.exec(ids.offset(pages.MAX_SCANNED_ROWS - 1).limit(1)).first()
    return (low, None) if floor is None else (floor, floor)


def unindexed_conditions(delivery_filter: DeliveryFilter) -> Conditions:
    """The conditions that no index answers in the order of ids."""
    conditions = replace(delivery_filter, state=None, reason=None, account=None, store=None, ids=None).conditions()
    if delivery_filter.account is not None:
        conditions.append(without_index(col(Delivery.account)) == delivery_filter.account)
    if delivery_filter.store is not None:
        conditions.append(without_index(col(Delivery.store)) == delivery_filter.store)
    return conditions


def load_delivery(database: Database, delivery_id: int) -> Delivery:
    """Raises `NotFoundError`."""
    with database.read() as session:
        delivery = session.exec(select(Delivery).where(Delivery.id == delivery_id)).one_or_none()
    if delivery is None:
        raise NotFoundError(f"no delivery {delivery_id}")
    return delivery


def list_attempts(database: Database, delivery_id: int) -> list[Attempt]:
    statement = select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(col(Attempt.number))
    with database.read() as session:
        return list(session.exec(statement).all())


def list_notes(database: Database, delivery_id: int) -> list[Note]:
    statement = select(Note).where(Note.delivery_id == delivery_id).order_by(col(Note.id))
    with database.read() as session:
        return list(session.exec(statement).all())


def list_matching_ids(database: Database, delivery_filter: DeliveryFilter) -> list[int]:
    """The ids of all that match, in ascending order."""
    conditions = delivery_filter.conditions()
    with database.read() as session:
        return list(session.exec(select(Delivery.id).where(*conditions).order_by(col(Delivery.id))).all())


def count_deliveries(database: Database, delivery_filter: DeliveryFilter) -> int:
    with database.read() as session:
        return session.exec(select(func.count()).select_from(Delivery).where(*delivery_filter.conditions())).one()


def delivery_ids_by_order(database: Database, orders: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[int]]:
    """The delivery ids of each (store, order id)."""
    ids_by_order: dict[tuple[str, str], list[int]] = {}
    with database.read() as session:
        for store, order_id in set(orders):
            statement = select(Delivery.id).where(matches_order(Delivery, store, order_id)).order_by(col(Delivery.id))
            ids_by_order[store, order_id] = list(session.exec(statement).all())
    return ids_by_order


def iter_states(database: Database, ids: Sequence[int], *, now: datetime) -> Iterator[tuple[int, str, bool]]:
    """Yield id, state with reason, and whether it is being sent or due, of each delivery."""
    for start in range(0, len(ids), MAX_IDS_PER_QUERY):
        statement = select(Delivery.id, Delivery.state, Delivery.reason, Delivery.due_at).where(
            col(Delivery.id).in_(ids[start : start + MAX_IDS_PER_QUERY])
        )
        with database.read() as session:
            rows = session.exec(statement).all()
        for id_, state, reason, due_at in rows:
            is_due = state == State.WAITING and due_at is not None and due_at <= now
            yield id_, f"{state} ({reason})" if reason else state, is_due or state == State.SENDING
