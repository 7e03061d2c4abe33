"""What a peer has done, in an SQLite file beside its queue: for queues that do not know an event that comes again."""

import sqlite3
from contextlib import closing
from pathlib import Path


class Done:
    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / "done.db"
        with closing(self._open()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE IF NOT EXISTS done (event_key TEXT PRIMARY KEY, remote_id TEXT)")

    def has(self, event_key: str) -> bool:
        with closing(self._open()) as connection:
            return connection.execute("SELECT 1 FROM done WHERE event_key = ?", [event_key]).fetchone() is not None

    def note(self, event_key: str, remote_id: str) -> None:
        with closing(self._open()) as connection:
            connection.execute("INSERT OR IGNORE INTO done VALUES (?, ?)", [event_key, remote_id])

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        return connection
