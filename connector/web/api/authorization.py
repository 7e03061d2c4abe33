"""Decides who may call which operation of `/api`, by token and role."""

from flask import Response, current_app, g, request

from connector.database.audit import Actor
from connector.settings.api_tokens import ApiToken
from connector.web.api.blueprint import OPERATOR, ApiBlueprint
from connector.web.context import get_guard, get_runtime
from connector.web.errors import problem_response
from connector.web.proxies import client_network

DETAIL = "ADMIN_TOKEN, or a token of [tokens], is required as a Bearer token"


def authorize() -> Response | None:
    """Return the response to a request that may not be served; None if it may. For `before_request`."""
    runtime, guard = get_runtime(), get_guard()
    tokens = runtime.settings.api_tokens
    if not tokens:
        return problem_response(404, "the API is disabled: set ADMIN_TOKEN to enable it")
    token = guard.match_bearer(tokens)
    if token is None:
        return guard.refuse_bearer(interface="api", detail=DETAIL)
    if token.is_expired(runtime.clock()):
        detail = f"the token {token.name} has expired"
        return guard.refuse_bearer(interface="api", detail=detail, reason="expired token", token=token)
    if required_role() == OPERATOR and token.role != OPERATOR:
        guard.record("api", "wrong role")
        return problem_response(403, f"this needs the role {OPERATOR}; the token {token.name} is a {token.role}'s")
    g.api_token = token
    return None


def required_role() -> str:
    """Return the role that the requested operation asks for; an operator's where it says nothing."""
    blueprint = current_app.blueprints[request.blueprint or ""]
    view_name = (request.endpoint or "").rpartition(".")[2]
    return blueprint.roles.get(view_name, OPERATOR) if isinstance(blueprint, ApiBlueprint) else OPERATOR


def current_token() -> ApiToken:
    token: ApiToken = g.api_token
    return token


def current_actor() -> str:
    """Return the author of what this request does, as recorded: `token:` and the token's name."""
    return current_token().actor


def current_reader() -> Actor:
    """Return who reads, and from where, for the audit trail."""
    token = current_token()
    return Actor(interface="api", name=token.actor, role=token.role, network=client_network() or None)
