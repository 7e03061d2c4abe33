"""Deliveries: search and pages of them, one in full, and the acts that its state allows."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from connector.core.exceptions import ConflictError, InvalidRequestError
from connector.database.bulk_retries import DeliveryFilter, load_job
from connector.database.models import Reason, State
from connector.database.queries.lookups import load_delivery
from connector.database.queries.search import (
    DeliverySearch,
    SearchPage,
    delivery_ids_by_email,
    find_deliveries,
    scanned_rows,
)
from connector.delivery.preview import preview
from connector.operations import actions
from connector.runtime import Runtime
from connector.web.api.requests import parse_id
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor
from connector.web.dashboard.delivery_detail import delivery_context
from connector.web.dashboard.forms import PAGE_SIZE, read_datetime, read_note, read_row_id, read_text

blueprint = Blueprint("deliveries", __name__)

FILTERS = ("q", "state", "reason", "account", "store", "problem", "since", "until")
#: How many newer ones are counted; more are "100 or more".
MAX_NEWER = 100
#: Further looks for an e-mail address: past eight million webhooks.
MAX_EMAIL_PAGES = 1_000


@blueprint.get("/deliveries")
def index() -> str:
    runtime = get_runtime()
    criteria = parse_search(runtime, request.args)
    before, top = read_row_id(request.args, "before"), read_row_id(request.args, "top")
    if before is None and top is not None:
        before = top + 1
    page = find_page(runtime, criteria, before=before)
    newer = len(find_page(runtime, criteria, after=top, limit=MAX_NEWER).rows) if top is not None else 0
    return render_list(runtime, page, newer=newer, top=top)


@blueprint.post("/deliveries/search")
def search() -> Response | str:
    """Search by the one box. An e-mail address goes into no URL: its page is the answer itself."""
    term = read_text(request.form, "q")
    if term is None or "@" not in term:
        params: dict[str, Any] = {name: request.form[name] for name in FILTERS if request.form.get(name)}
        return redirect(url_for("deliveries.index", **params))
    runtime = get_runtime()
    email_page = min(read_row_id(request.form, "look") or 0, MAX_EMAIL_PAGES)
    ids, has_older = delivery_ids_by_email(runtime.database, term, page_number=email_page)
    page = find_deliveries(runtime.database, DeliverySearch(ids=ids), limit=PAGE_SIZE) if ids else SearchPage()
    return render_list(runtime, page, email=term, email_page=email_page, has_older=has_older)


def render_list(
    runtime: Runtime,
    page: SearchPage,
    *,
    newer: int = 0,
    top: int | None = None,
    email: str | None = None,
    email_page: int = 0,
    has_older: bool = False,
) -> str:
    filters = {name: request.args[name] for name in FILTERS if request.args.get(name)}
    top = top or (page.rows[0].id if page.rows and "before" not in request.args else None)
    current_params = {
        **filters,
        **({"top": top} if top else {}),
        **({"before": request.args["before"]} if "before" in request.args else {}),
    }
    return render_template(
        "deliveries.html",
        found=page,
        given=filters,
        newer=newer,
        most_newer=MAX_NEWER,
        email=email,
        opened=scanned_rows(email_page),
        further=email_page + 1 if has_older else None,
        states=list(State),
        reasons=list(Reason),
        accounts=sorted(runtime.settings.accounts),
        stores=sorted(store.id for store in runtime.settings.stores.values()),
        first=f"?{urlencode(filters)}",
        following=f"?{urlencode({**filters, 'before': page.next})}" if page.next else None,
        here=f"?{urlencode(current_params)}",
    )


def parse_search(runtime: Runtime, args: Mapping[str, str]) -> DeliverySearch:
    """What the search form asks for. Raises `InvalidRequestError`."""
    values: dict[str, Any] = {
        name: read_text(args, name) for name in ("q", "state", "reason", "account", "store", "problem")
    }
    for name, allowed in (("state", State), ("reason", Reason)):
        if values[name] is not None and values[name] not in list(allowed):
            raise InvalidRequestError(f"`{name}` must be one of {', '.join(allowed)}")
    term = values.pop("q")
    if term in {store.id for store in runtime.settings.stores.values()} and values["store"] is None:
        values["store"], term = term, None
    return DeliverySearch(term=term, since=read_datetime(args, "since"), until=read_datetime(args, "until"), **values)


def find_page(
    runtime: Runtime,
    criteria: DeliverySearch,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = PAGE_SIZE,
) -> SearchPage:
    stores = [store.id for store in runtime.settings.stores.values()] + sorted(runtime.settings.retired)
    return find_deliveries(runtime.database, criteria, before=before, after=after, limit=limit, stores=stores)


@blueprint.get("/deliveries/<delivery_id>")
def show(delivery_id: str) -> str:
    runtime = get_runtime()
    delivery = load_delivery(runtime.database, parse_id(delivery_id))
    return render_template("delivery.html", delivery=delivery, **delivery_context(runtime, delivery))


@blueprint.get("/deliveries/<delivery_id>/preview")
def preview_page(delivery_id: str) -> str:
    """What would be sent now, field by field. That takes some hundred mappings, so pages ask for it late."""
    return render_template("preview.html", shown=preview(get_runtime(), parse_id(delivery_id)))


@blueprint.post("/deliveries/<delivery_id>/retrigger")
def retrigger(delivery_id: str) -> Response:
    force = request.form.get("force") == "1"
    note = read_note(request.form, is_required=force)
    new_key = request.form.get("new_key") == "1"
    return run_action(
        delivery_id,
        lambda id_: actions.retrigger_delivery(
            get_runtime(), id_, actor=current_actor(), force=force, new_key=new_key, note=note
        ),
        _("It is queued. Its outcome shows here by itself."),
    )


@blueprint.post("/deliveries/<delivery_id>/resolve")
def resolve(delivery_id: str) -> Response:
    note, remote_id = read_note(request.form, is_required=True), read_text(request.form, "remote_id")
    return run_action(
        delivery_id,
        lambda id_: actions.resolve_delivery(
            get_runtime(), id_, actor=current_actor(), resolution=State.DELIVERED, remote_id=remote_id, note=note
        ),
        _("It counts as delivered, by your word."),
    )


@blueprint.post("/deliveries/<delivery_id>/discard")
def discard(delivery_id: str) -> Response:
    note = read_note(request.form, is_required=True)
    return run_action(
        delivery_id,
        lambda id_: actions.resolve_delivery(
            get_runtime(), id_, actor=current_actor(), resolution=State.DISCARDED, note=note
        ),
        _("It is discarded, by your word."),
    )


def run_action(delivery_id: str, action: Any, success_message: str) -> Response:
    """Do it and say so on the delivery's page; or say why its state forbids it: somebody else may have acted before."""
    try:
        action(parse_id(delivery_id))
        flash(success_message, "done")
    except ConflictError as error:
        flash(_("That was not done: %(why)s.", why=str(error)), "error")
    return redirect(url_for("deliveries.show", delivery_id=delivery_id))


