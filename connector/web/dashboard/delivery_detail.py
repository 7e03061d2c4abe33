"""What the page of one delivery shows beside its row: what happened in order, what it was made of, and what to do."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Literal

from flask_babel import gettext as _

from connector.database.models import Attempt, Delivery, Event, Note, State
from connector.database.orders import row_id
from connector.database.queries.lookups import attempts_of, load_event, notes_of
from connector.database.queries.search import events_of_order
from connector.runtime import Runtime
from connector.web.dashboard.available_actions import advise
from connector.web.dashboard.filters import say
from connector.web.dashboard.problem_i18n import is_about_address
from mappings.order import Order
from mappings.schema import MappingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened, for the timeline."""

    at: datetime
    kind: Literal["event", "attempt", "note", "end"]
    row: Any
    title: str
    detail: str | None = None


def describe_whole(runtime: Runtime, delivery: Delivery) -> dict[str, Any]:
    event = load_event(runtime.database, delivery.event_id)
    attempts = attempts_of(runtime.database, row_id(delivery))
    notes = notes_of(runtime.database, row_id(delivery))
    came = events_of_order(runtime.database, delivery.store, delivery.order_id)
    order, unread = read_order(runtime, event)
    return {
        "event": event,
        "attempts": attempts,
        "notes": notes,
        "timeline": make_timeline(delivery, came, attempts, notes),
        "order": describe(order) if order else None,
        "unread": unread,
        "advice": advise(
            delivery,
            runtime.settings,
            has_key=delivery.destination in runtime.keyed,
            needs_address=any(map(is_about_address, delivery.problems)),
        ),
    }


def make_timeline(delivery: Delivery, came: list[Event], attempts: list[Attempt], notes: list[Note]) -> list[Step]:
    steps = [
        Step(
            at=event.received_at,
            kind="event",
            row=event,
            title=_("Webhook %(topic)s", topic=event.topic),
            detail=event.reason
            or (_("came again %(times)s times", times=event.duplicates) if event.duplicates else None),
        )
        for event in came
    ]
    steps += [
        Step(
            at=attempt.started_at,
            kind="attempt",
            row=attempt,
            title=_("Attempt %(number)s: %(outcome)s", number=attempt.number, outcome=say(attempt.outcome)),
            detail=attempt.error,
        )
        for attempt in attempts
    ]
    steps += [
        Step(
            at=note.at,
            kind="note",
            row=note,
            title=_("%(who)s: %(what)s", who=note.who, what=say(note.kind)) if note.who else say(note.kind),
            detail=note.text or None,
        )
        for note in notes
    ]
    last = max((step.at for step in steps), default=delivery.created_at)
    if delivery.state in (State.PARKED, State.DISCARDED) and not attempts:
        at = max(last, delivery.updated_at)
        reason = say(delivery.reason)
        steps.append(
            Step(
                at=at,
                kind="end",
                row=None,
                title=f"{say(delivery.state)}: {reason}",
                detail="\n".join(delivery.problems),
            )
        )
    return sorted(steps, key=lambda step: step.at)


def read_order(runtime: Runtime, event: Event) -> tuple[Order | None, str | None]:
    """The hub's order as the webhook holds it, or why there is none to show. Asks no storefront."""
    settings = runtime.settings
    store = next((one for one in settings.stores.values() if one.id == event.store), None)
    if store is None:
        return None, _("Its store is no longer configured.")
    if not event.body:
        return None, _("Its payload was pruned.")
    storefront = settings.storefront(store)
    payload = json.loads(event.body)
    try:
        if any(fetch.is_order for fetch in storefront.fetches(payload, store, frozenset())):
            return None, _("The webhook only names the order: it is fetched from the store for each attempt.")
        return storefront.read(payload, store), None
    except MappingError as error:
        return None, "\n".join(error.problems)
    except Exception as error:  # ours to mend; the page shows the rest
        runtime.log.error("mapping_failed", event_id=event.id, error=type(error).__name__)
        return None, _("The connector failed to read it: a fault of ours.")


def describe(value: Any) -> Any:
    """What is there of the hub's objects, for JSON: fields that are empty are left out."""
    if is_dataclass(value):
        given = {each.name: describe(getattr(value, each.name)) for each in fields(value)}
        return {name: one for name, one in given.items() if one not in (None, [], {})}
    if isinstance(value, Mapping):
        return {str(name): describe(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [describe(one) for one in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
