"""`connector init`: asks for a store and an account, and writes a configuration that works."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import cli, exit_with
from connector.cli.interview import Interview
from connector.core.exceptions import DatabaseUnavailableError, MigrationNeededError, SettingsError

if TYPE_CHECKING:
    from connector.operations.setup import CredentialTest
    from connector.settings import Settings
    from connector.settings.setup import NewConfiguration, SetupPart


@cli.command()
@click.option("--storefront", help="The platform of the shop, such as shopify.")
@click.option("--shop", help="The shop's domain, address or number, as the platform names it.")
@click.option("--destination", help="The service that receives the orders, such as rayo.")
@click.option("--store", "store_name", metavar="NAME", help="The store's name. Default: from the shop's address.")
@click.option("--account", "account_name", metavar="NAME", help="The account's name. Default: the destination's.")
@click.option("--public-url", help="The address at which storefronts will reach this service.")
@click.option(
    "--set", "values", multiple=True, metavar="NAME=VALUE", help="Another answer or setting, but not a secret."
)
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    default=".",
    help="Where to write the files. Default: here.",
)
@click.option("--offline", "is_offline", is_flag=True, help="Do not test the credentials.")
@click.option("--force", "is_forced", is_flag=True, help="Replace files that exist.")
def init(
    storefront: str | None,
    shop: str | None,
    destination: str | None,
    store_name: str | None,
    account_name: str | None,
    public_url: str | None,
    values: tuple[str, ...],
    directory: Path,
    is_offline: bool,
    is_forced: bool,
) -> None:
    """Write connector.toml and .env for a store and an account, and test their credentials.

    Asks for everything that is not in the options. It asks for secrets without echo, or reads them from the
    environment, such as RAYO_API_KEY. It writes secrets only to .env, which only you can read. Without a terminal, it
    lists what is missing and writes nothing.

    The exit status is 1 if the files were written but a credential does not work.
    """
    from connector.observability.logs import configure_logging
    from connector.operations.setup import next_steps, write_files
    from connector.settings.setup import CONFIG_FILE, ENVIRONMENT_FILE, NewConfiguration

    configure_logging(quiet=True)
    if not is_forced and (existing := NewConfiguration(toml="", variables={}).find_existing(directory)):
        raise click.UsageError(f"{existing[0]} exists: move it, or give --force to replace it.")
    interview = Interview(options={**parse_values(values), **({"shop": shop} if shop else {})})
    try:
        store = ask_store(interview, storefront, store_name)
        account = ask_account(interview, destination, account_name)
        public_url = interview.ask_public_url(public_url)
        interview.finish()
        configuration, settings, tests = check_answers(interview, store, account, public_url, is_offline=is_offline)
        write_files(configuration, directory, is_forced=is_forced)
    except click.Abort:
        exit_with(["", "Nothing was written."], 1)
    except FileExistsError as error:
        exit_with([f"{error} Nothing was written."], 1)
    works = all(test.is_good for test in tests)
    click.echo(f"Wrote {directory / CONFIG_FILE} and {directory / ENVIRONMENT_FILE}, which has the secrets.")
    if not works:
        click.echo(f"Correct what failed in {directory / ENVIRONMENT_FILE}, then run: connector doctor")
    are_webhooks_managed = works and not is_offline and try_to_manage_webhooks(settings, store, directory)
    click.echo("\nNext:")
    for step in next_steps(settings, store, directory, are_webhooks_managed=are_webhooks_managed):
        click.echo(f"  {step}")
    if not works:
        sys.exit(1)


def parse_values(values: Sequence[str]) -> dict[str, str]:
    parsed = {}
    for item in values:
        name, equals, value = item.partition("=")
        if not equals:
            raise click.UsageError(f"--set {item} has no “=”; write NAME=VALUE.")
        parsed[name.strip()] = value
    return parsed


def ask_store(interview: Interview, storefront: str | None, name: str | None) -> "SetupPart":
    from connector.settings.setup import default_store_name, offered_integrations

    storefront = interview.choose("storefront", "--storefront", storefront, offered_integrations("storefront"))
    check_name("--store", name)
    store = interview.build_part("storefront", storefront, name or storefront)
    interview.ask_all(store)
    store.name = name or default_store_name(storefront, store.answers.get("shop", ""))
    return store


def ask_account(interview: Interview, destination: str | None, name: str | None) -> "SetupPart":
    from connector.settings.setup import offered_integrations

    destination = interview.choose("destination", "--destination", destination, offered_integrations("destination"))
    check_name("--account", name)
    account = interview.build_part("destination", destination, name or destination)
    interview.ask_all(account)
    return account


def check_name(option: str, name: str | None) -> None:
    from connector.settings.setup import find_name_errors

    if name is not None and (errors := find_name_errors(name)):
        raise click.UsageError(f"{option} {errors[0]}")


def check_answers(
    interview: Interview, store: "SetupPart", account: "SetupPart", public_url: str | None, *, is_offline: bool
) -> "tuple[NewConfiguration, Settings, list[CredentialTest]]":
    """Load what would be written and test its credentials. A person may correct those that are rejected."""
    from connector.operations.setup import new_variables, test_credentials
    from connector.settings.setup import build_configuration

    while True:
        variables = new_variables(interview.environ)
        configuration = build_configuration(store, account, public_url=public_url, variables=variables)
        settings = load_or_exit(configuration, interview.environ)
        tests = [] if is_offline else test_credentials(settings)
        for test in tests:
            click.echo(f"{test.label:<7} {test.subject}: {test.message}", err=True)
        rejected_kinds = {test.kind for test in tests if test.is_rejected}
        if not (rejected_kinds and interview.wants_to_correct()):
            return configuration, settings, tests
        for part in (store, account):
            if part.kind in rejected_kinds:
                interview.ask_secrets_again(part)


def load_or_exit(configuration: "NewConfiguration", environ: Mapping[str, str]) -> "Settings":
    """Return the settings that would be written, if the service would start with them."""
    from connector.operations.setup import load_new_settings
    from connector.operations.startup import check_startup

    try:
        settings = load_new_settings(configuration, environ)
        check_startup(settings)
    except SettingsError as error:
        exit_with([*error.errors, "Nothing was written."], 1)
    except (DatabaseUnavailableError, MigrationNeededError) as error:
        click.echo(f"The database was not checked: {error}.", err=True)
    return settings


def try_to_manage_webhooks(settings: "Settings", store: "SetupPart", directory: Path) -> bool:
    from connector.operations.setup import manage_webhooks

    try:
        return manage_webhooks(settings, store.name, directory)
    except DatabaseUnavailableError:  # then a person runs `connector webhooks sync`
        return False
