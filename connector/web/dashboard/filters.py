"""Jinja filters: times, numbers, JSON and state badges in the reader's language."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from flask import Flask
from flask_babel import format_currency, format_date, format_datetime, format_decimal, format_timedelta
from markupsafe import Markup

from connector.core.json_body import InvalidJsonError, parse_json
from connector.web.context import get_runtime
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import (
    ngettext,
    render_label,
    translate_cause,
    translate_error_cause,
    translate_path,
    translate_problem,
    translate_text,
)
from connector.web.dashboard.labels import translate
from mappings.destination import Outcome


def register_filters(app: Flask) -> None:
    app.jinja_env.filters.update(
        age=render_age,
        body=format_body,
        capital=capitalize,
        cause=translate_cause,
        datetime=render_datetime,
        day=format_date,
        due_time=render_due_time,
        error_cause=translate_error_cause,
        duplicates=describe_duplicates,
        field_label=translate_path,
        json=format_json,
        label=render_label,
        money=format_money,
        number=format_decimal,
        problem=translate_problem,
        relative_time=render_relative_time,
        text=translate_text,
        translate=translate,
    )
    app.jinja_env.globals.update(describe_attempt=describe_attempt, state_badge=state_badge)


def render_datetime(at: datetime | None) -> str:
    """Return a `<time>` element in the reader's time zone."""
    if at is None:
        return "–"
    pattern = "d MMM HH:mm:ss" if at.year == get_runtime().clock().year else "d MMM y HH:mm:ss"
    return Markup('<time datetime="{}">{}</time>').format(to_iso(at), format_datetime(at, pattern))


def render_relative_time(at: datetime | None) -> str:
    """Return a `<time>` element such as “3 minutes ago”, with the exact time in its title."""
    if at is None:
        return "–"
    elapsed = get_runtime().clock() - at
    text = _("just now") if abs(elapsed.total_seconds()) < 1 else format_timedelta(-elapsed, add_direction=True)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        to_iso(at), format_datetime(at, "d MMM y HH:mm:ss"), text
    )


def render_age(at: datetime) -> str:
    """Return a `<time>` element such as “3 minutes”, with the exact time in its title."""
    text = format_timedelta(get_runtime().clock() - at)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        to_iso(at), format_datetime(at, "d MMM y HH:mm:ss"), text
    )


def render_due_time(at: datetime) -> str:
    """Return “due now” for a time that has passed, else the relative time."""
    return _("due now") if at <= get_runtime().clock() else render_relative_time(at)


def describe_attempt(outcome: str, status: int | None) -> str:
    """Return the result of an attempt, such as “refused (HTTP 422)” or “no clear response (connection lost)”."""
    details: str | None = None
    if status is not None:
        details = f"HTTP {status}"
    elif outcome == Outcome.NOT_PROCESSED:
        details = _("no connection")
    elif outcome == Outcome.AMBIGUOUS:
        details = _("connection lost")
    return f"{translate(outcome)} ({details})" if details else translate(outcome)


def describe_duplicates(count: int) -> str:
    """Say how often a webhook was received again."""
    return ngettext(
        "received one more time (duplicate, not processed)",
        "received %(num)s more times (duplicates, not processed)",
        count,
    )


def format_money(amount: Decimal, currency: str) -> str:
    """Return an amount with its currency's code: stores sell in several, and “$” is the sign of most."""
    return str(format_currency(amount, currency, format="#,##0.00\u00a0¤¤", format_type="standard"))


def capitalize(text: str) -> str:
    """Return the text with a capital first letter. Jinja's own filter makes the rest small."""
    return text[:1].upper() + text[1:]


def to_iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def format_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def format_body(body: bytes | None) -> str:
    """Return the body of a request or response: indented if it is JSON, else as text."""
    if not body:
        return ""
    try:
        return format_json(parse_json(body))
    except InvalidJsonError:
        return body.decode(errors="replace")


def state_badge(state: str, reason: str | None = None) -> str:
    """Render a state as a badge with text, so that colour is not the only cue."""
    text = f"{translate(state)}: {translate(reason)}" if reason else translate(state)
    classes = [name.replace(" ", "-") for name in (state, reason or state)]
    return Markup('<span class="badge {} {}">{}</span>').format(*classes, text)
