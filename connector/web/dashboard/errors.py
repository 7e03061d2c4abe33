"""Errors as pages in the reader's language."""

from http import HTTPStatus

from flask import Flask, render_template, request
from werkzeug.exceptions import HTTPException

from connector.core.exceptions import ConnectorError
from connector.web.context import get_runtime
from connector.web.dashboard.forms import InvalidFormError
from connector.web.dashboard.i18n import gettext as _
from connector.web.errors import RETRY_AFTER_S

ErrorPage = tuple[str, int] | tuple[str, int, dict[str, str]]


def register_error_handlers(app: Flask) -> None:
    app.register_error_handler(InvalidFormError, handle_form_error)
    app.register_error_handler(ConnectorError, handle_connector_error)
    app.register_error_handler(HTTPException, handle_http_error)
    app.register_error_handler(Exception, handle_unexpected_error)


def fail_with(app: Flask, outage: Exception) -> None:
    """Answer every page with this error."""

    def fail() -> None:
        if request.endpoint != "static":
            raise outage

    app.before_request(fail)


def handle_form_error(error: InvalidFormError) -> ErrorPage:
    return render_error(error.status, str(error))


def handle_connector_error(error: ConnectorError) -> ErrorPage:
    return render_error(error.status)


def handle_http_error(error: HTTPException) -> HTTPException | ErrorPage:
    if error.code is not None and 300 <= error.code < 400:
        return error
    return render_error(error.code or 500)


def handle_unexpected_error(error: Exception) -> ErrorPage:
    get_runtime().log.error("request_failed", error=type(error).__name__)
    return render_error(500)


def render_error(status: int, message: str | None = None) -> ErrorPage:
    title, explanation = describe_status(status)
    page = render_template("error.html", status=status, title=title, message=message or explanation)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return page, status, {"Retry-After": str(RETRY_AFTER_S)}
    return page, status


def describe_status(status: int) -> tuple[str, str]:
    """Return a title and an explanation in the reader's language."""
    match status:
        case 403:
            return _("Not allowed"), _("Viewers cannot make changes. Ask an operator.")
        case 404:
            return _("Page not found"), _("The address is wrong, or what it showed was deleted because of its age.")
        case 409:
            return _("Not possible now"), _("The current state does not allow this.")
        case 413:
            return _("Too large"), _("The form is too large. Select fewer orders or shorten the text.")
        case 503:
            return _("The database is unavailable"), _(
                "Webhooks are answered with an error, so that the stores send them again. Try again in a few seconds."
            )
        case _ if status < 500:
            return _("The request is not valid"), _("Go back and try again.")
        case _:
            return _("Something went wrong"), _(
                "An internal error prevented this page from being displayed. Orders are not affected."
            )
