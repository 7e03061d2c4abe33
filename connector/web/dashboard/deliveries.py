"""Deliveries: search and pages of them, one in full, and the acts that its state allows."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from connector.core.exceptions import ConflictError, InvalidRequestError
from connector.database.bulk_retries import Choice, load_job
from connector.database.models import Reason, State
from connector.database.queries.lookups import load_delivery
from connector.database.queries.search import Found, Wanted, find_deliveries, ids_of_email, opened_by
from connector.delivery.preview import preview
from connector.operations import actions
from connector.runtime import Runtime
from connector.web.api.requests import read_id
from connector.web.dashboard.auth import this_runtime, who
from connector.web.dashboard.delivery_detail import describe_whole
from connector.web.dashboard.forms import PAGE, read_instant, read_note, read_row, read_text

blueprint = Blueprint("deliveries", __name__)

FILTERS = ("q", "state", "reason", "account", "store", "problem", "since", "until")
#: How many newer ones are counted; more are "100 or more".
MOST_NEWER = 100
#: Further looks for an e-mail address: past eight million webhooks.
MOST_LOOKS = 1_000


@blueprint.get("/deliveries")
def show_all() -> str:
    runtime = this_runtime()
    wanted = read_wanted(runtime, request.args)
    before, top = read_row(request.args, "before"), read_row(request.args, "top")
    if before is None and top is not None:
        before = top + 1
    found = search(runtime, wanted, before=before)
    newer = len(search(runtime, wanted, after=top, limit=MOST_NEWER).rows) if top is not None else 0
    return show_list(runtime, found, newer=newer, top=top)


@blueprint.post("/deliveries/search")
def search_all() -> Response | str:
    """Search by the one box. An e-mail address goes into no URL: its page is the answer itself."""
    term = read_text(request.form, "q")
    if term is None or "@" not in term:
        given: dict[str, Any] = {name: request.form[name] for name in FILTERS if request.form.get(name)}
        return redirect(url_for("deliveries.show_all", **given))
    runtime = this_runtime()
    look = min(read_row(request.form, "look") or 0, MOST_LOOKS)
    ids, has_older = ids_of_email(runtime.database, term, look=look)
    found = find_deliveries(runtime.database, Wanted(ids=ids), limit=PAGE) if ids else Found()
    return show_list(runtime, found, email=term, look=look, has_older=has_older)


def show_list(
    runtime: Runtime,
    found: Found,
    *,
    newer: int = 0,
    top: int | None = None,
    email: str | None = None,
    look: int = 0,
    has_older: bool = False,
) -> str:
    given = {name: request.args[name] for name in FILTERS if request.args.get(name)}
    top = top or (found.rows[0].id if found.rows and "before" not in request.args else None)
    here = {
        **given,
        **({"top": top} if top else {}),
        **({"before": request.args["before"]} if "before" in request.args else {}),
    }
    return render_template(
        "deliveries.html",
        found=found,
        given=given,
        newer=newer,
        most_newer=MOST_NEWER,
        email=email,
        opened=opened_by(look),
        further=look + 1 if has_older else None,
        states=list(State),
        reasons=list(Reason),
        accounts=sorted(runtime.settings.accounts),
        stores=sorted(store.id for store in runtime.settings.stores.values()),
        first=f"?{urlencode(given)}",
        following=f"?{urlencode({**given, 'before': found.next})}" if found.next else None,
        here=f"?{urlencode(here)}",
    )


def read_wanted(runtime: Runtime, args: Mapping[str, str]) -> Wanted:
    """What the search form asks for. Raises `InvalidRequestError`."""
    given: dict[str, Any] = {
        name: read_text(args, name) for name in ("q", "state", "reason", "account", "store", "problem")
    }
    for name, words in (("state", State), ("reason", Reason)):
        if given[name] is not None and given[name] not in list(words):
            raise InvalidRequestError(f"`{name}` must be one of {', '.join(words)}")
    term = given.pop("q")
    if term in {store.id for store in runtime.settings.stores.values()} and given["store"] is None:
        given["store"], term = term, None
    return Wanted(term=term, since=read_instant(args, "since"), until=read_instant(args, "until"), **given)


def search(
    runtime: Runtime, wanted: Wanted, *, before: int | None = None, after: int | None = None, limit: int = PAGE
) -> Found:
    stores = [store.id for store in runtime.settings.stores.values()] + sorted(runtime.settings.retired)
    return find_deliveries(runtime.database, wanted, before=before, after=after, limit=limit, stores=stores)


@blueprint.get("/deliveries/<delivery_id>")
def show(delivery_id: str) -> str:
    runtime = this_runtime()
    delivery = load_delivery(runtime.database, read_id(delivery_id))
    return render_template("delivery.html", delivery=delivery, **describe_whole(runtime, delivery))


@blueprint.get("/deliveries/<delivery_id>/preview")
def show_preview(delivery_id: str) -> str:
    """What would be sent now, field by field. That takes some hundred mappings, so pages ask for it late."""
    return render_template("preview.html", shown=preview(this_runtime(), read_id(delivery_id)))


@blueprint.post("/deliveries/<delivery_id>/retrigger")
def retrigger(delivery_id: str) -> Response:
    force = request.form.get("force") == "1"
    note = read_note(request.form, is_needed=force)
    new_key = request.form.get("new_key") == "1"
    return act(
        delivery_id,
        lambda id_: actions.retrigger_delivery(this_runtime(), id_, who=who(), force=force, new_key=new_key, note=note),
        _("It is queued. Its outcome shows here by itself."),
    )


@blueprint.post("/deliveries/<delivery_id>/resolve")
def resolve(delivery_id: str) -> Response:
    note, remote_id = read_note(request.form, is_needed=True), read_text(request.form, "remote_id")
    return act(
        delivery_id,
        lambda id_: actions.resolve_delivery(
            this_runtime(), id_, who=who(), as_=State.DELIVERED, remote_id=remote_id, note=note
        ),
        _("It counts as delivered, by your word."),
    )


@blueprint.post("/deliveries/<delivery_id>/discard")
def discard(delivery_id: str) -> Response:
    note = read_note(request.form, is_needed=True)
    return act(
        delivery_id,
        lambda id_: actions.resolve_delivery(this_runtime(), id_, who=who(), as_=State.DISCARDED, note=note),
        _("It is discarded, by your word."),
    )


def act(delivery_id: str, do: Any, done: str) -> Response:
    """Do it and say so on the delivery's page; or say why its state forbids it: somebody else may have acted before."""
    try:
        do(read_id(delivery_id))
        flash(done, "done")
    except ConflictError as error:
        flash(_("That was not done: %(why)s.", why=str(error)), "error")
    return redirect(url_for("deliveries.show", delivery_id=delivery_id))


