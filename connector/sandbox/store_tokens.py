"""The access tokens that the fakes of the storefronts' APIs have issued."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

#: How a token that was issued here begins. Shopify's begin with "shpat_".
PREFIX = "shpat_sandbox_"
#: https://dev.nuvemshop.com.br/en/docs/erp-guide/authentication, read 2026-11-30.
CODE_LIFE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    storefront: str
    owner: str  # the app, and the shop if the app has several
    expires_at: datetime | None


class IssuedStoreTokens:
    """Thread-safe.

    Args:
        life_s: how long a token is valid, where tokens expire.
    """

    def __init__(self, *, life_s: float) -> None:
        self.life = timedelta(seconds=life_s)
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._tokens: dict[str, IssuedToken] = {}
        self._codes: dict[str, tuple[str, datetime]] = {}
        self._lock = threading.Lock()

    def issue(self, storefront: str, *, owner: str, expires: bool = True, replaces: bool = False) -> str:
        """Return a new token.

        Args:
            replaces: the owner's tokens from before are not valid any more.
        """
        token = PREFIX + secrets.token_hex(16)
        expires_at = self.clock() + self.life if expires else None
        with self._lock:
            if replaces:
                self._tokens = {
                    text: issued
                    for text, issued in self._tokens.items()
                    if (issued.storefront, issued.owner) != (storefront, owner)
                }
            self._tokens[token] = IssuedToken(storefront=storefront, owner=owner, expires_at=expires_at)
        return token

    def issue_code(self, owner: str) -> str:
        """Return a code that `redeem_code` takes once, within five minutes."""
        code = secrets.token_hex(20)
        with self._lock:
            self._codes[code] = (owner, self.clock() + CODE_LIFE)
        return code

    def redeem_code(self, code: str) -> str | None:
        """Return the owner that a code was issued for; None if it is not valid (any more)."""
        with self._lock:
            owner, expires_at = self._codes.pop(code, (None, None))
        return owner if expires_at is not None and self.clock() < expires_at else None

    def may_be_valid(self, storefront: str, token: str) -> bool:
        """Whether the token is valid, or was not issued here: any text counts as a token of the real platform."""
        if not token.startswith(PREFIX):
            return True
        with self._lock:
            issued = self._tokens.get(token)
        if issued is None or issued.storefront != storefront:
            return False
        return issued.expires_at is None or self.clock() < issued.expires_at

    def revoke(self, storefront: str) -> None:
        """End every token of a storefront."""
        with self._lock:
            self._tokens = {text: issued for text, issued in self._tokens.items() if issued.storefront != storefront}
