"""Requests about personal data: the list, one of them, and what a person does about it."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connector.core.exceptions import ConflictError
from connector.database.models import RequestState
from connector.database.privacy_requests import RequestFilter, list_requests, load_request
from connector.privacy.requests import dismiss_request
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor
from connector.web.dashboard.forms import PAGE_SIZE, read_choice, read_note, read_row_id
from connector.web.dashboard.i18n import gettext as _
from connector.web.row_ids import parse_id

blueprint = Blueprint("privacy", __name__, url_prefix="/privacy")


@blueprint.get("")
def index() -> str:
    runtime = get_runtime()
    state = read_choice(request.args, "state", list(RequestState))
    rows = list_requests(
        runtime.database,
        RequestFilter(state=state),
        before_id=read_row_id(request.args, "before"),
        limit=PAGE_SIZE + 1,
    )
    is_more = len(rows) > PAGE_SIZE
    older_url = url_for("privacy.index", state=state, before=rows[PAGE_SIZE - 1].id) if is_more else None
    return render_template(
        "privacy.html",
        requests=rows[:PAGE_SIZE],
        states=list(RequestState),
        filters={"state": state},
        now=runtime.clock(),
        older_url=older_url,
    )


@blueprint.get("/<request_id>")
def show(request_id: str) -> str:
    runtime = get_runtime()
    privacy_request = load_request(runtime.database, parse_id(request_id))
    return render_template("privacy_request.html", privacy_request=privacy_request, now=runtime.clock())


@blueprint.post("/<request_id>/dismiss")
def dismiss(request_id: str) -> Response:
    note = read_note(request.form, is_required=True)
    try:
        dismiss_request(get_runtime(), parse_id(request_id), actor=current_actor(), note=note)
    except ConflictError:
        flash(_("It has ended already."), "error")
    else:
        flash(_("The request is dismissed."), "success")
    return redirect(url_for("privacy.show", request_id=request_id))
