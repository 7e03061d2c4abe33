"""JSON of deliveries, their attempts and notes, and the results of retriggering them."""

from dataclasses import dataclass
from typing import Any, cast

from marshmallow import fields, post_dump
from marshmallow.validate import OneOf

from connector.core.fields import UTCDateTime
from connector.core.messages import render_stored
from connector.database.models import Attempt, Delivery, Note, Reason, State
from connector.database.operator_actions import RetriggerResult
from connector.database.queries.deliveries import list_attempts, list_notes
from connector.runtime import Runtime
from connector.serializers.base import DecodedBytes, ExtendedRowSchema, JsonBytes, ProblemText, ResponseSchema
from mappings.correctable_fields import render_field
from mappings.destination import Outcome
from mappings.problems import load_problems


class FieldLabel(fields.String):
    """What merchants call a field of an order, in English."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return render_field(value)


class CorrectableSchema(ResponseSchema):
    field = fields.String(metadata={"description": "name of the field, as `corrections` takes it"})
    label = FieldLabel(metadata={"description": "what merchants call it"})

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj, "field" if attr == "label" else attr, default)


class DeliverySchema(ResponseSchema):
    id = fields.String()
    event = fields.String(attribute="event_id", metadata={"description": "the newest event that was applied"})
    store = fields.String()
    account = fields.String()
    destination = fields.String()
    order_id = fields.String()
    order_number = fields.String(allow_none=True)
    state = fields.String(validate=OneOf(list(State)))
    reason = fields.String(allow_none=True, validate=OneOf([*Reason, None]))
    problems = fields.List(ProblemText())
    warnings = fields.List(ProblemText())
    correctable = fields.List(
        fields.Nested(CorrectableSchema),
        metadata={"description": "what can be entered to solve the problems, see `POST …/corrections`"},
    )
    attempts = fields.Integer(metadata={"description": "number of attempts"})
    next_attempt_at = UTCDateTime(attribute="due_at", allow_none=True)
    remote_id = fields.String(allow_none=True, metadata={"description": "the order's id at the destination"})
    created_at = UTCDateTime()
    updated_at = UTCDateTime()

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        if attr != "correctable":
            return super().get_attribute(obj, attr, default)
        problems = load_problems(super().get_attribute(obj, "problems", ()))
        return [{"field": name} for name in dict.fromkeys(name for problem in problems for name in problem.fields)]


class AttemptSchema(ResponseSchema):
    number = fields.Integer()
    started_at = UTCDateTime()
    duration_ms = fields.Integer(allow_none=True)
    manual = fields.Boolean(attribute="is_manual", metadata={"description": "whether an operator requested it"})
    outcome = fields.String(validate=OneOf([*Outcome, "sending"]))
    status = fields.Integer(allow_none=True, metadata={"description": "HTTP status of the response"})
    error = ProblemText(allow_none=True, metadata={"description": "what went wrong, as an English sentence"})
    reply = DecodedBytes(allow_none=True)


class NoteText(fields.String):
    """What happened, as an English sentence, and what a person wrote."""

    def _serialize(self, value: Any, attr: Any, obj: Note, **kwargs: Any) -> str:
        return ": ".join(text for text in (render_stored(obj.message), obj.text) if text)


class NoteSchema(ResponseSchema):
    at = UTCDateTime()
    kind = fields.String()
    text = NoteText(metadata={"description": "what the person wrote; of an alert, what happened"})
    who = fields.String(allow_none=True)


class DeliveryDetailSchema(ExtendedRowSchema, DeliverySchema):
    idempotency_key = fields.String(allow_none=True)
    body = JsonBytes(allow_none=True, metadata={"description": "what is sent, or was sent last"})
    pruned_at = UTCDateTime(
        metadata={"optional": True, "description": "when the body and the replies were deleted; absent until then"}
    )
    attempt_log = fields.List(fields.Nested(AttemptSchema))
    notes = fields.List(fields.Nested(NoteSchema))

    @post_dump
    def drop_missing_pruned_at(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if name != "pruned_at" or value is not None}


class RetryResultSchema(ResponseSchema):
    id = fields.String(allow_none=True, metadata={"description": "null if there is no delivery, and none was created"})
    account = fields.String()
    done = fields.String(validate=OneOf(["queued", "left"]))
    why = ProblemText(metadata={"description": "what it was, or why it was skipped, as an English sentence"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDetail:
    """A delivery with its attempts and notes."""

    row: Delivery
    attempt_log: list[Attempt]
    notes: list[Note]


def load_delivery_detail(runtime: Runtime, delivery: Delivery) -> DeliveryDetail:
    """Load the attempts and notes of a delivery."""
    return DeliveryDetail(
        row=delivery,
        attempt_log=list_attempts(runtime.database, delivery.id),
        notes=list_notes(runtime.database, delivery.id),
    )


def serialize_delivery(delivery: Delivery) -> dict[str, Any]:
    return cast(dict[str, Any], DeliverySchema().dump(delivery))


def serialize_delivery_detail(runtime: Runtime, delivery: Delivery) -> dict[str, Any]:
    return cast(dict[str, Any], DeliveryDetailSchema().dump(load_delivery_detail(runtime, delivery)))


def serialize_retry_result(result: RetriggerResult) -> dict[str, Any]:
    return cast(dict[str, Any], RetryResultSchema().dump(result))
