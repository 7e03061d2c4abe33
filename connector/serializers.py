"""JSON of events, deliveries, accounts and jobs, the same for the API and the command line.

Ids are strings and times RFC 3339 in UTC. The API documents its responses from these schemas.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from marshmallow import Schema, fields, post_dump, pre_dump
from marshmallow.validate import OneOf

from connector.core.fields import UTCDateTime
from connector.core.messages import render_code, render_stored
from connector.database.circuits import CircuitState, circuit_state, read_circuits
from connector.database.corrections import CorrectionResult, list_corrections
from connector.database.jobs import JobPlan
from connector.database.models import (
    Attempt,
    Circuit,
    Delivery,
    Event,
    EventSource,
    Job,
    JobAction,
    JobState,
    Note,
    OrderCorrection,
    Reason,
    State,
)
from connector.database.operator_actions import RetriggerResult
from connector.database.queries.deliveries import delivery_ids_by_order, list_attempts, list_notes
from connector.database.queries.job_results import JobResults, load_job_results
from connector.database.reconciliation.run import ReconciliationReport
from connector.database.stats.gauges import count_open
from connector.delivery.corrections import Corrections, find_correctable
from connector.delivery.preview import Preview
from connector.runtime import Runtime
from mappings.correctable_fields import render_field
from mappings.destination import Outcome
from mappings.preview.provenance import ExplainedMapping
from mappings.problems import load_problems, render_cause
from mappings.settings import Account

NO_DELIVERIES = {"waiting": 0, "sending": 0, "parked": 0}


class JsonBytes(fields.Raw):
    """A JSON document that is stored as bytes."""

    def _serialize(self, value: bytes | None, *args: Any, **kwargs: Any) -> Any:
        return json.loads(value) if value else None


class DecodedBytes(fields.String):
    """Bytes of any content, as text."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.decode(errors="replace")


class ProblemText(fields.String):
    """A problem as an English sentence."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else render_stored(value)


class CodeText(fields.String):
    """A message without params, of which only the code is stored, as an English sentence."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else render_code(value)


class NoteText(fields.String):
    """What happened, as an English sentence, and what a person wrote."""

    def _serialize(self, value: Any, attr: Any, obj: Note, **kwargs: Any) -> str:
        return ": ".join(text for text in (render_stored(obj.message), obj.text) if text)


class ResponseSchema(Schema):
    """Documents every field as always present, except those whose metadata says `optional`."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = not field_obj.metadata.get("optional", False)


class ExtendedRowSchema(ResponseSchema):
    """Dumps an object with a `row`: fields that the object itself lacks come from the row."""

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj if hasattr(obj, attr) else obj.row, attr, default)


class FieldLabel(fields.String):
    """What merchants call a field of an order, in English."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return render_field(value)


class CorrectableSchema(ResponseSchema):
    field = fields.String(metadata={"description": "name of the field, as `corrections` takes it"})
    label = FieldLabel(metadata={"description": "what merchants call it"})

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj, "field" if attr == "label" else attr, default)


class DeliverySchema(ResponseSchema):
    id = fields.String()
    event = fields.String(attribute="event_id", metadata={"description": "the newest event that was applied"})
    store = fields.String()
    account = fields.String()
    destination = fields.String()
    order_id = fields.String()
    order_number = fields.String(allow_none=True)
    state = fields.String(validate=OneOf(list(State)))
    reason = fields.String(allow_none=True, validate=OneOf([*Reason, None]))
    problems = fields.List(ProblemText())
    warnings = fields.List(ProblemText())
    correctable = fields.List(
        fields.Nested(CorrectableSchema),
        metadata={"description": "what can be entered to solve the problems, see `POST …/corrections`"},
    )
    attempts = fields.Integer(metadata={"description": "number of attempts"})
    next_attempt_at = UTCDateTime(attribute="due_at", allow_none=True)
    remote_id = fields.String(allow_none=True, metadata={"description": "the order's id at the destination"})
    created_at = UTCDateTime()
    updated_at = UTCDateTime()

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        if attr != "correctable":
            return super().get_attribute(obj, attr, default)
        problems = load_problems(super().get_attribute(obj, "problems", ()))
        return [{"field": name} for name in dict.fromkeys(name for problem in problems for name in problem.fields)]


