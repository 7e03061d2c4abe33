"""What must hold before the service starts. `connector check` and `connector serve` judge it alike."""

from collections.abc import Mapping

from connector.core.exceptions import DatabaseUnavailableError, MigrationNeededError, SettingsError
from connector.database.engine import Database
from connector.database.sqlite import database_file, find_place_errors, is_not_a_database
from connector.runtime import check_database, check_ids, load_entered_rows
from connector.settings import Settings
from connector.settings.environment import Environment


def find_unused_accounts(settings: Settings) -> list[str]:
    """Return what to know about the accounts that no route leads to."""
    used = {account for route in settings.routes for account in route.accounts}
    return [f"Account {name}: no route leads to it." for name in settings.accounts if name not in used]


def find_place_faults(environ: Mapping[str, str]) -> list[str]:
    """Return why no database can be where `DATABASE_URL` says, whatever else is wrong with the configuration."""
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
