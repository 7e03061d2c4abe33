"""JSON of the audit trail."""

from typing import Any, cast

from marshmallow import fields
from marshmallow.validate import OneOf

from connector.core.fields import UTCDateTime
from connector.database.queries.audit import TrailEntry
from connector.serializers.base import ProblemText, ResponseSchema


class TrailEntrySchema(ResponseSchema):
    at = UTCDateTime()
    actor = fields.String(
        allow_none=True, metadata={"description": "null for an alert, and for a failed sign-in with an unknown name"}
    )
    role = fields.String(allow_none=True, metadata={"description": "of a user or a token, at that time"})
    action = fields.String()
    interface = fields.String(allow_none=True, validate=OneOf(["dashboard", "api", "cli", "service", None]))
    network = fields.String(allow_none=True, metadata={"description": "an IPv4 address, or a /64 of IPv6"})
    store = fields.String(allow_none=True)
    account = fields.String(allow_none=True)
    order_id = fields.String(allow_none=True)
    order_number = fields.String(allow_none=True)
    delivery = fields.String(allow_none=True, attribute="delivery_id")
    event = fields.String(allow_none=True, attribute="event_id")
    privacy_request = fields.String(allow_none=True, attribute="request_id")
    job = fields.String(allow_none=True, attribute="job_id")
    counts = fields.Dict(keys=fields.String(), values=fields.Integer())
    what = ProblemText(
        allow_none=True, attribute="message", metadata={"description": "what was done, if more is known"}
    )
    note = fields.String(attribute="text", metadata={"description": "what the person wrote"})


def serialize_trail(entries: list[TrailEntry]) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], TrailEntrySchema(many=True).dump(entries))