class AttemptSchema(ResponseSchema):
    number = fields.Integer()
    started_at = UTCDateTime()
    duration_ms = fields.Integer(allow_none=True)
    manual = fields.Boolean(attribute="is_manual", metadata={"description": "whether an operator requested it"})
    outcome = fields.String(validate=OneOf([*Outcome, "sending"]))
    status = fields.Integer(allow_none=True, metadata={"description": "HTTP status of the response"})
    error = ProblemText(allow_none=True, metadata={"description": "what went wrong, as an English sentence"})
    reply = DecodedBytes(allow_none=True)


class NoteSchema(ResponseSchema):
    at = UTCDateTime()
    kind = fields.String()
    text = NoteText(metadata={"description": "what the person wrote; of an alert, what happened"})
    who = fields.String(allow_none=True)


class CorrectionSchema(CorrectableSchema):
    value = fields.String()
    entered_by = fields.String()
    entered_at = UTCDateTime()
    reason = fields.String(metadata={"description": "what the person wrote; may be empty"})


class CorrectableFieldSchema(CorrectableSchema):
    problem = ProblemText(metadata={"description": "what it solves, as an English sentence"})
    choices = fields.List(
        fields.String(), metadata={"description": "the values that it takes; empty if it takes any text"}
    )


class CorrectionsSchema(ResponseSchema):
    entered = fields.List(fields.Nested(CorrectionSchema), metadata={"description": "what was entered, and holds"})
    fields_ = fields.List(
        fields.Nested(CorrectableFieldSchema),
        attribute="correctable.fields",
        data_key="fields",
        metadata={"description": "what can be entered to solve the delivery's problems"},
    )
    readings = fields.List(
        fields.Dict(keys=fields.String(), values=fields.String()),
        metadata={"description": "the ways to read an ambiguous address: the fields to enter for each"},
    )


class CorrectionResultSchema(ResponseSchema):
    delivery = fields.Nested(DeliverySchema)
    queued = fields.Boolean(attribute="is_queued", metadata={"description": "whether the order is sent with it"})
    effect = ProblemText(metadata={"description": "what it means for the delivery, as an English sentence"})


class DeliveryDetailSchema(ExtendedRowSchema, DeliverySchema):
    idempotency_key = fields.String(allow_none=True)
    body = JsonBytes(allow_none=True, metadata={"description": "what is sent, or was sent last"})
    pruned_at = UTCDateTime(
        metadata={"optional": True, "description": "when the body and the replies were deleted; absent until then"}
    )
    attempt_log = fields.List(fields.Nested(AttemptSchema))
    notes = fields.List(fields.Nested(NoteSchema))

    @post_dump
    def drop_missing_pruned_at(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if name != "pruned_at" or value is not None}


class SourceSchema(ResponseSchema):
    part = fields.String(
        validate=OneOf(["order", "store", "account", "entered"]),
        metadata={"description": "where the value comes from"},
    )
    path = fields.String(
        metadata={"description": "in the order's payload, or the name of a setting, or of the field that was entered"}
    )
    entered_by = fields.String(
        allow_none=True,
        metadata={"description": "who entered this field, or this row of a lookup table; null for all else"},
    )


class OriginSchema(ResponseSchema):
    field = fields.String(metadata={"description": "path in the body"})
    label = fields.String(metadata={"description": "the field's name as a merchant knows it"})
    value = fields.Raw(allow_none=True)
    hub = fields.String()
    sources = fields.List(
        fields.Nested(SourceSchema), data_key="from", metadata={"description": "what the value is computed from"}
    )
    depends_on = fields.List(
        fields.Nested(SourceSchema), data_key="with", metadata={"description": "what else the value depends on"}
    )
    note = fields.String(allow_none=True, metadata={"description": "set when `from` is empty"})


class DifferenceSchema(ResponseSchema):
    field = fields.String()
    old = fields.Raw(allow_none=True)
    new = fields.Raw(allow_none=True)


