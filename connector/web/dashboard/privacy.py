"""Requests about personal data: the list, one of them, and what a person does about it."""

import json

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connector.core.exceptions import ConflictError
from connector.database.audit import Subject, record_view
from connector.database.models import RequestState
from connector.database.privacy_requests import RequestFilter, list_requests, load_request
from connector.privacy.requests import (
    complete_request,
    dismiss_request,
    erase_request,
    export_request,
)
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor, current_reader
from connector.web.dashboard.available_actions import require_confirmation
from connector.web.dashboard.forms import PAGE_SIZE, read_choice, read_note, read_row_id, read_text
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import ngettext
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
    record_view(runtime.database, current_reader(), Subject.of(privacy_request))
    return render_template("privacy_request.html", privacy_request=privacy_request, now=runtime.clock())


@blueprint.post("/<request_id>/erase")
def erase(request_id: str) -> Response:
    require_confirmation(request.form, "erase")
    try:
        _request, result = erase_request(
            get_runtime(),
            parse_id(request_id),
            actor=current_actor(),
            discards_parked=read_text(request.form, "discard_parked") == "yes",
        )
    except ConflictError:
        flash(_("It has ended already."), "error")
        return redirect(url_for("privacy.show", request_id=request_id))
    count = len(result.orders)
    flash(ngettext("%(num)s order is erased or will be.", "%(num)s orders are erased or will be.", count), "success")
    return redirect(url_for("privacy.show", request_id=request_id))


@blueprint.post("/<request_id>/export")
def export(request_id: str) -> Response:
    document = export_request(get_runtime(), parse_id(request_id), actor=current_actor())
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    headers = {"Content-Disposition": f'attachment; filename="request-{request_id}.json"', "Cache-Control": "no-store"}
    return Response(text, headers=headers, mimetype="application/json")


@blueprint.post("/<request_id>/done")
def mark_done(request_id: str) -> Response:
    try:
        complete_request(get_runtime(), parse_id(request_id), actor=current_actor(), note=read_note(request.form))
    except ConflictError:
        flash(_("It has ended already."), "error")
    return redirect(url_for("privacy.show", request_id=request_id))


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
