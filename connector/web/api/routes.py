"""`/api`: events, deliveries, jobs, accounts and stores. It calls the same functions as the command line."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from flask import Response

from connector.database.audit import Subject, record_view
from connector.database.jobs import JobPlan, JobRequest, list_jobs, load_job
from connector.database.models import Circuit, Delivery, Event, Job, JobAction, PrivacyRequest, State
from connector.database.queries.deliveries import DeliveryFilter, list_deliveries, load_delivery
from connector.database.queries.events import EventFilter, list_events, load_event
from connector.database.remote_ids import RemoteId
from connector.database.stats.gauges import count_open
from connector.delivery.preview import Preview, preview
from connector.operations import actions, jobs
from connector.operations.store_status import StoreStatus, load_store_status, load_store_statuses
from connector.runtime import Runtime
from connector.serializers.accounts import NO_DELIVERIES, AccountSchema, account_status, load_accounts
from connector.serializers.deliveries import DeliveryDetail, DeliveryDetailSchema, DeliverySchema, load_delivery_detail
from connector.serializers.events import EventDetail, EventSchema, load_event_details
from connector.serializers.jobs import JobDetail, JobDetailSchema, JobPlanSchema, JobSchema, load_job_detail
from connector.serializers.previews import PreviewSchema
from connector.serializers.stores import StoreStatusSchema
from connector.web.api.authorization import authorize, current_actor, current_reader
from connector.web.api.blueprint import TOKEN_SECURITY, VIEWER, ApiBlueprint, row_id_parameter
from connector.web.api.idempotency import REPLAYED_HEADERS, run_idempotent
from connector.web.api.requests import (
    DeliveryQuerySchema,
    EmptyBodySchema,
    EventQuerySchema,
    IdempotencyHeaderSchema,
    JobBodySchema,
    NoteBodySchema,
    PageQuerySchema,
    ResolveBodySchema,
    RetryDeliveryBodySchema,
    RetryEventBodySchema,
)
from connector.web.api.responses import (
    AccountListSchema,
    DeliveryPageSchema,
    EventPageSchema,
    EventRetryResultSchema,
    JobPageSchema,
    StoreListSchema,
)
from connector.web.context import get_runtime
from connector.web.row_ids import parse_id

blueprint = ApiBlueprint(
    "api",
    __name__,
    url_prefix="/api",
    description="What was received, what became of it, and operator actions.",
    security=TOKEN_SECURITY,
)
blueprint.before_request(authorize)

JsonObject = dict[str, Any]
Row = TypeVar("Row", Event, Delivery, Job, PrivacyRequest)

EVENT_ID, DELIVERY_ID, JOB_ID = map(row_id_parameter, ("event_id", "delivery_id", "job_id"))


@blueprint.get("/events")
@blueprint.arguments(EventQuerySchema, location="query")
@blueprint.response(200, EventPageSchema)
@blueprint.operation(role=VIEWER)
def get_events(query: JsonObject) -> JsonObject:
    """List webhooks, newest first."""
    rows, next_cursor = load_page(list_events, query, EventFilter)
    return {"items": load_event_details(get_runtime(), rows), "next": next_cursor}


@blueprint.get("/events/<event_id>", parameters=[EVENT_ID])
@blueprint.response(200, EventSchema)
@blueprint.operation(role=VIEWER, errors=(404,))
def get_event(event_id: str) -> EventDetail:
    """Return one webhook."""
    runtime = get_runtime()
    [detail] = load_event_details(runtime, [load_event(runtime.database, parse_id(event_id))])
    return detail


@blueprint.post("/events/<event_id>/retrigger", parameters=[EVENT_ID])
@blueprint.arguments(RetryEventBodySchema, required=False)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(202, EventRetryResultSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 422))
def post_event_retrigger(body: JsonObject, headers: JsonObject, event_id: str) -> Response:
    """Create the deliveries that the current routes call for, and queue the parked ones again.

    `uncertain` deliveries, and those that are neither parked nor waiting, are skipped, each with the reason. `force`
    queues them too: check the destination first.
    """
    runtime, id_ = get_runtime(), parse_id(event_id)
    return run_idempotent(
        202,
        headers,
        body,
        lambda idempotency: actions.retrigger_event(
            runtime, id_, actor=current_actor(), **body, idempotency=idempotency
        ),
        lambda results: EventRetryResultSchema().dump({"deliveries": results}),
    )


@blueprint.get("/deliveries")
@blueprint.arguments(DeliveryQuerySchema, location="query")
@blueprint.response(200, DeliveryPageSchema)
@blueprint.operation(role=VIEWER)
def get_deliveries(query: JsonObject) -> JsonObject:
    """List deliveries, newest first."""
    rows, next_cursor = load_page(list_deliveries, query, DeliveryFilter)
    return {"items": rows, "next": next_cursor}


@blueprint.get("/deliveries/<delivery_id>", parameters=[DELIVERY_ID])
@blueprint.response(200, DeliveryDetailSchema)
@blueprint.operation(role=VIEWER, errors=(404,))
def get_delivery(delivery_id: str) -> DeliveryDetail:
    """Return one delivery with its body, attempts and notes."""
    runtime = get_runtime()
    delivery = load_delivery(runtime.database, parse_id(delivery_id))
    record_view(runtime.database, current_reader(), Subject.of(delivery))
    return load_delivery_detail(runtime, delivery)


@blueprint.post("/deliveries/<delivery_id>/retrigger", parameters=[DELIVERY_ID])
@blueprint.arguments(RetryDeliveryBodySchema, required=False)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(202, DeliverySchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 409, 422))
def post_delivery_retrigger(body: JsonObject, headers: JsonObject, delivery_id: str) -> Response:
    """Queue one delivery again.

    409 while it is being sent. 409 also if it is delivered, discarded or uncertain, unless `force` confirms that the
    destination was checked; `looked` confirms it for an uncertain one, and for one that is held since the database was
    restored from a backup, and still keeps to the routes and to the state of the order. `new_key`, with `force`,
    confirms that no earlier attempt was processed; the destination must support idempotency keys.
    """
    runtime, id_ = get_runtime(), parse_id(delivery_id)
    return run_idempotent(
        202,
        headers,
        body,
        lambda idempotency: actions.retrigger_delivery(
            runtime, id_, actor=current_actor(), **body, idempotency=idempotency
        ),
        DeliverySchema().dump,
    )


@blueprint.post("/deliveries/<delivery_id>/preview", parameters=[DELIVERY_ID])
@blueprint.arguments(EmptyBodySchema, required=False)
@blueprint.response(200, PreviewSchema)
@blueprint.operation(role=VIEWER, errors=(404, 502))
def post_delivery_preview(_body: JsonObject, delivery_id: str) -> Preview:
    """Map a delivery with the current settings, and return the body and the origin of each field.

    Nothing is sent or changed. If the webhook holds no order, the order is fetched from the store's API; 502 if that
    fails.
    """
    runtime, id_ = get_runtime(), parse_id(delivery_id)
    record_view(runtime.database, current_reader(), Subject.of(load_delivery(runtime.database, id_)))
    return preview(runtime, id_)


@blueprint.post("/deliveries/<delivery_id>/resolve", parameters=[DELIVERY_ID])
@blueprint.arguments(ResolveBodySchema)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(200, DeliverySchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 409, 422))
def post_delivery_resolve(body: JsonObject, headers: JsonObject, delivery_id: str) -> Response:
    """Mark a parked delivery as delivered or discarded.

    `remote_id` is allowed with `delivered` only. A waiting delivery can be discarded too; 409 in any other state.
    """
    runtime, id_ = get_runtime(), parse_id(delivery_id)
    return run_idempotent(
        200,
        headers,
        body,
        lambda idempotency: actions.resolve_delivery(
            runtime, id_, actor=current_actor(), **body, idempotency=idempotency
        ),
        DeliverySchema().dump,
    )


@blueprint.post("/jobs")
@blueprint.arguments(JobBodySchema, required=False)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(202, JobSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(409, 422))
def post_jobs(body: JsonObject, headers: JsonObject) -> Response:
    """Start a job that retriggers, discards or marks as delivered many deliveries.

    Acts on the deliveries that match the filters and are `parked` (the default) or `waiting`, or on those in `ids`, in
    any state. The job acts on each delivery like a single action, and skips those whose state does not allow it, with
    the reason. The worker runs the job; `GET /api/jobs/<id>` returns its progress and results. `POST /api/job-preview`
    returns what it would do. 409 if a line of `remote_ids` does not match exactly one of the orders; then nothing is
    done.
    """
    runtime, delivery_filter, request = get_runtime(), *read_job(body)
    return run_idempotent(
        202,
        headers,
        body,
        lambda idempotency: jobs.start_job(runtime, delivery_filter, request, idempotency=idempotency),
        JobSchema().dump,
    )


@blueprint.post("/job-preview")
@blueprint.arguments(JobBodySchema, required=False)
@blueprint.response(200, JobPlanSchema)
@blueprint.operation(errors=(409,), role=VIEWER)
def post_jobs_preview(body: JsonObject) -> JobPlan:
    """Return what a job would do now: on how many deliveries it would act, how many it would leave, and why."""
    return jobs.plan_job(get_runtime(), *read_job(body))


@blueprint.get("/jobs")
@blueprint.arguments(PageQuerySchema, location="query")
@blueprint.response(200, JobPageSchema)
@blueprint.operation(role=VIEWER)
def get_jobs(query: JsonObject) -> JsonObject:
    """List jobs, newest first."""
    rows, next_cursor = load_page(list_jobs, query)
    return {"items": rows, "next": next_cursor}


@blueprint.get("/jobs/<job_id>", parameters=[JOB_ID])
@blueprint.response(200, JobDetailSchema)
@blueprint.operation(role=VIEWER, errors=(404,))
def get_job(job_id: str) -> JobDetail:
    """Return a job's progress, its results, and what it skipped and why."""
    runtime = get_runtime()
    return load_job_detail(runtime, load_job(runtime.database, parse_id(job_id)))


