"""The tables, as SQLModel classes.

Objects are read through a `Session` and used after it is closed: all their columns are loaded, and assigning to one
changes no row. Rows are changed by `insert`, `update` and `delete` in a transaction.
"""

from collections.abc import Collection, Mapping
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
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import defer
from sqlalchemy.sql.base import ExecutableOption
from sqlalchemy.types import JSON, TypeDecorator
from sqlmodel import Field, SQLModel


class State(StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    PARKED = "parked"
    DISCARDED = "discarded"


class Reason(StrEnum):
    # parked
    UNMAPPABLE = "unmappable"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    EXHAUSTED = "exhausted"
    HELD = "held"
    # discarded
    CANCELLED = "cancelled"
    FILTERED = "filtered"
    BY_HAND = "by hand"
    EXPIRED = "expired"


#: The reasons that each state can have.
REASONS_BY_STATE: Mapping[State, Collection[Reason | None]] = {
    State.WAITING: (None,),
    State.SENDING: (None,),
    State.DELIVERED: (None,),
    State.PARKED: (Reason.UNMAPPABLE, Reason.REFUSED, Reason.UNCERTAIN, Reason.EXHAUSTED, Reason.HELD),
    State.DISCARDED: (Reason.CANCELLED, Reason.FILTERED, Reason.BY_HAND, Reason.EXPIRED),
}


class EventSource(StrEnum):
    WEBHOOK = "webhook"
    CATCH_UP = "catch-up"  # read from the store's API, because no webhook had brought it


class JobState(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class JobAction(StrEnum):
    RETRIGGER = "retrigger"
    DISCARD = "discard"
    MARK_DELIVERED = "mark-delivered"


class RequestState(StrEnum):
    OPEN = "open"
    DONE = "done"
    DISMISSED = "dismissed"


class AuditAction(StrEnum):
    """What leaves an `AuditEntry`."""

    SIGN_IN = "sign-in"
    FAILED_SIGN_IN = "failed-sign-in"
    VIEW = "view"
    SEARCH_BY_EMAIL = "search-by-email"


class TZDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC. SQLite stores no offset, so it is removed on write and restored on read."""

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


#: SQLite assigns row ids only to a primary key of type INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")


def id_column() -> Any:
    """A primary key that the database assigns. Every loaded object has one."""
    return Field(default=None, sa_column=Column(RowId, primary_key=True))


def timestamp_column(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(TZDateTime, nullable=nullable))


def json_list_column() -> Any:
    return Field(default_factory=list, sa_column=Column(JSON, nullable=False))


def json_column() -> Any:
    return Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))


def partial_index(condition: str) -> dict[str, Any]:
    """Options of an index over the rows that meet the condition, for both engines."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


#: The rows of `deliveries_to_prune`. Queries must have the same text: SQLite compares it.
ENDED_WITH_CONTENT = "state NOT IN ('waiting', 'sending', 'parked') AND (pruned_at IS NULL OR pruned_at < updated_at)"


def omit(*columns: Any) -> list[ExecutableOption]:
    """Options of a `select` that does not load these columns. Reading one raises."""
    return [defer(column, raiseload=True) for column in columns]


class Event(SQLModel, table=True):
    """One webhook, or one order that catch-up read from its store. A repeated one is counted in `duplicates`."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("store", "event_key"),
        Index("events_of_order", "store", "order_id", "source_updated_at", "id"),
        Index("events_repeated", "store", "duplicates", **partial_index("duplicates > 0")),
        Index("events_caught_up", "store", "received_at", **partial_index("source = 'catch-up'")),
        Index("events_to_prune", "received_at", "id", **partial_index("pruned_at IS NULL")),
    )

    id: int = id_column()
    store: str
    event_key: str
    topic: str
    topics: list[str] = json_list_column()
    order_id: str | None = None
    order_number: str | None = None
    source_updated_at: datetime = timestamp_column()  # when the store changed the order; else `received_at`
    received_at: datetime = timestamp_column()
    source: str = EventSource.WEBHOOK
    status: str  # "accepted" or "ignored", as in the response
    reason: dict[str, Any] | None = json_column()  # why it was ignored, as of `Problem.to_json`
    warnings: list[dict[str, Any]] = json_list_column()  # what looks wrong, as of `Problem.to_json`
    duplicates: int = 0  # repeats after the first
    repeated_at: datetime | None = timestamp_column(nullable=True)  # the last of them
    has_order: bool = True  # the body contains the order
    is_paid: bool = False
    is_cancellation: bool = False  # it cancels the order, and no newer version has undone that
    undoes_deletion: bool = False  # it says that the order is back after it was deleted
    #: The accounts whose routes took it when it arrived.
    accounts: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    traceparent: str | None = None  # https://www.w3.org/TR/trace-context/
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # empty after pruning
    pruned_at: datetime | None = timestamp_column(
        nullable=True
    )  # when its body was deleted, unless it only names an order


class Delivery(SQLModel, table=True):
    """One order for one account."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("account", "store", "order_id"),
        Index("deliveries_of_order", "store", "order_id"),
        Index("deliveries_due", "account", "due_at", **partial_index("state = 'waiting'")),
        Index("deliveries_claimed", "account", "claim_expires_at", **partial_index("claimed_by IS NOT NULL")),
        Index("deliveries_in_state", "state", "reason", "id"),
        Index("deliveries_parked", "account", "reason", "updated_at", "id", **partial_index("state = 'parked'")),
        Index("deliveries_to_prune", "updated_at", "id", **partial_index(ENDED_WITH_CONTENT)),
        Index("deliveries_expiring", "account", "id", **partial_index("expiry_announced_at IS NOT NULL")),
        Index("deliveries_to_compare", "compare_at", **partial_index("compare_at IS NOT NULL")),
        Index("deliveries_of_number", "order_number", **partial_index("order_number IS NOT NULL")),
        Index("deliveries_of_remote_id", "remote_id", **partial_index("remote_id IS NOT NULL")),
    )

    id: int = id_column()
    account: str
    store: str
    destination: str
    order_id: str
    order_number: str | None = None
    #: Customer and amount of an order that was fetched, for lists, as of `OrderSummary.to_json`.
    summary: dict[str, Any] | None = json_column()
    event_id: int = Field(sa_column=Column(RowId, ForeignKey("events.id"), nullable=False))  # the newest applied
    state: str
    reason: str | None = None
    problems: list[dict[str, Any]] = json_list_column()  # as of `Problem.to_json`
    warnings: list[dict[str, Any]] = json_list_column()
    missing_rows: str | None = None  # JSON list of [lookup table, keys]: what mapping lacked
    remote_id: str | None = None
    created_at: datetime = timestamp_column()
    updated_at: datetime = timestamp_column()
    due_at: datetime | None = timestamp_column(nullable=True)  # while `waiting`: the earliest time of the next attempt

    claimed_by: str | None = None  # the worker that holds the lease
    claim_expires_at: datetime | None = timestamp_column(nullable=True)

    attempts: int = 0  # in total
    is_manual: bool = False  # a person requested the next attempt
    #: A run begins when a delivery is queued again: retry delays and `retry_for_s` count from there.
    attempts_in_run: int = 0
    run_started_at: datetime | None = timestamp_column(nullable=True)  # the run's first attempt
    circuit_open_s_at_start: float = 0.0  # total open time of its circuits when the run began

    revision: int = 1  # part of the idempotency key
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    idempotency_key: str | None = None
    #: When an attempt became ambiguous. Since then body, key and revision must not change.
    locked_since: datetime | None = timestamp_column(nullable=True)

    #: A person sent it in spite of what events up to this one say: that its order was cancelled, or must be held.
    override_event_id: int | None = Field(default=None, sa_column=Column(RowId))
    is_forced: bool = False  # a person sent it with `force`, so the state of its order does not matter
    ignores_routes: bool = False  # a person named it, or its account, so that no route has to accept it
    first_forbidden_at: datetime | None = timestamp_column(nullable=True)  # first of consecutive 401 or 403
    compare_at: datetime | None = timestamp_column(nullable=True)  # once delivered: when to look for changes since
    pruned_at: datetime | None = timestamp_column(nullable=True)  # when its body and responses were deleted
    erased_at: datetime | None = timestamp_column(nullable=True)  # when its personal data was erased, on request
    #: Whether it may have been sent in the time that a restored backup does not know. False: a person looked, and it
    #: was not. None: when its order was placed decides.
    sent_before_restore: bool | None = None
    #: While it is parked: when people were told that it expires if nobody acts on it.
    expiry_announced_at: datetime | None = timestamp_column(nullable=True)


class ErasedOrder(SQLModel, table=True):
    """An order whose personal data was erased on request, or will be once its deliveries have ended.

    What arrives about an erased order is recorded without its content, and not sent.
    """

    __tablename__ = "erased_orders"
    __table_args__ = (Index("erased_orders_pending", "requested_at", **partial_index("erased_at IS NULL")),)

    store: str = Field(primary_key=True)
    order_id: str = Field(primary_key=True)
    requested_at: datetime = timestamp_column()
    requested_by: str
    erased_at: datetime | None = timestamp_column(nullable=True)  # None: a delivery has not ended


class Attempt(SQLModel, table=True):
    """One attempt to send a delivery over HTTP."""

    __tablename__ = "attempts"
    __table_args__ = (UniqueConstraint("delivery_id", "number"),)

    id: int = id_column()
    delivery_id: int = Field(sa_column=Column(RowId, ForeignKey("deliveries.id"), nullable=False))
    number: int
    started_at: datetime = timestamp_column()
    duration_ms: int | None = None
    is_manual: bool = False
    outcome: str  # "sending" until the outcome is recorded
    status: int | None = None  # HTTP status
    error: dict[str, Any] | None = json_column()  # why it failed, as of `Problem.to_json`
    reply: bytes | None = Field(default=None, sa_column=Column(LargeBinary))


class OrderCorrection(SQLModel, table=True):
    """A field of an order as a person entered it. It holds for all deliveries of the order, until it is withdrawn."""

    __tablename__ = "order_corrections"
    __table_args__ = (
        Index("corrections_of_order", "store", "order_id"),
        Index(
            "corrections_in_force",
            "store",
            "order_id",
            "field",
            unique=True,
            **partial_index("withdrawn_at IS NULL"),
        ),
    )

    id: int = id_column()
    store: str
    order_id: str
    field: str  # see `mappings.corrections`
    value: str = Field(repr=False)
    entered_by: str
    entered_at: datetime = timestamp_column()
    reason: str = ""  # what the person wrote
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = timestamp_column(nullable=True)  # or when another value replaced it


class Note(SQLModel, table=True):
    """What a person did to a delivery, or something that needs a person's attention (`alert`)."""

    __tablename__ = "notes"
    __table_args__ = (Index("notes_of_delivery", "delivery_id", "id"),)

    id: int = id_column()
    delivery_id: int = Field(sa_column=Column(RowId, ForeignKey("deliveries.id"), nullable=False))
    at: datetime = timestamp_column()
    kind: str  # "alert", "retrigger", "resolve", "correct", "withdraw", "expire"
    text: str = ""  # what the person wrote
    message: dict[str, Any] | None = (
        json_column()
    )  # what happened, or which fields were entered, as of `Problem.to_json`
    who: str | None = None  # the person; None for an alert


class OperatorAction(SQLModel, table=True):
    """What a person did to an account, a store or a job. What is done to a delivery is a `Note`."""

    __tablename__ = "operator_actions"

    id: int = id_column()
    at: datetime = timestamp_column()
    account: str | None = None  # of an action on an account
    store: str | None = None  # of an action on a store
    job_id: int | None = Field(default=None, sa_column=Column(RowId))  # of an action on a job
    #: "prune", "erase", "export"; "pause", "resume", "set-row", "remove-row", "set-credentials",
    #: "withdraw-credentials"; "catch-up", "sync-webhooks", "remove-webhooks", "resume-store", "close-request";
    #: "start-job", "stop-job", "resume-job"; "restored", "not-restored".
    kind: str
    who: str
    text: str  # what the person wrote
    message: dict[str, Any] | None = json_column()  # what was done, as of `Problem.to_json`, if `kind` does not say it


class AuditEntry(SQLModel, table=True):
    """Who signed in, looked at personal data or searched for it. It never has any of that data."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        UniqueConstraint("hour_key"),
        Index("audit_entries_by_age", "at"),
    )

    id: int = id_column()
    at: datetime = timestamp_column()
    actor: str | None = None  # None: nobody with a name, whose sign-in failed
    role: str | None = None  # of a user or a token, at that time
    action: str  # an `AuditAction`
    subject_kind: str | None = None  # "order", "event" or "privacy-request"
    subject_id: str | None = None  # of an order, its id at the store
    store: str | None = None
    network: str | None = None  # an IPv4 address, or a /64 of IPv6
    interface: str  # "dashboard", "api", "cli" or "service"
    counts: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    hour_key: str | None = None  # of entries that there is one of in an hour: see `connector.database.audit`


class TableRow(SQLModel, table=True):
    """A row of an account's lookup table that a person entered. It is used instead of the configuration's row."""

    __tablename__ = "table_rows"

    account: str = Field(primary_key=True)
    table_name: str = Field(primary_key=True)
    normalized_key: str = Field(primary_key=True)  # keys that are written differently may be the same
    key: str
    value: Any = Field(sa_column=Column(JSON, nullable=False))  # as connector.toml writes it
    entered_by: str
    entered_at: datetime = timestamp_column()
    note: str | None = None


class AccountCredential(SQLModel, table=True):
    """A credential of an account that a person entered, encrypted with a key of `TOKEN_KEYS`."""

    __tablename__ = "account_credentials"

    account: str = Field(primary_key=True)
    setting: str = Field(primary_key=True)  # as `mappings.credentials` names it
    credential: str = Field(repr=False)  # encrypted: its value, and a digest of what the configuration had
    is_verified: bool  # the destination accepted it when it was entered
    entered_by: str
    entered_at: datetime = timestamp_column()


class Circuit(SQLModel, table=True):
    """A circuit breaker: of an account, or of a store's API (`circuits.store_circuit`). No row means closed."""

    __tablename__ = "circuits"

    account: str = Field(primary_key=True)
    failures: int = 0  # consecutive
    opened_at: datetime | None = timestamp_column(nullable=True)  # None: closed
    probe_at: datetime | None = timestamp_column(nullable=True)  # while open: when one delivery may probe
    reason: dict[str, Any] | None = json_column()  # why it is open, as of `Problem.to_json`
    paused_at: datetime | None = timestamp_column(nullable=True)  # a person paused the account
    pause_reason: str | None = None  # who paused it, and what that person wrote
    total_open_s: float = 0.0  # time open or paused, without the current period
    next_slot_at: datetime | None = timestamp_column(nullable=True)  # with `rate_per_s`: when the next may be claimed
    #: The version of the entered credentials with which the account's were changed last: a process that does not have
    #: it yet claims none of its deliveries. See `connector.database.credentials`.
    credentials_version: int = Field(default=0, sa_column=Column(BigInteger, default=0, nullable=False))
    credentials_changed_at: datetime | None = timestamp_column(nullable=True)


class Job(SQLModel, table=True):
    """An action on many deliveries, and its progress. The worker processes it page by page."""

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("token"),)

    id: int = id_column()
    token: str  # one per request, so that a repeated commit creates no second job
    action: str = JobAction.RETRIGGER
    who: str
    note: str | None = None
    force: bool = False  # also what is delivered, discarded or uncertain
    looked: bool = False  # also what is uncertain: a person looked at the destination
    filters: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    state: str
    total: int  # deliveries that matched when it was created
    acted: int = 0  # deliveries that were queued, discarded or marked as delivered
    #: Counts of deliveries that were left alone, by the code of the message that says why.
    skipped_reasons: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    after_id: int = Field(sa_column=Column(RowId, nullable=False))  # the last delivery processed
    created_at: datetime = timestamp_column()
    ended_at: datetime | None = timestamp_column(nullable=True)


