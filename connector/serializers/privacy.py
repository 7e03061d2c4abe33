"""JSON of what was erased."""

from typing import Any

from marshmallow import fields
from marshmallow.validate import OneOf

from connector.database.models import State
from connector.privacy.erase import ErasureResult
from connector.serializers.base import ResponseSchema


class OpenDeliverySchema(ResponseSchema):
    id = fields.String()
    account = fields.String()
    state = fields.String(validate=OneOf([State.WAITING, State.SENDING, State.PARKED]))
    reason = fields.String(allow_none=True)


class OrderErasureSchema(ResponseSchema):
    store = fields.String()
    order_id = fields.String()
    order_number = fields.String(allow_none=True)
    status = fields.String(
        validate=OneOf(["erased", "pending"]),
        metadata={"description": "pending: it is erased once the deliveries in `waits_for` have ended"},
    )
    waits_for = fields.List(fields.Nested(OpenDeliverySchema), attribute="open_deliveries")

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        if attr == "status":
            return "erased" if obj.is_erased else "pending"
        return super().get_attribute(obj, attr, default)


class ErasureSchema(ResponseSchema):
    orders = fields.List(fields.Nested(OrderErasureSchema))
    events = fields.Integer(metadata={"description": "erased events that name no order, such as those of drafts"})
    is_clean = fields.Boolean(
        data_key="files_clean",
        metadata={"description": "whether nothing is left in the database's files; if not, a worker tries again"},
    )


class PersonalDataOrderSchema(ResponseSchema):
    store = fields.String()
    order_id = fields.String(allow_none=True, metadata={"description": "null for an event that names no order"})
    order_number = fields.String(allow_none=True)
    events = fields.List(fields.Dict())
    deliveries = fields.List(fields.Dict(), metadata={"description": "each with its attempts and notes"})
    corrections = fields.List(fields.Dict(), metadata={"description": "what people entered"})


class PersonalDataSchema(ResponseSchema):
    """The document that `connector privacy export` writes, too."""

    description = fields.String()
    exported_at = fields.String()
    searched_for = fields.Dict(keys=fields.String(), values=fields.String())
    orders = fields.List(fields.Nested(PersonalDataOrderSchema))


def serialize_erasure(result: ErasureResult) -> dict[str, Any]:
    data: dict[str, Any] = ErasureSchema().dump(result)
    return data
