"""Commands that run the service, or get ready for it."""

import sys

import click

from connector.cli.common import AS_JSON, cli, fail, migrate_database, prepare_database, read_settings, say
from connector.cli.progress import follow_quietly
from connector.core.exceptions import SettingsError


@cli.command()
def serve() -> None:
    """Run the service: the web server, and the forwarder beside it."""
    from connector.runtime import open_runtime
    from connector.worker.supervisor import become_supervisor

    settings = read_settings()
    prepare_database(settings)
    with open_runtime(settings):
        pass  # what would stop every process is said once, here
    environment = settings.environment
    become_supervisor(environment.host, environment.port, environment.web_concurrency)


@cli.command()
def worker() -> None:
    """Run the forwarder alone."""
    from connector.observability.sentry import set_up_sentry
    from connector.runtime import open_runtime
    from connector.worker.worker import run_worker

    settings = read_settings()
    set_up_sentry(settings.environment.sentry_dsn)
    prepare_database(settings)
    with open_runtime(settings, sends=True) as runtime:
        run_worker(runtime)


@cli.command()
@AS_JSON
def migrate(as_json: bool) -> None:
    """Bring the database's tables up to date."""
    from connector.database.engine import HEAD

    with follow_quietly("bringing the tables up to date", None):
        migrate_database(read_settings())
    say("The tables are up to date.", {"revision": HEAD}, as_json=as_json)


@cli.command()
@click.option("--live", is_flag=True, help="Also reach each account, by requests that create nothing.")
@AS_JSON
def check(live: bool, as_json: bool) -> None:
    """Check the configuration, and name all its faults."""
    from connector.settings import load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        if as_json:
            say("", {"faults": error.faults}, as_json=True)
        fail([] if as_json else error.faults, 1)
    counts = {"stores": len(settings.stores), "accounts": len(settings.accounts), "routes": len(settings.routes)}
    counted = ", ".join(f"{name} {count}" for name, count in counts.items())
    if not as_json:
        click.echo(f"The configuration is good: {counted}.")
    probed = []
    if live:
        from connector.operations.probe import probe_accounts

        probed = probe_accounts(settings)
    if as_json:
        reached = {one.account: {"is_good": one.is_good, "said": one.said} for one in probed}
        say("", {"faults": [], **counts, **({"reached": reached} if live else {})}, as_json=True)
    else:
        for one in probed:
            click.echo(f"Account {one.account}: {one.said}.")
    if not all(one.is_good for one in probed):
        sys.exit(1)
