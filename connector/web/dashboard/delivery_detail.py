"""The template context of a delivery's page: its timeline, the data it was made from, and what to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Literal

from connector.database.corrections import load_corrections
from connector.database.models import Attempt, Delivery, Event, EventSource, Note, State
from connector.database.queries.deliveries import list_attempts, list_notes
from connector.database.queries.events import events_of_order, load_event
from connector.delivery.order_source import load_order_source
from connector.runtime import Runtime
from connector.web.dashboard.correction_form import build_correction_form
from connector.web.dashboard.filters import describe_attempt, describe_duplicates
from connector.web.dashboard.guidance import Situation, build_guidance
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import translate_problem
from connector.web.dashboard.labels import translate
from connector.web.dashboard.list_filters import list_filters
from connector.web.dashboard.row_forms import build_missing_row_forms
from mappings.order import Order
from mappings.problems import MappingError, Problem, load_problems

#: Parts of an address that some customers write in another field, which a store's settings can name.
ADDRESS_PARTS = {"district", "number", "unit", "unit_and_reference", "line1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One thing that happened to a delivery. `row` is the event, attempt or note; `details` are lines of text."""

    at: datetime
    kind: Literal["event", "attempt", "note", "end"]
    title: str
    details: list[str]
    row: Any = None


def delivery_context(runtime: Runtime, delivery: Delivery, query: Mapping[str, str]) -> dict[str, Any]:
    """Return the context of `delivery.html`.

    Args:
        query: of the page's address, with the filters of the list that led to it.
    """
    event = load_event(runtime.database, delivery.event_id)
    attempts = list_attempts(runtime.database, delivery.id)
    order, order_error = parse_event_order(runtime, event)
    return {
        "filters": list_filters(query),
        "event": event,
        "attempts": attempts,
        "timeline": build_timeline(
            delivery,
            events_of_order(runtime.database, delivery.store, delivery.order_id),
            attempts,
            list_notes(runtime.database, delivery.id),
        ),
        "order": to_jsonable(order) if order else None,
        "order_error": order_error,
        "correction_form": build_correction_form(runtime, delivery),
        "row_forms": build_missing_row_forms(runtime, delivery),
        "guidance": build_guidance(
            Situation(
                runtime=runtime,
                delivery=delivery,
                attempts=attempts,
                needs_fetch=needs_fetch(runtime, delivery, event),
                lacks_address_part=any(map(is_about_address, load_problems(delivery.problems))),
            )
        ),
    }


def needs_fetch(runtime: Runtime, delivery: Delivery, event: Event) -> bool:
    """Return whether something of the order is fetched from its store before it is sent."""
    account = runtime.settings.accounts.get(delivery.account)
    store = runtime.settings.stores_by_id.get(event.store)
    if account is None or store is None or not event.body:
        return False
    required_details = runtime.settings.destination(account).required_details(account)
    return bool(load_order_source(runtime.settings, event, store, required_details).missing)


def is_about_address(problem: Problem) -> bool:
    """Return whether the shipping address lacks a part."""
    return problem.code == "missing" and problem.path[:1] == ("ship_to",) and problem.path[-1] in ADDRESS_PARTS


def build_timeline(
    delivery: Delivery, events: Iterable[Event], attempts: Iterable[Attempt], notes: Iterable[Note]
) -> list[TimelineEntry]:
    """Return everything that happened to a delivery, oldest first."""
    entries = [
        *map(event_entry, events),
        *map(attempt_entry, attempts),
        *map(note_entry, notes),
    ]
    if delivery.state in (State.PARKED, State.DISCARDED) and not delivery.attempts:
        last_at = max((entry.at for entry in entries), default=delivery.created_at)
        entries.append(end_entry(delivery, max(last_at, delivery.updated_at)))
    return sorted(entries, key=lambda entry: entry.at)


def event_entry(event: Event) -> TimelineEntry:
    details = []
    if event.reason:
        details = [translate_problem(event.reason)]
    elif event.duplicates:
        details = [describe_duplicates(event.duplicates)]
    is_webhook = event.source == EventSource.WEBHOOK
    title = _("Webhook %(topic)s", topic=event.topic) if is_webhook else _("Read from the store by catch-up")
    return TimelineEntry(at=event.received_at, kind="event", row=event, title=title, details=details)


def attempt_entry(attempt: Attempt) -> TimelineEntry:
    result = describe_attempt(attempt.outcome, attempt.status)
    title = _("Attempt %(number)s: %(result)s", number=attempt.number, result=result)
    return TimelineEntry(at=attempt.started_at, kind="attempt", row=attempt, title=title, details=[])


def note_entry(note: Note) -> TimelineEntry:
    kind = translate(note.kind)
    title = _("%(who)s: %(action)s", who=note.who, action=kind) if note.who else kind
    texts = [translate_problem(note.message), note.text]
    return TimelineEntry(at=note.at, kind="note", row=note, title=title, details=[text for text in texts if text])


def end_entry(delivery: Delivery, at: datetime) -> TimelineEntry:
    """Return the entry of a delivery that was parked or discarded before any attempt."""
    title = f"{translate(delivery.state)}: {translate(delivery.reason)}"
    return TimelineEntry(at=at, kind="end", title=title, details=[translate_problem(p) for p in delivery.problems])


def parse_event_order(runtime: Runtime, event: Event) -> tuple[Order | None, str | None]:
    """Return the order in a webhook, or else why it cannot be shown. Makes no request to the store."""
    settings = runtime.settings
    store = settings.stores_by_id.get(event.store)
    if store is None:
        return None, _("The store is no longer configured.")
    if not event.body:
        return None, _("The webhook's content was deleted because of its age.")
    try:
        corrections = load_corrections(runtime.database, event.store, event.order_id)
        source = load_order_source(settings, event, store, corrections=corrections)
        if source.is_thin:
            return None, _("The webhook contains only the order's ID. The order is fetched from the store.")
        return source.parse(), None
    except MappingError as error:
        return None, "\n".join(map(translate_problem, error.problems))
    except Exception as error:  # a bug must not hide the rest of the page
        runtime.log.error("mapping_failed", event_id=event.id, error=type(error).__name__)
        return None, _("The order could not be read because of an internal error.")


def to_jsonable(value: Any) -> Any:
    """Return a canonical order as JSON types, without empty fields."""
    if is_dataclass(value):
        values = {field.name: to_jsonable(getattr(value, field.name)) for field in fields(value)}
        return {name: item for name, item in values.items() if item not in (None, [], {})}
    if isinstance(value, Mapping):
        return {str(name): to_jsonable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_jsonable(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
