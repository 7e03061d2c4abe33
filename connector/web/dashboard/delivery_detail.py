"""What the page of one delivery shows beside its row: what happened in order, what it was made of, and what to do."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Literal

from flask_babel import gettext as _

from connector.database.models import Attempt, Delivery, Event, Note, State
from connector.database.orders import row_id
from connector.database.queries.lookups import list_attempts, list_notes, load_event
from connector.database.queries.search import events_of_order
from connector.runtime import Runtime
from connector.web.dashboard.available_actions import advise
from connector.web.dashboard.filters import render_problem_text, translate
from mappings.order import Order
from mappings.problems import MappingError, Problem, load_problems

#: Parts of an address for which a store's settings may name another field.
ADDRESS_PARTS = {"district", "number", "unit", "unit_and_reference", "line1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One thing that happened, for the timeline."""

    at: datetime
    kind: Literal["event", "attempt", "note", "end"]
    row: Any
    title: str
    detail: str | None = None


def delivery_context(runtime: Runtime, delivery: Delivery) -> dict[str, Any]:
    event = load_event(runtime.database, delivery.event_id)
    attempts = list_attempts(runtime.database, row_id(delivery))
    notes = list_notes(runtime.database, row_id(delivery))
    events = events_of_order(runtime.database, delivery.store, delivery.order_id)
    order, order_error = parse_event_order(runtime, event)
    return {
        "event": event,
        "attempts": attempts,
        "notes": notes,
        "timeline": build_timeline(delivery, events, attempts, notes),
        "order": to_jsonable(order) if order else None,
        "order_error": order_error,
        "advice": advise(
            delivery,
            runtime.settings,
            supports_idempotency=delivery.destination in runtime.destinations_with_idempotency,
            needs_address=any(map(is_about_address, load_problems(delivery.problems))),
        ),
    }


def is_about_address(problem: Problem) -> bool:
    return problem.code == "missing" and problem.path[:1] == ("ship_to",) and problem.path[-1] in ADDRESS_PARTS


def build_timeline(
    delivery: Delivery, events: list[Event], attempts: list[Attempt], notes: list[Note]
) -> list[TimelineEntry]:
    entries = [
        TimelineEntry(
            at=event.received_at,
            kind="event",
            row=event,
            title=_("Webhook %(topic)s", topic=event.topic),
            detail=event.reason
            or (_("came again %(times)s times", times=event.duplicates) if event.duplicates else None),
        )
        for event in events
    ]
    entries += [
        TimelineEntry(
            at=attempt.started_at,
            kind="attempt",
            row=attempt,
            title=_("Attempt %(number)s: %(outcome)s", number=attempt.number, outcome=translate(attempt.outcome)),
            detail=attempt.error,
        )
        for attempt in attempts
    ]
    entries += [
        TimelineEntry(
            at=note.at,
            kind="note",
            row=note,
            title=_("%(who)s: %(what)s", who=note.who, what=translate(note.kind)) if note.who else translate(note.kind),
            detail=note.text or None,
        )
        for note in notes
    ]
    last_at = max((entry.at for entry in entries), default=delivery.created_at)
    if delivery.state in (State.PARKED, State.DISCARDED) and not attempts:
        at = max(last_at, delivery.updated_at)
        reason = translate(delivery.reason)
        entries.append(
            TimelineEntry(
                at=at,
                kind="end",
                row=None,
                title=f"{translate(delivery.state)}: {reason}",
                detail="\n".join(map(render_problem_text, delivery.problems)),
            )
        )
    return sorted(entries, key=lambda entry: entry.at)


def parse_event_order(runtime: Runtime, event: Event) -> tuple[Order | None, str | None]:
    """The hub's order as the webhook holds it, or why there is none to show. Asks no storefront."""
    settings = runtime.settings
    store = next((candidate for candidate in settings.stores.values() if candidate.id == event.store), None)
    if store is None:
        return None, _("Its store is no longer configured.")
    if not event.body:
        return None, _("Its payload was pruned.")
    storefront = settings.storefront(store)
    payload = json.loads(event.body)
    try:
        if any(fetch.is_order for fetch in storefront.required_fetches(payload, store, frozenset())):
            return None, _("The webhook only names the order: it is fetched from the store for each attempt.")
        return storefront.parse_order(payload, store), None
    except MappingError as error:
        return None, "\n".join(map(render_problem_text, error.problems))
    except Exception as error:  # ours to mend; the page shows the rest
        runtime.log.error("mapping_failed", event_id=event.id, error=type(error).__name__)
        return None, _("The connector failed to read it: a fault of ours.")


def to_jsonable(value: Any) -> Any:
    """What is there of the hub's objects, for JSON: fields that are empty are left out."""
    if is_dataclass(value):
        values = {field.name: to_jsonable(getattr(value, field.name)) for field in fields(value)}
        return {name: item for name, item in values.items() if item not in (None, [], {})}
    if isinstance(value, Mapping):
        return {str(name): to_jsonable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_jsonable(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
