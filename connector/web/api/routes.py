"""`/api`: events, deliveries and the manual re-trigger, through the same functions as the command line."""

import hmac
import json
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app, jsonify, request

from connector.database.bulk_retries import list_jobs, load_job
from connector.database.idempotency import AlreadyProcessedError, IdempotentRequest
from connector.database.models import Circuit, Delivery, Event, Job, State
from connector.database.queries.deliveries import DeliveryFilter, list_deliveries, load_delivery
from connector.database.queries.events import EventFilter, list_events, load_event
from connector.database.stats.gauges import count_open
from connector.delivery.preview import preview
from connector.operations import actions
from connector.runtime import Runtime
from connector.web.api import requests, responses
from connector.web.api.idempotency import IDEMPOTENCY_HEADER, digest_request, parse_key
from connector.web.api.operation import Operation, documented
from connector.web.api.requests import load_body, load_query, parse_id
from connector.web.api.responses import (
    serialize_account,
    serialize_accounts,
    serialize_delivery,
    serialize_delivery_detail,
    serialize_events,
    serialize_job,
    serialize_preview,
)
from connector.web.errors import problem_response

blueprint = Blueprint("api", __name__, url_prefix="/api")

#: Whose acts they are, as the notes tell them: one token, one person.
API_ACTOR = "api"

Row = TypeVar("Row", Event, Delivery, Job)
Result = TypeVar("Result")

EVENT_QUERY_SCHEMA, DELIVERY_QUERY_SCHEMA, PAGE_QUERY_SCHEMA = (
    requests.EventQuerySchema(),
    requests.DeliveryQuerySchema(),
    requests.PageQuerySchema(),
)
RETRY_EVENT_BODY_SCHEMA, RETRY_DELIVERY_BODY_SCHEMA = (
    requests.RetryEventBodySchema(),
    requests.RetryDeliveryBodySchema(),
)
RESOLVE_BODY_SCHEMA, BULK_RETRY_BODY_SCHEMA, NOTE_BODY_SCHEMA, EMPTY_BODY_SCHEMA = (
    requests.ResolveBodySchema(),
    requests.BulkRetryBodySchema(),
    requests.NoteBodySchema(),
    requests.EmptyBodySchema(),
)


def get_runtime() -> Runtime:
    runtime: Runtime = current_app.extensions["runtime"]
    return runtime


@blueprint.before_request
def authorize() -> Response | None:
    token = get_runtime().settings.environment.admin_token
    if token is None:
        return problem_response(404, "the API is off: no ADMIN_TOKEN is set")
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(credentials.strip().encode(), token.encode()):
        return problem_response(401, "a Bearer of ADMIN_TOKEN is needed", {"WWW-Authenticate": "Bearer"})
    return None


@blueprint.get("/events")
@documented(Operation(query=EVENT_QUERY_SCHEMA, responses={200: responses.EventPageSchema()}))
def get_events() -> Response:
    """List webhooks, newest first."""
    filters = load_query(EVENT_QUERY_SCHEMA)
    limit, before_id = filters.pop("limit"), filters.pop("before", None)
    rows = list_events(get_runtime().database, EventFilter(**filters), before_id=before_id, limit=limit + 1)
    return page_response(rows, limit, lambda events: serialize_events(get_runtime(), events))


@blueprint.get("/events/<event_id>")
@documented(Operation(responses={200: responses.EVENT_SCHEMA}, error_statuses=(404,)))
def get_event(event_id: str) -> Response:
    """Show one webhook."""
    event = load_event(get_runtime().database, parse_id(event_id))
    return jsonify(serialize_events(get_runtime(), [event])[0])


@blueprint.post("/events/<event_id>/retrigger")
@documented(
    Operation(
        body=RETRY_EVENT_BODY_SCHEMA,
        is_mutation=True,
        responses={202: responses.EventRetryResultSchema()},
        error_statuses=(404,),
    )
)
def post_event_retrigger(event_id: str) -> Response:
    """Make every delivery that the routes want of it now, and queue what is parked but `uncertain`.

    The rest is left, each with why. `force` queues that too: look at the destination first.
    """
    body = load_body(RETRY_EVENT_BODY_SCHEMA)
    runtime, id_ = get_runtime(), parse_id(event_id)
    return run_idempotent(
        202,
        body,
        lambda idempotent_request: actions.retrigger_event(
            runtime, id_, actor=API_ACTOR, **body, idempotency=idempotent_request
        ),
        responses.serialize_retry_results,
    )


