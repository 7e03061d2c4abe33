"""JSON of accounts' credentials: which are used, since when and by whom; never their values."""

from marshmallow import fields
from marshmallow.validate import OneOf

from connector.core.fields import UTCDateTime
from connector.operations.credentials import Verdict
from connector.serializers.base import ResponseSchema
from connector.settings import CredentialUse


class CredentialSchema(ResponseSchema):
    setting = fields.String(metadata={"description": "as in the configuration: `api_key`, `headers.Authorization`"})
    source = fields.String(
        validate=OneOf(["entered", "configuration", "none"]), metadata={"description": "where the value in use is from"}
    )
    is_configured = fields.Boolean(metadata={"description": "whether the configuration has a value"})
    use = fields.String(
        allow_none=True,
        validate=OneOf([*CredentialUse, None]),
        metadata={"description": "whether the value that a person entered is used, or why not; null if nobody did"},
    )
    entered_by = fields.String(allow_none=True)
    entered_at = UTCDateTime(allow_none=True)
    is_verified = fields.Boolean(
        allow_none=True, metadata={"description": "whether the destination accepted it when it was entered"}
    )


class CredentialListSchema(ResponseSchema):
    items = fields.List(fields.Nested(CredentialSchema))


class ReplacementSchema(CredentialListSchema):
    test = fields.String(
        validate=OneOf([Verdict.ACCEPTED, Verdict.UNTESTED, Verdict.NOT_TESTABLE]),
        metadata={
            "description": "`untested`: the test showed nothing; `not testable`: the destination has no request for it"
        },
    )
    job = fields.String(
        allow_none=True, metadata={"description": "the job that sends what was refused with the old credentials"}
    )
