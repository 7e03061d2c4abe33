"""The dashboard's addresses. What lies behind them is imported and built when the first is asked for."""

import threading
from typing import TYPE_CHECKING

from flask import Blueprint, current_app, request
from werkzeug.wrappers import Response

from connector.runtime import Runtime

if TYPE_CHECKING:
    from flask import Flask

blueprint = Blueprint("dashboard", __name__)

PAGES = ("login", "logout", "deliveries", "retriggers", "events", "accounts", "settings", "audit", "assets")


class LazyApp:
    """Builds the dashboard once, whichever of the threads comes first."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._lock = threading.Lock()
        self._dashboard: Flask | None = None

    def get(self) -> "Flask":
        with self._lock:
            if self._dashboard is None:
                from connector.web.dashboard.app import create_dashboard

                self._dashboard = create_dashboard(self.runtime)
            return self._dashboard


@blueprint.route("/", methods=["GET", "POST"])
@blueprint.route(f"/<any({', '.join(PAGES)}):page>", methods=["GET", "POST"])
@blueprint.route(f"/<any({', '.join(PAGES)}):page>/<path:rest>", methods=["GET", "POST"])
def dispatch(**_: str) -> Response:
    lazy_app: LazyApp = current_app.extensions["dashboard"]
    return Response.from_app(lazy_app.get(), request.environ)
