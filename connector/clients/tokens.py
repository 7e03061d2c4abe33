"""Gets an account's Bearer: the standing one, or a short-lived token that its API key is exchanged for."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import jwt

from connector.clients.http import Client
from connector.core.http_result import HttpResult
from mappings.destination import Destination, TokenExchange
from mappings.payload_paths import get_path
from mappings.settings import Account

#: A token is not used in the last seconds of its life: it must outlast the attempt.
REFRESH_MARGIN_S = 30
#: How long a token without a readable end is kept.
DEFAULT_LIFETIME_S = 300


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    expires_at: datetime


class TokenProvider:
    """The Bearer of one account. One exchange serves all threads; nothing is written down."""

    def __init__(
        self, client: Client, account: Account, destination: Destination[Any], clock: Callable[[], datetime]
    ) -> None:
        self.client = client
        self.account = account
        self.destination = destination
        self.clock = clock
        self._token: Token | None = None
        self._failure: tuple[float, HttpResult] | None = (
            None  # when the last exchange ended that failed, and its answer
        )
        self._lock = threading.Lock()

    @property
    def can_refresh(self) -> bool:
        return self.destination.token_exchange is not None and self._api_key is not None

    @property
    def _api_key(self) -> str | None:
        return self.destination.api_key(self.account)

    def bearer(self) -> str | HttpResult | None:
        """The text to send as Bearer; None where there is none to send; the `Answer` of an exchange that failed."""
        exchange = self.destination.token_exchange
        if exchange is None or self._api_key is None:
            return self.destination.bearer_token(self.account)
        requested_at = monotonic()
        with self._lock:
            if self._failure and self._failure[0] > requested_at:  # it failed for all who waited for it
                return self._failure[1]
            if self._token is None or self._token.expires_at <= self.clock() + timedelta(seconds=REFRESH_MARGIN_S):
                exchanged = self._exchange(exchange)
                if isinstance(exchanged, HttpResult):
                    self._failure = (monotonic(), exchanged)
                    return exchanged
                self._token = exchanged
            return self._token.text

    def invalidate(self, text: str) -> None:
        """Drop a token that the destination no longer takes, unless another thread has replaced it already."""
        with self._lock:
            if self._token is not None and self._token.text == text:
                self._token = None

    def _exchange(self, exchange: TokenExchange) -> Token | HttpResult:
        headers = {exchange.key_header: self._api_key or ""}
        result = self.client.request("POST", exchange.path, headers=headers, timeout_s=self.account.timeout_s)
        text = get_path(result.parse_json(), exchange.token_path)
        is_usable = isinstance(text, str) and text.isascii() and text.isprintable() and text
        if result.status is not None and 200 <= result.status < 300 and is_usable:
            return Token(text, token_expiry(text, self.clock()))
        return result


def token_expiry(token: str, now: datetime) -> datetime:
    """When a JWT ends by its `exp`. It is read without checking its signature: the destination does that."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError, OSError):
        return now + timedelta(seconds=DEFAULT_LIFETIME_S)
