"""The state of each store: its webhooks, its API, and catch-up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.core.exceptions import NotFoundError
from connector.database import store_status
from connector.database.circuits import read_circuits, store_circuit
from connector.database.lost_webhooks import RECENT, LostWebhooks, read_lost_webhooks
from connector.database.models import (
    Circuit,
    SignatureFailures,
    StoppedStore,
    StoreErrors,
    StoreReading,
    StoreToken,
    StoreWebhooks,
)
from connector.database.readings import is_unfinished, next_reading_at
from connector.database.signature_failures import read_signature_failures
from connector.database.stats.overview import last_webhook_by_store
from connector.database.stopped_stores import read_stopped_stores
from connector.database.store_errors import read_store_errors
from connector.runtime import Runtime
from mappings.app_settings import AppStore
from mappings.settings import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """A configured store, and what is on record about it."""

    store: Store
    webhook_url: str | None  # None: `public_url` is not set
    last_webhook_at: datetime | None
    is_silent: bool
    signature_failures: SignatureFailures | None = None
    errors: list[StoreErrors]
    stop: StoppedStore | None = None  # why its API is not called
    open_circuit: Circuit | None = None  # of its API
    reading: StoreReading | None = None
    webhooks: StoreWebhooks | None = None
    token: StoreToken | None = None  # its text is not loaded
    has_order_listing: bool = False  # catch-up can read its orders
    has_webhook_api: bool = False  # its webhooks can be listed and changed
    orders_caught_up: int = 0  # in the last 24 hours
    lost_webhooks: LostWebhooks | None = None  # in the last 24 hours

    @property
    def name(self) -> str:
        return self.store.name

    @property
    def missing_api_settings(self) -> list[str]:
        return missing_api_settings(self.store)

    @property
    def is_reading(self) -> bool:
        return self.reading is not None and is_unfinished(self.reading)

    @property
    def lost_orders(self) -> int:
        """How many orders catch-up found without a webhook in the last 24 hours."""
        return self.lost_webhooks.orders if self.lost_webhooks else 0

    @property
    def next_reading_at(self) -> datetime | None:
        """When catch-up reads the store again; None if only a person has it read, or it was never read."""
        reading = self.reading
        if not self.has_order_listing or reading is None:
            return None
        if reading.requested_at is not None or reading.started_at is None or self.store.catch_up_every_s == 0:
            return reading.requested_at
        return next_reading_at(self.store, reading.started_at, reading.failures)


def missing_api_settings(store: Store) -> list[str]:
    """Return the names of the settings that a store lacks for access to its API."""
    if store.has_api:
        return []
    is_app = isinstance(store, AppStore)
    is_located = store.api_url or (is_app and store.shop_domain)  # an app's store is found by the shop's domain
    credentials = ["client_id", "client_secret"] if is_app else ["api_token"]
    return [*([] if is_located else ["api_url"]), *([] if store.api_token else credentials)]


def load_store_status(runtime: Runtime, name: str) -> StoreStatus:
    """Return the state of one store. Raises `NotFoundError`."""
    stores = runtime.settings.stores
    if name not in stores:
        raise NotFoundError("no such store")
    [status] = load_statuses(runtime, [stores[name]])
    return status


def load_store_statuses(runtime: Runtime) -> list[StoreStatus]:
    """Return the state of each configured store."""
    return load_statuses(runtime, list(runtime.settings.stores.values()))


def load_statuses(runtime: Runtime, stores: list[Store]) -> list[StoreStatus]:
    database = runtime.database
    last_webhooks = last_webhook_by_store(database, [store.id for store in stores])
    signature_failures = read_signature_failures(database)
    errors = read_store_errors(database)
    circuits = read_circuits(database)
    stops = read_stopped_stores(database)
    readings = store_status.load_readings(database)
    webhooks = store_status.load_webhook_checks(database)
    tokens = store_status.load_token_dates(database)
    caught_up = store_status.count_caught_up(database, runtime.clock() - RECENT)
    lost_webhooks = read_lost_webhooks(database)

    def build(store: Store) -> StoreStatus:
        circuit = circuits.get(store_circuit(store.id))
        return StoreStatus(
            store=store,
            webhook_url=runtime.settings.webhook_url(store),
            last_webhook_at=last_webhooks[store.id],
            is_silent=is_silent(runtime, store, last_webhooks[store.id]),
            signature_failures=signature_failures.get(store.id),
            errors=errors.get(store.id, []),
            stop=stops.get(store.id),
            open_circuit=circuit if circuit is not None and circuit.opened_at is not None else None,
            reading=readings.get(store.id),
            webhooks=webhooks.get(store.id),
            token=tokens.get(store.id),
            has_order_listing=runtime.settings.can_list_orders(store),
            has_webhook_api=store.has_api and runtime.settings.storefront(store).webhook_api is not None,
            orders_caught_up=caught_up.get(store.id, 0),
            lost_webhooks=lost_webhooks.get(store.id),
        )

    return [build(store) for store in stores]


def is_silent(runtime: Runtime, store: Store, last_webhook_at: datetime | None) -> bool:
    """Return whether the store has sent no webhook for `silent_after_h` of `[alerts]`."""
    alerts = runtime.settings.alerts
    max_silence = timedelta(hours=alerts.silent_after_h_by_store.get(store.id, alerts.silent_after_h))
    return last_webhook_at is None or runtime.clock() - last_webhook_at > max_silence
