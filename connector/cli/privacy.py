"""`connector privacy`: what is kept about a person, exported and erased on request."""

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import JSON_OPTION, cli, exit_with, local_runtime, lookup_or_fail
from connector.cli.output import print_result

if TYPE_CHECKING:
    from connector.database.queries.personal_data import PersonalRecords
    from connector.runtime import Runtime

ORDER_OPTION = click.option("--order", metavar="N", help="Of this order: its number or id.")
EMAIL_OPTION = click.option(
    "--email",
    metavar="[ADDRESS]",
    is_flag=False,
    flag_value="",
    help="Of all orders with this e-mail address. Without ADDRESS it is asked, so that no shell history keeps it.",
)
STORE_OPTION = click.option("--store", help="Of this store only: its name in the configuration, or a retired id.")


@cli.group()
def privacy() -> None:
    """Personal data: what is kept about a person's orders."""


@privacy.command()
@ORDER_OPTION
@EMAIL_OPTION
@STORE_OPTION
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Write it to this new file."
)
@JSON_OPTION
def export(order: str | None, email: str | None, store: str | None, output: Path, as_json: bool) -> None:
    """Write everything that is kept about some orders to one JSON file.

    The file is for the merchant, and only your user can read it. Exit status: 1 if nothing is kept.
    """
    from connector.privacy.export import export_records

    email = ask_email(order, email)
    with local_runtime() as runtime:
        records = find_records(runtime, order=order, email=email, store=store)
        document = export_records(runtime, records, criterion={"order": order, "email": email, "store": store})
    text = json.dumps(document, ensure_ascii=False, indent=2)
    write_private(output, text + "\n")
    count = len(document["orders"])
    print_result(f"Wrote {count} orders to {output}.", {"orders": count, "file": str(output)}, as_json=as_json)


def ask_email(order: str | None, email: str | None) -> str | None:
    """Return the address, which is asked if only its option was given. Raises `click.UsageError`."""
    if (order is None) == (email is None):
        raise click.UsageError("Name either --order or --email.")
    return click.prompt("E-mail address", err=True) if email == "" else email


def find_records(runtime: "Runtime", *, order: str | None, email: str | None, store: str | None) -> "PersonalRecords":
    """Return what is kept. Ends the command if there is nothing."""
    from connector.database.queries.personal_data import find_by_email, find_by_order

    ids = {name: configured.id for name, configured in runtime.settings.stores.items()}
    ids |= {id_: id_ for id_ in [*ids.values(), *runtime.settings.retired]}
    store_id = lookup_or_fail("store", store, ids) if store else None
    if order is not None:
        records = find_by_order(runtime.database, order, store=store_id)
    else:
        records = find_by_email(runtime.database, email or "", store=store_id)
    if not records.count:
        exit_with(["Nothing is kept about such an order."], 1)
    return records


def write_private(path: Path, text: str) -> None:
    """Write a new file that only this user can read. Ends the command if it exists, or cannot be written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, stat.S_IRUSR | stat.S_IWUSR)
    except OSError as error:
        exit_with([f"{path} was not written: {error.strerror}."], 1)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
