"""What a worker does periodically besides delivering."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic


@dataclass(slots=True, kw_only=True)
class Duty:
    """A function to run at intervals.

    Args:
        run: returns whether more is left to do. Then it runs again after `busy_interval_s`.
    """

    run: Callable[[], bool]
    interval_s: float
    busy_interval_s: float = 0.0
    next_run: float = 0.0  # monotonic

    def run_if_due(self) -> None:
        if monotonic() < self.next_run:
            return
        self.next_run = monotonic() + self.interval_s  # also if it raises
        if self.run():
            self.next_run = monotonic() + self.busy_interval_s
