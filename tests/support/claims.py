"""Claims and attempts made directly by tests."""

from connector.database.attempts import SendStart, mark_sending
from connector.database.claims import (
    ClaimedDelivery,
    Limit,
    claim_deliveries,
    ensure_circuits,
)
from tests.support.service import Service

LEASE_S = 60.0


def claim(service: Service, name: str, *, concurrency: int = 10) -> list[ClaimedDelivery]:
    limits = {account: Limit(concurrency) for account in ("bodega", "erp")}
    ensure_circuits(service.database, limits)
    return claim_deliveries(service.database, worker_id=name, limits=limits, lease_s=LEASE_S)


def start_sending(service: Service, claimed: ClaimedDelivery) -> bool:
    key = "key" if claimed.delivery.destination == "lapyme" else None
    mark = SendStart(
        delivery=claimed.delivery,
        body=b'{"a": 1}',
        idempotency_key=key,
        warnings=[],
        circuits=("erp",),
        lease_s=LEASE_S,
        generation=service.database.generation,
    )
    return mark_sending(service.database, mark)
