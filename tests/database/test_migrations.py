"""Migrations create the tables that the models declare, even when run concurrently or repeatedly."""

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

from connector.core.exceptions import MigrationNeededError, SettingsError
from connector.database.engine import HEAD, MIGRATIONS, Database


@pytest.fixture
def url(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database without tables."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path}/connector.db"
        return
    server = request.getfixturevalue("postgresql")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty")
        yield server.replace("/postgres?", "/empty?")
        connection.execute("DROP DATABASE empty WITH (FORCE)")


def test_migrations_make_the_declared_tables(url: str) -> None:
    database = Database(url)
    database.migrate()
    with database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    database.close()


def test_the_code_expects_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_unmigrated_database_is_refused(url: str) -> None:
    database = Database(url)
    with pytest.raises(MigrationNeededError, match="connector migrate"):
        database.require_migrated()
    database.migrate()
    database.require_migrated()
    database.close()


def test_concurrent_migrations_are_safe(url: str) -> None:
    faults: list[Exception] = []

    def migrate() -> None:
        database = Database(url)
        try:
            database.migrate()
        except Exception as error:
            faults.append(error)
        database.close()

    threads = [threading.Thread(target=migrate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_missing_folder_is_a_one_line_error(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nowhere/connector.db")
    with pytest.raises(SettingsError, match="nowhere"):
        database.migrate()
    database.close()


def test_outdated_sqlite_is_a_one_line_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    database = Database(f"sqlite:///{tmp_path}/connector.db")
    with pytest.raises(SettingsError, match=r"takes 3\.35"):
        database.migrate()
    database.close()
