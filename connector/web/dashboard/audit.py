"""The audit trail: what people did, when and why, and what the connector wanted a person to look at."""

from typing import Any

from flask import Blueprint, render_template, request, url_for

from connector.database.stats.overview import Done, list_done
from connector.web.dashboard.auth import this_runtime
from connector.web.dashboard.forms import PAGE, read_row

blueprint = Blueprint("audit", __name__, url_prefix="/audit")

KINDS = ("alert", "retrigger", "resolve", "pause", "resume")


@blueprint.get("")
def show() -> str:
    kind = request.args.get("kind")
    kind = kind if kind in KINDS else None
    seen = {name: read_row(request.args, name) for name in ("note", "act")}
    rows = list_done(this_runtime().database, kind=kind, **seen, limit=PAGE + 1)
    shown = rows[:PAGE]
    following = url_for("audit.show", kind=kind, **last_seen(shown, seen)) if len(rows) > PAGE else None
    return render_template("audit.html", rows=shown, kinds=KINDS, kind=kind, following=following)


def last_seen(shown: list[Done], seen: dict[str, int | None]) -> dict[str, Any]:
    """The lowest id of each kind of row that was shown so far."""
    of_deliveries = [one.id for one in shown if one.delivery_id is not None]
    of_accounts = [one.id for one in shown if one.delivery_id is None]
    return {
        "note": min(of_deliveries, default=seen["note"]),
        "act": min(of_accounts, default=seen["act"]),
    }
