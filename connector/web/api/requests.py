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
from connector.operations.actions import BULK_STATES, MOST_IDS, RESOLUTIONS

LIMIT, MOST = 50, 200
LARGEST_ID = 2**63 - 1
LONGEST_TEXT = 2_000
UNSTORABLE = f"holds characters that no database takes, or more than {LONGEST_TEXT}"
NO_TIME = "must be a time such as 2026-11-21T16:00:00Z"
ID_PATTERN = "^[0-9]{1,19}$"
NO_CURSOR = "must be one that a list gave as `next`"


def is_storable(text: str) -> None:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValidationError(UNSTORABLE)


class Text(fields.String):
    """Text that every database takes."""

    default_error_messages = {"invalid": "must be text"}  # noqa: RUF012  # marshmallow's own form

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": r"^[^\u0000]*$", **kwargs.pop("metadata", {})}
        super().__init__(
            validate=[Length(max=LONGEST_TEXT, error=UNSTORABLE), is_storable], metadata=metadata, **kwargs
        )


class Choice(fields.String):
    """One of these words."""

    def __init__(self, words: Any, **kwargs: Any) -> None:
        said = f"must be one of {', '.join(words)}"
        super().__init__(
            validate=OneOf(list(words), error=said), error_messages={"invalid": said, "required": said}, **kwargs
        )


class TrueOrFalse(fields.Boolean):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value


