"""Exchanges the code from the installation of an app for an access token, and stores the token."""

from urllib.parse import parse_qs, urlsplit

from connector.clients.http import Client
from connector.clients.store_tokens import EXCHANGE_TIMEOUT_S, StoreTokenError, build_access_token, request_token
from connector.clients.tls import tls_context
from connector.core.exceptions import ConflictError, InvalidRequestError, StoreUnavailableError
from connector.core.messages import render_stored
from connector.core.token_cipher import TokenCipher
from connector.database.circuits import CircuitReport, record_outcome, store_circuit
from connector.database.store_tokens import save_store_token
from connector.operations.actions import request_catch_up, resume_store
from connector.runtime import Runtime
from connector.settings import Settings
from mappings.access_tokens import AppAuthorization, TokenGrant
from mappings.app_settings import AppStore
from mappings.destination import Outcome
from mappings.settings import Store
from mappings.storefront import Storefront


def find_authorization(settings: Settings, store: Store) -> tuple[AppAuthorization[AppStore], AppStore]:
    """Return how the store authorizes its app. Raises `InvalidRequestError` if it does not, or nothing could keep it.

    The token would be lost with the process if it were not in the database, and the code works only once.
    """
    storefront: Storefront[AppStore] = settings.storefront(store)
    if storefront.app_authorization is None or not isinstance(store, AppStore):
        raise InvalidRequestError(f"[stores.{store.name}] needs no authorization: its settings already give access.")
    if store.client_id is None:
        raise InvalidRequestError(
            f"[stores.{store.name}] has an `api_token`, which is used. To have a token obtained instead, set "
            "`client_id` and `client_secret` in its place."
        )
    if not settings.environment.token_keys:
        raise InvalidRequestError(
            "TOKEN_KEYS is not set, and the token must be stored encrypted. Set it to what `connector token --key` "
            "prints, for this command and for the service."
        )
    return storefront.app_authorization, store


def authorize_store(runtime: Runtime, store: Store, code: str, *, actor: str) -> TokenGrant:
    """Exchange the code for a token of the store, and store it encrypted in the database.

    If the code is for another store with the same app, stores the token there, because the exchange has invalidated its
    previous token.

    Raises:
        InvalidRequestError: the store's app is not authorized in this way.
        ConflictError: the code is of another shop.
        StoreUnavailableError: the exchange failed.
    """
    authorization, app_store = find_authorization(runtime.settings, store)
    runtime.database.ping()  # the code works only once
    obtained_at = runtime.clock()
    client = Client("", headers={}, ssl_context=tls_context(), keep_alive=False)
    try:
        grant = request_token(client, authorization.token_request(app_store, code), timeout_s=EXCHANGE_TIMEOUT_S)
    except StoreTokenError as error:
        raise StoreUnavailableError(
            f"{render_stored(error.result.failure)}. A code is valid for five minutes, and once: install the app again "
            "for another one."
        ) from error
    finally:
        client.close()
    shop = find_shop(runtime.settings, authorization, grant, app_store)
    if shop is not None:
        cipher = TokenCipher(runtime.settings.environment.token_keys)
        token = build_access_token(grant, obtained_at)
        save_store_token(runtime.database, shop.id, token, owner=shop.token_owner, cipher=cipher)
        resume_requests(runtime, shop, actor)
    if shop is not app_store:
        named = grant.shop_id or "which the response does not name"
        outcome = "was not kept" if shop is None else f"was kept for [stores.{shop.name}]"
        raise ConflictError(
            f"The code is for another shop, {named}, and its token {outcome}. "
            f"Install the app in the shop of [stores.{store.name}]."
        )
    return grant


def resume_requests(runtime: Runtime, store: Store, actor: str) -> None:
    """Let what waited for a token go on at once: deliveries, and the reading of the shop's orders.

    The app is installed again, if it was uninstalled.
    """
    resume_store(runtime, store.name, actor=actor, note="connector authorize")
    circuit = store_circuit(store.id)
    record_outcome(
        runtime.database,
        CircuitReport(circuit=circuit, outcome=Outcome.DELIVERED, failure_threshold=1, probe_after_s=0),
    )
    if store.catch_up_every_s and runtime.settings.can_list_orders(store):
        request_catch_up(runtime, store.name, actor=actor, note="connector authorize")


def find_shop(
    settings: Settings, authorization: AppAuthorization[AppStore], grant: TokenGrant, store: AppStore
) -> AppStore | None:
    """Return the store that a token is of: this one, or another one with the same app."""
    others = (other for other in settings.stores.values() if isinstance(other, AppStore))
    same_app = (other for other in others if (other.storefront, other.client_id) == (store.storefront, store.client_id))
    return next((shop for shop in (store, *same_app) if authorization.is_of_store(grant, shop)), None)


def read_code(text: str) -> str:
    """Return the code, from itself or from the address to which the installation redirects."""
    text = text.strip()
    return (parse_qs(urlsplit(text).query).get("code") or [text])[0]
