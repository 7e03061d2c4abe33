"""Commands that look at what is on record, and change nothing."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import click

from connector.cli.common import AS_JSON, choose, cli, open_here, print_table
from connector.cli.progress import follow_quietly


@cli.command("list")
@click.option("--events", is_flag=True, help="List events in place of deliveries.")
@click.option("--state")
@click.option("--reason")
@click.option("--account")
@click.option("--store")
@click.option("--order", help="An order's id or number.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@AS_JSON
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
    from connector.web.api.responses import show_delivery, show_events

    for given, words in ((state, State), (reason, Reason)):
        if given is not None and given not in list(words):
            raise click.UsageError(f"“{given}” is none of {', '.join(words)}.")
    with open_here() as runtime:
        if events:
            if state or reason or account:
                raise click.UsageError("events have no state, reason or account.")
            rows = show_events(runtime, list_events(runtime.database, store=store, order=order, limit=limit))
            columns = ["id", "store", "topic", "order_number", "status", "reason", "received_at"]
        else:
            found = list_deliveries(
                runtime.database, state=state, reason=reason, account=account, store=store, order=order, limit=limit
            )
            rows = [show_delivery(delivery) for delivery in found]
            columns = ["id", "store", "order_number", "account", "state", "reason", "attempts", "remote_id"]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    else:
        print_table(columns, rows)


@cli.command()
@click.option("--event", "is_event", is_flag=True, help="ID is an event's.")
@AS_JSON
@click.argument("id_", metavar="ID", type=click.IntRange(min=1))
def show(is_event: bool, as_json: bool, id_: int) -> None:
    """Show one delivery, with its body and its attempts, as JSON: in colours on a terminal, in one line by --json."""
    from connector.database.queries.lookups import load_delivery, load_event
    from connector.web.api.responses import show_events, show_whole_delivery

    with open_here() as runtime:
        if is_event:
            shown = show_events(runtime, [load_event(runtime.database, id_)])[0]
        else:
            shown = show_whole_delivery(runtime, load_delivery(runtime.database, id_))
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False))
    elif sys.stdout.isatty():
        from connector.cli.output import draw_json

        draw_json(shown)
    else:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))


@cli.command()
@AS_JSON
def accounts(as_json: bool) -> None:
    """List the accounts: whether each takes orders at present, and how many lie there."""
    from connector.web.api.responses import show_accounts

    with open_here() as runtime:
        rows = show_accounts(runtime)
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
@AS_JSON
def reconcile(since: datetime | None, until: datetime | None, store: str | None, late_s: float, as_json: bool) -> None:
    """Account for every webhook and every delivery, from what is on record. Changes nothing.

    Each event must be ignored with a reason, or have a delivery for every account that its routes named. Each delivery
    must hold what its state needs: a delivered one the destination's reply, read anew, or the name of who said so; one
    that is sending a live process; one that waits a time that is not too far off; any other its reason. What lacks
    that is listed, and the exit status is 1. A service that runs need not be stopped for it.
    """
    from connector.database.reconciliation.run import Scope, last_ids
    from connector.database.reconciliation.run import reconcile as reconcile_rows
    from connector.web.api.responses import show_report

    with open_here() as runtime, follow_quietly("rows accounted for", sum(last_ids(runtime.database))) as tell:
        ids = {name: one.id for name, one in runtime.settings.stores.items()}
        ids |= {id_: id_ for id_ in [*ids.values(), *runtime.settings.retired]}
        scope = Scope(
            store=choose("store", store, ids) if store else None,
            since=since and since.replace(tzinfo=UTC),
            until=until and until.replace(tzinfo=UTC),
        )
        report = reconcile_rows(
            runtime.database,
            scope,
            accounts=runtime.settings.accounts,
            lease_s=runtime.settings.environment.lease_s,
            late_s=late_s,
            tell=tell,
        )
    shown = show_report(report)
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False))
    else:
        print_report(shown)
    if report.found:
        sys.exit(1)


def print_report(shown: dict[str, Any]) -> None:
    columns = ["store", "day", "accepted", "ignored", "duplicates", "waiting", "sending", "delivered", "parked"]
    days = [{"store": one["store"], "day": one["day"], **one["events"], **one["deliveries"]} for one in shown["days"]]
    for row, one in zip(days, shown["days"], strict=True):
        row["differences"] = one["differences"]
    print_table([*columns, "discarded", "differences"], days)
    for held in shown["held"]:
        click.echo(f"account {held['account']} is held ({held['state']}): {held['waiting']} wait for it")
    for one in shown["differences"]:
        leads = f" to {one['account']}" if one["account"] else ""
        click.echo(
            f"{one['kind']} {one['id']} ({one['store']} {one['day']}, order {one['order']}{leads}): {one['what']}"
        )
    if shown["unlisted"]:
        click.echo(f"and {shown['unlisted']} more: narrow it by --store, --since, --until")
    if not shown["differences"]:
        click.echo("Everything is accounted for.")
