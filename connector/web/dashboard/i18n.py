"""Flask-Babel's translation functions, with types: the library has none."""

from typing import Any

import flask_babel


def gettext(message: str, **params: Any) -> str:
    """Return the message in the reader's language, with its `%(name)s` placeholders filled in."""
    return str(flask_babel.gettext(message, **params))


def ngettext(singular: str, plural: str, count: int, **params: Any) -> str:
    """Return the form of the message for `count`, which is `%(num)s` in it."""
    return str(flask_babel.ngettext(singular, plural, count, **params))
