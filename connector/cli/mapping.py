"""`connector map`: what an order becomes, without a database or a network."""

import json
from typing import Any

import click

from connector.cli.base import choose, cli, fail


@cli.command("map")
@click.option("--store", help="A store of the configuration.")
@click.option("--account", help="An account of the configuration.")
@click.option("--storefront", help="Without a configuration: the platform that the order comes from.")
@click.option("--destination", help="Without a configuration: the service that it goes to.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A setting of the store or the account.")
@click.argument("file", type=click.File("rb"))
def map_order(
    store: str | None,
    account: str | None,
    storefront: str | None,
    destination: str | None,
    values: tuple[str, ...],
    file: Any,
) -> None:
    """Show the body that the order in FILE becomes. Sends nothing, and needs no database.

    The body goes to standard output; problems and warnings, one a line, to standard error.
    """
    from connector.settings import build_both, load_settings
    from mappings import DESTINATIONS, STOREFRONTS
    from mappings.schema import MappingError
    from mappings.settings import Account, Store

    of_store: Store
    of_account: Account
    if store and account and not (storefront or destination or values):
        settings = load_settings()
        accounts = {one.name: one for one in settings.accounts.values()} | dict(settings.accounts)
        of_store = choose("store", store, dict(settings.stores))
        of_account = choose("account", account, accounts)
    elif storefront and destination and not (store or account):
        choose("storefront", storefront, STOREFRONTS)
        choose("destination", destination, DESTINATIONS)
        of_store, of_account = build_both(storefront, destination, dict(map(split_setting, values)))
    else:
        raise click.UsageError("give --store and --account, or --storefront and --destination with --set.")
    payload = read_payload(file)
    try:
        order = STOREFRONTS[of_store.storefront].read(payload, of_store)
        written = DESTINATIONS[of_account.destination].write(order, of_account, of_store)
    except MappingError as error:
        fail(error.problems, 1)
    for warning in written.warnings:
        click.echo(warning, err=True)
    click.echo(json.dumps(written.body, ensure_ascii=False, indent=2))


def split_setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
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