@blueprint.post("/deliveries/retrigger")
def retrigger_many() -> Response:
    """Have the chosen ones retriggered, or all that the filters of a parked list choose."""
    note = read_note(request.form)
    if request.form.get("all") == "1":
        criteria = parse_search(get_runtime(), request.form)
        if criteria.term or criteria.problem:
            raise InvalidRequestError("all of a search cannot be retriggered at once: choose them")
        delivery_filter = DeliveryFilter(
            state=criteria.state or State.PARKED,
            reason=criteria.reason,
            account=criteria.account,
            store=criteria.store,
            since=criteria.since,
            until=criteria.until,
        )
    else:
        ids = tuple(dict.fromkeys(parse_id(text) for text in request.form.getlist("id")))
        if not ids:
            flash(_("Choose at least one."), "error")
            return redirect(url_for("deliveries.index"))
        delivery_filter = DeliveryFilter(state=None, ids=ids)
    job = actions.start_bulk_retry(get_runtime(), delivery_filter, actor=current_actor(), note=note)
    return redirect(url_for("deliveries.job_page", job_id=job.id))


@blueprint.get("/retriggers/<job_id>")
def job_page(job_id: str) -> str:
    return render_template("job.html", job=load_job(get_runtime().database, parse_id(job_id)))


@blueprint.post("/retriggers/<job_id>/cancel")
def cancel_job(job_id: str) -> Response:
    try:
        actions.cancel_bulk_retry(get_runtime(), parse_id(job_id), actor=current_actor())
    except ConflictError as error:
        flash(_("That was not done: %(why)s.", why=str(error)), "error")
    return redirect(url_for("deliveries.job_page", job_id=job_id))
