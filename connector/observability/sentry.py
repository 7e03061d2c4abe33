"""Error reports to Sentry, if `SENTRY_DSN` is set: what failed and where, without any data of orders.

Every error that is logged while an exception is being handled is reported, so no other module knows about Sentry.
"""

import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from connector import __version__

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

#: The keys of a log line that become tags: ids that mean nothing to a stranger.
TAGS = ("request_id", "event_id", "delivery_id", "account", "store")


def configure_sentry(dsn: str | None) -> None:
    """Set up Sentry. Without a DSN, do nothing and import nothing. Call it after `configure_logging`."""
    if dsn is None:
        return
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.threading import ThreadingIntegration

    sentry_sdk.init(
        dsn=dsn,
        release=f"connector@{__version__}",
        # The default integrations add parts of requests and log records, which may hold an order's data:
        # https://docs.sentry.io/platforms/python/configuration/options/, read 2026-11-22.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            AtexitIntegration(callback=lambda *_: None),
            DedupeIntegration(),
            ExcepthookIntegration(),
            ThreadingIntegration(),
        ],
        include_local_variables=False,
        max_breadcrumbs=0,
        before_send=scrub,
    )
    import structlog

    structlog.configure(processors=[report_exception, *structlog.get_config()["processors"]])


def report_exception(_logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: report the exception that is being handled when an error is logged."""
    error = sys.exc_info()[1]
    if method == "error" and error is not None:
        import sentry_sdk

        with sentry_sdk.new_scope() as scope:
            scope.set_tag("logged", str(line["event"]))
            for name in TAGS:
                if line.get(name) is not None:
                    scope.set_tag(name, str(line[name]))
            scope.capture_exception(error)
    return line


def scrub(event: "Event", _hint: "Hint") -> "Event":
    """Keep types, files and line numbers. Remove texts: a library's exception may quote an order."""
    for exception in event.get("exception", {}).get("values", []):
        exception["value"] = ""
        for frame in exception.get("stacktrace", {}).get("frames", []):
            frame.pop("vars", None)
    for name in ("request", "user", "extra", "breadcrumbs", "logentry", "message", "modules"):
        event.pop(name, None)  # type: ignore[misc]
    return event
