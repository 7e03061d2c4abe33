"""The first page: are orders flowing, what is stuck, why, and where to click."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, render_template, request

from connector.core.exceptions import InvalidRequestError
from connector.database.models import Circuit, State
from connector.database.queries.lookups import all_circuits
from connector.database.stats import overview as counts
from connector.runtime import Runtime
from connector.web.api.responses import circuit_status
from connector.web.context import get_runtime

blueprint = Blueprint("overview", __name__)

#: The chart's parts, from the bottom up.
CHART_SERIES = {
    "delivered": (State.DELIVERED,),
    "on its way": (State.WAITING, State.SENDING),
    "parked": (State.PARKED,),
    "discarded": (State.DISCARDED,),
}


@blueprint.get("/")
def show() -> str:
    runtime = get_runtime()
    day = parse_day(request.args.get("day"))
    now = runtime.clock()
    since = day or now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    parked = counts.count_parked(runtime.database)
    return render_template(
        "overview.html",
        chart=build_chart(runtime, since),
        day=day,
        day_before=(day or now.replace(hour=0)) - timedelta(days=1),
        day_after=day + timedelta(days=1) if day and day + timedelta(days=1) <= now else None,
        accounts=describe_accounts(runtime),
        stores=describe_stores(runtime),
        parked=parked,
        oldest=counts.oldest_waiting(runtime.database),
        causes=counts.find_failure_groups(runtime.database) if parked else [],
        most_looked_at=counts.MAX_PARKED_PER_REASON,
    )


def parse_day(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidRequestError("`day` must be a date such as 2026-11-21") from error


def build_chart(runtime: Runtime, since: datetime) -> dict[str, Any]:
    """Orders of 24 hours by when they came and the state that they are in now: what `reconcile` counts by day."""
    hours = [since + timedelta(hours=offset) for offset in range(24)]
    counts_by_hour = counts.count_by_hour(runtime.database, since, since + timedelta(hours=24))
    keys = [f"{hour:%Y-%m-%d %H}" for hour in hours]
    series = {
        name: [sum(counts_by_hour[key, state] for state in states) for key in keys]
        for name, states in CHART_SERIES.items()
    }
    totals = {name: sum(values) for name, values in series.items()}
    rows = [{"at": hour, "counts": hour_counts} for hour, *hour_counts in zip(hours, *series.values(), strict=True)]
    return {"hours": [int(hour.timestamp()) for hour in hours], "series": series, "totals": totals, "rows": rows}


def describe_accounts(runtime: Runtime) -> list[dict[str, Any]]:
    """Each account: whether it takes orders, what waits for it, and when it last took one."""
    circuits = all_circuits(runtime.database)
    waiting, last_delivery_times = counts.count_waiting(runtime.database), counts.last_delivered(runtime.database)
    now = runtime.clock()
    return [
        {
            **circuit_status(circuits.get(account.id)),
            "id": account.id,
            "destination": account.destination,
            "flow": account_flow(circuits.get(account.id), now),
            "circuit": circuits.get(account.id),
            "waiting": waiting.get(account.id),
            "last_delivered": last_delivery_times.get(account.id),
        }
        for account in runtime.settings.accounts.values()
    ]


def account_flow(circuit: Circuit | None, now: datetime) -> str:
    """In one word; `throttled`: its rate is used up for the coming second and more."""
    flow: str = circuit_status(circuit)["state"]
    is_throttled = circuit is not None and circuit.next_slot_at is not None and circuit.next_slot_at > now
    return "throttled" if flow == "flowing" and is_throttled else flow


def describe_stores(runtime: Runtime) -> list[dict[str, Any]]:
    """Each store: its last webhook, whether it is silent as the alerts have it, and whether its API is well."""
    stores, alerts = runtime.settings.stores.values(), runtime.settings.alerts
    last_webhooks = counts.last_webhook_by_store(runtime.database, [store.id for store in stores])
    circuits = all_circuits(runtime.database)
    now = runtime.clock()
    rows = []
    for store in stores:
        last_webhook_at = last_webhooks[store.id]
        hours = alerts.silent_after_h_by_store.get(store.id, alerts.silent_after_h)
        is_silent = last_webhook_at is None or now - last_webhook_at > timedelta(hours=hours)
        circuit = circuits.get(f"store:{store.id}")
        rows.append(
            {
                "id": store.id,
                "name": store.name,
                "storefront": store.storefront,
                "last": last_webhook_at,
                "is_silent": is_silent,
                "api": circuit if circuit and circuit.opened_at else None,
            }
        )
    return rows
