"""JSON of jobs: dry runs, progress and results."""

from dataclasses import dataclass
from typing import Any, cast

from marshmallow import fields, pre_dump
from marshmallow.validate import OneOf

from connector.core.fields import UTCDateTime
from connector.core.messages import render_code
from connector.database.jobs import JobPlan
from connector.database.models import Job, JobAction, JobState, Reason, State
from connector.database.queries.job_results import JobResults, load_job_results
from connector.runtime import Runtime
from connector.serializers.base import CauseText, ResponseSchema


class OutcomeSchema(ResponseSchema):
    state = fields.String(validate=OneOf(list(State)))
    reason = fields.String(allow_none=True, validate=OneOf([*Reason, None]))
    count = fields.Integer()


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
    left = fields.Integer(metadata={"description": "skipped deliveries"})
    left_why = fields.Dict(
        attribute="skipped_reasons",
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "how many were skipped, by the English sentence that says why"},
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
    """A job with its results."""

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
    left = fields.Integer(metadata={"description": "deliveries that would be skipped"})
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


def load_job_detail(runtime: Runtime, job: Job) -> JobDetail:
    """Load a job with its results."""
    return JobDetail(row=job, results=load_job_results(runtime.database, job))


def serialize_job(job: Job) -> dict[str, Any]:
    return cast(dict[str, Any], JobSchema().dump(job))


def serialize_job_detail(runtime: Runtime, job: Job) -> dict[str, Any]:
    return cast(dict[str, Any], JobDetailSchema().dump(load_job_detail(runtime, job)))


def serialize_job_plan(plan: JobPlan) -> dict[str, Any]:
    return cast(dict[str, Any], JobPlanSchema().dump(plan))
