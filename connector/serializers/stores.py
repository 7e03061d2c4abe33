"""JSON of stores: their webhooks, tokens and catch-up."""

from marshmallow import fields

from connector.core.fields import UTCDateTime
from connector.serializers.base import CodeText, ProblemText, ResponseSchema


class SignatureFailuresSchema(ResponseSchema):
    count = fields.Integer()
    since = UTCDateTime()
    last_at = UTCDateTime()
    reason = CodeText(metadata={"description": "of the last one, as an English sentence"})


class StoreErrorsSchema(ResponseSchema):
    count = fields.Integer()
    since = UTCDateTime()
    last_at = UTCDateTime()
    meaning = CodeText(attribute="code", metadata={"description": "what it means, as an English sentence"})


class StopSchema(ResponseSchema):
    since = UTCDateTime(attribute="stopped_at")
    reason = CodeText(attribute="code", metadata={"description": "as an English sentence"})


class CatchUpSchema(ResponseSchema):
    requested_at = UTCDateTime(allow_none=True, metadata={"description": "of a request that has not begun"})
    started_at = UTCDateTime(allow_none=True, metadata={"description": "of the last reading"})
    finished_at = UTCDateTime(allow_none=True, metadata={"description": "of the last complete reading"})
    read_until = UTCDateTime(
        allow_none=True, metadata={"description": "every order that changed before this has been read"}
    )
    failures = fields.Integer(metadata={"description": "readings in a row that failed"})
    failed_since = UTCDateTime(allow_none=True)
    error = ProblemText(allow_none=True, metadata={"description": "why the last one failed, as an English sentence"})


class StoreWebhooksSchema(ResponseSchema):
    requested_at = UTCDateTime(allow_none=True, metadata={"description": "of a request that has not begun"})
    managed_since = UTCDateTime(
        allow_none=True, metadata={"description": "when the connector made them; null if a person did"}
    )
    checked_at = UTCDateTime(allow_none=True, metadata={"description": "when they were last read by the store's API"})
    failed_since = UTCDateTime(
        allow_none=True, metadata={"description": "the first check in a row with a problem or an error"}
    )
    problems = fields.List(ProblemText(), metadata={"description": "what is wrong with them, as English sentences"})
    error = ProblemText(allow_none=True, metadata={"description": "why they could not be read"})


class StoreTokenSchema(ResponseSchema):
    obtained_at = UTCDateTime()
    expires_at = UTCDateTime(allow_none=True, metadata={"description": "null if it does not expire"})


class StoreStatusSchema(ResponseSchema):
    name = fields.String(metadata={"description": "of its table in the configuration, and in its webhooks' address"})
    id = fields.String(attribute="store.id")
    storefront = fields.String(attribute="store.storefront")
    webhook_url = fields.String(
        allow_none=True, metadata={"description": "the address for its webhooks; null if `public_url` is not set"}
    )
    last_webhook_at = UTCDateTime(allow_none=True)
    silent = fields.Boolean(attribute="is_silent", metadata={"description": "no webhook for `silent_after_h`"})
    wrong_signatures = fields.Nested(SignatureFailuresSchema, attribute="signature_failures", allow_none=True)
    errors = fields.List(
        fields.Nested(StoreErrorsSchema), metadata={"description": "errors in place of orders, since the last order"}
    )
    stopped = fields.Nested(
        StopSchema,
        attribute="stop",
        allow_none=True,
        metadata={"description": "why its API is not called: the app does not work there any more"},
    )
    has_api = fields.Boolean(
        attribute="store.has_api", metadata={"description": "whether the settings give access to its API"}
    )
    token = fields.Nested(
        StoreTokenSchema, allow_none=True, metadata={"description": "the token that the connector obtained"}
    )
    catch_up = fields.Nested(CatchUpSchema, attribute="reading", allow_none=True)
    next_reading_at = UTCDateTime(
        allow_none=True, metadata={"description": "when catch-up reads it again; null if only on request"}
    )
    orders_caught_up = fields.Integer(metadata={"description": "orders that catch-up took in within 24 hours"})
    lost_webhooks = fields.Integer(
        attribute="lost_orders", metadata={"description": "of them, those of which no webhook had come"}
    )
    webhooks = fields.Nested(StoreWebhooksSchema, allow_none=True)
