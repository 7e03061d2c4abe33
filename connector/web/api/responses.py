"""How rows look to the API and the command line: ids are text, instants RFC 3339 in UTC.

The schemas write the answers and describe them in the API's document: there is no second list.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, cast

from marshmallow import Schema, fields, post_dump
from marshmallow.validate import OneOf

from connector.database.models import Circuit, Delivery, Event, Job, JobState, Reason, State
from connector.database.operator_actions import Retriggered
from connector.database.orders import row_id
from connector.database.queries.lookups import all_circuits, attempts_of, count_states, deliveries_of, notes_of
from connector.database.reconciliation.run import Report
from connector.delivery.preview import Preview
from connector.runtime import Runtime
from mappings.integration import Outcome
from mappings.preview.provenance import Explained
from mappings.settings import Account


def instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


NEXT = {"description": "the `cursor` of the next page; null on the last"}


class Instant(fields.DateTime):
    def _serialize(self, value: datetime | None, *_: Any, **__: Any) -> str | None:
        return instant(value)


class JsonBytes(fields.Raw):
    """What was sent, as JSON."""

    def _serialize(self, value: bytes | None, *_: Any, **__: Any) -> Any:
        return json.loads(value) if value else None


class Bytes(fields.String):
    """What was answered, whatever it was."""

    def _serialize(self, value: Any, *_: Any, **__: Any) -> str | None:
        return value.decode(errors="replace") if value is not None else None


class Answer(Schema):
    """Every field is always there, unless it is `optional`."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = not field_obj.metadata.get("optional", False)


class DeliverySchema(Answer):
    id = fields.String()
    event = fields.String(attribute="event_id", metadata={"description": "the newest applied"})
    store = fields.String()
    account = fields.String()
    destination = fields.String()
    order_id = fields.String()
    order_number = fields.String(allow_none=True)
    state = fields.String(validate=OneOf(list(State)))
    reason = fields.String(allow_none=True, validate=OneOf([*Reason, None]))
    problems = fields.List(fields.String())
    warnings = fields.List(fields.String())
    attempts = fields.Integer(metadata={"description": "how many there were"})
    next_attempt_at = Instant(attribute="due_at", allow_none=True)
    remote_id = fields.String(allow_none=True, metadata={"description": "the order's id at the destination"})
    created_at = Instant()
    updated_at = Instant()


class AttemptSchema(Answer):
    number = fields.Integer()
    started_at = Instant()
    duration_ms = fields.Integer(allow_none=True)
    manual = fields.Boolean(attribute="is_manual", metadata={"description": "a person asked for it"})
    outcome = fields.String(validate=OneOf([*Outcome, "sending"]))
    status = fields.Integer(allow_none=True, metadata={"description": "of HTTP"})
    error = fields.String(allow_none=True)
    reply = Bytes(allow_none=True)


class NoteSchema(Answer):
    at = Instant()
    kind = fields.String()
    text = fields.String()
    who = fields.String(allow_none=True)


class WholeDeliverySchema(DeliverySchema):
    idempotency_key = fields.String(attribute="key", allow_none=True)
    body = JsonBytes(allow_none=True, metadata={"description": "what is sent, or was last"})
    pruned_at = Instant(metadata={"optional": True, "description": "when body and replies were dropped"})
    attempt_log = fields.List(fields.Nested(AttemptSchema))
    notes = fields.List(fields.Nested(NoteSchema))

    @post_dump
    def leave_out_what_was_not_pruned(self, shown: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in shown.items() if name != "pruned_at" or value is not None}


class SourceSchema(Answer):
    part = fields.String(validate=OneOf(["order", "store", "account"]), metadata={"description": "whose value"})
    path = fields.String(metadata={"description": "in the order's payload, or of a setting"})


