"""Rate limits by key, with bounded memory."""

from connector.core import rate_limits
from connector.core.rate_limits import RateLimiter


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_each_key_has_a_limit_of_its_own_until_its_window_ends() -> None:
    clock = Clock()
    limiter = RateLimiter(2, 60, clock)
    assert [limiter.hit("a"), limiter.hit("a"), limiter.hit("a"), limiter.hit("b")] == [True, True, False, True]
    assert [limiter.allows("a"), limiter.allows("b")] == [False, True]
    clock.now += 59
    assert not limiter.hit("a")
    clock.now += 2
    assert [limiter.allows("a"), limiter.hit("a"), limiter.hit("a"), limiter.hit("a")] == [True, True, True, False]


def test_cleared_key_starts_again() -> None:
    limiter = RateLimiter(1, 60)
    limiter.hit("a", "b")
    limiter.clear("a", "b")
    assert limiter.hit("a", "b")


def test_strangers_cannot_fill_the_memory() -> None:
    limiter = RateLimiter(1, 3_600)
    for number in range(2 * rate_limits.SLOTS):
        limiter.hit(str(number))
    assert len(limiter._windows) <= rate_limits.SLOTS
