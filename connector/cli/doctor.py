"""`connector doctor`: health checks, each with its result and what to do about it."""

import sys
from typing import TYPE_CHECKING

import click

from connector.cli.common import JSON_OPTION, cli
from connector.cli.output import print_json_line

if TYPE_CHECKING:
    from connector.core.check_result import Finding

SEVERITY_COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}


@cli.command()
@click.option("--offline", "is_offline", is_flag=True, help="Contact only the database.")
@JSON_OPTION
def doctor(is_offline: bool, as_json: bool) -> None:
    """Diagnose the configuration, the database, the disk, the clock, the worker, the accounts and the stores.

    Each line is ok, a warning or a fault, followed by what to do. Nothing is changed, here or at a destination. The
    exit status is 1 if there is a fault.
    """
    from connector.core.check_result import Severity
    from connector.observability.logs import configure_logging
    from connector.operations.doctor import run_checks

    configure_logging(quiet=True)
    severities = set()
    for finding in run_checks(is_offline=is_offline):
        severities.add(finding.severity)
        if as_json:
            print_json_line(serialize_finding(finding))
        else:
            print_finding(finding)
    if Severity.ERROR in severities:
        sys.exit(1)


def serialize_finding(finding: "Finding") -> dict[str, str | None]:
    """Return the JSON of a finding. Its keys are part of the command's interface."""
    return {"of": finding.subject, "grade": finding.severity, "said": finding.message, "do": finding.remedy}


def print_finding(finding: "Finding") -> None:
    severity = click.style(f"{finding.severity:<8}", fg=SEVERITY_COLOURS[finding.severity])
    click.echo(f"{severity} {finding.subject}: {finding.message}")
    if finding.remedy:
        click.echo(f"         → {finding.remedy}")
