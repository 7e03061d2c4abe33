"""Starts jobs and processes them, as the worker does."""

from typing import Any

from connector.database.jobs import JobRequest
from connector.database.models import Job, JobAction
from connector.database.queries.deliveries import DeliveryFilter
from connector.operations import jobs
from tests.support.service import Service


def start_job(
    service: Service,
    delivery_filter: DeliveryFilter | None = None,
    *,
    action: JobAction = JobAction.RETRIGGER,
    **options: Any,
) -> Job:
    """Start a job of ana's, by default for everything that is parked."""
    selected = delivery_filter or DeliveryFilter(state="parked")
    return jobs.start_job(service.runtime, selected, JobRequest(action=action, actor="ana", **options))


def process_jobs(service: Service, size: int = 50) -> None:
    while jobs.advance_jobs(service.runtime, size=size):
        pass
