"""`/openapi.json`, generated from the blueprints and their schemas.

It is public, does not depend on configuration, and is built when it is requested.
"""

import inspect
from functools import cache
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, jsonify
from flask_smorest import Api

from connector import __version__
from connector.web import health, prometheus, webhooks
from connector.web.api import audit, corrections, credentials, privacy, privacy_requests, routes, tables
from connector.web.api.blueprint import METRICS_SECURITY, TOKEN_SECURITY, ApiBlueprint
from connector.web.api.requests import ErasureBodySchema, JobBodySchema, PersonalDataBodySchema, ResolveBodySchema
from connector.web.api.responses import ProblemSchema, ReceivedSchema

blueprint = ApiBlueprint("openapi", __name__, description="This document.", security=None)

API_DESCRIPTION = """\
The connector forwards paid orders from online stores to destinations, without losing or duplicating any.

Ids are strings; times are RFC 3339 in UTC. Lists are `{"items": […], "next": cursor or null}`, newest first.
Errors are `application/problem+json` (RFC 9457). A POST with an `Idempotency-Key` is performed once: for 24 hours, the
same request under the same key gets the first response again. Errors are not stored: the request is processed again.
"""
SECURITY_SCHEMES = {
    TOKEN_SECURITY: "`ADMIN_TOKEN`, or a token of `[tokens]`. Each operation names the role that it needs: a viewer's "
    "token may read, an operator's and `ADMIN_TOKEN` may also act.",
    METRICS_SECURITY: "`METRICS_TOKEN` or `ADMIN_TOKEN`.",
}
ERROR_DESCRIPTIONS = {
    400: "The request is not valid; `detail` says what would be.",
    401: "Missing, wrong or expired token.",
    403: "The token's role does not allow it.",
    404: "Not found; or no token is configured and the API is disabled.",
    405: "The method is not allowed; `Allow` lists those that are.",
    409: "The operation conflicts with the current state; `detail` says why.",
    413: "The body is too long.",
    422: "The `Idempotency-Key` was used before with a different request.",
    429: "Too many wrong tokens came from this address: try again after `Retry-After` seconds.",
    502: "The store's API did not return the order.",
    503: "The database is unavailable; try again after `Retry-After` seconds.",
}
ERROR_HEADERS = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}


@blueprint.get("/openapi.json")
@blueprint.response(200, {"type": "object"})
@blueprint.operation()
def get_openapi() -> Response:
    """Return this API's description in OpenAPI 3.1."""
    return jsonify(build_document())


class DocumentedApi(Api):
    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None  # each operation lists its errors


@cache
def build_document() -> dict[str, Any]:
    """Build the document in a separate application, so that the service starts without it."""
    app = Flask(__name__)
    api = DocumentedApi(
        app,
        spec_kwargs={
            "title": "connector",
            "version": __version__,
            "openapi_version": "3.1.0",
            "info": {"description": API_DESCRIPTION},
        },
    )
    for name, description in SECURITY_SCHEMES.items():
        api.spec.components.security_scheme(name, {"type": "http", "scheme": "bearer", "description": description})
    for status in ERROR_DESCRIPTIONS:
        api.spec.components.response(HTTPStatus(status).name, describe_error(status), lazy=True)
    for schema in (ResolveBodySchema, JobBodySchema, PersonalDataBodySchema, ErasureBodySchema):
        api.spec.components.schema(schema.__name__.removesuffix("Schema"), schema.json_schema_rules, schema=schema)
    describe_webhooks(app, api)
    modules = (routes, corrections, credentials, privacy, privacy_requests, tables, audit, health, prometheus)
    for documented in (*(module.blueprint for module in modules), blueprint):
        api.register_blueprint(documented)
    document: dict[str, Any] = api.spec.to_dict()
    del document["components"]["schemas"]["PaginationMetadata"]  # describes flask-smorest's own pagination
    return document


def describe_error(status: int) -> dict[str, Any]:
    description = {
        "description": ERROR_DESCRIPTIONS[status],
        "content": {"application/problem+json": {"schema": ProblemSchema}},
    }
    if status in ERROR_HEADERS:
        description["headers"] = {ERROR_HEADERS[status]: {"schema": {"type": "string"}}}
    return description


def describe_webhooks(app: Flask, api: Api) -> None:
    """Describe the webhook views by hand: flask-smorest's decorators would run on each webhook."""
    app.register_blueprint(webhooks.blueprint)
    for view in (webhooks.receive, webhooks.receive_privacy):
        summary, description = inspect.cleandoc(view.__doc__ or "").split("\n\n")
        for rule in app.url_map.iter_rules(f"webhooks.{view.__name__}"):
            operation = {
                "operationId": view.__name__ + ("_topic" if "topic_name" in rule.arguments else ""),
                "tags": ["webhooks"],
                "summary": summary,
                "description": description,
                "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
                "responses": {
                    200: {"description": "OK", "content": {"application/json": {"schema": ReceivedSchema}}},
                    **{status: HTTPStatus(status).name for status in (400, 401, 404, 405, 413, 503)},
                },
            }
            api.spec.path(rule=rule, operations={"post": operation})
    api.spec.tag({"name": "webhooks", "description": "Where storefronts post their webhooks."})