class JobDelivery(SQLModel, table=True):
    """A delivery that matched when a job was created, and what the job did."""

    __tablename__ = "job_deliveries"

    job_id: int = Field(sa_column=Column(RowId, ForeignKey("jobs.id"), primary_key=True))
    delivery_id: int = Field(sa_column=Column(RowId, ForeignKey("deliveries.id"), primary_key=True))
    is_done: bool | None = None  # None: the job has not reached it; False: it was left alone
    why: str | None = None  # the code of the message that says what it was, or why it was left alone
    remote_id: str | None = None  # of a job that marks as delivered: the order's id at the destination


class IdempotencyKey(SQLModel, table=True):
    """The response to a request with an `Idempotency-Key`, replayed when the request is repeated."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("idempotency_keys_by_age", "at"),)

    key: str = Field(primary_key=True)
    request_digest: str  # of method, path and body
    at: datetime = timestamp_column()
    status: int = 0
    body: str = ""


class Alert(SQLModel, table=True):
    """Parked orders with one cause, or an ongoing condition such as an open circuit."""

    __tablename__ = "alerts"

    id: int = id_column()
    key: str = Field(unique=True)  # made of kind, account, store and causes
    kind: str
    account: str | None = None
    store: str | None = None
    causes: list[dict[str, Any]] = json_list_column()  # as of `Problem.to_json`, without order data
    orders: int = 0  # since `since`
    examples: list[dict[str, Any]] = json_list_column()  # newest first: {"delivery", "store", "order", "what"}
    since: datetime = timestamp_column()
    last_at: datetime = timestamp_column()
    ended_at: datetime | None = timestamp_column(nullable=True)  # of a condition: when it ended
    #: By channel: when it was last notified, the number of orders then, and whether the condition was ongoing.
    notified: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class SeenAlert(SQLModel, table=True):
    """A source that an alert has counted, so that it is not counted again."""

    __tablename__ = "seen_alerts"

    source_key: str = Field(primary_key=True)
    at: datetime = timestamp_column()


class Checkpoint(SQLModel, table=True):
    """The last id that was processed, or a lease on work that one process does for all."""

    __tablename__ = "checkpoints"

    name: str = Field(primary_key=True)
    number: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    holder: str | None = None
    until: datetime | None = timestamp_column(nullable=True)


class KnownStore(SQLModel, table=True):
    """A store that the connector has run with. By default, orders that are older than that are not sent."""

    __tablename__ = "known_stores"

    id: str = Field(primary_key=True)
    first_run_at: datetime = timestamp_column()


class StoreReading(SQLModel, table=True):
    """How far catch-up has read the orders of a store."""

    __tablename__ = "store_readings"

    store: str = Field(primary_key=True)
    read_until: datetime = timestamp_column()  # every order that changed before this has been read
    requested_at: datetime | None = timestamp_column(nullable=True)  # a person wants a reading, which has not begun
    started_at: datetime | None = timestamp_column(nullable=True)  # of the last reading
    finished_at: datetime | None = timestamp_column(nullable=True)  # of the last complete reading
    orders_read: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))  # in all readings
    orders_missing: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))  # of them, those unknown
    failures: int = 0  # readings in a row that failed
    failed_since: datetime | None = timestamp_column(nullable=True)  # the first of them
    error: dict[str, Any] | None = json_column()  # why the last reading failed, as of `Problem.to_json`


class StoreToken(SQLModel, table=True):
    """An access token that the connector obtained for a store's API, encrypted with a key of `TOKEN_KEYS`."""

    __tablename__ = "store_tokens"

    store: str = Field(primary_key=True)
    token: str = Field(repr=False)
    obtained_at: datetime = timestamp_column()
    expires_at: datetime | None = timestamp_column(nullable=True)  # None: it does not expire


