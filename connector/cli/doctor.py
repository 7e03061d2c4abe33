"""`connector doctor`: what is well, what is not, and what to do about it."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from connector.cli.common import AS_JSON, cli

if TYPE_CHECKING:
    from connector.core.check_result import Finding

COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}


@cli.command()
@click.option("--offline", "is_offline", is_flag=True, help="Ask nobody but the database.")
@AS_JSON
def doctor(is_offline: bool, as_json: bool) -> None:
    """Look at the configuration, the database, the clock, the disk, the forwarder, the accounts and the stores.

    Each line is ok, a warning or a fault, with what to do. Nothing is changed or created anywhere. The exit status is
    1 if there is a fault.
    """
    from connector.core.check_result import Grade
    from connector.observability.logs import set_up_log
    from connector.operations.doctor import check_up

    set_up_log(quiet=True)
    grades = set()
    for finding in check_up(is_offline=is_offline):
        grades.add(finding.grade)
        if as_json:
            click.echo(json.dumps(asdict(finding), ensure_ascii=False))
        else:
            print_finding(finding)
    if Grade.FAULT in grades:
        sys.exit(1)


def print_finding(finding: "Finding") -> None:
    """Colours go to a terminal alone, and to none where NO_COLOR is set."""
    grade = click.style(f"{finding.grade:<8}", fg=COLOURS[finding.grade])
    click.echo(f"{grade} {finding.of}: {finding.said}")
    if finding.do:
        click.echo(f"         → {finding.do}")
