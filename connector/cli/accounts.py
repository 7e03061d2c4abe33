"""Commands for accounts: accounts and their credentials, pause, resume."""

import sys
from typing import TYPE_CHECKING

import click

from connector.cli.common import (
    JSON_OPTION,
    NOTE_OPTION,
    cli,
    exit_with,
    find_account_id,
    local_runtime,
    operator_name,
)
from connector.cli.output import print_result, print_rows

if TYPE_CHECKING:
    from connector.runtime import Runtime

#: What a test showed, by its verdict.
TEST_RESULTS = {
    "accepted": "the destination accepts it",
    "untested": "it could not be tested",
    "not testable": "the destination has no request that tests it, so the next order shows whether it is right",
}
COLUMNS = ("id", "destination", "state", "since", "reason", "waiting", "sending", "parked")


@cli.group(invoke_without_command=True)
@JSON_OPTION
@click.pass_context
def accounts(context: click.Context, as_json: bool) -> None:
    """List the accounts: whether each accepts orders, and how many deliveries are open for it."""
    if context.invoked_subcommand is not None:
        return
    from connector.serializers.accounts import serialize_accounts

    with local_runtime() as runtime:
        rows = serialize_accounts(runtime)
    print_rows(COLUMNS, rows if as_json else [row | row["deliveries"] for row in rows], as_json=as_json)


@accounts.command()
@JSON_OPTION
@click.argument("account")
def credentials(as_json: bool, account: str) -> None:
    """Show which credentials of an account are used, since when, and who entered them; never their values."""
    from connector.operations.credentials import list_credentials
    from connector.serializers.credentials import CredentialSchema

    with local_runtime() as runtime:
        rows = CredentialSchema(many=True).dump(list_credentials(runtime, find_account_id(runtime, account)))
    print_rows(("setting", "source", "use", "entered_by", "entered_at", "is_verified"), rows, as_json=as_json)


@accounts.command("set-credentials")
@NOTE_OPTION
@JSON_OPTION
@click.option("--setting", help="Which credential, if the account has several, such as headers.Authorization.")
@click.option(
    "--keep-untested", is_flag=True, help="Store the key even if the destination cannot be reached to test it."
)
@click.argument("account")
def set_credentials(note: str | None, as_json: bool, setting: str | None, keep_untested: bool, account: str) -> None:
    """Use another key for an account, without a restart. Asks for the key, or reads it from standard input.

    The key is tested with a request that creates nothing, and stored in the database, encrypted with TOKEN_KEYS. It is
    used instead of the configuration's until that changes. Orders that wait for the account are then sent.
    """
    from connector.operations.credentials import list_credentials, replace_credentials

    with local_runtime() as runtime:
        account_id = find_account_id(runtime, account)
        settings = [status.setting for status in list_credentials(runtime, account_id)]
        if setting is None and len(settings) > 1:
            raise click.UsageError(f"{account} has several credentials: choose one with --setting, {settings}.")
        setting = setting or settings[0]
        replacement = replace_credentials(
            runtime,
            account_id,
            {setting: read_credential(setting)},
            actor=operator_name(),
            note=note,
            keep_untested=keep_untested,
        )
    text = f"The {setting} of {account_id} is replaced: {TEST_RESULTS[replacement.verdict]}. Workers use it in seconds."
    data = {"account": account_id, "setting": setting, "test": replacement.verdict}
    print_result(text, data | {"job": replacement.job and str(replacement.job.id)}, as_json=as_json)


def read_credential(setting: str) -> str:
    """Return the first line of standard input, or what a person types without an echo."""
    if sys.stdin.isatty():
        value: str = click.prompt(f"The new {setting}", hide_input=True, err=True)
        return value
    return sys.stdin.readline()


@accounts.command("withdraw-credentials")
@NOTE_OPTION
@JSON_OPTION
@click.argument("account")
def withdraw_credentials(note: str | None, as_json: bool, account: str) -> None:
    """Delete the entered credentials of an account. The configuration's are used again."""
    from connector.operations.credentials import withdraw_credentials

    with local_runtime() as runtime:
        account_id = find_account_id(runtime, account)
        withdraw_credentials(runtime, account_id, actor=operator_name(), note=note)
    print_result(
        f"The configuration's credentials of {account_id} are used again.", {"account": account_id}, as_json=as_json
    )


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
