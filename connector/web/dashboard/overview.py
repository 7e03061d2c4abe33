"""The overview: whether orders flow, what is stuck and why, and the state of accounts and stores."""

from datetime import date, datetime, timedelta
from math import ceil
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import to_user_timezone

from connector.database.circuits import read_circuits
from connector.database.expiry import read_expiring
from connector.database.models import Circuit, State
from connector.database.stats import gauges
from connector.database.stats import overview as stats
from connector.operations.store_status import load_store_statuses
from connector.runtime import Runtime
from connector.serializers.accounts import circuit_status
from connector.web.context import get_runtime
from connector.web.dashboard.causes import describe_cause
from connector.web.dashboard.first_run import describe_first_run
from connector.web.dashboard.forms import InvalidFormError, midnight
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.outages import find_outages

#: Of the days that can be shown. The days before and after them can be computed.
FIRST_YEAR, LAST_YEAR = 1970, 9998

blueprint = Blueprint("overview", __name__)

#: The series of the chart, from the bottom up.
CHART_SERIES = {
    "delivered": (State.DELIVERED,),
    "in_progress": (State.WAITING, State.SENDING),
    "parked": (State.PARKED,),
    "discarded": (State.DISCARDED,),
}
#: Causes listed on the page.
MAX_CAUSES = 20


@blueprint.get("/")
def show() -> str:
    runtime = get_runtime()
    now = runtime.clock()
    today = to_user_timezone(now).date()
    day = parse_day(request.args.get("day"))
    period = (midnight(day), midnight(day + timedelta(days=1))) if day else last_hours(now)
    parked_counts = gauges.count_parked(runtime.database)
    stores = load_store_statuses(runtime)
    return render_template(
        "overview.html",
        chart=build_chart(runtime, *period),
        day=day,
        previous_day=(day or today) - timedelta(days=1),
        next_day=day + timedelta(days=1) if day and day < today else None,
        accounts=describe_accounts(runtime),
        stores=stores,
        outages=find_outages(runtime, stores),
        first_run=None if stats.has_events(runtime.database) else describe_first_run(runtime, stores),
        parked_counts=parked_counts,
        expiring=read_expiring(runtime.database) if parked_counts else [],
        oldest_waiting_at=stats.oldest_waiting(runtime.database),
        causes=describe_causes(runtime) if parked_counts else [],
        max_parked_per_reason=stats.MAX_PARKED_PER_REASON,
    )


def parse_day(text: str | None) -> date | None:
    """Return a date such as 2026-11-21. Raises `InvalidFormError`."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise ValueError(day.year)
    except ValueError as error:
        raise InvalidFormError(
            _("The field %(name)s must be a date such as %(example)s.", name="day", example="2026-11-21")
        ) from error
    return day


def last_hours(now: datetime) -> tuple[datetime, datetime]:
    """Return the current hour and the 23 before it."""
    until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return until - timedelta(hours=24), until


def build_chart(runtime: Runtime, since: datetime, until: datetime) -> dict[str, Any]:
    """Count the deliveries of a day by the hour of their first webhook and their current state.

    Returns:
        `hours` in Unix seconds, `series` and `totals` by name, and `rows` for the table below the chart. The totals
        agree with `connector reconcile`. A day has 23 or 25 hours when the clocks change.
    """
    first = since.replace(minute=0)  # some time zones are half an hour off
    hours = [first + timedelta(hours=offset) for offset in range(ceil((until - first) / timedelta(hours=1)))]
    counts = stats.count_by_hour(runtime.database, since, until)
    keys = [f"{hour:%Y-%m-%d %H}" for hour in hours]
    series = {
        name: [sum(counts[key, state] for state in states) for key in keys] for name, states in CHART_SERIES.items()
    }
    return {
        "hours": [int(hour.timestamp()) for hour in hours],
        "series": series,
        "totals": {name: sum(values) for name, values in series.items()},
        "rows": [{"at": hour, "counts": row} for hour, *row in zip(hours, *series.values(), strict=True)],
    }


def describe_causes(runtime: Runtime) -> list[tuple[stats.FailureGroup, str]]:
    """Return the largest groups of parked deliveries, each with its cause in the reader's language."""
    groups = stats.find_failure_groups(runtime.database)[:MAX_CAUSES]
    return [(group, describe_cause(runtime, group)) for group in groups]


def describe_accounts(runtime: Runtime) -> list[dict[str, Any]]:
    """Describe each configured account: its state, its waiting deliveries and its last delivery."""
    circuits = read_circuits(runtime.database)
    waiting, last_deliveries = gauges.count_waiting(runtime.database), stats.last_delivered(runtime.database)
    now = runtime.clock()
    return [
        {
            **circuit_status(circuits.get(account.id)),
            "id": account.id,
            "destination": account.destination,
            "state": account_state(circuits.get(account.id), now),
            "waiting": waiting.get(account.id),
            "last_delivered_at": last_deliveries.get(account.id),
        }
        for account in runtime.settings.accounts.values()
    ]


def account_state(circuit: Circuit | None, now: datetime) -> str:
    """Return "flowing", "throttled" (`rate_per_s` allows no order at the moment), "circuit open" or "paused"."""
    state: str = circuit_status(circuit)["state"]
    is_throttled = circuit is not None and circuit.next_slot_at is not None and circuit.next_slot_at > now
    return "throttled" if state == "flowing" and is_throttled else state
