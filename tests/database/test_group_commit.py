"""Group commit: queued changes are committed together, and a failing change fails alone."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from connector.database.group_commit import GroupCommitter


class Ledger:
    """A fake database of numbers: a transaction is the list of numbers that it adds."""

    def __init__(self) -> None:
        self.committed: list[list[int]] = []
        self.is_away = False
        self.may_commit = threading.Event()
        self.may_commit.set()
        self.committing = threading.Semaphore(0)
        self.beginning = threading.Semaphore(0)
        self.may_begin = threading.Event()
        self.may_begin.set()

    @contextmanager
    def begin(self) -> Iterator[list[int]]:
        if self.is_away:
            raise ConnectionError
        transaction: list[int] = []
        self.beginning.release()
        self.may_begin.wait()
        yield transaction
        self.committing.release()
        self.may_commit.wait()
        self.committed.append(transaction)


def add(transaction: list[int], numbers: Sequence[int]) -> list[int]:
    for number in numbers:
        if number < 0:
            raise ValueError(f"{number} is negative")
        transaction.append(number)
    return [number * 10 for number in numbers]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def writer(ledger: Ledger) -> Iterator[GroupCommitter[list[int]]]:
    writer: GroupCommitter[list[int]] = GroupCommitter(ledger.begin)
    yield writer
    ledger.may_commit.set()
    writer.close()


class Wisher(threading.Thread):
    """A thread that adds one number and records the result."""

    def __init__(self, writer: GroupCommitter[list[int]], number: int) -> None:
        super().__init__()
        self.writer, self.number = writer, number
        self.said: object = None
        self.start()

    def run(self) -> None:
        try:
            self.said = self.writer.commit(add, self.number, timeout_s=10)
        except Exception as error:
            self.said = str(error) or type(error).__name__


def wish_together(writer: GroupCommitter[list[int]], ledger: Ledger, numbers: list[int]) -> list[object]:
    """Start writers whose changes queue up behind a commit in progress."""
    ledger.may_commit.clear()
    first = Wisher(writer, 0)
    ledger.committing.acquire()
    wishers = [Wisher(writer, number) for number in numbers]
    while writer._queue.qsize() < len(numbers):
        pass
    ledger.may_commit.set()
    for wisher in [first, *wishers]:
        wisher.join()
    return [wisher.said for wisher in wishers]


def test_what_gathers_while_a_commit_is_under_way_is_committed_at_once(
    writer: GroupCommitter[list[int]], ledger: Ledger
) -> None:
    assert wish_together(writer, ledger, [1, 2, 3]) == [10, 20, 30]
    assert [sorted(numbers) for numbers in ledger.committed] == [[0], [1, 2, 3]]


def test_nobody_is_told_before_the_commit_is_done(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    ledger.may_commit.clear()
    first = Wisher(writer, 1)
    ledger.committing.acquire()
    first.join(timeout=0.2)
    assert (first.said, ledger.committed) == (None, [])
    ledger.may_commit.set()
    first.join()
    assert (first.said, ledger.committed) == (10, [[1]])


def test_one_that_is_at_fault_fails_alone(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    assert wish_together(writer, ledger, [1, -2, 3]) == [10, "-2 is negative", 30]
    assert sorted(ledger.committed) == [[0], [1], [3]]


def test_without_a_transaction_all_fail_and_the_next_go_well(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    ledger.is_away = True
    with pytest.raises(ConnectionError):
        writer.commit(add, 1, timeout_s=10)
    ledger.is_away = False
    assert writer.commit(add, 2, timeout_s=10) == 20
    assert ledger.committed == [[2]]


def test_who_gives_up_before_his_turn_changes_nothing(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    ledger.may_commit.clear()
    first = Wisher(writer, 1)
    ledger.committing.acquire()
    with pytest.raises(TimeoutError):
        writer.commit(add, 2, timeout_s=0.01)
    ledger.may_commit.set()
    first.join()
    assert writer.commit(add, 3, timeout_s=10) == 30
    assert ledger.committed == [[1], [3]]


def test_what_comes_before_the_turn_does_is_committed_with_the_rest(
    writer: GroupCommitter[list[int]], ledger: Ledger
) -> None:
    ledger.may_begin.clear()
    wishers = [Wisher(writer, 1)]
    ledger.beginning.acquire()
    wishers.append(Wisher(writer, 2))
    while writer._queue.empty():
        pass
    ledger.may_begin.set()
    for wisher in wishers:
        wisher.join()
    assert ledger.committed == [[1, 2]]


def test_what_was_asked_for_is_committed_when_the_writer_closes(ledger: Ledger) -> None:
    writer: GroupCommitter[list[int]] = GroupCommitter(ledger.begin)
    ledger.may_commit.clear()
    wishers = [Wisher(writer, 1)]
    ledger.committing.acquire()
    wishers.append(Wisher(writer, 2))
    while writer._queue.empty():
        pass
    ledger.may_commit.set()
    writer.close()
    for wisher in wishers:
        wisher.join()
    assert ledger.committed == [[1], [2]]
