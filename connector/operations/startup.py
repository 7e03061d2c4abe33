"""What must hold before the service starts. `connector check` and `connector serve` judge it alike."""

from connector.core.exceptions import MigrationNeededError, SettingsError
from connector.database.engine import Database
from connector.database.sqlite import database_file, find_place_errors
from connector.runtime import check_database, check_ids, load_entered_rows
from connector.settings import Settings


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
        if not database_file(environment.database_url).exists():
            if not environment.auto_migrate:
                raise MigrationNeededError("there is no database: run `connector migrate`")
            return
    database = Database(environment.database_url)
    try:
        if environment.auto_migrate and database.is_migratable():
            if database.has_tables():
                check_ids(settings, database)
        else:
            check_database(settings, database)
            load_entered_rows(settings, database)
    finally:
        database.close()
