"""Keeps what people are told of: gathers what is new in the rows, each once, and what was told where. Sends nothing.

Nothing that carries orders writes here: what is new is found by looking, through indexes of what is rare.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import and_, delete, func, insert, select, tuple_, update

from connector.database.coordination import move_mark, read_mark
from connector.database.engine import Database, Transaction
from connector.database.models import (
    Alert,
    Reason,
    State,
    alerted,
    alerts,
    attempts,
    circuits,
    deliveries,
    notes,
    read_rows,
)
from connector.database.sql.execute import insert_new
from mappings.problem_fingerprint import name_cause

PARKED = (Reason.UNMAPPABLE, Reason.REFUSED, Reason.UNCERTAIN, Reason.EXHAUSTED)
#: States, which begin and end. All other kinds are of orders, which are counted.
STATES = ("circuit", "backlog", "silent")
PIECE = 500
#: How far back each look reads again: clocks are set, and on PostgreSQL a change appears when its transaction ends.
OVERLAP_S = 60.0
#: How long it is remembered what was alerted.
KEEP = timedelta(days=90)
MOST_EXAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An order that people are to be told of."""

    what: str  # the same whenever the same is found again
    kind: str
    account: str | None
    cause: str
    example: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A state that people are to be told of, at its beginning and its end."""

    kind: str
    cause: str
    since: datetime
    account: str | None = None
    store: str | None = None


def gather_parked(database: Database, accounts: Collection[str]) -> int:
    """Enter what was parked since the last look. Returns how many there were."""
    began_at = database.clock()
    looked_at = datetime.fromtimestamp(read_mark(database, "alerts:parked"), UTC)
    entered = 0
    for account in sorted(accounts):
        for reason in PARKED:
            for rows in read_parked(database, account, reason, looked_at - overlap(database)):
                entered += enter_new(database, [of_delivery(row) for row in rows])
    if entered or began_at - looked_at > overlap(database):
        moved = int(began_at.timestamp())
        database.transact(lambda transaction: move_mark(transaction, "alerts:parked", moved))
    return entered


def overlap(database: Database) -> timedelta:
    return timedelta(seconds=OVERLAP_S + database.dialect.settle_s)


def read_parked(database: Database, account: str, reason: str, since: datetime) -> Iterator[list[Any]]:
    place = tuple_(deliveries.c.updated_at, deliveries.c.id)
    names = ("id", "account", "store", "order_id", "order_number", "event_id", "attempts", "reason", "problems")
    is_last = and_(attempts.c.delivery_id == deliveries.c.id, attempts.c.number == deliveries.c.attempts)
    statement = (
        select(*(deliveries.c[name] for name in names), deliveries.c.updated_at, attempts.c.error)
        .select_from(deliveries.outerjoin(attempts, is_last))
        .where(deliveries.c.state == State.PARKED, deliveries.c.account == account, deliveries.c.reason == reason)
        .order_by(deliveries.c.updated_at, deliveries.c.id)
        .limit(PIECE)
    )
    after: tuple[datetime, int] = (since, 0)
    is_over = False
    while not is_over:
        with database.read() as connection:
            rows = read_rows(connection.execute(statement.where(place > after)))
        if rows:
            yield rows
            after = (rows[-1].updated_at, rows[-1].id)
        is_over = len(rows) < PIECE


def of_delivery(row: Any) -> Found:
    """A newer version, or another attempt, that leaves it parked is told again."""
    return Found(
        what=f"delivery:{row.id}:{row.event_id}:{row.attempts}:{row.reason}",
        kind=row.reason,
        account=row.account,
        cause=name_cause(row.problems) if row.problems else row.error or "",
        example=example(row.id, row),
    )


def example(delivery_id: int, row: Any) -> dict[str, Any]:
    return {"delivery": str(delivery_id), "store": row.store, "order": row.order_number or row.order_id}


def gather_notes(database: Database) -> int:
    """Enter the notes that a person must look at, which were made since the last look."""
    after = read_mark(database, "alerts:notes")
    settled_before = database.clock() - overlap(database)
    entered, is_over = 0, False
    while not is_over:
        statement = (
            select(notes, deliveries.c.account, deliveries.c.store, deliveries.c.order_number, deliveries.c.order_id)
            .select_from(notes.join(deliveries, notes.c.delivery_id == deliveries.c.id))
            .where(notes.c.id > after)
            .order_by(notes.c.id)
            .limit(PIECE)
        )
        with database.read() as connection:
            rows = read_rows(connection.execute(statement))
        entered += enter_new(database, [of_note(row) for row in rows if row.kind == "alert"])
        settled = [row.id for row in rows if row.at < settled_before]
        if settled:
            moved = settled[-1]
            database.transact(lambda transaction, moved=moved: move_mark(transaction, "alerts:notes", moved))  # type: ignore[misc]
        after = rows[-1].id if rows else after
        is_over = len(rows) < PIECE
    return entered


def of_note(row: Any) -> Found:
    found = example(row.delivery_id, row)
    return Found(what=f"note:{row.id}", kind="attention", account=row.account, cause=row.text, example=found)


def enter_new(database: Database, found: Sequence[Found]) -> int:
    """Count those that were not entered before, each in the alert of its like. Returns how many there were."""
    names = [one.what for one in found]
    with database.read() as connection:
        known = set(connection.execute(select(alerted.c.what).where(alerted.c.what.in_(names))).scalars())
    new = [one for one in found if one.what not in known]
    return database.transact(partial(enter, new)) if new else 0


def enter(found: Sequence[Found], transaction: Transaction) -> int:
    rows = [{"what": one.what, "at": transaction.now} for one in found]
    made = {row[0] for row in insert_new(transaction.connection, alerted, rows, unique=["what"], returning=["what"])}
    alike: dict[str, list[Found]] = {}
    for one in found:
        if one.what in made:
            alike.setdefault(key_of(one.kind, one.account, one.cause), []).append(one)
    for key, ones in alike.items():
        count_orders(transaction, key, ones)
    return len(made)


def key_of(*parts: str | None) -> str:
    return json.dumps(parts, ensure_ascii=False)


def count_orders(transaction: Transaction, key: str, found: list[Found]) -> None:
    now = transaction.now
    newest = [dict(one.example) for one in reversed(found)]
    row = transaction.execute(select(alerts).where(alerts.c.key == key).with_for_update()).one_or_none()
    if row is None:
        first = found[0]
        made: dict[str, Any] = {
            "kind": first.kind,
            "account": first.account,
            "cause": first.cause,
            "since": now,
            "told": {},
        }
        values = {"orders": len(found), "examples": newest[:MOST_EXAMPLES], "last_at": now}
        transaction.execute(insert(alerts).values(key=key, **made, **values))
        return
    values = {"orders": row.orders + len(found), "examples": [*newest, *row.examples][:MOST_EXAMPLES], "last_at": now}
    transaction.execute(update(alerts).where(alerts.c.id == row.id).values(values))


def set_states(database: Database, standing: Iterable[Standing]) -> None:
    """Begin the alerts of states that stand now, and end those of states that do not any more."""
    current = {key_of(one.kind, one.account, one.store): one for one in standing}
    with database.read() as connection:
        known = {row.key: row for row in read_rows(connection.execute(select(alerts).where(alerts.c.kind.in_(STATES))))}
    begun = [key for key in current if key not in known or known[key].ended_at is not None]
    changed = [key for key, one in current.items() if key not in begun and known[key].cause != one.cause]
    ended = [key for key, row in known.items() if row.ended_at is None and key not in current]
    if not (begun or changed or ended):
        return

    def change(transaction: Transaction) -> None:
        for key in [*begun, *changed]:
            one = current[key]
            values = {"cause": one.cause, "since": one.since, "ended_at": None, "last_at": transaction.now}
            if key in known:
                transaction.execute(update(alerts).where(alerts.c.key == key).values(values))
            else:
                made = {"key": key, "kind": one.kind, "account": one.account, "store": one.store, "orders": 0}
                transaction.execute(insert(alerts).values({**made, **values, "examples": [], "told": {}}))
        over = {"ended_at": transaction.now, "last_at": transaction.now}
        transaction.execute(update(alerts).where(alerts.c.key.in_(ended)).values(over))

    database.transact(change)


def open_circuits(database: Database) -> list[Standing]:
    """Accounts, and stores' APIs, that are left alone because they fail. Not those that a person paused."""
    is_open = and_(circuits.c.opened_at.is_not(None), circuits.c.paused_at.is_(None))
    with database.read() as connection:
        rows = read_rows(connection.execute(select(circuits).where(is_open)))
    return [Standing(kind="circuit", account=row.account, cause=row.reason or "", since=row.opened_at) for row in rows]


