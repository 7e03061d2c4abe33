"""The state of each store: its webhooks, its API, and catch-up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.core.exceptions import NotFoundError
from connector.database import store_status
from connector.database.circuits import read_circuits, store_circuit
from connector.database.models import Circuit, SignatureFailures, StoreErrors, StoreReading, StoreToken, StoreWebhooks
from connector.database.signature_failures import read_signature_failures
from connector.database.stats.overview import last_webhook_by_store
from connector.database.store_errors import read_store_errors
from connector.runtime import Runtime
from mappings.settings import Store

#: The period of the counts.
RECENT = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """A configured store, and what is on record about it."""

    store: Store
    webhook_url: str | None  # None: `public_url` is not set
    last_webhook_at: datetime | None
    is_silent: bool
    signature_failures: SignatureFailures | None = None
    errors: list[StoreErrors]
    open_circuit: Circuit | None = None  # of its API
    reading: StoreReading | None = None
    webhooks: StoreWebhooks | None = None
    token: StoreToken | None = None  # its text is not loaded
    orders_caught_up: int = 0  # in the last 24 hours

    @property
    def name(self) -> str:
        return self.store.name

    @property
    def missing_api_settings(self) -> list[str]:
        """The names of the settings that the store lacks for access to its API."""
        return [name for name in ("api_url", "api_token") if not getattr(self.store, name)]

    @property
    def is_reading(self) -> bool:
        """Whether a reading has begun that is neither complete nor failed."""
        reading = self.reading
        if reading is None or reading.started_at is None or reading.failures:
            return False
        return reading.finished_at is None or reading.finished_at < reading.started_at


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
    readings = store_status.load_readings(database)
    webhooks = store_status.load_webhook_checks(database)
    tokens = store_status.load_token_dates(database)
    caught_up = store_status.count_caught_up(database, runtime.clock() - RECENT)

    def build(store: Store) -> StoreStatus:
        circuit = circuits.get(store_circuit(store.id))
        return StoreStatus(
            store=store,
            webhook_url=runtime.settings.webhook_url(store),
            last_webhook_at=last_webhooks[store.id],
            is_silent=is_silent(runtime, store, last_webhooks[store.id]),
            signature_failures=signature_failures.get(store.id),
            errors=errors.get(store.id, []),
            open_circuit=circuit if circuit is not None and circuit.opened_at is not None else None,
            reading=readings.get(store.id),
            webhooks=webhooks.get(store.id),
            token=tokens.get(store.id),
            orders_caught_up=caught_up.get(store.id, 0),
        )

    return [build(store) for store in stores]


def is_silent(runtime: Runtime, store: Store, last_webhook_at: datetime | None) -> bool:
    """Return whether the store has sent no webhook for `silent_after_h` of `[alerts]`."""
    alerts = runtime.settings.alerts
    max_silence = timedelta(hours=alerts.silent_after_h_by_store.get(store.id, alerts.silent_after_h))
    return last_webhook_at is None or runtime.clock() - last_webhook_at > max_silence