@blueprint.get("/deliveries")
@documented(Operation(query=DELIVERY_QUERY_SCHEMA, responses={200: responses.DeliveryPageSchema()}))
def get_deliveries() -> Response:
    """List deliveries, newest first."""
    filters = load_query(DELIVERY_QUERY_SCHEMA)
    limit, before_id = filters.pop("limit"), filters.pop("before", None)
    rows = list_deliveries(get_runtime().database, DeliveryFilter(**filters), before_id=before_id, limit=limit + 1)
    return page_response(rows, limit, lambda deliveries: [serialize_delivery(delivery) for delivery in deliveries])


@blueprint.get("/deliveries/<delivery_id>")
@documented(Operation(responses={200: responses.DELIVERY_DETAIL_SCHEMA}, error_statuses=(404,)))
def get_delivery(delivery_id: str) -> Response:
    """Show one delivery with its body, its attempts and its notes."""
    delivery = load_delivery(get_runtime().database, parse_id(delivery_id))
    return jsonify(serialize_delivery_detail(get_runtime(), delivery))


@blueprint.post("/deliveries/<delivery_id>/retrigger")
@documented(
    Operation(
        body=RETRY_DELIVERY_BODY_SCHEMA,
        is_mutation=True,
        responses={202: responses.DELIVERY_SCHEMA},
        error_statuses=(404, 409),
    )
)
def post_delivery_retrigger(delivery_id: str) -> Response:
    """Queue one delivery again.

    409 while it is being sent; and on what is delivered, discarded or uncertain, unless `force` says that somebody
    looked. `new_key` goes with `force` where the destination takes a key: no earlier attempt was processed.
    """
    body = load_body(RETRY_DELIVERY_BODY_SCHEMA)
    runtime, id_ = get_runtime(), parse_id(delivery_id)
    return run_idempotent(
        202,
        body,
        lambda idempotent_request: actions.retrigger_delivery(
            runtime, id_, actor=API_ACTOR, **body, idempotency=idempotent_request
        ),
        serialize_delivery,
    )


@blueprint.post("/deliveries/<delivery_id>/preview")
@documented(Operation(body=EMPTY_BODY_SCHEMA, responses={200: responses.PREVIEW_SCHEMA}, error_statuses=(404, 502)))
def post_delivery_preview(delivery_id: str) -> Response:
    """Tell what a delivery would become with the settings of now, and where each field comes from.

    Nothing is sent, and nothing changes. An order that its webhook only names is fetched from the store; 502 where it
    is not to be had.
    """
    load_body(EMPTY_BODY_SCHEMA)
    return jsonify(serialize_preview(preview(get_runtime(), parse_id(delivery_id))))


@blueprint.post("/deliveries/<delivery_id>/resolve")
@documented(
    Operation(
        body=RESOLVE_BODY_SCHEMA,
        requires_body=True,
        is_mutation=True,
        responses={200: responses.DELIVERY_SCHEMA},
        error_statuses=(404, 409),
    )
)
def post_delivery_resolve(delivery_id: str) -> Response:
    """Settle a parked delivery by your word.

    `remote_id` goes with `delivered`. What is waiting can be discarded too; 409 on anything else.
    """
    body = load_body(RESOLVE_BODY_SCHEMA)
    runtime, id_ = get_runtime(), parse_id(delivery_id)
    return run_idempotent(
        200,
        body,
        lambda idempotent_request: actions.resolve_delivery(
            runtime, id_, actor=API_ACTOR, **body, idempotency=idempotent_request
        ),
        serialize_delivery,
    )


@blueprint.post("/retriggers")
@documented(Operation(body=BULK_RETRY_BODY_SCHEMA, is_mutation=True, responses={202: responses.JOB_SCHEMA}))
def post_retriggers() -> Response:
    """Start a job that retriggers many deliveries, each as it would be alone.

    It takes what is `parked`, or `waiting` if `state` says so, and passes the other filters; or the deliveries of
    `ids`, whatever their state. What is uncertain is left, as is what has ended. `force` takes that too, and needs
    `ids`: look at each first. The forwarder works the job off; `GET /api/retriggers/<id>` tells how far it is.
    """
    body = load_body(BULK_RETRY_BODY_SCHEMA)
    options = {name: body[name] for name in ("force", "note") if name in body}
    filters = {name: value for name, value in body.items() if name not in options}
    if "ids" in filters:
        filters["ids"] = tuple(filters["ids"])
    else:
        filters.setdefault("state", State.PARKED)
    runtime, delivery_filter = get_runtime(), DeliveryFilter(**filters)
    return run_idempotent(
        202,
        body,
        lambda idempotent_request: actions.start_bulk_retry(
            runtime, delivery_filter, actor=API_ACTOR, **options, idempotency=idempotent_request
        ),
        serialize_job,
    )


