"""Limits how often something may happen, in one process. The memory is bounded, whatever keys strangers choose."""

import threading
from collections.abc import Callable
from time import monotonic

#: Keys share this many counters. Python hashes texts with a secret of the process, so nobody can aim at a counter.
SLOTS = 2**16


class RateLimiter:
    """Allows `count` events for each key within `window_s` from the first. Thread-safe."""

    def __init__(self, count: int, window_s: float, clock: Callable[[], float] = monotonic) -> None:
        self.count = count
        self.window_s = window_s
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[int, tuple[float, int]] = {}  # by slot: when the window ends, and the events in it

    def hit(self, *key: str) -> bool:
        """Count an event. Returns False if there were too many before it."""
        with self._lock:
            ends_at, count = self._window(key)
            self._windows[self._slot(key)] = (ends_at, count + 1)
        return count < self.count

    def allows(self, *key: str) -> bool:
        """Return whether another event may happen, without counting one."""
        with self._lock:
            return self._window(key)[1] < self.count

    def clear(self, *key: str) -> None:
        with self._lock:
            self._windows.pop(self._slot(key), None)

    def _slot(self, key: tuple[str, ...]) -> int:
        return hash(key) % SLOTS

    def _window(self, key: tuple[str, ...]) -> tuple[float, int]:
        now = self._clock()
        ends_at, count = self._windows.get(self._slot(key), (0.0, 0))
        return (ends_at, count) if ends_at > now else (now + self.window_s, 0)
