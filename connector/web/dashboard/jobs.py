"""Jobs: one action on many deliveries. The form with its dry run, the list, and what came of each."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from connector.core.exceptions import ConflictError
from connector.database.jobs import JobRequest, list_actionable_ids, list_jobs, load_job
from connector.database.models import JobAction, State
from connector.database.queries.deliveries import DeliveryFilter
from connector.database.queries.job_results import MAX_PARKED, load_job_results
from connector.delivery.mapping_check import MAX_CHECKED, check_mapping
from connector.operations import jobs
from connector.runtime import Runtime
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor
from connector.web.dashboard.available_actions import require_confirmation
from connector.web.dashboard.blocked_accounts import find_account_blocks
from connector.web.dashboard.causes import describe_cause
from connector.web.dashboard.deliveries import find_page, parse_search
from connector.web.dashboard.forms import PAGE_SIZE, InvalidFormError, read_choice, read_note, read_row_id, read_text
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.list_filters import FILTERS, list_filters
from connector.web.row_ids import parse_id

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")


@blueprint.get("")
def index() -> str:
    rows = list_jobs(get_runtime().database, before_id=read_row_id(request.args, "before"), limit=PAGE_SIZE + 1)
    older_url = url_for("jobs.index", before=rows[PAGE_SIZE - 1].id) if len(rows) > PAGE_SIZE else None
    return render_template("jobs.html", jobs=rows[:PAGE_SIZE], older_url=older_url)


@blueprint.get("/new")
def show_form() -> str | Response:
    """Show what each action would do to the selected deliveries, or to all that match the filters."""
    runtime, delivery_filter = get_runtime(), read_selection(request.args)
    if delivery_filter is None:
        flash(_("Select at least one delivery."), "error")
        return redirect(url_for("deliveries.index", **list_filters(request.args)))
    actor = current_actor()
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
        parameters=selection_parameters(request.args),
        mapping_url=f"{url_for('jobs.show_mapping')}?{request.query_string.decode()}",
        **selection_context(request.args),
    )


@blueprint.get("/new/mapping")
def show_mapping() -> str:
    """Show how many of the deliveries could be sent now. It maps up to `MAX_CHECKED`, so the form loads it after."""
    runtime, delivery_filter = get_runtime(), read_selection(request.args)
    job_request = JobRequest(action=JobAction.RETRIGGER, actor=current_actor())
    ids = list_actionable_ids(runtime.database, delivery_filter, job_request) if delivery_filter else []
    return render_template("job_mapping.html", check=check_mapping(runtime, ids), max_checked=MAX_CHECKED)


@blueprint.post("")
def start() -> Response:
    runtime = get_runtime()
    action = JobAction(read_choice(request.form, "action", list(JobAction)) or JobAction.RETRIGGER)
    looked = read_text(request.form, "looked") == "yes"
    note = read_note(request.form, is_required=looked or action != JobAction.RETRIGGER)
    if action == JobAction.MARK_DELIVERED:
        require_confirmation(request.form, "without_id")
    delivery_filter = read_selection(request.form)
    if delivery_filter is None:
        raise InvalidFormError(_("Select at least one delivery."))
    job = jobs.start_job(
        runtime, delivery_filter, JobRequest(action=action, actor=current_actor(), note=note, looked=looked)
    )
    return redirect(url_for("jobs.show", job_id=job.id, **list_filters(request.form)))


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
