"""The command that tries whether alerts reach those whom they are for."""

import sys
from datetime import UTC, datetime

from connector.cli.common import AS_JSON, cli, fail, read_settings, say


@cli.group()
def alerts() -> None:
    """Alerts: what people are told of. `[alerts]` in the configuration says who."""


@alerts.command()
@AS_JSON
def test(as_json: bool) -> None:
    """Send a message to every channel, and say how each took it."""
    from connector.alerts.messages import compose_trial
    from connector.clients.notifiers import open_channel

    settings = read_settings()
    if not settings.alerts.channels:
        fail(["The configuration names nobody: there is no [alerts.to.…] table."], 1)
    message = compose_trial(settings.public_url, datetime.now(UTC))
    errors = {channel.name: open_channel(channel)(message) for channel in settings.alerts.channels}
    for name, error in errors.items():
        say(f"{name}: {error or 'sent'}.", {"channel": name, "error": error}, as_json=as_json)
    if any(errors.values()):
        sys.exit(1)
