"""The payload that an event's order is read from, and what has to be fetched to complete it."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from connector.clients.storefront_api import StoreApi, fetch_missing
from connector.core.json_body import parse_json
from connector.database.models import Event
from connector.settings import Settings
from mappings.corrections import Correction
from mappings.order import Order
from mappings.settings import Store
from mappings.storefront import Fetch, OrderTimes, Storefront


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSource:
    store: Store
    storefront: Storefront[Any]
    payload: dict[str, Any]
    missing: Sequence[Fetch]  # what the payload lacks
    corrections: Sequence[Correction] = ()  # what people entered for the order
    was_fetched: bool = False  # the order itself came from the API: it is newer than its webhook

    @property
    def is_thin(self) -> bool:
        """Whether the payload only names the order, so that it cannot be parsed before `fetch`."""
        return any(fetch.is_order for fetch in self.missing)

    def fetch(self, api: StoreApi | None, *, timeout_s: float) -> "OrderSource":
        """Return a source with nothing missing.

        Raises:
            FetchError: the storefront's API failed; try again later.
            MappingError: the order is gone, or the store's API is not configured.
        """
        payload = fetch_missing(api, self.payload, self.missing, timeout_s=timeout_s)
        return replace(self, payload=payload, missing=(), was_fetched=self.is_thin)

    def times(self) -> OrderTimes:
        """Return when the order was placed and paid; nothing while it is thin."""
        return OrderTimes() if self.is_thin else self.storefront.order_times(self.payload)

    def parse(self) -> Order:
        """Raises `MappingError`."""
        return self.storefront.parse_order(self.payload, self.store, self.corrections)


def load_order_source(
    settings: Settings,
    event: Event,
    store: Store,
    required_details: Set[str] = frozenset(),
    corrections: Sequence[Correction] = (),
) -> OrderSource:
    """Return the source of an event's order for a destination that needs `required_details`. Fetches nothing."""
    storefront = settings.storefront(store)
    payload = parse_json(event.body)
    missing = storefront.required_fetches(payload, store, required_details)
    return OrderSource(store=store, storefront=storefront, payload=payload, missing=missing, corrections=corrections)
