"""Everything that is kept about some orders, as one JSON document for the merchant."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from connector.database.erasure import record_export
from connector.database.queries.personal_data import OrderRows, PersonalRecords, iter_rows
from connector.privacy.records import Criterion, find_kept_records
from connector.runtime import Runtime

#: What the document says about itself.
DESCRIPTION = (
    "Everything that the connector keeps about these orders. The destinations and the storefronts keep their own data."
)


def export_criterion(runtime: Runtime, criterion: Criterion, *, actor: str) -> dict[str, Any]:
    """Find and return everything that is kept. Raises `InvalidRequestError`, `NotFoundError`."""
    return export_records(runtime, find_kept_records(runtime, criterion), asdict(criterion), actor=actor)


def export_records(
    runtime: Runtime, records: PersonalRecords, criterion: Mapping[str, Any], *, actor: str
) -> dict[str, Any]:
    """Return everything that is kept, as values for JSON, and record who exported it.

    Args:
        criterion: by what the records were found, such as `{"order": "1001"}`.
    """
    record_export(runtime.database, actor=actor, orders=records.count)
    runtime.log.info("personal_data_exported", who=actor, orders=records.count)
    return {
        "description": DESCRIPTION,
        "exported_at": runtime.clock().isoformat(),
        "searched_for": {name: value for name, value in criterion.items() if value is not None},
        "orders": [export_order(rows) for rows in iter_rows(runtime.database, records)],
    }


def export_order(rows: OrderRows) -> dict[str, Any]:
    return {
        "store": rows.store,
        "order_id": rows.order_id,
        "order_number": rows.order_number,
        "events": [export_row(event) for event in rows.events],
        "deliveries": [
            {
                **export_row(delivery),
                "attempts": [export_row(row) for row in rows.attempts if row.delivery_id == delivery.id],
                "notes": [export_row(row) for row in rows.notes if row.delivery_id == delivery.id],
            }
            for delivery in rows.deliveries
        ],
        "corrections": [export_row(correction) for correction in rows.corrections],
    }


def export_row(row: Any) -> dict[str, Any]:
    """All columns of a row, as values for JSON."""
    return {name: export_value(value) for name, value in row.model_dump().items()}


def export_value(value: Any) -> Any:
    """A time as RFC 3339, a JSON text as its value, another text as it is."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
        try:
            return json.loads(text)
        except ValueError:
            return text
    return value
