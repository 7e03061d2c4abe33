"""Posts requests about personal data and notices about the app, signed as the storefronts sign them."""

from typing import Any

import httpx

from connector.clients.tls import tls_context
from connector.core.signatures import sign
from connector.sandbox.webhook_sender import WebhookNotSentError
from mappings.notices import NoticeTopic
from mappings.settings import Store
from mappings.storefront import Storefront, dump_payload


def post_notice(
    url: str,
    storefront: Storefront[Any],
    store: Store,
    topic: NoticeTopic,
    *,
    order_ids: tuple[int, ...] = (),
    secret: str | None = None,
) -> tuple[int, str]:
    """Post a notice to its address. Returns the status and text of the response.

    Args:
        url: of the service.
        order_ids: those that a request about a customer names.
        secret: signs it in place of the store's.

    Raises `WebhookNotSentError` if there is no response.
    """
    body = dump_payload(storefront.sample.build_notice(topic, store, order_ids))
    key = storefront.signing_key(secret or store.secrets[0])
    headers = {
        "Content-Type": "application/json",
        storefront.signature.headers[0]: sign(storefront.signature, key, body),
    }
    with httpx.Client(trust_env=False, verify=tls_context(), timeout=30) as client:
        try:
            response = client.post(f"{url}/webhooks/{store.name}/privacy/{topic}", content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise WebhookNotSentError(type(error).__name__) from error
    return response.status_code, response.text