def late_accounts(database: Database, accounts: Collection[str], after_s: float) -> list[Standing]:
    """Accounts that take orders, and whose oldest due delivery has not been taken for so long."""
    oldest = (
        select(func.min(deliveries.c.due_at))
        .where(deliveries.c.account == circuits.c.account, deliveries.c.state == State.WAITING)
        .scalar_subquery()
    )
    flows = and_(circuits.c.opened_at.is_(None), circuits.c.paused_at.is_(None), circuits.c.account.in_(accounts))
    with database.read() as connection:
        rows = read_rows(connection.execute(select(circuits.c.account, oldest.label("due_at")).where(flows)))
    before = database.clock() - timedelta(seconds=after_s)
    return [
        Standing(kind="backlog", account=row.account, cause="", since=row.due_at)
        for row in rows
        if row.due_at is not None and row.due_at < before
    ]


def load_alerts(database: Database) -> list[Alert]:
    """All there are, oldest news first: one for each cause, of which there are few."""
    with database.read() as connection:
        return read_rows(connection.execute(select(alerts).order_by(alerts.c.last_at, alerts.c.id)))


def record_told(database: Database, channel: str, told: Mapping[int, Mapping[str, Any]]) -> None:
    """Keep what was told at a channel, by alert."""

    def record(transaction: Transaction) -> None:
        statement = select(alerts.c.id, alerts.c.told).where(alerts.c.id.in_(told)).with_for_update()
        for id_, before in read_rows(transaction.execute(statement)):
            after = {**before, channel: dict(told[id_])}
            transaction.execute(update(alerts).where(alerts.c.id == id_).values(told=after))

    database.transact(record)


def forget_old(database: Database) -> None:
    """Drop what is too old to come again."""
    before = database.clock() - KEEP

    def drop(transaction: Transaction) -> None:
        transaction.execute(delete(alerted).where(alerted.c.at < before))
        transaction.execute(delete(alerts).where(alerts.c.last_at < before, alerts.c.kind.not_in(STATES)))

    database.transact(drop)