class OriginSchema(Answer):
    field = fields.String(metadata={"description": "of the body"})
    label = fields.String(metadata={"description": "in a merchant's words"})
    value = fields.Raw(allow_none=True)
    hub = fields.String()
    sources = fields.List(
        fields.Nested(SourceSchema), data_key="from", metadata={"description": "what its value is made of"}
    )
    deciders = fields.List(
        fields.Nested(SourceSchema), data_key="with", metadata={"description": "what else it depends on"}
    )
    note = fields.String(allow_none=True, metadata={"description": "where nothing is named in `from`"})


class DifferenceSchema(Answer):
    field = fields.String()
    old = fields.Raw(allow_none=True)
    new = fields.Raw(allow_none=True)


class ExplainedSchema(Answer):
    body = fields.Dict(allow_none=True, metadata={"description": "null where problems keep it from being sent"})
    problems = fields.List(fields.String())
    warnings = fields.List(fields.String())
    origins = fields.List(fields.Nested(OriginSchema))


class PreviewSchema(ExplainedSchema):
    event = fields.String(attribute="event_id", metadata={"description": "the newest of the order"})
    differences = fields.List(
        fields.Nested(DifferenceSchema),
        allow_none=True,
        metadata={"description": "from the body of the last attempt; null where one of the two is not there"},
    )


class EventSchema(Answer):
    id = fields.String()
    store = fields.String()
    event_key = fields.String()
    topic = fields.String(metadata={"description": "the platform's"})
    topics = fields.List(fields.String(), metadata={"description": "and the hub's words for it"})
    order_id = fields.String(allow_none=True)
    order_number = fields.String(allow_none=True)
    received_at = Instant()
    status = fields.String(validate=OneOf(["accepted", "ignored"]))
    reason = fields.String(allow_none=True, metadata={"description": "why it was ignored"})
    duplicates = fields.Integer(metadata={"description": "how often it came again"})
    deliveries = fields.List(fields.String(), metadata={"description": "their ids"})


class CountsSchema(Answer):
    waiting = fields.Integer()
    sending = fields.Integer()
    parked = fields.Integer()


class AccountSchema(Answer):
    id = fields.String()
    destination = fields.String()
    state = fields.String(validate=OneOf(["flowing", "circuit open", "paused"]))
    since = Instant(allow_none=True)
    reason = fields.String(allow_none=True)
    failures = fields.Integer(metadata={"description": "in a row"})
    next_probe_at = Instant(allow_none=True)
    deliveries = fields.Nested(CountsSchema)


class JobSchema(Answer):
    id = fields.String()
    state = fields.String(validate=OneOf(list(JobState)))
    filters = fields.Dict()
    force = fields.Boolean()
    note = fields.String(allow_none=True)
    who = fields.String()
    total = fields.Integer(metadata={"description": "how many the filters chose when it was made"})
    done = fields.Integer(metadata={"description": "queued and left; what changed its state by itself is neither"})
    queued = fields.Integer()
    left = fields.Integer()
    left_why = fields.Dict(keys=fields.String(), values=fields.Integer())
    created_at = Instant()
    ended_at = Instant(allow_none=True)


class RetriggeredSchema(Answer):
    id = fields.String()
    done = fields.String(validate=OneOf(["queued", "left"]))
    why = fields.String()


class EventRetriggeredSchema(Answer):
    deliveries = fields.List(fields.Nested(RetriggeredSchema))


class ReceivedSchema(Answer):
    status = fields.String(validate=OneOf(["accepted", "duplicate", "ignored"]))
    event = fields.String(allow_none=True)


class HealthSchema(Answer):
    status = fields.String(validate=OneOf(["ok"]))


class EventPage(Answer):
    items = fields.List(fields.Nested(EventSchema))
    next = fields.String(allow_none=True, metadata=NEXT)


class DeliveryPage(Answer):
    items = fields.List(fields.Nested(DeliverySchema))
    next = fields.String(allow_none=True, metadata=NEXT)


class JobPage(Answer):
    items = fields.List(fields.Nested(JobSchema))
    next = fields.String(allow_none=True, metadata=NEXT)


