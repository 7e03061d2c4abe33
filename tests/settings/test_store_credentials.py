"""The credentials with which a store's API is called, and the keys that encrypt its tokens."""

from typing import Any

import pytest

from connector.core.exceptions import SettingsError
from connector.settings.environment import Environment, EnvironmentSchema
from connector.settings.errors import ConfigErrors, validate_table
from connector.settings.integrations import build_store_or_account
from mappings.storefronts.shopify.store import ShopifyStore

PERMANENT = "tienda.myshopify.com"
KEY, OTHER_KEY = "a2V5LW9mLXRoZS10ZXN0cy0wMTIzNDU2Nzg5YWJjZGU=", "b3RoZXIta2V5LW9mLXRoZS10ZXN0cy0wMTIzNDU2Nzg="


def load_store(storefront: str = "shopify", **table: Any) -> ShopifyStore:
    """Raises `SettingsError`."""
    errors = ConfigErrors()
    table = {"storefront": storefront, **table}
    store: ShopifyStore = build_store_or_account("storefront", "tienda", table, ("stores", "tienda"), errors)
    errors.raise_any()
    return store


def test_client_secret_is_the_key_of_webhooks_and_the_permanent_domain_the_address() -> None:
    store = load_store(client_id="app", client_secret="secreto", shop_domain=["tienda.example.mx", PERMANENT])
    assert store.secrets == ["secreto"]
    assert store.api_url == f"https://{PERMANENT}"
    assert store.has_api
    assert "secreto" not in repr(store)


def test_configured_secrets_and_address_win() -> None:
    settings: dict[str, Any] = {"secrets": ["otro"], "api_url": "https://otra.example.com", "shop_domain": PERMANENT}
    store = load_store(client_id="app", client_secret="secreto", **settings)
    assert (store.secrets, store.api_url) == (["otro"], "https://otra.example.com")


def test_standing_token_is_at_the_permanent_domain() -> None:
    store = load_store(secrets=["otro"], api_token="ficha", shop_domain=PERMANENT)
    assert (store.api_url, store.has_api) == (f"https://{PERMANENT}", True)
    assert not load_store(secrets=["otro"], shop_domain=PERMANENT).has_api


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"client_id": "app", "secrets": ["x"]}, "stores.tienda.client_secret: is required with client_id."),
        ({"client_secret": "s"}, "stores.tienda.client_id: is required with client_secret."),
        (
            {"client_id": "app", "client_secret": "s", "api_token": "ficha"},
            "stores.tienda.api_token: is not used with client_id and client_secret, which obtain a token: "
            "leave out one or the other.",
        ),
        (
            {"client_id": "app", "client_secret": "s", "shop_domain": None},
            "stores.tienda.shop_domain: is required with client_id: the shop's permanent domain, such as "
            "tienda.myshopify.com.",
        ),
    ],
)
def test_half_or_contradicting_credentials_are_errors(table: dict[str, Any], message: str) -> None:
    table = {"shop_domain": PERMANENT, **table}
    with pytest.raises(SettingsError) as caught:
        load_store(**{name: value for name, value in table.items() if value is not None})
    assert caught.value.errors == [message]


def test_woocommerce_has_no_app() -> None:
    with pytest.raises(SettingsError, match="client_id: is not a setting"):
        load_store("woocommerce", secrets=["x"], client_id="app")


def load_keys(text: str) -> tuple[tuple[str, ...], list[str]]:
    errors = ConfigErrors()
    environment: Environment | None = validate_table(EnvironmentSchema(), {"TOKEN_KEYS": text}, (), errors)
    return environment.token_keys if environment else (), errors.messages


def test_token_keys_are_read_newest_first() -> None:
    assert load_keys(f"{OTHER_KEY}, {KEY}") == ((OTHER_KEY, KEY), [])


@pytest.mark.parametrize(
    "text", ["hush", KEY[:-1], KEY + "x", KEY.replace("a", "+", 1), f"{KEY},", f"{KEY},hush", f"{KEY},{KEY}"]
)
def test_invalid_token_keys_are_errors_that_do_not_show_them(text: str) -> None:
    keys, [message] = load_keys(text)
    assert keys == ()
    assert message.startswith("TOKEN_KEYS: ")
    assert not any(part and part in message for part in text.split(","))