@blueprint.post("/deliveries/retrigger")
def retrigger_many() -> Response:
    """Have the chosen ones retriggered, or all that the filters of a parked list choose."""
    note = read_note(request.form)
    if request.form.get("all") == "1":
        wanted = read_wanted(this_runtime(), request.form)
        if wanted.term or wanted.problem:
            raise InvalidRequestError("all of a search cannot be retriggered at once: choose them")
        choice = Choice(
            state=wanted.state or State.PARKED,
            reason=wanted.reason,
            account=wanted.account,
            store=wanted.store,
            since=wanted.since,
            until=wanted.until,
        )
    else:
        ids = tuple(dict.fromkeys(read_id(one) for one in request.form.getlist("id")))
        if not ids:
            flash(_("Choose at least one."), "error")
            return redirect(url_for("deliveries.show_all"))
        choice = Choice(state=None, ids=ids)
    job = actions.start_retriggers(this_runtime(), choice, who=who(), note=note)
    return redirect(url_for("deliveries.show_job", job_id=job.id))


@blueprint.get("/retriggers/<job_id>")
def show_job(job_id: str) -> str:
    return render_template("job.html", job=load_job(this_runtime().database, read_id(job_id)))


@blueprint.post("/retriggers/<job_id>/cancel")
def cancel_job(job_id: str) -> Response:
    try:
        actions.cancel_retriggers(this_runtime(), read_id(job_id), who=who())
    except ConflictError as error:
        flash(_("That was not done: %(why)s.", why=str(error)), "error")
    return redirect(url_for("deliveries.show_job", job_id=job_id))
