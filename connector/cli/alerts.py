"""Commands for alerts: alerts test."""

import sys
from datetime import UTC, datetime

from connector.cli.common import JSON_OPTION, cli, exit_with, read_settings
from connector.cli.output import print_result


@cli.group()
def alerts() -> None:
    """Test the channels in `[alerts]`."""


@alerts.command()
@JSON_OPTION
def test(as_json: bool) -> None:
    """Send a test message to every channel, and print whether each accepted it."""
    from connector.alerts.messages import compose_test_message
    from connector.clients.notifiers import build_notifier

    settings = read_settings()
    if not settings.alerts.channels:
        exit_with(["The configuration has no channel: add an [alerts.to.NAME] table."], 1)
    message = compose_test_message(settings.public_url, datetime.now(UTC))
    errors = {channel.name: build_notifier(channel)(message) for channel in settings.alerts.channels}
    for name, error in errors.items():
        print_result(f"{name}: {error or 'sent'}.", {"channel": name, "error": error}, as_json=as_json)
    if any(errors.values()):
        sys.exit(1)
