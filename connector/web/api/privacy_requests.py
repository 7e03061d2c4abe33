"""`/api/privacy-requests`: what storefronts pass on about personal data, and what was done about it."""

from typing import Any

from flask import Response, jsonify

from connector.database.audit import Subject, record_view
from connector.database.models import PrivacyRequest
from connector.database.privacy_requests import RequestFilter, list_requests, load_request
from connector.privacy.erase import ErasureResult
from connector.privacy.requests import complete_request, dismiss_request, erase_request, export_request
from connector.serializers.privacy import ErasureSchema
from connector.serializers.privacy_requests import PrivacyRequestDetailSchema, PrivacyRequestSchema, serialize_request
from connector.web.api.authorization import authorize, current_actor, current_reader
from connector.web.api.blueprint import TOKEN_SECURITY, VIEWER, ApiBlueprint, row_id_parameter
from connector.web.api.idempotency import REPLAYED_HEADERS, run_idempotent
from connector.web.api.requests import (
    EmptyBodySchema,
    EraseRequestBodySchema,
    IdempotencyHeaderSchema,
    NoteBodySchema,
    PrivacyRequestQuerySchema,
    RequiredNoteBodySchema,
)
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
    database = get_runtime().database
    privacy_request = load_request(database, parse_id(request_id))
    record_view(database, current_reader(), Subject.of(privacy_request))
    return privacy_request


@blueprint.post("/<request_id>/export", parameters=[REQUEST_ID])
@blueprint.arguments(EmptyBodySchema, required=False)
@blueprint.response(200, {"type": "object"})
@blueprint.operation(errors=(404, 409))
def post_privacy_request_export(_body: dict[str, Any], request_id: str) -> Response:
    """Return everything that is kept of the orders that an open request is about, for the merchant."""
    return jsonify(export_request(get_runtime(), parse_id(request_id), actor=current_actor()))


@blueprint.post("/<request_id>/erase", parameters=[REQUEST_ID])
@blueprint.arguments(EraseRequestBodySchema, required=False)
@blueprint.response(200, ErasureSchema)
@blueprint.operation(errors=(404, 409))
def post_privacy_request_erase(body: dict[str, Any], request_id: str) -> ErasureResult:
    """Erase what is kept of the orders that an open request is about, and close it as done.

    If an order has deliveries that have not ended, the request stays open, and a worker closes it once that is erased.
    409 if the request is closed, or asks for a copy.
    """
    options = {"discards_parked": body.get("discard_parked", False)}
    _, result = erase_request(get_runtime(), parse_id(request_id), actor=current_actor(), **options)
    return result


@blueprint.post("/<request_id>/done", parameters=[REQUEST_ID])
@blueprint.arguments(NoteBodySchema, required=False)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(200, PrivacyRequestSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 409, 422))
def post_privacy_request_done(body: dict[str, Any], headers: dict[str, Any], request_id: str) -> Response:
    """Close a request because a person has done what it asks for, such as handing a copy over. 409 if it is closed."""
    runtime, id_ = get_runtime(), parse_id(request_id)
    note = body.get("note")
    return run_idempotent(
        200,
        headers,
        body,
        lambda idempotency: complete_request(runtime, id_, actor=current_actor(), note=note, idempotency=idempotency),
        serialize_request,
    )


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
