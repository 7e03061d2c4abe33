"""The command that tries whether alerts reach those whom they are for."""

import sys
from datetime import UTC, datetime

from connector.cli.common import JSON_OPTION, cli, exit_with, print_result, read_settings


@cli.group()
def alerts() -> None:
    """Alerts: what people are told of. `[alerts]` in the configuration says who."""


@alerts.command()
@JSON_OPTION
def test(as_json: bool) -> None:
    """Send a message to every channel, and say how each took it."""
    from connector.alerts.messages import compose_test_message
    from connector.clients.notifiers import build_notifier

    settings = read_settings()
    if not settings.alerts.channels:
        exit_with(["The configuration names nobody: there is no [alerts.to.…] table."], 1)
    message = compose_test_message(settings.public_url, datetime.now(UTC))
    errors = {channel.name: build_notifier(channel)(message) for channel in settings.alerts.channels}
    for name, error in errors.items():
        print_result(f"{name}: {error or 'sent'}.", {"channel": name, "error": error}, as_json=as_json)
    if any(errors.values()):
        sys.exit(1)
