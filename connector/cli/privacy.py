"""`connector privacy`: what is kept about a person, exported and erased on request."""

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import JSON_OPTION, cli, exit_with, local_runtime, operator_name
from connector.cli.output import print_json_line, print_result, print_table

if TYPE_CHECKING:
    from connector.database.erasure import OrderErasure
    from connector.database.queries.personal_data import OrderRows, PersonalRecords
    from connector.privacy.records import Criterion
    from connector.runtime import Runtime

ORDER_OPTION = click.option("--order", metavar="N", help="Of this order: its number or id.")
EMAIL_OPTION = click.option(
    "--email",
    metavar="[ADDRESS]",
    is_flag=False,
    flag_value="",
    help="Of all orders with this e-mail address. If ADDRESS is omitted, the command asks for it.",
)
STORE_OPTION = click.option("--store", help="Of this store only: its name in the configuration, or a retired id.")


@cli.group()
def privacy() -> None:
    """Export or erase the personal data in orders."""


@privacy.command()
@ORDER_OPTION
@EMAIL_OPTION
@STORE_OPTION
@click.option("--discard-parked", is_flag=True, help="Also discard parked deliveries that were not sent.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@JSON_OPTION
def erase(
    order: str | None, email: str | None, store: str | None, discard_parked: bool, yes: bool, as_json: bool
) -> None:
    """Erase the personal data of an order, or of all orders with an e-mail address.

    Deletes payloads, requests, responses, problems, notes and corrections, also from the database's files. Order
    numbers, ids, states and times stay. Later webhooks of these orders are recorded without content, and these orders
    are never sent again.

    If an order is on its way or parked, it is erased when its deliveries have ended. On SQLite, the file is rewritten,
    and webhooks wait meanwhile.

    The exit status is 1 if nothing is stored, you answer no, or something could not be erased from the files yet.
    """
    from connector.privacy.erase import erase_records
    from connector.privacy.records import list_rows
    from connector.serializers.privacy import serialize_erasure

    criterion = build_criterion(order, email, store)
    with local_runtime() as runtime:
        records = find_or_exit(runtime, criterion)
        if not as_json:
            print_matches(list_rows(runtime, records))
        if len(records.orders) > 1 and order is not None:
            exit_with(["Several orders have this number. Name the --store, or erase by the order's page."], 1)
        if not yes and not click.confirm(f"Erase the personal data of {describe_count(records)}?", err=True):
            exit_with(["Nothing was erased."], 1)
        result = erase_records(
            runtime, records, actor=operator_name(), email=criterion.email, discards_parked=discard_parked
        )
    if as_json:
        print_json_line(serialize_erasure(result))
    else:
        for erased in result.orders:
            click.echo(describe_erasure(erased))
        if result.events:
            click.echo(f"Erased: {result.events} events without an order.")
    if not result.is_clean:
        exit_with(["Copies are left in the database's files: something reads them. A worker tries again."], 1)


def print_matches(found: "Sequence[OrderRows]") -> None:
    rows = [
        {
            "store": rows.store,
            "order": rows.order_number or rows.order_id,
            "events": len(rows.events),
            "deliveries": ", ".join(f"{row.account} {row.reason or row.state}" for row in rows.deliveries),
        }
        for rows in found
    ]
    print_table(["store", "order", "events", "deliveries"], rows)


def describe_count(records: "PersonalRecords") -> str:
    orders, events = len(records.orders), len(records.event_ids)
    parts = [f"{orders} order{'s' * (orders != 1)}"] if orders or not events else []
    parts += [f"{events} event{'s' * (events != 1)} without an order"] if events else []
    return " and ".join(parts)


def describe_erasure(erased: "OrderErasure") -> str:
    order = f"{erased.store} {erased.order_number or erased.order_id}"
    if erased.is_erased:
        return f"Erased: {order}."
    waits = ", ".join(
        f"delivery {row.id} to {row.account} is {row.reason or row.state}" for row in erased.open_deliveries
    )
    return f"Pending: {order} is erased once its deliveries have ended ({waits})."


@privacy.command()
@ORDER_OPTION
@EMAIL_OPTION
@STORE_OPTION
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Write it to this new file."
)
@JSON_OPTION
def export(order: str | None, email: str | None, store: str | None, output: Path, as_json: bool) -> None:
    """Write all stored data about some orders to one JSON file.

    The file is for the merchant. Only your user can read it. The exit status is 1 if nothing is stored.
    """
    from dataclasses import asdict

    from connector.privacy.export import export_records

    criterion = build_criterion(order, email, store)
    with local_runtime() as runtime:
        records = find_or_exit(runtime, criterion)
        document = export_records(runtime, records, asdict(criterion), actor=operator_name())
    write_private(output, json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    print_result(
        f"Wrote {describe_count(records)} to {output}.",
        {"orders": len(records.orders), "events": len(records.event_ids), "file": str(output)},
        as_json=as_json,
    )


def build_criterion(order: str | None, email: str | None, store: str | None) -> "Criterion":
    """Return it, with the address, which is asked if only its option was given. Raises `click.UsageError`."""
    from connector.privacy.records import Criterion

    if (order is None) == (email is None):
        raise click.UsageError("Name either --order or --email.")
    address = click.prompt("E-mail address", err=True) if email == "" else email
    return Criterion(order=order, email=address, store=store)


def find_or_exit(runtime: "Runtime", criterion: "Criterion") -> "PersonalRecords":
    """Return what is kept. Ends the command if there is nothing."""
    from connector.privacy.records import find_records

    records = find_records(runtime, criterion)
    if not records.count:
        exit_with(["Nothing is stored about such an order."], 1)
    return records


def write_private(path: Path, text: str) -> None:
    """Write a new file that only this user can read. Ends the command if it exists, or cannot be written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, stat.S_IRUSR | stat.S_IWUSR)
    except OSError as error:
        exit_with([f"{path} was not written: {error.strerror}."], 1)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
