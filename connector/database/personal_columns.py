"""Which columns may hold personal data of a customer, and which never do. A test fails for a column of neither kind.

Users of the connector (who did what) are not customers.
"""

from collections.abc import Iterable, Mapping, Set
from typing import Any

from connector.database.models import (
    Attempt,
    Circuit,
    Delivery,
    Event,
    IdempotencyKey,
    Job,
    Note,
    OperatorAction,
    OrderCorrection,
    PrivacyRequest,
    TableRow,
)

#: Columns of rows of an order, and what they hold after the order was erased.
ERASED_VALUES: Mapping[Any, Mapping[str, Any]] = {
    Event: {"warnings": [], "body": b""},
    Delivery: {"problems": [], "warnings": [], "missing_rows": None, "summary": None, "body": None},
    Attempt: {"reply": None},
    Note: {"text": ""},
}
#: Columns of rows of an order that are deleted.
DELETED_COLUMNS: Mapping[Any, Set[str]] = {OrderCorrection: {"value", "reason"}}
#: Columns of rows of an order that hold a `Problem`, of which the code stays.
PROBLEM_COLUMNS: Mapping[Any, str] = {Event: "reason", Attempt: "error", Note: "message"}
#: Columns of other rows in which a person may have written about a customer. They are emptied if they are about the
#: order, or contain the customer's address, telephone number or name.
FREE_TEXTS: Mapping[Any, Mapping[str, Any]] = {
    Job: {"note": None},
    OperatorAction: {"text": ""},
    TableRow: {"note": None},
    Circuit: {"pause_reason": ""},
    PrivacyRequest: {"note": None, "email": None, "phone": None},  # the last two also when it is closed
}
#: Emptied if the response is about the order. Then the key refuses every request until it is deleted after a day.
RESPONSES: Mapping[Any, Mapping[str, Any]] = {IdempotencyKey: {"request_digest": "", "body": ""}}

#: By table, the columns without personal data: ids, keys, hashes of large bodies, states, times, names of users, and
#: problems without the params that quote an order.
IMPERSONAL_COLUMNS: Mapping[str, Set[str]] = {
    "account_credentials": {"account", "setting", "credential", "is_verified", "entered_by", "entered_at"},
    "alerts": {
        "id", "key", "kind", "account", "store", "causes", "orders", "examples", "since", "last_at", "ended_at",
        "notified",
    },
    "attempts": {"id", "delivery_id", "number", "started_at", "duration_ms", "is_manual", "outcome", "status"},
    "audit_entries": {
        "id", "at", "actor", "role", "action", "subject_kind", "subject_id", "store", "network", "interface", "counts",
        "hour_key",
    },
    "checkpoints": {"name", "number", "holder", "until"},
    "circuits": {
        "account", "failures", "opened_at", "probe_at", "reason", "paused_at", "total_open_s", "next_slot_at",
        "credentials_version", "credentials_changed_at",
    },
    "counters": {"name", "labels", "value"},
    "dashboard_sessions": {"digest", "user", "fingerprint", "started_at", "used_at"},
    "database_generation": {"id", "generation", "server"},
    "deliveries": {
        "id", "account", "store", "destination", "order_id", "order_number", "event_id", "state", "reason",
        "remote_id", "created_at", "updated_at", "due_at", "claimed_by", "claim_expires_at", "attempts", "is_manual",
        "attempts_in_run", "run_started_at", "circuit_open_s_at_start", "revision", "idempotency_key", "locked_since",
        "override_event_id", "is_forced", "ignores_routes", "first_forbidden_at", "compare_at", "pruned_at",
        "erased_at", "expiry_announced_at", "sent_before_restore",
    },
    "erased_orders": {"store", "order_id", "requested_at", "requested_by", "erased_at"},
    "events": {
        "id", "store", "event_key", "topic", "topics", "order_id", "order_number", "source_updated_at", "received_at",
        "source", "status", "duplicates", "repeated_at", "has_order", "is_paid", "is_cancellation",
        "undoes_deletion", "accounts", "traceparent", "pruned_at",
    },
    "idempotency_keys": {"key", "at", "status"},
    "job_deliveries": {"job_id", "delivery_id", "is_done", "why", "remote_id"},
    "jobs": {
        "id", "token", "action", "who", "force", "looked", "filters", "state", "total", "acted", "skipped_reasons",
        "after_id", "created_at", "ended_at",
    },
    "known_stores": {"id", "first_run_at"},
    "notes": {"id", "delivery_id", "at", "kind", "who"},
    "operator_actions": {"id", "at", "account", "store", "job_id", "kind", "who", "message"},
    "order_corrections": {
        "id", "store", "order_id", "field", "entered_by", "entered_at", "withdrawn_by", "withdrawn_at",
    },
    "privacy_requests": {
        "id", "store", "request_key", "kind", "platform_id", "customer_id", "order_ids", "received_at", "repeats",
        "due_at", "state", "erasing_by", "closed_by", "closed_at",
    },
    "restores": {
        "id", "noticed_at", "known_until", "sent_until", "evidence", "who", "denied_at", "denied_by",
    },
    "secrets": {"name", "value"},
    "seen_alerts": {"source_key", "at"},
    "signature_failures": {"store", "count", "reason", "since", "last_at"},
    "stopped_stores": {"store", "code", "stopped_at"},
    "store_errors": {"store", "code", "count", "is_of_one_order", "since", "last_at"},
    "store_readings": {
        "store", "read_until", "requested_at", "started_at", "finished_at", "orders_read", "orders_missing",
        "failures", "failed_since", "error",
    },
    "store_tokens": {"store", "token", "obtained_at", "expires_at"},
    "store_webhooks": {
        "store", "requested_at", "managed_since", "checked_at", "failed_since", "problems", "error",
    },
    "table_rows": {"account", "table_name", "normalized_key", "key", "value", "entered_by", "entered_at"},
}  # fmt: skip


def personal_columns() -> dict[str, set[str]]:
    """By table, the columns that may hold personal data."""
    columns: dict[str, set[str]] = {}
    groups: tuple[Mapping[Any, Iterable[str]], ...] = (ERASED_VALUES, DELETED_COLUMNS, FREE_TEXTS, RESPONSES)
    for group in groups:
        for model, names in group.items():
            columns.setdefault(model.__tablename__, set()).update(names)
    for model, name in PROBLEM_COLUMNS.items():
        columns.setdefault(model.__tablename__, set()).add(name)
    return columns
