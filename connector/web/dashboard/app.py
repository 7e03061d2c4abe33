"""Builds the dashboard's Flask application over the service's runtime."""

from pathlib import Path

from flask import Flask, render_template, request
from flask_babel import Babel, get_locale
from werkzeug.exceptions import HTTPException

from connector import __version__
from connector.core.exceptions import ConnectorError
from connector.database.sessions import load_cookie_key
from connector.runtime import Runtime
from connector.web.access import AccessGuard
from connector.web.context import get_runtime
from connector.web.dashboard import accounts, audit, deliveries, events, overview, settings, stores
from connector.web.dashboard.auth import configure_auth
from connector.web.dashboard.filters import register_filters
from connector.web.dashboard.forms import InvalidFormError
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.security import configure_security

DASHBOARD_DIRECTORY = Path(__file__).parent
LANGUAGES = ["en", "es"]
#: The longest form is a note and a thousand or so ids.
MAX_FORM_BYTES = 256 * 1024
#: Static files have their version in the URL, so browsers may cache them.
MAX_ASSET_AGE_S = 365 * 24 * 60 * 60


def create_dashboard(runtime: Runtime, guard: AccessGuard) -> Flask:
    app = Flask(__name__, root_path=str(DASHBOARD_DIRECTORY), static_url_path="/assets")
    app.extensions.update(runtime=runtime, guard=guard)
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        SEND_FILE_MAX_AGE_DEFAULT=MAX_ASSET_AGE_S,
        BABEL_TRANSLATION_DIRECTORIES=str(DASHBOARD_DIRECTORY / "translations"),
    )
    app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}  # the order of the chart's series matters
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(version=__version__, get_locale=get_locale)
    Babel(app, locale_selector=choose_language)
    configure_security(app, runtime.settings.environment.secret_key or load_cookie_key(runtime.database))
    configure_auth(app)
    register_filters(app)
    for module in (overview, deliveries, events, accounts, stores, settings, audit):
        app.register_blueprint(module.blueprint)
    register_error_handlers(app)
    return app


def choose_language() -> str:
    return request.accept_languages.best_match(LANGUAGES) or "en"


def register_error_handlers(app: Flask) -> None:
    app.register_error_handler(InvalidFormError, handle_form_error)
    app.register_error_handler(ConnectorError, handle_connector_error)
    app.register_error_handler(HTTPException, handle_http_error)
    app.register_error_handler(Exception, handle_unexpected_error)


def handle_form_error(error: InvalidFormError) -> tuple[str, int]:
    return render_error(error.status, str(error))


def handle_connector_error(error: ConnectorError) -> tuple[str, int]:
    return render_error(error.status, describe_status(error.status))


def handle_http_error(error: HTTPException) -> HTTPException | tuple[str, int]:
    if error.code is not None and 300 <= error.code < 400:
        return error
    status = error.code or 500
    return render_error(status, describe_status(status))


def handle_unexpected_error(error: Exception) -> tuple[str, int]:
    get_runtime().log.error("request_failed", error=type(error).__name__)
    return render_error(500, describe_status(500))


def render_error(status: int, message: str) -> tuple[str, int]:
    return render_template("error.html", status=status, message=message), status


def describe_status(status: int) -> str:
    """Return a message in the reader's language for an HTTP status."""
    match status:
        case 403:
            return _("Viewers cannot make changes. Ask an operator.")
        case 404:
            return _("Not found.")
        case 409:
            return _("The current state does not allow this.")
        case 413:
            return _("The form is too large.")
        case 503:
            return _("The database is unavailable. Try again later.")
        case _ if status < 500:
            return _("The request is not valid.")
        case _:
            return _("An internal error prevented this page from being displayed. Orders are not affected.")
