"""Schemas of the API's queries, headers and bodies. Unknown fields are rejected and values are not coerced."""

from typing import Any, ClassVar

from marshmallow import EXCLUDE, RAISE, Schema, fields, pre_load
from marshmallow.validate import Length, OneOf, Range, Regexp

from connector.core.fields import IntegerText, StorableText, StrictBoolean, UTCDateTime
from connector.database.models import EventSource, JobAction, Reason, RequestState, State
from connector.operations.actions import RESOLUTIONS
from connector.operations.jobs import BULK_STATES, MAX_IDS
from connector.operations.remote_ids import MAX_LINES
from connector.web.row_ids import ID_PATTERN, MAX_ID, is_id
from mappings.notices import REQUEST_TOPICS

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
MAX_CORRECTIONS = 100


class ChoiceField(fields.String):
    """One of a few words."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        message = f"must be one of {', '.join(choices)}"
        super().__init__(
            validate=OneOf(list(choices), error=message),
            error_messages={"invalid": message, "required": message},
            **kwargs,
        )


class RowIdField(fields.String):
    """The id of a row, loaded as an integer. An id that is too large becomes `MAX_ID`, which no row has."""

    def __init__(self, message: str, **kwargs: Any) -> None:
        metadata = {"pattern": ID_PATTERN, **kwargs.pop("metadata", {})}
        super().__init__(error_messages={"invalid": message}, metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        if not is_id(text):
            raise self.make_error("invalid")
        return min(int(text), MAX_ID)


class LimitQuerySchema(Schema):
    class Meta:
        unknown = RAISE

    limit = IntegerText(
        load_default=DEFAULT_LIMIT,
        validate=Range(1, MAX_LIMIT, error=f"must be from 1 to {MAX_LIMIT}"),
        metadata={"default": DEFAULT_LIMIT},
    )


class PageQuerySchema(LimitQuerySchema):
    cursor = RowIdField(
        "must be the `next` of a list", attribute="before", metadata={"description": "`next` of the previous page"}
    )


class EventQuerySchema(PageQuerySchema):
    store = StorableText()
    topic = StorableText(metadata={"description": "the platform's topic, or a canonical one"})
    order = StorableText(metadata={"description": "order id or order number"})
    source = ChoiceField(EventSource)
    since = UTCDateTime(metadata={"description": "received at this time or later"})
    until = UTCDateTime(metadata={"description": "received before this time"})


class DeliveryQuerySchema(PageQuerySchema):
    state = ChoiceField(State)
    reason = ChoiceField(Reason)
    account = StorableText()
    store = StorableText()
    order = StorableText(metadata={"description": "order id or order number"})
    remote_id = StorableText(metadata={"description": "the order's id at the destination"})
    since = UTCDateTime(metadata={"description": "created at this time or later"})
    until = UTCDateTime(metadata={"description": "created before this time"})


class IdempotencyHeaderSchema(Schema):
    """https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07, read 2026-11-22."""

    class Meta:
        unknown = EXCLUDE

    #: Visible ASCII. The draft puts the key in quotes; many clients do not, so quotes are part of the key.
    idempotency_key = fields.String(
        data_key="Idempotency-Key",
        validate=Regexp("^[!-~]{1,255}$", error="must be 1 to 255 visible ASCII characters"),
        metadata={"description": "Identifies the request: a repeated request is performed once. Kept for 24 hours."},
    )


class BodySchema(Schema):
    """A JSON object, in which null means the same as an absent field."""

    #: Rules over several fields, in JSON Schema, for the document. `connector.operations.actions` enforces them.
    json_schema_rules: ClassVar[dict[str, Any]] = {}

    class Meta:
        unknown = RAISE

    @pre_load
    def drop_nulls(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, dict):  # an item of a list, which the schema refuses
            return data
        known_names = {field.data_key or name for name, field in self.fields.items()}
        return {name: value for name, value in data.items() if value is not None or name not in known_names}


class EmptyBodySchema(BodySchema):
    pass


class NoteBodySchema(BodySchema):
    note = StorableText(allow_none=True, metadata={"description": "reason, kept with the action"})


class RequiredNoteBodySchema(BodySchema):
    note = StorableText(
        required=True,
        metadata={"description": "reason, kept with the action", "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$"},
    )


class EraseRequestBodySchema(BodySchema):
    discard_parked = StrictBoolean(
        allow_none=True, metadata={"description": "also end deliveries that are parked and were certainly not sent"}
    )


class PrivacyRequestQuerySchema(PageQuerySchema):
    state = ChoiceField(RequestState)
    store = StorableText()
    kind = ChoiceField(sorted(REQUEST_TOPICS))


class RetryEventBodySchema(NoteBodySchema):
    force = StrictBoolean(
        allow_none=True,
        metadata={"description": "also retry deliveries that may have been sent: check the destination first"},
    )
    account = StorableText(
        allow_none=True, metadata={"description": "only for this account, even if no route leads there"}
    )


class RetryDeliveryBodySchema(NoteBodySchema):
    force = StrictBoolean(
        allow_none=True, metadata={"description": "retry even if it may have been sent: check the destination first"}
    )
    new_key = StrictBoolean(
        allow_none=True, metadata={"description": "with `force`: confirms that no earlier attempt was processed"}
    )
    looked = StrictBoolean(
        allow_none=True,
        metadata={"description": "confirms that the order is not at the destination, if it is uncertain or held"},
    )


class ResolveBodySchema(NoteBodySchema):
    json_schema_rules: ClassVar = {
        "anyOf": [
            {"properties": {"as": {"const": State.DELIVERED}}},
            {"properties": {"as": {"const": State.DISCARDED}, "remote_id": {"type": "null"}}},
        ]
    }

    resolution = ChoiceField(RESOLUTIONS, data_key="as", required=True)
    remote_id = StorableText(allow_none=True, metadata={"description": "the order's id at the destination"})


class RemoteIdSchema(BodySchema):
    order = StorableText(required=True, metadata={"description": "number or id of one of the orders"})
    remote_id = StorableText(required=True, metadata={"description": "the order's id at the destination"})


class JobBodySchema(NoteBodySchema):
    json_schema_rules: ClassVar = {
        "allOf": [
            {
                "anyOf": [
                    {"properties": {"ids": {"type": "array"}}, "required": ["ids"]},
                    {
                        "properties": {
                            "ids": {"type": "null"},
                            "force": {"enum": [False, None]},
                            "state": {"enum": [*BULK_STATES, None]},
                        }
                    },
                ]
            },
            {
                "anyOf": [
                    {"properties": {"action": {"enum": [JobAction.RETRIGGER, None]}}},
                    {"properties": {"force": {"enum": [False, None]}, "looked": {"enum": [False, None]}}},
                ]
            },
            {
                "anyOf": [
                    {"properties": {"action": {"const": JobAction.MARK_DELIVERED}}, "required": ["action"]},
                    {"properties": {"remote_ids": {"type": "null"}, "others_without_id": {"enum": [False, None]}}},
                ]
            },
        ]
    }

    action = ChoiceField(JobAction, allow_none=True, metadata={"description": "by default `retrigger`"})
    state = ChoiceField(State, allow_none=True, metadata={"description": f"{' or '.join(BULK_STATES)} without `ids`"})
    reason = ChoiceField(Reason, allow_none=True)
    account = StorableText(allow_none=True)
    store = StorableText(allow_none=True)
    problem = StorableText(
        allow_none=True, metadata={"description": "a cause: code and path of a problem, as `missing:ship_to/phone`"}
    )
    error = StorableText(
        allow_none=True,
        metadata={"description": "the last attempt's error: its code, with its status as `http_status: 422`"},
    )
    job = RowIdField("must be the id of a job", allow_none=True, metadata={"description": "deliveries of this job"})
    since = UTCDateTime(allow_none=True, metadata={"description": "created at this time or later"})
    until = UTCDateTime(allow_none=True, metadata={"description": "created before this time"})
    ids = fields.List(
        RowIdField("must be ids"),
        allow_none=True,
        validate=Length(1, MAX_IDS, error=f"must be from 1 to {MAX_IDS} ids"),
        error_messages={"invalid": "must be a list of ids"},
    )
    force = StrictBoolean(allow_none=True, metadata={"description": "requires `ids`"})
    looked = StrictBoolean(
        allow_none=True,
        metadata={
            "description": "also send uncertain deliveries: each was searched at the destination and is not there"
        },
    )
    remote_ids = fields.List(
        fields.Nested(RemoteIdSchema),
        allow_none=True,
        validate=Length(1, MAX_LINES, error=f"must be from 1 to {MAX_LINES} objects"),
        error_messages={"invalid": "must be a list of objects"},
        metadata={"description": "with `mark-delivered`: what each order's id at the destination is"},
    )
    others_without_id = StrictBoolean(
        allow_none=True,
        metadata={"description": "with `remote_ids`: the other orders have no id; else each needs one"},
    )


class CorrectionBodySchema(NoteBodySchema):
    corrections = fields.Dict(
        keys=StorableText(),
        values=StorableText(),
        required=True,
        validate=Length(1, MAX_CORRECTIONS, error=f"must have from 1 to {MAX_CORRECTIONS} fields"),
        error_messages={"invalid": "must be an object", "required": "must be an object"},
        metadata={
            "description": "the value of each field, by its name: `ship_to.district`, `lines[11].sku`",
            "minProperties": 1,
            "maxProperties": MAX_CORRECTIONS,
        },
    )


class WithdrawalBodySchema(NoteBodySchema):
    names = fields.List(
        StorableText(),
        data_key="fields",
        required=True,
        validate=Length(1, MAX_CORRECTIONS, error=f"must have from 1 to {MAX_CORRECTIONS} names"),
        error_messages={"invalid": "must be a list of names of fields", "required": "must be a list of names"},
    )


class PersonalDataBodySchema(Schema):
    json_schema_rules: ClassVar = {"oneOf": [{"required": ["order"]}, {"required": ["email"]}]}

    class Meta:
        unknown = RAISE

    order = StorableText(metadata={"description": "an order's number or id; either this or `email`"})
    email = StorableText(metadata={"description": "an e-mail address, in any case", "pattern": "@"})
    store = StorableText(metadata={"description": "only of this store: its name, or the id of a retired one"})


class ErasureBodySchema(PersonalDataBodySchema):
    discard_parked = StrictBoolean(
        metadata={"description": "end deliveries that are parked and were certainly not sent"}
    )
