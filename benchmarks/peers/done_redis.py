"""What a peer has done, and what it is doing, in Redis: for queues on it that do not know an event that comes again."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

#: Longer than a post may take, so that a process that dies with an event does not keep it for ever.
LOCK_S = 30


class AtWorkError(Exception):
    """Another worker has this event in hand: to be tried again."""


class Done:
    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url)

    @contextmanager
    def once(self, event_key: str) -> Iterator[bool]:
        """Whether the event is still to be done; if so, it is noted as done when the block ends well."""
        lock = f"lock:{event_key}"
        if self._redis.exists(f"done:{event_key}"):
            yield False
            return
        if not self._redis.set(lock, 1, nx=True, ex=LOCK_S):
            raise AtWorkError(event_key)
        try:
            yield True
            self._redis.set(f"done:{event_key}", 1)
        finally:
            self._redis.delete(lock)
