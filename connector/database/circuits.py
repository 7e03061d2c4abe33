"""Circuit breakers, as rows, so that all processes share them.

An account, or a store's API, that fails or rejects our credentials gets no requests for a while; then one delivery
probes it. A person can also pause an account.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Any, NamedTuple

from sqlalchemy import insert, update
from sqlmodel import and_, col, select

from connector.core.messages import build_message
from connector.database.engine import Database, Transaction
from connector.database.idempotency import IdempotentRequest, transact_idempotently
from connector.database.insert_ignore import insert_ignore
from connector.database.models import Attempt, Circuit, Delivery, OperatorAction
from connector.database.sql.run import parse_time, run
from connector.database.sql.statements import LOCK_FREE_CIRCUITS, SELECT_CIRCUITS
from mappings.destination import Outcome

HEALTHY = {Outcome.DELIVERED, Outcome.REFUSED, Outcome.CONFLICT}
FAILING = {Outcome.NOT_PROCESSED, Outcome.AMBIGUOUS, Outcome.UNAUTHORIZED}
#: The newest attempts, of all accounts, among which a successful one is searched: there may be millions.
MAX_ATTEMPTS_SCANNED = 2_000
STORE_PREFIX = "store:"  # no account id contains a colon


class CircuitRow(NamedTuple):
    """The columns of a circuit that attempts need, in the order of `SELECT_CIRCUITS`."""

    account: str
    failures: int
    total_open_s: float
    opened_at: datetime | None
    probe_at: datetime | None
    paused_at: datetime | None
    next_slot_at: datetime | None
    credentials_version: int


AnyCircuit = Circuit | CircuitRow


class CircuitState(StrEnum):
    FLOWING = "flowing"
    PAUSED = "paused"
    OPEN = "circuit open"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitReport:
    """An outcome that opens or closes a circuit.

    Args:
        failure_threshold: consecutive failures that open the circuit. Rejected credentials open it at once.
        probe_after_s: seconds until a probe.
        credentials_version: of the entered credentials that the process had. If the account's were replaced since,
            that the old ones are rejected says nothing about it.
    """

    circuit: str
    outcome: Outcome
    failure_threshold: int
    probe_after_s: float
    credentials_version: int = 0


def store_circuit(store_id: str) -> str:
    """The name of the circuit of a store's API. An account's circuit has the account's id."""
    return f"{STORE_PREFIX}{store_id}"


def parse_circuit(name: str) -> tuple[str, str]:
    """Return ("store" or "account", id) of a circuit's name."""
    if name.startswith(STORE_PREFIX):
        return "store", name.removeprefix(STORE_PREFIX)
    return "account", name


def circuit_state(circuit: Circuit | None) -> CircuitState:
    """The state of a circuit. No row means that it is closed."""
    if circuit is None:
        return CircuitState.FLOWING
    if circuit.paused_at is not None:
        return CircuitState.PAUSED
    return CircuitState.OPEN if circuit.opened_at is not None else CircuitState.FLOWING


def load_circuits(transaction: Transaction, names: Collection[str]) -> dict[str, CircuitRow]:
    """Circuits by name."""
    rows = run(transaction.connection, SELECT_CIRCUITS, {"names": sorted(names)})
    return {row[0]: parse_circuit_row(row) for row in rows}


def lock_free_circuits(transaction: Transaction, names: Collection[str]) -> list[CircuitRow]:
    """Lock the circuits that no other process is claiming from, until the transaction ends."""
    rows = run(transaction.connection, LOCK_FREE_CIRCUITS, {"names": sorted(names)})
    return [parse_circuit_row(row) for row in rows]


def parse_circuit_row(row: Sequence[Any]) -> CircuitRow:
    account, failures, total_open_s, opened_at, probe_at, paused_at, next_slot_at, credentials_version = row
    return CircuitRow(
        account,
        failures,
        total_open_s,
        parse_time(opened_at),
        parse_time(probe_at),
        parse_time(paused_at),
        parse_time(next_slot_at),
        credentials_version,
    )


def read_circuits(database: Database, names: Collection[str] | None = None) -> dict[str, Circuit]:
    """Circuits by name: these, or all."""
    with database.read() as session:
        statement = select(Circuit)
        if names is not None:
            statement = statement.where(col(Circuit.account).in_(names))
        circuits = session.exec(statement).all()
    return {circuit.account: circuit for circuit in circuits}


