"""The lookup tables: what is in them, which rows orders wait for, and forms to enter and remove rows."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connector.core.exceptions import NotFoundError
from connector.database.queries.deliveries import load_delivery
from connector.database.table_rows import format_value
from connector.operations import tables
from connector.operations.tables import InvalidRowError, TableRowView, TableView
from connector.runtime import current_settings
from connector.settings.lookup_tables import find_table
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor
from connector.web.dashboard.delivery_detail import delivery_context
from connector.web.dashboard.forms import PAGE_SIZE, read_note, read_row_id, read_text
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import ngettext
from connector.web.dashboard.list_filters import list_filters
from connector.web.dashboard.row_forms import (
    RowForm,
    SentRow,
    build_missing_row_forms,
    build_row_form,
    build_waiting_forms,
    describe_row_errors,
    read_row,
)

blueprint = Blueprint("tables", __name__, url_prefix="/tables")

#: Rows that a search shows.
MAX_FOUND = 200


@blueprint.get("")
def index() -> str:
    runtime = get_runtime()
    settings, errors = current_settings(runtime)
    return render_template(
        "tables.html",
        summaries=tables.list_table_summaries(runtime),
        waiting=build_waiting_forms(settings, tables.find_missing_rows(runtime)),
        errors=errors,
    )


@blueprint.get("/<account>/<table>")
def show(account: str, table: str) -> str:
    view = tables.load_table(get_runtime(), account, table)
    start = max((read_row_id(request.args, "page") or 1) - 1, 0) * PAGE_SIZE
    return render_table(view, view.rows[start : start + PAGE_SIZE], start=start)


@blueprint.post("/<account>/<table>/search")
def search(account: str, table: str) -> str:
    """Search by key and value. A key may be a customer's tax document, which must not appear in a URL."""
    view, term = tables.load_table(get_runtime(), account, table), read_text(request.form, "q")
    if term is None:
        return render_table(view, view.rows[:PAGE_SIZE])
    return render_table(view, view.search(term)[:MAX_FOUND], term=term)


@blueprint.post("/<account>/<table>/set")
def set_row(account: str, table: str) -> Response | tuple[str, int]:
    """Enter a row, and return to the page of the delivery that waits for it, or of the table."""
    runtime, delivery_id = get_runtime(), read_row_id(request.form, "delivery")
    _account, table_field = find_table(runtime.settings, account, table)
    sent = read_row(request.form, table_field)
    try:
        row = tables.set_row(
            runtime,
            account,
            table,
            key=sent.key,
            value=sent.value(table_field),
            actor=current_actor(),
            note=sent.note,
        )
    except InvalidRowError as error:
        return show_again(account, table, sent, describe_row_errors(error), delivery_id), error.status
    waiting = tables.count_waiting(runtime, row)
    text = _("Row “%(key)s” is saved.", key=row.key)
    if waiting:
        text += " " + ngettext(
            "%(num)s order that waits for it is retried now.",
            "%(num)s orders that wait for it are retried now.",
            waiting,
        )
    flash(text, "success")
    if delivery_id is not None:
        return redirect(url_for("deliveries.show", delivery_id=delivery_id, **list_filters(request.args)))
    return redirect(url_for("tables.show", account=account, table=table))


@blueprint.post("/<account>/<table>/remove")
def remove_row(account: str, table: str) -> Response:
    key = read_text(request.form, "key") or ""
    try:
        removed = tables.remove_row(
            get_runtime(), account, table, key=key, actor=current_actor(), note=read_note(request.form)
        )
        flash(_("Row “%(key)s” is removed.", key=removed.key), "success")
    except NotFoundError:  # somebody else removed it
        find_table(get_runtime().settings, account, table)
        flash(_("There is no such row any more."), "error")
    return redirect(url_for("tables.show", account=account, table=table))


def show_again(account: str, table: str, sent: SentRow, errors: list[str], delivery_id: int | None) -> str:
    """Show the page with the form again, with what was sent and why it is refused."""
    runtime = get_runtime()
    if delivery_id is not None:
        delivery = load_delivery(runtime.database, delivery_id)
        context = delivery_context(runtime, delivery, request.args)
        context["row_forms"] = build_missing_row_forms(runtime, delivery, sent={table: sent}, errors=errors)
        return render_template("delivery.html", delivery=delivery, **context)
    view = tables.load_table(runtime, account, table)
    form = build_row_form(runtime.settings, account, table, sent=sent, errors=errors)
    return render_table(view, view.rows[:PAGE_SIZE], form=form)


def render_table(
    view: TableView, rows: list[TableRowView], *, start: int = 0, term: str | None = None, form: RowForm | None = None
) -> str:
    settings = get_runtime().settings

    def change_form(row: TableRowView) -> RowForm:
        cells = row.value if view.field.is_nested else {"value": format_value(row.value)}
        return build_row_form(settings, view.account, view.table, keys=[row.key], cells=cells)

    page = start // PAGE_SIZE + 1
    return render_template(
        "table.html",
        view=view,
        rows=[(row, change_form(row)) for row in rows],
        form=form or build_row_form(settings, view.account, view.table),
        term=term,
        previous_page=page - 1 if start else None,
        next_page=page + 1 if term is None and len(view.rows) > start + PAGE_SIZE else None,
    )
