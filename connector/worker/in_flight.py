"""The claimed deliveries that a worker's threads are working on."""

from collections import Counter
from concurrent.futures import Future, wait

from connector.database.claims import ClaimedDelivery


class InFlight:
    """Thread-safe. A delivery that only has its outcome left to record no longer counts against its account's limit."""

    def __init__(self) -> None:
        self._claimed: dict[int, tuple[ClaimedDelivery, Future[None]]] = {}  # by delivery id
        self._recording: set[int] = set()  # delivery ids

    def __len__(self) -> int:
        return len(self._claimed)

    def ids(self) -> set[int]:
        return set(self._claimed)

    def add(self, claimed: ClaimedDelivery, future: Future[None]) -> None:
        self._claimed[claimed.delivery.id] = claimed, future

    def remove(self, claimed: ClaimedDelivery) -> None:
        self._claimed.pop(claimed.delivery.id, None)
        self._recording.discard(claimed.delivery.id)

    def mark_recording(self, claimed: ClaimedDelivery) -> None:
        self._recording.add(claimed.delivery.id)

    def count_by_account(self) -> tuple[Counter[str], Counter[str]]:
        """Return how many deliveries of each account are waiting for a response, and how many are being recorded."""
        sending: Counter[str] = Counter()
        recording: Counter[str] = Counter()
        for id_, (claimed, _) in list(self._claimed.items()):
            counts = recording if id_ in self._recording else sending
            counts[claimed.delivery.account] += 1
        return sending, recording

    def wait(self, timeout_s: float) -> None:
        """Wait until all are done, or the time is up."""
        wait([future for _, future in list(self._claimed.values())], timeout=timeout_s)
