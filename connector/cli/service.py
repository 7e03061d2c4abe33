"""Commands that run the service, or get ready for it."""

import sys

import click

from connector.cli.common import (
    JSON_OPTION,
    cli,
    exit_with,
    migrate_database,
    prepare_database,
    print_result,
    read_settings,
)
from connector.cli.progress import progress_on_tty
from connector.core.exceptions import SettingsError


@cli.command()
def serve() -> None:
    """Run the service: the web server, and the forwarder beside it."""
    from connector.runtime import open_runtime
    from connector.worker.supervisor import exec_supervisor

    settings = read_settings()
    prepare_database(settings)
    with open_runtime(settings):
        pass  # what would stop every process is said once, here
    environment = settings.environment
    exec_supervisor(environment.host, environment.port, environment.web_concurrency)


@cli.command()
def worker() -> None:
    """Run the forwarder alone."""
    from connector.observability.sentry import configure_sentry
    from connector.runtime import open_runtime
    from connector.worker.worker import run_worker

    settings = read_settings()
    configure_sentry(settings.environment.sentry_dsn)
    prepare_database(settings)
    with open_runtime(settings, with_clients=True) as runtime:
        run_worker(runtime)


@cli.command()
@JSON_OPTION
def migrate(as_json: bool) -> None:
    """Bring the database's tables up to date."""
    from connector.database.engine import HEAD

    with progress_on_tty("bringing the tables up to date", None):
        migrate_database(read_settings())
    print_result("The tables are up to date.", {"revision": HEAD}, as_json=as_json)


@cli.command()
@click.option("--live", is_flag=True, help="Also reach each account, by requests that create nothing.")
@JSON_OPTION
def check(live: bool, as_json: bool) -> None:
    """Check the configuration, and name all its faults."""
    from connector.settings import load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        if as_json:
            print_result("", {"faults": error.errors}, as_json=True)
        exit_with([] if as_json else error.errors, 1)
    counts = {"stores": len(settings.stores), "accounts": len(settings.accounts), "routes": len(settings.routes)}
    summary = ", ".join(f"{name} {count}" for name, count in counts.items())
    if not as_json:
        click.echo(f"The configuration is good: {summary}.")
    probes = []
    if live:
        from connector.operations.probe import probe_accounts

        probes = probe_accounts(settings)
    if as_json:
        reachability = {probe.account: {"is_good": probe.is_good, "said": probe.message} for probe in probes}
        print_result("", {"faults": [], **counts, **({"reached": reachability} if live else {})}, as_json=True)
    else:
        for probe in probes:
            click.echo(f"Account {probe.account}: {probe.message}.")
    if not all(probe.is_good for probe in probes):
        sys.exit(1)
