"""The command line. Each command is thin: it opens what it needs and calls what the web and the forwarder call.

Exit status: 0 it went well, 1 it did not (the text says why), 2 the command or the configuration is at fault.
Imports stand inside the commands: `connector map` must not wait for a web server's.
"""

from connector.cli import actions, alerts, completion, dev, doctor, inspect, map, replay, service, table, users
from connector.cli.common import cli, main

__all__ = [
    "actions",
    "alerts",
    "cli",
    "completion",
    "dev",
    "doctor",
    "inspect",
    "main",
    "map",
    "replay",
    "service",
    "table",
    "users",
]
