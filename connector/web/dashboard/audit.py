"""The audit trail: who did what, when and why, who looked at what, and the alerts about single orders."""

from urllib.parse import urlencode

from flask import Blueprint, render_template, request

from connector.database.queries.audit import ACTIONS, TrailCursor, TrailFilter, list_trail
from connector.web.context import get_runtime
from connector.web.dashboard.filter_chips import build_chips
from connector.web.dashboard.forms import PAGE_SIZE, read_choice, read_since, read_text, read_until

blueprint = Blueprint("audit", __name__, url_prefix="/audit")

FILTERS = ("action", "actor", "since", "until")


@blueprint.get("")
def show() -> str:
    trail_filter = TrailFilter(
        action=read_choice(request.args, "action", ACTIONS),
        actor=read_text(request.args, "actor"),
        since=read_since(request.args, "since"),
        until=read_until(request.args, "until"),
    )
    filters = {name: text for name in FILTERS if (text := read_text(request.args, name))}
    cursor = read_text(request.args, "cursor")
    after = TrailCursor.parse(cursor) if cursor else None
    page = list_trail(get_runtime().database, trail_filter, after=after, limit=PAGE_SIZE)
    return render_template(
        "audit.html",
        entries=page.entries,
        actions=ACTIONS,
        filters=filters,
        chips=build_chips(filters),
        older_url=f"?{urlencode({**filters, 'cursor': str(page.next)})}" if page.next else None,
    )
