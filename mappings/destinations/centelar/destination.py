"""Centelar."""

from collections.abc import Mapping
from typing import Any

from mappings.contracts import load_contract
from mappings.destination import Destination, Outcome
from mappings.destinations.centelar.account import CentelarAccountSchema
from mappings.destinations.centelar.request import CentelarOrderRequest
from mappings.destinations.centelar.schema import CentelarOrderSchema


def classify_response(status: int, body: Any) -> Outcome | None:
    """Read Centelar's own word for no, which may come with a status that says yes."""
    # Unverified: the page shows `"success": true` alone.
    is_refusal = 200 <= status < 300 and isinstance(body, Mapping) and body.get("success") is False
    return Outcome.REFUSED if is_refusal else None


DESTINATION = Destination(
    name="centelar",
    schema_class=CentelarOrderSchema,
    contract=load_contract("centelar"),
    path="/api/v1.1/order",
    order_id_path="order_id",
    settings_schema_class=CentelarAccountSchema,
    sample_settings={
        "connection_id": 123,
        "charges": {"tip": "PROPINA", "fee": "RECARGO"},
        "payment_types": {"bacs": "promissory", "offline": "promissory"},
    },
    request_class=CentelarOrderRequest,
    query=lambda account: {"connection_id": str(account.connection_id)},
    required_details=lambda account: frozenset({"payments"}),
    order_reference_setting="ext_code",
    classify_response=classify_response,
)
