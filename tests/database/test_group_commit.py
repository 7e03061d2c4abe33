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


def add_entry(transaction: list[int], numbers: Sequence[int]) -> list[int]:
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


class WriterThread(threading.Thread):
    """A thread that adds one number and records the result."""

    def __init__(self, writer: GroupCommitter[list[int]], number: int) -> None:
        super().__init__()
        self.writer, self.number = writer, number
        self.result: object = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self.writer.commit(add_entry, self.number, timeout_s=10)
        except Exception as error:
            self.result = str(error) or type(error).__name__


def start_writers_together(writer: GroupCommitter[list[int]], ledger: Ledger, numbers: list[int]) -> list[object]:
    """Start writers whose changes queue up behind a commit in progress."""
    ledger.may_commit.clear()
    first = WriterThread(writer, 0)
    ledger.committing.acquire()
    wishers = [WriterThread(writer, number) for number in numbers]
    while writer._queue.qsize() < len(numbers):
        pass
    ledger.may_commit.set()
    for wisher in [first, *wishers]:
        wisher.join()
    return [wisher.result for wisher in wishers]


def test_changes_queued_during_a_commit_share_the_next_one(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    assert start_writers_together(writer, ledger, [1, 2, 3]) == [10, 20, 30]
    assert [sorted(numbers) for numbers in ledger.committed] == [[0], [1, 2, 3]]


def test_callers_wait_for_the_commit(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    ledger.may_commit.clear()
    first = WriterThread(writer, 1)
    ledger.committing.acquire()
    first.join(timeout=0.2)
    assert (first.result, ledger.committed) == (None, [])
    ledger.may_commit.set()
    first.join()
    assert (first.result, ledger.committed) == (10, [[1]])


def test_failing_change_fails_alone(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    assert start_writers_together(writer, ledger, [1, -2, 3]) == [10, "-2 is negative", 30]
    assert sorted(ledger.committed) == [[0], [1], [3]]


def test_failed_transaction_fails_its_batch_only(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    ledger.is_away = True
    with pytest.raises(ConnectionError):
        writer.commit(add_entry, 1, timeout_s=10)
    ledger.is_away = False
    assert writer.commit(add_entry, 2, timeout_s=10) == 20
    assert ledger.committed == [[2]]


def test_timed_out_writer_makes_no_change(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    ledger.may_commit.clear()
    first = WriterThread(writer, 1)
    ledger.committing.acquire()
    with pytest.raises(TimeoutError):
        writer.commit(add_entry, 2, timeout_s=0.01)
    ledger.may_commit.set()
    first.join()
    assert writer.commit(add_entry, 3, timeout_s=10) == 30
    assert ledger.committed == [[1], [3]]


def test_change_queued_before_the_turn_joins_the_batch(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    ledger.may_begin.clear()
    wishers = [WriterThread(writer, 1)]
    ledger.beginning.acquire()
    wishers.append(WriterThread(writer, 2))
    while writer._queue.empty():
        pass
    ledger.may_begin.set()
    for wisher in wishers:
        wisher.join()
    assert ledger.committed == [[1, 2]]


def test_pending_changes_are_committed_on_close(ledger: Ledger) -> None:
    writer: GroupCommitter[list[int]] = GroupCommitter(ledger.begin)
    ledger.may_commit.clear()
    wishers = [WriterThread(writer, 1)]
    ledger.committing.acquire()
    wishers.append(WriterThread(writer, 2))
    while writer._queue.empty():
        pass
    ledger.may_commit.set()
    writer.close()
    for wisher in wishers:
        wisher.join()
    assert ledger.committed == [[1], [2]]


def test_items_of_one_caller_are_committed_together(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    assert writer.commit_all(add_entry, [1, 2, 3], timeout_s=10) == [10, 20, 30]
    assert sorted(number for transaction in ledger.committed for number in transaction) == [1, 2, 3]
    assert writer.commit_all(add_entry, [], timeout_s=10) == []


def test_one_item_of_a_caller_fails_alone(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    results = writer.commit_all(add_entry, [1, -2, 3], timeout_s=10)
    assert [str(result) for result in results] == ["10", "-2 is negative", "30"]
    assert sorted(number for transaction in ledger.committed for number in transaction) == [1, 3]


def test_items_that_take_too_long_are_given_up(writer: GroupCommitter[list[int]], ledger: Ledger) -> None:
    ledger.may_commit.clear()
    with pytest.raises(TimeoutError):
        writer.commit_all(add_entry, [1, 2], timeout_s=0.05)
    ledger.may_commit.set()
    assert writer.commit_all(add_entry, [3], timeout_s=10) == [30]
