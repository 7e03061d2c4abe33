"""Finds rows of a period by their ids, without an index over times: ids grow with the time of insertion."""

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, select

from connector.database.models import Attempt, AuditEntry, Delivery, Event, Note, OperatorAction

Model = type[Event] | type[Delivery] | type[Attempt] | type[Note] | type[OperatorAction] | type[AuditEntry]

#: How far the times of neighbouring ids may differ: concurrent transactions commit in any order, and clocks are set.
ID_ORDER_TOLERANCE = timedelta(minutes=5)


def id_bounds(session: Session, model: Model) -> tuple[int, int]:
    """The lowest and the highest id; (0, 0) without rows."""
    # Two queries: with both in one, SQLite scans the whole table.
    low = session.exec(select(func.min(col(model.id)))).one()
    high = session.exec(select(func.max(col(model.id)))).one()
    return low or 0, high or 0


def first_id_since(session: Session, model: Model, at: Any, since: datetime) -> int:
    """The id from which rows are no older than `since`, by bisection.

    Args:
        at: the column with the time of insertion.
    """
    low, high = id_bounds(session, model)
    while low <= high:
        middle = (low + high) // 2
        next_at = select(at).where(col(model.id) >= middle).order_by(col(model.id)).limit(1)
        found_at = session.exec(next_at).first()
        if found_at is not None and found_at < since:
            low = middle + 1
        else:
            high = middle - 1
    return low


def id_range(
    session: Session,
    model: Model,
    at: Any,
    *,
    since: datetime | None,
    until: datetime | None,
    before_id: int | None = None,
    tolerance: timedelta = ID_ORDER_TOLERANCE,
) -> tuple[int, int]:
    """The lowest and the highest id that rows between `since` and `until` can have, and that is below `before_id`."""
    low, high = id_bounds(session, model)
    if since is not None:
        low = max(low, first_id_since(session, model, at, shift(since, -tolerance)))
    if until is not None:
        high = min(high, first_id_since(session, model, at, shift(until, tolerance)))
    return low, high if before_id is None else min(high, before_id - 1)


def shift(at: datetime, by: timedelta) -> datetime:
    """The time moved by some time; itself at the ends of the calendar."""
    try:
        return at + by
    except OverflowError:
        return at
