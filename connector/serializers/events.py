"""JSON of events, with the ids of their deliveries."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from marshmallow import fields
from marshmallow.validate import OneOf

from connector.core.fields import UTCDateTime
from connector.database.models import Event, EventSource
from connector.database.queries.deliveries import delivery_ids_by_order
from connector.runtime import Runtime
from connector.serializers.base import ExtendedRowSchema, ProblemText


class EventSchema(ExtendedRowSchema):
    id = fields.String()
    store = fields.String()
    event_key = fields.String()
    topic = fields.String(metadata={"description": "the platform's topic"})
    topics = fields.List(
        fields.String(), metadata={"description": "the platform's topic and the canonical topics it stands for"}
    )
    order_id = fields.String(allow_none=True)
    order_number = fields.String(allow_none=True)
    received_at = UTCDateTime()
    source = fields.String(
        validate=OneOf(list(EventSource)), metadata={"description": "how it came: by a webhook, or read by catch-up"}
    )
    status = fields.String(validate=OneOf(["accepted", "ignored"]))
    reason = ProblemText(allow_none=True, metadata={"description": "why it was ignored, as an English sentence"})
    warnings = fields.List(
        ProblemText(), metadata={"description": "what looks wrong, such as a topic that the body contradicts"}
    )
    duplicates = fields.Integer(metadata={"description": "how many times it was received again"})
    deliveries = fields.List(fields.String(), attribute="delivery_ids", metadata={"description": "delivery ids"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDetail:
    """An event with the ids of its deliveries."""

    row: Event
    delivery_ids: list[int]


def load_event_details(runtime: Runtime, events: Iterable[Event]) -> list[EventDetail]:
    """Load the delivery ids of each event. Ignored events have none."""
    events = list(events)
    orders = {
        event.id: (event.store, event.order_id) for event in events if event.order_id and event.status == "accepted"
    }
    ids_by_order = delivery_ids_by_order(runtime.database, orders.values())
    ids_by_event = {event_id: ids_by_order[order] for event_id, order in orders.items()}
    return [EventDetail(row=event, delivery_ids=ids_by_event.get(event.id, [])) for event in events]


def serialize_events(runtime: Runtime, events: Iterable[Event]) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], EventSchema(many=True).dump(load_event_details(runtime, events)))
