"""Finds deliveries and events for who searches. Each look reads a bounded number of rows, and says where it stopped."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, Table, and_, cast, func, or_, select

from connector.database.engine import Database
from connector.database.models import Delivery, Event, State, deliveries, events, read_rows
from connector.database.queries.lookups import says_topic
from connector.database.reconciliation.rules import REASONS
from connector.database.stats.overview import OUT_OF_ORDER, first_id_since, ids_of

#: Rows that one look reads where no index knows what is asked for.
MOST_LOOKED_AT = 20_000
#: Payloads and bodies in which an e-mail address is looked for.
MOST_OPENED = 2_000
#: As many more in each further look.
FURTHER_OPENED = 8_000
BULKY = {"body", "warnings"}
SHOWN = [column for column in deliveries.c if column.name not in BULKY]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which deliveries. What is None does not matter.

    Args:
        term: an order's id or number, or the destination's id.
        problem: as `overview.find_causes` gives it, with … for what differs.
        ids: among these alone.
    """

    term: str | None = None
    state: str | None = None
    reason: str | None = None
    account: str | None = None
    store: str | None = None
    problem: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: Sequence[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of rows, newest first.

    Args:
        next: from where the next page goes on; None: there is no more.
        is_cut: the look ended before the page was full, and there is more to look at.
    """

    rows: list[Any] = field(default_factory=list)
    next: int | None = None
    is_cut: bool = False


def find_deliveries(
    database: Database,
    wanted: Wanted,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int,
    stores: Collection[str] = (),
) -> Found:
    """Newest first.

    Args:
        before: the id of the last one seen.
        after: only what has a higher id.
        stores: the ids of all: an order's id is looked up store by store, as the index has it.
    """
    rows: list[Delivery] = []
    stops: list[int] = []
    filters = loose_filters(wanted)
    with database.read() as connection:
        low, high = span(
            connection, deliveries, deliveries.c.created_at, since=wanted.since, until=wanted.until, before=before
        )
        low = max(low, (after or 0) + 1)
        pinned = pinned_ids(connection, wanted, stores)
        for stream in streams(wanted):
            floor, stop = low, None
            if pinned is not None:
                stream = [*stream, deliveries.c.id.in_(pinned)]
            elif filters and stream:
                floor, stop = floor_of_stream(connection, stream, low, high)
            elif filters:
                floor, stop = floor_of(low, high)
            statement = (
                select(*SHOWN)
                .where(deliveries.c.id.between(floor, high), *stream, *filters)
                .order_by(deliveries.c.id.desc())
                .limit(limit + 1)
            )
            rows += read_rows(connection.execute(statement))
            stops += [stop] if stop is not None else []
    return page(rows, limit, max(stops, default=None))


def pinned_ids(connection: Connection, wanted: Wanted, stores: Collection[str]) -> Sequence[int] | None:
    """The only ids that can be meant, where a term or the ids themselves say so."""
    return wanted.ids if wanted.term is None else ids_of_term(connection, wanted.term, stores)


def span(
    connection: Connection,
    table: Table,
    at: ColumnElement[Any],
    *,
    since: datetime | None,
    until: datetime | None,
    before: int | None,
) -> tuple[int, int]:
    """The lowest and the highest id that can be meant: a row's id tells roughly when it was made."""
    low, high = ids_of(connection, table)
    if since is not None:
        low = max(low, first_id_since(connection, table, at, since - OUT_OF_ORDER))
    if until is not None:
        high = min(high, first_id_since(connection, table, at, until + OUT_OF_ORDER))
    return low, high if before is None else min(high, before - 1)


def floor_of(low: int, high: int) -> tuple[int, int | None]:
    """Down to which id one look reads, and the same again where there is more below."""
    floor = max(low, high - MOST_LOOKED_AT + 1)
    return floor, floor if floor > low else None


def floor_of_stream(
    connection: Connection, stream: list[ColumnElement[bool]], low: int, high: int
) -> tuple[int, int | None]:
    """As `floor_of`, of the rows of one (state, reason), which lie apart."""
    ids = select(deliveries.c.id).where(deliveries.c.id.between(low, high), *stream).order_by(deliveries.c.id.desc())
    floor: int | None = connection.execute(ids.offset(MOST_LOOKED_AT - 1).limit(1)).scalar_one_or_none()
    return (low, None) if floor is None else (floor, floor)


def page(rows: list[Any], limit: int, looked_to: int | None) -> Found:
    """Merge the streams' rows. Nothing older than where one of them ended may be shown, or it would hide others."""
    ordered = sorted(rows, key=lambda row: -(row.id or 0))
    if looked_to is not None:
        ordered = [row for row in ordered if (row.id or 0) >= looked_to]
    shown = list(islice(ordered, limit))
    if len(ordered) > limit:
        return Found(rows=shown, next=shown[-1].id)
    return Found(rows=shown, next=looked_to, is_cut=looked_to is not None)


def streams(wanted: Wanted) -> list[list[ColumnElement[bool]]]:
    """One for each (state, reason): within it the index is in the order of ids. Without a state, the table is."""
    if wanted.state is None and wanted.reason is None:
        return [[]]
    return [
        [deliveries.c.state == state, deliveries.c.reason == reason]  # `== None` becomes IS NULL
        for state in (State if wanted.state is None else [wanted.state])
        for reason in REASONS[state]
        if wanted.reason in (None, reason)
    ]


def loose_filters(wanted: Wanted) -> list[ColumnElement[bool]]:
    """What no index answers in the order of ids."""
    filters: list[ColumnElement[bool]] = []
    if wanted.account is not None:
        filters.append(seen_in_passing(deliveries.c.account) == wanted.account)
    if wanted.store is not None:
        filters.append(seen_in_passing(deliveries.c.store) == wanted.store)
    if wanted.since is not None:
        filters.append(deliveries.c.created_at >= wanted.since)
    if wanted.until is not None:
        filters.append(deliveries.c.created_at < wanted.until)
    if wanted.problem is not None:
        pieces = [escape_like(json.dumps(piece)[1:-1]) for piece in wanted.problem.split("…")]
        filters.append(cast(deliveries.c.problems, String).like(f"%{'%'.join(pieces)}%", escape="!"))
    return filters


def seen_in_passing(column: ColumnElement[str]) -> ColumnElement[str]:
    """The column, in a form that no index knows: by one of theirs, SQLite would gather all rows and then sort them."""
    return func.coalesce(column, "")


def escape_like(text: str) -> str:
    for character in "!%_":
        text = text.replace(character, f"!{character}")
    return text


def ids_of_term(connection: Connection, term: str, stores: Collection[str]) -> list[int]:
    """The deliveries of an order's id or number, or with the destination's id: each has its index."""
    bare = term.removeprefix("#")
    statements = [
        select(deliveries.c.id).where(deliveries.c.store.in_(stores), deliveries.c.order_id == bare),
        select(deliveries.c.id).where(deliveries.c.order_number.in_([term, bare, f"#{bare}"])),
        select(deliveries.c.id).where(deliveries.c.remote_id == term),
    ]
    return sorted({id_ for one in statements for id_ in connection.execute(one.limit(200)).scalars()})


def opened_by(look: int) -> int:
    """How many of the newest have been opened after so many further looks."""
    return MOST_OPENED + look * FURTHER_OPENED


def ids_of_email(database: Database, email: str, *, look: int = 0) -> tuple[list[int], bool]:
    """The deliveries of orders whose payload or body holds exactly this address, and whether there are older ones.

    Args:
        look: 0 opens the newest; each further look those before.
    """
    before = opened_by(look - 1) if look else 0
    spellings = {f'"{one}"'.encode() for one in (email, email.lower())}
    opened = opened_by(look) - before
    newest_events = select(events.c.id).order_by(events.c.id.desc()).offset(before).limit(opened).subquery()
    newest = select(deliveries.c.id).order_by(deliveries.c.id.desc()).offset(before).limit(opened).subquery()
    older = select(events.c.id).order_by(events.c.id.desc()).offset(opened_by(look)).limit(1)
    in_payload = or_(*(database.dialect.holds(events.c.body, one) for one in spellings))
    in_body = or_(*(database.dialect.holds(deliveries.c.body, one) for one in spellings))
    orders = (
        select(events.c.store, events.c.order_id)
        .select_from(newest_events.join(events, events.c.id == newest_events.c.id))
        .where(events.c.order_id.is_not(None), in_payload)
        .distinct()
        .limit(200)
    )
    sent = (
        select(deliveries.c.id)
        .select_from(newest.join(deliveries, deliveries.c.id == newest.c.id))
        .where(in_body)
        .limit(200)
    )
    with database.read() as connection:
        found = set(connection.execute(sent).scalars())
        for store, order_id in connection.execute(orders).all():
            of_order = and_(deliveries.c.store == store, deliveries.c.order_id == order_id)
            found.update(connection.execute(select(deliveries.c.id).where(of_order)).scalars())
        return sorted(found), connection.execute(older).first() is not None


def find_events(
    database: Database,
    *,
    store: str | None = None,
    topic: str | None = None,
    order: str | None = None,
    status: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int,
    stores: Collection[str] = (),
) -> Found:
    """Newest first, without their bodies.

    Args:
        status: "accepted", "ignored", or "duplicates": what came again.
        stores: the ids of all, as for `find_deliveries`.
    """
    filters: list[ColumnElement[bool]] = []
    if store is not None:
        filters.append(seen_in_passing(events.c.store) == store)
    if topic is not None:
        filters.append(says_topic(topic))
    if status is not None:
        filters.append(events.c.duplicates > 0 if status == "duplicates" else events.c.status == status)
    if since is not None:
        filters.append(events.c.received_at >= since)
    if until is not None:
        filters.append(events.c.received_at < until)
    columns = [column for column in events.c if column.name != "body"]
    with database.read() as connection:
        low, high = span(connection, events, events.c.received_at, since=since, until=until, before=before)
        stop = None
        if order is not None:
            filters.append(events.c.id.in_(ids_of_order(connection, order, stores)))
        elif filters:
            low, stop = floor_of(low, high)
        statement = (
            select(*columns)
            .where(events.c.id.between(low, high), *filters)
            .order_by(events.c.id.desc())
            .limit(limit + 1)
        )
        return page(read_rows(connection.execute(statement)), limit, stop)


def ids_of_order(connection: Connection, order: str, stores: Collection[str]) -> list[int]:
    """The events of an order's id; or of its number, as its deliveries bear it."""
    ids = ids_of_term(connection, order, stores)
    named = select(deliveries.c.store, deliveries.c.order_id).where(deliveries.c.id.in_(ids))
    orders = {*((store, order) for store in stores), *((row[0], row[1]) for row in connection.execute(named))}
    found: set[int] = set()
    for store, order_id in orders:
        of_order = select(events.c.id).where(events.c.store == store, events.c.order_id == order_id)
        found.update(connection.execute(of_order.limit(200)).scalars())
    return sorted(found)


def events_of_order(database: Database, store: str, order_id: str) -> list[Event]:
    """All that came of one order, oldest first, without their bodies."""
    columns = [column for column in events.c if column.name != "body"]
    of_order = and_(events.c.store == store, events.c.order_id == order_id)
    with database.read() as connection:
        return read_rows(connection.execute(select(*columns).where(of_order).order_by(events.c.id).limit(200)))
