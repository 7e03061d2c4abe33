"""SQLite's files."""

import os
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
