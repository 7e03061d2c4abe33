"""Circuits: an account, or a store's API, that fails or refuses us is left alone, then probed by one delivery.

A person may pause an account too. Both are rows, so that every process on every machine heeds them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from connector.database.engine import Database, Transaction
from connector.database.idempotency import Once, transact_once
from connector.database.models import Circuit, Delivery, account_acts, attempts, circuits, deliveries, read_row
from connector.database.sql.execute import insert_new, select_by
from mappings.integration import Outcome

HEALTHY = {Outcome.DELIVERED, Outcome.REFUSED, Outcome.CONFLICT}
#: Among how many attempts, of all accounts, one that passed is looked for: there may be millions.
LAST_ATTEMPTS = 2_000
FAILING = {Outcome.NOT_PROCESSED, Outcome.AMBIGUOUS, Outcome.UNAUTHORIZED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What an attempt's outcome says of the account, or of the store's API.

    Args:
        failures: how many in a row open the circuit. A refusal of our credentials opens it at once.
        open_s: seconds until a probe.
    """

    circuit: str
    outcome: Outcome
    failures: int
    open_s: float


ALL = tuple(column.name for column in circuits.c)


def load_circuits(connection: Connection, names: Collection[str]) -> dict[str, Circuit]:
    return {row.account: row for row in select_by(connection, circuits, ALL, "account", sorted(names))}


def lock_circuit(transaction: Transaction, name: str) -> Circuit:
    """The circuit's row, made where there is none, which nobody else changes before this transaction ends."""
    make_circuits(transaction, [name])
    statement = select(circuits).where(circuits.c.account == name).with_for_update()
    circuit: Circuit = read_row(transaction.execute(statement))
    return circuit


def make_circuits(transaction: Transaction, names: Sequence[str]) -> None:
    """A closed one for each that has none."""
    rows = [{"account": name, "failures": 0, "open_s": 0.0} for name in names]
    insert_new(transaction.connection, circuits, rows, unique=["account"], returning=["account"])


def change_circuit(transaction: Transaction, circuit: Circuit, **values: Any) -> None:
    """Change its row, and keep count of how long it has been open or paused."""
    after = {"opened_at": circuit.opened_at, "paused_at": circuit.paused_at, **values}
    running = shut_since(after["opened_at"], after["paused_at"])
    values["open_s"] = seconds_shut(circuit, transaction.now) - seconds_from(running, transaction.now)
    transaction.execute(update(circuits).where(circuits.c.account == circuit.account).values(values))


def seconds_shut(circuit: Circuit | None, now: datetime) -> float:
    """How long it has been open or paused over its whole life."""
    if circuit is None:
        return 0.0
    return circuit.open_s + seconds_from(shut_since(circuit.opened_at, circuit.paused_at), now)


def shut_since(*since: datetime | None) -> datetime | None:
    return min((at for at in since if at is not None), default=None)


def seconds_from(at: datetime | None, now: datetime) -> float:
    return (now - at).total_seconds() if at else 0.0


def room(circuit: Circuit, free: int, now: datetime) -> int:
    """How many of `free` may be claimed: all where it is closed, one where a probe is due, else none."""
    is_early = circuit.probe_at is not None and circuit.probe_at > now
    if circuit.paused_at is not None or (circuit.opened_at is not None and is_early):
        return 0
    return free if circuit.opened_at is None else min(free, 1)


def book_probe(transaction: Transaction, circuit: Circuit, lease_s: float) -> None:
    """Let nobody else probe meanwhile. Should this probe's process die, another may try when its lease has ended."""
    change_circuit(transaction, circuit, probe_at=transaction.now + timedelta(seconds=lease_s))


def give_back_probe(transaction: Transaction, delivery: Delivery) -> None:
    """Let another probe at once in place of `delivery`, which came to its end before the account was asked.

    A probe's next is due when its own lease ends, which tells this delivery from those that are none.
    """
    mine = and_(
        circuits.c.account == delivery.account,
        circuits.c.opened_at.is_not(None),
        circuits.c.probe_at == delivery.claim_expires_at,
    )
    transaction.execute(update(circuits).where(mine).values(probe_at=transaction.now))


def may_probe(database: Database, name: str, *, lease_s: float, open_s: float) -> datetime | None:
    """None: go on, for the circuit is closed, or open and this is its probe. Else when to come again.

    That is after `open_s` at the latest: a probe under way may close the circuit long before its lease runs out.
    """
    with database.read() as connection:
        circuit = load_circuits(connection, [name]).get(name)
    if circuit is None or circuit.opened_at is None:
        return None

    def ask(transaction: Transaction) -> datetime | None:
        circuit = lock_circuit(transaction, name)
        if circuit.probe_at is not None and room(circuit, 1, transaction.now) < 1:
            return min(circuit.probe_at, transaction.now + timedelta(seconds=open_s))
        if circuit.opened_at is not None:
            book_probe(transaction, circuit, lease_s)
        return None

    return database.transact(ask)


