"""Finds the injected failure that explains an ambiguous attempt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from connector.sandbox.state import SeenRequest
from tests.chaos.acts import TOUCHES_ATTEMPTS, Incident
from tests.chaos.plan import Act
from tests.chaos.reported import ReportedAttempt
from tests.chaos.shops import MARK

#: Faults that leave a request without a conclusive response.
AMBIGUOUS = {"drop_after_reading", "process_then_drop", "garbage", "garbage_json", "cut_body", "slow_drip", "latency"}
#: Between the clocks' readings of the driver and of the processes that it hits.
SLACK_S = 0.25
#: An attempt's start is noted before it waits for the database's write lock, which may take so long.
MAX_LOCK_WAIT_S = 8.0
#: From its answer to the end of its record, on a machine that is busy.
MAX_RECORD_S = 4.0


@dataclass(slots=True, kw_only=True)
class Causes:
    """All causes of ambiguous attempts. A request dropped unread names no order, so each explains one attempt."""

    incidents: Sequence[Incident]
    timeout_s: float
    by_order: dict[tuple[str, int], list[SeenRequest]] = field(default_factory=dict)
    unread: list[SeenRequest] = field(default_factory=list)

    def note(self, requests: Iterable[SeenRequest]) -> None:
        for request in requests:
            if request.why == "drop_unread":
                self.unread.append(request)
            elif request.body is not None and (mark := MARK.search(request.body)):
                self.by_order.setdefault((request.destination, int(mark[1])), []).append(request)

    def find(self, destination: str, number: int, attempt: ReportedAttempt) -> str | None:
        """Return the cause of the ambiguous attempt, or None."""
        began_at = attempt.started_at - SLACK_S
        for request in self.by_order.get((destination, number), []):
            if began_at <= request.received_at.timestamp() <= self._ends_at(attempt) and is_ambiguous(request):
                return str(request.why)
        for incident in self.incidents:
            if incident.act in TOUCHES_ATTEMPTS and self._is_hit(attempt, incident):
                return str(incident.act)
        for request in self.unread:
            if request.destination == destination and began_at <= request.received_at.timestamp() <= self._ends_at(
                attempt
            ):
                self.unread.remove(request)
                return "drop_unread"
        if attempt.duration_s is not None and attempt.duration_s >= self.timeout_s:
            return "no answer in time"  # the machine was too slow: true of the attempt, whoever is to blame
        return None

    def was_refused(self, destination: str, number: int) -> bool:
        """Return whether the destination ever refused the order for good."""
        return any(
            request.outcome == "refused" and not is_ambiguous(request)
            for request in self.by_order.get((destination, number), [])
        )

    def _ends_at(self, attempt: ReportedAttempt) -> float:
        lasted_s = self.timeout_s if attempt.duration_s is None else attempt.duration_s
        return attempt.started_at + MAX_LOCK_WAIT_S + lasted_s + MAX_RECORD_S

    def _is_hit(self, attempt: ReportedAttempt, incident: Incident) -> bool:
        """Return whether the incident happened during the attempt. A killed process records no duration."""
        is_kill = incident.act in (Act.KILL_WORKER, Act.KILL_ALL)
        if is_kill and attempt.duration_s is not None:
            return False
        return attempt.started_at - SLACK_S <= incident.ended_at and incident.began_at <= self._ends_at(attempt)


def is_ambiguous(request: SeenRequest) -> bool:
    kind, _, status = (request.why or "").partition(" ")
    if kind == "status":  # 503 too: it may come from a gateway that gave up waiting
        return int(status) >= 500 or int(status) == 409
    return kind in AMBIGUOUS or kind == "process_then_status"