@blueprint.post("/jobs/<job_id>/cancel", parameters=[JOB_ID])
@blueprint.arguments(NoteBodySchema, required=False)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(200, JobSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 409, 422))
def post_job_cancel(body: JsonObject, headers: JsonObject, job_id: str) -> Response:
    """Stop a job, without undoing anything; 409 if it has finished."""
    return change_job(jobs.stop_job, body, headers, job_id)


@blueprint.post("/jobs/<job_id>/resume", parameters=[JOB_ID])
@blueprint.arguments(NoteBodySchema, required=False)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(200, JobSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 409, 422))
def post_job_resume(body: JsonObject, headers: JsonObject, job_id: str) -> Response:
    """Continue a stopped job where it stopped; 409 if it has finished."""
    return change_job(jobs.resume_job, body, headers, job_id)


def read_job(body: JsonObject) -> tuple[DeliveryFilter, JobRequest]:
    """Return which deliveries a body selects, and what to do with them."""
    options = {name: body[name] for name in ("force", "looked", "note", "others_without_id") if name in body}
    filters = {name: value for name, value in body.items() if name not in {"action", "remote_ids", *options}}
    remote_ids = [
        RemoteId(line=number, order=item["order"].strip(), remote_id=item["remote_id"].strip())
        for number, item in enumerate(body.get("remote_ids", []), start=1)
    ]
    if "ids" in filters:
        filters["ids"] = tuple(filters["ids"])
    else:
        filters.setdefault("state", State.PARKED)
    action = JobAction(body.get("action", JobAction.RETRIGGER))
    request = JobRequest(action=action, actor=current_actor(), remote_ids=remote_ids, **options)
    return DeliveryFilter(**filters), request


