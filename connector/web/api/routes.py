"""`/api`: events, deliveries and the manual re-trigger, through the same functions as the command line."""

import hmac
import json
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app, jsonify, request

from connector.database.bulk_retries import Choice, list_jobs, load_job
from connector.database.idempotency import AnsweredError, Once
from connector.database.models import Circuit, Delivery, Event, Job
from connector.database.queries.lookups import count_states, list_deliveries, list_events, load_delivery, load_event
from connector.delivery.preview import preview
from connector.operations import actions
from connector.runtime import Runtime
from connector.web.api import requests, responses
from connector.web.api.idempotency import HEADER, digest_request, read_key
from connector.web.api.operation import Description, described
from connector.web.api.requests import read_body, read_id, read_query
from connector.web.api.responses import (
    show_account,
    show_accounts,
    show_delivery,
    show_events,
    show_job,
    show_preview,
    show_whole_delivery,
)
from connector.web.errors import problem

blueprint = Blueprint("api", __name__, url_prefix="/api")

#: Whose acts they are, as the notes tell them: one token, one person.
WHO = "api"

Row = TypeVar("Row", Event, Delivery, Job)
Result = TypeVar("Result")

EVENT_FILTERS, DELIVERY_FILTERS, PAGED = requests.EventFilters(), requests.DeliveryFilters(), requests.Paged()
EVENT_RETRIGGER, DELIVERY_RETRIGGER = requests.EventRetrigger(), requests.DeliveryRetrigger()
RESOLUTION, RETRIGGERS, NOTED, NOTHING = (
    requests.Resolution(),
    requests.Retriggers(),
    requests.Noted(),
    requests.Nothing(),
)


def this_runtime() -> Runtime:
    runtime: Runtime = current_app.extensions["runtime"]
    return runtime


@blueprint.before_request
def authorize() -> Response | None:
    token = this_runtime().settings.environment.admin_token
    if token is None:
        return problem(404, "the API is off: no ADMIN_TOKEN is set")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        return problem(401, "a Bearer of ADMIN_TOKEN is needed", {"WWW-Authenticate": "Bearer"})
    return None


@blueprint.get("/events")
@described(Description(query=EVENT_FILTERS, answers={200: responses.EventPage()}))
def get_events() -> Response:
    """List webhooks, newest first."""
    filters = read_query(EVENT_FILTERS)
    limit = filters.pop("limit")
    rows = list_events(this_runtime().database, limit=limit + 1, **filters)
    return page(rows, limit, lambda found: show_events(this_runtime(), found))


@blueprint.get("/events/<event_id>")
@described(Description(answers={200: responses.EVENT}, problems=(404,)))
def get_event(event_id: str) -> Response:
    """Show one webhook."""
    event = load_event(this_runtime().database, read_id(event_id))
    return jsonify(show_events(this_runtime(), [event])[0])


@blueprint.post("/events/<event_id>/retrigger")
@described(
    Description(body=EVENT_RETRIGGER, acts=True, answers={202: responses.EventRetriggeredSchema()}, problems=(404,))
)
def post_event_retrigger(event_id: str) -> Response:
    """Make every delivery that the routes want of it now, and queue what is parked but `uncertain`.

    The rest is left, each with why. `force` queues that too: look at the destination first.
    """
    given = read_body(EVENT_RETRIGGER)
    runtime, id_ = this_runtime(), read_id(event_id)
    return act_once(
        202,
        given,
        lambda once: actions.retrigger_event(runtime, id_, who=WHO, **given, once=once),
        responses.show_retriggered,
    )


@blueprint.get("/deliveries")
@described(Description(query=DELIVERY_FILTERS, answers={200: responses.DeliveryPage()}))
def get_deliveries() -> Response:
    """List deliveries, newest first."""
    filters = read_query(DELIVERY_FILTERS)
    limit = filters.pop("limit")
    rows = list_deliveries(this_runtime().database, limit=limit + 1, **filters)
    return page(rows, limit, lambda found: [show_delivery(delivery) for delivery in found])


@blueprint.get("/deliveries/<delivery_id>")
@described(Description(answers={200: responses.WHOLE_DELIVERY}, problems=(404,)))
def get_delivery(delivery_id: str) -> Response:
    """Show one delivery with its body, its attempts and its notes."""
    delivery = load_delivery(this_runtime().database, read_id(delivery_id))
    return jsonify(show_whole_delivery(this_runtime(), delivery))


@blueprint.post("/deliveries/<delivery_id>/retrigger")
@described(Description(body=DELIVERY_RETRIGGER, acts=True, answers={202: responses.DELIVERY}, problems=(404, 409)))
def post_delivery_retrigger(delivery_id: str) -> Response:
    """Queue one delivery again.

    409 while it is being sent; and on what is delivered, discarded or uncertain, unless `force` says that somebody
    looked. `new_key` goes with `force` where the destination takes a key: no earlier attempt was processed.
    """
    given = read_body(DELIVERY_RETRIGGER)
    runtime, id_ = this_runtime(), read_id(delivery_id)
    return act_once(
        202, given, lambda once: actions.retrigger_delivery(runtime, id_, who=WHO, **given, once=once), show_delivery
    )


@blueprint.post("/deliveries/<delivery_id>/preview")
@described(Description(body=NOTHING, answers={200: responses.PREVIEW}, problems=(404, 502)))
def post_delivery_preview(delivery_id: str) -> Response:
    """Tell what a delivery would become with the settings of now, and where each field comes from.

    Nothing is sent, and nothing changes. An order that its webhook only names is fetched from the store; 502 where it
    is not to be had.
    """
    read_body(NOTHING)
    return jsonify(show_preview(preview(this_runtime(), read_id(delivery_id))))


