"""Routes of the dashboard in the main application. The dashboard itself is built on the first page request."""

import secrets
import threading
from typing import TYPE_CHECKING

from flask import Blueprint, current_app, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from connector.core.exceptions import DatabaseUnavailableError
from connector.database.sessions import load_cookie_key
from connector.runtime import Runtime
from connector.web.access import AccessGuard
from connector.web.errors import problem_response

if TYPE_CHECKING:
    from flask import Flask

blueprint = Blueprint("dashboard", __name__)

PAGES = (
    *("login", "logout", "deliveries", "jobs", "events", "accounts", "stores", "tables", "privacy"),
    *("settings", "audit", "assets"),
)
PROBLEM, PAGE = "application/problem+json", "text/html"
#: What programs request. A page about an error would be of no use to them.
PROGRAM_PATHS = ("/api/", "/webhooks/", "/health/", "/metrics", "/openapi.json")


class LazyApp:
    """The dashboard's application, imported and built once, on first use. Thread-safe."""

    def __init__(self, runtime: Runtime, guard: AccessGuard) -> None:
        self.runtime = runtime
        self.guard = guard
        self._lock = threading.Lock()
        self._app: Flask | None = None

    def get(self) -> "Flask":
        """Return the application; until the database has been available once, one whose pages say that it is not."""
        with self._lock:
            if self._app is None:
                from connector.web.dashboard.app import create_dashboard

                try:
                    key = self.runtime.settings.environment.secret_key or load_cookie_key(self.runtime.database)
                except DatabaseUnavailableError as outage:
                    return create_dashboard(self.runtime, self.guard, secrets.token_urlsafe(), outage=outage)
                self._app = create_dashboard(self.runtime, self.guard, key)
            return self._app


@blueprint.route("/", methods=["GET", "POST"])
@blueprint.route(f"/<any({', '.join(PAGES)}):page>", methods=["GET", "POST"])
@blueprint.route(f"/<any({', '.join(PAGES)}):page>/<path:rest>", methods=["GET", "POST"])
def dispatch(**_: str) -> Response:
    """Pass the request on to the dashboard's application."""
    lazy_app: LazyApp = current_app.extensions["dashboard"]
    return Response.from_app(lazy_app.get(), request.environ)


@blueprint.app_errorhandler(NotFound)
def handle_unknown_path(error: NotFound) -> Response:
    """Show a browser that mistyped an address a page."""
    is_page_wanted = request.accept_mimetypes.best_match([PROBLEM, PAGE]) == PAGE
    if request.routing_exception is not None and is_page_wanted and not request.path.startswith(PROGRAM_PATHS):
        return dispatch()
    return problem_response(404, error.description or "Not Found")
