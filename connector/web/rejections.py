"""Counts rejected webhooks. They are not stored one by one: anyone could fill the disk with them."""

import threading
from collections import Counter

from werkzeug.exceptions import RequestEntityTooLarge

from connector.core.exceptions import DatabaseUnavailableError, InvalidRequestError, NotFoundError, SignatureError
from connector.database.engine import Database
from connector.database.stats.counters import REJECTED, add_counts, make_labels

#: How long counts stay in memory. A process that is killed loses them.
FLUSH_AFTER_S = 10.0

REJECTION_REASONS: dict[type[Exception], str] = {
    NotFoundError: "unknown store",
    SignatureError: "signature",
    InvalidRequestError: "malformed",
    RequestEntityTooLarge: "too long",
    DatabaseUnavailableError: "database away",
}


class RejectionCounter:
    """Counts of one process since its last flush."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._timer: threading.Timer | None = None

    def add(self, store: str, error: Exception) -> None:
        """Count one webhook, and schedule a flush.

        Args:
            store: The store's id; "" for an unknown store, so that no caller can create labels.
        """
        reason = next(
            (text for error_type, text in REJECTION_REASONS.items() if isinstance(error, error_type)), "fault"
        )
        with self._lock:
            self._counts[store, reason] += 1
            if self._timer is None:
                self._timer = threading.Timer(FLUSH_AFTER_S, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Add the counts to the shared ones in the database. They are retried later if it is unavailable."""
        with self._lock:
            counts, self._counts, timer, self._timer = self._counts, Counter(), self._timer, None
        if timer is not None:
            timer.cancel()
        if not counts:
            return
        rows = {(REJECTED, make_labels(store=store, reason=reason)): float(n) for (store, reason), n in counts.items()}
        try:
            self._database.transact(lambda transaction: add_counts(transaction, rows))
        except DatabaseUnavailableError:
            with self._lock:
                self._counts.update(counts)
