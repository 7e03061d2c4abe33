"""marshmallow fields that do not coerce values, for requests, responses and environment variables."""

import re
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.validate import Length

MAX_TEXT_LENGTH = 2_000
INVALID_TEXT_MESSAGE = f"must have at most {MAX_TEXT_LENGTH} characters, without NUL and unpaired surrogates"


def format_timestamp(at: datetime) -> str:
    """Return `at` in RFC 3339, in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def validate_storable(text: str) -> None:
    """Raise `ValidationError` for characters that a database does not store."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValidationError(INVALID_TEXT_MESSAGE)


class StorableText(fields.String):
    """Text of at most `MAX_TEXT_LENGTH` characters that every database can store."""

    default_error_messages = {"invalid": "must be text"}  # declared so by marshmallow

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": r"^[^\u0000]*$", **kwargs.pop("metadata", {})}
        super().__init__(
            validate=[Length(max=MAX_TEXT_LENGTH, error=INVALID_TEXT_MESSAGE), validate_storable],
            metadata=metadata,
            **kwargs,
        )


class StrictBoolean(fields.Boolean):
    """true or false: `fields.Boolean` also accepts 1, "yes" and others."""

    default_error_messages = {"invalid": "must be true or false"}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class IntegerText(fields.Integer):
    """An integer written as digits: `fields.Integer` also accepts "8_000" and " 8000 "."""

    default_error_messages = {"invalid": "must be a whole number"}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> int:
        if not re.fullmatch("-?[0-9]{1,9}", value):
            raise self.make_error("invalid")
        return int(value)


class UTCDateTime(fields.AwareDateTime):
    """A time with an offset, loaded as UTC and dumped in RFC 3339 with milliseconds."""

    default_error_messages = {
        "invalid": "must be a time such as 2026-11-21T16:00:00Z",
        "invalid_awareness": "needs an offset, as in 2026-11-21T16:00:00Z",
    }

    def _serialize(self, value: datetime | None, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else format_timestamp(value)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:
        at = super()._deserialize(value, *args, **kwargs)
        try:
            return at.astimezone(UTC)
        except OverflowError as error:  # the offset leads outside the years 1 to 9999
            raise self.make_error("invalid") from error
