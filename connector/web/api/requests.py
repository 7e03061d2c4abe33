"""What may be asked of the API: the schemas of its queries and bodies, which judge them and describe them.

Nothing unknown is passed over, and nothing is taken for what it resembles.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from flask import request
from marshmallow import RAISE, Schema, ValidationError, fields, pre_load
from marshmallow.validate import Length, OneOf, Range

from connector.core.exceptions import InvalidRequestError, NotFoundError
from connector.database.models import Reason, State
from connector.operations.actions import BULK_STATES, MAX_IDS, RESOLUTIONS

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
MAX_ID = 2**63 - 1
MAX_TEXT_LENGTH = 2_000
INVALID_TEXT_MESSAGE = f"holds characters that no database takes, or more than {MAX_TEXT_LENGTH}"
INVALID_TIME_MESSAGE = "must be a time such as 2026-11-21T16:00:00Z"
ID_PATTERN = "^[0-9]{1,19}$"
INVALID_CURSOR_MESSAGE = "must be one that a list gave as `next`"


def validate_storable(text: str) -> None:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValidationError(INVALID_TEXT_MESSAGE)


class StorableText(fields.String):
    """Text that every database takes."""

    default_error_messages = {"invalid": "must be text"}

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": r"^[^\u0000]*$", **kwargs.pop("metadata", {})}
        super().__init__(
            validate=[Length(max=MAX_TEXT_LENGTH, error=INVALID_TEXT_MESSAGE), validate_storable],
            metadata=metadata,
            **kwargs,
        )


class ChoiceField(fields.String):
    """One of these words."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        message = f"must be one of {', '.join(choices)}"
        super().__init__(
            validate=OneOf(list(choices), error=message),
            error_messages={"invalid": message, "required": message},
            **kwargs,
        )


class StrictBoolean(fields.Boolean):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value


