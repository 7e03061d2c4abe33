"""Tests whether each account can be reached with its credentials, with requests that create nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connector.clients.http import Client, Reachability
from connector.clients.store_tokens import StoreTokenError, TokenVault
from connector.clients.storefront_api import StoreApi
from connector.clients.tokens import TokenError
from connector.core.check_result import format_duration
from connector.core.exceptions import DatabaseUnavailableError, MigrationNeededError
from connector.core.messages import build_message, render_stored
from connector.core.outcomes import is_api_key_rejected
from connector.database.engine import Database
from connector.database.sqlite import database_file
from connector.runtime import AccountClients, open_clients, open_token_vaults
from connector.settings import Settings
from mappings.destination import Destination, Outcome
from mappings.settings import Account, Store
from mappings.store_api import ApiResponse

PING_TIMEOUT_S = 10.0


class ProbeOutcome(StrEnum):
    REACHED = "reached"
    UNREACHABLE = "unreachable"
    NO_TOKEN = "no token"  # noqa: S105  # not a password
    CREDENTIALS_REJECTED = "credentials rejected"
    SERVER_ERROR = "server error"
    UNEXPECTED_STATUS = "unexpected status"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The result for one account. `status` is the HTTP status, if there was a response; `message` is English."""

    account: str
    outcome: ProbeOutcome
    status: int | None
    message: str

    @property
    def is_good(self) -> bool:
        return self.outcome is ProbeOutcome.REACHED

    @property
    def rejects_credentials(self) -> bool:
        """Whether the credentials are certainly wrong. A 403 may only mean that they do not allow this request."""
        if self.outcome is ProbeOutcome.NO_TOKEN:
            return is_api_key_rejected(self.status)
        return self.outcome is ProbeOutcome.CREDENTIALS_REJECTED and self.status != 403


def probe_accounts(settings: Settings, account_id: str | None = None) -> list[ProbeResult]:
    """Send one request to every account, or only to the account with this id. Opens no database."""
    with open_clients(settings) as (account_clients, _):
        return [
            probe_account(account_clients[account.id], account, settings.destination(account))
            for account in settings.accounts.values()
            if account_id in (None, account.id)
        ]


def ping_all(settings: Settings) -> list[tuple[Account | Store, Reachability]]:
    """Ping the server of every account and of every store's API."""
    with open_clients(settings) as (account_clients, store_apis):
        clients: list[tuple[Account | Store, Client | StoreApi]] = [
            *((account, account_clients[account.id].client) for account in settings.accounts.values()),
            *((api.store, api) for api in store_apis.values()),
        ]
        return [(owner, client.ping(PING_TIMEOUT_S)) for owner, client in clients]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenProbe:
    """Whether a store's app has or gets a token for its API. `message` is English."""

    store: Store
    is_good: bool
    message: str
    is_rejected: bool = False  # the other side rejects the app
    needs_authorization: bool = False  # a person has to authorize the app


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreProbe:
    """The result for one store's API. `detail` is English."""

    store: Store
    outcome: ProbeOutcome
    detail: str
    token: TokenProbe | None = None  # None: the token is in the settings


def probe_stores(settings: Settings) -> list[StoreProbe]:
    """Send one request with its credentials to the API of every store that has one.

    An app's credentials are exchanged for a token that is used for this only. A token that a person obtained is read
    from the database.
    """
    with open_store_apis(settings) as store_apis:
        return [probe_store(api) for api in store_apis]


def probe_tokens(settings: Settings) -> list[TokenProbe]:
    """Return whether there is a token for every store whose app obtains it, as `probe_stores` does."""
    with open_store_apis(settings) as store_apis:
        return [probe for api in store_apis if (probe := probe_token(api))]


@contextmanager
def open_store_apis(settings: Settings) -> Iterator[list[StoreApi]]:
    """Yield the APIs of the stores that have one. No token that they obtain is kept."""
    with open_authorized_vaults(settings) as vaults, open_clients(settings, token_vaults=vaults) as (_, store_apis):
        yield list(store_apis.values())


