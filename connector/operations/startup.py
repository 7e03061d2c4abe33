"""Checks what must be true before the service starts, for `check` and `serve`, and describes the running service."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

from connector.core.exceptions import DatabaseUnavailableError, MigrationNeededError, SettingsError
from connector.database.engine import Database
from connector.database.sqlite import database_file, find_place_errors, is_not_a_database
from connector.runtime import check_database, check_ids, find_memory_only_tokens, load_entered_rows
from connector.settings import Settings
from connector.settings.environment import Environment
from connector.settings.loader import UNROUTED
from connector.settings.secret_files import find_exposed
from mappings.settings import is_loopback

#: More webhook addresses than this are not printed.
MAX_LISTED_STORES = 20


def find_gaps(settings: Settings) -> list[str]:
    """Return what the service starts without, and what follows, each as a sentence that says what to do."""
    environment = settings.environment
    gaps = []
    if environment.admin_token is None:
        interfaces = {"the dashboard": settings.users, "the API": settings.tokens}
        off = [name for name, others in interfaces.items() if not others]
        effect = {0: "only those of [users] and [tokens] come in", 1: f"{''.join(off)} is off"}.get(
            len(off), "the dashboard and the API are off"
        )
        remedy = "Set it to what `connector token` prints."
        if Path(".env").exists():
            remedy = "If it is in .env, load that before: set -a; . ./.env; set +a"
        gaps.append(f"ADMIN_TOKEN is not set: {effect}. {remedy}")
    gaps += [
        f"Store {name}: {message}. Set TOKEN_KEYS to what `connector token --key` prints."
        for name, message in find_memory_only_tokens(settings)
    ]
    used = {account for route in settings.routes for account in route.accounts}
    gaps += [f"Account {name}: no route leads to it." for name in settings.accounts if name not in used]
    return gaps


def find_exposed_secrets(settings: Settings) -> list[str]:
    """Return which files with secrets others can read, each as a sentence that says what to do."""
    return [
        f"{path} has a secret, and every user of this machine can read it: chmod o-r {path}"
        for path in find_exposed(settings.secret_files)
    ]


def find_service_gaps(settings: Settings) -> list[str]:
    """Return `find_gaps`, and what only matters while the service runs."""
    gaps = find_gaps(settings)
    gaps += [
        f"Store {name}: {UNROUTED.format(name=name)}"
        for name, store in settings.stores.items()
        if not settings.routes_of(store.id)
    ]
    if settings.public_url is None and not leads_to_sandbox(settings, settings.accounts):
        gaps.append(
            "public_url is not set: stores can only post to an https:// address of yours that leads here."
            " Set it, and `connector webhooks sync` makes the webhooks."
        )
    return gaps


def leads_to_sandbox(settings: Settings, account_ids: Iterable[str]) -> bool:
    """Return whether all these accounts are on this machine, as the sandbox's are, and none is real."""
    return all(is_loopback(settings.accounts[id_].base_url) for id_ in account_ids)


def describe_service(settings: Settings) -> str:
    """Return what `connector serve` prints when it is ready."""
    environment = settings.environment
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(environment.host, environment.host)  # noqa: S104
    address = settings.public_url or f"http://{f'[{host}]' if ':' in host else host}:{environment.port}"
    lines = ["The connector is ready. Ctrl-C stops it."]
    if environment.admin_token is not None:
        lines.append(f"Dashboard: {address}/ (sign in with ADMIN_TOKEN, and leave the user name empty)")
    elif settings.users:
        lines.append(f"Dashboard: {address}/ (sign in as one of [users])")
    lines.append("Webhooks:")
    lines += [f"  {address}/webhooks/{name}" for name in islice(settings.stores, MAX_LISTED_STORES)]
    if len(settings.stores) > MAX_LISTED_STORES:
        lines.append(f"  and {len(settings.stores) - MAX_LISTED_STORES} more, each at {address}/webhooks/<store>")
    if gaps := find_service_gaps(settings):
        lines += ["Missing:", *(f"  - {gap}" for gap in gaps)]
    return "\n".join(lines)


def find_place_faults(environ: Mapping[str, str]) -> list[str]:
    """Return why no database can be where `DATABASE_URL` says, whatever else is wrong with the configuration."""
    if environ.get("DATABASE_URL_FILE"):
        return []
    url = environ.get("DATABASE_URL") or Environment().database_url
    return find_place_errors(url) if url.startswith("sqlite:///") else []


def check_startup(settings: Settings) -> None:
    """Raise what would keep the service from starting. Changes nothing, and creates no file.

    Raises:
        SettingsError: the database cannot be where `DATABASE_URL` says, knows a store or account that is not
            configured, or has a row of a lookup table that does not fit the configuration.
        MigrationNeededError: the service would not migrate the database either.
        DatabaseUnavailableError: the service would wait for it.
    """
    environment = settings.environment
    if environment.database_url.startswith("sqlite"):
        if errors := find_place_errors(environment.database_url):
            raise SettingsError(errors)
        file = database_file(environment.database_url)
        if not file.exists():
            if not environment.auto_migrate:
                raise MigrationNeededError(
                    f"there is no database {file.absolute()}, and AUTO_MIGRATE is off: run `connector migrate`"
                )
            return
    database = Database(environment.database_url, read_only=True)
    try:
        if environment.auto_migrate and database.is_migratable():
            if database.has_tables():
                check_ids(settings, database)
        else:
            check_database(settings, database)
            load_entered_rows(settings, database)
    except DatabaseUnavailableError as error:
        if is_not_a_database(error.__cause__):
            file = database_file(environment.database_url)
            raise SettingsError([f"DATABASE_URL: {file.absolute()} is not an SQLite database."]) from error
        raise
    finally:
        database.close()