def lock_circuit(transaction: Transaction, name: str) -> Circuit:
    """Lock a circuit until the transaction ends. Inserts it if there is none."""
    insert_missing_circuits(transaction, [name])
    circuit = transaction.load_one(select(Circuit).where(col(Circuit.account) == name).with_for_update())
    if circuit is None:
        raise RuntimeError(f"circuit {name} was deleted")
    return circuit


def insert_missing_circuits(transaction: Transaction, names: Sequence[str]) -> None:
    """Insert a closed circuit for each name that has none."""
    rows = [{"account": name, "failures": 0, "total_open_s": 0.0, "credentials_version": 0} for name in names]
    insert_ignore(transaction.connection, Circuit, rows, unique=("account",))


def change_circuit(transaction: Transaction, circuit: AnyCircuit, **values: Any) -> None:
    """Change a circuit, and add up how long it has been open or paused."""
    after = {"opened_at": circuit.opened_at, "paused_at": circuit.paused_at, **values}
    still_open_since = open_since(after["opened_at"], after["paused_at"])
    values["total_open_s"] = seconds_open(circuit, transaction.now) - seconds_between(still_open_since, transaction.now)
    update_circuit(transaction, circuit.account, values)


def update_circuit(transaction: Transaction, name: str, values: dict[str, Any]) -> None:
    transaction.execute(update(Circuit).where(col(Circuit.account) == name).values(values))


def seconds_open(circuit: AnyCircuit | None, now: datetime) -> float:
    """How long it has been open or paused, in total."""
    if circuit is None:
        return 0.0
    return circuit.total_open_s + seconds_between(open_since(circuit.opened_at, circuit.paused_at), now)


def open_since(*since: datetime | None) -> datetime | None:
    return min((at for at in since if at is not None), default=None)


def seconds_between(at: datetime | None, now: datetime) -> float:
    return (now - at).total_seconds() if at else 0.0


def total_seconds_open(database: Database, names: Iterable[str]) -> float:
    """How long these circuits have been open or paused, added up."""
    names = list(names)
    circuits = read_circuits(database, names)
    now = database.clock()
    return sum(seconds_open(circuits.get(name), now) for name in names)


def available_slots(circuit: AnyCircuit, free: int, now: datetime) -> int:
    """How many of `free` may be claimed: all if it is closed, one if a probe is due, else none."""
    is_early = circuit.probe_at is not None and circuit.probe_at > now
    if circuit.paused_at is not None or (circuit.opened_at is not None and is_early):
        return 0
    return free if circuit.opened_at is None else min(free, 1)


def reserve_probe(transaction: Transaction, circuit: AnyCircuit, lease_s: float) -> None:
    """Keep others from probing until this probe's lease ends, in case its process dies."""
    change_circuit(transaction, circuit, probe_at=transaction.now + timedelta(seconds=lease_s))


def release_probe(transaction: Transaction, account: str, claim_expires_at: datetime | None) -> None:
    """Allow another probe at once, if this claim was the probe and ended without a request to the account.

    Only a probe's lease ends when the next probe is due.
    """
    is_own_probe = and_(
        col(Circuit.account) == account,
        col(Circuit.opened_at).is_not(None),
        col(Circuit.probe_at) == claim_expires_at,
    )
    transaction.execute(update(Circuit).where(is_own_probe).values(probe_at=transaction.now))


def next_probe_time(database: Database, name: str, *, lease_s: float, probe_after_s: float) -> datetime | None:
    """Return None if a request may be made: the circuit is closed, or this is its probe. Else when to ask again.

    That is after `probe_after_s` at the latest: the current probe may close the circuit before its lease ends.
    """
    circuit = read_circuits(database, [name]).get(name)
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


def take_rate_slots(transaction: Transaction, circuit: AnyCircuit, free: int, rate_per_s: float) -> int:
    """Return how many of `free` may be claimed now at this rate, and reserve their slots.

    The slots of one second may be taken at once.
    """
    next_slot = max(circuit.next_slot_at or transaction.now, transaction.now)
    interval = timedelta(seconds=1 / rate_per_s)
    burst = max(1, int(rate_per_s))  # slots in the coming second, at least one
    taken = min(free, max(0, burst - ceil((next_slot - transaction.now) / interval)))
    if taken:
        update_circuit(transaction, circuit.account, {"next_slot_at": next_slot + taken * interval})
    return taken


def record_outcomes(transaction: Transaction, reports: Sequence[CircuitReport]) -> None:
    """Let outcomes open or close circuits. Writes only if something changes."""
    circuits = load_circuits(transaction, {report.circuit for report in reports})
    for report in reports:
        circuit = circuits.get(report.circuit)
        if report.outcome in FAILING:
            count_failure(transaction, report)
        elif report.outcome in HEALTHY and circuit is not None and (circuit.failures or circuit.opened_at):
            close_circuit(transaction, report.circuit)
        else:
            continue
        circuits = load_circuits(transaction, circuits)