class WholeNumber(fields.Integer):
    """As an address writes it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not re.fullmatch("-?[0-9]{1,9}", value):
            raise ValidationError("must be a whole number")
        return int(value)


class Instant(fields.DateTime):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            at = datetime.fromisoformat(value)
        except (TypeError, ValueError) as error:
            raise ValidationError(NO_TIME) from error
        if at.tzinfo is None:
            raise ValidationError("needs an offset, as in 2026-11-21T16:00:00Z")
        try:
            return at.astimezone(UTC)
        except OverflowError as error:  # its offset leads out of the years 1 to 9999
            raise ValidationError(NO_TIME) from error


class Id(fields.String):
    """The id of a row of ours."""

    def __init__(self, said: str, **kwargs: Any) -> None:
        metadata = {"pattern": ID_PATTERN, **kwargs.pop("metadata", {})}
        super().__init__(error_messages={"invalid": said}, metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        if not is_id(text):
            raise self.make_error("invalid")
        return min(int(text), LARGEST_ID)  # nothing has a larger one


class Query(Schema):
    class Meta:
        unknown = RAISE


class Paged(Query):
    limit = WholeNumber(
        load_default=LIMIT, validate=Range(1, MOST, error=f"must be from 1 to {MOST}"), metadata={"default": LIMIT}
    )
    cursor = Id(NO_CURSOR, attribute="before", metadata={"description": "`next` of the page before"})


class EventFilters(Paged):
    store = Text()
    topic = Text(metadata={"description": "the platform's, or a word of the hub"})
    order = Text(metadata={"description": "an id or a number"})
    since = Instant(metadata={"description": "what came in then or later"})
    until = Instant(metadata={"description": "what came in before"})


class DeliveryFilters(Paged):
    state = Choice(State)
    reason = Choice(Reason)
    account = Text()
    store = Text()
    order = Text(metadata={"description": "an id or a number"})
    remote_id = Text(metadata={"description": "the order's id at the destination"})
    since = Instant(metadata={"description": "what was made then or later"})
    until = Instant(metadata={"description": "what was made before"})


class Body(Schema):
    """A JSON object. What is null is as if it were not there."""

    #: What several fields together may say, in the words of JSON Schema; `connector.operations.actions` judges it.
    rules: ClassVar[dict[str, Any]] = {}

    class Meta:
        unknown = RAISE

    @pre_load
    def leave_out_nulls(self, given: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in given.items() if value is not None}


class Nothing(Body):
    pass


class Noted(Body):
    note = Text(allow_none=True, metadata={"description": "why; it is kept"})


class EventRetrigger(Body):
    force = TrueOrFalse(allow_none=True, metadata={"description": "also what may have been sent: look there first"})
    note = Text(allow_none=True, metadata={"description": "why; it is kept"})


class DeliveryRetrigger(Body):
    force = TrueOrFalse(allow_none=True, metadata={"description": "also what may have been sent: look there first"})
    new_key = TrueOrFalse(allow_none=True, metadata={"description": "with `force`: no earlier attempt was processed"})
    note = Text(allow_none=True, metadata={"description": "why; it is kept"})


class Resolution(Body):
    rules: ClassVar = {
        "anyOf": [
            {"properties": {"as": {"const": State.DELIVERED}}},
            {"properties": {"as": {"const": State.DISCARDED}, "remote_id": {"type": "null"}}},
        ]
    }

    as_ = Choice(RESOLUTIONS, data_key="as", required=True)
    remote_id = Text(allow_none=True, metadata={"description": "the order's id at the destination"})
    note = Text(allow_none=True, metadata={"description": "why; it is kept"})


class Retriggers(Body):
    rules: ClassVar = {
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

    state = Choice(State, allow_none=True, metadata={"description": f"{' or '.join(BULK_STATES)} without `ids`"})
    reason = Choice(Reason, allow_none=True)
    account = Text(allow_none=True)
    store = Text(allow_none=True)
    since = Instant(allow_none=True, metadata={"description": "what was made then or later"})
    until = Instant(allow_none=True, metadata={"description": "what was made before"})
    ids = fields.List(
        Id("must be ids"),
        allow_none=True,
        validate=Length(1, MOST_IDS, error=f"must be from 1 to {MOST_IDS} ids"),
        error_messages={"invalid": "must be a list of ids"},
    )
    force = TrueOrFalse(allow_none=True, metadata={"description": "needs `ids`"})
    note = Text(allow_none=True, metadata={"description": "why; it is kept"})


def read_query(schema: Schema) -> dict[str, Any]:
    """The filters that were given. Raises `InvalidRequestError` on any other, and on one that is given twice."""
    for name, values in request.args.lists():
        if len(values) > 1:
            raise InvalidRequestError(f"`{name}` is given {len(values)} times")
    own = [name for name in schema.fields if name not in Paged().fields]
    return judge(schema, dict(request.args), f"no such filter: {{}}; there are {', '.join(own)}")


def read_body(schema: Schema) -> dict[str, Any]:
    """The body's object. None at all is an empty one. Raises `InvalidRequestError`."""
    asked: Any = {}
    if request.get_data():
        try:
            asked = request.get_json(force=True, silent=True)
        except RecursionError:  # nested too deeply
            asked = None
    if not isinstance(asked, dict):
        raise InvalidRequestError("the body must be a JSON object")
    there_are = ", ".join(field.data_key or name for name, field in schema.fields.items()) or "none"
    return judge(schema, asked, f"unknown: {{}}; there are {there_are}")


def judge(schema: Schema, given: Mapping[str, Any], unknown: str) -> dict[str, Any]:
    """What the schema makes of it. Raises `InvalidRequestError` with all that is wrong."""
    try:
        loaded: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        known = {field.data_key or name for name, field in schema.fields.items()}
        others = sorted(set(given) - known)
        said = [unknown.format(", ".join(others))] if others else []
        found: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
        said += [f"`{name}` {first(messages)}" for name, messages in found.items() if name in known]
        raise InvalidRequestError("; ".join(said)) from error
    return loaded


def first(found: Any) -> str:
    """The first thing that is wrong with a field; of a list, with its first item that is at fault."""
    while not isinstance(found, str):
        found = next(iter(found.values())) if isinstance(found, dict) else found[0]
    return found


def read_id(text: str) -> int:
    """Raises `NotFoundError`: what is no id of ours names nothing."""
    if not is_id(text) or int(text) > LARGEST_ID:
        raise NotFoundError("there is no such id")
    return int(text)


def is_id(text: str) -> bool:
    return re.fullmatch("[0-9]{1,19}", text) is not None