class StoreWebhooks(SQLModel, table=True):
    """What the last check of a store's webhooks, by the storefront's API, saw."""

    __tablename__ = "store_webhooks"

    store: str = Field(primary_key=True)
    requested_at: datetime | None = timestamp_column(nullable=True)  # a person wants them repaired
    managed_since: datetime | None = timestamp_column(nullable=True)  # `sync` made them; None: a person makes them
    checked_at: datetime | None = timestamp_column(nullable=True)
    failed_since: datetime | None = timestamp_column(nullable=True)  # the first check in a row with a problem or error
    problems: list[dict[str, Any]] = json_list_column()  # what is wrong with them, as of `Problem.to_json`
    error: dict[str, Any] | None = json_column()  # why they could not be read, as of `Problem.to_json`


class StoppedStore(SQLModel, table=True):
    """A store in which the app does not work any more: its API is not called until the app, or a person, is back."""

    __tablename__ = "stopped_stores"

    store: str = Field(primary_key=True)
    code: str  # why: "app_uninstalled" or "app_suspended" of `connector.core.messages`
    stopped_at: datetime = timestamp_column()


class PrivacyRequest(SQLModel, table=True):
    """A request about personal data that a storefront passed on, and that a person must see to."""

    __tablename__ = "privacy_requests"
    __table_args__ = (
        UniqueConstraint("store", "request_key"),
        Index("privacy_requests_open", "due_at", **partial_index("state = 'open'")),
    )

    id: int = id_column()
    store: str
    request_key: str  # the same when the storefront sends the request again
    kind: str  # a `NoticeTopic`: "customers-redact", "customers-data-request" or "store-redact"
    platform_id: str | None = None  # the storefront's own id of the request
    customer_id: str | None = None
    #: What the customer's other orders are found by. Only while the request is open.
    email: str | None = Field(default=None, repr=False)
    phone: str | None = Field(default=None, repr=False)
    order_ids: list[str] = json_list_column()  # those that the storefront names
    received_at: datetime = timestamp_column()
    repeats: int = 0  # after the first
    due_at: datetime = timestamp_column()
    state: str = RequestState.OPEN
    erasing_by: str | None = None  # who has its orders erased: it is done when the last of them has ended and is erased
    closed_by: str | None = None
    closed_at: datetime | None = timestamp_column(nullable=True)
    note: str | None = None  # what the person wrote who closed it