class QueryInteger(fields.Integer):
    """As an address writes it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not re.fullmatch("-?[0-9]{1,9}", value):
            raise ValidationError("must be a whole number")
        return int(value)


class RequestDateTime(fields.DateTime):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            at = datetime.fromisoformat(value)
        except (TypeError, ValueError) as error:
            raise ValidationError(INVALID_TIME_MESSAGE) from error
        if at.tzinfo is None:
            raise ValidationError("needs an offset, as in 2026-11-21T16:00:00Z")
        try:
            return at.astimezone(UTC)
        except OverflowError as error:  # its offset leads out of the years 1 to 9999
            raise ValidationError(INVALID_TIME_MESSAGE) from error


class RowId(fields.String):
    """The id of a row of ours."""

    def __init__(self, message: str, **kwargs: Any) -> None:
        metadata = {"pattern": ID_PATTERN, **kwargs.pop("metadata", {})}
        super().__init__(error_messages={"invalid": message}, metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        if not is_id(text):
            raise self.make_error("invalid")
        return min(int(text), MAX_ID)  # nothing has a larger one


class QuerySchema(Schema):
    class Meta:
        unknown = RAISE


class PageQuerySchema(QuerySchema):
    limit = QueryInteger(
        load_default=DEFAULT_LIMIT,
        validate=Range(1, MAX_LIMIT, error=f"must be from 1 to {MAX_LIMIT}"),
        metadata={"default": DEFAULT_LIMIT},
    )
    cursor = RowId(INVALID_CURSOR_MESSAGE, attribute="before", metadata={"description": "`next` of the page before"})


class EventQuerySchema(PageQuerySchema):
    store = StorableText()
    topic = StorableText(metadata={"description": "the platform's, or a word of the hub"})
    order = StorableText(metadata={"description": "an id or a number"})
    since = RequestDateTime(metadata={"description": "what came in then or later"})
    until = RequestDateTime(metadata={"description": "what came in before"})


class DeliveryQuerySchema(PageQuerySchema):
    state = ChoiceField(State)
    reason = ChoiceField(Reason)
    account = StorableText()
    store = StorableText()
    order = StorableText(metadata={"description": "an id or a number"})
    remote_id = StorableText(metadata={"description": "the order's id at the destination"})
    since = RequestDateTime(metadata={"description": "what was made then or later"})
    until = RequestDateTime(metadata={"description": "what was made before"})


class BodySchema(Schema):
    """A JSON object. What is null is as if it were not there."""

    #: What several fields together may say, in the words of JSON Schema; `connector.operations.actions` judges it.
    json_schema_rules: ClassVar[dict[str, Any]] = {}

    class Meta:
        unknown = RAISE

    @pre_load
    def drop_nulls(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value is not None}


class EmptyBodySchema(BodySchema):
    pass


class NoteBodySchema(BodySchema):
    note = StorableText(allow_none=True, metadata={"description": "why; it is kept"})


class RetryEventBodySchema(BodySchema):
    force = StrictBoolean(allow_none=True, metadata={"description": "also what may have been sent: look there first"})
    note = StorableText(allow_none=True, metadata={"description": "why; it is kept"})


class RetryDeliveryBodySchema(BodySchema):
    force = StrictBoolean(allow_none=True, metadata={"description": "also what may have been sent: look there first"})
    new_key = StrictBoolean(allow_none=True, metadata={"description": "with `force`: no earlier attempt was processed"})
    note = StorableText(allow_none=True, metadata={"description": "why; it is kept"})


class ResolveBodySchema(BodySchema):
    json_schema_rules: ClassVar = {
        "anyOf": [
            {"properties": {"as": {"const": State.DELIVERED}}},
            {"properties": {"as": {"const": State.DISCARDED}, "remote_id": {"type": "null"}}},
        ]
    }

    resolution = ChoiceField(RESOLUTIONS, data_key="as", required=True)
    remote_id = StorableText(allow_none=True, metadata={"description": "the order's id at the destination"})
    note = StorableText(allow_none=True, metadata={"description": "why; it is kept"})


class BulkRetryBodySchema(BodySchema):
    json_schema_rules: ClassVar = {
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
    }

    state = ChoiceField(State, allow_none=True, metadata={"description": f"{' or '.join(BULK_STATES)} without `ids`"})
    reason = ChoiceField(Reason, allow_none=True)
    account = StorableText(allow_none=True)
    store = StorableText(allow_none=True)
    since = RequestDateTime(allow_none=True, metadata={"description": "what was made then or later"})
    until = RequestDateTime(allow_none=True, metadata={"description": "what was made before"})
    ids = fields.List(
        RowId("must be ids"),
        allow_none=True,
        validate=Length(1, MAX_IDS, error=f"must be from 1 to {MAX_IDS} ids"),
        error_messages={"invalid": "must be a list of ids"},
    )
    force = StrictBoolean(allow_none=True, metadata={"description": "needs `ids`"})
    note = StorableText(allow_none=True, metadata={"description": "why; it is kept"})


def load_query(schema: Schema) -> dict[str, Any]:
    """The filters that were given. Raises `InvalidRequestError` on any other, and on one that is given twice."""
    for name, values in request.args.lists():
        if len(values) > 1:
            raise InvalidRequestError(f"`{name}` is given {len(values)} times")
    filter_names = [name for name in schema.fields if name not in PageQuerySchema().fields]
    return load_or_reject(schema, dict(request.args), f"no such filter: {{}}; there are {', '.join(filter_names)}")


def load_body(schema: Schema) -> dict[str, Any]:
    """The body's object. None at all is an empty one. Raises `InvalidRequestError`."""
    body: Any = {}
    if request.get_data():
        try:
            body = request.get_json(force=True, silent=True)
        except RecursionError:  # nested too deeply
            body = None
    if not isinstance(body, dict):
        raise InvalidRequestError("the body must be a JSON object")
    field_names = ", ".join(field.data_key or name for name, field in schema.fields.items()) or "none"
    return load_or_reject(schema, body, f"unknown: {{}}; there are {field_names}")


def load_or_reject(schema: Schema, data: Mapping[str, Any], unknown_template: str) -> dict[str, Any]:
    """What the schema makes of it. Raises `InvalidRequestError` with all that is wrong."""
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        known_names = {field.data_key or name for name, field in schema.fields.items()}
        unknown_names = sorted(set(data) - known_names)
        errors = [unknown_template.format(", ".join(unknown_names))] if unknown_names else []
        messages_by_field: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
        errors += [
            f"`{name}` {first_error(messages)}" for name, messages in messages_by_field.items() if name in known_names
        ]
        raise InvalidRequestError("; ".join(errors)) from error
    return loaded


def first_error(messages: Any) -> str:
    """The first thing that is wrong with a field; of a list, with its first item that is at fault."""
    while not isinstance(messages, str):
        messages = next(iter(messages.values())) if isinstance(messages, dict) else messages[0]
    return messages


def parse_id(text: str) -> int:
    """Raises `NotFoundError`: what is no id of ours names nothing."""
    if not is_id(text) or int(text) > MAX_ID:
        raise NotFoundError("there is no such id")
    return int(text)


def is_id(text: str) -> bool:
    return re.fullmatch("[0-9]{1,19}", text) is not None
