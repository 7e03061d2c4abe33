"""JSON of requests about personal data."""

from typing import Any, cast

from marshmallow import fields
from marshmallow.validate import OneOf

from connector.core.fields import UTCDateTime
from connector.database.models import PrivacyRequest, RequestState
from connector.serializers.base import ResponseSchema
from mappings.notices import REQUEST_TOPICS


class PrivacyRequestSchema(ResponseSchema):
    id = fields.String()
    store = fields.String()
    kind = fields.String(validate=OneOf(sorted(REQUEST_TOPICS)))
    state = fields.String(validate=OneOf(list(RequestState)))
    platform_id = fields.String(allow_none=True, metadata={"description": "the storefront's own id of the request"})
    customer_id = fields.String(allow_none=True)
    order_ids = fields.List(fields.String(), metadata={"description": "the orders that the storefront names"})
    received_at = UTCDateTime()
    repeats = fields.Integer(metadata={"description": "how often the storefront sent it again"})
    due_at = UTCDateTime()
    erasing_by = fields.String(
        allow_none=True, metadata={"description": "who has its orders erased; it closes when the last one is"}
    )
    closed_at = UTCDateTime(allow_none=True)
    closed_by = fields.String(allow_none=True)
    note = fields.String(allow_none=True, metadata={"description": "what the person wrote who closed it"})


class PrivacyRequestDetailSchema(PrivacyRequestSchema):
    email = fields.String(allow_none=True, metadata={"description": "of the customer; null once it is closed"})
    phone = fields.String(allow_none=True, metadata={"description": "of the customer; null once it is closed"})


def serialize_request(request: PrivacyRequest) -> dict[str, Any]:
    """Return a request without what its customer is found by."""
    return cast(dict[str, Any], PrivacyRequestSchema().dump(request))


def serialize_request_detail(request: PrivacyRequest) -> dict[str, Any]:
    return cast(dict[str, Any], PrivacyRequestDetailSchema().dump(request))
