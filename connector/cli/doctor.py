"""`connector doctor`: health checks, each with its result and what to do about it."""

import sys
from typing import TYPE_CHECKING

import click

from connector.cli.common import JSON_OPTION, cli
from connector.cli.output import print_json_line

if TYPE_CHECKING:
    from connector.core.check_result import CheckResult

SEVERITY_COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}


@cli.command()
@click.option("--offline", "is_offline", is_flag=True, help="Contact only the database.")
@JSON_OPTION
def doctor(is_offline: bool, as_json: bool) -> None:
    """Diagnose the configuration, the database, the disk, the clock, the worker, the accounts and the stores.

    Each line is ok, a warning or a fault, followed by what to do. It changes nothing, neither here nor at a
    destination. The
    exit status is 1 if there is a fault.
    """
    from connector.core.check_result import Severity
    from connector.observability.logs import configure_logging
    from connector.operations.doctor import run_checks

    configure_logging(quiet=True)
    severities = set()
    for result in run_checks(is_offline=is_offline):
        severities.add(result.severity)
        if as_json:
            print_json_line(serialize_check(result))
        else:
            print_check(result)
    if Severity.ERROR in severities:
        sys.exit(1)


def serialize_check(result: "CheckResult") -> dict[str, str | None]:
    """Return the JSON of a result. Its keys are part of the command's interface."""
    return {"of": result.subject, "grade": result.severity, "said": result.message, "do": result.remedy}


def print_check(result: "CheckResult") -> None:
    severity = click.style(f"{result.severity:<8}", fg=SEVERITY_COLOURS[result.severity])
    click.echo(f"{severity} {result.subject}: {result.message}")
    if result.remedy:
        click.echo(f"         → {result.remedy}")
