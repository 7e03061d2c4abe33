"""Fetches from a storefront what its webhook does not carry. A GET changes nothing there, and may be repeated."""

from collections.abc import Mapping, Set
from time import monotonic
from typing import Any

from connector.clients.http import Client
from connector.core.http_result import HttpResult
from mappings.schema import MappingError
from mappings.settings import Store
from mappings.storefront import Fetch, Storefront

ORDER_NOT_FOUND = "The order is not at the store any more (404)."
API_NOT_CONFIGURED = "The order is to be fetched from the store, and its settings have no `api_url` or `api_token`."


class NotFetchedError(Exception):
    """The storefront's API did not give what was asked for. `answer` says what it did."""

    def __init__(self, result: HttpResult) -> None:
        super().__init__("the storefront's API did not answer as it should")
        self.result = result


def fetch_missing(
    client: Client | None,
    storefront: Storefront[Any],
    store: Store,
    payload: dict[str, Any],
    required_details: Set[str],
    *,
    timeout_s: float,
) -> dict[str, Any]:
    """Return the payload with all that has to be fetched for a destination that `needs` these.

    All GETs together take `timeout_s` at most.

    Raises `NotFetchedError` when it is worth another try, `MappingError` when it is not.
    """
    deadline = monotonic() + timeout_s
    for fetch in storefront.required_fetches(payload, store, required_details):
        if client is None:
            raise MappingError([API_NOT_CONFIGURED])
        remaining_s = max(0.1, deadline - monotonic())
        result = client.request("GET", fetch.path, headers=storefront.api_headers(store), timeout_s=remaining_s)
        data = parse_response(fetch, result)
        if data is not None:
            payload = fetch.merge(payload, data)
    return payload


def parse_response(fetch: Fetch, result: HttpResult) -> Any:
    """The parsed reply; None where a detail is not there, which the order then lacks by name."""
    if result.status == 404:
        if fetch.is_order:
            raise MappingError([ORDER_NOT_FOUND])
        return None
    data = result.parse_json()
    is_valid = result.status is not None and 200 <= result.status < 300 and isinstance(data, Mapping | list)
    if not is_valid or (fetch.is_order and not isinstance(data, dict)) or not fetch.is_valid_response(data):
        raise NotFetchedError(result)
    return data
