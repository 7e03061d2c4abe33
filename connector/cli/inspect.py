"""Commands that look at what is on record, and change nothing."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import click

from connector.cli.common import JSON_OPTION, cli, local_runtime, lookup_or_fail, print_table
from connector.cli.progress import progress_on_tty


@cli.command("list")
@click.option("--events", is_flag=True, help="List events in place of deliveries.")
@click.option("--state")
@click.option("--reason")
@click.option("--account")
@click.option("--store")
@click.option("--order", help="An order's id or number.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@JSON_OPTION
def list_rows(
    events: bool,
    state: str | None,
    reason: str | None,
    account: str | None,
    store: str | None,
    order: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List deliveries, newest first."""
    from connector.database.models import Reason, State
    from connector.database.queries.lookups import list_deliveries, list_events
    from connector.web.api.responses import serialize_delivery, serialize_events

    for value, allowed in ((state, State), (reason, Reason)):
        if value is not None and value not in list(allowed):
            raise click.UsageError(f"“{value}” is none of {', '.join(allowed)}.")
    with local_runtime() as runtime:
        if events:
            if state or reason or account:
                raise click.UsageError("events have no state, reason or account.")
            rows = serialize_events(runtime, list_events(runtime.database, store=store, order=order, limit=limit))
            columns = ["id", "store", "topic", "order_number", "status", "reason", "received_at"]
        else:
            deliveries = list_deliveries(
                runtime.database, state=state, reason=reason, account=account, store=store, order=order, limit=limit
            )
            rows = [serialize_delivery(delivery) for delivery in deliveries]
            columns = ["id", "store", "order_number", "account", "state", "reason", "attempts", "remote_id"]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    else:
        print_table(columns, rows)


@cli.command()
@click.option("--event", "is_event", is_flag=True, help="ID is an event's.")
@JSON_OPTION
@click.argument("id_", metavar="ID", type=click.IntRange(min=1))
def show(is_event: bool, as_json: bool, id_: int) -> None:
    """Show one delivery, with its body and its attempts, as JSON: in colours on a terminal, in one line by --json."""
    from connector.database.queries.lookups import load_delivery, load_event
    from connector.web.api.responses import serialize_delivery_detail, serialize_events

    with local_runtime() as runtime:
        if is_event:
            data = serialize_events(runtime, [load_event(runtime.database, id_)])[0]
        else:
            data = serialize_delivery_detail(runtime, load_delivery(runtime.database, id_))
    if as_json:
        click.echo(json.dumps(data, ensure_ascii=False))
    elif sys.stdout.isatty():
        from connector.cli.output import draw_json

        draw_json(data)
    else:
        click.echo(json.dumps(data, ensure_ascii=False, indent=2))


@cli.command()
@JSON_OPTION
def accounts(as_json: bool) -> None:
    """List the accounts: whether each takes orders at present, and how many lie there."""
    from connector.web.api.responses import serialize_accounts

    with local_runtime() as runtime:
        rows = serialize_accounts(runtime)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    else:
        print_table(
            ["id", "destination", "state", "since", "reason", "waiting", "sending", "parked"],
            [row | row["deliveries"] for row in rows],
        )


@cli.command()
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="What came in on this UTC day or later.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="What came in before this UTC day.")
@click.option("--store", help="A store of the configuration, or a retired one's id.")
@click.option(
    "--late-s",
    type=click.FloatRange(min=0),
    default=600,
    show_default=True,
    help="How long what is due may lie untaken while its account takes orders.",
)
@JSON_OPTION
def reconcile(since: datetime | None, until: datetime | None, store: str | None, late_s: float, as_json: bool) -> None:
    """Account for every webhook and every delivery, from what is on record. Changes nothing.

    Each event must be ignored with a reason, or have a delivery for every account that its routes named. Each delivery
    must hold what its state needs: a delivered one the destination's reply, read anew, or the name of who said so; one
    that is sending a live process; one that waits a time that is not too far off; any other its reason. What lacks
    that is listed, and the exit status is 1. A service that runs need not be stopped for it.
    """
    from connector.database.reconciliation.run import Scope, last_ids
    from connector.database.reconciliation.run import reconcile as reconcile_rows
    from connector.web.api.responses import serialize_report

    with (
        local_runtime() as runtime,
        progress_on_tty("rows accounted for", sum(last_ids(runtime.database))) as update_progress,
    ):
        ids = {name: configured_store.id for name, configured_store in runtime.settings.stores.items()}
        ids |= {id_: id_ for id_ in [*ids.values(), *runtime.settings.retired]}
        scope = Scope(
            store=lookup_or_fail("store", store, ids) if store else None,
            since=since and since.replace(tzinfo=UTC),
            until=until and until.replace(tzinfo=UTC),
        )
        report = reconcile_rows(
            runtime.database,
            scope,
            accounts=runtime.settings.accounts,
            lease_s=runtime.settings.environment.lease_s,
            late_s=late_s,
            on_progress=update_progress,
        )
    report_data = serialize_report(report)
    if as_json:
        click.echo(json.dumps(report_data, ensure_ascii=False))
    else:
        print_report(report_data)
    if report.total:
        sys.exit(1)


def print_report(report: dict[str, Any]) -> None:
    columns = ["store", "day", "accepted", "ignored", "duplicates", "waiting", "sending", "delivered", "parked"]
    days = [
        {"store": entry["store"], "day": entry["day"], **entry["events"], **entry["deliveries"]}
        for entry in report["days"]
    ]
    for row, entry in zip(days, report["days"], strict=True):
        row["differences"] = entry["differences"]
    print_table([*columns, "discarded", "differences"], days)
    for account in report["held"]:
        click.echo(f"account {account['account']} is held ({account['state']}): {account['waiting']} wait for it")
    for entry in report["differences"]:
        target = f" to {entry['account']}" if entry["account"] else ""
        context = f"{entry['store']} {entry['day']}, order {entry['order']}{target}"
        click.echo(f"{entry['kind']} {entry['id']} ({context}): {entry['what']}")
    if report["unlisted"]:
        click.echo(f"and {report['unlisted']} more: narrow it by --store, --since, --until")
    if not report["differences"]:
        click.echo("Everything is accounted for.")
