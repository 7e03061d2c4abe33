"""JSON of lookup tables: their rows, and the rows that orders wait for."""

from typing import Any

from marshmallow import fields, post_dump

from connector.core.fields import UTCDateTime
from connector.serializers.base import ResponseSchema


class TableSummarySchema(ResponseSchema):
    account = fields.String()
    table = fields.String()
    kept_in = fields.String(
        allow_none=True, metadata={"description": "the file of the configuration's rows; null if it has none"}
    )
    configured = fields.Integer(metadata={"description": "rows of the configuration"})
    entered = fields.Integer(metadata={"description": "rows that people entered; they win"})
    waiting = fields.Integer(metadata={"description": "deliveries that are parked for a row of the table"})


class EnteredRowSchema(ResponseSchema):
    account = fields.String()
    table = fields.String()
    key = fields.String()
    value = fields.Raw(allow_none=True, metadata={"description": "as in the configuration"})
    entered_by = fields.String()
    entered_at = UTCDateTime()
    note = fields.String(allow_none=True)


class TableRowSchema(ResponseSchema):
    key = fields.String()
    value = fields.Raw(allow_none=True, metadata={"description": "the value in effect, as in the configuration"})
    configured_value = fields.Raw(
        allow_none=True, metadata={"description": "the configuration's value; null if it has none"}
    )
    entered_by = fields.String(
        attribute="entered.entered_by", allow_none=True, metadata={"description": "null: it is the configuration's row"}
    )
    entered_at = UTCDateTime(attribute="entered.entered_at", allow_none=True)
    note = fields.String(attribute="entered.note", allow_none=True)

    @post_dump
    def fill_missing(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: data.get(name) for name in self.fields}


class MissingRowSchema(ResponseSchema):
    account = fields.String()
    table = fields.String()
    keys = fields.List(fields.String(), metadata={"description": "the row may be under any of these"})
    deliveries = fields.Integer(metadata={"description": "how many wait for it"})
    newest_delivery = fields.String(metadata={"description": "the id of the newest of them"})
