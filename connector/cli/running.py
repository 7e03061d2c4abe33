"""Commands that run the service, or get ready for it."""

import sys

import click

from connector.cli.base import cli, fail, migrate_database, prepare_database, read_settings
from connector.errors import SettingsError


@cli.command()
def serve() -> None:
    """Run the service: the web server, and the forwarder beside it."""
    from connector.runtime import open_runtime
    from connector.serve import become_supervisor

    settings = read_settings()
    prepare_database(settings)
    with open_runtime(settings):
        pass  # what would stop every process is said once, here
    environment = settings.environment
    become_supervisor(environment.host, environment.port, environment.web_concurrency)


@cli.command()
def worker() -> None:
    """Run the forwarder alone."""
    from connector.runtime import open_runtime
    from connector.sentry import set_up_sentry
    from connector.worker import run_worker

    settings = read_settings()
    set_up_sentry(settings.environment.sentry_dsn)
    prepare_database(settings)
    with open_runtime(settings, sends=True) as runtime:
        run_worker(runtime)


@cli.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    migrate_database(read_settings())
    click.echo("The tables are up to date.")


@cli.command()
@click.option("--live", is_flag=True, help="Also reach each account, by requests that create nothing.")
def check(live: bool) -> None:
    """Check the configuration, and name all its faults."""
    from connector.settings import load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        fail(error.faults, 1)
    stores, accounts, routes = len(settings.stores), len(settings.accounts), len(settings.routes)
    click.echo(f"The configuration is good: stores {stores}, accounts {accounts}, routes {routes}.")
    if not live:
        return
    from connector.probing import probe_accounts

    probed = probe_accounts(settings)
    for one in probed:
        click.echo(f"Account {one.account}: {one.said}.")
    if not all(one.is_good for one in probed):
        sys.exit(1)
