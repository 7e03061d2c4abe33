"""Nothing that runs for each order, or every other second, looks at more rows where more orders wait or were delivered.

What SQLite does is counted in steps of its machine, what PostgreSQL does in rows and index entries that it read. Both
depend on the statements and the rows alone, and not on how fast the machine is.
"""

from collections.abc import Callable, Iterator
from sqlite3 import Connection

import psycopg
import pytest
from sqlalchemy import event, text, update
from sqlalchemy.engine import make_url
from sqlmodel import col

from connector.database.attempts import AttemptRecord, AttemptResult, Decision, SendStart, mark_sending, record_sent
from connector.database.circuits import CircuitReport
from connector.database.claims import (
    ClaimedDelivery,
    Limit,
    accounts_with_due_work,
    claim_deliveries,
    ensure_circuits,
    expire_leases_of_dead_workers,
    recover_interrupted,
    release_claims,
)
from connector.database.engine import Database
from connector.database.events import IncomingWebhook, record_event, record_events
from connector.database.models import Delivery, State
from mappings.destination import Outcome
from mappings.storefront import WebhookIdentity

FEW, MANY = 40, 4_000
#: psycopg has a statement prepared after five times, and PostgreSQL may keep a plan of it after five more.
UNTIL_PLANNED = 12
FLUSH = text("SELECT pg_stat_force_next_flush()")
READ = text(
    "SELECT (SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables)"
    " + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)"
)


class Counted:
    """A database, of which it is counted how much it looks at."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, connections=2)  # one to write and one to read
        self.orders = 0
        self.claimed: list[ClaimedDelivery] = []
        self._steps = 0
        if self.is_sqlite:
            event.listen(self.database.engine, "connect", self._watch)
        self.database.migrate()
        ensure_circuits(self.database, ["bodega"])

    @property
    def is_sqlite(self) -> bool:
        return self.database.engine.dialect.name == "sqlite"

    def _watch(self, connection: Connection, _record: object) -> None:
        def step() -> int:
            self._steps += 1
            return 0

        connection.set_progress_handler(step, 1)

    def next(self) -> IncomingWebhook:
        self.orders += 1
        return arrival(self.orders)

    def add(self, state: State, count: int) -> None:
        """So many orders in a state, and ten that wait besides."""
        with self.database.write() as transaction:
            new = [
                recorded
                for _ in range(count // 20)
                for recorded in record_events(transaction, [self.next() for _ in range(20)])
            ]
            values = {"state": state, "due_at": transaction.now if state == State.WAITING else None}
            first = min(recorded.event_id for recorded in new)
            transaction.execute(update(Delivery).where(col(Delivery.event_id) >= first).values(values))
            record_events(transaction, [self.next() for _ in range(10)])

    def looked_at(self) -> int:
        """By now, in all."""
        if self.is_sqlite:
            return self._steps
        with self.database.write() as transaction:  # each connection counts for itself, and says so when it is told to
            transaction.execute(FLUSH)
        with self.database.read() as connection:
            connection.execute(FLUSH)
        with self.database.read() as connection:
            return int(connection.execute(READ).scalar_one())

    def count(self) -> dict[str, int]:
        """How much each act looks at."""
        counts = {}
        for name, act in ACTS.items():
            before = self.looked_at()
            act(self)
            counts[name] = self.looked_at() - before
        return counts


def arrival(number: int) -> IncomingWebhook:
    identity = WebhookIdentity(
        event_key=f"orders/paid:{number}",
        topic="orders/paid",
        topics=frozenset(["paid", "orders/paid"]),
        order_id=str(number),
        order_number=f"#{number}",
        source_updated_at=None,
    )
    return IncomingWebhook(store="tienda", identity=identity, body=b"{}", accounts={"bodega": "rayo"})


def take_in(counted: Counted, status: str) -> None:
    one = counted.next() if status == "accepted" else arrival(counted.orders)
    recorded = record_event(
        counted.database, store=one.store, identity=one.identity, body=one.body, accounts=one.accounts
    )
    assert recorded.status == status


def look_for_due(counted: Counted) -> None:
    assert accounts_with_due_work(counted.database, ["bodega"]) == ["bodega"]


def claim(counted: Counted) -> None:
    counted.claimed = claim_deliveries(counted.database, worker_id="me", limits={"bodega": Limit(4)}, lease_s=60)
    assert len(counted.claimed) == 4


def mark(counted: Counted) -> None:
    one = counted.claimed[0].delivery
    assert mark_sending(
        counted.database,
        SendStart(delivery=one, body=b"{}", idempotency_key=None, warnings=[], circuits=("bodega",), lease_s=60),
    )


def record(counted: Counted) -> None:
    assert record_sent(
        counted.database,
        AttemptResult(
            delivery=counted.claimed[0].delivery,
            attempt=AttemptRecord(
                number=1, outcome=Outcome.DELIVERED, started_at=counted.database.clock(), duration_ms=1
            ),
            decision=Decision(state=State.DELIVERED, remote_id="r-1"),
            circuit_report=CircuitReport(
                circuit="bodega", outcome=Outcome.DELIVERED, failure_threshold=5, probe_after_s=30
            ),
        ),
    )


def expire(counted: Counted) -> None:
    assert expire_leases_of_dead_workers(counted.database, lambda _claim: False) == 0


def recover(counted: Counted) -> None:
    assert recover_interrupted(counted.database, destinations_with_idempotency=()) == []


def release(counted: Counted) -> None:
    assert release_claims(counted.database, "me") == 3


PER_ORDER: dict[str, Callable[[Counted], None]] = {
    "take in": lambda counted: take_in(counted, "accepted"),
    "take in again": lambda counted: take_in(counted, "duplicate"),
    "look for due": look_for_due,
    "claim": claim,
    "mark": mark,
    "record": record,
}
ACTS = PER_ORDER | {"expire": expire, "recover": recover, "release": release}


@pytest.fixture
def counted(database_url: str, engine: str) -> Iterator[Counted]:
    """Of a database that no other test was in: PostgreSQL would go on with what it counted there."""
    if engine == "postgresql":
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS growing")
            connection.execute("CREATE DATABASE growing")
        database_url = make_url(database_url).set(database="growing").render_as_string(hide_password=False)
    counted = Counted(database_url)
    yield counted
    counted.database.close()


@pytest.mark.parametrize("state", [State.WAITING, State.DELIVERED])
def test_a_hundred_times_the_orders_are_no_more_to_look_at(counted: Counted, state: State) -> None:
    counted.add(state, FEW)
    for _ in range(UNTIL_PLANNED):
        counted.count()
    few = counted.count()
    assert all(looked_at > 0 for looked_at in few.values())
    counted.add(state, MANY)
    for _ in range(3):  # the first that comes by clears away what was left of the orders' former state
        counted.count()
    compare(few, counted.count(), PER_ORDER)
    if not counted.is_sqlite:  # as the server does within a minute
        with counted.database.write() as transaction:
            transaction.execute(text("ANALYZE"))
    compare(few, counted.count(), ACTS)


def compare(few: dict[str, int], many: dict[str, int], names: dict[str, Callable[[Counted], None]]) -> None:
    for name in names:
        most = few[name] * 1.2 + 20
        assert many[name] <= most, f"{name}: {few[name]} with few orders, {many[name]} with many"
