"""Reads what forms and addresses say. Raises `InvalidRequestError` where that cannot be understood."""

from collections.abc import Mapping
from datetime import UTC, datetime

from marshmallow import ValidationError

from connector.core.exceptions import InvalidRequestError
from connector.web.api.requests import INVALID_TEXT_MESSAGE, MAX_TEXT_LENGTH, parse_id, validate_storable

PAGE_SIZE = 50


def read_text(form: Mapping[str, str], name: str) -> str | None:
    """The text without stray blanks; None where there is none."""
    text = form.get(name, "").strip()
    try:
        validate_storable(text)
    except ValidationError:
        raise InvalidRequestError(f"`{name}` {INVALID_TEXT_MESSAGE}") from None
    if len(text) > MAX_TEXT_LENGTH:
        raise InvalidRequestError(f"`{name}` {INVALID_TEXT_MESSAGE}")
    return text or None


def read_note(form: Mapping[str, str], *, is_required: bool = False) -> str | None:
    note = read_text(form, "note")
    if is_required and note is None:
        raise InvalidRequestError("a note is needed: why, for who reads this later")
    return note


def read_row_id(args: Mapping[str, str], name: str) -> int | None:
    """A row's id, as a page's own link gives it."""
    return parse_id(args[name]) if args.get(name) else None


def read_datetime(args: Mapping[str, str], name: str) -> datetime | None:
    """A date, or a date and time; UTC unless it says otherwise."""
    text = args.get(name, "").strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequestError(f"`{name}` must be a date such as 2026-11-21") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
