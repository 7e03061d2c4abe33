"""How rows look to the API and the command line: ids are text, instants RFC 3339 in UTC."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from connector.database.lookups import all_circuits, attempts_of, count_states, deliveries_of, notes_of
from connector.database.orders import row_id
from connector.database.reconcile import Report
from connector.database.tables import Attempt, Circuit, Delivery, Event, Job, Note, State
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
        **({"pruned_at": instant(delivery.pruned_at)} if delivery.pruned_at else {}),
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
    return {"at": instant(note.at), "kind": note.kind, "text": note.text, "who": note.who}


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


def show_report(report: Report) -> dict[str, Any]:
    """What `reconcile` found: ids and order numbers, and nothing of what orders hold."""
    return {
        "days": [
            {
                "store": store,
                "day": day,
                "events": {name: count[name] for name in ("accepted", "ignored", "duplicates")},
                "deliveries": {str(state): count[state] for state in State},
                "differences": count["differences"],
            }
            for (store, day), count in sorted(report.days.items())
        ],
        "held": [
            {"account": account, "state": state, "waiting": waiting}
            for (account, state), waiting in sorted(report.held.items())
        ],
        "differences": [asdict(one) | {"id": str(one.id)} for one in report.differences],
        "unlisted": report.found - len(report.differences),
    }


def show_job(job: Job) -> dict[str, Any]:
    left = sum(job.left_why.values())
    return {
        "id": str(job.id),
        "state": job.state,
        "filters": {name: list(map(str, value)) if name == "ids" else value for name, value in job.filters.items()},
        "force": job.force,
        "note": job.note,
        "who": job.who,
        "total": job.total,
        "done": job.queued + left,
        "queued": job.queued,
        "left": left,
        "left_why": job.left_why,
        "created_at": instant(job.created_at),
        "ended_at": instant(job.ended_at),
    }


def show_accounts(runtime: Runtime) -> list[dict[str, Any]]:
    """Each configured account: whether it takes orders at present, why not, and how many lie there."""
    circuits, counts = all_circuits(runtime.database), count_states(runtime.database)
    none = {"waiting": 0, "sending": 0, "parked": 0}
    return [
        {
            "id": account.id,
            "destination": account.destination,
            **show_circuit(circuits.get(account.id)),
            "deliveries": counts.get(account.id, none),
        }
        for account in runtime.settings.accounts.values()
    ]


def show_account(runtime: Runtime, account_id: str) -> dict[str, Any]:
    return next(shown for shown in show_accounts(runtime) if shown["id"] == account_id)


def show_circuit(circuit: Circuit | None) -> dict[str, Any]:
    if circuit is None:
        return {"state": "flowing", "since": None, "reason": None, "failures": 0, "next_probe_at": None}
    state = "paused" if circuit.paused_at else "circuit open" if circuit.opened_at else "flowing"
    return {
        "state": state,
        "since": instant(circuit.paused_at or circuit.opened_at),
        "reason": circuit.paused_why if circuit.paused_at else circuit.reason,
        "failures": circuit.failures,
        "next_probe_at": instant(circuit.probe_at) if state == "circuit open" else None,
    }
