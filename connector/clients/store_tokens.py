"""Gets the access token of a store's API: the configured one, or one that the store's app obtains.

An obtained token is renewed before it expires. All threads share it and, through a vault, all processes.
"""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any, Protocol
from urllib.parse import urlencode

from connector.clients.http import Client, RequestFailedError
from connector.core.access_token import AccessToken
from connector.core.http_result import HttpResult
from connector.core.messages import build_message
from connector.observability.logs import get_logger
from mappings.access_tokens import TokenGrant, TokenRequest, parse_grant
from mappings.problems import Problem
from mappings.settings import Store
from mappings.storefront import Storefront

#: How long an exchange may take. A vault's lock lasts longer.
EXCHANGE_TIMEOUT_S = 10.0
#: How often a process looks whether another one has finished its exchange.
WAIT_S = 0.1
#: While the old token is valid, how long after a failed renewal the next one is tried.
RENEWAL_RETRY = timedelta(seconds=30)
#: The statuses by which an authorization server rejects the credentials: RFC 6749, section 5.2.
REJECTING_STATUSES = {400, 401, 403}
#: An error code of OAuth. Shopify writes some of them into a page: "Oauth error invalid_request: …". Unverified.
OAUTH_ERROR = re.compile(r"[Oo]auth error ([a-z_]{1,40})")


class StoreTokenError(RequestFailedError):
    """There is no token for a store's API. `result` is the result of the request that could therefore not be sent."""


class TokenVault(Protocol):
    """Keeps the token of one store, and lets one process at a time obtain a new one. Raises nothing."""

    def load(self) -> AccessToken | None: ...

    def save(self, token: AccessToken) -> None: ...

    def try_lock(self) -> bool: ...

    def unlock(self) -> None: ...


class MemoryVault:
    """Keeps the token in this process only."""

    def __init__(self) -> None:
        self._token: AccessToken | None = None
        self._lock = threading.Lock()

    def load(self) -> AccessToken | None:
        return self._token

    def save(self, token: AccessToken) -> None:
        self._token = token

    def try_lock(self) -> bool:
        return self._lock.acquire(blocking=False)

    def unlock(self) -> None:
        self._lock.release()


