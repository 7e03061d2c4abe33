"""`connector map`: what an order becomes and where each field came from, without a database or a network."""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import cli, exit_with, lookup_or_fail, print_table

if TYPE_CHECKING:
    from mappings.preview.provenance import ExplainedMapping


@cli.command("map")
@click.option("--store", help="A store of the configuration.")
@click.option("--account", help="An account of the configuration.")
@click.option("--storefront", help="Without a configuration: the platform that the order comes from.")
@click.option("--destination", help="Without a configuration: the service that it goes to.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A setting of the store or the account.")
@click.option("--explain", "is_explained", is_flag=True, help="Show where each field of the body came from.")
@click.option("--json", "as_json", is_flag=True, help="With --explain: one JSON object.")
@click.argument("file", type=click.File("rb"))
def map_order(
    store: str | None,
    account: str | None,
    storefront: str | None,
    destination: str | None,
    values: tuple[str, ...],
    is_explained: bool,
    as_json: bool,
    file: Any,
) -> None:
    """Show the body that the order in FILE becomes. Sends nothing, and needs no database.

    The body goes to standard output; problems and warnings, one a line, to standard error. With --explain, a table
    takes the body's place: where each field stands in the order, or which setting it is, and what else it depends on.
    That is found by altering the order's values one by one and mapping it again, not by a list that could be wrong.
    """
    from connector.settings import build_pair, load_settings
    from mappings import DESTINATIONS, STOREFRONTS
    from mappings.preview.dry_run import dry_run
    from mappings.settings import Account, Store

    if as_json and not is_explained:
        raise click.UsageError("--json goes with --explain: the body alone is JSON anyway.")
    source_store: Store
    target_account: Account
    if store and account and not (storefront or destination or values):
        settings = load_settings()
        accounts = {
            configured_account.name: configured_account for configured_account in settings.accounts.values()
        } | dict(settings.accounts)
        source_store = lookup_or_fail("store", store, dict(settings.stores))
        target_account = lookup_or_fail("account", account, accounts)
    elif storefront and destination and not (store or account):
        lookup_or_fail("storefront", storefront, STOREFRONTS)
        lookup_or_fail("destination", destination, DESTINATIONS)
        source_store, target_account = build_pair(storefront, destination, dict(map(parse_setting, values)))
    else:
        raise click.UsageError("give --store and --account, or --storefront and --destination with --set.")
    payload = read_payload(file)
    if is_explained:
        from mappings.preview.provenance import explain_mapping

        explained = explain_mapping(source_store, target_account, payload)
        print_explanation(explained, as_json=as_json)
        if explained.problems:
            sys.exit(1)
        return
    trial = dry_run(source_store, target_account, payload)
    if trial.body is None:
        exit_with(trial.problems, 1)
    for warning in trial.warnings:
        click.echo(warning, err=True)
    click.echo(json.dumps(trial.body, ensure_ascii=False, indent=2))


def print_explanation(explained: "ExplainedMapping", *, as_json: bool) -> None:
    """Print the origins: as JSON, or as a table, which is drawn on a terminal alone."""
    if as_json:
        from connector.web.api.responses import serialize_explained_body

        click.echo(json.dumps(serialize_explained_body(explained), ensure_ascii=False, indent=2))
        return
    for line in [*explained.problems, *explained.warnings]:
        click.echo(line, err=True)
    rows = [
        {
            "field": origin.field,
            "value": json.dumps(origin.value, ensure_ascii=False),
            "is": origin.label,
            "from": ", ".join(map(str, origin.sources)) or f"({origin.note})",
            "depends on": ", ".join(map(str, origin.depends_on)),
        }
        for origin in explained.origins
    ]
    columns = ["field", "value", "is", "from", "depends on"]
    if sys.stdout.isatty():
        draw_explanation_table(columns, rows)
    else:
        print_table(columns, rows)


def draw_explanation_table(columns: list[str], rows: list[dict[str, str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=SIMPLE_HEAD, row_styles=["", "dim"])
    for row in rows:
        table.add_row(*(Text(row[column], overflow="fold") for column in columns))
    Console().print(table)


def parse_setting(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.UsageError(f"--set takes NAME=VALUE, not “{text}”.")
    return name.strip(), value


def read_payload(file: Any) -> dict[str, Any]:
    try:
        payload = json.loads(file.read())
    except (ValueError, RecursionError):
        raise click.UsageError(f"{file.name} is not JSON.") from None
    if not isinstance(payload, dict):
        raise click.UsageError(f"{file.name} is not a JSON object.")
    return payload
