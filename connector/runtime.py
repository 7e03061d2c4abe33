"""What every part needs, opened once and passed as first argument: settings, database, HTTP clients, clock."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any

from connector.clients.customers import CustomerLookup
from connector.clients.http import Client, open_account_client
from connector.clients.store_tokens import MemoryVault, StoreTokens, TokenVault
from connector.clients.storefront_api import StoreApi
from connector.clients.tls import tls_context
from connector.clients.tokens import TokenProvider
from connector.core.exceptions import DatabaseUnavailableError, SettingsError
from connector.core.token_cipher import TokenCipher
from connector.database.credentials import encrypt_again, refresh_entered_credentials
from connector.database.engine import Database
from connector.database.health import unknown_ids
from connector.database.known_stores import record_first_runs
from connector.database.models import Restore
from connector.database.restores import check_generation
from connector.database.stopped_stores import find_stop
from connector.database.store_tokens import DatabaseVault
from connector.database.table_rows import refresh_entered_rows
from connector.observability.logs import get_logger
from connector.observability.tracing import Tracing, open_tracing
from connector.settings import CredentialUse, Settings, refresh_tables
from connector.settings.credentials import credential_use
from connector.settings.secret_files import find_exposed
from mappings import DESTINATIONS
from mappings.app_settings import AppStore
from mappings.credentials import read_credential
from mappings.problems import Problem
from mappings.settings import Account, Store

Clock = Callable[[], datetime]

#: PostgreSQL's smallest plans allow 20 connections. One dyno uses 8: these for all its web processes, these for its
#: worker, and one on which the worker listens.
#: https://devcenter.heroku.com/articles/heroku-postgres-plans, read 2026-11-21.
WEB_CONNECTIONS = 4
WORKER_CONNECTIONS = 3
LOG_EVERY_S = 10.0


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class AccountClients:
    """The HTTP clients of one account."""

    client: Client
    tokens: TokenProvider
    customers: CustomerLookup | None = None  # if customers are looked up there


@dataclass(frozen=True, kw_only=True)
class Runtime:
    settings: Settings
    database: Database
    clock: Clock = utc_now
    account_clients: dict[str, AccountClients] = field(default_factory=dict)  # by account id; empty in web processes
    store_apis: dict[str, StoreApi] = field(default_factory=dict)  # by store id, if the store has an API
    token_vaults: dict[str, TokenVault] = field(default_factory=dict)  # by store id, if its app obtains the tokens
    first_runs: dict[str, datetime] = field(default_factory=dict)  # by store id, when the connector first ran with it
    opened_later: ExitStack = field(default_factory=ExitStack)  # what is closed with the runtime
    tracing: Tracing = field(default_factory=Tracing)
    log: Any = field(default_factory=get_logger)

    @property
    def destinations_with_idempotency(self) -> set[str]:
        """The names of the destinations that take an idempotency key."""
        return {name for name, destination in DESTINATIONS.items() if destination.supports_idempotency}

    def orders_since(self, store: Store) -> datetime:
        """The store's `since`: orders from before are not sent. By default, a day before the first run with it."""
        return store.since or self.first_run(store) - timedelta(days=1)

    def first_run(self, store: Store) -> datetime:
        """When the connector first ran with the store."""
        if store.id not in self.first_runs:
            self.first_runs.update(record_first_runs(self.database, [store.id]))
        return self.first_runs[store.id]