class StoreTokens:
    """The tokens of one store. Thread-safe.

    Args:
        client: sends the requests for tokens; its base URL is empty.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        storefront: Storefront[Any],
        *,
        vault: TokenVault,
        clock: Callable[[], datetime],
    ) -> None:
        self.client = client
        self.store = store
        self.storefront = storefront
        self.vault = vault
        self.clock = clock
        self._token: AccessToken | None = None
        self._failure: tuple[float, StoreTokenError] | None = None  # the last failure, and its time (monotonic)
        self._renew_after: datetime | None = None  # after a failed renewal
        self._lock = threading.Lock()

    @property
    def may_change(self) -> bool:
        """Whether there can be another token than the one that `get` returned."""
        return self.store.api_token is None

    def get(self, *, timeout_s: float, rejected: str | None = None) -> str:
        """Return the token to send: the configured one, or what `get_token` returns. Raises `StoreTokenError`."""
        if self.store.api_token is not None:
            return self.store.api_token
        return self.get_token(timeout_s=timeout_s, rejected=rejected).text

    def get_token(self, *, timeout_s: float, rejected: str | None = None) -> AccessToken:
        """Return a token that the store's app obtained.

        Args:
            timeout_s: for an exchange, and for waiting until another thread or process has made it.
            rejected: a token that the API has rejected; another one is returned.

        Raises:
            StoreTokenError: there is none.
        """
        requested_at = monotonic()
        if not self._lock.acquire(timeout=max(0.0, timeout_s)):
            raise no_token(build_message("store_token_awaited"))
        try:
            if self._failure and self._failure[0] > requested_at:  # it failed for everyone who waited for it
                raise StoreTokenError(str(self._failure[1]), self._failure[1].result)
            self._token = self._find(rejected) or self._renew(requested_at + timeout_s, rejected)
        except StoreTokenError as error:
            self._failure = (monotonic(), error)
            raise
        finally:
            self._lock.release()
        return self._token

    def close(self) -> None:
        self.client.close()

    def _find(self, rejected: str | None) -> AccessToken | None:
        """Return the newest token if it need not be renewed: this process's, or another one's."""
        now = self.clock()
        for token in (self._token, self.vault.load()) if rejected or not self._is_fresh(now) else (self._token,):
            if token is not None and token.text != rejected and token.is_fresh(now):
                return token
        return None

    def _is_fresh(self, now: datetime) -> bool:
        return self._token is not None and self._token.is_fresh(now)

    def _renew(self, deadline: float, rejected: str | None) -> AccessToken:
        """Return a new token, or while it cannot be obtained the old one, if that is still valid."""
        request = self.storefront.token_request(self.store)
        if request is None:
            code = "store_not_authorized" if rejected is None else "store_token_revoked"
            raise no_token(build_message(code, store=self.store.name), status=401)
        now = self.clock()
        valid = self._token or self.vault.load()
        if valid is not None and (valid.text == rejected or valid.is_expired(now)):
            valid = None
        if valid is not None and self._renew_after is not None and now < self._renew_after:
            return valid
        if valid is not None:  # leave half of the time for the request that the token is for
            deadline = (monotonic() + deadline) / 2
        try:
            return self._exchange_alone(request, deadline, rejected)
        except StoreTokenError as error:
            if valid is None:
                raise
            get_logger().warning("store_token_not_renewed", store=self.store.name, status=error.result.status)
            self._renew_after = now + RENEWAL_RETRY
            return valid

    def _exchange_alone(self, request: TokenRequest, deadline: float, rejected: str | None) -> AccessToken:
        """Exchange the credentials, unless another process is doing it: then wait for its token."""
        while not self.vault.try_lock():
            if monotonic() >= deadline:
                raise no_token(build_message("store_token_awaited"))
            sleep(WAIT_S)
            if token := self._find(rejected):
                return token
        try:
            if token := self._find(rejected):
                return token
            token, grant = self._exchange(request, deadline - monotonic())
            self.vault.save(token)
        finally:
            self.vault.unlock()
        get_logger().info("store_token_obtained", store=self.store.name, lifetime_s=grant.lifetime_s)
        return token

    def _exchange(self, request: TokenRequest, timeout_s: float) -> tuple[AccessToken, TokenGrant]:
        requested_at = self.clock()
        grant = request_token(self.client, request, timeout_s=timeout_s)
        return build_access_token(grant, requested_at), grant


def build_access_token(grant: TokenGrant, requested_at: datetime) -> AccessToken:
    expires_at = requested_at + timedelta(seconds=grant.lifetime_s) if grant.lifetime_s else None
    return AccessToken(text=grant.token, obtained_at=requested_at, expires_at=expires_at)


def request_token(client: Client, request: TokenRequest, *, timeout_s: float) -> TokenGrant:
    """Send a request for a token. Raises `StoreTokenError`."""
    content_type = "application/json" if request.is_json else "application/x-www-form-urlencoded"
    result = client.request(
        "POST",
        request.url,
        headers={"Content-Type": content_type, **request.headers},
        body=(json.dumps(request.data) if request.is_json else urlencode(request.data)).encode(),
        timeout_s=max(0.1, min(EXCHANGE_TIMEOUT_S, timeout_s)),
    )
    grant = parse_grant(result.parse_json()) if result.is_success else None
    if grant is None:
        raise exchange_failure(result)
    return grant


def exchange_failure(result: HttpResult) -> StoreTokenError:
    """Return the error for a failed exchange.

    Its status is what the API would return to a request without a token: 401 if the credentials were rejected. Any
    other status of the exchange is passed on with its headers, unless it would say something about the API's objects.
    """
    error: Problem = result.failure
    code = find_error_code(result)
    if result.status is not None and code:
        error = build_message("http_status_with_code", status=result.status, error_code=code)
    if result.status in REJECTING_STATUSES or (result.is_success and code):
        return no_token(build_message("store_credentials_rejected", error=error), status=401)
    is_failing = result.status is not None and (result.status >= 500 or result.status in (408, 425, 429))
    failure = replace(
        result,
        was_sent=False,
        status=result.status if is_failing else None,
        body=None,
        error=build_message("store_token_failed", error=error),
    )
    return StoreTokenError("the store's app got no access token", failure)


def no_token(problem: Problem, *, status: int | None = None) -> StoreTokenError:
    result = HttpResult(was_sent=False, status=status, error=problem)
    return StoreTokenError("there is no access token for the store's API", result)


def find_error_code(result: HttpResult) -> str | None:
    """Return the error code of a response, such as "invalid_client". Nothing else of the response is shown."""
    data = result.parse_json()
    code = data.get("error") if isinstance(data, dict) else None
    if isinstance(code, str) and re.fullmatch("[a-z_]{1,40}", code):
        return code
    match = OAUTH_ERROR.search((result.body or b"").decode("utf-8", errors="replace"))
    return match[1] if match else None
