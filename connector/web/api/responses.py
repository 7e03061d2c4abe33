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

from connector.database.circuits import CircuitState, circuit_state, read_circuits
from connector.database.models import Circuit, Delivery, Event, Job, JobState, Reason, State
from connector.database.operator_actions import RetriggerResult
from connector.database.queries.deliveries import delivery_ids_by_order, list_attempts, list_notes
from connector.database.reconciliation.run import ReconciliationReport
from connector.database.stats.gauges import count_open
from connector.delivery.preview import Preview
from connector.runtime import Runtime
from mappings.destination import Outcome
from mappings.preview.provenance import ExplainedMapping
from mappings.settings import Account


def format_timestamp(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


CURSOR_METADATA = {"description": "the `cursor` of the next page; null on the last"}


class ResponseDateTime(fields.DateTime):
    def _serialize(self, value: datetime | None, *_: Any, **__: Any) -> str | None:
        return format_timestamp(value)


class JsonBytes(fields.Raw):
    """What was sent, as JSON."""

    def _serialize(self, value: bytes | None, *_: Any, **__: Any) -> Any:
        return json.loads(value) if value else None


class DecodedBytes(fields.String):
    """What was answered, whatever it was."""

    def _serialize(self, value: Any, *_: Any, **__: Any) -> str | None:
        return value.decode(errors="replace") if value is not None else None


class ResponseSchema(Schema):
    """Every field is always there, unless it is `optional`."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = not field_obj.metadata.get("optional", False)


class DeliverySchema(ResponseSchema):
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
    next_attempt_at = ResponseDateTime(attribute="due_at", allow_none=True)
    remote_id = fields.String(allow_none=True, metadata={"description": "the order's id at the destination"})
    created_at = ResponseDateTime()
    updated_at = ResponseDateTime()


class AttemptSchema(ResponseSchema):
    number = fields.Integer()
    started_at = ResponseDateTime()
    duration_ms = fields.Integer(allow_none=True)
    manual = fields.Boolean(attribute="is_manual", metadata={"description": "a person asked for it"})
    outcome = fields.String(validate=OneOf([*Outcome, "sending"]))
    status = fields.Integer(allow_none=True, metadata={"description": "of HTTP"})
    error = fields.String(allow_none=True)
    reply = DecodedBytes(allow_none=True)


class NoteSchema(ResponseSchema):
    at = ResponseDateTime()
    kind = fields.String()
    text = fields.String()
    who = fields.String(allow_none=True)


class DeliveryDetailSchema(DeliverySchema):
    idempotency_key = fields.String(attribute="idempotency_key", allow_none=True)
    body = JsonBytes(allow_none=True, metadata={"description": "what is sent, or was last"})
    pruned_at = ResponseDateTime(metadata={"optional": True, "description": "when body and replies were dropped"})
    attempt_log = fields.List(fields.Nested(AttemptSchema))
    notes = fields.List(fields.Nested(NoteSchema))

    @post_dump
    def drop_absent_pruned_at(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if name != "pruned_at" or value is not None}


class SourceSchema(ResponseSchema):
    part = fields.String(validate=OneOf(["order", "store", "account"]), metadata={"description": "whose value"})
    path = fields.String(metadata={"description": "in the order's payload, or of a setting"})


class OriginSchema(ResponseSchema):
    field = fields.String(metadata={"description": "of the body"})
    label = fields.String(metadata={"description": "in a merchant's words"})
    value = fields.Raw(allow_none=True)
    hub = fields.String()
    sources = fields.List(
        fields.Nested(SourceSchema), data_key="from", metadata={"description": "what its value is made of"}
    )
    depends_on = fields.List(
        fields.Nested(SourceSchema), data_key="with", metadata={"description": "what else it depends on"}
    )
    note = fields.String(allow_none=True, metadata={"description": "where nothing is named in `from`"})


class DifferenceSchema(ResponseSchema):
    field = fields.String()
    old = fields.Raw(allow_none=True)
    new = fields.Raw(allow_none=True)


class ExplainedBodySchema(ResponseSchema):
    body = fields.Dict(allow_none=True, metadata={"description": "null where problems keep it from being sent"})
    problems = fields.List(fields.String())
    warnings = fields.List(fields.String())
    origins = fields.List(fields.Nested(OriginSchema))


class PreviewSchema(ExplainedBodySchema):
    event = fields.String(attribute="event_id", metadata={"description": "the newest of the order"})
    differences = fields.List(
        fields.Nested(DifferenceSchema),
        allow_none=True,
        metadata={"description": "from the body of the last attempt; null where one of the two is not there"},
    )


class EventSchema(ResponseSchema):
    id = fields.String()
    store = fields.String()
    event_key = fields.String()
    topic = fields.String(metadata={"description": "the platform's"})
    topics = fields.List(fields.String(), metadata={"description": "and the hub's words for it"})
    order_id = fields.String(allow_none=True)
    order_number = fields.String(allow_none=True)
    received_at = ResponseDateTime()
    status = fields.String(validate=OneOf(["accepted", "ignored"]))
    reason = fields.String(allow_none=True, metadata={"description": "why it was ignored"})
    duplicates = fields.Integer(metadata={"description": "how often it came again"})
    deliveries = fields.List(fields.String(), metadata={"description": "their ids"})


class CountsSchema(ResponseSchema):
    waiting = fields.Integer()
    sending = fields.Integer()
    parked = fields.Integer()


class AccountSchema(ResponseSchema):
    id = fields.String()
    destination = fields.String()
    state = fields.String(validate=OneOf(["flowing", "circuit open", "paused"]))
    since = ResponseDateTime(allow_none=True)
    reason = fields.String(allow_none=True)
    failures = fields.Integer(metadata={"description": "in a row"})
    next_probe_at = ResponseDateTime(allow_none=True)
    deliveries = fields.Nested(CountsSchema)


class JobSchema(ResponseSchema):
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
    left_why = fields.Dict(attribute="skipped_reasons", keys=fields.String(), values=fields.Integer())
    created_at = ResponseDateTime()
    ended_at = ResponseDateTime(allow_none=True)


class RetryResultSchema(ResponseSchema):
    id = fields.String()
    done = fields.String(validate=OneOf(["queued", "left"]))
    why = fields.String()


class EventRetryResultSchema(ResponseSchema):
    deliveries = fields.List(fields.Nested(RetryResultSchema))


class ReceivedSchema(ResponseSchema):
    status = fields.String(validate=OneOf(["accepted", "duplicate", "ignored"]))
    event = fields.String(allow_none=True)


class HealthSchema(ResponseSchema):
    status = fields.String(validate=OneOf(["ok"]))


class EventPageSchema(ResponseSchema):
    items = fields.List(fields.Nested(EventSchema))
    next = fields.String(allow_none=True, metadata=CURSOR_METADATA)


class DeliveryPageSchema(ResponseSchema):
    items = fields.List(fields.Nested(DeliverySchema))
    next = fields.String(allow_none=True, metadata=CURSOR_METADATA)


class JobPageSchema(ResponseSchema):
    items = fields.List(fields.Nested(JobSchema))
    next = fields.String(allow_none=True, metadata=CURSOR_METADATA)


class AccountListSchema(ResponseSchema):
    items = fields.List(fields.Nested(AccountSchema))


DELIVERY_SCHEMA, DELIVERY_DETAIL_SCHEMA, ATTEMPT_SCHEMA, NOTE_SCHEMA = (
    DeliverySchema(),
    DeliveryDetailSchema(),
    AttemptSchema(),
    NoteSchema(),
)
EVENT_SCHEMA, ACCOUNT_SCHEMA, JOB_SCHEMA, RETRY_RESULT_SCHEMA = (
    EventSchema(),
    AccountSchema(),
    JobSchema(),
    RetryResultSchema(),
)
EXPLAINED_BODY_SCHEMA, PREVIEW_SCHEMA = ExplainedBodySchema(), PreviewSchema()
NO_DELIVERIES = {"waiting": 0, "sending": 0, "parked": 0}


def dump(schema: Schema, row: Any) -> dict[str, Any]:
    return cast(dict[str, Any], schema.dump(row))


def serialize_delivery(delivery: Delivery) -> dict[str, Any]:
    return dump(DELIVERY_SCHEMA, delivery)


def serialize_delivery_detail(runtime: Runtime, delivery: Delivery) -> dict[str, Any]:
    return {
        **dump(DELIVERY_DETAIL_SCHEMA, delivery),
        "attempt_log": [dump(ATTEMPT_SCHEMA, row) for row in list_attempts(runtime.database, delivery.id)],
        "notes": [dump(NOTE_SCHEMA, row) for row in list_notes(runtime.database, delivery.id)],
    }


def serialize_explained_body(explained: ExplainedMapping) -> dict[str, Any]:
    return dump(EXPLAINED_BODY_SCHEMA, explained)


def serialize_preview(preview: Preview) -> dict[str, Any]:
    return dump(PREVIEW_SCHEMA, preview)


def serialize_events(runtime: Runtime, events: Iterable[Event]) -> list[dict[str, Any]]:
    events = list(events)
    delivery_ids = delivery_ids_by_order(
        runtime.database,
        [(event.store, event.order_id) for event in events if event.order_id and event.status == "accepted"],
    )
    return [
        {
            **dump(EVENT_SCHEMA, event),
            "deliveries": [str(id_) for id_ in delivery_ids.get((event.store, event.order_id or ""), [])]
            if event.status == "accepted"
            else [],
        }
        for event in events
    ]


def serialize_retry_results(results: Iterable[RetriggerResult]) -> dict[str, Any]:
    return {"deliveries": [dump(RETRY_RESULT_SCHEMA, result) for result in results]}


def serialize_job(job: Job) -> dict[str, Any]:
    skipped_count = sum(job.skipped_reasons.values())
    filters = {name: list(map(str, value)) if name == "ids" else value for name, value in job.filters.items()}
    attributes = [field.attribute or name for name, field in JOB_SCHEMA.fields.items()]
    values = {name: getattr(job, name) for name in attributes if name not in ("filters", "done", "left")}
    return dump(JOB_SCHEMA, {**values, "filters": filters, "done": job.queued + skipped_count, "left": skipped_count})


def serialize_report(report: ReconciliationReport) -> dict[str, Any]:
    """What `reconcile` found: ids and order numbers, and nothing of what orders hold."""
    return {
        "days": [
            {
                "store": store,
                "day": day,
                "events": {name: counts[name] for name in ("accepted", "ignored", "duplicates")},
                "deliveries": {str(state): counts[state] for state in State},
                "differences": counts["differences"],
            }
            for (store, day), counts in sorted(report.days.items())
        ],
        "held": [
            {"account": account, "state": state, "waiting": waiting}
            for (account, state), waiting in sorted(report.held.items())
        ],
        "differences": [asdict(difference) | {"id": str(difference.id)} for difference in report.differences],
        "unlisted": report.total - len(report.differences),
    }


def serialize_accounts(runtime: Runtime) -> list[dict[str, Any]]:
    """Each configured account: whether it takes orders at present, why not, and how many lie there."""
    circuits, counts = read_circuits(runtime.database), count_open(runtime.database)
    return [
        serialize_account(account, circuits.get(account.id), counts.get(account.id, NO_DELIVERIES))
        for account in runtime.settings.accounts.values()
    ]


def serialize_account_by_id(runtime: Runtime, account_id: str) -> dict[str, Any]:
    return next(account for account in serialize_accounts(runtime) if account["id"] == account_id)


def serialize_account(account: Account, circuit: Circuit | None, counts: Mapping[str, int]) -> dict[str, Any]:
    account_values = {"id": account.id, "destination": account.destination, "deliveries": counts}
    return dump(ACCOUNT_SCHEMA, {**account_values, **circuit_status(circuit)})


def circuit_status(circuit: Circuit | None) -> dict[str, Any]:
    state = circuit_state(circuit)
    if circuit is None:
        return {"state": state, "since": None, "reason": None, "failures": 0, "next_probe_at": None}
    return {
        "state": state,
        "since": circuit.paused_at or circuit.opened_at,
        "reason": circuit.pause_reason if circuit.paused_at else circuit.reason,
        "failures": circuit.failures,
        "next_probe_at": circuit.probe_at if state is CircuitState.OPEN else None,
    }
