"""Fetches from a storefront's API what its webhooks do not carry. Only GET requests, so all of it may be repeated."""

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any

from connector.clients.http import Client, RequestFailedError
from connector.core.http_result import HttpResult
from connector.core.messages import build_message
from mappings.problems import MappingError
from mappings.settings import Store
from mappings.storefront import Fetch, Storefront


class FetchError(RequestFailedError):
    """The storefront's API returned an unexpected response, or none."""


def fetch_missing(
    client: Client | None,
    storefront: Storefront[Any],
    store: Store,
    payload: dict[str, Any],
    fetches: Iterable[Fetch],
    *,
    timeout_s: float,
) -> dict[str, Any]:
    """Return the payload with the responses of `fetches` merged into it.

    Args:
        client: of the store's API; None if it is not configured.
        timeout_s: for all requests together.

    Raises:
        FetchError: worth another attempt.
        MappingError: the order is gone, or the store's API is not configured.
    """
    deadline = monotonic() + timeout_s
    for fetch in fetches:
        if client is None:
            raise MappingError([build_message("store_api_not_configured")])
        remaining_s = max(0.1, deadline - monotonic())
        result = client.request("GET", fetch.path, headers=storefront.api_headers(store), timeout_s=remaining_s)
        data = parse_response(fetch, result)
        if data is not None:
            payload = fetch.merge(payload, data)
    return payload


def parse_response(fetch: Fetch, result: HttpResult) -> Any:
    """Return the parsed body; None if a detail does not exist, which mapping then reports as missing."""
    if result.status == 404:
        if fetch.is_order:
            raise MappingError([build_message("order_not_at_store")])
        return None
    data = result.parse_json()
    is_valid = result.is_success and isinstance(data, Mapping | list)
    if not is_valid or (fetch.is_order and not isinstance(data, dict)) or not fetch.is_valid_response(data):
        raise FetchError("the storefront's API returned an unexpected response", result)
    return data
