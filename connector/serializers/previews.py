"""JSON of previews: the body that would be sent, and where each field comes from."""

from typing import Any, cast

from marshmallow import fields
from marshmallow.validate import OneOf

from connector.delivery.preview import Preview
from connector.serializers.base import ProblemText, ResponseSchema
from mappings.preview.provenance import ExplainedMapping


class SourceSchema(ResponseSchema):
    part = fields.String(
        validate=OneOf(["order", "store", "account", "entered"]),
        metadata={"description": "where the value comes from"},
    )
    path = fields.String(
        metadata={"description": "in the order's payload, or the name of a setting, or of the field that was entered"}
    )
    entered_by = fields.String(
        allow_none=True,
        metadata={"description": "who entered this field, or this row of a lookup table; null for all else"},
    )


class OriginSchema(ResponseSchema):
    field = fields.String(metadata={"description": "path in the body"})
    label = fields.String(metadata={"description": "the field's name as a merchant knows it"})
    value = fields.Raw(allow_none=True)
    hub = fields.String()
    sources = fields.List(
        fields.Nested(SourceSchema), data_key="from", metadata={"description": "what the value is computed from"}
    )
    depends_on = fields.List(
        fields.Nested(SourceSchema), data_key="with", metadata={"description": "what else the value depends on"}
    )
    note = fields.String(allow_none=True, metadata={"description": "set when `from` is empty"})


class DifferenceSchema(ResponseSchema):
    field = fields.String()
    old = fields.Raw(allow_none=True)
    new = fields.Raw(allow_none=True)


class ExplainedBodySchema(ResponseSchema):
    body = fields.Dict(allow_none=True, metadata={"description": "null if problems prevent sending"})
    problems = fields.List(ProblemText())
    warnings = fields.List(ProblemText())
    origins = fields.List(fields.Nested(OriginSchema))


class PreviewSchema(ExplainedBodySchema):
    event = fields.String(attribute="event_id", metadata={"description": "the newest event of the order"})
    differences = fields.List(
        fields.Nested(DifferenceSchema),
        allow_none=True,
        metadata={"description": "changes since the body of the last attempt; null if one of the two is missing"},
    )


def serialize_explained_body(explained: ExplainedMapping) -> dict[str, Any]:
    return cast(dict[str, Any], ExplainedBodySchema().dump(explained))


def serialize_preview(preview: Preview) -> dict[str, Any]:
    return cast(dict[str, Any], PreviewSchema().dump(preview))
