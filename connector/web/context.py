"""What the current application, the API's or the dashboard's, was built with."""

from flask import current_app

from connector.runtime import Runtime
from connector.web.access import AccessGuard


def get_runtime() -> Runtime:
    runtime: Runtime = current_app.extensions["runtime"]
    return runtime


def get_guard() -> AccessGuard:
    guard: AccessGuard = current_app.extensions["guard"]
    return guard