def change_job(change: Callable[..., Job], body: JsonObject, headers: JsonObject, job_id: str) -> Response:
    runtime, id_ = get_runtime(), parse_id(job_id)
    return run_idempotent(
        200,
        headers,
        body,
        lambda idempotency: change(runtime, id_, actor=current_actor(), **body, idempotency=idempotency),
        JobSchema().dump,
    )


@blueprint.get("/accounts")
@blueprint.response(200, AccountListSchema)
@blueprint.operation(role=VIEWER)
def get_accounts() -> JsonObject:
    """List the accounts: status of each, the reason if it is not sending, and its number of open deliveries."""
    return {"items": load_accounts(get_runtime())}


@blueprint.post("/accounts/<account>/pause")
@blueprint.arguments(NoteBodySchema, required=False)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(200, AccountSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 422))
def post_account_pause(body: JsonObject, headers: JsonObject, account: str) -> Response:
    """Stop sending to an account until it is resumed. Its deliveries wait."""
    runtime = get_runtime()
    return run_idempotent(
        200,
        headers,
        body,
        lambda idempotency: actions.pause_account(
            runtime, account, actor=current_actor(), **body, idempotency=idempotency
        ),
        account_serializer(runtime, account),
    )


@blueprint.post("/accounts/<account>/resume")
@blueprint.arguments(EmptyBodySchema, required=False)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(200, AccountSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 422))
def post_account_resume(body: JsonObject, headers: JsonObject, account: str) -> Response:
    """Resume sending to an account, clearing any pause or open circuit."""
    runtime = get_runtime()
    return run_idempotent(
        200,
        headers,
        body,
        lambda idempotency: actions.resume_account(runtime, account, actor=current_actor(), idempotency=idempotency),
        account_serializer(runtime, account),
    )


