"""The limit of requests to Shopify and Tiendanube: a bucket that each request fills, and that leaks."""

import threading
from collections.abc import Callable
from math import ceil
from time import monotonic


class LeakyBucket:
    """Thread-safe."""

    def __init__(self, size: int, leak_per_s: float, clock: Callable[[], float] = monotonic) -> None:
        self.size = size
        self.leak_per_s = leak_per_s
        self._clock = clock
        self._lock = threading.Lock()
        self._level = 0.0
        self._measured_at = clock()

    def add(self) -> bool:
        """Count a request. Returns False, and does not count it, if the bucket is full."""
        with self._lock:
            self._leak()
            if self._level + 1 > self.size:
                return False
            self._level += 1
            return True

    @property
    def level(self) -> int:
        with self._lock:
            self._leak()
            return ceil(self._level)

    def _leak(self) -> None:
        now = self._clock()
        self._level = max(0.0, self._level - (now - self._measured_at) * self.leak_per_s)
        self._measured_at = now
