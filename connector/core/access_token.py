"""An access token to a store's API, and when it is renewed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

#: How long before it expires a token is renewed.
RENEW_BEFORE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    text: str = field(repr=False)
    obtained_at: datetime
    expires_at: datetime | None = None  # None: it does not expire

    @property
    def renew_at(self) -> datetime | None:
        """Five minutes before it expires, but not in the first half of its life."""
        if self.expires_at is None:
            return None
        return self.expires_at - min(RENEW_BEFORE, (self.expires_at - self.obtained_at) / 2)

    def is_fresh(self, now: datetime) -> bool:
        """Whether it need not be renewed yet."""
        return self.renew_at is None or now < self.renew_at

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at
