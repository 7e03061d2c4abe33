"""`/api`: events, deliveries and the manual re-trigger, through the same functions as the command line."""

import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app, jsonify, request

from connector.database.lookups import list_deliveries, list_events, load_delivery, load_event
from connector.database.orders import row_id
from connector.database.tables import Delivery, Event, Reason, State
from connector.errors import InvalidRequestError, NotFoundError
from connector.manual import pause_account, resolve_delivery, resume_account, retrigger_delivery, retrigger_event
from connector.runtime import Runtime
from connector.web.problems import problem
from connector.web.shapes import show_account, show_accounts, show_delivery, show_events, show_whole_delivery

blueprint = Blueprint("api", __name__, url_prefix="/api")

#: Whose acts they are, as the notes tell them: one token, one person.
WHO = "api"
LIMIT, MOST = 50, 200
LARGEST_ID = 2**63 - 1
LONGEST_TEXT = 2_000

Row = TypeVar("Row", Event, Delivery)


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
def get_events() -> Response:
    filters = read_filters("store", "topic", "order", "since", "until")
    since, until = (read_instant(filters.pop(name, None), name) for name in ("since", "until"))
    limit, before = read_page()
    rows = list_events(this_runtime().database, since=since, until=until, before=before, limit=limit + 1, **filters)
    return page(rows, limit, lambda found: show_events(this_runtime(), found))


@blueprint.get("/events/<event_id>")
def get_event(event_id: str) -> Response:
    event = load_event(this_runtime().database, read_id(event_id))
    return jsonify(show_events(this_runtime(), [event])[0])


@blueprint.post("/events/<event_id>/retrigger")
def post_event_retrigger(event_id: str) -> tuple[Response, int]:
    asked = read_json({"force": bool, "note": str})
    done = retrigger_event(
        this_runtime(), read_id(event_id), who=WHO, force=asked.get("force", False), note=asked.get("note")
    )
    return jsonify(deliveries=[{"id": str(one.id), "done": one.done, "why": one.why} for one in done]), 202


@blueprint.get("/deliveries")
def get_deliveries() -> Response:
    filters = read_filters("state", "reason", "account", "store", "order")
    for name, words in (("state", State), ("reason", Reason)):
        if name in filters and filters[name] not in list(words):
            raise InvalidRequestError(f"`{name}` must be one of {', '.join(words)}")
    limit, before = read_page()
    rows = list_deliveries(this_runtime().database, before=before, limit=limit + 1, **filters)
    return page(rows, limit, lambda found: [show_delivery(delivery) for delivery in found])


@blueprint.get("/deliveries/<delivery_id>")
def get_delivery(delivery_id: str) -> Response:
    delivery = load_delivery(this_runtime().database, read_id(delivery_id))
    return jsonify(show_whole_delivery(this_runtime(), delivery))


@blueprint.post("/deliveries/<delivery_id>/retrigger")
def post_delivery_retrigger(delivery_id: str) -> tuple[Response, int]:
    asked = read_json({"force": bool, "new_key": bool, "note": str})
    delivery = retrigger_delivery(
        this_runtime(),
        read_id(delivery_id),
        who=WHO,
        force=asked.get("force", False),
        new_key=asked.get("new_key", False),
        note=asked.get("note"),
    )
    return jsonify(show_delivery(delivery)), 202


@blueprint.post("/deliveries/<delivery_id>/resolve")
def post_delivery_resolve(delivery_id: str) -> Response:
    asked = read_json({"as": str, "remote_id": str, "note": str})
    delivery = resolve_delivery(
        this_runtime(),
        read_id(delivery_id),
        who=WHO,
        as_=asked.get("as", ""),
        remote_id=asked.get("remote_id"),
        note=asked.get("note"),
    )
    return jsonify(show_delivery(delivery))


@blueprint.get("/accounts")
def get_accounts() -> Response:
    return jsonify(items=show_accounts(this_runtime()))


