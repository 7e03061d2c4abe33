"""The command line. Each command opens what it needs and calls the functions that the web and the worker call.

Exit status: 0 success; 1 failure, explained on standard error; 2 invalid usage or configuration. Commands import what
they need inside the function, so that `connector map` does not load a web server.
"""

from connector.cli import (
    accounts,
    alerts,
    audit,
    authorize,
    catch_up,
    correct,
    deliveries,
    dev,
    doctor,
    health,
    init,
    jobs,
    listing,
    maintenance,
    map,
    privacy,
    privacy_requests,
    replay,
    restored,
    service,
    stores,
    table,
    users,
    webhooks,
)
from connector.cli.common import cli, main

__all__ = [
    "accounts",
    "alerts",
    "audit",
    "authorize",
    "catch_up",
    "cli",
    "correct",
    "deliveries",
    "dev",
    "doctor",
    "health",
    "init",
    "jobs",
    "listing",
    "main",
    "maintenance",
    "map",
    "privacy",
    "privacy_requests",
    "replay",
    "restored",
    "service",
    "stores",
    "table",
    "users",
    "webhooks",
]
