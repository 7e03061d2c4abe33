"""How a person finds an order at its destination, and how long to wait before concluding that it is not there."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import format_datetime

from connector.database.models import Attempt, Delivery
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import translate_text
from mappings import DESTINATIONS
from mappings.destination import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SentAttempt:
    """An attempt that may have been processed. `local_time` is the destination's."""

    attempt: Attempt
    local_time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSearch:
    """How to find an order at its destination, and how long to wait before concluding that it is not there.

    Args:
        clues: (label, value as it was sent). Empty if the body was deleted because of its age.
    """

    panel: str
    clues: list[tuple[str, str]]
    attempts: list[SentAttempt]
    absent_after: datetime
    is_settled: bool  # `absent_after` has passed


def build_search(delivery: Delivery, attempts: Sequence[Attempt], *, now: datetime) -> OrderSearch | None:
    """Return what to search for at the destination. None if no attempt ended without a clear response."""
    destination = DESTINATIONS.get(delivery.destination)
    sent = [attempt for attempt in attempts if attempt.outcome in (Outcome.AMBIGUOUS, Outcome.CONFLICT)]
    if destination is None or not sent:
        return None
    advice = destination.advice
    clues = destination.find_clues(json.loads(delivery.body)) if delivery.body else []
    key = [(_("Idempotency key"), delivery.idempotency_key)] if delivery.idempotency_key else []
    absent_after = end_of(sent[-1]) + timedelta(minutes=advice.settle_min)
    return OrderSearch(
        panel=translate_text(advice.panel),
        clues=[*((translate_text(clue.label), clue.value) for clue in clues), *key],
        attempts=[
            SentAttempt(
                attempt=attempt, local_time=format_local(attempt.started_at, advice.time_zone, advice.time_zone_label)
            )
            for attempt in sent
        ],
        absent_after=absent_after,
        is_settled=absent_after <= now,
    )


def end_of(attempt: Attempt) -> datetime:
    return attempt.started_at + timedelta(milliseconds=attempt.duration_ms or 0)


def format_local(at: datetime, time_zone: str, label: str) -> str:
    """Return “21 Nov 2026 14:03:22 (Mexico City time)”."""
    local = format_datetime(at.astimezone(ZoneInfo(time_zone)), "d MMM yyyy HH:mm:ss", rebase=False)
    return f"{local} ({translate_text(label)})"
