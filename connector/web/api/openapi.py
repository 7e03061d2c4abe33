"""`/openapi.json`, made from the routes, what each says of itself, and the schemas that judge and write; and `/docs`.

Open to all: the document is the same at everybody's and holds nothing of what was configured. What it needs is
imported when it is first asked for.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, current_app, jsonify, send_from_directory
from werkzeug.routing import Rule

from connector import __version__
from connector.web.api.operation import Description, described

if TYPE_CHECKING:
    from apispec import APISpec

blueprint = Blueprint("openapi", __name__)

STATIC = Path(__file__).parent / "static" / "docs"
#: The renderer runs what is in its own files, reaches nobody but us, and shows no page of ours in another's frame.
#: It draws its styles into the page by itself, which `style-src` has to allow; scripts it may not.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
ABOUT = """The connector carries paid orders from online stores to destinations, and never loses or doubles one.

Ids are strings; times are RFC 3339 in UTC. Lists are `{"items": […], "next": cursor or null}`, newest first.
Errors are `application/problem+json` (RFC 9457). A POST that carries an `Idempotency-Key` is done once: the same
request under the same key is answered as the first time, for 24 hours. What was refused is not kept: it is judged anew.
"""
TAGS = {
    "webhooks": "Where the storefronts post.",
    "api": "What came in, what became of it, and what a person may do. Needs `ADMIN_TOKEN`.",
    "health": "For whoever watches the process.",
    "metrics": "For Prometheus. Needs `METRICS_TOKEN` or `ADMIN_TOKEN`.",
    "openapi": "This document.",
}
PROBLEMS = {
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
IDS = {"event_id", "delivery_id", "job_id"}


@blueprint.get("/openapi.json")
@described(Description(answers={200: None}, is_open=True))
def get_openapi() -> Response:
    """Describe the API in OpenAPI 3.1."""
    return jsonify(write_document(current_app))


@blueprint.get("/docs")
def get_docs() -> Response:
    return guarded(send_from_directory(STATIC, "index.html"))


@blueprint.get("/docs/<path:name>")
def get_docs_file(name: str) -> Response:
    return guarded(send_from_directory(STATIC, name, max_age=86_400))


def guarded(answer: Response) -> Response:
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def write_document(app: Flask) -> dict[str, Any]:
    from apispec import APISpec
    from apispec.ext.marshmallow import MarshmallowPlugin

    spec = APISpec(
        title="connector",
        version=__version__,
        openapi_version="3.1.0",
        info={"description": ABOUT},
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        plugins=[MarshmallowPlugin(schema_name_resolver=name_schema)],
    )
    spec.components.security_scheme("admin", {"type": "http", "scheme": "bearer"})
    spec.components.schema("Problem", PROBLEM)
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        description: Description | None = getattr(view, "description", None)
        if description is not None:
            method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"})).lower()
            operation = write_operation(spec, rule, view.__doc__ or "", description)
            spec.path(path=write_path(rule), operations={method: operation})
            rules = getattr(description.body, "rules", {})
            if rules:
                spec.components.schemas[name_schema(description.body)].update(rules)
    return spec.to_dict()


def write_path(rule: Rule) -> str:
    return rule.rule.replace("<", "{").replace(">", "}")


def name_schema(schema: Any) -> str:
    name = schema if isinstance(schema, str) else getattr(schema, "__name__", type(schema).__name__)
    return name.removesuffix("Schema")


def write_operation(spec: "APISpec", rule: Rule, told: str, description: Description) -> dict[str, Any]:
    summary, _, more = told.strip().partition("\n")
    statuses = {*description.problems, 405, 503}
    if description.query is not None or description.body is not None:
        statuses.add(400)
    if not description.is_open:
        statuses |= {401, 404}
    if description.acts:
        statuses.add(422)
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.rpartition(".")[2],
        "tags": [rule.endpoint.partition(".")[0]],
        "summary": summary.strip(),
        "parameters": [
            *(write_path_parameter(name) for name in sorted(rule.arguments)),
            *description.parameters,
            *([{"in": "query", "schema": description.query}] if description.query is not None else []),
            *([KEY] if description.acts else []),
        ],
        "responses": {
            **{
                str(status): write_answer(status, schema, description) for status, schema in description.answers.items()
            },
            **{str(status): write_problem(status) for status in sorted(statuses)},
        },
    }
    if more.strip():
        operation["description"] = " ".join(more.split())
    if description.body is not None:
        content = {"application/json": {"schema": description.body}}
        operation["requestBody"] = {"required": description.needs_body, "content": content}
    if description.takes_anything:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": {}}}}
    if not description.is_open:
        operation["security"] = [{"admin": []}]
    return operation


def write_path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, **({"pattern": "^[0-9]{1,19}$"} if name in IDS else {})}
    return {"in": "path", "name": name, "required": True, "schema": schema}


def write_answer(status: int, schema: Any, description: Description) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "It went well." if status == 200 else "It will be done."}
    kind = "object" if description.content_type == "application/json" else "string"
    answer["content"] = {description.content_type: {"schema": schema if schema is not None else {"type": kind}}}
    if description.acts:
        said = "`true` when it was done before, and this is what it was answered then"
        answer["headers"] = {"Idempotency-Replayed": {"description": said, "schema": {"type": "string"}}}
    return answer


def write_problem(status: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    headers = {401: "WWW-Authenticate", 405: "Allow", 503: "Retry-After"}
    said = {headers[status]: {"schema": {"type": "string"}}} if status in headers else {}
    return {"description": PROBLEMS[status], "content": content, **({"headers": said} if said else {})}


KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "What is asked under a key is done once: 1 to 255 visible ASCII characters, kept for 24 hours.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
PROBLEM = {
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
