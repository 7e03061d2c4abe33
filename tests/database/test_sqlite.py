"""SQLite's files."""

import os
import subprocess
import sys
from pathlib import Path

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
