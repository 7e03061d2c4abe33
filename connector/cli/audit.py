"""`connector audit`: who did what, and who looked at what."""

from datetime import datetime
from typing import Any

import click

from connector.cli.common import JSON_OPTION, UTCTime, cli, local_runtime
from connector.cli.listing import next_command
from connector.cli.output import print_rows

COLUMNS = ("at", "actor", "action", "subject", "interface", "network", "details")


@cli.command()
@click.option("--actor", help="Of this user, token (token:NAME) or system user.")
@click.option("--action", help="Only this action, such as sign-in, view or retrigger.")
@click.option("--since", type=UTCTime(), help="On this UTC day or at this time, or later.")
@click.option("--until", type=UTCTime(), help="Before this UTC day or time.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many to list.")
@click.option("--cursor", metavar="CURSOR", help="Continue after the previous page.")
@JSON_OPTION
def audit(
    actor: str | None,
    action: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    """List what people did, who signed in and who looked at personal data, newest first.

    If there are more than --limit, the command for the next ones is printed on standard error.
    """
    from connector.core.exceptions import InvalidRequestError
    from connector.database.queries.audit import ACTIONS, TrailCursor, TrailFilter, list_trail
    from connector.serializers.audit import serialize_trail

    if action is not None and action not in ACTIONS:
        raise click.UsageError(f"“{action}” is not one of {', '.join(ACTIONS)}.")
    try:
        after = TrailCursor.parse(cursor) if cursor else None
    except InvalidRequestError as error:
        raise click.UsageError("--cursor must be the id that the previous list printed.") from error
    trail_filter = TrailFilter(action=action, actor=actor, since=since, until=until)
    with local_runtime() as runtime:
        page = list_trail(runtime.database, trail_filter, after=after, limit=limit)
    rows = serialize_trail(page.entries)
    print_rows(COLUMNS, rows if as_json else [add_cells(row) for row in rows], as_json=as_json)
    if page.next is not None:
        click.echo(f"There are more. The next ones: {next_command('audit', str(page.next))}", err=True)
    elif not rows and not as_json:
        click.echo("No entry matches.", err=True)


def add_cells(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the cells that its JSON does not have."""
    subjects = {
        "order": row["order_number"] or row["order_id"],
        "event": row["event"],
        "privacy request": row["privacy_request"],
        "job": row["job"],
        "account": row["account"],
        "store": row["store"],
    }
    subject = next((f"{kind} {name}" for kind, name in subjects.items() if name), "")
    counts = [f"{count} {name}" for name, count in row["counts"].items()]
    details = "; ".join(text for text in (row["what"], row["note"], *counts) if text)
    return {**row, "subject": subject, "details": details}
