"""The words of the pages: states, reasons and instants as people say them, in the browser's language."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from flask_babel import format_datetime, format_decimal, format_timedelta, lazy_gettext
from flask_babel import gettext as _
from markupsafe import Markup, escape

from connector.core.messages import render_stored
from connector.web.context import get_runtime
from mappings.labels import render_path
from mappings.problems import Problem, render_cause

STATE_LABELS = {
    "waiting": lazy_gettext("waiting"),
    "sending": lazy_gettext("sending"),
    "delivered": lazy_gettext("delivered"),
    "parked": lazy_gettext("parked"),
    "discarded": lazy_gettext("discarded"),
}
REASON_LABELS = {
    "unmappable": lazy_gettext("cannot be mapped"),
    "refused": lazy_gettext("refused"),
    "uncertain": lazy_gettext("uncertain"),
    "exhausted": lazy_gettext("retries used up"),
    "cancelled": lazy_gettext("cancelled"),
    "filtered": lazy_gettext("filtered"),
    "by hand": lazy_gettext("by hand"),
}
#: Of an account.
FLOW_LABELS = {
    "flowing": lazy_gettext("flowing"),
    "throttled": lazy_gettext("throttled"),
    "circuit open": lazy_gettext("circuit open"),
    "paused": lazy_gettext("paused"),
}
OUTCOME_LABELS = {
    "sending": lazy_gettext("under way"),
    "delivered": lazy_gettext("delivered"),
    "refused": lazy_gettext("refused"),
    "not_processed": lazy_gettext("surely not processed"),
    "unauthorized": lazy_gettext("credentials refused"),
    "token_expired": lazy_gettext("token expired"),
    "ambiguous": lazy_gettext("no clear answer"),
    "conflict": lazy_gettext("key used with another body"),
}
STATUS_LABELS = {"accepted": lazy_gettext("accepted"), "ignored": lazy_gettext("ignored")}
KIND_LABELS = {
    "alert": lazy_gettext("alert"),
    "retrigger": lazy_gettext("retrigger"),
    "resolve": lazy_gettext("resolve"),
    "pause": lazy_gettext("pause"),
    "resume": lazy_gettext("resume"),
}
ALL_LABELS: tuple[Mapping[str, Any], ...] = (
    STATE_LABELS,
    REASON_LABELS,
    FLOW_LABELS,
    OUTCOME_LABELS,
    STATUS_LABELS,
    KIND_LABELS,
)


def translate(word: str | None) -> str:
    """One of the words that rows hold, in the browser's language; what is none of them as it is."""
    for labels in ALL_LABELS:
        if word is not None and word in labels:
            return str(labels[word])
    return word or ""


def render_problem_text(value: Problem | Mapping[str, Any] | str | None) -> str:
    """A problem as it is stored, or a plain text, in the browser's language."""
    return gettext_or_empty(value) if isinstance(value, str) else render_stored(value, gettext_or_empty)


def render_cause_text(problem: Problem | str) -> str:
    """A problem, or the fingerprint of several, without what their orders say."""
    return render_cause(Problem.from_fingerprint(problem) if isinstance(problem, str) else problem, gettext_or_empty)


def render_field_label(path: Sequence[str | int]) -> str:
    """What merchants call a field, in the browser's language."""
    label = render_path(path, gettext_or_empty)
    return label[:1].upper() + label[1:]


def gettext_or_empty(text: str) -> str:
    return str(_(text)) if text else ""  # the catalogue's entry for "" is its header


def render_datetime(at: datetime | None) -> str:
    """A `<time>`: UTC as it comes, the browser's own time where scripts run."""
    if at is None:
        return "–"
    iso_text = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}">{} UTC</time>').format(iso_text, format_datetime(at, "d MMM HH:mm:ss"))


def render_age(at: datetime | None) -> str:
    """How long ago, or in how long; the instant itself in the title."""
    if at is None:
        return "–"
    iso_text = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    elapsed = get_runtime().clock() - at
    text = _("just now") if abs(elapsed.total_seconds()) < 1 else format_timedelta(-elapsed, add_direction=True)
    return Markup('<time datetime="{}" data-age title="{} UTC">{}</time>').format(
        iso_text, format_datetime(at, "d MMM yyyy HH:mm:ss"), text
    )


def format_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def format_body(body: bytes | None) -> str:
    """JSON with its lines broken, anything else as text."""
    if not body:
        return ""
    try:
        return format_json(json.loads(body))
    except (ValueError, RecursionError):
        return body.decode(errors="replace")


def state_badge(state: str, reason: str | None = None) -> str:
    """The badge of a state: never its colour alone."""
    text = f"{translate(state)}: {translate(reason)}" if reason else translate(state)
    reason_class = (reason or state).replace(" ", "-")
    return Markup('<span class="badge {} {}">{}</span>').format(state.replace(" ", "-"), reason_class, escape(text))


def register_filters(app: Flask) -> None:
    app.jinja_env.filters.update(
        age=render_age,
        instant=render_datetime,
        json=format_json,
        number=format_decimal,
        pretty=format_body,
        problem=render_problem_text,
        cause=render_cause_text,
        field_label=render_field_label,
        say=translate,
    )
    app.jinja_env.globals["state_badge"] = state_badge