def let_pass(transaction: Transaction, circuit: Circuit, free: int, rate_per_s: float) -> int:
    """How many of `free` may be claimed now at this rate, and book their slots. A second's worth may go at once."""
    slot = max(circuit.next_slot_at or transaction.now, transaction.now)
    step = timedelta(seconds=1 / rate_per_s)
    ahead = max(1, int(rate_per_s))  # slots in the coming second, one at least
    booked = min(free, max(0, ahead - ceil((slot - transaction.now) / step)))
    if booked:
        values = {"next_slot_at": slot + booked * step}
        transaction.execute(update(circuits).where(circuits.c.account == circuit.account).values(values))
    return booked


def note_health(transaction: Transaction, healths: Sequence[Health]) -> None:
    """Let outcomes open or close circuits. Writes only where that changes something."""
    known = load_circuits(transaction.connection, {health.circuit for health in healths})
    for health in healths:
        circuit = known.get(health.circuit)
        if health.outcome in FAILING:
            count_failure(transaction, health)
        elif health.outcome in HEALTHY and circuit is not None and (circuit.failures or circuit.opened_at):
            close_circuit(transaction, health.circuit)
        else:
            continue
        known = load_circuits(transaction.connection, known)


def tell_health(database: Database, health: Health) -> None:
    """As `note_health`, where no transaction is open. Takes no lock where it changes nothing."""
    if health.outcome in HEALTHY:
        with database.read() as connection:
            circuit = load_circuits(connection, [health.circuit]).get(health.circuit)
        if circuit is None or not (circuit.failures or circuit.opened_at):
            return
    database.transact(lambda transaction: note_health(transaction, [health]))


def close_circuit(transaction: Transaction, name: str) -> None:
    circuit = lock_circuit(transaction, name)
    change_circuit(transaction, circuit, failures=0, opened_at=None, probe_at=None, reason=None)


def count_failure(transaction: Transaction, health: Health) -> None:
    circuit = lock_circuit(transaction, health.circuit)
    values: dict[str, Any] = {"failures": circuit.failures + 1}
    is_unauthorized = health.outcome is Outcome.UNAUTHORIZED
    if is_unauthorized or circuit.failures + 1 >= health.failures or circuit.opened_at:
        values["opened_at"] = circuit.opened_at or transaction.now
        values["probe_at"] = transaction.now + timedelta(seconds=health.open_s)
        values["reason"] = "unauthorized" if is_unauthorized else "failures in a row"
    change_circuit(transaction, circuit, **values)


def pause_account(database: Database, account: str, *, who: str, note: str | None, once: Once | None = None) -> Circuit:
    """Claim nothing more of it, on any machine, until it is resumed. What is being sent ends."""

    def pause(transaction: Transaction) -> Circuit:
        circuit = lock_circuit(transaction, account)
        why = f"{who}: {note}" if note else who
        change_circuit(transaction, circuit, paused_at=circuit.paused_at or transaction.now, paused_why=why)
        record_act(transaction, account, "pause", who, note)
        return lock_circuit(transaction, account)

    return transact_once(database, pause, once)


def resume_account(database: Database, account: str, *, who: str, once: Once | None = None) -> Circuit:
    """End a pause, and close the circuit: who resumes says that the account is well."""

    def resume(transaction: Transaction) -> Circuit:
        circuit = lock_circuit(transaction, account)
        values = {"paused_at": None, "paused_why": None, "failures": 0, "opened_at": None, "probe_at": None}
        change_circuit(transaction, circuit, **values, reason=None)
        record_act(transaction, account, "resume", who, None)
        transaction.announce()
        return lock_circuit(transaction, account)

    return transact_once(database, resume, once)


def record_act(transaction: Transaction, account: str, kind: str, who: str, note: str | None) -> None:
    """Keep what a person did to an account, for the audit trail."""
    values = {"at": transaction.now, "account": account, "kind": kind, "who": who, "text": note or ""}
    transaction.execute(insert(account_acts).values(values))


def open_seconds(database: Database, names: Iterable[str]) -> float:
    """How long these circuits have been open or paused over their whole lives, added up."""
    names = list(names)
    with database.read() as connection:
        found = load_circuits(connection, names)
    now = database.clock()
    return sum(seconds_shut(found.get(name), now) for name in names)


def has_passed_since(database: Database, account: str, since: datetime) -> bool:
    """True when the destination took some delivery of the account after `since`, as far as the last attempts tell."""
    last = select(attempts).order_by(attempts.c.id.desc()).limit(LAST_ATTEMPTS).subquery()
    passed = (
        select(1)
        .select_from(last.join(deliveries, last.c.delivery_id == deliveries.c.id))
        .where(deliveries.c.account == account, last.c.outcome == Outcome.DELIVERED, last.c.started_at > since)
    )
    with database.read() as connection:
        return connection.execute(passed.limit(1)).first() is not None
