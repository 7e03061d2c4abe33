"""Commits the changes of a process's threads: all waiting changes go into one transaction.

A commit waits for the disk, and only one can run at a time. Meanwhile, the next batch collects.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Generic, TypeVar

from connector.core.exceptions import DatabaseUnavailableError

Transaction = TypeVar("Transaction")
Item = TypeVar("Item")
Result = TypeVar("Result")

#: Applies itself to several items in one transaction, and says of each what came of it, in their order.
Change = Callable[[Transaction, Sequence[Item]], Sequence[Result]]

MAX_BATCH = 200  # items in one transaction


class PendingChange(Generic[Transaction]):
    """One item that some thread waits for."""

    __slots__ = ("change", "done", "error", "is_abandoned", "item", "result")

    def __init__(self, change: Change[Transaction, Any, Any], item: Any) -> None:
        self.change = change
        self.item = item
        self.result: Any = None
        self.error: Exception | None = None
        self.is_abandoned = False
        self.done = threading.Lock()  # the cheapest thing that one thread can wait on for another
        self.done.acquire()


class GroupCommitter(Generic[Transaction]):
    """Its thread starts with the first wish: a process that forks first has one on each side.

    Args:
        begin: opens a transaction that is committed when its block ends.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[Transaction]]) -> None:
        self._begin = begin
        self._queue: SimpleQueue[PendingChange[Transaction] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()

    def commit(self, change: Change[Transaction, Item, Result], item: Item, *, timeout_s: float | None) -> Result:
        """Return what `change` says of `item` once that is committed, or raise what went wrong with it alone.

        Raises `TimeoutError` when that takes longer than `timeout_s`; it may still be committed.
        """
        pending = self._enqueue(change, item)
        if not pending.done.acquire(timeout=-1 if timeout_s is None else timeout_s):
            pending.is_abandoned = True
            raise TimeoutError
        if pending.error is not None:
            raise pending.error.with_traceback(None)  # it may be raised in several threads
        result: Result = pending.result
        return result

    def commit_all(
        self, change: Change[Transaction, Item, Result], items: Sequence[Item], *, timeout_s: float
    ) -> list[Result | Exception]:
        """Like `commit` for several items at once. Returns for each the result, or what went wrong with it alone.

        Raises `TimeoutError` when that takes longer than `timeout_s`; some or all may still be committed.
        """
        deadline = monotonic() + timeout_s
        changes = [self._enqueue(change, item) for item in items]
        for pending in changes:
            if not pending.done.acquire(timeout=max(0.0, deadline - monotonic())):
                for unfinished in changes:
                    unfinished.is_abandoned = True
                raise TimeoutError
        return [pending.result if pending.error is None else pending.error for pending in changes]

    def _enqueue(self, change: Change[Transaction, Item, Result], item: Item) -> PendingChange[Transaction]:
        pending = PendingChange(change, item)
        if self._thread is None:
            self._start()
        self._queue.put(pending)
        return pending

    def _start(self) -> None:
        with self._start_lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Commit what was asked for, and end."""
        with self._start_lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(timeout=1.0)  # longer, when it waits for a database that does not answer

    def _run(self) -> None:
        while (pending := self._queue.get()) is not None:
            if not pending.is_abandoned:
                self._commit_batch([pending])

    def _drain_queue(self, batch: list[PendingChange[Transaction]]) -> None:
        """Add those that wait by now, and leave out those that were given up."""
        while len(batch) < MAX_BATCH and (pending := self._next_pending()) is not None:
            batch.append(pending)
        batch[:] = [pending for pending in batch if not pending.is_abandoned]

    def _next_pending(self) -> PendingChange[Transaction] | None:
        try:
            pending = self._queue.get_nowait()
        except Empty:
            return None
        if pending is None:  # the word to end is for `_run`
            self._queue.put(None)
        return pending

    def _commit_batch(self, batch: list[PendingChange[Transaction]]) -> None:
        """Commit them, and all that come until it is their turn, together or, where that fails, one by one.

        Those that are not at fault are not to suffer. One alone is tried again too when the database failed: it may
        have committed and not lived to tell.
        """
        has_begun = self._attempt(batch, drain=True)
        if has_begun:
            for pending in batch:
                should_retry = len(batch) > 1 or isinstance(pending.error, DatabaseUnavailableError)
                if pending.error is not None and should_retry and not self._attempt([pending]):
                    break  # no transaction can be had: the rest need not wait for that to be found out
        for pending in batch:
            pending.done.release()

    def _attempt(self, batch: list[PendingChange[Transaction]], *, drain: bool = False) -> bool:
        """Set results or errors. False when no transaction could be had at all."""
        has_begun = False
        try:
            with self._begin() as transaction:
                has_begun = True
                if drain:
                    self._drain_queue(batch)
                results = apply_batch(transaction, batch)
        except Exception as error:
            if drain and not has_begun:
                self._drain_queue(batch)  # they would wait for the same
            for pending in batch:
                pending.error = error
        else:
            for pending, result in zip(batch, results, strict=True):
                pending.result, pending.error = result, None
        return has_begun


def apply_batch(transaction: Transaction, batch: list[PendingChange[Transaction]]) -> list[Any]:
    """Apply each change once, to all the items that it is wished for. Returns the results in the wishes' order."""
    groups: dict[Change[Transaction, Any, Any], list[int]] = {}
    for index, pending in enumerate(batch):
        groups.setdefault(pending.change, []).append(index)
    results: list[Any] = [None] * len(batch)
    for change, indexes in groups.items():
        for index, result in zip(indexes, change(transaction, [batch[index].item for index in indexes]), strict=True):
            results[index] = result
    return results
