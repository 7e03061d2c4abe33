"""Gives a store of a test's service access to its API."""

from dataclasses import replace

from tests.support.service import Service

PUBLIC_URL = "https://connector.example.com"


def give_api_access(service: Service, *names: str, public_url: str | None = PUBLIC_URL) -> None:
    """Set `api_url` and `api_token` of these stores, and `public_url`. For clients that are opened afterwards."""
    settings = service.runtime.settings
    stores = dict(settings.stores)
    for name in names:
        stores[name] = replace(stores[name], api_url=service.sandbox.url(stores[name].storefront), api_token="ficha")
    service.runtime = replace(service.runtime, settings=replace(settings, stores=stores, public_url=public_url))