@blueprint.post("/deliveries/<delivery_id>/resolve")
@described(
    Description(body=RESOLUTION, needs_body=True, acts=True, answers={200: responses.DELIVERY}, problems=(404, 409))
)
def post_delivery_resolve(delivery_id: str) -> Response:
    """Settle a parked delivery by your word.

    `remote_id` goes with `delivered`. What is waiting can be discarded too; 409 on anything else.
    """
    given = read_body(RESOLUTION)
    runtime, id_ = this_runtime(), read_id(delivery_id)
    return act_once(
        200, given, lambda once: actions.resolve_delivery(runtime, id_, who=WHO, **given, once=once), show_delivery
    )


@blueprint.post("/retriggers")
@described(Description(body=RETRIGGERS, acts=True, answers={202: responses.JOB}))
def post_retriggers() -> Response:
    """Start a job that retriggers many deliveries, each as it would be alone.

    It takes what is `parked`, or `waiting` if `state` says so, and passes the other filters; or the deliveries of
    `ids`, whatever their state. What is uncertain is left, as is what has ended. `force` takes that too, and needs
    `ids`: look at each first. The forwarder works the job off; `GET /api/retriggers/<id>` tells how far it is.
    """
    given = read_body(RETRIGGERS)
    wish = {name: given[name] for name in ("force", "note") if name in given}
    chosen = {name: value for name, value in given.items() if name not in wish}
    if "ids" in chosen:
        chosen = {"state": None, **chosen, "ids": tuple(chosen["ids"])}
    runtime, choice = this_runtime(), Choice(**chosen)
    return act_once(
        202, given, lambda once: actions.start_retriggers(runtime, choice, who=WHO, **wish, once=once), show_job
    )


@blueprint.get("/retriggers")
@described(Description(query=PAGED, answers={200: responses.JobPage()}))
def get_retriggers() -> Response:
    """List the jobs that retrigger many, newest first."""
    filters = read_query(PAGED)
    limit = filters.pop("limit")
    rows = list_jobs(this_runtime().database, limit=limit + 1, **filters)
    return page(rows, limit, lambda found: [show_job(job) for job in found])


@blueprint.get("/retriggers/<job_id>")
@described(Description(answers={200: responses.JOB}, problems=(404,)))
def get_retrigger(job_id: str) -> Response:
    """Tell how far a job is, and what it left and why."""
    return jsonify(show_job(load_job(this_runtime().database, read_id(job_id))))


@blueprint.post("/retriggers/<job_id>/cancel")
@described(Description(body=NOTHING, acts=True, answers={200: responses.JOB}, problems=(404, 409)))
def post_retrigger_cancel(job_id: str) -> Response:
    """Let a job queue nothing more. What it has queued stays queued; 409 when it has finished."""
    given = read_body(NOTHING)
    runtime, id_ = this_runtime(), read_id(job_id)
    return act_once(200, given, lambda once: actions.cancel_retriggers(runtime, id_, who=WHO, once=once), show_job)


@blueprint.get("/accounts")
@described(Description(answers={200: responses.AccountList()}))
def get_accounts() -> Response:
    """List the accounts: whether each takes orders at present, why not, and how many lie there."""
    return jsonify(items=show_accounts(this_runtime()))


@blueprint.post("/accounts/<account>/pause")
@described(Description(body=NOTED, acts=True, answers={200: responses.ACCOUNT}, problems=(404,)))
def post_account_pause(account: str) -> Response:
    """Send an account nothing more until it is resumed. Its orders wait."""
    given = read_body(NOTED)
    runtime = this_runtime()
    return act_once(
        200,
        given,
        lambda once: actions.pause_account(runtime, account, who=WHO, **given, once=once),
        account_shower(runtime, account),
    )


@blueprint.post("/accounts/<account>/resume")
@described(Description(body=NOTHING, acts=True, answers={200: responses.ACCOUNT}, problems=(404,)))
def post_account_resume(account: str) -> Response:
    """Send to an account again at once, be it paused or its circuit open."""
    given = read_body(NOTHING)
    runtime = this_runtime()
    return act_once(
        200,
        given,
        lambda once: actions.resume_account(runtime, account, who=WHO, once=once),
        account_shower(runtime, account),
    )


def account_shower(runtime: Runtime, account: str) -> Callable[[Circuit], dict[str, Any]]:
    """What is counted is counted first: the answer is made while the act has the database."""
    lie = count_states(runtime.database).get(account, responses.NONE_LIE)
    return lambda circuit: show_account(runtime.settings.accounts[account], circuit, lie)


def act_once(
    status: int, given: dict[str, Any], act: Callable[[Once | None], Result], show: Callable[[Result], dict[str, Any]]
) -> Response:
    """Do it and answer; with an `Idempotency-Key` that came before, answer as then, and do nothing."""

    def write(result: Result) -> tuple[int, str]:
        return status, json.dumps(show(result))

    once = None
    if (key := read_key(request.headers.get(HEADER))) is not None:
        once = Once(key=key, request=digest_request(request.method, request.path, given), answer=write)
    try:
        return answer(*write(act(once)))
    except AnsweredError as before:
        return answer(before.status, before.body, {"Idempotency-Replayed": "true"})


def answer(status: int, body: str, headers: dict[str, str] | None = None) -> Response:
    return Response(f"{body}\n", status, headers, content_type="application/json")


def page(rows: list[Row], limit: int, show: Callable[[list[Row]], list[Any]]) -> Response:
    """Of `limit + 1` rows asked for, show `limit`; where there was one more, say where the next page begins."""
    shown = rows[:limit]
    return jsonify(items=show(shown), next=str(shown[-1].id) if len(rows) > limit else None)
