"""A worker is woken by a commit of another process, without waiting for its poll."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.database.engine import Database, Transaction
from tests.support.orders import shopify_order
from tests.support.service import Service

#: Long enough on a slow machine. A test that passes does not wait for it.
PATIENCE_S = 20


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[list[Database]]:
    """Two processes' views of one file."""
    url = f"sqlite:///{tmp_path / 'connector.db'}"
    databases = [Database(url), Database(url)]
    databases[0].migrate()
    yield databases
    for database in databases:
        database.close()


def test_commit_wakes_a_listener(databases: list[Database]) -> None:
    web, worker = databases
    is_awake = threading.Event()
    with worker.listen(is_awake.set):
        web.transact(Transaction.notify)
        assert is_awake.wait(PATIENCE_S)


def test_listener_sees_what_was_committed(databases: list[Database]) -> None:
    web, worker = databases
    seen: list[object] = []
    is_awake = threading.Event()

    def read_table() -> None:
        with worker.read() as session:
            seen.append(session.connection().exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
        is_awake.set()

    def change(transaction: Transaction) -> None:
        transaction.notify()
        transaction.connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'new'")

    with worker.listen(read_table):
        web.transact(change)
        assert is_awake.wait(PATIENCE_S)
    assert seen == ["new"]


def test_other_file_in_the_way_of_the_pipe_leaves_the_poll(tmp_path: Path, databases: list[Database]) -> None:
    (tmp_path / "connector.db-wakeup").write_text("not a pipe")
    web, worker = databases
    with worker.listen(lambda: pytest.fail("woken by a file")):
        web.transact(Transaction.notify)


def test_webhook_is_delivered_without_a_poll(open_service: Callable[..., Service]) -> None:
    service = open_service()
    worker = service.worker()
    worker.runtime.database.backend.poll_interval_s = 10 * PATIENCE_S
    is_delivered = threading.Event()
    process = worker.process

    def process_and_tell(claimed: object) -> None:
        process(claimed)  # type: ignore[arg-type]
        is_delivered.set()

    worker.process = process_and_tell  # type: ignore[method-assign]
    running = threading.Thread(target=worker.run, daemon=True)
    running.start()
    service.post_shopify(shopify_order())
    try:
        assert is_delivered.wait(PATIENCE_S)
        assert len(service.sandbox.orders("rayo")) == 1
    finally:
        worker.stop()
        running.join()
