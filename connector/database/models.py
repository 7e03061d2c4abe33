"""The tables. Rows are data: what may happen to them stands in `events` and `deliveries`.

Rows are read as SQLAlchemy's own, which have the attributes of these classes and cannot be changed by accident.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Result,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import JSON, TypeDecorator
from sqlmodel import Field, SQLModel


class State(StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    PARKED = "parked"
    DISCARDED = "discarded"


class Reason(StrEnum):
    # of parked
    UNMAPPABLE = "unmappable"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    EXHAUSTED = "exhausted"
    # of discarded
    CANCELLED = "cancelled"
    FILTERED = "filtered"
    BY_HAND = "by hand"


class JobState(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class TZDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC. SQLite keeps no offset, so it is taken off going in and put back coming out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


#: SQLite numbers its rows only in a column that is called INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")


def timestamp_column(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(TZDateTime, nullable=nullable))


def json_list_column() -> Any:
    return Field(default_factory=list, sa_column=Column(JSON, nullable=False))


def partial_index(condition: str) -> dict[str, Any]:
    """Keep an index to the rows that it is for, on both engines."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Event(SQLModel, table=True):
    """One webhook that came in, once."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("store", "event_key"),
        Index("events_of_order", "store", "order_id", "source_updated_at", "id"),
        Index("events_repeated", "store", "duplicates", **partial_index("duplicates > 0")),
    )

    id: int | None = Field(default=None, sa_column=Column(RowId, primary_key=True))
    store: str
    event_key: str
    topic: str
    topics: list[str] = json_list_column()
    order_id: str | None = None
    order_number: str | None = None
    source_updated_at: datetime = timestamp_column()  # the source's time of the change, else `received_at`
    received_at: datetime = timestamp_column()
    status: str  # "accepted" or "ignored": what was answered
    reason: str | None = None  # why it was ignored
    duplicates: int = 0  # how often it came again
    has_order: bool = True  # the body can be read as the order
    is_paid: bool = False
    is_cancellation: bool = False  # it says cancelled, and nothing newer was known when it came
    #: Whose routes wanted it when it came.
    accounts: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    traceparent: str | None = None  # of the webhook's span, where traces are kept: https://www.w3.org/TR/trace-context/
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # empty once it was pruned


class Delivery(SQLModel, table=True):
    """One order on its way to one account."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("account", "store", "order_id"),
        Index("deliveries_of_order", "store", "order_id"),
        Index("deliveries_due", "account", "due_at", **partial_index("state = 'waiting'")),
        Index("deliveries_claimed", "account", "claim_expires_at", **partial_index("claimed_by IS NOT NULL")),
        Index("deliveries_in_state", "state", "reason", "id"),
        Index("deliveries_parked", "account", "reason", "updated_at", "id", **partial_index("state = 'parked'")),
        Index("deliveries_of_number", "order_number", **partial_index("order_number IS NOT NULL")),
        Index("deliveries_of_remote_id", "remote_id", **partial_index("remote_id IS NOT NULL")),
    )

    id: int | None = Field(default=None, sa_column=Column(RowId, primary_key=True))
    account: str
    store: str
    destination: str
    order_id: str
    order_number: str | None = None
    event_id: int = Field(sa_column=Column(RowId, ForeignKey("events.id"), nullable=False))  # the newest applied
    state: str
    reason: str | None = None
    problems: list[dict[str, Any]] = json_list_column()  # as of `Problem.to_json`
    warnings: list[dict[str, Any]] = json_list_column()
    missing_rows: str | None = None  # which of the account's tables lack which keys, as JSON; with them it may go on
    remote_id: str | None = None
    created_at: datetime = timestamp_column()
    updated_at: datetime = timestamp_column()
    due_at: datetime | None = timestamp_column(nullable=True)  # of `waiting`: not before

    claimed_by: str | None = None  # whose lease it is on
    claim_expires_at: datetime | None = timestamp_column(nullable=True)

    attempts: int = 0  # over the whole life
    is_manual: bool = False  # a person asked for the next attempt
    attempts_in_run: int = 0  # attempts since the last fresh start, for the delay between them
    run_started_at: datetime | None = timestamp_column(nullable=True)  # first attempt since the last fresh start
    circuit_open_s_at_start: float = 0.0  # how long the account's circuit had been open in all when the run began

    revision: int = 1  # of the idempotency key
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    idempotency_key: str | None = None
    locked_since: datetime | None = timestamp_column(
        nullable=True
    )  # an attempt was ambiguous: body, key, revision stay

    #: A person let it go on in spite of cancellations up to this event's id, and of filters.
    override_event_id: int | None = Field(default=None, sa_column=Column(RowId))
    first_forbidden_at: datetime | None = timestamp_column(nullable=True)  # the first of the 401 and 403 in a row
    pruned_at: datetime | None = timestamp_column(
        nullable=True
    )  # when body and replies were dropped: it had long ended


class Attempt(SQLModel, table=True):
    """One try of a delivery over HTTP."""

    __tablename__ = "attempts"
    __table_args__ = (UniqueConstraint("delivery_id", "number"),)

    id: int | None = Field(default=None, sa_column=Column(RowId, primary_key=True))
    delivery_id: int = Field(sa_column=Column(RowId, ForeignKey("deliveries.id"), nullable=False))
    number: int
    started_at: datetime = timestamp_column()
    duration_ms: int | None = None
    is_manual: bool = False
    outcome: str  # "sending" until it is known
    status: int | None = None  # HTTP
    error: str | None = None
    reply: bytes | None = Field(default=None, sa_column=Column(LargeBinary))


