"""Translations into the reader's language: Flask-Babel's functions, with the types that it lacks, and problems."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import flask_babel

from connector.core.messages import PREPARATION_PROBLEMS, RETRIGGER_REASONS, render_stored
from mappings.labels import N_, Sentence, render_path, render_sentence
from mappings.problems import ADD_ROW, TEMPLATES, Problem, render_cause

#: What pages say in place of a text that names a command or a field of the API: they have forms for the same.
PAGE_TEXTS: Mapping[str, str] = {
    ADD_ROW: N_("%(problem)s: a row is missing in table %(table)s."),
    TEMPLATES["unknown_payment_status"]: N_(
        "%(vendor)s does not document the payment status “%(value)s”: look there whether the order is paid, and if it "
        "is, click Send anyway."
    ),
    PREPARATION_PROBLEMS["body_pruned"]: N_(
        "The body sent with its idempotency key was pruned: check at the destination, then click Send as new."
    ),
    RETRIGGER_REASONS["order_cancelled"]: N_("the order is cancelled"),
}
#: What the Spanish names of fields begin with, for sentences such as “Falta la colonia.”
ARTICLE = re.compile(r"^(el|la|los|las) ")


def gettext(message: str, **params: Any) -> str:
    """Return the message in the reader's language, with its `%(name)s` placeholders filled in."""
    return str(flask_babel.gettext(message, **params))


def ngettext(singular: str, plural: str, count: int, **params: Any) -> str:
    """Return the form of the message for `count`, which is `%(num)s` in it."""
    return str(flask_babel.ngettext(singular, plural, count, **params))


def translate_text(text: str) -> str:
    """Return one of the connector's texts, such as a template or a label, in the reader's language."""
    if isinstance(text, Sentence):
        return render_sentence(text, translate_text)
    return gettext(PAGE_TEXTS.get(text, text)) if text else ""  # the catalogue's entry for "" is its header


def translate_problem(problem: Problem | Mapping[str, Any] | str | None) -> str:
    """Return a problem, or one as it is stored, as a sentence; what a person wrote as it is."""
    return render_stored(problem, translate_text)


def translate_cause(problem: Problem | str) -> str:
    """Return a problem without what its order says.

    Args:
        problem: or the fingerprint of several.
    """
    return render_cause(Problem.from_fingerprint(problem) if isinstance(problem, str) else problem, translate_text)


def translate_error_cause(error: str) -> str:
    """Return what a `DeliveryFilter.error` stands for, such as “status 422”."""
    fingerprint, _separator, status = error.partition(" ")
    problem = Problem.from_fingerprint(fingerprint)
    return translate_cause(replace(problem, params={"status": status}) if status else problem)


def translate_path(path: Sequence[str | int]) -> str:
    """Return what merchants call a field, as a label."""
    return render_label(render_path(path, translate_text))


def render_label(name: str) -> str:
    """Return the translated name of a field as a label: “Colonia” for “la colonia”."""
    label = ARTICLE.sub("", name)
    return label[:1].upper() + label[1:]
