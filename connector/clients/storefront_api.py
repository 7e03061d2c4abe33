"""A storefront's API: requests with the store's credentials, and fetches for webhooks that lack something.

Fetches change nothing, so all of them may be repeated.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any

from connector.clients.http import MAX_RESPONSE_BYTES, Client, Reachability, RequestFailedError
from connector.clients.store_tokens import StoreTokenError, StoreTokens
from connector.core.http_result import HttpResult
from connector.core.messages import build_message
from mappings.problems import MappingError, Problem
from mappings.settings import Store
from mappings.storefront import Fetch, Storefront


class FetchError(RequestFailedError):
    """The storefront's API returned an unexpected response, or none."""


class StoreApi:
    """The API of one store, with its credentials. Thread-safe.

    Args:
        find_stop: returns why the API must not be called now; None if it may be.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        storefront: Storefront[Any],
        tokens: StoreTokens,
        *,
        find_stop: Callable[[], Problem | None] = lambda: None,
    ) -> None:
        self.client = client
        self.store = store
        self.storefront = storefront
        self.tokens = tokens
        self.find_stop = find_stop

    def request(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float,
        query: Mapping[str, str] | None = None,
        data: Any = None,
        max_bytes: int = MAX_RESPONSE_BYTES,
    ) -> HttpResult:
        """Send one request and return what happened. Sends nothing while the API must not be called.

        If the API rejects the token (401), sends the request again with a new token, if there is one. Without a token,
        sends nothing; the result says why there is none.

        Args:
            path: below the store's `api_url`.
            data: the body, sent as JSON; None for no body.
            timeout_s: for the whole exchange, with that of credentials for a token.

        Raises `DatabaseUnavailableError` if it is unknown whether the API may be called.
        """
        if stop := self.find_stop():
            return HttpResult(was_sent=False, error=stop)
        deadline = monotonic() + timeout_s
        send = partial(self._send, method, path, deadline=deadline, query=query, data=data, max_bytes=max_bytes)
        try:
            token = self.tokens.get(timeout_s=timeout_s)
        except StoreTokenError as error:
            return error.result
        result = send(token)
        if result.status != 401 or not self.tokens.may_change:
            return result
        try:
            newer_token = self.tokens.get(timeout_s=deadline - monotonic(), rejected=token)
        except StoreTokenError as error:
            return error.result
        return send(newer_token)

    def _send(
        self,
        method: str,
        path: str,
        token: str,
        *,
        deadline: float,
        query: Mapping[str, str] | None,
        data: Any,
        max_bytes: int,
    ) -> HttpResult:
        headers = self.storefront.api_headers(self.store, token)
        body = None
        if data is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(data).encode()
        timeout_s = max(0.1, deadline - monotonic())
        return self.client.request(
            method, path, timeout_s=timeout_s, headers=headers, query=query, body=body, max_bytes=max_bytes
        )

    def ping(self, timeout_s: float) -> Reachability:
        return self.client.ping(timeout_s)

    def close(self) -> None:
        self.client.close()
        self.tokens.close()


def fetch_missing(
    api: StoreApi | None, payload: dict[str, Any], fetches: Iterable[Fetch], *, timeout_s: float
) -> dict[str, Any]:
    """Return the payload with the responses of `fetches` merged into it.

    Args:
        api: None if the store's API is not configured.
        timeout_s: for all requests together.

    Raises:
        FetchError: worth another attempt.
        MappingError: the order is gone, or the store's API is not configured.
    """
    deadline = monotonic() + timeout_s
    for fetch in fetches:
        if api is None:
            raise MappingError([build_message("store_api_not_configured")])
        remaining_s = max(0.1, deadline - monotonic())
        result = api.request(fetch.method, fetch.path, data=fetch.data, timeout_s=remaining_s)
        data = parse_response(fetch, result)
        if data is not None:
            payload = fetch.merge(payload, data)
    return payload


def parse_response(fetch: Fetch, result: HttpResult) -> Any:
    """Return the parsed body; None if a detail does not exist, which mapping then reports as missing.

    Raises:
        FetchError: worth another attempt.
        MappingError: the order is gone.
    """
    if result.status == 404 and fetch.method == "GET":
        if fetch.is_order:
            raise MappingError([build_message("order_not_at_store")])
        return None
    data = result.parse_json()
    if result.is_success and (error := fetch.find_error(data)):
        problem = build_message("http_status_with_code", status=result.status, error_code=error.code)
        raise FetchError("the storefront's API reports an error", replace(result, status=error.status, error=problem))
    is_valid = result.is_success and isinstance(data, Mapping | list)
    if not is_valid or (fetch.is_order and not isinstance(data, dict)) or not fetch.is_valid_response(data):
        raise FetchError("the storefront's API returned an unexpected response", result)
    return data
