"""Reads form fields and query parameters."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta

from flask_babel import to_utc
from marshmallow import ValidationError

from connector.core.exceptions import InvalidRequestError
from connector.core.fields import MAX_TEXT_LENGTH, validate_storable
from connector.web.dashboard.i18n import gettext as _
from connector.web.row_ids import parse_id

PAGE_SIZE = 50


class InvalidFormError(InvalidRequestError):
    """A form or a query string is not valid. The message is in the reader's language."""


def read_text(values: Mapping[str, str], name: str) -> str | None:
    """Return the stripped text, or None if it is empty. Raises `InvalidFormError`."""
    text = values.get(name, "").strip()
    try:
        validate_storable(text)
    except ValidationError as error:
        raise InvalidFormError(_("The field %(name)s contains characters that cannot be stored.", name=name)) from error
    if len(text) > MAX_TEXT_LENGTH:
        raise InvalidFormError(
            _("The field %(name)s is longer than %(max)s characters.", name=name, max=MAX_TEXT_LENGTH)
        )
    return text or None


def read_choice(values: Mapping[str, str], name: str, choices: Collection[str]) -> str | None:
    """Return one of `choices`, or None if it is empty. Raises `InvalidFormError`."""
    text = read_text(values, name)
    if text is not None and text not in choices:
        raise InvalidFormError(
            _("The field %(name)s must be one of %(choices)s.", name=name, choices=", ".join(choices))
        )
    return text


def read_note(form: Mapping[str, str], *, is_required: bool = False) -> str | None:
    """Return the note of an action, or None. Raises `InvalidFormError`."""
    note = read_text(form, "note")
    if is_required and note is None:
        raise InvalidFormError(_("A note is required for this action."))
    return note


def read_row_id(args: Mapping[str, str], name: str) -> int | None:
    """Return the id of a row, or None if it is empty. Raises `NotFoundError` if it is not a number."""
    return parse_id(args[name]) if args.get(name) else None


def read_since(args: Mapping[str, str], name: str) -> datetime | None:
    """Return a time, or the beginning of a date in the reader's time zone. Raises `InvalidFormError`."""
    return read_time(args, name, days=0)


def read_until(args: Mapping[str, str], name: str) -> datetime | None:
    """Return a time, or the end of a date in the reader's time zone. Raises `InvalidFormError`."""
    return read_time(args, name, days=1)


def read_time(args: Mapping[str, str], name: str, *, days: int) -> datetime | None:
    """Return a time with an offset, or midnight of a date in the reader's time zone, some days later."""
    text = args.get(name, "").strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
        return midnight(at.date() + timedelta(days=days))
    except (ValueError, OverflowError) as error:  # overflow: it leads outside the years 1 to 9999
        raise InvalidFormError(
            _("The field %(name)s must be a date such as %(example)s.", name=name, example="2026-11-21")
        ) from error


def midnight(day: date) -> datetime:
    """Return when a day begins in the reader's time zone. Raises `OverflowError` at the ends of the calendar."""
    begin: datetime = to_utc(datetime.combine(day, time()))
    return begin.replace(tzinfo=UTC)