def record_outcome(database: Database, report: CircuitReport) -> None:
    """Like `record_outcomes`, in its own transaction. Takes no lock if nothing changes."""
    if report.outcome in HEALTHY:
        circuit = read_circuits(database, [report.circuit]).get(report.circuit)
        if circuit is None or not (circuit.failures or circuit.opened_at):
            return
    database.transact(lambda transaction: record_outcomes(transaction, [report]))


def close_circuit(transaction: Transaction, name: str) -> None:
    circuit = lock_circuit(transaction, name)
    change_circuit(transaction, circuit, failures=0, opened_at=None, probe_at=None, reason=None)


def count_failure(transaction: Transaction, report: CircuitReport) -> None:
    circuit = lock_circuit(transaction, report.circuit)
    is_unauthorized = report.outcome is Outcome.UNAUTHORIZED
    if is_unauthorized and circuit.credentials_version > report.credentials_version:
        return
    values: dict[str, Any] = {"failures": circuit.failures + 1}
    if is_unauthorized or circuit.failures + 1 >= report.failure_threshold or circuit.opened_at:
        values["opened_at"] = circuit.opened_at or transaction.now
        values["probe_at"] = transaction.now + timedelta(seconds=report.probe_after_s)
        reason = build_message("credentials_rejected" if is_unauthorized else "consecutive_failures")
        values["reason"] = reason.to_json()
    change_circuit(transaction, circuit, **values)


def has_newer_credentials(database: Database, account: str, version: int) -> bool:
    """Return whether the account's credentials were replaced or withdrawn after this version of them was loaded."""
    circuit = read_circuits(database, [account]).get(account)
    return circuit is not None and circuit.credentials_version > version


def credentials_changed_since(database: Database, account: str, since: datetime) -> bool:
    """Return whether the account's credentials were replaced or withdrawn at this time or later."""
    circuit = read_circuits(database, [account]).get(account)
    changed_at = circuit.credentials_changed_at if circuit else None
    return changed_at is not None and changed_at >= since


def let_new_credentials_be_tried(transaction: Transaction, account: str, version: int) -> None:
    """Let processes claim for an account again once they have this version of the entered credentials.

    If its circuit is open because its credentials were rejected, it is closed. A pause stays.
    """
    circuit = lock_circuit(transaction, account)
    changes = {"credentials_version": version, "credentials_changed_at": transaction.now}
    update_circuit(transaction, account, changes)
    if (circuit.reason or {}).get("code") == "credentials_rejected":
        close_circuit(transaction, account)


def pause_account(
    database: Database, account: str, *, actor: str, note: str | None, idempotency: IdempotentRequest | None = None
) -> Circuit:
    """Claim no more of its deliveries, on any machine, until it is resumed. Attempts under way continue."""

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
    """End a pause, and close the circuit."""

    def resume(transaction: Transaction) -> Circuit:
        circuit = lock_circuit(transaction, account)
        values = {"paused_at": None, "pause_reason": None, "failures": 0, "opened_at": None, "probe_at": None}
        change_circuit(transaction, circuit, **values, reason=None)
        record_account_action(transaction, account, "resume", actor, None)
        transaction.notify()
        return lock_circuit(transaction, account)

    return transact_idempotently(database, resume, idempotency)


def record_account_action(transaction: Transaction, account: str, kind: str, actor: str, note: str | None) -> None:
    """Add an entry to the audit trail."""
    values = {"at": transaction.now, "account": account, "kind": kind, "who": actor, "text": note or ""}
    transaction.execute(insert(OperatorAction).values(values))


def has_delivered_since(database: Database, account: str, since: datetime) -> bool:
    """True if an attempt of the account succeeded after `since`, among the last `MAX_ATTEMPTS_SCANNED` attempts."""
    recent = (
        select(Attempt.delivery_id, Attempt.outcome, Attempt.started_at)
        .order_by(col(Attempt.id).desc())
        .limit(MAX_ATTEMPTS_SCANNED)
        .subquery()
    )
    delivered = (
        select(Delivery.id)
        .join(recent, recent.c.delivery_id == Delivery.id)
        .where(
            col(Delivery.account) == account,
            recent.c.outcome == Outcome.DELIVERED,
            recent.c.started_at > since,
        )
    )
    with database.read() as session:
        return session.exec(delivered.limit(1)).first() is not None
