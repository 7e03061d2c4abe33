"""`connector doctor`: what is well, what is not, and what to do about it."""

import json
import sys
from typing import TYPE_CHECKING

import click

from connector.cli.common import JSON_OPTION, cli

if TYPE_CHECKING:
    from connector.core.check_result import CheckResult

SEVERITY_COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}


@cli.command()
@click.option("--offline", "is_offline", is_flag=True, help="Ask nobody but the database.")
@JSON_OPTION
def doctor(is_offline: bool, as_json: bool) -> None:
    """Look at the configuration, the database, the clock, the disk, the forwarder, the accounts and the stores.

    Each line is ok, a warning or a fault, with what to do. Nothing is changed or created anywhere. The exit status is
    1 if there is a fault.
    """
    from connector.core.check_result import Severity
    from connector.observability.logs import configure_logging
    from connector.operations.doctor import run_checks

    configure_logging(quiet=True)
    severities = set()
    for finding in run_checks(is_offline=is_offline):
        severities.add(finding.severity)
        if as_json:
            click.echo(json.dumps(serialize_finding(finding), ensure_ascii=False))
        else:
            print_finding(finding)
    if Severity.ERROR in severities:
        sys.exit(1)


def serialize_finding(finding: "CheckResult") -> dict[str, str | None]:
    """The JSON line of a finding; its keys are part of the command's interface."""
    return {"of": finding.subject, "grade": finding.severity, "said": finding.message, "do": finding.remedy}


def print_finding(finding: "CheckResult") -> None:
    """Colours go to a terminal alone, and to none where NO_COLOR is set."""
    severity = click.style(f"{finding.severity:<8}", fg=SEVERITY_COLOURS[finding.severity])
    click.echo(f"{severity} {finding.subject}: {finding.message}")
    if finding.remedy:
        click.echo(f"         → {finding.remedy}")
