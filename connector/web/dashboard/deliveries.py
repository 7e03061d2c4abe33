"""Deliveries: the list with its search, the page of one delivery, and its actions."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connector.core.exceptions import ConflictError
from connector.database.audit import Subject, record_entry, record_view
from connector.database.models import AuditAction, Delivery, Reason, State
from connector.database.queries.deliveries import DeliveryFilter, list_attempts, load_delivery, search_deliveries
from connector.database.queries.pages import SearchPage
from connector.database.queries.terms import delivery_ids_by_email, scanned_rows
from connector.database.queries.totals import Total, count_matching_deliveries
from connector.delivery.preview import preview
from connector.operations import actions
from connector.runtime import Runtime
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor, current_reader
from connector.web.dashboard.available_actions import (
    explain_refusal,
    may_have_arrived,
    read_remote_id,
    require_confirmation,
)
from connector.web.dashboard.blocked_accounts import find_account_blocks
from connector.web.dashboard.delivery_detail import delivery_context
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
from connector.web.dashboard.list_filters import list_filters
from connector.web.dashboard.order_summaries import summarize_orders
from connector.web.row_ids import parse_id
from mappings.preview.perturb import MAX_ITEMS

blueprint = Blueprint("deliveries", __name__)

#: Newer deliveries are counted up to this; beyond it, the page says "100+".
MAX_NEWER = 100
#: How often an e-mail search can look further back: past eight million webhooks.
MAX_EMAIL_PAGES = 1_000


@blueprint.get("/deliveries")
def index() -> str:
    runtime = get_runtime()
    delivery_filter, term = parse_search(runtime, request.args)
    before, top = read_row_id(request.args, "before"), read_row_id(request.args, "top")
    if before is None and top is not None:
        before = top + 1
    page = find_page(runtime, delivery_filter, term, before=before)
    newer: list[Delivery] = []
    if top is not None:
        newer = find_page(runtime, delivery_filter, term, after=top, limit=MAX_NEWER).rows
    return render_list(runtime, page, newer_count=len(newer), top=top)


@blueprint.post("/deliveries/search")
def search() -> Response | str:
    """Search by the search box. An e-mail address must not appear in a URL, so its results are this response."""
    term = read_text(request.form, "q")
    if term is None or "@" not in term:
        return redirect(url_for("deliveries.index", **list_filters(request.form)))
    runtime = get_runtime()
    email_page = min(read_row_id(request.form, "email_page") or 0, MAX_EMAIL_PAGES)
    ids, has_older = delivery_ids_by_email(runtime.database, term, page_number=email_page)
    page: SearchPage[Delivery] = SearchPage()
    if ids:
        page = search_deliveries(runtime.database, DeliveryFilter(ids=tuple(ids)), limit=PAGE_SIZE)
    hits = {"deliveries": len(page.rows)}
    record_entry(runtime.database, current_reader(), AuditAction.SEARCH_BY_EMAIL, counts=hits)
    return render_list(
        runtime,
        page,
        email=term,
        scanned_count=scanned_rows(email_page),
        next_email_page=email_page + 1 if has_older else None,
    )


def render_list(
    runtime: Runtime, page: SearchPage[Delivery], *, newer_count: int = 0, top: int | None = None, **email_context: Any
) -> str:
    """Render the list.

    Args:
        newer_count: deliveries newer than `top` that match too.
        top: the id of the first row when the list was opened, so that a live list does not move.
        email_context: `email`, `scanned_count` and `next_email_page` of an e-mail search.
    """
    filters = list_filters(request.args)
    total = None if email_context else count_total(runtime)
    top = top or (page.rows[0].id if page.rows and "before" not in request.args else None)
    position = {
        **({"top": top} if top else {}),
        **({"before": request.args["before"]} if "before" in request.args else {}),
    }
    return render_template(
        "deliveries.html",
        page=page,
        filters=filters,
        chips=build_chips(filters),
        total=total,
        summaries=summarize_orders(runtime, page.rows),
        newer_count=newer_count,
        max_newer=MAX_NEWER,
        states=list(State),
        reasons=list(Reason),
        accounts=sorted(runtime.settings.accounts),
        stores=sorted(store.id for store in runtime.settings.stores.values()),
        blocks=find_account_blocks(runtime),
        first_url=f"?{urlencode(filters)}",
        older_url=f"?{urlencode({**filters, 'before': page.next})}" if page.next else None,
        current_url=f"?{urlencode({**filters, **position})}",
        **email_context,
    )


def parse_search(runtime: Runtime, values: Mapping[str, str]) -> tuple[DeliveryFilter, str | None]:
    """Read the search form: the filter, and the term of the search box. Raises `InvalidFormError`."""
    term, store = read_text(values, "q"), read_text(values, "store")
    if store is None and term in runtime.settings.stores_by_id:
        term, store = None, term
    delivery_filter = DeliveryFilter(
        state=read_choice(values, "state", list(State)),
        reason=read_choice(values, "reason", list(Reason)),
        account=read_text(values, "account"),
        store=store,
        problem=read_text(values, "problem"),
        error=read_text(values, "error"),
        job=read_row_id(values, "job"),
        job_result=read_text(values, "job_result"),
        since=read_since(values, "since"),
        until=read_until(values, "until"),
    )
    return delivery_filter, term


def count_total(runtime: Runtime) -> Total:
    """Count what the query string asks for, on all pages."""
    delivery_filter, term = parse_search(runtime, request.args)
    return count_matching_deliveries(runtime.database, delivery_filter, term=term, stores=all_stores(runtime))


def all_stores(runtime: Runtime) -> list[str]:
    return [store.id for store in runtime.settings.stores.values()] + sorted(runtime.settings.retired)


def find_page(
    runtime: Runtime,
    delivery_filter: DeliveryFilter,
    term: str | None,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = PAGE_SIZE,
) -> SearchPage[Delivery]:
    return search_deliveries(
        runtime.database,
        delivery_filter,
        term=term,
        before_id=before,
        after_id=after,
        limit=limit,
        stores=all_stores(runtime),
    )


@blueprint.get("/deliveries/<delivery_id>")
def show(delivery_id: str) -> str:
    runtime = get_runtime()
    delivery = load_delivery(runtime.database, parse_id(delivery_id))
    record_view(runtime.database, current_reader(), Subject.of(delivery))
    return render_template("delivery.html", delivery=delivery, **delivery_context(runtime, delivery, request.args))


@blueprint.get("/deliveries/<delivery_id>/preview")
def show_preview(delivery_id: str) -> str:
    """Show what would be sent now, field by field. It maps the order some hundred times, so pages load it on demand."""
    runtime, id_ = get_runtime(), parse_id(delivery_id)
    record_view(runtime.database, current_reader(), Subject.of(load_delivery(runtime.database, id_)))
    return render_template("preview.html", preview=preview(runtime, id_), max_items=MAX_ITEMS)


@blueprint.post("/deliveries/<delivery_id>/retrigger")
def retrigger(delivery_id: str) -> Response:
    force, new_key = (request.form.get(name) == "1" for name in ("force", "new_key"))
    note = read_note(request.form, is_required=force)
    database, id_ = get_runtime().database, parse_id(delivery_id)
    delivery = load_delivery(database, id_)
    must_look = (force or delivery.reason == Reason.HELD) and may_have_arrived(delivery, list_attempts(database, id_))
    if must_look:
        require_confirmation(request.form, "looked")

    def action(id_: int) -> None:
        actions.retrigger_delivery(
            get_runtime(), id_, actor=current_actor(), force=force, new_key=new_key, looked=must_look, note=note
        )

    return run_action(delivery_id, action, _("The order is queued. The result will appear here."))


@blueprint.post("/deliveries/<delivery_id>/resolve")
def resolve(delivery_id: str) -> Response:
    note, remote_id = read_note(request.form, is_required=True), read_remote_id(request.form)

    def action(id_: int) -> None:
        actions.resolve_delivery(
            get_runtime(), id_, actor=current_actor(), resolution=State.DELIVERED, remote_id=remote_id, note=note
        )

    return run_action(delivery_id, action, _("Marked as delivered."))


@blueprint.post("/deliveries/<delivery_id>/discard")
def discard(delivery_id: str) -> Response:
    note = read_note(request.form, is_required=True)

    def action(id_: int) -> None:
        actions.resolve_delivery(get_runtime(), id_, actor=current_actor(), resolution=State.DISCARDED, note=note)

    return run_action(delivery_id, action, _("Discarded."))


def run_action(delivery_id: str, action: Callable[[int], None], success_message: str) -> Response:
    """Run an action and return to the delivery's page. Its state may have changed since the page was opened."""
    id_ = parse_id(delivery_id)
    try:
        action(id_)
        flash(success_message, "success")
    except ConflictError:
        explanation = explain_refusal(load_delivery(get_runtime().database, id_))
        flash(_("Action failed. %(explanation)s", explanation=explanation), "error")
    return redirect(url_for("deliveries.show", delivery_id=delivery_id, **list_filters(request.args)))
