"""`connector authorize`: obtains the token of a store's app."""

from typing import Any

import click

from connector.cli.common import JSON_OPTION, cli, local_runtime, lookup_or_fail, operator_name
from connector.cli.output import print_result


@cli.command()
@click.option("--code", help="The code, or the whole address that contains it. If omitted, the command asks for it.")
@JSON_OPTION
@click.argument("store", metavar="STORE")
def authorize(code: str | None, as_json: bool, store: str) -> None:
    """Obtain the token of STORE with the code that the shop gets when it installs the app.

    Prints the address at which the shop installs the app. After the installation, the browser is at the app's
    redirection URL, whose address contains the code. A code works once, within five minutes. The token is stored
    encrypted in the database.
    """
    from connector.operations.authorize import authorize_store, find_authorization, read_code

    with local_runtime() as runtime:
        found_store = lookup_or_fail("store", store, runtime.settings.stores)
        authorization, app_store = find_authorization(runtime.settings, found_store)
        if code is None:
            click.echo(f"Open {authorization.installation_url(app_store)} as the shop's owner and accept.", err=True)
            code = click.prompt("The code, or the address that the browser shows then", err=True)
        grant = authorize_store(runtime, app_store, read_code(code), actor=operator_name())
    scopes = ", ".join(grant.scopes) or "none named"
    data: dict[str, Any] = {"store": store, "shop": grant.shop_id, "scopes": list(grant.scopes)}
    print_result(f"Store {store} is authorized. Scopes: {scopes}.", data, as_json=as_json)
