"""Plays the storefronts: reads samples of their orders, signs them, and posts them as the platforms would."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from connector.signing import sign
from mappings.settings import Store
from mappings.spoke import Storefront

SAMPLES = Path(__file__).parent / "samples"


def read_sample(name: str) -> bytes:
    """Return a paid order of invented people as a storefront posts it: `<name>.json` of the samples.

    Every storefront has one of its own name; others show another country.
    """
    return (SAMPLES / f"{name}.json").read_bytes()


def post_webhook(
    url: str,
    storefront: Storefront,
    store: Store,
    body: bytes,
    topic: str | None = None,
    *,
    more_headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Sign `body` with the store's first secret and post it. Returns the status and the text of the answer.

    Without a `topic`, it is the storefront's of a paid order. Raises `httpx.HTTPError` when nothing answers.
    """
    headers = {
        "Content-Type": "application/json",
        **storefront.sample_headers(read_object(body), topic or storefront.sample_topic),
        storefront.signature.headers[0]: sign(storefront.signature, storefront.secret(store.secrets[0]), body),
        **(more_headers or {}),
    }
    # No proxy of the environment: none knows the ports of this machine.
    with httpx.Client(trust_env=False, timeout=30) as client:
        answer = client.post(url, content=body, headers=headers)
    return answer.status_code, answer.text


def read_object(body: bytes) -> Mapping[str, Any]:
    """Return the object in `body`; an empty one where there is none, for what is posted to be turned away."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}