class Note(SQLModel, table=True):
    """What a person did to a delivery, or what a person must look at (`alert`)."""

    __tablename__ = "notes"
    __table_args__ = (Index("notes_of_delivery", "delivery_id", "id"),)

    id: int | None = Field(default=None, sa_column=Column(RowId, primary_key=True))
    delivery_id: int = Field(sa_column=Column(RowId, ForeignKey("deliveries.id"), nullable=False))
    at: datetime = timestamp_column()
    kind: str  # "alert", "retrigger", "resolve"
    text: str
    who: str | None = None  # the person; none for an alert


class AccountAction(SQLModel, table=True):
    """What a person did to an account."""

    __tablename__ = "account_actions"

    id: int | None = Field(default=None, sa_column=Column(RowId, primary_key=True))
    at: datetime = timestamp_column()
    account: str
    kind: str  # "pause", "resume"
    who: str
    text: str


class Circuit(SQLModel, table=True):
    """Whether an account takes orders at present, and how soon the next.

    A store's API has one too, under a name that no account has: no row means closed.
    """

    __tablename__ = "circuits"

    account: str = Field(primary_key=True)
    failures: int = 0  # in a row
    opened_at: datetime | None = timestamp_column(nullable=True)  # None: closed
    probe_at: datetime | None = timestamp_column(nullable=True)  # while open: when one delivery may try
    reason: str | None = None
    paused_at: datetime | None = timestamp_column(nullable=True)  # a person keeps it from orders since
    pause_reason: str | None = None
    total_open_s: float = 0.0  # how long it was open or paused in all, before it last became so
    next_slot_at: datetime | None = timestamp_column(
        nullable=True
    )  # where `rate_per_s` limits: when the next may be claimed


class Job(SQLModel, table=True):
    """A person's wish to retrigger many deliveries, and how far it has come. The forwarder works it off in pages."""

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("token"),)

    id: int | None = Field(default=None, sa_column=Column(RowId, primary_key=True))
    token: str  # of the request that made it: a commit that is tried again makes no second one
    who: str
    note: str | None = None
    force: bool = False
    filters: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    state: str
    total: int  # how many the filters chose when it was made
    queued: int = 0
    skipped_reasons: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))  # counts
    after_id: int = Field(sa_column=Column(RowId, nullable=False))  # deliveries up to this one are done
    until_id: int = Field(sa_column=Column(RowId, nullable=False))  # the last that was there when it was made
    created_at: datetime = timestamp_column()
    ended_at: datetime | None = timestamp_column(nullable=True)


class IdempotencyKey(SQLModel, table=True):
    """What a request with an `Idempotency-Key` was answered, for when it comes again."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("idempotency_keys_by_age", "at"),)

    key: str = Field(primary_key=True)
    request_digest: str  # a digest of all that the request said
    at: datetime = timestamp_column()
    status: int = 0
    body: str = ""


class Alert(SQLModel, table=True):
    """Something that people are told of: orders that are parked for one cause, or a state such as an open circuit."""

    __tablename__ = "alerts"

    id: int | None = Field(default=None, sa_column=Column(RowId, primary_key=True))
    key: str = Field(unique=True)  # of kind, account, store and cause
    kind: str
    account: str | None = None
    store: str | None = None
    cause: str  # holds nobody's data
    orders: int = 0  # since `since`
    examples: list[dict[str, Any]] = json_list_column()  # the newest orders: delivery, store, order
    since: datetime = timestamp_column()
    last_at: datetime = timestamp_column()
    ended_at: datetime | None = timestamp_column(nullable=True)  # of a state: when it was over
    #: By channel: when it was last told there, how many orders had been by then, and whether it was under way.
    notified: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class SeenAlert(SQLModel, table=True):
    """What has entered an alert already, so that it is counted once."""

    __tablename__ = "seen_alerts"

    source_key: str = Field(primary_key=True)
    at: datetime = timestamp_column()


class Checkpoint(SQLModel, table=True):
    """How far something was read, or whose turn it is to do something that one process does for all."""

    __tablename__ = "checkpoints"

    name: str = Field(primary_key=True)
    number: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    holder: str | None = None
    until: datetime | None = timestamp_column(nullable=True)


class Counter(SQLModel, table=True):
    """A count that only grows, over all processes and restarts."""

    __tablename__ = "counters"

    name: str = Field(primary_key=True)
    labels: str = Field(primary_key=True)  # a JSON object
    value: float = Field(sa_column=Column(Float, nullable=False))


def read_rows(result: Result[Any]) -> list[Any]:
    """All rows; each has the attributes that were selected. Objects of the classes would cost twenty times as much."""
    return list(result.all())


def read_row(result: Result[Any]) -> Any:
    """The only row, or None."""
    return result.one_or_none()


def table(name: str) -> Table:
    return SQLModel.metadata.tables[name]


events, deliveries, attempts, notes, circuits = map(table, ("events", "deliveries", "attempts", "notes", "circuits"))
jobs, idempotency_keys, account_actions = map(table, ("jobs", "idempotency_keys", "account_actions"))
alerts, seen_alerts, checkpoints, counters = map(table, ("alerts", "seen_alerts", "checkpoints", "counters"))