@contextmanager
def open_runtime(
    settings: Settings, *, with_clients: bool = False, allow_database_down: bool = False, clock: Clock | None = None
) -> Iterator[Runtime]:
    """Open the database, and the HTTP clients `with_clients`; close them at the end.

    Args:
        allow_database_down: skip the checks of the database while it is unavailable.
        clock: the database's by default, so that all processes agree.

    Raises `MigrationNeededError`, and `SettingsError` when the database knows a store or account that the
    configuration does not, because a rename would send its orders again; `with_clients`, also for what
    `load_entered_rows` raises.
    """
    connections = (
        WORKER_CONNECTIONS if with_clients else max(1, WEB_CONNECTIONS // settings.environment.web_concurrency)
    )
    database = Database(settings.environment.database_url, clock=clock, connections=connections)
    clock = database.clock
    environment = settings.environment
    tracing = open_tracing(environment.otel_exporter_otlp_endpoint, environment.otel_service_name)
    try:
        first_runs = {}
        try:
            check_database(settings, database)
            if with_clients:
                settings = load_entered_rows(settings, database)
                check_database_generation(settings, database)
                settings = load_entered_credentials(settings, database)
            if with_clients or allow_database_down:  # a worker or a web process, and not a command
                first_runs = record_first_runs(database, [store.id for store in settings.stores.values()])
        except DatabaseUnavailableError:
            if not allow_database_down:
                raise
            get_logger().warning("database_away", what="answering 503 until it is back")
        common: dict[str, Any] = {
            "settings": settings,
            "database": database,
            "clock": clock,
            "tracing": tracing,
            "first_runs": first_runs,
            "token_vaults": open_token_vaults(settings, database),
        }
        if not with_clients:
            yield Runtime(**common)
            return
        for secret_file in find_exposed(settings.secret_files):
            get_logger().warning("secret_file_exposed", file=str(secret_file), what="every user can read it")
        for store_name, message in find_memory_only_tokens(settings):
            get_logger().warning("store_token_not_stored", store=store_name, what=message)
        with ExitStack() as stack:
            clients = open_clients(settings, clock, common["token_vaults"], database)
            account_clients, store_apis = stack.enter_context(clients)
            yield Runtime(**common, account_clients=account_clients, store_apis=store_apis, opened_later=stack)
    finally:
        database.close()
        tracing.close()


def check_database(settings: Settings, database: Database) -> None:
    """Raises `MigrationNeededError`, `SettingsError`, `DatabaseUnavailableError`."""
    database.require_migrated()
    check_ids(settings, database)


def check_database_generation(settings: Settings, database: Database) -> Restore | None:
    """Let orders be sent, after holding those that may have been sent if the database was restored from a backup.

    Returns the restore, if this call noticed one.
    """
    windows = {
        account.id: account.ambiguous_for_s
        for account in settings.accounts.values()
        if settings.destination(account).supports_idempotency
    }
    restore = check_generation(database, key_windows_s=windows)
    if restore is not None:
        get_logger().error(
            "database_restored",
            what="orders that may have been sent before are held: `connector restored` says more",
            evidence=restore.evidence,
        )
    return restore


def load_entered_rows(settings: Settings, database: Database) -> Settings:
    """Return the settings with the lookup table rows that people entered.

    Raises `SettingsError` if one does not fit the configuration (any more): orders would be sent without it.
    """
    settings, errors = refresh_entered_rows(settings, database)
    if errors:
        remedy = "this is a row in the database: enter another, or remove it with `connector table remove`"
        raise SettingsError([f"{error.removesuffix('.')}; {remedy}." for error in errors])
    return settings


def load_entered_credentials(settings: Settings, database: Database) -> Settings:
    """Return the settings with the credentials that people entered. Those that cannot be used are logged."""
    encrypt_again(database, settings)
    settings = refresh_entered_credentials(settings, database)
    log_unused_credentials(settings)
    return settings


def log_unused_credentials(settings: Settings) -> None:
    for credential in settings.entered_credentials:
        use = credential_use(settings, credential)
        if use is not CredentialUse.IN_USE:
            get_logger().warning(
                "entered_credential_not_used", account=credential.account, setting=credential.setting, why=str(use)
            )


def current_settings(runtime: Runtime) -> tuple[Settings, list[str]]:
    """Return the settings with what people entered and with the files of lookup tables as they are now.

    If nothing has changed, these are the runtime's own settings. The second value has the errors of lookup tables: an
    account whose tables have one keeps those that it has.
    """
    settings, file_errors = refresh_tables(runtime.settings)
    settings, row_errors = refresh_entered_rows(settings, runtime.database)
    return refresh_entered_credentials(settings, runtime.database), file_errors + row_errors


def renew_clients(runtime: Runtime, settings: Settings) -> dict[str, AccountClients]:
    """Return the clients of the accounts, with new ones for those whose credentials are others in these settings.

    The old ones are closed with the runtime, since attempts may be under way. A token that was exchanged for an old key
    is gone.
    """
    clients = dict(runtime.account_clients)
    for id_ in clients:
        account, previous = settings.accounts[id_], runtime.settings.accounts[id_]
        names = settings.destination(account).credential_settings(account)
        if any(read_credential(account, name) != read_credential(previous, name) for name in names):
            clients[id_] = open_clients_of(settings, account, runtime.clock)
            runtime.opened_later.callback(clients[id_].client.close)
    return clients


def check_ids(settings: Settings, database: Database) -> None:
    """Raises `SettingsError` for a store or an account that the database knows and the configuration does not."""
    stores = {store.id for store in settings.stores.values()}
    errors = [
        f"{kind} “{unknown_id}” is known to the database and not configured: give the table that took its place"
        f' `id = "{unknown_id}"`, or list it in `retired`.'
        for kind, unknown_id in unknown_ids(database, stores=stores, accounts=set(settings.accounts))
        if unknown_id not in settings.retired
    ]
    if errors:
        raise SettingsError(errors)


def wait_for_database(settings: Settings) -> None:
    """Return once the database is available. Meanwhile log that it is not."""
    log = get_logger()
    logged_at = float("-inf")
    with closing(Database(settings.environment.database_url)) as database:
        while True:
            try:
                database.ping()
                break
            except DatabaseUnavailableError as error:
                if monotonic() - logged_at >= LOG_EVERY_S:
                    log.warning("database_away", what="waiting for it", why=str(error))
                    logged_at = monotonic()
                sleep(0.5)


@contextmanager
def open_clients(
    settings: Settings,
    clock: Clock = utc_now,
    token_vaults: Mapping[str, TokenVault] | None = None,
    database: Database | None = None,
) -> Iterator[tuple[dict[str, AccountClients], dict[str, StoreApi]]]:
    """Yield the clients of the accounts and the APIs of the stores that have one, each by id.

    Args:
        token_vaults: by store id; a store without one keeps its token in memory.
        database: says which stores' APIs must not be called. Without it, all may be.
    """
    account_clients = {id_: open_clients_of(settings, account, clock) for id_, account in settings.accounts.items()}
    vaults = token_vaults or {}
    store_apis = {
        store.id: build_store_api(settings, store, vaults.get(store.id), clock, database)
        for store in settings.stores.values()
        if store.has_api
    }
    try:
        yield account_clients, store_apis
    finally:
        for clients in account_clients.values():
            clients.client.close()
        for api in store_apis.values():
            api.close()


def open_clients_of(settings: Settings, account: Account, clock: Clock) -> AccountClients:
    destination = settings.destination(account)
    client = open_account_client(account, destination, tls_context())
    tokens = TokenProvider(client, account, destination, clock)
    customers = None
    if destination.customer_api and destination.idempotency_header:
        header = destination.idempotency_header
        customers = CustomerLookup(
            api=destination.customer_api, client=client, tokens=tokens, idempotency_header=header, clock=clock
        )
    return AccountClients(client=client, tokens=tokens, customers=customers)


def open_token_vaults(settings: Settings, database: Database) -> dict[str, TokenVault]:
    """Return where the tokens that stores' apps obtain are kept: without `TOKEN_KEYS`, in this process's memory."""
    stores = [store for store in settings.stores.values() if isinstance(store, AppStore) and store.client_id]
    keys = settings.environment.token_keys
    if not stores or not keys:
        return {store.id: MemoryVault() for store in stores}
    cipher = TokenCipher(keys)
    return {store.id: DatabaseVault(database, store.id, owner=store.token_owner, cipher=cipher) for store in stores}


def find_memory_only_tokens(settings: Settings) -> list[tuple[str, str]]:
    """Return the stores whose tokens are lost with the process, by name, each with what that means."""
    if settings.environment.token_keys:
        return []
    stores = [store for store in settings.stores.values() if isinstance(store, AppStore) and store.client_id]
    return [
        (
            store.name,
            "it cannot be authorized: TOKEN_KEYS is not set, and its token must be kept encrypted"
            if settings.storefront(store).app_authorization
            else "its tokens are kept in memory only, because TOKEN_KEYS is not set: each process obtains its own",
        )
        for store in stores
    ]


def build_store_api(
    settings: Settings, store: Store, vault: TokenVault | None, clock: Clock, database: Database | None
) -> StoreApi:
    ssl_context, storefront = tls_context(), settings.storefront(store)
    client = Client(store.api_url or "", headers={}, ssl_context=ssl_context, keep_alive=True)
    token_client = Client("", headers={}, ssl_context=ssl_context, keep_alive=False)
    tokens = StoreTokens(token_client, store, storefront, vault=vault or MemoryVault(), clock=clock)
    if database is None:
        return StoreApi(client, store, storefront, tokens)
    return StoreApi(client, store, storefront, tokens, find_stop=lambda: stop_reason(database, store))


def stop_reason(database: Database, store: Store) -> Problem | None:
    """Return why the API of a store must not be called: the app does not work there any more. None if it may be."""
    stop = find_stop(database, store.id)
    return Problem(code=stop.code) if stop is not None else None


@contextmanager
def open_store_api(runtime: Runtime, store: Store) -> Iterator[StoreApi | None]:
    """Yield the API of a store: the runtime's, or a temporary one. None if it is not configured."""
    if store.id in runtime.store_apis or not store.has_api:
        yield runtime.store_apis.get(store.id)
        return
    vault = runtime.token_vaults.get(store.id)
    api = build_store_api(runtime.settings, store, vault, runtime.clock, runtime.database)
    try:
        yield api
    finally:
        api.close()
