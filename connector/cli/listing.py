"""`connector list`: deliveries or events, newest first, page by page."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import JSON_OPTION, UTCTime, cli, command_line_reader, local_runtime
from connector.cli.output import print_json_line, print_table

if TYPE_CHECKING:
    from connector.database.models import Delivery
    from connector.database.queries.deliveries import DeliveryFilter
    from connector.runtime import Runtime

DELIVERY_COLUMNS = ("id", "store", "order", "account", "state", "reason", "age")
EVENT_COLUMNS = ("id", "store", "order", "topic", "age", "status", "reason")
MORE_DELIVERY_COLUMNS = ("attempts", "created_at", "remote_id")
MORE_EVENT_COLUMNS = ("source", "received_at")


@cli.command("list")
@click.option("--events", is_flag=True, help="List webhooks instead of deliveries.")
@click.option("--state", help="In this state, such as parked.")
@click.option("--reason", help="Parked or discarded for this reason, such as refused.")
@click.option("--account", help="To this account.")
@click.option("--store", help="From this store.")
@click.option("--order", help="Of this order: its id or number.")
@click.option(
    "--email",
    metavar="[ADDRESS]",
    is_flag=False,
    flag_value="",
    help="Of the customer with this e-mail address. If ADDRESS is omitted, the command asks for it.",
)
@click.option("--since", type=UTCTime(), help="Received on this UTC day or at this time, or later.")
@click.option("--until", type=UTCTime(), help="Received before this UTC day or time.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many to list.")
@click.option("--cursor", type=click.IntRange(min=1), metavar="ID", help="Continue after the row with this id.")
@click.option("--wide", is_flag=True, help="Show more columns, in longer lines: attempts, the destination's id, times.")
@JSON_OPTION
def list_rows(
    events: bool,
    state: str | None,
    reason: str | None,
    account: str | None,
    store: str | None,
    order: str | None,
    email: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    cursor: int | None,
    wide: bool,
    as_json: bool,
) -> None:
    """List deliveries, newest first.

    If there are more than --limit, the command for the next ones is printed on standard error.
    """
    from connector.database.models import Reason, State

    for value, choices in ((state, State), (reason, Reason)):
        if value is not None and value not in list(choices):
            raise click.UsageError(f"“{value}” is not one of {', '.join(choices)}.")
    if events and (state or reason or account or email is not None):
        raise click.UsageError("--events does not go with --state, --reason, --account or --email.")
    if email == "":
        email = click.prompt("E-mail address", err=True)
    filters = {"store": store, "order": order, "since": since, "until": until}
    with local_runtime() as runtime:
        if events:
            rows, next_cursor = find_events(runtime, filters, limit=limit, cursor=cursor)
        else:
            filters |= {"state": state, "reason": reason, "account": account}
            rows, next_cursor = find_deliveries(runtime, filters, email=email, limit=limit, cursor=cursor)
        now = runtime.clock()
    columns, more_columns = (EVENT_COLUMNS, MORE_EVENT_COLUMNS) if events else (DELIVERY_COLUMNS, MORE_DELIVERY_COLUMNS)
    if as_json:
        for row in rows:
            print_json_line(row)
    else:
        print_table([*columns, *(more_columns if wide else ())], [add_cells(row, now) for row in rows], is_plain=wide)
    if next_cursor is not None:
        click.echo(f"There are more. The next ones: {next_command('list', next_cursor)}", err=True)
    elif not rows and not as_json:
        click.echo("No webhook matches." if events else "No delivery matches.", err=True)


def find_events(
    runtime: "Runtime", filters: Mapping[str, Any], *, limit: int, cursor: int | None
) -> tuple[Sequence[dict[str, Any]], int | None]:
    """Return the events as JSON, and the cursor of the next page, if there is one."""
    from connector.database.queries.events import EventFilter, list_events
    from connector.serializers.events import serialize_events

    events = list_events(runtime.database, EventFilter(**filters), before_id=cursor, limit=limit + 1)
    return serialize_events(runtime, events[:limit]), events[limit - 1].id if len(events) > limit else None


def find_deliveries(
    runtime: "Runtime", filters: Mapping[str, Any], *, email: str | None, limit: int, cursor: int | None
) -> tuple[Sequence[dict[str, Any]], int | None]:
    """Return the deliveries as JSON, and the cursor of the next page, if there is one."""
    from connector.database.queries.deliveries import DeliveryFilter, list_deliveries
    from connector.serializers.deliveries import serialize_delivery

    delivery_filter = DeliveryFilter(**filters)
    if email is None:
        deliveries = list_deliveries(runtime.database, delivery_filter, before_id=cursor, limit=limit + 1)
    else:
        deliveries = list_by_email(runtime, delivery_filter, email.strip(), limit=limit + 1, cursor=cursor)
    rows = [serialize_delivery(delivery) for delivery in deliveries[:limit]]
    return rows, deliveries[limit - 1].id if len(deliveries) > limit else None


def list_by_email(
    runtime: "Runtime", delivery_filter: "DeliveryFilter", email: str, *, limit: int, cursor: int | None
) -> "list[Delivery]":
    """Search the orders for an e-mail address, from the newest, until `limit` deliveries match or all are searched."""
    from dataclasses import replace
    from itertools import count

    from connector.database.audit import record_entry
    from connector.database.models import AuditAction
    from connector.database.queries.deliveries import list_deliveries
    from connector.database.queries.terms import delivery_ids_by_email

    ids: set[int] = set()
    deliveries: list[Delivery] = []
    for page_number in count():
        page_ids, has_older = delivery_ids_by_email(runtime.database, email, page_number=page_number)
        ids.update(page_ids)
        if page_ids:
            email_filter = replace(delivery_filter, ids=tuple(ids))
            deliveries = list_deliveries(runtime.database, email_filter, before_id=cursor, limit=limit)
        if not has_older or len(deliveries) >= limit:
            break
    counts = {"deliveries": len(deliveries)}
    record_entry(runtime.database, command_line_reader(), AuditAction.SEARCH_BY_EMAIL, counts=counts)
    return deliveries


def add_cells(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return a row with the cells that its JSON does not have: the age, and the order as people know it."""
    from connector.core.check_result import format_duration

    received_at = datetime.fromisoformat(row.get("received_at") or row["created_at"])
    age = format_duration(max(0.0, (now - received_at).total_seconds()))
    return {**row, "age": age, "order": row["order_number"] or row["order_id"]}


def next_command(command: str, cursor: int | str) -> str:
    """Return the command line for the next page: the options of this one, without the e-mail address."""
    words = ["connector", command]
    context = click.get_current_context()
    for param in context.command.params:
        name = param.name or ""
        value, source = context.params[name], context.get_parameter_source(name)
        if name == "cursor" or source is click.core.ParameterSource.DEFAULT:
            continue
        words.append(param.opts[-1])
        if isinstance(value, datetime):
            words.append(value.isoformat().replace("+00:00", "Z"))
        elif value is not True and name != "email":
            words.append(str(value))
    return shlex.join([*words, "--cursor", str(cursor)])
