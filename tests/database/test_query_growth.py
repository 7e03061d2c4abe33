"""Operations per order, and periodic ones, read no more rows as the number of orders grows.

What SQLite does is counted in steps of its machine, what PostgreSQL does in rows and index entries that it read. Both
depend on the statements and the rows alone, and not on how fast the machine is.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
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
from connector.database.expiry import ExpiryCriteria, announce_expiry, expire_parked, read_expiring
from connector.database.known_stores import record_first_runs
from connector.database.lost_webhooks import read_lost_webhooks
from connector.database.models import Delivery, Event, EventSource, State
from connector.database.order_records import load_order_records
from connector.database.orders import matches_order
from connector.database.prune import PruneCriteria, PruneResult, prune
from connector.database.restores import check_generation
from connector.database.store_status import count_caught_up
from mappings.destination import Outcome
from mappings.storefront import WebhookIdentity

FEW_ORDERS, MANY_ORDERS = 40, 4_000
#: psycopg has a statement prepared after five times, and PostgreSQL may keep a plan of it after five more.
EXECUTIONS_UNTIL_PLANNED = 12
FLUSH_STATISTICS = text("SELECT pg_stat_force_next_flush()")
ROWS_READ = text(
    "SELECT (SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables)"
    " + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)"
)


class CountingDatabase:
    """A database that counts how much its queries read."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, connections=2)  # one to write and one to read
        self.orders = 0
        self.claimed: list[ClaimedDelivery] = []
        self._steps = 0
        if self.is_sqlite:
            event.listen(self.database.engine, "connect", self._watch)
        self.database.migrate()
        ensure_circuits(self.database, ["bodega"])
        check_generation(self.database, key_windows_s={})
        record_first_runs(self.database, ["tienda"])
        with self.database.write() as transaction:
            record_events(transaction, [replace(webhook_for(0), source=EventSource.CATCH_UP)])

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
        return webhook_for(self.orders)

    def add(self, state: State, count: int) -> None:
        """Add this many orders in a state, and ten waiting ones."""
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
        """The total so far."""
        if self.is_sqlite:
            return self._steps
        with self.database.write() as transaction:  # each connection counts for itself, and says so when it is told to
            transaction.execute(FLUSH_STATISTICS)
        with self.database.read() as connection:
            connection.execute(FLUSH_STATISTICS)
        with self.database.read() as connection:
            return int(connection.execute(ROWS_READ).scalar_one())

    def count(self) -> dict[str, int]:
        """Return how much each operation reads."""
        counts = {}
        for name, act in OPERATIONS.items():
            before = self.looked_at()
            act(self)
            counts[name] = self.looked_at() - before
        return counts


def webhook_for(number: int) -> IncomingWebhook:
    identity = WebhookIdentity(
        event_key=f"orders/paid:{number}",
        topic="orders/paid",
        topics=frozenset(["paid", "orders/paid"]),
        order_id=str(number),
        order_number=f"#{number}",
        source_updated_at=None,
    )
    return IncomingWebhook(store="tienda", identity=identity, body=b"{}", accounts={"bodega": "rayo"})


def record_webhook(counting_database: CountingDatabase, status: str) -> None:
    webhook = counting_database.next() if status == "accepted" else webhook_for(counting_database.orders)
    recorded = record_event(
        counting_database.database,
        store=webhook.store,
        identity=webhook.identity,
        body=webhook.body,
        accounts=webhook.accounts,
    )
    assert recorded.status == status


def find_due(counting_database: CountingDatabase) -> None:
    assert accounts_with_due_work(counting_database.database, ["bodega"]) == ["bodega"]


def claim(counting_database: CountingDatabase) -> None:
    counting_database.claimed = claim_deliveries(
        counting_database.database, worker_id="me", limits={"bodega": Limit(4)}, lease_s=60
    )
    assert len(counting_database.claimed) == 4


def mark_as_sending(counting_database: CountingDatabase) -> None:
    delivery = counting_database.claimed[0].delivery
    assert mark_sending(
        counting_database.database,
        SendStart(
            delivery=delivery,
            body=b"{}",
            idempotency_key=None,
            warnings=[],
            circuits=("bodega",),
            lease_s=60,
            generation=counting_database.database.generation,
        ),
    )


def record_outcome(counting_database: CountingDatabase) -> None:
    assert record_sent(
        counting_database.database,
        AttemptResult(
            delivery=counting_database.claimed[0].delivery,
            attempt=AttemptRecord(
                number=1, outcome=Outcome.DELIVERED, started_at=counting_database.database.clock(), duration_ms=1
            ),
            decision=Decision(state=State.DELIVERED, remote_id="r-1"),
            circuit_report=CircuitReport(
                circuit="bodega", outcome=Outcome.DELIVERED, failure_threshold=5, probe_after_s=30
            ),
        ),
    )


def expire(counting_database: CountingDatabase) -> None:
    assert expire_leases_of_dead_workers(counting_database.database, lambda _claim: False) == 0


def recover(counting_database: CountingDatabase) -> None:
    assert recover_interrupted(counting_database.database, destinations_with_idempotency=()) == []


