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
@click.option("--not", "is_denied", is_flag=True, help="Nothing was lost: everything that is held since then goes on.")
@click.option("--show", is_flag=True, help="Only say what is left to do since the last restore.")
@click.option(
    "--stopped-at", type=UTCTime(), help="When the service stopped before that. What was ordered later can be sent."
)
@NOTE_OPTION
@JSON_OPTION
def restored(is_denied: bool, show: bool, stopped_at: datetime | None, note: str | None, as_json: bool) -> None:
    """Say that the database was restored from a backup, before the service is started.

    A backup does not know what was sent after it was made. So nothing that waits is sent: it is held until somebody has
    looked for it at its destination. The same goes for orders that come in from now on and are older than the restore.

    On SQLite, a restore on the same machine is noticed without this command; so is a recovery of PostgreSQL whose
    server tells. Saying it once more does no harm.

    The exit status is 0 also while orders are held.
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
