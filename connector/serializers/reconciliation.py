"""JSON of the report of `connector reconcile`."""

from dataclasses import asdict
from typing import Any

from connector.core.messages import render_stored
from connector.database.models import State
from connector.database.reconciliation.run import ReconciliationReport


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