@contextmanager
def open_authorized_vaults(settings: Settings) -> Iterator[dict[str, TokenVault]]:
    """Yield the vaults of the stores whose token a person obtained; none if the database cannot be used."""
    authorized = [
        store.id for store in settings.stores.values() if settings.storefront(store).app_authorization is not None
    ]
    url = settings.environment.database_url
    if not authorized or (url.startswith("sqlite") and not database_file(url).exists()):
        yield {}
        return
    database = Database(url)
    try:
        database.require_migrated()
        vaults = open_token_vaults(settings, database)
    except (DatabaseUnavailableError, MigrationNeededError):
        vaults = {}
    try:
        yield {store_id: vault for store_id, vault in vaults.items() if store_id in authorized}
    finally:
        database.close()


def probe_token(api: StoreApi) -> TokenProbe | None:
    """Return whether there is a token; None if it is in the settings."""
    store = api.store
    if not api.tokens.may_change:
        return None
    try:
        token = api.tokens.get_token(timeout_s=PING_TIMEOUT_S)
    except StoreTokenError as error:
        return TokenProbe(
            store=store,
            is_good=False,
            message=render_stored(error.result.failure),
            is_rejected=error.result.status == 401,
            needs_authorization=api.storefront.app_authorization is not None,
        )
    if token.expires_at is None:
        return TokenProbe(store=store, is_good=True, message="its app has a token, which does not expire")
    lifetime = format_duration((token.expires_at - token.obtained_at).total_seconds())
    return TokenProbe(store=store, is_good=True, message=f"its app gets tokens, each valid for {lifetime}")


def probe_store(api: StoreApi) -> StoreProbe:
    """Ask for orders, which is what the credentials are for."""
    token = probe_token(api)
    if token is not None and not token.is_good:
        return StoreProbe(store=api.store, outcome=ProbeOutcome.NO_TOKEN, detail=token.message, token=token)
    path = api.storefront.probe_path(api.store)
    if path is None:
        reachability = api.ping(PING_TIMEOUT_S)
        status, failure = reachability.status, reachability.error
        is_proof, is_expected = False, True
    else:
        result = api.request("GET", path, timeout_s=PING_TIMEOUT_S)
        status, failure = result.status, result.failure
        response = ApiResponse(status=result.status or 0, headers=result.headers, data=result.parse_json())
        is_proof, is_expected = True, api.storefront.is_probe_response(response)
    detail = render_stored(failure or build_message("http_status", status=status))
    if status is None:
        outcome = ProbeOutcome.UNREACHABLE
    elif is_proof and status in (401, 403):
        outcome = ProbeOutcome.CREDENTIALS_REJECTED
    elif status >= 500:
        outcome = ProbeOutcome.SERVER_ERROR
    elif status != 429 and not is_expected:  # 429: too many requests
        outcome = ProbeOutcome.UNEXPECTED_STATUS
    else:
        outcome = ProbeOutcome.REACHED
    return StoreProbe(store=api.store, outcome=outcome, detail=detail, token=token)


def probe_account(clients: AccountClients, account: Account, destination: Destination[Any]) -> ProbeResult:
    """Send one GET request with the account's credentials."""

    def build_result(outcome: ProbeOutcome, status: int | None, message: str) -> ProbeResult:
        return ProbeResult(account=account.name, outcome=outcome, status=status, message=message)

    try:
        bearer = clients.tokens.bearer()
    except TokenError as error:
        message = render_stored(build_message("no_token", error=error.result.failure))
        return build_result(ProbeOutcome.NO_TOKEN, error.result.status, message)
    result = clients.client.request(
        "GET",
        destination.probe_path,
        headers={"Authorization": f"Bearer {bearer}"} if bearer else {},
        query=destination.query_params(account),
        timeout_s=account.timeout_s,
    )
    status = result.status
    if status is None:
        return build_result(ProbeOutcome.UNREACHABLE, None, f"unreachable: {render_stored(result.failure)}")
    is_expired = destination.classify_response(status, result.parse_json()) is Outcome.TOKEN_EXPIRED
    if status in (401, 403) or is_expired:
        message = f"reachable, but rejects the credentials ({status})"
        return build_result(ProbeOutcome.CREDENTIALS_REJECTED, status, message)
    if status >= 500:
        return build_result(ProbeOutcome.SERVER_ERROR, status, f"reachable, but failing ({status})")
    return build_result(ProbeOutcome.REACHED, status, f"reachable ({status})")
