"""Builds the dashboard's own application over the service's runtime."""

from pathlib import Path

from flask import Flask, render_template, request
from flask_babel import Babel, get_locale
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException

from connector import __version__
from connector.core.exceptions import (
    ConflictError,
    ConnectorError,
    DatabaseUnavailableError,
    InvalidRequestError,
    NotFoundError,
)
from connector.runtime import Runtime
from connector.web.dashboard import accounts, audit, deliveries, events, overview, settings
from connector.web.dashboard.auth import configure_auth, derive_secret_key
from connector.web.dashboard.filters import register_filters
from connector.web.dashboard.security import configure_security

DASHBOARD_DIRECTORY = Path(__file__).parent
LANGUAGES = ["en", "es"]
#: The longest form is a note and some thousand ids.
MAX_FORM_BYTES = 256 * 1024

HTTP_STATUSES: dict[type[ConnectorError], int] = {
    InvalidRequestError: 400,
    NotFoundError: 404,
    ConflictError: 409,
    DatabaseUnavailableError: 503,
}


def choose_language() -> str:
    return request.accept_languages.best_match(LANGUAGES) or "en"


def create_dashboard(runtime: Runtime) -> Flask:
    app = Flask(
        __name__,
        root_path=str(DASHBOARD_DIRECTORY),
        static_folder="static",
        static_url_path="/assets",
        template_folder="templates",
    )
    app.extensions["runtime"] = runtime
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        SEND_FILE_MAX_AGE_DEFAULT=31_536_000,  # their addresses name the version
        BABEL_TRANSLATION_DIRECTORIES=str(DASHBOARD_DIRECTORY / "translations"),
    )
    app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}  # the chart's parts lie in their order
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(version=__version__, get_locale=get_locale)
    Babel(app, locale_selector=choose_language)
    limiter = configure_security(app, derive_secret_key(runtime.settings))
    configure_auth(app, limiter)
    register_filters(app)
    for module in (overview, deliveries, events, accounts, settings, audit):
        app.register_blueprint(module.blueprint)
    register_error_pages(app, runtime)
    return app


def register_error_pages(app: Flask, runtime: Runtime) -> None:
    """Say what went wrong on a page of its own, in words that a person can act on."""

    def error_page(status: int, text: str) -> tuple[str, int]:
        return render_template("fault.html", status=status, text=text), status

    @app.errorhandler(ConnectorError)
    def handle_connector_error(error: ConnectorError) -> tuple[str, int]:
        status = next((status for error_type, status in HTTP_STATUSES.items() if isinstance(error, error_type)), 500)
        return error_page(status, str(error))

    @app.errorhandler(HTTPException)
    def handle_http_error(error: HTTPException) -> HTTPException | tuple[str, int]:
        if error.code is not None and 300 <= error.code < 400:
            return error
        texts = {
            403: _("You may look here, and not change anything: that takes the role of operator."),
            404: _("There is no such page."),
            429: _("Too many tries. Wait a minute."),
        }
        status = error.code or 500
        return error_page(status, texts.get(status, error.description or ""))

    @app.errorhandler(Exception)
    def handle_unexpected_error(error: Exception) -> tuple[str, int]:
        runtime.log.error("request_failed", error=type(error).__name__)
        return error_page(500, _("The page could not be made: a fault of ours. The service itself goes on."))
