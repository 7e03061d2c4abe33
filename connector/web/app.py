"""Builds the web application: webhooks, API and health over one runtime."""

import atexit
from contextlib import ExitStack

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from connector.alerts import start_monitor
from connector.core.processes import die_with_parent
from connector.observability.logs import configure_logging
from connector.observability.sentry import configure_sentry
from connector.runtime import Runtime, open_runtime
from connector.settings import load_settings
from connector.web import health, metrics, webhooks
from connector.web.api import openapi, routes
from connector.web.dashboard import mount
from connector.web.errors import register_error_handlers
from connector.web.middleware import RequestIdMiddleware
from connector.web.rejections import RejectionCounter


def create_app(runtime: Runtime) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.extensions["runtime"] = runtime
    app.extensions["rejected"] = RejectionCounter(runtime.database)
    app.json = DefaultJSONProvider(app)
    app.json.sort_keys = False
    for module in (webhooks, routes, health, metrics, openapi, mount):
        app.register_blueprint(module.blueprint)
    app.extensions["dashboard"] = mount.LazyApp(runtime)
    register_error_handlers(app)
    app.wsgi_app = RequestIdMiddleware(app.wsgi_app)  # type: ignore[method-assign]
    if runtime.settings.environment.admin_token is None:
        runtime.log.warning("api_off", why="no ADMIN_TOKEN is set, so /api answers 404")
    return app


def create_wsgi() -> Flask:
    """What each web process of gunicorn calls, after the fork: a database connection must not cross one."""
    die_with_parent()  # gunicorn's master, without which its workers would hold the port and serve nobody new
    configure_logging()
    settings = load_settings()
    configure_sentry(settings.environment.sentry_dsn)
    stack = ExitStack()
    atexit.register(stack.close)
    runtime = stack.enter_context(open_runtime(settings, allow_database_down=True))
    stack.enter_context(start_monitor(runtime, is_standby=True))
    return create_app(runtime)
