"""Reads what forms and addresses say. Raises `InvalidRequestError` where that cannot be understood."""

from collections.abc import Mapping
from datetime import UTC, datetime

from marshmallow import ValidationError

from connector.core.exceptions import InvalidRequestError
from connector.web.api.requests import LONGEST_TEXT, UNSTORABLE, is_storable, read_id

PAGE = 50


def read_text(form: Mapping[str, str], name: str) -> str | None:
    """The text without stray blanks; None where there is none."""
    text = form.get(name, "").strip()
    try:
        is_storable(text)
    except ValidationError:
        raise InvalidRequestError(f"`{name}` {UNSTORABLE}") from None
    if len(text) > LONGEST_TEXT:
        raise InvalidRequestError(f"`{name}` {UNSTORABLE}")
    return text or None


def read_note(form: Mapping[str, str], *, is_needed: bool = False) -> str | None:
    note = read_text(form, "note")
    if is_needed and note is None:
        raise InvalidRequestError("a note is needed: why, for who reads this later")
    return note


def read_row(args: Mapping[str, str], name: str) -> int | None:
    """A row's id, as a page's own link gives it."""
    return read_id(args[name]) if args.get(name) else None


def read_instant(args: Mapping[str, str], name: str) -> datetime | None:
    """A date, or a date and time; UTC unless it says otherwise."""
    text = args.get(name, "").strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequestError(f"`{name}` must be a date such as 2026-11-21") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
