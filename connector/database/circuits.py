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
from connector.database.idempotency import IdempotentRequest, transact_idempotently
from connector.database.models import Circuit, Delivery, account_actions, attempts, circuits, deliveries, read_row
from connector.database.sql.execute import insert_ignore, select_by
from mappings.destination import Outcome

HEALTHY = {Outcome.DELIVERED, Outcome.REFUSED, Outcome.CONFLICT}
#: Among how many attempts, of all accounts, one that passed is looked for: there may be millions.
MAX_ATTEMPTS_SCANNED = 2_000
FAILING = {Outcome.NOT_PROCESSED, Outcome.AMBIGUOUS, Outcome.UNAUTHORIZED}


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitReport:
    """What an attempt's outcome says of the account, or of the store's API.

    Args:
        failures: how many in a row open the circuit. A refusal of our credentials opens it at once.
        open_s: seconds until a probe.
    """

    circuit: str
    outcome: Outcome
    failure_threshold: int
    probe_after_s: float


CIRCUIT_COLUMNS = tuple(column.name for column in circuits.c)


def load_circuits(connection: Connection, names: Collection[str]) -> dict[str, Circuit]:
    return {row.account: row for row in select_by(connection, circuits, CIRCUIT_COLUMNS, "account", sorted(names))}


def lock_circuit(transaction: Transaction, name: str) -> Circuit:
    """The circuit's row, made where there is none, which nobody else changes before this transaction ends."""
    insert_missing_circuits(transaction, [name])
    statement = select(circuits).where(circuits.c.account == name).with_for_update()
    circuit: Circuit = read_row(transaction.execute(statement))
    return circuit


def insert_missing_circuits(transaction: Transaction, names: Sequence[str]) -> None:
    """A closed one for each that has none."""
    rows = [{"account": name, "failures": 0, "total_open_s": 0.0} for name in names]
    insert_ignore(transaction.connection, circuits, rows, unique=["account"], returning=["account"])


def change_circuit(transaction: Transaction, circuit: Circuit, **values: Any) -> None:
    """Change its row, and keep count of how long it has been open or paused."""
    after = {"opened_at": circuit.opened_at, "paused_at": circuit.paused_at, **values}
    still_open_since = open_since(after["opened_at"], after["paused_at"])
    values["total_open_s"] = seconds_open(circuit, transaction.now) - seconds_between(still_open_since, transaction.now)
    transaction.execute(update(circuits).where(circuits.c.account == circuit.account).values(values))


def seconds_open(circuit: Circuit | None, now: datetime) -> float:
    """How long it has been open or paused over its whole life."""
    if circuit is None:
        return 0.0
    return circuit.total_open_s + seconds_between(open_since(circuit.opened_at, circuit.paused_at), now)


def open_since(*since: datetime | None) -> datetime | None:
    return min((at for at in since if at is not None), default=None)


def seconds_between(at: datetime | None, now: datetime) -> float:
    return (now - at).total_seconds() if at else 0.0


def available_slots(circuit: Circuit, free: int, now: datetime) -> int:
    """How many of `free` may be claimed: all where it is closed, one where a probe is due, else none."""
    is_early = circuit.probe_at is not None and circuit.probe_at > now
    if circuit.paused_at is not None or (circuit.opened_at is not None and is_early):
        return 0
    return free if circuit.opened_at is None else min(free, 1)


def reserve_probe(transaction: Transaction, circuit: Circuit, lease_s: float) -> None:
    """Let nobody else probe meanwhile. Should this probe's process die, another may try when its lease has ended."""
    change_circuit(transaction, circuit, probe_at=transaction.now + timedelta(seconds=lease_s))


def release_probe(transaction: Transaction, delivery: Delivery) -> None:
    """Let another probe at once in place of `delivery`, which came to its end before the account was asked.

    A probe's next is due when its own lease ends, which tells this delivery from those that are none.
    """
    is_own_probe = and_(
        circuits.c.account == delivery.account,
        circuits.c.opened_at.is_not(None),
        circuits.c.probe_at == delivery.claim_expires_at,
    )
    transaction.execute(update(circuits).where(is_own_probe).values(probe_at=transaction.now))


def next_probe_time(database: Database, name: str, *, lease_s: float, probe_after_s: float) -> datetime | None:
    """None: go on, for the circuit is closed, or open and this is its probe. Else when to come again.

    That is after `open_s` at the latest: a probe under way may close the circuit long before its lease runs out.
    """
    with database.read() as connection:
        circuit = load_circuits(connection, [name]).get(name)
    if circuit is None or circuit.opened_at is None:
        return None

    def reserve(transaction: Transaction) -> datetime | None:
        circuit = lock_circuit(transaction, name)
        if circuit.probe_at is not None and available_slots(circuit, 1, transaction.now) < 1:
            return min(circuit.probe_at, transaction.now + timedelta(seconds=probe_after_s))
        if circuit.opened_at is not None:
            reserve_probe(transaction, circuit, lease_s)
        return None

    return database.transact(reserve)


