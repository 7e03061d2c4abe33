"""What is kept about a person: search, a copy, and erasure. The e-mail address is in forms, never in a URL."""

import json

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from connector.core.exceptions import ConflictError, InvalidRequestError, NotFoundError
from connector.database.audit import record_entry
from connector.database.models import AuditAction
from connector.privacy.erase import ErasureResult, erase
from connector.privacy.export import export_criterion
from connector.privacy.records import Criterion, find_records, list_rows
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor, current_reader
from connector.web.dashboard.forms import InvalidFormError, read_text
from connector.web.dashboard.i18n import gettext as _

blueprint = Blueprint("personal_data", __name__, url_prefix="/privacy/orders")

#: The name of the file that a browser saves.
DOWNLOAD_HEADERS = {
    "Content-Disposition": 'attachment; filename="personal-data.json"',
    "Cache-Control": "no-store",
}


@blueprint.get("")
def show() -> str:
    return render("")


@blueprint.post("/search")
def search() -> str:
    criterion, term = read_criterion()
    if criterion.email is not None:
        record_entry(get_runtime().database, current_reader(), AuditAction.SEARCH_BY_EMAIL)
    return render(term, criterion)


@blueprint.post("/export")
def export() -> Response:
    criterion, _term = read_criterion()
    document = export_criterion(get_runtime(), criterion, actor=current_actor())
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return Response(text + "\n", headers=DOWNLOAD_HEADERS, content_type="application/json")


@blueprint.post("/erase")
def erase_found() -> str | tuple[str, int]:
    criterion, term = read_criterion()
    if "confirm" not in request.form:
        return render(term, criterion, error=_("Confirm that you want to erase this data.")), 400
    try:
        result = erase(
            get_runtime(), criterion, actor=current_actor(), discards_parked="discard_parked" in request.form
        )
    except NotFoundError:
        return render(term, criterion), 404
    except ConflictError:
        return render(term, criterion, error=_("Several orders have this number: choose the store.")), 409
    return render(term, result=result)


def read_criterion() -> tuple[Criterion, str]:
    """Return what the form searches for, and its search box. Raises `InvalidFormError`."""
    order_id, store = read_text(request.form, "order_id"), read_text(request.form, "store")
    if order_id is not None and store is not None:
        return Criterion(order_id=order_id, store=store), ""
    term = read_text(request.form, "q")
    if term is None:
        raise InvalidFormError(_("Enter an order number or an e-mail address."))
    return Criterion(**{"email" if "@" in term else "order": term}, store=store), term


def render(
    term: str, criterion: Criterion | None = None, *, error: str | None = None, result: ErasureResult | None = None
) -> str:
    """Render the page: the search form, and what was found or erased.

    Args:
        term: what was typed into the search box.
    """
    runtime = get_runtime()
    rows = None
    if criterion is not None:
        try:
            rows = list_rows(runtime, find_records(runtime, criterion))
        except (InvalidRequestError, NotFoundError) as problem:
            raise InvalidFormError(_("There is no such store, or this is not an e-mail address.")) from problem
    return render_template(
        "personal_data.html",
        term=term,
        criterion=criterion,
        rows=rows,
        error=error,
        result=result,
        stores=sorted(store.id for store in runtime.settings.stores.values()),
    )
