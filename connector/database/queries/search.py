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
from connector.database.queries.lookups import topic_condition
from connector.database.reconciliation.rules import REASONS_BY_STATE
from connector.database.stats.overview import ID_ORDER_TOLERANCE, first_id_since, id_bounds

#: Rows that one look reads where no index knows what is asked for.
MAX_SCANNED_ROWS = 20_000
#: Payloads and bodies in which an e-mail address is looked for.
EMAIL_SCAN_LIMIT = 2_000
#: As many more in each further look.
EMAIL_SCAN_STEP = 8_000
UNLISTED_COLUMNS = {"body", "warnings"}
LISTED_COLUMNS = [column for column in deliveries.c if column.name not in UNLISTED_COLUMNS]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySearch:
    """Which deliveries. What is None does not matter.

    Args:
        term: an order's id or number, or the destination's id.
        problem: the fingerprint of one of the delivery's problems.
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
class SearchPage:
    """One page of rows, newest first.

    Args:
        next: from where the next page goes on; None: there is no more.
        is_cut: the look ended before the page was full, and there is more to look at.
    """

    rows: list[Any] = field(default_factory=list)
    next: int | None = None
    is_truncated: bool = False


def find_deliveries(
    database: Database,
    search: DeliverySearch,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int,
    stores: Collection[str] = (),
) -> SearchPage:
    """Newest first.

    Args:
        before: the id of the last one seen.
        after: only what has a higher id.
        stores: the ids of all: an order's id is looked up store by store, as the index has it.
    """
    rows: list[Delivery] = []
    stop_ids: list[int] = []
    filters = unindexed_filters(search)
    with database.read() as connection:
        low, high = id_range(
            connection, deliveries, deliveries.c.created_at, since=search.since, until=search.until, before=before
        )
        low = max(low, (after or 0) + 1)
        pinned = exact_ids(connection, search, stores)
        for index_scan in index_scans(search):
            floor, stop_id = low, None
            if pinned is not None:
                index_scan = [*index_scan, deliveries.c.id.in_(pinned)]
            elif filters and index_scan:
                floor, stop_id = index_scan_floor(connection, index_scan, low, high)
            elif filters:
                floor, stop_id = scan_floor(low, high)
            statement = (
                select(*LISTED_COLUMNS)
                .where(deliveries.c.id.between(floor, high), *index_scan, *filters)
                .order_by(deliveries.c.id.desc())
                .limit(limit + 1)
            )
            rows += read_rows(connection.execute(statement))
            stop_ids += [stop_id] if stop_id is not None else []
    return build_page(rows, limit, max(stop_ids, default=None))


def exact_ids(connection: Connection, search: DeliverySearch, stores: Collection[str]) -> Sequence[int] | None:
    """The only ids that can be meant, where a term or the ids themselves say so."""
    return search.ids if search.term is None else delivery_ids_by_term(connection, search.term, stores)


def id_range(
    connection: Connection,
    table: Table,
    at: ColumnElement[Any],
    *,
    since: datetime | None,
    until: datetime | None,
    before: int | None,
) -> tuple[int, int]:
    """The lowest and the highest id that can be meant: a row's id tells roughly when it was made."""
    low, high = id_bounds(connection, table)
    if since is not None:
        low = max(low, first_id_since(connection, table, at, since - ID_ORDER_TOLERANCE))
    if until is not None:
        high = min(high, first_id_since(connection, table, at, until + ID_ORDER_TOLERANCE))
    return low, high if before is None else min(high, before - 1)


def scan_floor(low: int, high: int) -> tuple[int, int | None]:
    """Down to which id one look reads, and the same again where there is more below."""
    floor = max(low, high - MAX_SCANNED_ROWS + 1)
    return floor, floor if floor > low else None


def index_scan_floor(
    connection: Connection, conditions: list[ColumnElement[bool]], low: int, high: int
) -> tuple[int, int | None]:
    """As `floor_of`, of the rows of one (state, reason), which lie apart."""
    ids = (
        select(deliveries.c.id).where(deliveries.c.id.between(low, high), *conditions).order_by(deliveries.c.id.desc())
    )
    floor: int | None = connection.execute(ids.offset(MAX_SCANNED_ROWS - 1).limit(1)).scalar_one_or_none()
    return (low, None) if floor is None else (floor, floor)


def build_page(rows: list[Any], limit: int, scanned_to: int | None) -> SearchPage:
    """Merge the streams' rows. Nothing older than where one of them ended may be shown, or it would hide others."""
    ordered = sorted(rows, key=lambda row: -(row.id or 0))
    if scanned_to is not None:
        ordered = [row for row in ordered if (row.id or 0) >= scanned_to]
    page_rows = list(islice(ordered, limit))
    if len(ordered) > limit:
        return SearchPage(rows=page_rows, next=page_rows[-1].id)
    return SearchPage(rows=page_rows, next=scanned_to, is_truncated=scanned_to is not None)


def index_scans(search: DeliverySearch) -> list[list[ColumnElement[bool]]]:
    """One for each (state, reason): within it the index is in the order of ids. Without a state, the table is."""
    if search.state is None and search.reason is None:
        return [[]]
    return [
        [deliveries.c.state == state, deliveries.c.reason == reason]  # `== None` becomes IS NULL
        for state in (State if search.state is None else [search.state])
        for reason in REASONS_BY_STATE[state]
        if search.reason in (None, reason)
    ]


