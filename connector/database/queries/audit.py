"""The audit trail: what people did, and what needed a person's attention."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, func, select

from connector.database.engine import Database
from connector.database.models import Delivery, Note, OperatorAction


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the audit trail: about a delivery, or about an account or a store as a whole."""

    id: int  # of a note, or of an action on an account or a store
    at: datetime
    who: str | None  # None for an alert
    kind: str
    text: str  # what the person wrote
    account: str | None = None
    store: str | None = None  # of an action on a store
    job_id: int | None = None  # of an action on a job
    message: Mapping[str, Any] | None = None  # of an alert, or of what was done; as of `Problem.to_json`
    delivery_id: int | None = None
    order: str | None = None


def list_audit_entries(
    database: Database,
    *,
    kind: str | None,
    before_note_id: int | None = None,
    before_action_id: int | None = None,
    limit: int,
) -> list[AuditEntry]:
    """Newest first.

    Args:
        before_note_id, before_action_id: the ids of the last ones on the previous page. Many may have the same time.
    """
    order = func.coalesce(Delivery.order_number, Delivery.order_id)
    notes = select(Note, Delivery.account, order).join(Delivery, col(Delivery.id) == col(Note.delivery_id))
    actions = select(OperatorAction)
    if kind is not None:
        notes, actions = notes.where(Note.kind == kind), actions.where(OperatorAction.kind == kind)
    if before_note_id is not None:
        notes = notes.where(col(Note.id) < before_note_id)
    if before_action_id is not None:
        actions = actions.where(col(OperatorAction.id) < before_action_id)
    with database.read() as session:
        note_rows = session.exec(notes.order_by(col(Note.id).desc()).limit(limit)).all()
        action_rows = session.exec(actions.order_by(col(OperatorAction.id).desc()).limit(limit)).all()
    entries = [
        AuditEntry(
            id=note.id,
            at=note.at,
            who=note.who,
            kind=note.kind,
            text=note.text,
            message=note.message,
            account=account,
            delivery_id=note.delivery_id,
            order=order_label,
        )
        for note, account, order_label in note_rows
    ]
    entries += [
        AuditEntry(
            id=action.id,
            at=action.at,
            who=action.who,
            kind=action.kind,
            text=action.text,
            message=action.message,
            account=action.account,
            store=action.store,
            job_id=action.job_id,
        )
        for action in action_rows
    ]
    return sorted(entries, key=lambda entry: (entry.at, entry.id), reverse=True)[:limit]
