"""Events: every webhook that was received and every order that catch-up read, with the reason if it was ignored."""

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connector.database.audit import Subject, record_view
from connector.database.models import Event, EventSource
from connector.database.operator_actions import RetriggerResult
from connector.database.queries.deliveries import delivery_ids_by_order, load_delivery
from connector.database.queries.events import EventFilter, load_event, search_events
from connector.database.queries.pages import SearchPage
from connector.database.queries.totals import count_matching_events
from connector.operations import actions
from connector.runtime import Runtime
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor, current_reader
from connector.web.dashboard.available_actions import explain_refusal
from connector.web.dashboard.filter_chips import build_chips
from connector.web.dashboard.forms import (
    PAGE_SIZE,
    read_choice,
    read_note,
    read_row_id,
    read_since,
    read_text,
    read_until,
)
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import translate_problem
from connector.web.row_ids import parse_id

blueprint = Blueprint("events", __name__, url_prefix="/events")

FILTERS = ("store", "topic", "order", "status", "source", "since", "until")
EVENT_STATUSES = ("accepted", "ignored", "duplicates")


@blueprint.get("")
def index() -> str:
    runtime = get_runtime()
    filters = {name: text for name in FILTERS if (text := read_text(request.args, name))}
    before, top = read_row_id(request.args, "before"), read_row_id(request.args, "top")
    event_filter = parse_filter()
    page = load_page(runtime, event_filter, before=before if before is not None or top is None else top + 1)
    top = top or (page.rows[0].id if page.rows and before is None else None)
    position = {**({"top": top} if top else {}), **({"before": before} if before else {})}
    return render_template(
        "events.html",
        page=page,
        filters=filters,
        chips=build_chips(filters),
        total=count_matching_events(runtime.database, event_filter, stores=all_stores(runtime)),
        delivery_ids=load_delivery_ids(runtime, page),
        stores=all_stores(runtime),
        statuses=EVENT_STATUSES,
        sources=list(EventSource),
        first_url=f"?{urlencode(filters)}",
        older_url=f"?{urlencode({**filters, 'before': page.next})}" if page.next else None,
        current_url=f"?{urlencode({**filters, **position})}",
    )


def parse_filter() -> EventFilter:
    """Read the filter from the query string. Raises `InvalidFormError`."""
    args = request.args
    return EventFilter(
        store=read_text(args, "store"),
        topic=read_text(args, "topic"),
        order=read_text(args, "order"),
        status=read_choice(args, "status", EVENT_STATUSES),
        source=read_choice(args, "source", list(EventSource)),
        since=read_since(args, "since"),
        until=read_until(args, "until"),
    )


def all_stores(runtime: Runtime) -> list[str]:
    return [store.id for store in runtime.settings.stores.values()]


def load_page(runtime: Runtime, event_filter: EventFilter, *, before: int | None) -> SearchPage[Event]:
    return search_events(runtime.database, event_filter, before_id=before, limit=PAGE_SIZE, stores=all_stores(runtime))


def load_delivery_ids(runtime: Runtime, page: SearchPage[Event]) -> dict[tuple[str, str], list[int]]:
    """Return the ids of the deliveries of each (store, order) among the accepted events."""
    orders = [(event.store, event.order_id) for event in page.rows if event.order_id and event.status == "accepted"]
    return delivery_ids_by_order(runtime.database, orders)


@blueprint.get("/<event_id>")
def show(event_id: str) -> str:
    runtime = get_runtime()
    event = load_event(runtime.database, parse_id(event_id))
    record_view(runtime.database, current_reader(), Subject.of(event))
    orders = [(event.store, event.order_id)] if event.order_id else []
    ids_by_order = delivery_ids_by_order(runtime.database, orders)
    delivery_ids = [delivery_id for ids in ids_by_order.values() for delivery_id in ids]
    return render_template("event.html", event=event, delivery_ids=delivery_ids)


@blueprint.post("/<event_id>/retrigger")
def retrigger(event_id: str) -> Response:
    """Create the deliveries that the current routes call for, and retrigger the existing ones where that is safe."""
    runtime = get_runtime()
    results = actions.retrigger_event(runtime, parse_id(event_id), actor=current_actor(), note=read_note(request.form))
    for result in results:
        flash(*describe_result(runtime, result))
    if not results:
        flash(_("No route applies to this event, so no delivery was created."), "error")
    return redirect(url_for("events.show", event_id=event_id))


def describe_result(runtime: Runtime, result: RetriggerResult) -> tuple[str, Any]:
    """Return the message and its category."""
    if result.done == "queued":
        return _("Delivery %(id)s is queued.", id=result.id), "success"
    if result.id is None:
        why = translate_problem(result.why)
        return _("Account %(account)s gets no delivery: %(why)s.", account=result.account, why=why), "error"
    explanation = explain_refusal(load_delivery(runtime.database, result.id))
    return _("Delivery %(id)s was skipped. %(explanation)s", id=result.id, explanation=explanation), "error"
