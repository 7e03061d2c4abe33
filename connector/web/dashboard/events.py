"""Events: every webhook that came in, also those that were ignored or came again, and why."""

from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from connector.core.exceptions import InvalidRequestError
from connector.database.queries.lookups import deliveries_of, load_event
from connector.database.queries.search import find_events
from connector.operations import actions
from connector.web.api.requests import read_id
from connector.web.dashboard.auth import this_runtime, who
from connector.web.dashboard.forms import PAGE, read_instant, read_note, read_row, read_text

blueprint = Blueprint("events", __name__, url_prefix="/events")

FILTERS = ("store", "topic", "order", "status", "since", "until")
STATUSES = ("accepted", "ignored", "duplicates")


@blueprint.get("")
def show_all() -> str:
    runtime = this_runtime()
    given = {name: text for name in FILTERS if (text := read_text(request.args, name))}
    if given.get("status", "accepted") not in STATUSES:
        raise InvalidRequestError(f"`status` must be one of {', '.join(STATUSES)}")
    stores = [store.id for store in runtime.settings.stores.values()]
    before, top = read_row(request.args, "before"), read_row(request.args, "top")
    found = find_events(
        runtime.database,
        **{name: given.get(name) for name in ("store", "topic", "order", "status")},
        since=read_instant(request.args, "since"),
        until=read_instant(request.args, "until"),
        before=before if before is not None or top is None else top + 1,
        limit=PAGE,
        stores=stores,
    )
    top = top or (found.rows[0].id if found.rows and before is None else None)
    here = {**given, **({"top": top} if top else {}), **({"before": before} if before else {})}
    orders = [(row.store, row.order_id) for row in found.rows if row.order_id and row.status == "accepted"]
    return render_template(
        "events.html",
        found=found,
        given=given,
        linked=deliveries_of(runtime.database, orders),
        stores=stores,
        statuses=STATUSES,
        first=f"?{urlencode(given)}",
        following=f"?{urlencode({**given, 'before': found.next})}" if found.next else None,
        here=f"?{urlencode(here)}",
    )


@blueprint.get("/<event_id>")
def show(event_id: str) -> str:
    runtime = this_runtime()
    event = load_event(runtime.database, read_id(event_id))
    orders = [(event.store, event.order_id)] if event.order_id else []
    ids = deliveries_of(runtime.database, orders)
    return render_template("event.html", event=event, deliveries=[id_ for found in ids.values() for id_ in found])


@blueprint.post("/<event_id>/retrigger")
def retrigger(event_id: str) -> Response:
    """Make every delivery that the routes want of it now, and queue what may be queued."""
    done = actions.retrigger_event(this_runtime(), read_id(event_id), who=who(), note=read_note(request.form))
    for one in done:
        flash(
            _("Delivery %(id)s is queued.", id=one.id)
            if one.done == "queued"
            else _("Delivery %(id)s is left as it is: %(why)s.", id=one.id, why=one.why),
            "done" if one.done == "queued" else "error",
        )
    if not done:
        flash(_("No route wants a delivery of it."), "error")
    return redirect(url_for("events.show", event_id=event_id))