@blueprint.post("/accounts/<account>/pause")
def post_account_pause(account: str) -> Response:
    asked = read_json({"note": str})
    pause_account(this_runtime(), account, who=WHO, note=asked.get("note"))
    return jsonify(show_account(this_runtime(), account))


@blueprint.post("/accounts/<account>/resume")
def post_account_resume(account: str) -> Response:
    read_json({})
    resume_account(this_runtime(), account, who=WHO)
    return jsonify(show_account(this_runtime(), account))


def page(rows: list[Row], limit: int, show: Callable[[list[Row]], list[Any]]) -> Response:
    """Of `limit + 1` rows asked for, show `limit`; where there was one more, say where the next page begins."""
    shown = rows[:limit]
    return jsonify(items=show(shown), next=str(row_id(shown[-1])) if len(rows) > limit else None)


def read_page() -> tuple[int, int | None]:
    try:
        limit = int(request.args.get("limit", LIMIT))
    except ValueError as error:
        raise InvalidRequestError("`limit` must be a whole number") from error
    if not 1 <= limit <= MOST:
        raise InvalidRequestError(f"`limit` must be from 1 to {MOST}")
    cursor = request.args.get("cursor")
    if cursor is None:
        return limit, None
    try:
        return limit, read_id(cursor)
    except NotFoundError as error:
        raise InvalidRequestError("`cursor` must be one that a list gave as `next`") from error


def read_filters(*names: str) -> dict[str, Any]:
    """The named query parameters that were given. Raises `InvalidRequestError` on any other."""
    if others := sorted(set(request.args) - {*names, "limit", "cursor"}):
        raise InvalidRequestError(f"no such filter: {', '.join(others)}; there are {', '.join(names)}")
    given = {name: request.args[name] for name in names if name in request.args}
    for name, text in given.items():
        if not is_storable(text):
            raise InvalidRequestError(f"`{name}` holds characters that no database takes, or more than {LONGEST_TEXT}")
    return given


def read_instant(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequestError(f"`{name}` must be a time such as 2026-11-21T16:00:00Z") from error
    if at.tzinfo is None:
        raise InvalidRequestError(f"`{name}` needs an offset, as in 2026-11-21T16:00:00Z")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:  # its offset leads out of the years 1 to 9999
        raise InvalidRequestError(f"`{name}` must be a time such as 2026-11-21T16:00:00Z") from error


def read_id(text: str) -> int:
    """Raises `NotFoundError`: what is no id of ours names nothing."""
    if not re.fullmatch("[0-9]{1,19}", text) or int(text) > LARGEST_ID:
        raise NotFoundError("there is no such id")
    return int(text)


def is_storable(text: str) -> bool:
    has_surrogates = any("\ud800" <= character <= "\udfff" for character in text)
    return "\0" not in text and not has_surrogates and len(text) <= LONGEST_TEXT


def read_json(fields: Mapping[str, type]) -> dict[str, Any]:
    """The body's object with these fields, all optional. Raises `InvalidRequestError`."""
    if not request.get_data():
        return {}
    try:
        asked = request.get_json(force=True, silent=True)
    except RecursionError:  # nested too deeply
        asked = None
    if not isinstance(asked, dict):
        raise InvalidRequestError("the body must be a JSON object")
    if others := sorted(set(asked) - set(fields)):
        raise InvalidRequestError(f"unknown: {', '.join(others)}; there are {', '.join(fields) or 'none'}")
    for name, kind in fields.items():
        if asked.get(name) is not None and not isinstance(asked[name], kind):
            raise InvalidRequestError(f"`{name}` must be {'true or false' if kind is bool else 'text'}")
        if kind is str and not is_storable(asked.get(name) or ""):
            raise InvalidRequestError(f"`{name}` holds characters that no database takes, or more than {LONGEST_TEXT}")
    return {name: value for name, value in asked.items() if value is not None}
