"""The audit trail: what people did, when and why, and what the connector wanted a person to look at."""

from flask import Blueprint, render_template, request

from connector.database.overview import list_notes
from connector.web.dashboard.forms import PAGE, read_row
from connector.web.dashboard.guard import this_runtime

blueprint = Blueprint("audit", __name__, url_prefix="/audit")

KINDS = ("alert", "retrigger", "resolve")


@blueprint.get("")
def show() -> str:
    kind = request.args.get("kind")
    kind = kind if kind in KINDS else None
    rows = list_notes(this_runtime().database, kind=kind, before=read_row(request.args, "before"), limit=PAGE + 1)
    shown = rows[:PAGE]
    return render_template(
        "audit.html", rows=shown, kinds=KINDS, kind=kind, next=shown[-1].id if len(rows) > PAGE else None
    )