def unindexed_filters(search: DeliverySearch) -> list[ColumnElement[bool]]:
    """What no index answers in the order of ids."""
    filters: list[ColumnElement[bool]] = []
    if search.account is not None:
        filters.append(without_index(deliveries.c.account) == search.account)
    if search.store is not None:
        filters.append(without_index(deliveries.c.store) == search.store)
    if search.since is not None:
        filters.append(deliveries.c.created_at >= search.since)
    if search.until is not None:
        filters.append(deliveries.c.created_at < search.until)
    if search.problem is not None:
        fingerprint = escape_like(json.dumps(search.problem))
        filters.append(cast(deliveries.c.problems, String).like(f"%{fingerprint}%", escape="!"))
    return filters


def without_index(column: ColumnElement[str]) -> ColumnElement[str]:
    """The column, in a form that no index knows: by one of theirs, SQLite would gather all rows and then sort them."""
    return func.coalesce(column, "")


def escape_like(text: str) -> str:
    for character in "!%_":
        text = text.replace(character, f"!{character}")
    return text


def delivery_ids_by_term(connection: Connection, term: str, stores: Collection[str]) -> list[int]:
    """The deliveries of an order's id or number, or with the destination's id: each has its index."""
    bare = term.removeprefix("#")
    statements = [
        select(deliveries.c.id).where(deliveries.c.store.in_(stores), deliveries.c.order_id == bare),
        select(deliveries.c.id).where(deliveries.c.order_number.in_([term, bare, f"#{bare}"])),
        select(deliveries.c.id).where(deliveries.c.remote_id == term),
    ]
    return sorted({id_ for statement in statements for id_ in connection.execute(statement.limit(200)).scalars()})


def scanned_rows(page_number: int) -> int:
    """How many of the newest have been opened after so many further looks."""
    return EMAIL_SCAN_LIMIT + page_number * EMAIL_SCAN_STEP


def delivery_ids_by_email(database: Database, email: str, *, page_number: int = 0) -> tuple[list[int], bool]:
    """The deliveries of orders whose payload or body holds exactly this address, and whether there are older ones.

    Args:
        look: 0 opens the newest; each further look those before.
    """
    offset = scanned_rows(page_number - 1) if page_number else 0
    spellings = {f'"{spelling}"'.encode() for spelling in (email, email.lower())}
    scan_size = scanned_rows(page_number) - offset
    newest_events = select(events.c.id).order_by(events.c.id.desc()).offset(offset).limit(scan_size).subquery()
    newest = select(deliveries.c.id).order_by(deliveries.c.id.desc()).offset(offset).limit(scan_size).subquery()
    older = select(events.c.id).order_by(events.c.id.desc()).offset(scanned_rows(page_number)).limit(1)
    in_payload = or_(*(database.backend.contains_bytes(events.c.body, spelling) for spelling in spellings))
    in_body = or_(*(database.backend.contains_bytes(deliveries.c.body, spelling) for spelling in spellings))
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
        delivery_ids = set(connection.execute(sent).scalars())
        for store, order_id in connection.execute(orders).all():
            same_order = and_(deliveries.c.store == store, deliveries.c.order_id == order_id)
            delivery_ids.update(connection.execute(select(deliveries.c.id).where(same_order)).scalars())
        return sorted(delivery_ids), connection.execute(older).first() is not None


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
) -> SearchPage:
    """Newest first, without their bodies.

    Args:
        status: "accepted", "ignored", or "duplicates": what came again.
        stores: the ids of all, as for `find_deliveries`.
    """
    filters: list[ColumnElement[bool]] = []
    if store is not None:
        filters.append(without_index(events.c.store) == store)
    if topic is not None:
        filters.append(topic_condition(topic))
    if status is not None:
        filters.append(events.c.duplicates > 0 if status == "duplicates" else events.c.status == status)
    if since is not None:
        filters.append(events.c.received_at >= since)
    if until is not None:
        filters.append(events.c.received_at < until)
    columns = [column for column in events.c if column.name != "body"]
    with database.read() as connection:
        low, high = id_range(connection, events, events.c.received_at, since=since, until=until, before=before)
        stop_id = None
        if order is not None:
            filters.append(events.c.id.in_(event_ids_by_order(connection, order, stores)))
        elif filters:
            low, stop_id = scan_floor(low, high)
        statement = (
            select(*columns)
            .where(events.c.id.between(low, high), *filters)
            .order_by(events.c.id.desc())
            .limit(limit + 1)
        )
        return build_page(read_rows(connection.execute(statement)), limit, stop_id)


def event_ids_by_order(connection: Connection, order: str, stores: Collection[str]) -> list[int]:
    """The events of an order's id; or of its number, as its deliveries bear it."""
    ids = delivery_ids_by_term(connection, order, stores)
    matching_orders = select(deliveries.c.store, deliveries.c.order_id).where(deliveries.c.id.in_(ids))
    orders = {*((store, order) for store in stores), *((row[0], row[1]) for row in connection.execute(matching_orders))}
    event_ids: set[int] = set()
    for store, order_id in orders:
        order_events = select(events.c.id).where(events.c.store == store, events.c.order_id == order_id)
        event_ids.update(connection.execute(order_events.limit(200)).scalars())
    return sorted(event_ids)


def events_of_order(database: Database, store: str, order_id: str) -> list[Event]:
    """All that came of one order, oldest first, without their bodies."""
    columns = [column for column in events.c if column.name != "body"]
    same_order = and_(events.c.store == store, events.c.order_id == order_id)
    with database.read() as connection:
        return read_rows(connection.execute(select(*columns).where(same_order).order_by(events.c.id).limit(200)))
