"""Events that a peer has sent or is sending, in Redis: for queues on Redis that do not recognise repeated events."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

#: Longer than a request takes. The lock of a process that dies expires.
LOCK_S = 30


class InProgressError(Exception):
    """Another worker is sending this event. Worth another attempt."""


class SentEvents:
    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url)

    @contextmanager
    def once(self, event_key: str) -> Iterator[bool]:
        """Yield whether the event is pending. If so, it is recorded as sent when the block ends without error."""
        lock = f"lock:{event_key}"
        if self._redis.exists(f"sent:{event_key}"):
            yield False
            return
        if not self._redis.set(lock, 1, nx=True, ex=LOCK_S):
            raise InProgressError(event_key)
        try:
            yield True
            self._redis.set(f"sent:{event_key}", 1)
        finally:
            self._redis.delete(lock)
