"""How rows look to the API and the command line: ids are text, instants RFC 3339 in UTC."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from connector.database.lookups import attempts_of, deliveries_of, notes_of
from connector.database.orders import row_id
from connector.database.tables import Attempt, Delivery, Event, Note
from connector.runtime import Runtime


def instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def show_delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": str(delivery.id),
        "event": str(delivery.event_id),
        "store": delivery.store,
        "account": delivery.account,
        "destination": delivery.destination,
        "order_id": delivery.order_id,
        "order_number": delivery.order_number,
        "state": delivery.state,
        "reason": delivery.reason,
        "problems": delivery.problems,
        "warnings": delivery.warnings,
        "attempts": delivery.attempts,
        "next_attempt_at": instant(delivery.due_at),
        "remote_id": delivery.remote_id,
        "created_at": instant(delivery.created_at),
        "updated_at": instant(delivery.updated_at),
    }


def show_whole_delivery(runtime: Runtime, delivery: Delivery) -> dict[str, Any]:
    return {
        **show_delivery(delivery),
        "idempotency_key": delivery.key,
        "body": json.loads(delivery.body) if delivery.body else None,
        "attempt_log": [show_attempt(one) for one in attempts_of(runtime.database, row_id(delivery))],
        "notes": [show_note(one) for one in notes_of(runtime.database, row_id(delivery))],
    }


def show_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at": instant(attempt.started_at),
        "duration_ms": attempt.duration_ms,
        "manual": attempt.is_manual,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "error": attempt.error,
        "reply": attempt.reply.decode(errors="replace") if attempt.reply is not None else None,
    }


def show_note(note: Note) -> dict[str, Any]:
    return {"at": instant(note.at), "kind": note.kind, "text": note.text}


def show_events(runtime: Runtime, events: Iterable[Event]) -> list[dict[str, Any]]:
    events = list(events)
    linked = deliveries_of(
        runtime.database,
        [(event.store, event.order_id) for event in events if event.order_id and event.status == "accepted"],
    )
    return [
        {
            "id": str(event.id),
            "store": event.store,
            "event_key": event.event_key,
            "topic": event.topic,
            "topics": event.topics,
            "order_id": event.order_id,
            "order_number": event.order_number,
            "received_at": instant(event.received_at),
            "status": event.status,
            "reason": event.reason,
            "duplicates": event.duplicates,
            "deliveries": [str(id_) for id_ in linked.get((event.store, event.order_id or ""), [])]
            if event.status == "accepted"
            else [],
        }
        for event in events
    ]
