"""The audit trail: what people did, what they looked at, and what needed a person's attention."""

import heapq
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import load_only
from sqlmodel import Session, col, func, select

from connector.core.exceptions import InvalidRequestError
from connector.database.engine import Database
from connector.database.models import AuditAction, AuditEntry, Delivery, Note, OperatorAction
from connector.database.queries.id_ranges import id_range

Row = type[Note] | type[OperatorAction] | type[AuditEntry]
#: Every action that may be in the trail.
ACTIONS = (
    *("alert", "retrigger", "resolve", "correct", "withdraw", "expire", "prune", "pause", "resume"),
    *("set-row", "remove-row", "set-credentials", "withdraw-credentials"),
    *("catch-up", "sync-webhooks", "remove-webhooks", "resume-store", "close-request"),
    *("restored", "not-restored"),
    *("start-job", "stop-job", "resume-job", "erase", "export"),
    *AuditAction,
)
CURSOR_PATTERN = "^[0-9]{1,18}-[0-9]{1,18}-[0-9]{1,18}$"
#: Above every id.
NEWEST = 10**18 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry:
    """One line of the audit trail: about an order, an account, a store, a job, or none of them."""

    id: int  # in its table
    at: datetime
    actor: str | None  # None: an alert, or nobody with a name
    action: str
    text: str = ""  # what the person wrote
    message: Mapping[str, Any] | None = None  # of an alert, or of what was done; as of `Problem.to_json`
    account: str | None = None
    store: str | None = None
    job_id: int | None = None
    event_id: int | None = None
    request_id: int | None = None  # of a request about personal data
    order_id: str | None = None
    order_number: str | None = None
    delivery_id: int | None = None
    role: str | None = None
    interface: str | None = None
    network: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def order(self) -> str | None:
        """What people call the order."""
        return self.order_number or self.order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilter:
    """Which entries. `since` is inclusive, `until` is not."""

    action: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrailCursor:
    """The ids of the last entries of the page before, in each of the three tables. Many may have the same time."""

    note: int = NEWEST
    action: int = NEWEST
    entry: int = NEWEST

    @classmethod
    def parse(cls, text: str) -> "TrailCursor":
        """Raises `InvalidRequestError`."""
        if not re.match(CURSOR_PATTERN, text, re.ASCII) or text.endswith("\n"):
            raise InvalidRequestError("`cursor` must be the `next` of a list")
        return cls(*map(int, text.split("-")))

    def __str__(self) -> str:
        return f"{self.note}-{self.action}-{self.entry}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailPage:
    """Entries, newest first, and the cursor of the next page, if there is one."""

    entries: list[TrailEntry]
    next: TrailCursor | None


def list_trail(
    database: Database, trail_filter: TrailFilter | None = None, *, after: TrailCursor | None = None, limit: int
) -> TrailPage:
    """Return a page, newest first.

    Args:
        after: the `next` of the page before.
    """
    trail_filter, cursor = trail_filter or TrailFilter(), after or TrailCursor()
    with database.read() as session:
        sources = {
            "note": load_notes(session, trail_filter, cursor.note, limit + 1),
            "action": load_actions(session, trail_filter, cursor.action, limit + 1),
            "entry": load_entries(session, trail_filter, cursor.entry, limit + 1),
        }
    # Each table stays in the order of its ids, on which the cursor depends: clocks may have been set back.
    named = ([(entry.at, name, entry) for entry in entries] for name, entries in sources.items())
    merged = list(islice(heapq.merge(*named, key=lambda item: item[0], reverse=True), limit + 1))
    page = merged[:limit]
    for _, name, entry in page:
        cursor = replace(cursor, **{name: entry.id})
    return TrailPage(entries=[entry for _, _, entry in page], next=cursor if len(merged) > limit else None)


def conditions(
    session: Session, row: Row, trail_filter: TrailFilter, before_id: int, columns: tuple[Any, Any]
) -> Sequence[ColumnElement[bool]]:
    """Return the conditions on the rows of a table.

    Args:
        columns: the action and the actor.
    """
    action, actor = map(col, columns)
    since, until = trail_filter.since, trail_filter.until
    low, high = id_range(session, row, row.at, since=since, until=until, before_id=before_id)
    result: list[ColumnElement[bool]] = [col(row.id) >= low, col(row.id) <= high]
    if trail_filter.action is not None:
        result.append(action == trail_filter.action)
    if trail_filter.actor is not None:
        result.append(actor == trail_filter.actor)
    if since is not None:
        result.append(col(row.at) >= since)
    if until is not None:
        result.append(col(row.at) < until)
    return result


def load_notes(session: Session, trail_filter: TrailFilter, before_id: int, limit: int) -> list[TrailEntry]:
    where = conditions(session, Note, trail_filter, before_id, (Note.kind, Note.who))
    notes = select(Note, Delivery).join(Delivery, col(Delivery.id) == col(Note.delivery_id)).where(*where)
    columns = map(col, (Delivery.account, Delivery.store, Delivery.order_id, Delivery.order_number))
    needed = load_only(*columns, raiseload=True)  # type: ignore[arg-type]  # sqlmodel's `col` is of one type
    return [
        TrailEntry(
            id=note.id,
            at=note.at,
            actor=note.who,
            action=note.kind,
            text=note.text,
            message=note.message,
            account=delivery.account,
            store=delivery.store,
            order_id=delivery.order_id,
            order_number=delivery.order_number,
            delivery_id=note.delivery_id,
        )
        for note, delivery in session.exec(notes.options(needed).order_by(col(Note.id).desc()).limit(limit))
    ]


def load_actions(session: Session, trail_filter: TrailFilter, before_id: int, limit: int) -> list[TrailEntry]:
    where = conditions(session, OperatorAction, trail_filter, before_id, (OperatorAction.kind, OperatorAction.who))
    actions = select(OperatorAction).where(*where).order_by(col(OperatorAction.id).desc())
    return [
        TrailEntry(
            id=action.id,
            at=action.at,
            actor=action.who,
            action=action.kind,
            text=action.text,
            message=action.message,
            account=action.account,
            store=action.store,
            job_id=action.job_id,
        )
        for action in session.exec(actions.limit(limit))
    ]


def load_entries(session: Session, trail_filter: TrailFilter, before_id: int, limit: int) -> list[TrailEntry]:
    where = conditions(session, AuditEntry, trail_filter, before_id, (AuditEntry.action, AuditEntry.actor))
    number = (
        select(func.max(col(Delivery.order_number)))
        .where(col(Delivery.store) == col(AuditEntry.store), col(Delivery.order_id) == col(AuditEntry.subject_id))
        .correlate(AuditEntry)
        .scalar_subquery()
    )
    entries = select(AuditEntry, number).where(*where).order_by(col(AuditEntry.id).desc())
    return [
        TrailEntry(
            id=entry.id,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            store=entry.store,
            event_id=int(entry.subject_id or 0) if entry.subject_kind == "event" else None,
            request_id=int(entry.subject_id or 0) if entry.subject_kind == "privacy-request" else None,
            order_id=entry.subject_id if entry.subject_kind == "order" else None,
            order_number=order_number if entry.subject_kind == "order" else None,
            role=entry.role,
            interface=entry.interface,
            network=entry.network,
            counts=entry.counts,
        )
        for entry, order_number in session.exec(entries.limit(limit))
    ]
