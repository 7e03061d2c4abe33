"""The filters of a list that are set, each with a link that removes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from flask_babel import lazy_gettext

from connector.web.dashboard.i18n import translate_cause, translate_error_cause
from connector.web.dashboard.labels import translate

LABELS = {
    "q": lazy_gettext("Search"),
    "state": lazy_gettext("State"),
    "reason": lazy_gettext("Reason"),
    "account": lazy_gettext("Account"),
    "store": lazy_gettext("Store"),
    "problem": lazy_gettext("Cause"),
    "error": lazy_gettext("Cause"),
    "job": lazy_gettext("Job"),
    "job_result": lazy_gettext("Result"),
    "since": lazy_gettext("From"),
    "until": lazy_gettext("Until"),
    "topic": lazy_gettext("Topic"),
    "order": lazy_gettext("Order"),
    "status": lazy_gettext("Result"),
    "source": lazy_gettext("Source"),
    "action": lazy_gettext("Action"),
    "actor": lazy_gettext("User or token"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    label: str
    value: str
    url_without: str


def build_chips(filters: Mapping[str, str]) -> list[Chip]:
    """Return a chip for each filter that has a label."""
    return [
        Chip(
            label=str(LABELS[name]),
            value=render_value(name, value),
            url_without=f"?{urlencode({other: filters[other] for other in filters if other != name})}",
        )
        for name, value in filters.items()
        if name in LABELS
    ]


def render_value(name: str, value: str) -> str:
    if name == "problem":
        return translate_cause(value)
    if name == "error":
        return translate_error_cause(value)
    return translate(value) if name in ("state", "reason", "status", "source", "job_result", "action") else value