class ExplainedBodySchema(ResponseSchema):
    body = fields.Dict(allow_none=True, metadata={"description": "null if problems prevent sending"})
    problems = fields.List(ProblemText())
    warnings = fields.List(ProblemText())
    origins = fields.List(fields.Nested(OriginSchema))


class PreviewSchema(ExplainedBodySchema):
    event = fields.String(attribute="event_id", metadata={"description": "the newest event of the order"})
    differences = fields.List(
        fields.Nested(DifferenceSchema),
        allow_none=True,
        metadata={"description": "changes since the body of the last attempt; null if one of the two is missing"},
    )


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


class CountsSchema(ResponseSchema):
    waiting = fields.Integer()
    sending = fields.Integer()
    parked = fields.Integer()


class AccountSchema(ResponseSchema):
    id = fields.String()
    destination = fields.String()
    state = fields.String(validate=OneOf(["flowing", "circuit open", "paused"]))
    since = UTCDateTime(allow_none=True)
    reason = ProblemText(
        allow_none=True,
        metadata={"description": "why the circuit is open, as an English sentence; who paused it, with their note"},
    )
    failures = fields.Integer(metadata={"description": "consecutive failures"})
    next_probe_at = UTCDateTime(allow_none=True)
    deliveries = fields.Nested(CountsSchema)


class OutcomeSchema(ResponseSchema):
    state = fields.String(validate=OneOf(list(State)))
    reason = fields.String(allow_none=True, validate=OneOf([*Reason, None]))
    count = fields.Integer()