def release(counting_database: CountingDatabase) -> None:
    assert release_claims(counting_database.database, "me") == 3


def find_lost_webhooks(counting_database: CountingDatabase) -> None:
    assert read_lost_webhooks(counting_database.database) == {}  # none is five minutes old


def count_orders_caught_up(counting_database: CountingDatabase) -> None:
    since = counting_database.database.clock() - timedelta(hours=24)
    assert count_caught_up(counting_database.database, since) == {"tienda": 1}


def look_up_listed_orders(counting_database: CountingDatabase) -> None:
    newest = counting_database.orders
    versions = {str(number): counting_database.database.clock() for number in range(newest - 9, newest + 1)}
    assert len(load_order_records(counting_database.database, "tienda", versions)) == 10


def record_old(counting_database: CountingDatabase, state: State, reason: str | None) -> None:
    """Add an order of two years ago that ended, or was parked, in the last of them."""
    database, webhook = counting_database.database, counting_database.next()
    with database.write() as transaction:
        [recorded] = record_events(transaction, [webhook])
        year = timedelta(days=366)
        values = {"state": state, "reason": reason, "due_at": None, "updated_at": transaction.now - year}
        is_new = matches_order(Delivery, webhook.store, str(counting_database.orders))
        transaction.execute(update(Delivery).where(is_new).values(values))
        received = {"received_at": transaction.now - 2 * year}
        transaction.execute(update(Event).where(col(Event.id) == recorded.event_id).values(received))


def prune_old(counting_database: CountingDatabase) -> None:
    record_old(counting_database, State.DELIVERED, None)
    database = counting_database.database
    criteria = PruneCriteria(before=database.clock() - timedelta(days=90), thin_stores=[])
    pruned = prune(database, criteria, actor="me", batch_size=100, dry_run=False, pause=lambda: None)
    assert pruned == PruneResult(deliveries=1, events=1)


def expire_old(counting_database: CountingDatabase) -> None:
    record_old(counting_database, State.PARKED, "uncertain")
    database = counting_database.database
    now = database.clock()
    keep = timedelta(days=365)
    clearing = PruneCriteria(before=now - timedelta(days=90), thin_stores=[])
    for days, expired in ((0, 0), (15, 1)):
        criteria = ExpiryCriteria(keep=keep, now=now + timedelta(days=days), clearing=clearing)
        announce_expiry(database, ["bodega"], criteria, batch_size=100, pause=lambda: None)
        count = expire_parked(database, ["bodega"], criteria, actor="me", batch_size=100, pause=lambda: None)
        assert (count, len(read_expiring(database))) == (expired, 1 - expired)


OPERATIONS_PER_ORDER: dict[str, Callable[[CountingDatabase], None]] = {
    "take in": lambda counted: record_webhook(counted, "accepted"),
    "take in again": lambda counted: record_webhook(counted, "duplicate"),
    "look for due": find_due,
    "claim": claim,
    "mark": mark_as_sending,
    "record": record_outcome,
}
OPERATIONS = OPERATIONS_PER_ORDER | {
    "expire": expire,
    "recover": recover,
    "release": release,
    "look up listed orders": look_up_listed_orders,
    "find lost webhooks": find_lost_webhooks,
    "count orders caught up": count_orders_caught_up,
    "prune": prune_old,
    "expire parked": expire_old,
}


@pytest.fixture
def counting_database(database_url: str, engine: str) -> Iterator[CountingDatabase]:
    """Of a database that no other test was in: PostgreSQL would go on with what it counted there."""
    if engine == "postgresql":
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS growing")
            connection.execute("CREATE DATABASE growing")
        database_url = make_url(database_url).set(database="growing").render_as_string(hide_password=False)
    counting = CountingDatabase(database_url)
    yield counting
    counting.database.close()


@pytest.mark.parametrize("state", [State.WAITING, State.DELIVERED])
def test_rows_read_do_not_grow_with_the_number_of_orders(counting_database: CountingDatabase, state: State) -> None:
    counting_database.add(state, FEW_ORDERS)
    for _ in range(EXECUTIONS_UNTIL_PLANNED):
        counting_database.count()
    few = counting_database.count()
    assert all(looked_at > 0 for looked_at in few.values())
    counting_database.add(state, MANY_ORDERS)
    for _ in range(3):  # the first that comes by clears away what was left of the orders' former state
        counting_database.count()
    assert_no_growth(few, counting_database.count(), OPERATIONS_PER_ORDER)
    if not counting_database.is_sqlite:  # as the server does within a minute
        with counting_database.database.write() as transaction:
            transaction.execute(text("ANALYZE"))
    assert_no_growth(few, counting_database.count(), OPERATIONS)


def assert_no_growth(
    few: dict[str, int], many: dict[str, int], names: dict[str, Callable[[CountingDatabase], None]]
) -> None:
    for name in names:
        most = few[name] * 1.2 + 20
        assert many[name] <= most, f"{name}: {few[name]} with few orders, {many[name]} with many"
