"""`connector restored`: what a person says after restoring the database from a backup."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import JSON_OPTION, NOTE_OPTION, UTCTime, cli, local_runtime, operator_name
from connector.cli.output import print_json_line, print_result

if TYPE_CHECKING:
    from connector.database.restores import RestoreStatus
    from connector.runtime import Runtime

#: The cause of what is held, as filters name it.
PROBLEM = "database_restored:"


@cli.command()
@click.option(
    "--not", "is_denied", is_flag=True, help="Nothing was lost: deliveries that were held for this reason continue."
)
@click.option("--show", is_flag=True, help="Only show what is left to decide since the last restore.")
@click.option(
    "--stopped-at", type=UTCTime(), help="A time at which the old service no longer ran; later orders can be sent."
)
@NOTE_OPTION
@JSON_OPTION
def restored(is_denied: bool, show: bool, stopped_at: datetime | None, note: str | None, as_json: bool) -> None:
    """Report that the database was restored from a backup, before you start the service.

    A backup does not know what was sent after it was made. So orders that wait are not sent: they are held until a
    person has checked at the destination. So are new orders that are older than the restore.

    The connector itself notices a restore of SQLite on the same machine, and most recoveries of PostgreSQL. Reporting a
    restore again does no harm.

    The exit status is 0, also while orders are held.
    """
    from connector.database.restores import load_status
    from connector.operations.restores import deny_restore, report_restore

    if is_denied and (show or stopped_at):
        raise click.UsageError("--not goes with neither --show nor --stopped-at.")
    if show and (stopped_at or note):
        raise click.UsageError("--show changes nothing: it goes with neither --stopped-at nor --note.")
    with local_runtime() as runtime:
        if is_denied:
            released = deny_restore(runtime, actor=operator_name(), note=note)
            print_result(f"It was no restore. Released: {released}.", {"released": released}, as_json=as_json)
            return
        if show:
            status = load_status(runtime.database)
        else:
            status = report_restore(runtime, actor=operator_name(), note=note, stopped_at=stopped_at)
        if as_json:
            print_json_line(serialize_status(status))
        else:
            print_status(runtime, status)


def serialize_status(status: "RestoreStatus") -> dict[str, Any]:
    restore = status.restore
    return {
        "restore": restore
        and {
            "noticed_at": restore.noticed_at.isoformat(),
            "sent_until": restore.sent_until.isoformat(),
            "evidence": restore.evidence,
        },
        "held": dict(status.held),
        "repeated": dict(status.repeated),
    }


def print_status(runtime: "Runtime", status: "RestoreStatus") -> None:
    """Print what is held, what is repeated, and the commands for what is left to do."""
    restore = status.restore
    if restore is None:
        click.echo("The database was never restored.")
        return
    click.echo(f"The last restore was noticed at {restore.noticed_at:%Y-%m-%d %H:%M:%S} UTC ({restore.evidence}).")
    click.echo(f"What was ordered before {restore.sent_until:%Y-%m-%d %H:%M:%S} UTC is sent only if somebody looked.")
    for account, count in sorted(status.repeated.items()):
        click.echo(f"account {account}: {count} deliveries are sent again under the same key, which cannot double them")
    for account, count in sorted(status.held.items()):
        command = f"connector list --reason held --account {account}"
        click.echo(f"account {account}: {count} deliveries are held; see `{command}`")
        settings = runtime.settings.accounts.get(account)
        if settings is not None and runtime.settings.destination(settings).supports_idempotency:
            click.echo("  this destination recognises the key of an order that it has, if it is sent again")
    if status.held:
        click.echo("Look for each at its destination.")
        click.echo("If it is there: connector resolve ID --as delivered")
        click.echo(f"All that are not there: connector jobs start --problem {PROBLEM} --reason held --looked")
        click.echo("If nothing was lost, as after moving the database: connector restored --not")
    else:
        click.echo("Nothing is held.")
