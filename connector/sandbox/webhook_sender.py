"""Plays the storefronts' side of a webhook: reads samples of orders, signs them, and posts them as platforms would."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from connector.core.exceptions import ConnectorError, NotFoundError
from connector.core.signatures import sign
from mappings.settings import Store
from mappings.storefront import Storefront

SAMPLES_DIRECTORY = Path(__file__).parent / "samples"


class WebhookNotSentError(ConnectorError):
    """The service did not respond. The text is the kind of network error."""


def read_sample(name: str) -> bytes:
    """Return a paid order of invented people as a storefront posts it: `<name>.json` of the samples.

    Every storefront has one of its own name; others show another country.
    """
    return (SAMPLES_DIRECTORY / f"{name}.json").read_bytes()


def post_webhook(
    url: str,
    storefront: Storefront[Any],
    store: Store,
    body: bytes,
    topic: str | None = None,
    *,
    extra_headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Sign `body` with the store's first secret and post it. Returns the status and the text of the answer.

    Where webhooks do not carry the order and `body` is one, the webhook that names it is posted, after the order was
    put at the store's API if that is the sandbox's. Without a `topic`, it is the storefront's of a paid order. Raises
    `WebhookNotSentError` when nothing answers, `NotFoundError` when that sandbox does not.
    """
    topic = topic or storefront.sample.topic
    payload = parse_json_object(body)
    # No proxy of the environment: none knows the ports of this machine.
    with httpx.Client(trust_env=False, timeout=30) as client:
        if storefront.has_thin_webhooks and payload and not storefront.required_fetches(payload, store, frozenset()):
            thin_payload = storefront.sample.build_payload(payload, topic, store)
            put_sandbox_order(client, storefront, store, payload)
            payload, body = thin_payload, json.dumps(thin_payload, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            **storefront.sample.build_headers(payload, topic),
            storefront.signature.headers[0]: sign(storefront.signature, storefront.signing_key(store.secrets[0]), body),
            **(extra_headers or {}),
        }
        try:
            response = client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise WebhookNotSentError(type(error).__name__) from error
    return response.status_code, response.text


def put_sandbox_order(client: httpx.Client, storefront: Storefront[Any], store: Any, order: Mapping[str, Any]) -> None:
    """Let the sandbox's API answer `order` from now on, where it is the store's; a real one has orders of its own."""
    sandbox, slash, service = (store.api_url or "").rpartition("/")
    if httpx.URL(sandbox).host in {"127.0.0.1", "localhost", "::1"} and slash and service == storefront.name:
        data = {"storefront": storefront.name, "store_id": store.store_id, "order": order}
        try:
            client.post(f"{sandbox}/sandbox/storefront-orders", json=data).raise_for_status()
        except httpx.HTTPError as error:
            raise NotFoundError(f"No sandbox takes the order at {store.api_url}: is it running there?") from error


def parse_json_object(body: bytes) -> Mapping[str, Any]:
    """Return the object in `body`; an empty one where there is none, for what is posted to be turned away."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}