class CauseText(fields.String):
    """A problem as an English sentence, without what its order says."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else render_cause(value)


class ParkedCauseSchema(ResponseSchema):
    reason = fields.String(validate=OneOf(list(Reason)))
    cause = CauseText(allow_none=True)
    count = fields.Integer()


class JobSchema(ResponseSchema):
    id = fields.String()
    action = fields.String(validate=OneOf(list(JobAction)))
    state = fields.String(validate=OneOf(list(JobState)))
    filters = fields.Dict()
    force = fields.Boolean()
    looked = fields.Boolean(metadata={"description": "whether uncertain deliveries are sent too"})
    note = fields.String(allow_none=True)
    who = fields.String()
    total = fields.Integer(metadata={"description": "deliveries that matched when the job was created"})
    done = fields.Integer(metadata={"description": "deliveries that the job has reached: `acted` and `left`"})
    acted = fields.Integer(metadata={"description": "deliveries that were queued, discarded or marked as delivered"})
    queued = fields.Integer(metadata={"description": "`acted` of a job that retriggers; else 0"})
    left = fields.Integer(metadata={"description": "deliveries that were left alone"})
    left_why = fields.Dict(
        attribute="skipped_reasons",
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "how many were left alone, by the English sentence that says why"},
    )
    created_at = UTCDateTime()
    ended_at = UTCDateTime(allow_none=True)

    @pre_dump
    def add_counts(self, job: Job, **_: Any) -> dict[str, Any]:
        return job_values(job)


def job_values(job: Job) -> dict[str, Any]:
    """Return the values of `JobSchema`."""
    skipped = sum(job.skipped_reasons.values())
    return {
        **job.model_dump(),
        "filters": {name: list(map(str, value)) if name == "ids" else value for name, value in job.filters.items()},
        "skipped_reasons": {render_code(code): count for code, count in job.skipped_reasons.items()},
        "done": job.acted + skipped,
        "queued": job.acted if job.action == JobAction.RETRIGGER else 0,
        "left": skipped,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetail:
    """A job with what came of it."""

    row: Job
    results: JobResults


class JobDetailSchema(JobSchema):
    outcomes = fields.List(
        fields.Nested(OutcomeSchema), metadata={"description": "the deliveries in `acted`, by their state now"}
    )
    parked_again = fields.List(
        fields.Nested(ParkedCauseSchema), metadata={"description": "those of them that are parked, by cause"}
    )

    @pre_dump
    def add_counts(self, detail: JobDetail, **_: Any) -> dict[str, Any]:
        results = detail.results
        return {
            **job_values(detail.row),
            "outcomes": [
                {"state": state, "reason": reason, "count": count}
                for (state, reason), count in results.outcomes.most_common()
            ],
            "parked_again": [
                {"reason": group.reason, "cause": group.problem or group.error, "count": group.count}
                for group in results.parked
            ],
        }


class JobPlanSchema(ResponseSchema):
    total = fields.Integer(metadata={"description": "deliveries that match now"})
    acted = fields.Integer(metadata={"description": "deliveries on which the action would be performed"})
    acted_why = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "the same, by what they are"}
    )
    left = fields.Integer(metadata={"description": "deliveries that would be left alone"})
    left_why = fields.Dict(keys=fields.String(), values=fields.Integer(), metadata={"description": "the same, by why"})

    @pre_dump
    def render(self, plan: JobPlan, **_: Any) -> dict[str, Any]:
        return {
            "total": plan.total,
            "acted": plan.acted.total(),
            "acted_why": {render_code(code): count for code, count in plan.acted.items()},
            "left": plan.left.total(),
            "left_why": {render_code(code): count for code, count in plan.left.items()},
        }


class SignatureFailuresSchema(ResponseSchema):
    count = fields.Integer()
    since = UTCDateTime()
    last_at = UTCDateTime()
    reason = CodeText(metadata={"description": "of the last one, as an English sentence"})


class StoreErrorsSchema(ResponseSchema):
    count = fields.Integer()
    since = UTCDateTime()
    last_at = UTCDateTime()
    meaning = CodeText(attribute="code", metadata={"description": "what it means, as an English sentence"})


class CatchUpSchema(ResponseSchema):
    requested_at = UTCDateTime(allow_none=True, metadata={"description": "of a request that has not begun"})
    started_at = UTCDateTime(allow_none=True, metadata={"description": "of the last reading"})
    finished_at = UTCDateTime(allow_none=True, metadata={"description": "of the last complete reading"})
    read_until = UTCDateTime(
        allow_none=True, metadata={"description": "every order that changed before this has been read"}
    )
    failures = fields.Integer(metadata={"description": "readings in a row that failed"})
    failed_since = UTCDateTime(allow_none=True)
    error = ProblemText(allow_none=True, metadata={"description": "why the last one failed, as an English sentence"})


class StoreWebhooksSchema(ResponseSchema):
    requested_at = UTCDateTime(allow_none=True, metadata={"description": "of a request that has not begun"})
    managed_since = UTCDateTime(
        allow_none=True, metadata={"description": "when the connector made them; null if a person did"}
    )
    checked_at = UTCDateTime(allow_none=True, metadata={"description": "when they were last read by the store's API"})
    failed_since = UTCDateTime(
        allow_none=True, metadata={"description": "the first check in a row with a problem or an error"}
    )
    problems = fields.List(ProblemText(), metadata={"description": "what is wrong with them, as English sentences"})
    error = ProblemText(allow_none=True, metadata={"description": "why they could not be read"})


class StoreTokenSchema(ResponseSchema):
    obtained_at = UTCDateTime()
    expires_at = UTCDateTime(allow_none=True, metadata={"description": "null if it does not expire"})


class StoreStatusSchema(ResponseSchema):
    name = fields.String(metadata={"description": "of its table in the configuration, and in its webhooks' address"})
    id = fields.String(attribute="store.id")
    storefront = fields.String(attribute="store.storefront")
    webhook_url = fields.String(
        allow_none=True, metadata={"description": "the address for its webhooks; null if `public_url` is not set"}
    )
    last_webhook_at = UTCDateTime(allow_none=True)
    silent = fields.Boolean(attribute="is_silent", metadata={"description": "no webhook for `silent_after_h`"})
    wrong_signatures = fields.Nested(SignatureFailuresSchema, attribute="signature_failures", allow_none=True)
    errors = fields.List(
        fields.Nested(StoreErrorsSchema), metadata={"description": "errors in place of orders, since the last order"}
    )
    has_api = fields.Boolean(
        attribute="store.has_api", metadata={"description": "whether the settings give access to its API"}
    )
    token = fields.Nested(
        StoreTokenSchema, allow_none=True, metadata={"description": "the token that the connector obtained"}
    )
    catch_up = fields.Nested(CatchUpSchema, attribute="reading", allow_none=True)
    next_reading_at = UTCDateTime(
        allow_none=True, metadata={"description": "when catch-up reads it again; null if only on request"}
    )
    orders_caught_up = fields.Integer(metadata={"description": "orders that catch-up took in within 24 hours"})
    lost_webhooks = fields.Integer(
        attribute="lost_orders", metadata={"description": "of them, those of which no webhook had come"}
    )
    webhooks = fields.Nested(StoreWebhooksSchema, allow_none=True)


class TableSummarySchema(ResponseSchema):
    account = fields.String()
    table = fields.String()
    kept_in = fields.String(
        allow_none=True, metadata={"description": "the file of the configuration's rows; null if it has none"}
    )
    configured = fields.Integer(metadata={"description": "rows of the configuration"})
    entered = fields.Integer(metadata={"description": "rows that people entered; they win"})
    waiting = fields.Integer(metadata={"description": "deliveries that are parked for a row of the table"})


class EnteredRowSchema(ResponseSchema):
    account = fields.String()
    table = fields.String()
    key = fields.String()
    value = fields.Raw(allow_none=True, metadata={"description": "as in the configuration"})
    entered_by = fields.String()
    entered_at = UTCDateTime()
    note = fields.String(allow_none=True)


class TableRowSchema(ResponseSchema):
    key = fields.String()
    value = fields.Raw(allow_none=True, metadata={"description": "the value in effect, as in the configuration"})
    configured_value = fields.Raw(
        allow_none=True, metadata={"description": "the configuration's value; null if it has none"}
    )
    entered_by = fields.String(
        attribute="entered.entered_by", allow_none=True, metadata={"description": "null: it is the configuration's row"}
    )
    entered_at = UTCDateTime(attribute="entered.entered_at", allow_none=True)
    note = fields.String(attribute="entered.note", allow_none=True)

    @post_dump
    def fill_missing(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: data.get(name) for name in self.fields}


class MissingRowSchema(ResponseSchema):
    account = fields.String()
    table = fields.String()
    keys = fields.List(fields.String(), metadata={"description": "the row may be under any of these"})
    deliveries = fields.Integer(metadata={"description": "how many wait for it"})
    newest_delivery = fields.String(metadata={"description": "the id of the newest of them"})


class RetryResultSchema(ResponseSchema):
    id = fields.String(allow_none=True, metadata={"description": "null if there is no delivery, and none was created"})
    account = fields.String()
    done = fields.String(validate=OneOf(["queued", "left"]))
    why = ProblemText(metadata={"description": "what it was, or why it was skipped, as an English sentence"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDetail:
    """A delivery with its attempts and notes."""

    row: Delivery
    attempt_log: list[Attempt]
    notes: list[Note]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionsDetail:
    """What was entered for a delivery's order, and what can be."""

    entered: list[OrderCorrection]
    correctable: Corrections

    @property
    def readings(self) -> list[dict[str, str]]:
        return [dict(reading) for reading in self.correctable.readings]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDetail:
    """An event with the ids of its deliveries."""

    row: Event
    delivery_ids: list[int]


