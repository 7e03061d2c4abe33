"""Nothing that runs for each order, or every other second, looks at more rows where more orders wait or were delivered.

What SQLite does is counted in steps of its machine, which depend on nothing but the statements and the rows.
"""

from collections.abc import Callable
from pathlib import Path
from sqlite3 import Connection

import pytest
from sqlalchemy import event, update

from connector.database.circuits import Health
from connector.database.claims import (
    Claimed,
    Limit,
    claim_deliveries,
    due_accounts,
    expire_dead,
    open_accounts,
    recover_lost,
    release_claims,
)
from connector.database.deliveries import Decision, Ended, Mark, Tried, mark_sending, record_sent
from connector.database.engine import Database
from connector.database.events import Arrival, record_event, record_events
from connector.database.tables import State, deliveries
from mappings.spoke import Identity, Outcome

FEW, MANY = 40, 4_000


class Counted:
    """A database with so many orders in one state, and ten that wait besides."""

    def __init__(self, folder: Path, state: State, count: int) -> None:
        self.steps = 0
        self.database = Database(f"sqlite:///{folder / f'{state}-{count}.db'}")
        event.listen(self.database.engine, "connect", self._watch)
        self.database.migrate()
        open_accounts(self.database, ["bodega"])
        with self.database.write() as transaction:
            record_events(transaction, [arrival(number) for number in range(count)])
            transaction.execute(
                update(deliveries).values(state=state, due_at=transaction.now if state == State.WAITING else None)
            )
        with self.database.write() as transaction:
            record_events(transaction, [arrival(number) for number in range(count, count + 10)])
        self.claimed: list[Claimed] = []

    def _watch(self, connection: Connection, _record: object) -> None:
        def step() -> int:
            self.steps += 1
            return 0

        connection.set_progress_handler(step, 1)

    def count(self, act: Callable[["Counted"], object]) -> int:
        self.steps = 0
        act(self)
        return self.steps


def arrival(number: int) -> Arrival:
    identity = Identity(
        event_key=f"orders/paid:{number}",
        topic="orders/paid",
        topics=frozenset(["paid", "orders/paid"]),
        order_id=str(number),
        order_number=f"#{number}",
        version=None,
    )
    return Arrival(store="tienda", identity=identity, body=b"{}", accounts={"bodega": "rayo"})


def take_in(counted: Counted) -> None:
    one = arrival(MANY * 2)
    record_event(counted.database, store=one.store, identity=one.identity, body=one.body, accounts=one.accounts)


def look_for_due(counted: Counted) -> None:
    assert due_accounts(counted.database, ["bodega"]) == ["bodega"]


def claim(counted: Counted) -> None:
    counted.claimed = claim_deliveries(counted.database, claim="me", limits={"bodega": Limit(4)}, lease_s=60)
    assert len(counted.claimed) == 4


def mark(counted: Counted) -> None:
    one = counted.claimed[0].delivery
    assert mark_sending(
        counted.database, Mark(delivery=one, body=b"{}", key=None, warnings=[], circuits=("bodega",), lease_s=60)
    )


def record(counted: Counted) -> None:
    assert record_sent(
        counted.database,
        Ended(
            delivery=counted.claimed[0].delivery,
            tried=Tried(number=1, outcome=Outcome.DELIVERED, started_at=counted.database.clock(), duration_ms=1),
            decision=Decision(state=State.DELIVERED, remote_id="r-1"),
            health=Health(circuit="bodega", outcome=Outcome.DELIVERED, failures=5, open_s=30),
        ),
    )


def expire(counted: Counted) -> None:
    assert expire_dead(counted.database, lambda _claim: False) == 0


def recover(counted: Counted) -> None:
    assert recover_lost(counted.database, keyed=()) == []


def release(counted: Counted) -> None:
    assert release_claims(counted.database, "me") == 3


#: The second time it is a duplicate.
ACTS = [take_in, take_in, look_for_due, claim, mark, record, expire, recover, release]


@pytest.mark.parametrize("state", [State.WAITING, State.DELIVERED])
def test_a_hundred_times_the_orders_take_no_more_steps(tmp_path: Path, state: State) -> None:
    few, many = (Counted(tmp_path, state, count) for count in (FEW, MANY))
    for act in ACTS:
        small, large = few.count(act), many.count(act)
        assert small > 0
        assert large <= small * 1.2 + 20, f"{act.__name__}: {small} steps with few orders, {large} with many"
    for counted in (few, many):
        counted.database.close()
