"""The audit trail: what people did, when and why, and what the connector wanted a person to look at."""

from typing import Any

from flask import Blueprint, render_template, request, url_for

from connector.database.stats.overview import AuditEntry, list_audit_entries
from connector.web.context import get_runtime
from connector.web.dashboard.forms import PAGE_SIZE, read_row_id

blueprint = Blueprint("audit", __name__, url_prefix="/audit")

KINDS = ("alert", "retrigger", "resolve", "pause", "resume")


@blueprint.get("")
def show() -> str:
    kind = request.args.get("kind")
    kind = kind if kind in KINDS else None
    last_ids = {name: read_row_id(request.args, name) for name in ("note", "act")}
    rows = list_audit_entries(get_runtime().database, kind=kind, **last_ids, limit=PAGE_SIZE + 1)
    entries = rows[:PAGE_SIZE]
    older_url = url_for("audit.show", kind=kind, **lowest_ids(entries, last_ids)) if len(rows) > PAGE_SIZE else None
    return render_template("audit.html", rows=entries, kinds=KINDS, kind=kind, following=older_url)


def lowest_ids(entries: list[AuditEntry], last_ids: dict[str, int | None]) -> dict[str, Any]:
    """The lowest id of each kind of row that was shown so far."""
    note_ids = [entry.id for entry in entries if entry.delivery_id is not None]
    action_ids = [entry.id for entry in entries if entry.delivery_id is None]
    return {
        "note": min(note_ids, default=last_ids["note"]),
        "act": min(action_ids, default=last_ids["act"]),
    }
