"""What is said of deliveries and attempts, as far as it is compared with what happened. Values alone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is said of one delivery."""

    id: str
    store: str
    account: str
    destination: str
    order_id: str
    state: str
    reason: str | None
    remote_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAttempt:
    started_at: float  # seconds of the machine's clock
    duration_s: float | None  # None: its process never said
    outcome: str
