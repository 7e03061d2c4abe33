"""Counts the webhooks that were turned away. They leave no row: a stranger must not be able to fill the disk."""

import threading
from collections import Counter

from werkzeug.exceptions import RequestEntityTooLarge

from connector.core.exceptions import DatabaseUnavailableError, InvalidRequestError, NotFoundError, SignatureError
from connector.database.engine import Database
from connector.database.stats.counters import REJECTED, add_counts, make_labels

#: What is counted is kept so soon after. A process that is killed takes that much with it.
FLUSH_AFTER_S = 10.0

REJECTION_REASONS: dict[type[Exception], str] = {
    NotFoundError: "unknown store",
    SignatureError: "signature",
    InvalidRequestError: "malformed",
    RequestEntityTooLarge: "too long",
    DatabaseUnavailableError: "database away",
}


class RejectionCounter:
    """What one process turned away since it was last kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._timer: threading.Timer | None = None

    def add(self, store: str, error: Exception) -> None:
        """Args:
        store: "" where there is none of that name: a stranger's word becomes no label.
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
        """Add it to what all processes share; later, if the database is away."""
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
