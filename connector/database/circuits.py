"""Circuits: an account, or a store's API, that fails or refuses us is left alone, then probed by one delivery."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import Connection, and_, insert, select, update

from connector.database.engine import Database
from connector.database.tables import Circuit, Delivery, attempts, circuits, deliveries
from mappings.spoke import Outcome

HEALTHY = {Outcome.DELIVERED, Outcome.REFUSED, Outcome.CONFLICT}
FAILING = {Outcome.NOT_PROCESSED, Outcome.AMBIGUOUS, Outcome.UNAUTHORIZED}


def load_circuit(connection: Connection, account: str) -> Circuit | None:
    row = connection.execute(select(circuits).where(circuits.c.account == account)).one_or_none()
    return Circuit(**row._mapping) if row else None


def accounts_kept_shut(connection: Connection, now: datetime) -> set[str]:
    """The accounts whose circuit is open and whose next probe is not due yet."""
    statement = select(circuits.c.account).where(circuits.c.opened_at.is_not(None), circuits.c.probe_at > now)
    return set(connection.execute(statement).scalars())


def let_probe(connection: Connection, account: str, free: int, *, now: datetime, lease_s: float) -> int:
    """How many of `free` may be claimed: all where the circuit is closed, one where a probe is due, else none."""
    circuit = load_circuit(connection, account)
    if circuit is None or circuit.opened_at is None:
        return free
    if free < 1 or (circuit.probe_at is not None and circuit.probe_at > now):
        return 0
    next_probe = now + timedelta(seconds=lease_s)  # should this one's process die, another may try
    connection.execute(update(circuits).where(circuits.c.account == account).values(probe_at=next_probe))
    return 1


def give_back_probe(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """Let another probe at once in place of `delivery`, which came to its end before the account was asked.

    A probe's next is due when its own lease ends, which tells this delivery from those that are none.
    """
    mine = and_(
        circuits.c.account == delivery.account,
        circuits.c.opened_at.is_not(None),
        circuits.c.probe_at == delivery.claim_expires_at,
    )
    connection.execute(update(circuits).where(mine).values(probe_at=now))


def may_probe(database: Database, account: str, now: datetime, *, lease_s: float, open_s: float) -> datetime | None:
    """None: go on, for the circuit is closed, or open and this is its probe. Else when to come again.

    That is after `open_s` at the latest: a probe under way may close the circuit long before its lease runs out.
    """
    with database.read() as connection:
        circuit = load_circuit(connection, account)
    if circuit is None or circuit.opened_at is None:
        return None
    with database.write() as connection:
        if let_probe(connection, account, 1, now=now, lease_s=lease_s):
            return None
        circuit = load_circuit(connection, account)
        return min(circuit.probe_at, now + timedelta(seconds=open_s)) if circuit and circuit.probe_at else None


def let_pass(connection: Connection, account: str, free: int, rate_per_s: float, now: datetime) -> int:
    """How many of `free` may be claimed now at this rate, and book their slots. A second's worth may go at once."""
    circuit = load_circuit(connection, account)
    slot = max(circuit.next_slot_at or now, now) if circuit else now
    step = timedelta(seconds=1 / rate_per_s)
    ahead = max(1, int(rate_per_s))  # slots in the coming second, one at least
    booked = min(free, max(0, ahead - ceil((slot - now) / step)))
    values = {"next_slot_at": slot + booked * step}
    if circuit is None:
        connection.execute(insert(circuits).values(account=account, failures=0, open_s=0.0, **values))
    else:
        connection.execute(update(circuits).where(circuits.c.account == account).values(values))
    return booked


def note_health(
    database: Database, account: str, outcome: Outcome, *, failures: int, open_s: float, now: datetime
) -> None:
    """Let an attempt's outcome open or close its account's circuit. Writes only when that changes something.

    Args:
        failures: how many in a row open it. A refusal of our credentials opens it at once.
        open_s: seconds until a probe.
    """
    if outcome in HEALTHY:
        with database.read() as connection:
            circuit = load_circuit(connection, account)
        if circuit is None or not (circuit.failures or circuit.opened_at):
            return
        with database.write() as connection:
            close_circuit(connection, account, now)
    elif outcome in FAILING:
        with database.write() as connection:
            count_failure(connection, account, outcome, failures=failures, open_s=open_s, now=now)


def close_circuit(connection: Connection, account: str, now: datetime) -> None:
    circuit = load_circuit(connection, account)
    values = {"failures": 0, "opened_at": None, "probe_at": None, "reason": None, "open_s": seconds_open(circuit, now)}
    connection.execute(update(circuits).where(circuits.c.account == account).values(values))


def count_failure(
    connection: Connection, account: str, outcome: Outcome, *, failures: int, open_s: float, now: datetime
) -> None:
    circuit = load_circuit(connection, account)
    if circuit is None:
        circuit = Circuit(account=account)
        connection.execute(insert(circuits).values(account=account, failures=0, open_s=0.0))
    values: dict[str, object] = {"failures": circuit.failures + 1}
    if outcome == Outcome.UNAUTHORIZED or circuit.failures + 1 >= failures or circuit.opened_at:
        values["opened_at"] = circuit.opened_at or now
        values["probe_at"] = now + timedelta(seconds=open_s)
        values["reason"] = "unauthorized" if outcome == Outcome.UNAUTHORIZED else "failures in a row"
    connection.execute(update(circuits).where(circuits.c.account == account).values(values))


def open_seconds(database: Database, accounts: Iterable[str], now: datetime) -> float:
    """How long these circuits have been open over their whole lives, added up."""
    with database.read() as connection:
        return sum(seconds_open(load_circuit(connection, account), now) for account in accounts)


def seconds_open(circuit: Circuit | None, now: datetime) -> float:
    if circuit is None:
        return 0.0
    return circuit.open_s + ((now - circuit.opened_at).total_seconds() if circuit.opened_at else 0.0)


def has_passed_since(database: Database, account: str, since: datetime) -> bool:
    """True when some delivery of the account was taken by the destination after `since`."""
    passed = (
        select(1)
        .select_from(attempts.join(deliveries, attempts.c.delivery_id == deliveries.c.id))
        .where(deliveries.c.account == account, deliveries.c.updated_at >= since)
        .where(attempts.c.outcome == Outcome.DELIVERED, attempts.c.started_at > since)
    )
    with database.read() as connection:
        return connection.execute(passed.limit(1)).first() is not None
