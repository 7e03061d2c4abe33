"""Routes of the dashboard in the main application. The dashboard itself is built on the first page request."""

import threading
from typing import TYPE_CHECKING

from flask import Blueprint, current_app, request
from werkzeug.wrappers import Response

from connector.runtime import Runtime
from connector.web.access import AccessGuard

if TYPE_CHECKING:
    from flask import Flask

blueprint = Blueprint("dashboard", __name__)

PAGES = ("login", "logout", "deliveries", "retriggers", "events", "accounts", "stores", "settings", "audit", "assets")


class LazyApp:
    """The dashboard's application, imported and built once, on first use. Thread-safe."""

    def __init__(self, runtime: Runtime, guard: AccessGuard) -> None:
        self.runtime = runtime
        self.guard = guard
        self._lock = threading.Lock()
        self._app: Flask | None = None

    def get(self) -> "Flask":
        with self._lock:
            if self._app is None:
                from connector.web.dashboard.app import create_dashboard

                self._app = create_dashboard(self.runtime, self.guard)
            return self._app


@blueprint.route("/", methods=["GET", "POST"])
@blueprint.route(f"/<any({', '.join(PAGES)}):page>", methods=["GET", "POST"])
@blueprint.route(f"/<any({', '.join(PAGES)}):page>/<path:rest>", methods=["GET", "POST"])
def dispatch(**_: str) -> Response:
    """Pass the request on to the dashboard's application."""
    lazy_app: LazyApp = current_app.extensions["dashboard"]
    return Response.from_app(lazy_app.get(), request.environ)
