"""`/api/privacy-requests`: what storefronts pass on about personal data, and what was done about it."""

from typing import Any

from flask import Response

from connector.database.models import PrivacyRequest
from connector.database.privacy_requests import RequestFilter, list_requests, load_request
from connector.privacy.requests import dismiss_request
from connector.serializers.privacy_requests import PrivacyRequestDetailSchema, PrivacyRequestSchema, serialize_request
from connector.web.api.authorization import authorize, current_actor
from connector.web.api.blueprint import TOKEN_SECURITY, VIEWER, ApiBlueprint, row_id_parameter
from connector.web.api.idempotency import REPLAYED_HEADERS, run_idempotent
from connector.web.api.requests import IdempotencyHeaderSchema, PrivacyRequestQuerySchema, RequiredNoteBodySchema
from connector.web.api.responses import PrivacyRequestPageSchema
from connector.web.api.routes import load_page
from connector.web.context import get_runtime
from connector.web.row_ids import parse_id

blueprint = ApiBlueprint(
    "privacy_requests",
    __name__,
    url_prefix="/api/privacy-requests",
    description="Requests about personal data that storefronts passed on.",
    security=TOKEN_SECURITY,
)
blueprint.before_request(authorize)

REQUEST_ID = row_id_parameter("request_id")


@blueprint.get("")
@blueprint.arguments(PrivacyRequestQuerySchema, location="query")
@blueprint.response(200, PrivacyRequestPageSchema)
@blueprint.operation(role=VIEWER)
def get_privacy_requests(query: dict[str, Any]) -> dict[str, Any]:
    """List requests about personal data, newest first."""
    rows, next_cursor = load_page(list_requests, query, RequestFilter)
    return {"items": rows, "next": next_cursor}


@blueprint.get("/<request_id>", parameters=[REQUEST_ID])
@blueprint.response(200, PrivacyRequestDetailSchema)
@blueprint.operation(role=VIEWER, errors=(404,))
def get_privacy_request(request_id: str) -> PrivacyRequest:
    """Return one request. While it is open, it has the e-mail address and the phone number of the customer."""
    return load_request(get_runtime().database, parse_id(request_id))


@blueprint.post("/<request_id>/dismiss", parameters=[REQUEST_ID])
@blueprint.arguments(RequiredNoteBodySchema)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(200, PrivacyRequestSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 409, 422))
def post_privacy_request_dismiss(body: dict[str, Any], headers: dict[str, Any], request_id: str) -> Response:
    """Close a request without doing what it asks for; `note` says why. 409 if it is closed."""
    runtime, id_ = get_runtime(), parse_id(request_id)
    return run_idempotent(
        200,
        headers,
        body,
        lambda idempotency: dismiss_request(runtime, id_, actor=current_actor(), **body, idempotency=idempotency),
        serialize_request,
    )
