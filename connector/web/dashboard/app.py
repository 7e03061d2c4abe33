"""Builds the dashboard's Flask application over the service's runtime."""

from pathlib import Path

from flask import Flask

from connector import __version__
from connector.runtime import Runtime
from connector.web.access import AccessGuard
from connector.web.assets import configure_assets
from connector.web.dashboard import (
    accounts,
    audit,
    corrections,
    credentials,
    deliveries,
    events,
    jobs,
    overview,
    personal_data,
    privacy,
    settings,
    stores,
    tables,
)
from connector.web.dashboard.auth import configure_auth
from connector.web.dashboard.errors import fail_with, register_error_handlers
from connector.web.dashboard.filters import register_filters
from connector.web.dashboard.order_summaries import configure_summaries
from connector.web.dashboard.preferences import configure_preferences
from connector.web.dashboard.security import configure_security

DASHBOARD_DIRECTORY = Path(__file__).parent
#: The longest form is a note and a thousand or so ids.
MAX_FORM_BYTES = 256 * 1024


def create_dashboard(
    runtime: Runtime, guard: AccessGuard, secret_key: str, *, outage: Exception | None = None
) -> Flask:
    """Build the application.

    Args:
        secret_key: signs the cookies.
        outage: what every page fails with, if there is no key because of it.
    """
    app = Flask(__name__, root_path=str(DASHBOARD_DIRECTORY), static_folder=None)
    app.extensions.update(runtime=runtime, guard=guard)
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        BABEL_TRANSLATION_DIRECTORIES=str(DASHBOARD_DIRECTORY / "translations"),
    )
    app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}  # the order of the chart's series matters
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(version=__version__)
    configure_assets(app, DASHBOARD_DIRECTORY / "static")
    configure_preferences(app)
    configure_security(app, secret_key)
    if outage is not None:
        fail_with(app, outage)
    configure_auth(app)
    register_filters(app)
    configure_summaries(app)
    for module in (
        *(overview, deliveries, corrections, jobs, events, accounts, credentials, stores, tables, privacy),
        *(personal_data, settings, audit),
    ):
        app.register_blueprint(module.blueprint)
    register_error_handlers(app)
    return app
