"""Schemas of responses that only the API has: pages, results and errors. See `connector.serializers` for the rows."""

from marshmallow import fields
from marshmallow.validate import OneOf

from connector.serializers.accounts import AccountSchema
from connector.serializers.base import ResponseSchema
from connector.serializers.deliveries import DeliverySchema, RetryResultSchema
from connector.serializers.events import EventSchema
from connector.serializers.jobs import JobSchema
from connector.serializers.privacy_requests import PrivacyRequestSchema
from connector.serializers.stores import StoreStatusSchema


def next_cursor() -> fields.String:
    return fields.String(allow_none=True, metadata={"description": "the `cursor` of the next page; null on the last"})


class EventPageSchema(ResponseSchema):
    items = fields.List(fields.Nested(EventSchema))
    next = next_cursor()


class DeliveryPageSchema(ResponseSchema):
    items = fields.List(fields.Nested(DeliverySchema))
    next = next_cursor()


class JobPageSchema(ResponseSchema):
    items = fields.List(fields.Nested(JobSchema))
    next = next_cursor()


class PrivacyRequestPageSchema(ResponseSchema):
    items = fields.List(fields.Nested(PrivacyRequestSchema))
    next = next_cursor()


class AccountListSchema(ResponseSchema):
    items = fields.List(fields.Nested(AccountSchema))


class StoreListSchema(ResponseSchema):
    items = fields.List(fields.Nested(StoreStatusSchema))


class EventRetryResultSchema(ResponseSchema):
    deliveries = fields.List(fields.Nested(RetryResultSchema))


class ReceivedSchema(ResponseSchema):
    status = fields.String(validate=OneOf(["accepted", "duplicate", "ignored"]))
    event = fields.String(allow_none=True, metadata={"description": "the event's id"})
    request = fields.String(
        allow_none=True,
        metadata={"description": "the id of a request about personal data, if it is one", "optional": True},
    )


class HealthSchema(ResponseSchema):
    status = fields.String(validate=OneOf(["ok"]))


class ReadySchema(HealthSchema):
    worker = fields.String(validate=OneOf(["running", "none"]))


class ProblemSchema(ResponseSchema):
    class Meta:
        description = "RFC 9457"

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