class AccountList(Answer):
    items = fields.List(fields.Nested(AccountSchema))


DELIVERY, WHOLE_DELIVERY, ATTEMPT, NOTE = DeliverySchema(), WholeDeliverySchema(), AttemptSchema(), NoteSchema()
EVENT, ACCOUNT, JOB, RETRIGGERED = EventSchema(), AccountSchema(), JobSchema(), RetriggeredSchema()
EXPLAINED, PREVIEW = ExplainedSchema(), PreviewSchema()
NONE_LIE = {"waiting": 0, "sending": 0, "parked": 0}


def dump(schema: Schema, row: Any) -> dict[str, Any]:
    return cast(dict[str, Any], schema.dump(row))


def show_delivery(delivery: Delivery) -> dict[str, Any]:
    return dump(DELIVERY, delivery)


def show_whole_delivery(runtime: Runtime, delivery: Delivery) -> dict[str, Any]:
    return {
        **dump(WHOLE_DELIVERY, delivery),
        "attempt_log": [dump(ATTEMPT, one) for one in attempts_of(runtime.database, row_id(delivery))],
        "notes": [dump(NOTE, one) for one in notes_of(runtime.database, row_id(delivery))],
    }


def show_explained(explained: Explained) -> dict[str, Any]:
    return dump(EXPLAINED, explained)


def show_preview(shown: Preview) -> dict[str, Any]:
    return dump(PREVIEW, shown)


def show_events(runtime: Runtime, events: Iterable[Event]) -> list[dict[str, Any]]:
    events = list(events)
    linked = deliveries_of(
        runtime.database,
        [(event.store, event.order_id) for event in events if event.order_id and event.status == "accepted"],
    )
    return [
        {
            **dump(EVENT, event),
            "deliveries": [str(id_) for id_ in linked.get((event.store, event.order_id or ""), [])]
            if event.status == "accepted"
            else [],
        }
        for event in events
    ]


def show_retriggered(done: Iterable[Retriggered]) -> dict[str, Any]:
    return {"deliveries": [dump(RETRIGGERED, one) for one in done]}


def show_job(job: Job) -> dict[str, Any]:
    left = sum(job.left_why.values())
    filters = {name: list(map(str, value)) if name == "ids" else value for name, value in job.filters.items()}
    own = {name: getattr(job, name) for name in JOB.fields if name not in ("filters", "done", "left")}
    return dump(JOB, {**own, "filters": filters, "done": job.queued + left, "left": left})


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


def show_accounts(runtime: Runtime) -> list[dict[str, Any]]:
    """Each configured account: whether it takes orders at present, why not, and how many lie there."""
    circuits, counts = all_circuits(runtime.database), count_states(runtime.database)
    return [
        show_account(account, circuits.get(account.id), counts.get(account.id, NONE_LIE))
        for account in runtime.settings.accounts.values()
    ]


def show_one_account(runtime: Runtime, account_id: str) -> dict[str, Any]:
    return next(shown for shown in show_accounts(runtime) if shown["id"] == account_id)


def show_account(account: Account, circuit: Circuit | None, lie: Mapping[str, int]) -> dict[str, Any]:
    of_account = {"id": account.id, "destination": account.destination, "deliveries": lie}
    return dump(ACCOUNT, {**of_account, **of_circuit(circuit)})


def of_circuit(circuit: Circuit | None) -> dict[str, Any]:
    if circuit is None:
        return {"state": "flowing", "since": None, "reason": None, "failures": 0, "next_probe_at": None}
    state = "paused" if circuit.paused_at else "circuit open" if circuit.opened_at else "flowing"
    return {
        "state": state,
        "since": circuit.paused_at or circuit.opened_at,
        "reason": circuit.paused_why if circuit.paused_at else circuit.reason,
        "failures": circuit.failures,
        "next_probe_at": circuit.probe_at if state == "circuit open" else None,
    }
