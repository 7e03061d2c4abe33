"""marshmallow's fields and validators, with error messages that say what a setting must be.

They follow the setting's path in a sentence: `accounts.bodega.concurrency: must be a whole number.`
"""

from datetime import UTC, datetime
from typing import Any, TypeVar

from marshmallow import ValidationError, fields, validate

from mappings.labels import N_, Sentence

T = TypeVar("T")


class Field(fields.Field[T]):
    default_error_messages = {"required": "is missing.", "null": "must not be null."}


class String(Field[str], fields.String):
    default_error_messages = {"invalid": N_("must be text.")}


class Integer(Field[int], fields.Integer):
    default_error_messages = {
        "invalid": N_("must be a whole number."),
        "too_large": N_("is too large."),
    }


class Float(Field[float], fields.Float):
    default_error_messages = {
        "invalid": "must be a number.",
        "too_large": "is too large.",
        "special": "must be a finite number.",
    }


class Decimal(Field[Any], fields.Decimal):
    default_error_messages = {
        "invalid": "must be a number.",
        "special": "must be a finite number.",
    }


class Boolean(Field[bool], fields.Boolean):
    default_error_messages = {"invalid": "must be true or false."}


class Instant(Field[datetime]):
    """A date and time with an offset: TOML's own, or a text as in RFC 3339."""

    default_error_messages = {"invalid": "must be a date and time with an offset, such as 2026-11-01T00:00:00Z."}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:
        try:
            instant = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        except ValueError as error:
            raise self.make_error("invalid") from error
        if not isinstance(instant, datetime) or instant.tzinfo is None:
            raise self.make_error("invalid")
        try:
            return instant.astimezone(UTC)
        except OverflowError as error:
            raise self.make_error("invalid") from error


class List(Field[Any], fields.List[T]):
    default_error_messages = {"invalid": "must be a list."}


class Dict(Field[Any], fields.Dict):
    default_error_messages = {"invalid": "must be a table."}


class Nested(Field[Any], fields.Nested):
    """A table with its own settings. Its `SettingsSchema` has the messages."""


class OneOf(validate.OneOf):
    def __call__(self, value: Any) -> Any:
        try:
            return super().__call__(value)
        except ValidationError as error:
            message = Sentence(N_("must be one of: %(choices)s."), choices=self.choices_text)
            raise ValidationError(message) from error


class Range(validate.Range):
    message_min = "must be {min_op} {{min}}."
    message_max = "must be {max_op} {{max}}."
    message_all = "must be {min_op} {{min}} and {max_op} {{max}}."
    message_gte = "at least"
    message_gt = "more than"
    message_lte = "at most"
    message_lt = "less than"
