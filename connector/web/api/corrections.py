"""`/api/deliveries/<id>/corrections`: what people enter for an order's fields that are missing or doubtful."""

from typing import Any

from flask import Response

from connector.database.audit import Subject, record_view
from connector.database.queries.deliveries import load_delivery
from connector.delivery.corrections import InvalidCorrectionError, enter_corrections, withdraw_corrections
from connector.serializers.corrections import (
    CorrectionResultSchema,
    CorrectionsDetail,
    CorrectionsSchema,
    load_corrections_detail,
    serialize_correction_result,
)
from connector.web.api.authorization import authorize, current_actor, current_reader
from connector.web.api.blueprint import TOKEN_SECURITY, VIEWER, ApiBlueprint
from connector.web.api.idempotency import REPLAYED_HEADERS, run_idempotent
from connector.web.api.requests import CorrectionBodySchema, IdempotencyHeaderSchema, WithdrawalBodySchema
from connector.web.api.routes import DELIVERY_ID
from connector.web.context import get_runtime
from connector.web.errors import problem_response
from connector.web.row_ids import parse_id

blueprint = ApiBlueprint(
    "corrections",
    __name__,
    url_prefix="/api/deliveries/<delivery_id>/corrections",
    description="What people enter for fields of an order that are missing or doubtful.",
    security=TOKEN_SECURITY,
)
blueprint.before_request(authorize)


@blueprint.get("", parameters=[DELIVERY_ID])
@blueprint.response(200, CorrectionsSchema)
@blueprint.operation(role=VIEWER, errors=(404,))
def get_delivery_corrections(delivery_id: str) -> CorrectionsDetail:
    """Return what was entered for a delivery's order, and what can be entered to solve its problems."""
    runtime = get_runtime()
    delivery = load_delivery(runtime.database, parse_id(delivery_id))
    record_view(runtime.database, current_reader(), Subject.of(delivery))
    return load_corrections_detail(runtime, delivery)


@blueprint.post("", parameters=[DELIVERY_ID])
@blueprint.arguments(CorrectionBodySchema)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(200, CorrectionResultSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 409, 422, 502))
def post_delivery_corrections(body: dict[str, Any], headers: dict[str, Any], delivery_id: str) -> Response:
    """Enter values for fields of a delivery's order, and queue the delivery.

    The values are stored beside the order. They hold for all its deliveries and for later versions of it. A value that
    the destination would refuse is refused with the sentence that the mapping has for it. 409 if the delivery is
    delivered or discarded. 502 if the order must be fetched, and the store's API fails.
    """
    runtime, id_ = get_runtime(), parse_id(delivery_id)
    values, note = body["corrections"], body.get("note")
    try:
        return run_idempotent(
            200,
            headers,
            body,
            lambda idempotency: enter_corrections(
                runtime, id_, values, actor=current_actor(), note=note, idempotency=idempotency
            ),
            serialize_correction_result,
        )
    except InvalidCorrectionError as error:
        return problem_response(error.status, error.describe())


@blueprint.post("/withdraw", parameters=[DELIVERY_ID])
@blueprint.arguments(WithdrawalBodySchema)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(200, CorrectionResultSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 409, 422))
def post_delivery_corrections_withdraw(body: dict[str, Any], headers: dict[str, Any], delivery_id: str) -> Response:
    """Withdraw what was entered for fields of a delivery's order.

    Deliveries that wait or could not be mapped are mapped again. 404 if nothing was entered for one of the fields.
    """
    runtime, id_ = get_runtime(), parse_id(delivery_id)
    return run_idempotent(
        200,
        headers,
        body,
        lambda idempotency: withdraw_corrections(
            runtime, id_, body["names"], actor=current_actor(), note=body.get("note"), idempotency=idempotency
        ),
        serialize_correction_result,
    )
