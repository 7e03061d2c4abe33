"""Commands for the records as a whole: prune, reconcile."""

import sys
from datetime import datetime, timedelta
from typing import Any

import click

from connector.cli.common import JSON_OPTION, UTCTime, cli, local_runtime, lookup_or_fail, operator_name
from connector.cli.output import print_json_line, print_result, print_table
from connector.cli.progress import progress_on_tty

#: Seconds between two transactions of `prune`, so that webhooks can be stored in between.
PRUNE_PAUSE_S = 0.1

REPORT_COLUMNS = (
    "store",
    "day",
    "accepted",
    "ignored",
    "duplicates",
    "waiting",
    "sending",
    "delivered",
    "parked",
    "discarded",
    "differences",
)


@cli.command()
@click.option(
    "--older-than-days",
    type=click.IntRange(1, 36_500),
    help="Orders that ended at least this long ago.  [default: keep_days of the configuration]",
)
@click.option("--batch", type=click.IntRange(1, 5_000), default=200, show_default=True, help="Rows per transaction.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@JSON_OPTION
def prune(older_than_days: int | None, batch: int, dry_run: bool, as_json: bool) -> None:
    """Delete payloads, bodies and responses of orders that ended long ago.

    The service does the same once a day for what is older than `keep_days`.

    An order has ended when all its deliveries are delivered or discarded and no event about it has come since. Ids,
    order numbers, states, errors and notes stay, so a webhook that is repeated years later creates no second delivery.
    A pruned order can be sent again only if the store sends a newer version of it.

    It keeps payloads that only name an order.

    The service can keep running. If you stop the command, run it again to continue.

    SQLite reuses the freed space. Only VACUUM returns it to the disk and erases the old content.
    """
    from itertools import count
    from time import sleep

    from connector.database.prune import prune as prune_rows
    from connector.operations.retention import prune_criteria

    with local_runtime() as runtime, progress_on_tty("transactions", None) as update_progress:
        days = older_than_days or runtime.settings.retention.keep_days
        if days is None:
            raise click.UsageError('keep_days is "forever": use --older-than-days.')
        steps = count(1)

        def pause_between_batches() -> None:
            update_progress(next(steps))
            sleep(PRUNE_PAUSE_S)

        pruned = prune_rows(
            runtime.database,
            prune_criteria(runtime.settings, runtime.clock() - timedelta(days=days)),
            actor=operator_name(),
            batch_size=batch,
            dry_run=dry_run,
            pause=pause_between_batches,
        )
    verb = "Would prune" if dry_run else "Pruned"
    data = {"deliveries": pruned.deliveries, "events": pruned.events, "dry_run": dry_run}
    print_result(f"{verb}: deliveries {pruned.deliveries}, events {pruned.events}.", data, as_json=as_json)


@cli.command()
@click.option(
    "--storefront", "is_with_storefront", is_flag=True, help="Compare the stores' paid orders with the records."
)
@click.option("--since", type=UTCTime(days_only=True), help="Received on this UTC day or later.")
@click.option("--until", type=UTCTime(days_only=True), help="Received before this UTC day.")
@click.option("--store", help="From this store: its name in the configuration, or the id of a retired one.")
@click.option(
    "--late-s",
    type=click.FloatRange(min=0),
    default=600,
    show_default=True,
    help="How long a due delivery may wait while its account accepts orders.",
)
@JSON_OPTION
def reconcile(
    is_with_storefront: bool,
    since: datetime | None,
    until: datetime | None,
    store: str | None,
    late_s: float,
    as_json: bool,
) -> None:
    """Check that every webhook and every delivery is accounted for. Changes nothing.

    Each event must be ignored with a reason, or have a delivery for each account on its routes. Each delivery must have
    what its state requires: if delivered, a successful response or the name of the person who resolved it; if sending,
    a live worker; if waiting, a time that is not too far away; otherwise a reason. The command lists everything else,
    and then exits with status 1. The service can keep running.

    With --storefront, it reads the stores' APIs instead, and checks every paid order of the period. For each account on
    the store's routes, there must be a delivery in some state, or the store must have cancelled the order. The command
    lists missing orders, and then exits with status 1. `connector catch-up` records them.
    """
    if is_with_storefront:
        from connector.cli.catch_up import reconcile_with_stores

        reconcile_with_stores(store, since=since, until=until, as_json=as_json)
        return
    from connector.database.reconciliation.run import Scope, last_ids
    from connector.database.reconciliation.run import reconcile as reconcile_rows
    from connector.serializers.reconciliation import serialize_report

    with (
        local_runtime() as runtime,
        progress_on_tty("rows accounted for", sum(last_ids(runtime.database))) as update_progress,
    ):
        ids = {name: configured_store.id for name, configured_store in runtime.settings.stores.items()}
        ids |= {id_: id_ for id_ in [*ids.values(), *runtime.settings.retired]}
        scope = Scope(
            store=lookup_or_fail("store", store, ids) if store else None,
            since=since,
            until=until,
        )
        report = reconcile_rows(
            runtime.database,
            scope,
            accounts=runtime.settings.accounts,
            lease_s=runtime.settings.environment.lease_s,
            late_s=late_s,
            on_progress=update_progress,
        )
    data = serialize_report(report)
    if as_json:
        print_json_line(data)
    else:
        print_report(data)
    if report.total:
        sys.exit(1)


def print_report(report: dict[str, Any]) -> None:
    """Print a reconciliation report, in the form that `serialize_report` returns."""
    days = [{**day, **day["events"], **day["deliveries"]} for day in report["days"]]
    print_table(REPORT_COLUMNS, days)
    for account in report["held"]:
        click.echo(f"account {account['account']} is held ({account['state']}): {account['waiting']} deliveries wait")
    for account in report["for_a_person"]:
        click.echo(
            f"account {account['account']}: {account['held']} deliveries are held until a person decides; see"
            f" `connector list --reason held --account {account['account']}`"
        )
    for difference in report["differences"]:
        target = f" to {difference['account']}" if difference["account"] else ""
        context = f"{difference['store']} {difference['day']}, order {difference['order']}{target}"
        click.echo(f"{difference['kind']} {difference['id']} ({context}): {difference['what']}")
    if report["unlisted"]:
        click.echo(f"and {report['unlisted']} more; narrow the range with --store, --since or --until")
    if not report["differences"]:
        click.echo("Everything is accounted for.")
