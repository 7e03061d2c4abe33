"""Signs and posts webhooks as the storefronts do, with sample orders."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from connector.clients.tls import tls_context
from connector.core.exceptions import ConnectorError, NotFoundError
from connector.core.json_body import InvalidJsonError, parse_json
from connector.core.signatures import sign
from mappings.settings import Store
from mappings.storefront import Storefront

SAMPLES_DIRECTORY = Path(__file__).parent / "samples"


#: Dates as the storefronts write them.
DATE = re.compile(rb"\b20\d\d-\d\d-\d\d(?=[T ]\d\d:)")


class WebhookNotSentError(ConnectorError):
    """The service did not respond. The message is the type of the network error."""


def read_sample(name: str) -> bytes:
    """Return the sample `<name>.json`: a paid order as the storefront posts it.

    Every storefront has a sample with its name. Some have more, for another country.
    """
    return (SAMPLES_DIRECTORY / f"{name}.json").read_bytes()


def read_fresh_sample(name: str) -> bytes:
    """Return the sample with today's date in place of its own: orders from before `since` are not sent."""
    body = read_sample(name)
    today = f"{datetime.now(UTC):%Y-%m-%d}".encode()
    return DATE.sub(today, body)


def is_sample(body: bytes) -> bool:
    """Return whether it is one of the samples, with any date."""
    return any(DATE.sub(b"", body) == DATE.sub(b"", path.read_bytes()) for path in SAMPLES_DIRECTORY.glob("*.json"))


def post_webhook(
    url: str,
    storefront: Storefront[Any],
    store: Store,
    body: bytes,
    topic: str | None = None,
    *,
    extra_headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Sign `body` with the store's first secret and post it. Returns the status and text of the response.

    If the storefront's webhooks only name the order and `body` is an order, this posts a webhook that names it. The
    order is put at the store's API first, if that is the sandbox's.

    Args:
        topic: by default the storefront's topic for a paid order.

    Raises `WebhookNotSentError` if there is no response, and `NotFoundError` if the sandbox does not respond.
    """
    topic = topic or storefront.sample.topic
    payload = parse_json_object(body)
    # Ignore proxies in the environment: the service is usually on this machine.
    with httpx.Client(trust_env=False, verify=tls_context(), timeout=30) as client:
        if storefront.has_thin_webhooks and payload and not storefront.required_fetches(payload, store, frozenset()):
            thin_payload = storefront.sample.build_payload(payload, topic, store)
            put_sandbox_order(client, storefront, store, payload)
            payload, body = thin_payload, json.dumps(thin_payload, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            **storefront.sample.build_headers(payload, topic, store),
            storefront.signature.headers[0]: sign(storefront.signature, storefront.signing_key(store.secrets[0]), body),
            **(extra_headers or {}),
        }
        try:
            response = client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise WebhookNotSentError(type(error).__name__) from error
    return response.status_code, response.text


def put_sandbox_order(client: httpx.Client, storefront: Storefront[Any], store: Any, order: Mapping[str, Any]) -> None:
    """Put an order at the store's API if that is the sandbox's. A real API has its own orders."""
    sandbox, slash, service = (store.api_url or "").rpartition("/")
    if httpx.URL(sandbox).host in {"127.0.0.1", "localhost", "::1"} and slash and service == storefront.name:
        data = {"storefront": storefront.name, "store_id": store.store_id, "order": order}
        try:
            client.post(f"{sandbox}/sandbox/storefront-orders", json=data).raise_for_status()
        except httpx.HTTPError as error:
            raise NotFoundError(f"No sandbox responds at {store.api_url}. Is it running there?") from error


def parse_json_object(body: bytes) -> Mapping[str, Any]:
    """Return the object in `body`, or an empty one if it is not a JSON object, which the service then rejects."""
    try:
        payload = parse_json(body)
    except InvalidJsonError:
        return {}
    return payload if isinstance(payload, dict) else {}