def load_delivery_detail(runtime: Runtime, delivery: Delivery) -> DeliveryDetail:
    """Load the attempts and notes of a delivery."""
    return DeliveryDetail(
        row=delivery,
        attempt_log=list_attempts(runtime.database, delivery.id),
        notes=list_notes(runtime.database, delivery.id),
    )


def load_corrections_detail(runtime: Runtime, delivery: Delivery) -> CorrectionsDetail:
    return CorrectionsDetail(
        entered=list_corrections(runtime.database, delivery.store, delivery.order_id),
        correctable=find_correctable(runtime, delivery),
    )


def load_event_details(runtime: Runtime, events: Iterable[Event]) -> list[EventDetail]:
    """Load the delivery ids of each event. Ignored events have none."""
    events = list(events)
    orders = {
        event.id: (event.store, event.order_id) for event in events if event.order_id and event.status == "accepted"
    }
    ids_by_order = delivery_ids_by_order(runtime.database, orders.values())
    ids_by_event = {event_id: ids_by_order[order] for event_id, order in orders.items()}
    return [EventDetail(row=event, delivery_ids=ids_by_event.get(event.id, [])) for event in events]


def load_accounts(runtime: Runtime) -> list[dict[str, Any]]:
    """Load the status of each configured account and its number of open deliveries."""
    circuits, counts = read_circuits(runtime.database), count_open(runtime.database)
    return [
        account_status(account, circuits.get(account.id), counts.get(account.id, NO_DELIVERIES))
        for account in runtime.settings.accounts.values()
    ]


