"""Events: every webhook that came in, also those that were ignored or came again, and why."""

from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from connector.core.exceptions import InvalidRequestError
from connector.database.queries.lookups import delivery_ids_by_order, load_event
from connector.database.queries.search import find_events
from connector.operations import actions
from connector.web.api.requests import parse_id
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor
from connector.web.dashboard.forms import PAGE_SIZE, read_datetime, read_note, read_row_id, read_text

blueprint = Blueprint("events", __name__, url_prefix="/events")

FILTERS = ("store", "topic", "order", "status", "since", "until")
EVENT_STATUSES = ("accepted", "ignored", "duplicates")


@blueprint.get("")
def index() -> str:
    runtime = get_runtime()
    filters = {name: text for name in FILTERS if (text := read_text(request.args, name))}
    if filters.get("status", "accepted") not in EVENT_STATUSES:
        raise InvalidRequestError(f"`status` must be one of {', '.join(EVENT_STATUSES)}")
    stores = [store.id for store in runtime.settings.stores.values()]
    before, top = read_row_id(request.args, "before"), read_row_id(request.args, "top")
    page = find_events(
        runtime.database,
        **{name: filters.get(name) for name in ("store", "topic", "order", "status")},
        since=read_datetime(request.args, "since"),
        until=read_datetime(request.args, "until"),
        before=before if before is not None or top is None else top + 1,
        limit=PAGE_SIZE,
        stores=stores,
    )
    top = top or (page.rows[0].id if page.rows and before is None else None)
    current_params = {**filters, **({"top": top} if top else {}), **({"before": before} if before else {})}
    orders = [(row.store, row.order_id) for row in page.rows if row.order_id and row.status == "accepted"]
    return render_template(
        "events.html",
        found=page,
        given=filters,
        linked=delivery_ids_by_order(runtime.database, orders),
        stores=stores,
        statuses=EVENT_STATUSES,
        first=f"?{urlencode(filters)}",
        following=f"?{urlencode({**filters, 'before': page.next})}" if page.next else None,
        here=f"?{urlencode(current_params)}",
    )


@blueprint.get("/<event_id>")
def show(event_id: str) -> str:
    runtime = get_runtime()
    event = load_event(runtime.database, parse_id(event_id))
    orders = [(event.store, event.order_id)] if event.order_id else []
    ids_by_order = delivery_ids_by_order(runtime.database, orders)
    return render_template(
        "event.html", event=event, deliveries=[id_ for delivery_ids in ids_by_order.values() for id_ in delivery_ids]
    )


@blueprint.post("/<event_id>/retrigger")
def retrigger(event_id: str) -> Response:
    """Make every delivery that the routes want of it now, and queue what may be queued."""
    results = actions.retrigger_event(
        get_runtime(), parse_id(event_id), actor=current_actor(), note=read_note(request.form)
    )
    for result in results:
        flash(
            _("Delivery %(id)s is queued.", id=result.id)
            if result.done == "queued"
            else _("Delivery %(id)s is left as it is: %(why)s.", id=result.id, why=result.why),
            "done" if result.done == "queued" else "error",
        )
    if not results:
        flash(_("No route wants a delivery of it."), "error")
    return redirect(url_for("events.show", event_id=event_id))
