"""A delivery at any destination, in any state, by changing its row."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert

from connector.database.models import REASONS_BY_STATE, Attempt, Delivery, State
from mappings.problems import Problem
from tests.support.mapping_cases import SAMPLES, build_body, parse_order
from tests.support.orders import shopify_order
from tests.support.rows import execute_statements, update_row
from tests.support.service import Service

#: The account of each destination.
ACCOUNTS = {"rayo": "bodega", "lapyme": "erp", "centelar": "hub"}
CENTELAR_ACCOUNT = """
[accounts.hub]
destination = "centelar"
base_url = "http://127.0.0.1:9"
connection_id = 7
"""
STATES = [(state, reason) for state in State for reason in REASONS_BY_STATE[state]]
BODIES = {
    "rayo": build_body(parse_order("shopify", SAMPLES["shopify_mx"]), "rayo").bytes,
    "lapyme": build_body(parse_order("shopify", SAMPLES["shopify_ar"]), "lapyme").bytes,
    "centelar": build_body(parse_order("shopify", SAMPLES["shopify_ar"]), "centelar").bytes,
}


def place_delivery(
    service: Service, destination: str, state: str, reason: str | None, *, outcome: str = "ambiguous", **values: Any
) -> None:
    """Make delivery 1 one of this destination and state, whose only attempt ended so a minute ago."""
    if not service.deliveries():
        service.post_shopify(shopify_order(1))
    row: dict[str, Any] = {
        "destination": destination,
        "account": ACCOUNTS[destination],
        "state": state,
        "reason": reason,
        "problems": [Problem(code="test_order").to_json()] if reason in ("unmappable", "held") else [],
        "body": BODIES[destination],
        "idempotency_key": "order:tienda-mx:1:r1" if destination == "lapyme" else None,
        "attempts": 1,
        **values,
    }
    attempt = {
        "delivery_id": 1,
        "number": 1,
        "started_at": service.clock() - timedelta(minutes=1),
        "is_manual": False,
        "outcome": outcome,
    }
    execute_statements(service, update_row(Delivery, 1, **row), delete(Attempt), insert(Attempt).values(**attempt))
