"""`/openapi.json`, made from the routes, what each says of itself, and the schemas that judge and write; and `/docs`.

Open to all: the document is the same at everybody's and holds nothing of what was configured. What it needs is
imported when it is first asked for.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, current_app, jsonify, send_from_directory
from werkzeug.routing import Rule

from connector import __version__
from connector.web.api.operation import Operation, documented

if TYPE_CHECKING:
    from apispec import APISpec

blueprint = Blueprint("openapi", __name__)

DOCS_DIRECTORY = Path(__file__).parent.parent / "static" / "docs"
#: The renderer runs what is in its own files, reaches nobody but us, and shows no page of ours in another's frame.
#: It draws its styles into the page by itself, which `style-src` has to allow; scripts it may not.
DOCS_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
API_DESCRIPTION = """\
The connector carries paid orders from online stores to destinations, and never loses or doubles one.

Ids are strings; times are RFC 3339 in UTC. Lists are `{"items": […], "next": cursor or null}`, newest first.
Errors are `application/problem+json` (RFC 9457). A POST that carries an `Idempotency-Key` is done once: the same
request under the same key is answered as the first time, for 24 hours. What was refused is not kept: it is judged anew.
"""
TAG_DESCRIPTIONS = {
    "webhooks": "Where the storefronts post.",
    "api": "What came in, what became of it, and what a person may do. Needs `ADMIN_TOKEN`.",
    "health": "For whoever watches the process.",
    "metrics": "For Prometheus. Needs `METRICS_TOKEN` or `ADMIN_TOKEN`.",
    "openapi": "This document.",
}
ERROR_DESCRIPTIONS = {
    400: "The request cannot be understood: `detail` says what would be right.",
    401: "Who asks is not who may.",
    404: "There is no such thing; or no `ADMIN_TOKEN` is set, and the API is off.",
    405: "`Allow` says which methods there are.",
    409: "The state does not allow it: `detail` says why.",
    413: "The body is too long.",
    422: "The `Idempotency-Key` came before, with another request.",
    502: "The store does not give what has to be fetched from it.",
    503: "The database cannot be read or written at present: come again after `Retry-After`.",
}
ID_PARAMETERS = {"event_id", "delivery_id", "job_id"}


@blueprint.get("/openapi.json")
@documented(Operation(responses={200: None}, is_public=True))
def get_openapi() -> Response:
    """Describe the API in OpenAPI 3.1."""
    return jsonify(build_document(current_app))


@blueprint.get("/docs")
def get_docs() -> Response:
    return with_security_headers(send_from_directory(DOCS_DIRECTORY, "index.html"))


@blueprint.get("/docs/<path:name>")
def get_docs_file(name: str) -> Response:
    return with_security_headers(send_from_directory(DOCS_DIRECTORY, name, max_age=86_400))


def with_security_headers(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = DOCS_CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def build_document(app: Flask) -> dict[str, Any]:
    from apispec import APISpec
    from apispec.ext.marshmallow import MarshmallowPlugin

    spec = APISpec(
        title="connector",
        version=__version__,
        openapi_version="3.1.0",
        info={"description": API_DESCRIPTION},
        tags=[{"name": name, "description": text} for name, text in TAG_DESCRIPTIONS.items()],
        plugins=[MarshmallowPlugin(schema_name_resolver=schema_name)],
    )
    spec.components.security_scheme("admin", {"type": "http", "scheme": "bearer"})
    spec.components.schema("Problem", PROBLEM_SCHEMA)
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        metadata: Operation | None = getattr(view, "description", None)
        if metadata is not None:
            method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"})).lower()
            operation = build_operation(spec, rule, view.__doc__ or "", metadata)
            spec.path(path=openapi_path(rule), operations={method: operation})
            schema_rules = getattr(metadata.body, "json_schema_rules", {})
            if schema_rules:
                spec.components.schemas[schema_name(metadata.body)].update(schema_rules)
    return spec.to_dict()


def openapi_path(rule: Rule) -> str:
    return rule.rule.replace("<", "{").replace(">", "}")


def schema_name(schema: Any) -> str:
    name = schema if isinstance(schema, str) else getattr(schema, "__name__", type(schema).__name__)
    return name.removesuffix("Schema")


def build_operation(spec: "APISpec", rule: Rule, docstring: str, metadata: Operation) -> dict[str, Any]:
    summary, _, details = docstring.strip().partition("\n")
    statuses = {*metadata.error_statuses, 405, 503}
    if metadata.query is not None or metadata.body is not None:
        statuses.add(400)
    if not metadata.is_public:
        statuses |= {401, 404}
    if metadata.is_mutation:
        statuses.add(422)
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.rpartition(".")[2],
        "tags": [rule.endpoint.partition(".")[0]],
        "summary": summary.strip(),
        "parameters": [
            *(build_path_parameter(name) for name in sorted(rule.arguments)),
            *metadata.parameters,
            *([{"in": "query", "schema": metadata.query}] if metadata.query is not None else []),
            *([IDEMPOTENCY_KEY_PARAMETER] if metadata.is_mutation else []),
        ],
        "responses": {
            **{str(status): build_response(status, schema, metadata) for status, schema in metadata.responses.items()},
            **{str(status): build_error_response(status) for status in sorted(statuses)},
        },
    }
    if details.strip():
        operation["description"] = " ".join(details.split())
    if metadata.body is not None:
        content = {"application/json": {"schema": metadata.body}}
        operation["requestBody"] = {"required": metadata.requires_body, "content": content}
    if metadata.accepts_any_body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": {}}}}
    if not metadata.is_public:
        operation["security"] = [{"admin": []}]
    return operation


def build_path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, **({"pattern": "^[0-9]{1,19}$"} if name in ID_PARAMETERS else {})}
    return {"in": "path", "name": name, "required": True, "schema": schema}


def build_response(status: int, schema: Any, metadata: Operation) -> dict[str, Any]:
    response: dict[str, Any] = {"description": "It went well." if status == 200 else "It will be done."}
    json_type = "object" if metadata.content_type == "application/json" else "string"
    response["content"] = {metadata.content_type: {"schema": schema if schema is not None else {"type": json_type}}}
    if metadata.is_mutation:
        header_description = "`true` when it was done before, and this is what it was answered then"
        response["headers"] = {
            "Idempotency-Replayed": {"description": header_description, "schema": {"type": "string"}}
        }
    return response


def build_error_response(status: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    header_names = {401: "WWW-Authenticate", 405: "Allow", 503: "Retry-After"}
    header = {header_names[status]: {"schema": {"type": "string"}}} if status in header_names else {}
    return {"description": ERROR_DESCRIPTIONS[status], "content": content, **({"headers": header} if header else {})}


IDEMPOTENCY_KEY_PARAMETER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "What is asked under a key is done once: 1 to 255 visible ASCII characters, kept for 24 hours.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
