"""Commands that run and prepare the service: serve, worker, migrate, check."""

import os
import sys
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import JSON_OPTION, cli, exit_with, hint_at_environment_file, read_settings
from connector.cli.doctor import print_check, serialize_check
from connector.cli.output import print_json_line, print_result
from connector.cli.progress import progress_on_tty
from connector.core.exceptions import DatabaseUnavailableError, MigrationNeededError, SettingsError

if TYPE_CHECKING:
    from connector.settings import Settings


@cli.command()
def serve() -> None:
    """Run the service: the web server and its workers.

    When ready, it prints the addresses of the dashboard and the webhooks, and what is missing. It listens on HOST and
    PORT, by default 127.0.0.1 and 8000.
    """
    from connector.operations.startup import describe_service
    from connector.runtime import load_entered_rows, open_runtime
    from connector.worker.listening import find_port_fault
    from connector.worker.supervisor import default_worker_count, exec_supervisor

    settings = read_settings()
    environment = settings.environment
    if fault := find_port_fault(environment.host, environment.port):
        exit_with([fault], 1)
    prepare_database(settings)
    with open_runtime(settings) as runtime:  # report what would stop every process once, before any is started
        load_entered_rows(settings, runtime.database)
    exec_supervisor(
        environment.host,
        environment.port,
        web_processes=environment.web_concurrency,
        workers=environment.worker_processes or default_worker_count(environment.database_url),
        ready_text=describe_service(settings),
    )


@cli.command()
def worker() -> None:
    """Run a worker without a web server."""
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
    """Migrate the database to the current schema.

    Does not migrate if the configuration has errors. Works without a configuration, because a platform may create the
    database first.
    """
    from connector.database.engine import HEAD
    from connector.settings import has_configuration, load_environment

    environment = read_settings().environment if has_configuration(os.environ) else load_environment()
    with progress_on_tty("migrating", None):
        migrate_database(environment.database_url)
    print_result("The database is up to date.", {"revision": HEAD}, as_json=as_json)


@cli.command()
@click.option("--live", is_flag=True, help="Also contact each account, and list the stores' webhooks; create nothing.")
@JSON_OPTION
def check(live: bool, as_json: bool) -> None:
    """Check the configuration, and report every error.

    If there is no error, `connector serve` starts. The command also checks the database's folder and version, and that
    every store and account in the database is configured. A store without a route is an error here, although `serve`
    starts with it. The command changes nothing and creates no file.
    """
    from connector.observability.logs import configure_logging
    from connector.operations.credential_checks import check_entered_credentials, load_credentials_in_effect
    from connector.operations.startup import find_exposed_secrets, find_gaps

    configure_logging(quiet=True)
    sys.dont_write_bytecode = True  # of a merchant's own schema
    settings, errors = find_all_errors()
    if settings is None or errors:
        if as_json:
            print_json_line({"faults": errors})
            sys.exit(1)
        exit_with([*errors, *hint_at_environment_file(errors)], 1)
    warnings = [*find_gaps(settings), *find_exposed_secrets(settings)]
    settings = load_credentials_in_effect(settings)
    credential_checks = list(check_entered_credentials(settings))
    probes, token_probes, webhook_checks = [], [], []
    if live:
        from connector.operations.doctor import check_store_webhooks
        from connector.operations.probe import probe_accounts, probe_tokens
        from connector.operations.webhooks import probe_webhooks

        probes, token_probes = probe_accounts(settings), probe_tokens(settings)
        webhook_checks = [check_store_webhooks(report) for report in probe_webhooks(settings)]
    counts = {"stores": len(settings.stores), "accounts": len(settings.accounts), "routes": len(settings.routes)}
    if as_json:
        retention = asdict(settings.retention)
        data: dict[str, Any] = {"faults": [], "warnings": warnings, **counts, **retention}
        data["credentials"] = [serialize_check(result) for result in credential_checks]
        if live:
            data["tokens"] = {
                probe.store.name: {"is_good": probe.is_good, "said": probe.message} for probe in token_probes
            }
            data["reached"] = {probe.account: {"is_good": probe.is_good, "said": probe.message} for probe in probes}
            data["webhooks"] = [serialize_check(result) for result in webhook_checks]
        print_json_line(data)
    else:
        summary = ", ".join(f"{name} {count}" for name, count in counts.items())
        click.echo(f"The configuration is valid: {summary}.")
        click.echo(f"{settings.retention.describe().capitalize()}.")
        for warning in warnings:
            click.echo(warning, err=True)
        for result in credential_checks:
            print_check(result)
        for probe in probes:
            click.echo(f"Account {probe.account}: {probe.message}.")
        for token_probe in token_probes:
            click.echo(f"Store {token_probe.store.name}: {token_probe.message}.")
        for result in webhook_checks:
            print_check(result)
    are_good = [*(probe.is_good for probe in probes), *(probe.is_good for probe in token_probes)]
    if not all(are_good) or any(result.is_error for result in webhook_checks):
        sys.exit(1)


def find_all_errors() -> "tuple[Settings | None, list[str]]":
    """Return the settings, if they can be loaded, and every error in them and in where they say the database is."""
    from connector.operations.startup import check_startup, find_place_faults
    from connector.settings import load_settings

    errors: list[str] = []
    try:
        load_settings(requires_routes=True)
    except SettingsError as error:
        errors = error.errors
    try:
        settings = load_settings()
    except SettingsError:
        return None, [*errors, *find_place_faults(os.environ)]
    try:
        check_startup(settings)
    except SettingsError as error:
        errors += error.errors
    except MigrationNeededError as error:
        errors.append(str(error))
    except DatabaseUnavailableError as error:
        click.echo(f"The database was not checked: {error}. `connector serve` would wait for it.", err=True)
    return settings, errors


def prepare_database(settings: "Settings") -> None:
    """Wait until the database responds, then migrate it unless `AUTO_MIGRATE` is off."""
    from connector.runtime import wait_for_database

    wait_for_database(settings)
    if settings.environment.auto_migrate:
        migrate_database(settings.environment.database_url)


def migrate_database(url: str) -> None:
    from connector.database.engine import Database

    with closing(Database(url)) as database:
        database.migrate()