@blueprint.get("/stores")
@blueprint.response(200, StoreListSchema)
@blueprint.operation(role=VIEWER)
def get_stores() -> JsonObject:
    """List the stores: their webhooks, their APIs and catch-up."""
    return {"items": load_store_statuses(get_runtime())}


@blueprint.get("/stores/<store>")
@blueprint.response(200, StoreStatusSchema)
@blueprint.operation(role=VIEWER, errors=(404,))
def get_store(store: str) -> StoreStatus:
    """Return the state of one store. `store` is the name in its webhooks' address."""
    return load_store_status(get_runtime(), store)


@blueprint.post("/stores/<store>/catch-up")
@blueprint.arguments(NoteBodySchema, required=False)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(202, StoreStatusSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 409, 422))
def post_store_catch_up(body: JsonObject, headers: JsonObject, store: str) -> Response:
    """Ask the worker to read the store's orders now, and to record those whose webhook did not arrive.

    `catch_up.requested_at` is set until the reading begins. 409 if the settings give no access to the store's API.
    """
    runtime = get_runtime()
    status = load_store_status(runtime, store)
    return run_idempotent(
        202,
        headers,
        body,
        lambda idempotency: actions.request_catch_up(
            runtime, store, actor=current_actor(), **body, idempotency=idempotency
        ),
        lambda reading: StoreStatusSchema().dump(replace(status, reading=reading)),
    )


@blueprint.post("/stores/<store>/webhooks/sync")
@blueprint.arguments(NoteBodySchema, required=False)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(202, StoreStatusSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 409, 422))
def post_store_webhooks_sync(body: JsonObject, headers: JsonObject, store: str) -> Response:
    """Have the worker create the store's webhooks that lack, and repair those that are disabled.

    `webhooks.requested_at` is set until that begins. 409 if the settings give no access to the store's API, or
    `public_url` is not set.
    """
    runtime = get_runtime()
    status = load_store_status(runtime, store)
    return run_idempotent(
        202,
        headers,
        body,
        lambda idempotency: actions.request_webhook_sync(
            runtime, store, actor=current_actor(), **body, idempotency=idempotency
        ),
        lambda webhooks: StoreStatusSchema().dump(replace(status, webhooks=webhooks)),
    )


@blueprint.post("/stores/<store>/resume")
@blueprint.arguments(NoteBodySchema, required=False)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(200, StoreStatusSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 422))
def post_store_resume(body: JsonObject, headers: JsonObject, store: str) -> Response:
    """Call a store's API again after its app was uninstalled or suspended, and queue the orders that were held."""
    runtime = get_runtime()
    status = load_store_status(runtime, store)
    return run_idempotent(
        200,
        headers,
        body,
        lambda idempotency: actions.resume_store(
            runtime, store, actor=current_actor(), **body, idempotency=idempotency
        ),
        lambda _: StoreStatusSchema().dump(replace(status, stop=None)),
    )


def account_serializer(runtime: Runtime, account: str) -> Callable[[Circuit], Any]:
    """Count the account's deliveries now: the returned function runs in a transaction and must not open another."""
    counts = count_open(runtime.database).get(account, NO_DELIVERIES)
    return lambda circuit: AccountSchema().dump(account_status(runtime.settings.accounts[account], circuit, counts))


def load_page(
    list_rows: Callable[..., list[Row]], query: JsonObject, build_filter: Callable[..., Any] | None = None
) -> tuple[list[Row], str | None]:
    """Return the rows of a page, and the cursor of the next one if there are more rows."""
    filters = dict(query)
    limit, before_id = filters.pop("limit"), filters.pop("before", None)
    row_filter = [build_filter(**filters)] if build_filter else []
    rows = list_rows(get_runtime().database, *row_filter, before_id=before_id, limit=limit + 1)
    page = rows[:limit]
    return page, str(page[-1].id) if len(rows) > limit else None
