"""Commands for accounts: accounts, pause, resume."""

from typing import TYPE_CHECKING

import click

from connector.cli.common import JSON_OPTION, NOTE_OPTION, cli, exit_with, local_runtime, operator_name
from connector.cli.output import print_result, print_rows

if TYPE_CHECKING:
    from connector.runtime import Runtime

COLUMNS = ("id", "destination", "state", "since", "reason", "waiting", "sending", "parked")


@cli.command()
@JSON_OPTION
def accounts(as_json: bool) -> None:
    """List the accounts: whether each accepts orders, and how many deliveries are open for it."""
    from connector.serializers.accounts import serialize_accounts

    with local_runtime() as runtime:
        rows = serialize_accounts(runtime)
    print_rows(COLUMNS, rows if as_json else [row | row["deliveries"] for row in rows], as_json=as_json)


def require_account(runtime: "Runtime", account: str) -> None:
    """End the command unless there is an account with this id."""
    if account not in runtime.settings.accounts:
        exit_with([f"There is no account “{account}”: it is one of {', '.join(sorted(runtime.settings.accounts))}."], 1)


@cli.command()
@NOTE_OPTION
@JSON_OPTION
@click.argument("account")
def pause(note: str | None, as_json: bool, account: str) -> None:
    """Stop sending to an account until it is resumed. Its orders wait."""
    from connector.operations import actions
    from connector.serializers.accounts import serialize_account_by_id

    with local_runtime() as runtime:
        require_account(runtime, account)
        actions.pause_account(runtime, account, actor=operator_name(), note=note)
        data = serialize_account_by_id(runtime, account)
    print_result(f"Account {account} is paused.", data, as_json=as_json)


@cli.command()
@JSON_OPTION
@click.argument("account")
def resume(as_json: bool, account: str) -> None:
    """Resume sending to an account, clearing any pause or open circuit breaker."""
    from connector.operations import actions
    from connector.serializers.accounts import serialize_account_by_id

    with local_runtime() as runtime:
        require_account(runtime, account)
        actions.resume_account(runtime, account, actor=operator_name())
        data = serialize_account_by_id(runtime, account)
    print_result(f"Account {account} is resumed.", data, as_json=as_json)
