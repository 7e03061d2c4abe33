"""The runtime that the current application was built over."""

from flask import current_app

from connector.runtime import Runtime


def get_runtime() -> Runtime:
    """Return the runtime of the current application, the API's or the dashboard's."""
    runtime: Runtime = current_app.extensions["runtime"]
    return runtime