def take_rate_slots(transaction: Transaction, circuit: Circuit, free: int, rate_per_s: float) -> int:
    """How many of `free` may be claimed now at this rate, and book their slots. A second's worth may go at once."""
    next_slot = max(circuit.next_slot_at or transaction.now, transaction.now)
    interval = timedelta(seconds=1 / rate_per_s)
    burst = max(1, int(rate_per_s))  # slots in the coming second, one at least
    taken = min(free, max(0, burst - ceil((next_slot - transaction.now) / interval)))
    if taken:
        values = {"next_slot_at": next_slot + taken * interval}
        transaction.execute(update(circuits).where(circuits.c.account == circuit.account).values(values))
    return taken


def record_outcomes(transaction: Transaction, reports: Sequence[CircuitReport]) -> None:
    """Let outcomes open or close circuits. Writes only where that changes something."""
    circuits_by_name = load_circuits(transaction.connection, {report.circuit for report in reports})
    for report in reports:
        circuit = circuits_by_name.get(report.circuit)
        if report.outcome in FAILING:
            count_failure(transaction, report)
        elif report.outcome in HEALTHY and circuit is not None and (circuit.failures or circuit.opened_at):
            close_circuit(transaction, report.circuit)
        else:
            continue
        circuits_by_name = load_circuits(transaction.connection, circuits_by_name)


def record_outcome(database: Database, report: CircuitReport) -> None:
    """As `note_health`, where no transaction is open. Takes no lock where it changes nothing."""
    if report.outcome in HEALTHY:
        with database.read() as connection:
            circuit = load_circuits(connection, [report.circuit]).get(report.circuit)
        if circuit is None or not (circuit.failures or circuit.opened_at):
            return
    database.transact(lambda transaction: record_outcomes(transaction, [report]))


def close_circuit(transaction: Transaction, name: str) -> None:
    circuit = lock_circuit(transaction, name)
    change_circuit(transaction, circuit, failures=0, opened_at=None, probe_at=None, reason=None)


def count_failure(transaction: Transaction, report: CircuitReport) -> None:
    circuit = lock_circuit(transaction, report.circuit)
    values: dict[str, Any] = {"failures": circuit.failures + 1}
    is_unauthorized = report.outcome is Outcome.UNAUTHORIZED
    if is_unauthorized or circuit.failures + 1 >= report.failure_threshold or circuit.opened_at:
        values["opened_at"] = circuit.opened_at or transaction.now
        values["probe_at"] = transaction.now + timedelta(seconds=report.probe_after_s)
        values["reason"] = "unauthorized" if is_unauthorized else "failures in a row"
    change_circuit(transaction, circuit, **values)


def pause_account(
    database: Database, account: str, *, actor: str, note: str | None, idempotency: IdempotentRequest | None = None
) -> Circuit:
    """Claim nothing more of it, on any machine, until it is resumed. What is being sent ends."""

    def pause(transaction: Transaction) -> Circuit:
        circuit = lock_circuit(transaction, account)
        pause_reason = f"{actor}: {note}" if note else actor
        change_circuit(transaction, circuit, paused_at=circuit.paused_at or transaction.now, pause_reason=pause_reason)
        record_account_action(transaction, account, "pause", actor, note)
        return lock_circuit(transaction, account)

    return transact_idempotently(database, pause, idempotency)


def resume_account(
    database: Database, account: str, *, actor: str, idempotency: IdempotentRequest | None = None
) -> Circuit:
    """End a pause, and close the circuit: who resumes says that the account is well."""

    def resume(transaction: Transaction) -> Circuit:
        circuit = lock_circuit(transaction, account)
        values = {"paused_at": None, "pause_reason": None, "failures": 0, "opened_at": None, "probe_at": None}
        change_circuit(transaction, circuit, **values, reason=None)
        record_account_action(transaction, account, "resume", actor, None)
        transaction.notify()
        return lock_circuit(transaction, account)

    return transact_idempotently(database, resume, idempotency)


def record_account_action(transaction: Transaction, account: str, kind: str, actor: str, note: str | None) -> None:
    """Keep what a person did to an account, for the audit trail."""
    values = {"at": transaction.now, "account": account, "kind": kind, "who": actor, "text": note or ""}
    transaction.execute(insert(account_actions).values(values))


def total_seconds_open(database: Database, names: Iterable[str]) -> float:
    """How long these circuits have been open or paused over their whole lives, added up."""
    names = list(names)
    with database.read() as connection:
        circuits_by_name = load_circuits(connection, names)
    now = database.clock()
    return sum(seconds_open(circuits_by_name.get(name), now) for name in names)


def has_delivered_since(database: Database, account: str, since: datetime) -> bool:
    """True when the destination took some delivery of the account after `since`, as far as the last attempts tell."""
    recent = select(attempts).order_by(attempts.c.id.desc()).limit(MAX_ATTEMPTS_SCANNED).subquery()
    delivered = (
        select(1)
        .select_from(recent.join(deliveries, recent.c.delivery_id == deliveries.c.id))
        .where(deliveries.c.account == account, recent.c.outcome == Outcome.DELIVERED, recent.c.started_at > since)
    )
    with database.read() as connection:
        return connection.execute(delivered.limit(1)).first() is not None
