"""Builds the web application: webhooks, API, health checks, metrics and dashboard."""

import atexit
import gc
from contextlib import ExitStack
from typing import Any

from flask import Flask, Response
from flask.json.provider import DefaultJSONProvider

from connector.alerts import start_monitor
from connector.core.processes import die_with_parent
from connector.observability.logs import configure_logging
from connector.observability.sentry import configure_sentry
from connector.runtime import Runtime, open_runtime
from connector.settings import load_settings
from connector.web import health, prometheus, webhooks
from connector.web.access import AccessGuard
from connector.web.api import audit, corrections, credentials, docs, openapi, privacy, privacy_requests, routes, tables
from connector.web.dashboard import mount
from connector.web.errors import register_error_handlers
from connector.web.proxies import ProxyMiddleware
from connector.web.rejections import RejectionCounter
from connector.web.request_id import configure_request_ids


class JsonProvider(DefaultJSONProvider):
    """JSON of the API. The fields of responses keep their order."""

    sort_keys = False

    def loads(self, s: str | bytes, **_: Any) -> Any:
        try:
            return super().loads(s)
        except RecursionError:
            raise ValueError("the body is nested too deeply") from None


def create_app(runtime: Runtime) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.json = JsonProvider(app)
    configure_request_ids(app)
    register_error_handlers(app)
    app.after_request(protect_response)
    for module in (
        webhooks,
        routes,
        corrections,
        credentials,
        privacy,
        privacy_requests,
        tables,
        audit,
        health,
        prometheus,
        openapi,
        docs,
        mount,
    ):
        app.register_blueprint(module.blueprint)
    app.wsgi_app = ProxyMiddleware(app.wsgi_app, app)  # type: ignore[method-assign]
    attach_runtime(app, runtime)
    return app


def attach_runtime(app: Flask, runtime: Runtime) -> None:
    """Let the application serve this runtime instead of the last one."""
    rejections = RejectionCounter(runtime.database)
    guard = AccessGuard(runtime, rejections)
    dashboard = mount.LazyApp(runtime, guard)
    app.extensions.update(runtime=runtime, rejected=rejections, guard=guard, dashboard=dashboard)
    if not runtime.settings.api_tokens:
        runtime.log.warning("api_off", why="ADMIN_TOKEN is not set: /api returns 404")


def protect_response(response: Response) -> Response:
    """Let nothing keep or reinterpret a response, except those that say otherwise, as the documentation's files do."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def create_wsgi() -> Flask:
    """Create the application in a gunicorn worker, after the fork: two processes must not share a connection."""
    die_with_parent()  # workers of a dead master would keep the port bound
    configure_logging()
    settings = load_settings()
    configure_sentry(settings.environment.sentry_dsn)
    stack = ExitStack()
    atexit.register(stack.close)
    runtime = stack.enter_context(open_runtime(settings, allow_database_down=True))
    stack.enter_context(start_monitor(runtime, is_standby=True))
    app = create_app(runtime)
    stack.callback(app.extensions["rejected"].flush)
    gc.freeze()  # else one of the first webhooks, and all others with it, wait for the collector to look at all modules
    return app
