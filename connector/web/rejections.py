"""Counts rejected requests. They are not stored individually, because anyone could then fill the disk."""

import threading
from collections import Counter
from dataclasses import replace
from time import monotonic

from werkzeug.exceptions import RequestEntityTooLarge

from connector.core.exceptions import DatabaseUnavailableError, InvalidRequestError, NotFoundError, SignatureError
from connector.database.audit import Actor, add_failed_sign_ins
from connector.database.engine import Database, Transaction
from connector.database.signature_failures import record_signature_failures
from connector.database.stats.counters import DENIED, REJECTED, Counts, add_counts, make_labels

#: How long counts stay in memory. A process that is killed loses them.
FLUSH_AFTER_S = 2.0
#: Failed sign-ins from more networks are not told apart: each is a row of the audit trail.
MAX_NETWORKS_PER_HOUR = 100
HOUR_S = 3_600.0

REJECTION_REASONS: dict[type[Exception], str] = {
    NotFoundError: "unknown store",
    SignatureError: "signature",
    InvalidRequestError: "malformed",
    RequestEntityTooLarge: "too long",
    DatabaseUnavailableError: "database away",
}


def rejection_reason(error: Exception) -> str:
    return next((text for error_type, text in REJECTION_REASONS.items() if isinstance(error, error_type)), "fault")


class RejectionCounter:
    """Counts of one process since its last flush."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self._signature_failures: Counter[str] = Counter()  # by store id
        self._signature_reasons: dict[str, str] = {}  # of each store's last one
        self._failed_sign_ins: Counter[Actor] = Counter()
        self._networks: set[str | None] = set()  # from which sign-ins failed since `_networks_since`
        self._networks_since = monotonic()
        self._timer: threading.Timer | None = None

    def add(self, store: str, error: Exception) -> None:
        """Count one webhook, and schedule a flush.

        Args:
            store: The store's id; "" for an unknown store, so that no caller can create labels.
        """
        with self._lock:
            self._counts[REJECTED, make_labels(store=store, reason=rejection_reason(error))] += 1
            if isinstance(error, SignatureError):
                self._signature_failures[store] += 1
                self._signature_reasons[store] = error.reason
            self._schedule_flush()

    def add_denial(self, interface: str, reason: str) -> None:
        """Count one request without the right token or password, and schedule a flush."""
        with self._lock:
            self._counts[DENIED, make_labels(interface=interface, reason=reason)] += 1
            self._schedule_flush()

    def add_failed_sign_in(self, actor: Actor) -> None:
        """Count one for the audit trail, and schedule a flush.

        Args:
            actor: with a name only if there is such a user or token, so that no stranger's text is stored.
        """
        with self._lock:
            self._failed_sign_ins[replace(actor, network=self._bound_network(actor.network))] += 1
            self._schedule_flush()

    def _bound_network(self, network: str | None) -> str | None:
        """Return None in place of a network when sign-ins from many others have failed within an hour."""
        if monotonic() - self._networks_since >= HOUR_S:
            self._networks, self._networks_since = set(), monotonic()
        if network not in self._networks and len(self._networks) >= MAX_NETWORKS_PER_HOUR:
            return None
        self._networks.add(network)
        return network

    def _schedule_flush(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(FLUSH_AFTER_S, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def flush(self) -> None:
        """Add the counts to the shared ones in the database. They are retried later if it is unavailable."""
        with self._lock:
            counts, self._counts, timer, self._timer = self._counts, Counter(), self._timer, None
            failures, self._signature_failures = self._signature_failures, Counter()
            reasons = dict(self._signature_reasons)
            sign_ins, self._failed_sign_ins = self._failed_sign_ins, Counter()
        if timer is not None:
            timer.cancel()
        if not (counts or sign_ins) or self._database.is_closed:
            return
        rows: Counts = {key: float(count) for key, count in counts.items()}

        def store_counts(transaction: Transaction) -> None:
            add_counts(transaction, rows)
            for store, count in failures.items():
                record_signature_failures(transaction, store, count, reasons[store])
            add_failed_sign_ins(transaction, sign_ins)

        try:
            self._database.transact(store_counts)
        except DatabaseUnavailableError:
            with self._lock:
                self._counts.update(counts)
                self._signature_failures.update(failures)
                self._failed_sign_ins.update(sign_ins)