class Counter(SQLModel, table=True):
    """A monotonic counter over all processes and restarts."""

    __tablename__ = "counters"

    name: str = Field(primary_key=True)
    labels: str = Field(primary_key=True)  # a JSON object
    value: float = Field(sa_column=Column(Float, nullable=False))


class SignatureFailures(SQLModel, table=True):
    """Webhooks with a wrong signature that a store's address received: see `connector.database.signature_failures`."""

    __tablename__ = "signature_failures"

    store: str = Field(primary_key=True)
    count: int = 0  # since `since`
    reason: str  # of the last one: a code of `connector.core.messages`
    since: datetime = timestamp_column()
    last_at: datetime = timestamp_column()


class StoreErrors(SQLModel, table=True):
    """Errors that a store sent in place of orders: see `connector.database.store_errors`."""

    __tablename__ = "store_errors"

    store: str = Field(primary_key=True)
    code: str = Field(primary_key=True)  # of the problem that says what the error means
    count: int = 0  # since `since`
    is_of_one_order: bool = False  # not about all orders of the store
    since: datetime = timestamp_column()
    last_at: datetime = timestamp_column()


class DashboardSession(SQLModel, table=True):
    """Somebody who is signed in to the dashboard."""

    __tablename__ = "dashboard_sessions"

    digest: str = Field(primary_key=True)  # of the token in the cookie
    user: str
    fingerprint: str  # of the user's password and role when the session began
    started_at: datetime = timestamp_column()
    used_at: datetime = timestamp_column()


class DatabaseGeneration(SQLModel, table=True):
    """What tells this database from an older copy of it: see `connector.database.restores`. It has one row."""

    __tablename__ = "database_generation"

    id: int = Field(default=1, primary_key=True)
    generation: str  # random; another one after each restore
    server: str | None = None  # on PostgreSQL: the server and its timeline; None if it does not tell


class Restore(SQLModel, table=True):
    """A restore from a backup, as it was noticed or as a person reported it."""

    __tablename__ = "restores"

    id: int = id_column()
    noticed_at: datetime = timestamp_column()
    known_until: datetime | None = timestamp_column(nullable=True)  # the backup has everything from before this
    sent_until: datetime = timestamp_column()  # orders that were placed before this may have been sent
    evidence: str  # see `connector.database.restores.Evidence`
    who: str | None = None  # the person who reported it
    denied_at: datetime | None = timestamp_column(nullable=True)  # a person said that it was none
    denied_by: str | None = None


class StoredSecret(SQLModel, table=True):
    """A secret that the service makes for itself, shared by all processes."""

    __tablename__ = "secrets"

    name: str = Field(primary_key=True)
    value: str = Field(repr=False)
