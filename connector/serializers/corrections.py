"""JSON of corrections: what was entered for an order, and what can be entered."""

from dataclasses import dataclass
from typing import Any, cast

from marshmallow import fields

from connector.core.fields import UTCDateTime
from connector.database.corrections import CorrectionResult, list_corrections
from connector.database.models import Delivery, OrderCorrection
from connector.delivery.corrections import Corrections, find_correctable
from connector.runtime import Runtime
from connector.serializers.base import ProblemText, ResponseSchema
from connector.serializers.deliveries import CorrectableSchema, DeliverySchema


class CorrectionSchema(CorrectableSchema):
    value = fields.String()
    entered_by = fields.String()
    entered_at = UTCDateTime()
    reason = fields.String(metadata={"description": "what the person wrote; may be empty"})


class CorrectableFieldSchema(CorrectableSchema):
    problem = ProblemText(metadata={"description": "what it solves, as an English sentence"})
    choices = fields.List(
        fields.String(), metadata={"description": "the values that it takes; empty if it takes any text"}
    )


class CorrectionsSchema(ResponseSchema):
    entered = fields.List(fields.Nested(CorrectionSchema), metadata={"description": "what was entered, and holds"})
    fields_ = fields.List(
        fields.Nested(CorrectableFieldSchema),
        attribute="correctable.fields",
        data_key="fields",
        metadata={"description": "what can be entered to solve the delivery's problems"},
    )
    readings = fields.List(
        fields.Dict(keys=fields.String(), values=fields.String()),
        metadata={"description": "the ways to read an ambiguous address: the fields to enter for each"},
    )


class CorrectionResultSchema(ResponseSchema):
    delivery = fields.Nested(DeliverySchema)
    queued = fields.Boolean(attribute="is_queued", metadata={"description": "whether the order is sent with it"})
    effect = ProblemText(metadata={"description": "what it means for the delivery, as an English sentence"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionsDetail:
    """What was entered for a delivery's order, and what can be."""

    entered: list[OrderCorrection]
    correctable: Corrections

    @property
    def readings(self) -> list[dict[str, str]]:
        return [dict(reading) for reading in self.correctable.readings]


def load_corrections_detail(runtime: Runtime, delivery: Delivery) -> CorrectionsDetail:
    return CorrectionsDetail(
        entered=list_corrections(runtime.database, delivery.store, delivery.order_id),
        correctable=find_correctable(runtime, delivery),
    )


def serialize_corrections(runtime: Runtime, delivery: Delivery) -> dict[str, Any]:
    return cast(dict[str, Any], CorrectionsSchema().dump(load_corrections_detail(runtime, delivery)))


def serialize_correction_result(result: CorrectionResult) -> dict[str, Any]:
    return cast(dict[str, Any], CorrectionResultSchema().dump(result))
