"""Gives a store access to its API, in a configuration or in a service that a test has opened."""

from dataclasses import replace

from tests.support.service import Service

PUBLIC_URL = "https://connector.example.com"


def add_api_access(configuration: str, *, api_url: str, public_url: str) -> str:
    """Give the WooCommerce store of `CONFIGURATION`, as text, access to its API, and the service its address."""
    store = '[stores.tienda-ar]\nstorefront = "woocommerce"\n'
    assert store in configuration
    api = f'api_url = "{api_url}"\napi_token = "ck_clave:cs_secreto"\n'
    return f'public_url = "{public_url}"\n' + configuration.replace(store, store + api)


def give_api_access(service: Service, *names: str, public_url: str | None = PUBLIC_URL) -> None:
    """Set `api_url` and `api_token` of these stores, and `public_url`. For clients that are opened afterwards."""
    settings = service.runtime.settings
    stores = dict(settings.stores)
    for name in names:
        stores[name] = replace(stores[name], api_url=service.sandbox.url(stores[name].storefront), api_token="ficha")
    service.runtime = replace(service.runtime, settings=replace(settings, stores=stores, public_url=public_url))
