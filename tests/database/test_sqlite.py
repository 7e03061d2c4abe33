"""SQLite's files."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from connector.core.exceptions import DatabaseUnavailableError, MigrationNeededError, SettingsError
from connector.database.engine import Database


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()}


def test_only_the_service_can_read_the_files(tmp_path: Path) -> None:
    previous = os.umask(0o022)
    try:
        database = Database(f"sqlite:///{tmp_path}/connector.db")
        database.migrate()
        names = {"connector.db", "connector.db-wal", "connector.db-shm", "connector.db-turn"}
        assert modes(tmp_path) == dict.fromkeys(names, "0o600")
        database.close()
    finally:
        os.umask(previous)


def test_files_of_an_older_version_become_private(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/connector.db")
    database.migrate()
    database.close()
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    database = Database(f"sqlite:///{tmp_path}/connector.db")
    database.require_migrated()
    assert set(modes(tmp_path).values()) == {"0o600"}
    database.close()


WRITE = """\
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("UPDATE alembic_version SET version_num = 1")
connection.commit()
connection.close()
"""


def test_new_connections_do_not_drop_the_locks_of_others(tmp_path: Path) -> None:
    """Another process that closes the database must not think that it was the last, and remove the WAL."""
    url = f"sqlite:///{tmp_path}/connector.db"
    database = Database(url)
    database.migrate()
    other = Database(url)
    other.ping()
    other.close()
    subprocess.run([sys.executable, "-c", WRITE, tmp_path / "connector.db"], check=True)
    assert (tmp_path / "connector.db-wal").exists()
    with database.read() as session:
        assert session.connection().exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == "1"
    database.close()


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Everything in a folder that a process could change: contents, modes and times."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
        for path in sorted(folder.iterdir())
        if path.suffix != ".db-shm"  # shared memory, which readers mark, too
    }


KILLED = """\
import os, signal, sys
from connector.database.engine import Database
database = Database(sys.argv[1])
database.migrate()
database.ping()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("is_killed", [False, True])
def test_read_only_database_is_read_and_nothing_is_touched(tmp_path: Path, is_killed: bool) -> None:
    url = f"sqlite:///{tmp_path}/connector.db"
    if is_killed:
        subprocess.run([sys.executable, "-c", KILLED, url], check=False)
    else:
        database = Database(url)
        database.migrate()
        database.close()
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    before = snapshot(tmp_path)
    assert ("connector.db-wal" in before) is is_killed
    reader = Database(url, read_only=True)
    reader.require_migrated()
    reader.close()
    assert snapshot(tmp_path) == before


def test_database_that_does_not_exist_is_not_created_to_look_at_it(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/connector.db")
    with pytest.raises(MigrationNeededError, match=f"there is no database {tmp_path}/connector.db: `connector serve`"):
        database.require_migrated()
    database.close()
    assert list(tmp_path.iterdir()) == []


def test_file_of_another_kind_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "connector.db").write_text("key,value\n" * 100, "utf-8")
    database = Database(f"sqlite:///{tmp_path}/connector.db")
    with pytest.raises(SettingsError, match=f"{tmp_path}/connector.db is not an SQLite database"):
        database.ping()
    with pytest.raises(
        DatabaseUnavailableError, match=f"{tmp_path}/connector.db is unavailable: file is not a database"
    ):
        database.require_migrated()
    database.close()


def test_locked_database_says_which_file_and_why(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/connector.db"
    database = Database(url)
    database.migrate()
    database.close()
    holder = sqlite3.connect(tmp_path / "connector.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    waiting = Database(url, timeout_s=0.1)
    with (
        pytest.raises(DatabaseUnavailableError, match=f"{tmp_path}/connector.db is unavailable: database is locked"),
        waiting.write(),
    ):
        pass
    waiting.close()
    holder.close()
