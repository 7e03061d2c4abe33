"""What every part needs, opened once and passed first: settings, database, outbound clients, clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any

from connector.clients.customers import Customers
from connector.clients.http import Client, open_account_client, open_tls
from connector.clients.tokens import Tokens
from connector.core.exceptions import DatabaseUnavailableError, SettingsError
from connector.database.engine import Database
from connector.database.queries.known_ids import unknown_ids
from connector.observability.logs import get_logger
from connector.observability.tracing import Tracing, open_tracing
from connector.settings import Settings
from mappings import DESTINATIONS
from mappings.settings import Store

Clock = Callable[[], datetime]

#: PostgreSQL's smallest plans take 20 connections; a dyno holds 8: so many for its web processes together, these for
#: its forwarder, and one more on which the forwarder listens.
#: https://devcenter.heroku.com/articles/heroku-postgres-plans, read 2026-11-21.
WEBS_CONNECTIONS = 4
FORWARDERS_CONNECTIONS = 3
SAY_EVERY_S = 10.0


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Outbound:
    """The clients of one account."""

    client: Client
    tokens: Tokens
    customers: Customers | None = None  # of a destination that keeps some


@dataclass(frozen=True, kw_only=True)
class Runtime:
    settings: Settings
    database: Database
    clock: Clock = utc_now
    outbound: dict[str, Outbound] = field(default_factory=dict)  # by account id; empty where nothing is sent
    apis: dict[str, Client] = field(default_factory=dict)  # by store id, of stores that have an API to fetch from
    tracing: Tracing = field(default_factory=Tracing)
    log: Any = field(default_factory=get_logger)

    @property
    def keyed(self) -> set[str]:
        """The destinations that take an idempotency key."""
        return {name for name, destination in DESTINATIONS.items() if destination.has_key}


@contextmanager
def open_runtime(
    settings: Settings, *, sends: bool = False, may_be_away: bool = False, clock: Clock | None = None
) -> Iterator[Runtime]:
    """Open the database, and the outbound clients where something `sends`; close them at the end.

    Args:
        may_be_away: go on without looking when the database does not answer; it was looked at before.
        clock: by default the database's, so that all processes agree.

    Raises `MigrationNeededError`, and `SettingsError` when the database knows a store or account that the
    configuration does not: a rename would send its orders again.
    """
    connections = FORWARDERS_CONNECTIONS if sends else max(1, WEBS_CONNECTIONS // settings.environment.web_concurrency)
    database = Database(settings.environment.database_url, clock=clock, connections=connections)
    clock = database.clock
    environment = settings.environment
    tracing = open_tracing(environment.otel_exporter_otlp_endpoint, environment.otel_service_name)
    try:
        try:
            check_database(settings, database)
        except DatabaseUnavailableError:
            if not may_be_away:
                raise
            get_logger().warning("database_away", what="answering 503 until it is back")
        parts: dict[str, Any] = {"settings": settings, "database": database, "clock": clock, "tracing": tracing}
        if not sends:
            yield Runtime(**parts)
            return
        with open_clients(settings, clock) as (outbound, apis):
            yield Runtime(**parts, outbound=outbound, apis=apis)
    finally:
        database.close()
        tracing.close()


def check_database(settings: Settings, database: Database) -> None:
    """Raises `MigrationNeededError`, `SettingsError`, `DatabaseUnavailableError`."""
    database.require_migrated()
    stores = {store.id for store in settings.stores.values()}
    faults = [
        f"{kind} “{unknown}” is known to the database and not configured: give the table that took its place"
        f' `id = "{unknown}"`, or list it in `retired`.'
        for kind, unknown in unknown_ids(database, stores=stores, accounts=set(settings.accounts))
        if unknown not in settings.retired
    ]
    if faults:
        raise SettingsError(faults)


def wait_for_database(settings: Settings) -> None:
    """Return once the database answers; say so while it does not."""
    database = Database(settings.environment.database_url)
    log = get_logger()
    said_at = float("-inf")
    while True:
        try:
            database.reach()
            break
        except DatabaseUnavailableError as error:
            if monotonic() - said_at >= SAY_EVERY_S:
                log.warning("database_away", what="waiting for it", why=database.why(error))
                said_at = monotonic()
            sleep(0.5)
    database.close()


@contextmanager
def open_clients(settings: Settings, clock: Clock = utc_now) -> Iterator[tuple[dict[str, Outbound], dict[str, Client]]]:
    """The clients of the accounts by id, and of the stores that have an API to fetch from by id."""
    ssl_context = open_tls()
    outbound = {}
    for account in settings.accounts.values():
        destination = settings.destination(account)
        client = open_account_client(account, destination, ssl_context)
        tokens = Tokens(client, account, destination, clock)
        customers = None
        if destination.customers and destination.idempotency_header:
            header = destination.idempotency_header
            customers = Customers(
                book=destination.customers, client=client, tokens=tokens, key_header=header, clock=clock
            )
        outbound[account.id] = Outbound(client=client, tokens=tokens, customers=customers)
    apis = {store.id: open_store_client(store, ssl_context) for store in settings.stores.values() if store.can_fetch}
    try:
        yield outbound, apis
    finally:
        for client in [*(one.client for one in outbound.values()), *apis.values()]:
            client.close()


def open_store_client(store: Store, ssl_context: Any) -> Client:
    return Client(store.api_url or "", headers={}, ssl_context=ssl_context, keeps_alive=True)


@contextmanager
def open_store_api(runtime: Runtime, store: Store) -> Iterator[Client | None]:
    """The client of a store's API: the runtime's own, or one for this moment. None where the store has no API."""
    if store.id in runtime.apis or not store.can_fetch:
        yield runtime.apis.get(store.id)
        return
    client = open_store_client(store, open_tls())
    try:
        yield client
    finally:
        client.close()