def account_status(account: Account, circuit: Circuit | None, counts: Mapping[str, int]) -> dict[str, Any]:
    """Return the values of `AccountSchema`. `counts` is the number of deliveries by open state."""
    return {
        "id": account.id,
        "destination": account.destination,
        "deliveries": counts,
        **circuit_status(circuit),
    }


def circuit_status(circuit: Circuit | None) -> dict[str, Any]:
    """Return `state`, `since`, `reason`, `failures` and `next_probe_at` of an account's circuit breaker.

    `reason` is a person's words if the account is paused, else a message as it is stored.
    """
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


def serialize_delivery(delivery: Delivery) -> dict[str, Any]:
    return cast(dict[str, Any], DeliverySchema().dump(delivery))


def serialize_delivery_detail(runtime: Runtime, delivery: Delivery) -> dict[str, Any]:
    return cast(dict[str, Any], DeliveryDetailSchema().dump(load_delivery_detail(runtime, delivery)))


def serialize_corrections(runtime: Runtime, delivery: Delivery) -> dict[str, Any]:
    return cast(dict[str, Any], CorrectionsSchema().dump(load_corrections_detail(runtime, delivery)))


def serialize_correction_result(result: CorrectionResult) -> dict[str, Any]:
    return cast(dict[str, Any], CorrectionResultSchema().dump(result))


def serialize_events(runtime: Runtime, events: Iterable[Event]) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], EventSchema(many=True).dump(load_event_details(runtime, events)))


def serialize_accounts(runtime: Runtime) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], AccountSchema(many=True).dump(load_accounts(runtime)))


def serialize_account_by_id(runtime: Runtime, account_id: str) -> dict[str, Any]:
    return next(account for account in serialize_accounts(runtime) if account["id"] == account_id)


def serialize_explained_body(explained: ExplainedMapping) -> dict[str, Any]:
    return cast(dict[str, Any], ExplainedBodySchema().dump(explained))


def serialize_preview(preview: Preview) -> dict[str, Any]:
    return cast(dict[str, Any], PreviewSchema().dump(preview))


def load_job_detail(runtime: Runtime, job: Job) -> JobDetail:
    """Load what came of a job."""
    return JobDetail(row=job, results=load_job_results(runtime.database, job))


def serialize_job(job: Job) -> dict[str, Any]:
    return cast(dict[str, Any], JobSchema().dump(job))


def serialize_job_detail(runtime: Runtime, job: Job) -> dict[str, Any]:
    return cast(dict[str, Any], JobDetailSchema().dump(load_job_detail(runtime, job)))


def serialize_job_plan(plan: JobPlan) -> dict[str, Any]:
    return cast(dict[str, Any], JobPlanSchema().dump(plan))


def serialize_retry_result(result: RetriggerResult) -> dict[str, Any]:
    return cast(dict[str, Any], RetryResultSchema().dump(result))


def serialize_report(report: ReconciliationReport) -> dict[str, Any]:
    """Return what `connector reconcile` prints: ids and order numbers, but no contents of orders."""
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
        "for_a_person": [{"account": account, "held": count} for account, count in sorted(report.for_a_person.items())],
        "differences": [
            asdict(difference) | {"id": str(difference.id), "what": render_stored(difference.what)}
            for difference in report.differences
        ],
        "unlisted": report.total - len(report.differences),
    }
