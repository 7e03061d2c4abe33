"""Commits what the threads of a process want changed: all that has gathered goes into one transaction.

A commit costs a wait for the disk, and only one can be under way. While one is, the next batch gathers.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from connector.core.exceptions import DatabaseUnavailableError

Transaction = TypeVar("Transaction")
Item = TypeVar("Item")
Result = TypeVar("Result")

#: Applies itself to several items in one transaction, and says of each what came of it, in their order.
Change = Callable[[Transaction, Sequence[Item]], Sequence[Result]]

MOST = 200  # items in one transaction


class Wish(Generic[Transaction]):
    """One item that some thread waits for."""

    __slots__ = ("change", "done", "error", "is_given_up", "item", "result")

    def __init__(self, change: Change[Transaction, Any, Any], item: Any) -> None:
        self.change = change
        self.item = item
        self.result: Any = None
        self.error: Exception | None = None
        self.is_given_up = False
        self.done = threading.Lock()  # the cheapest thing that one thread can wait on for another
        self.done.acquire()


class Writer(Generic[Transaction]):
    """Its thread starts with the first wish: a process that forks first has one on each side.

    Args:
        begin: opens a transaction that is committed when its block ends.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[Transaction]]) -> None:
        self._begin = begin
        self._wishes: SimpleQueue[Wish[Transaction] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def commit(self, change: Change[Transaction, Item, Result], item: Item, *, within_s: float | None) -> Result:
        """Return what `change` says of `item` once that is committed, or raise what went wrong with it alone.

        Raises `TimeoutError` when that takes longer than `within_s`; it may be committed all the same.
        """
        wish = Wish(change, item)
        if self._thread is None:
            self._start()
        self._wishes.put(wish)
        if not wish.done.acquire(timeout=-1 if within_s is None else within_s):
            wish.is_given_up = True
            raise TimeoutError
        if wish.error is not None:
            raise wish.error.with_traceback(None)  # it may be raised in several threads
        result: Result = wish.result
        return result

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Commit what was asked for, and end."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._wishes.put(None)
            thread.join(timeout=1.0)  # longer, when it waits for a database that does not answer

    def _run(self) -> None:
        while (wish := self._wishes.get()) is not None:
            if not wish.is_given_up:
                self._grant([wish])

    def _gather(self, wishes: list[Wish[Transaction]]) -> None:
        """Add those that wait by now, and leave out those that were given up."""
        while len(wishes) < MOST and (wish := self._next()) is not None:
            wishes.append(wish)
        wishes[:] = [wish for wish in wishes if not wish.is_given_up]

    def _next(self) -> Wish[Transaction] | None:
        try:
            wish = self._wishes.get_nowait()
        except Empty:
            return None
        if wish is None:  # the word to end is for `_run`
            self._wishes.put(None)
        return wish

    def _grant(self, wishes: list[Wish[Transaction]]) -> None:
        """Commit them, and all that come until it is their turn, together or, where that fails, one by one.

        Those that are not at fault are not to suffer. One alone is tried again too when the database failed: it may
        have committed and not lived to tell.
        """
        has_begun = self._try(wishes, gather=True)
        if has_begun:
            for wish in wishes:
                is_worth_it = len(wishes) > 1 or isinstance(wish.error, DatabaseUnavailableError)
                if wish.error is not None and is_worth_it and not self._try([wish]):
                    break  # no transaction can be had: the rest need not wait for that to be found out
        for wish in wishes:
            wish.done.release()

    def _try(self, wishes: list[Wish[Transaction]], *, gather: bool = False) -> bool:
        """Set results or errors. False when no transaction could be had at all."""
        has_begun = False
        try:
            with self._begin() as transaction:
                has_begun = True
                if gather:
                    self._gather(wishes)
                results = apply(transaction, wishes)
        except Exception as error:
            if gather and not has_begun:
                self._gather(wishes)  # they would wait for the same
            for wish in wishes:
                wish.error = error
        else:
            for wish, result in zip(wishes, results, strict=True):
                wish.result, wish.error = result, None
        return has_begun


def apply(transaction: Transaction, wishes: list[Wish[Transaction]]) -> list[Any]:
    """Apply each change once, to all the items that it is wished for. Returns the results in the wishes' order."""
    groups: dict[Change[Transaction, Any, Any], list[int]] = {}
    for place, wish in enumerate(wishes):
        groups.setdefault(wish.change, []).append(place)
    results: list[Any] = [None] * len(wishes)
    for change, places in groups.items():
        for place, result in zip(places, change(transaction, [wishes[place].item for place in places]), strict=True):
            results[place] = result
    return results
