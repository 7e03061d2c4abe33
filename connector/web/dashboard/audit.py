"""The audit trail: who did what, when and why, and the alerts about single orders."""

from flask import Blueprint, render_template, request, url_for

from connector.database.queries.audit import AuditEntry, list_audit_entries
from connector.web.context import get_runtime
from connector.web.dashboard.forms import PAGE_SIZE, read_row_id

blueprint = Blueprint("audit", __name__, url_prefix="/audit")

KINDS = (
    *("alert", "retrigger", "resolve", "correct", "withdraw", "pause", "resume", "set-row", "remove-row"),
    *("catch-up", "sync-webhooks", "remove-webhooks", "resume-store", "close-request"),
    *("start-job", "stop-job", "resume-job", "erase", "export"),
)


@blueprint.get("")
def show() -> str:
    kind = request.args.get("kind")
    kind = kind if kind in KINDS else None
    last_note, last_action = read_row_id(request.args, "note"), read_row_id(request.args, "action")
    entries = list_audit_entries(
        get_runtime().database, kind=kind, before_note_id=last_note, before_action_id=last_action, limit=PAGE_SIZE + 1
    )
    page = entries[:PAGE_SIZE]
    older_url = None
    if len(entries) > PAGE_SIZE:
        older_url = url_for(
            "audit.show",
            kind=kind,
            note=min(delivery_note_ids(page), default=last_note),
            action=min(operator_action_ids(page), default=last_action),
        )
    return render_template("audit.html", entries=page, kinds=KINDS, kind=kind, older_url=older_url)


def delivery_note_ids(entries: list[AuditEntry]) -> list[int]:
    return [entry.id for entry in entries if entry.delivery_id is not None]


def operator_action_ids(entries: list[AuditEntry]) -> list[int]:
    return [entry.id for entry in entries if entry.delivery_id is None]
