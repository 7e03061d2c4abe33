"""Jobs: one action on many deliveries. The form with its dry run, the list, and the results."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from connector.core.exceptions import ConflictError
from connector.database.jobs import JobRequest, list_actionable_ids, list_jobs, load_job
from connector.database.models import JobAction, State
from connector.database.queries.deliveries import DeliveryFilter
from connector.database.queries.job_results import MAX_PARKED, load_job_results
from connector.database.remote_ids import InvalidRemoteIdsError
from connector.delivery.mapping_check import MAX_CHECKED, check_mapping
from connector.operations import jobs
from connector.operations.remote_ids import decode_file, parse_remote_ids
from connector.runtime import Runtime
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor
from connector.web.dashboard.blocked_accounts import find_account_blocks
from connector.web.dashboard.causes import describe_cause
from connector.web.dashboard.deliveries import find_page, parse_search
from connector.web.dashboard.forms import PAGE_SIZE, InvalidFormError, read_choice, read_note, read_row_id, read_text
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import ngettext, translate_problem
from connector.web.dashboard.list_filters import FILTERS, list_filters
from connector.web.row_ids import parse_id

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")

#: Refused lines that the form lists; it counts the others.
MAX_ERRORS = 20


@blueprint.get("")
def index() -> str:
    rows = list_jobs(get_runtime().database, before_id=read_row_id(request.args, "before"), limit=PAGE_SIZE + 1)
    older_url = url_for("jobs.index", before=rows[PAGE_SIZE - 1].id) if len(rows) > PAGE_SIZE else None
    return render_template("jobs.html", jobs=rows[:PAGE_SIZE], older_url=older_url)


@blueprint.get("/new")
def show_form() -> str | Response:
    """Show what each action would do to the selected deliveries, or to all that match the filters."""
    delivery_filter = read_selection(request.args)
    if delivery_filter is None:
        flash(_("Select at least one delivery."), "error")
        return redirect(url_for("deliveries.index", **list_filters(request.args)))
    return render_form(delivery_filter, request.args)


def render_form(
    delivery_filter: DeliveryFilter, values: MultiDict[str, str], *, remote_ids: str = "", errors: Sequence[str] = ()
) -> str:
    """Render the form.

    Args:
        values: the selection, and what was sent if it is refused.
        remote_ids: the lines that were sent and refused because of `errors`.
    """
    runtime, actor = get_runtime(), current_actor()
    plans = {
        action: jobs.plan_job(runtime, delivery_filter, JobRequest(action=action, actor=actor)) for action in JobAction
    }
    looked_plan = jobs.plan_job(
        runtime, delivery_filter, JobRequest(action=JobAction.RETRIGGER, actor=actor, looked=True)
    )
    return render_template(
        "job_form.html",
        plans=plans,
        uncertain_count=looked_plan.acted.total() - plans[JobAction.RETRIGGER].acted.total(),
        total=looked_plan.total,
        parameters=selection_parameters(values),
        mapping_url=f"{url_for('jobs.show_mapping')}?{urlencode(selection_parameters(values))}",
        remote_ids=remote_ids,
        errors=errors[:MAX_ERRORS],
        more_errors=len(errors[MAX_ERRORS:]),
        sent=values,
        **selection_context(values),
    )


@blueprint.get("/new/mapping")
def show_mapping() -> str:
    """Show how many of the deliveries could be sent now. It maps up to `MAX_CHECKED`, so the form loads it after."""
    runtime, delivery_filter = get_runtime(), read_selection(request.args)
    job_request = JobRequest(action=JobAction.RETRIGGER, actor=current_actor())
    ids = list_actionable_ids(runtime.database, delivery_filter, job_request) if delivery_filter else []
    return render_template("job_mapping.html", check=check_mapping(runtime, ids), max_checked=MAX_CHECKED)


@blueprint.post("")
def start() -> Response | tuple[str, int]:
    runtime = get_runtime()
    action = JobAction(read_choice(request.form, "action", list(JobAction)) or JobAction.RETRIGGER)
    looked = read_text(request.form, "looked") == "yes"
    note = read_note(request.form, is_required=looked or action != JobAction.RETRIGGER)
    delivery_filter = read_selection(request.form)
    if delivery_filter is None:
        raise InvalidFormError(_("Select at least one delivery."))
    job_request = JobRequest(action=action, actor=current_actor(), note=note, looked=looked)
    if action == JobAction.MARK_DELIVERED:
        return mark_delivered(runtime, delivery_filter, job_request)
    job = jobs.start_job(runtime, delivery_filter, job_request)
    return redirect(url_for("jobs.show", job_id=job.id, **list_filters(request.form)))


def mark_delivered(
    runtime: Runtime, delivery_filter: DeliveryFilter, job_request: JobRequest
) -> Response | tuple[str, int]:
    """Start the job with the ids that were entered, or show the form again if a line does not fit the orders."""
    text, without_id = read_remote_ids(), read_text(request.form, "without_id") == "yes"
    try:
        remote_ids = parse_remote_ids(text)
        if not remote_ids and not without_id:
            raise InvalidFormError(_("Enter the orders' IDs at the destination, or check that you do not have them."))
        job_request = replace(job_request, remote_ids=remote_ids, others_without_id=without_id)
        job = jobs.start_job(runtime, delivery_filter, job_request)
    except InvalidRemoteIdsError as error:
        errors = list(map(translate_problem, error.problems))
        return render_form(delivery_filter, request.form, remote_ids=text, errors=errors), 400
    if remote_ids:
        text = ngettext(
            "%(num)s ID at the destination is entered.", "%(num)s IDs at the destination are entered.", len(remote_ids)
        )
        flash(text, "success")
    return redirect(url_for("jobs.show", job_id=job.id, **list_filters(request.form)))


def read_remote_ids() -> str:
    """Return the lines that were pasted, and those of the file after them."""
    file = request.files.get("remote_ids_file")
    texts = [request.form.get("remote_ids", ""), decode_file(file.read()) if file else ""]
    return "\n".join(text.strip("\r\n") for text in texts if text.strip())


@blueprint.get("/<job_id>")
def show(job_id: str) -> str:
    runtime = get_runtime()
    job = load_job(runtime.database, parse_id(job_id))
    filters = list_filters(request.args) or {
        name: value for name, value in job.filters.items() if name in FILTERS and name not in ("since", "until")
    }
    results = load_job_results(runtime.database, job)
    return render_template(
        "job.html",
        job=job,
        results=results,
        parked=[(group, describe_cause(runtime, group)) for group in results.parked],
        parked_count=results.parked_count,
        max_parked=MAX_PARKED,
        waits_for=describe_blocks(runtime, results.waiting_accounts),
        back_url=url_for("deliveries.index", **filters),
        filters=filters,
    )


def describe_blocks(runtime: Runtime, accounts: Collection[str]) -> list[str]:
    """Say for which of these accounts orders wait, and why."""
    blocks = find_account_blocks(runtime)
    return [f"{account}: {blocks[account].summary}" for account in sorted(accounts) if account in blocks]


@blueprint.post("/<job_id>/stop")
def stop(job_id: str) -> Response:
    return change_job(jobs.stop_job, job_id)


@blueprint.post("/<job_id>/resume")
def resume(job_id: str) -> Response:
    return change_job(jobs.resume_job, job_id)


def change_job(change: Any, job_id: str) -> Response:
    try:
        change(get_runtime(), parse_id(job_id), actor=current_actor(), note=read_note(request.form))
    except ConflictError:
        flash(_("It has ended already."), "error")
    return redirect(url_for("jobs.show", job_id=job_id, **list_filters(request.form)))


def read_selection(values: MultiDict[str, str]) -> DeliveryFilter | None:
    """Return a filter for the selected deliveries, or for all that match the filters. None if none is selected.

    Raises `InvalidFormError`.
    """
    if values.get("choice") == "selected":
        ids = tuple(dict.fromkeys(parse_id(text) for text in values.getlist("id")))
        return DeliveryFilter(ids=ids) if ids else None
    return all_filter(get_runtime(), values)


def all_filter(runtime: Runtime, values: MultiDict[str, str]) -> DeliveryFilter | None:
    """Return a filter for everything that the list shows and that a job may change. Raises `InvalidFormError`."""
    delivery_filter, term = parse_search(runtime, values)
    if term is not None:
        page = find_page(runtime, delivery_filter, term, limit=jobs.MAX_IDS)
        ids = tuple(row.id for row in page.rows)
        return DeliveryFilter(ids=ids) if ids else None
    state = delivery_filter.state or State.PARKED
    if state not in jobs.BULK_STATES:
        raise InvalidFormError(_("Only parked and waiting orders can be changed together. Filter by one of these."))
    return replace(delivery_filter, state=state)


def selection_parameters(values: MultiDict[str, str]) -> list[tuple[str, str]]:
    """Return the hidden fields of the form."""
    ids = [("id", text) for text in values.getlist("id")] if values.get("choice") == "selected" else []
    return [("choice", values.get("choice", "all")), *list_filters(values).items(), *ids]


def selection_context(values: MultiDict[str, str]) -> dict[str, Any]:
    filters = list_filters(values)
    return {
        "filters": filters,
        "is_selection": values.get("choice") == "selected",
        "back_url": url_for("deliveries.index", **filters),
    }