@blueprint.get("/retriggers")
@documented(Operation(query=PAGE_QUERY_SCHEMA, responses={200: responses.JobPageSchema()}))
def get_retriggers() -> Response:
    """List the jobs that retrigger many, newest first."""
    filters = load_query(PAGE_QUERY_SCHEMA)
    limit = filters.pop("limit")
    rows = list_jobs(get_runtime().database, limit=limit + 1, **filters)
    return page_response(rows, limit, lambda jobs: [serialize_job(job) for job in jobs])


@blueprint.get("/retriggers/<job_id>")
@documented(Operation(responses={200: responses.JOB_SCHEMA}, error_statuses=(404,)))
def get_retrigger(job_id: str) -> Response:
    """Tell how far a job is, and what it left and why."""
    return jsonify(serialize_job(load_job(get_runtime().database, parse_id(job_id))))


@blueprint.post("/retriggers/<job_id>/cancel")
@documented(
    Operation(
        body=EMPTY_BODY_SCHEMA, is_mutation=True, responses={200: responses.JOB_SCHEMA}, error_statuses=(404, 409)
    )
)
def post_retrigger_cancel(job_id: str) -> Response:
    """Let a job queue nothing more. What it has queued stays queued; 409 when it has finished."""
    body = load_body(EMPTY_BODY_SCHEMA)
    runtime, id_ = get_runtime(), parse_id(job_id)
    return run_idempotent(
        200,
        body,
        lambda idempotent_request: actions.cancel_bulk_retry(
            runtime, id_, actor=API_ACTOR, idempotency=idempotent_request
        ),
        serialize_job,
    )


@blueprint.get("/accounts")
@documented(Operation(responses={200: responses.AccountListSchema()}))
def get_accounts() -> Response:
    """List the accounts: whether each takes orders at present, why not, and how many lie there."""
    return jsonify(items=serialize_accounts(get_runtime()))


@blueprint.post("/accounts/<account>/pause")
@documented(
    Operation(body=NOTE_BODY_SCHEMA, is_mutation=True, responses={200: responses.ACCOUNT_SCHEMA}, error_statuses=(404,))
)
def post_account_pause(account: str) -> Response:
    """Send an account nothing more until it is resumed. Its orders wait."""
    body = load_body(NOTE_BODY_SCHEMA)
    runtime = get_runtime()
    return run_idempotent(
        200,
        body,
        lambda idempotent_request: actions.pause_account(
            runtime, account, actor=API_ACTOR, **body, idempotency=idempotent_request
        ),
        account_serializer(runtime, account),
    )


@blueprint.post("/accounts/<account>/resume")
@documented(
    Operation(
        body=EMPTY_BODY_SCHEMA, is_mutation=True, responses={200: responses.ACCOUNT_SCHEMA}, error_statuses=(404,)
    )
)
def post_account_resume(account: str) -> Response:
    """Send to an account again at once, be it paused or its circuit open."""
    body = load_body(EMPTY_BODY_SCHEMA)
    runtime = get_runtime()
    return run_idempotent(
        200,
        body,
        lambda idempotent_request: actions.resume_account(
            runtime, account, actor=API_ACTOR, idempotency=idempotent_request
        ),
        account_serializer(runtime, account),
    )


def account_serializer(runtime: Runtime, account: str) -> Callable[[Circuit], dict[str, Any]]:
    """What is counted is counted first: the answer is made while the act has the database."""
    counts = count_open(runtime.database).get(account, responses.NO_DELIVERIES)
    return lambda circuit: serialize_account(runtime.settings.accounts[account], circuit, counts)


def run_idempotent(
    status: int,
    body: dict[str, Any],
    action: Callable[[IdempotentRequest | None], Result],
    serialize: Callable[[Result], dict[str, Any]],
) -> Response:
    """Do it and answer; with an `Idempotency-Key` that came before, answer as then, and do nothing."""

    def render_result(result: Result) -> tuple[int, str]:
        return status, json.dumps(serialize(result))

    idempotent_request = None
    if (key := parse_key(request.headers.get(IDEMPOTENCY_HEADER))) is not None:
        idempotent_request = IdempotentRequest(
            key=key, request_digest=digest_request(request.method, request.path, body), build_response=render_result
        )
    try:
        return json_response(*render_result(action(idempotent_request)))
    except AlreadyProcessedError as earlier_response:
        return json_response(earlier_response.status, earlier_response.body, {"Idempotency-Replayed": "true"})


def json_response(status: int, body: str, headers: dict[str, str] | None = None) -> Response:
    return Response(f"{body}\n", status, headers, content_type="application/json")


def page_response(rows: list[Row], limit: int, serialize: Callable[[list[Row]], list[Any]]) -> Response:
    """Of `limit + 1` rows asked for, show `limit`; where there was one more, say where the next page begins."""
    page_rows = rows[:limit]
    return jsonify(items=serialize(page_rows), next=str(page_rows[-1].id) if len(rows) > limit else None)
