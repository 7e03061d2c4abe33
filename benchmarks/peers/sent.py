"""Events that a peer has sent, in an SQLite file: for queues that do not recognise repeated events."""

import sqlite3
from contextlib import closing
from pathlib import Path


class SentEvents:
    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / "sent.db"
        with closing(self._open()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE IF NOT EXISTS sent (event_key TEXT PRIMARY KEY, remote_id TEXT)")

    def contains(self, event_key: str) -> bool:
        with closing(self._open()) as connection:
            return connection.execute("SELECT 1 FROM sent WHERE event_key = ?", [event_key]).fetchone() is not None

    def add(self, event_key: str, remote_id: str) -> None:
        with closing(self._open()) as connection:
            connection.execute("INSERT OR IGNORE INTO sent VALUES (?, ?)", [event_key, remote_id])

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        return connection
