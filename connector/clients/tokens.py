"""Gets an account's Bearer token: the configured one, or a short-lived token exchanged for its API key."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import jwt

from connector.clients.http import Client, RequestFailedError
from mappings.destination import Destination, TokenExchange
from mappings.payload_paths import get_path
from mappings.settings import Account

#: A token that expires sooner than this is refreshed, so that it outlasts the attempt.
REFRESH_MARGIN_S = 30
#: How long a token without a readable `exp` is used.
DEFAULT_LIFETIME_S = 300


class TokenError(RequestFailedError):
    """The exchange of the API key for a token failed."""


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    expires_at: datetime


class TokenProvider:
    """The Bearer token of one account, shared by all threads and kept in memory only."""

    def __init__(
        self, client: Client, account: Account, destination: Destination[Any], clock: Callable[[], datetime]
    ) -> None:
        self.client = client
        self.account = account
        self.destination = destination
        self.clock = clock
        self._token: Token | None = None
        self._failure: tuple[float, TokenError] | None = None  # the last failed exchange, and its end (monotonic)
        self._lock = threading.Lock()

    @property
    def can_refresh(self) -> bool:
        return self.destination.token_exchange is not None and self._api_key is not None

    @property
    def _api_key(self) -> str | None:
        return self.destination.api_key(self.account)

    def bearer(self) -> str | None:
        """Return the token to send; None if the account sends none. Raises `TokenError`."""
        exchange = self.destination.token_exchange
        if exchange is None or self._api_key is None:
            return self.destination.bearer_token(self.account)
        requested_at = monotonic()
        with self._lock:
            if self._failure and self._failure[0] > requested_at:  # it failed for everyone who waited for it
                raise TokenError(str(self._failure[1]), self._failure[1].result)
            if self._token is None or self._token.expires_at <= self.clock() + timedelta(seconds=REFRESH_MARGIN_S):
                try:
                    self._token = self._exchange(exchange)
                except TokenError as error:
                    self._failure = (monotonic(), error)
                    raise
            return self._token.text

    def invalidate(self, text: str) -> None:
        """Drop a token that the destination rejected, unless another thread has already replaced it."""
        with self._lock:
            if self._token is not None and self._token.text == text:
                self._token = None

    def _exchange(self, exchange: TokenExchange) -> Token:
        headers = {exchange.key_header: self._api_key or ""}
        result = self.client.request("POST", exchange.path, headers=headers, timeout_s=self.account.timeout_s)
        text = get_path(result.parse_json(), exchange.token_path)
        is_usable = isinstance(text, str) and text.isascii() and text.isprintable() and text
        if not (result.is_success and is_usable):
            raise TokenError("the API key could not be exchanged for a token", result)
        return Token(text, token_expiry(text, self.clock()))


def token_expiry(token: str, now: datetime) -> datetime:
    """Return when a JWT expires by its `exp`. Its signature is not checked: the destination does that."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError, OSError):
        return now + timedelta(seconds=DEFAULT_LIFETIME_S)
