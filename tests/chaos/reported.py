"""Events, deliveries and attempts as the connector reports them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedEvent:
    id: str
    store: str
    order_id: str | None
    topics: list[str]
    source: str  # "webhook" or "catch-up"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedDelivery:
    """A delivery as reported."""

    id: str
    store: str
    account: str
    destination: str
    order_id: str
    state: str
    reason: str | None
    remote_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedAttempt:
    started_at: float  # seconds of the machine's clock
    duration_s: float | None  # None: never recorded
    outcome: str
