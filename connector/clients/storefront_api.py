"""Fetches from a storefront what its webhook does not carry. A GET changes nothing there, and may be repeated."""

from collections.abc import Mapping, Set
from time import monotonic
from typing import Any

from connector.clients.http import Client
from connector.core.retry import Answer
from mappings.integration import Fetch, Storefront
from mappings.schema import MappingError
from mappings.settings import Store

GONE = "The order is not at the store any more (404)."
NO_API = "The order is to be fetched from the store, and its settings have no `api_url` or `api_token`."


class NotFetchedError(Exception):
    """The storefront's API did not give what was asked for. `answer` says what it did."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("the storefront's API did not answer as it should")
        self.answer = answer


def complete(
    client: Client | None,
    storefront: Storefront,
    store: Store,
    payload: dict[str, Any],
    needs: Set[str],
    *,
    timeout_s: float,
) -> dict[str, Any]:
    """Return the payload with all that has to be fetched for a destination that `needs` these.

    All GETs together take `timeout_s` at most.

    Raises `NotFetchedError` when it is worth another try, `MappingError` when it is not.
    """
    give_up_at = monotonic() + timeout_s
    for fetch in storefront.fetches(payload, store, needs):
        if client is None:
            raise MappingError([NO_API])
        left_s = max(0.1, give_up_at - monotonic())
        answer = client.request("GET", fetch.path, headers=storefront.api_headers(store), timeout_s=left_s)
        reply = read(fetch, answer)
        if reply is not None:
            payload = fetch.merge(payload, reply)
    return payload


def read(fetch: Fetch, answer: Answer) -> Any:
    """The parsed reply; None where a detail is not there, which the order then lacks by name."""
    if answer.status == 404:
        if fetch.is_order:
            raise MappingError([GONE])
        return None
    reply = answer.parsed()
    is_good = answer.status is not None and 200 <= answer.status < 300 and isinstance(reply, Mapping | list)
    if not is_good or (fetch.is_order and not isinstance(reply, dict)) or not fetch.is_asked_for(reply):
        raise NotFetchedError(answer)
    return reply
