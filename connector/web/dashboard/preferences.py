"""The reader's language and time zone: what they chose, kept in cookies, else what their browser says."""

from datetime import timedelta
from functools import lru_cache
from zoneinfo import available_timezones

from babel import Locale, UnknownLocaleError
from babel.dates import get_timezone, get_timezone_gmt, get_timezone_location
from flask import Blueprint, Flask, flash, redirect, request, url_for
from flask_babel import Babel, get_locale
from flask_babel import get_timezone as get_reader_timezone
from werkzeug.wrappers import Response

from connector.web.context import get_runtime
from connector.web.dashboard.forms import InvalidFormError, read_choice
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.security import safe_redirect_path
from connector.web.proxies import is_https

blueprint = Blueprint("preferences", __name__, url_prefix="/settings")

LANGUAGES = {"en": "English", "es": "Español"}
LANGUAGE_COOKIE = "connector_language"
TIMEZONE_COOKIE = "connector_timezone"
#: Set by `dashboard.js`.
BROWSER_TIMEZONE_COOKIE = "connector_browser_timezone"
MAX_AGE = timedelta(days=365)


def configure_preferences(app: Flask) -> None:
    Babel(app, locale_selector=choose_locale, timezone_selector=choose_timezone)
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(
        describe_timezone=describe_timezone,
        get_locale=get_locale,
        has_chosen_timezone=has_chosen_timezone,
        languages=LANGUAGES,
        timezone_name=choose_timezone,
    )


@blueprint.post("/language")
def set_language() -> Response:
    """Keep the language, and return to the page."""
    language = read_choice(request.form, "language", list(LANGUAGES))
    response = redirect(safe_redirect_path(request.form.get("next")) or url_for("overview.show"))
    if language is not None:
        keep(response, LANGUAGE_COOKIE, language)
    return response


@blueprint.post("/timezone")
def set_timezone() -> Response:
    """Keep the time zone; without one, follow the browser's."""
    name = request.form.get("timezone", "")
    if name and not is_timezone(name):
        raise InvalidFormError(_("There is no time zone of this name."))
    response = redirect(url_for("settings.show"))
    keep(response, TIMEZONE_COOKIE, name or None)
    flash(_("The time zone is changed."), "success")
    return response


def keep(response: Response, cookie: str, value: str | None) -> None:
    """Set a cookie; without a value, delete it."""
    if value is None:
        response.delete_cookie(cookie)
    else:
        response.set_cookie(cookie, value, max_age=MAX_AGE, secure=is_https(request), httponly=True, samesite="Lax")


def choose_locale() -> Locale:
    """Return the reader's language, with the country that their browser names: it decides how numbers are written."""
    language = request.cookies.get(LANGUAGE_COOKIE)
    if language not in LANGUAGES:
        language = request.accept_languages.best_match(list(LANGUAGES)) or "en"
    for tag in request.accept_languages.values():
        if tag.lower().startswith(f"{language}-"):
            try:
                return Locale.parse(tag, sep="-")
            except (ValueError, UnknownLocaleError):
                continue
    return Locale(language)


def choose_timezone() -> str:
    """Return the name of the reader's time zone; UTC if neither the reader nor the browser says one."""
    names = (request.cookies.get(cookie, "") for cookie in (TIMEZONE_COOKIE, BROWSER_TIMEZONE_COOKIE))
    return next(filter(is_timezone, names), "UTC")


def has_chosen_timezone() -> bool:
    return is_timezone(request.cookies.get(TIMEZONE_COOKIE, ""))


@lru_cache(maxsize=1024)
def is_timezone(name: str) -> bool:
    try:
        get_timezone(name or "-")
    except LookupError:
        return False
    return True


def describe_timezone() -> str:
    """Return the reader's time zone, such as “Mexico City (UTC-06:00)”."""
    now = get_runtime().clock().astimezone(get_reader_timezone())
    offset = get_timezone_gmt(now, locale="en").replace("GMT", "UTC")
    return offset if choose_timezone() == "UTC" else f"{name_place(choose_timezone())} ({offset})"


def name_place(timezone: str) -> str:
    """Return what the reader calls the city of a time zone."""
    city = get_timezone_location(get_timezone(timezone), locale=get_locale(), return_city=True)
    return city.rpartition("/")[2]  # “Argentina/Buenos Aires”


def list_timezones() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the names of time zones and what the reader calls their cities, by continent."""
    labels = {
        "America": _("America"),
        "Europe": _("Europe"),
        "Africa": _("Africa"),
        "Asia": _("Asia"),
        "Australia": _("Australia"),
        "Atlantic": _("Atlantic"),
        "Indian": _("Indian Ocean"),
        "Pacific": _("Pacific"),
    }
    names = sorted(available_timezones())
    return [
        (label, sorted((name_place(name), name) for name in names if name.startswith(f"{continent}/")))
        for continent, label in labels.items()
    ]
