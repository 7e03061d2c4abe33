"""Takes a webhook in: verify, identify, record. Maps nothing, sends nothing; what it returns is on disk."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

from connector.core.exceptions import InvalidRequestError, SignatureError
from connector.core.signatures import is_signed_by_any
from connector.database.events import RecordedWebhook, record_event
from connector.runtime import Runtime
from mappings.settings import Store
from mappings.storefront import MalformedWebhookError, WebhookIdentity


def receive_webhook(runtime: Runtime, store: Store, headers: Mapping[str, str], body: bytes) -> RecordedWebhook | None:
    """Record one webhook of `store`. None for a ping, of which nothing is kept.

    Args:
        headers: their names in lower case.

    Raises `SignatureError`, `InvalidRequestError`, `DatabaseUnavailableError`; nothing is kept then.
    """
    storefront = runtime.settings.storefront(store)
    if storefront.is_ping(body):
        return None
    secrets = [storefront.signing_key(secret) for secret in store.secrets]
    if not is_signed_by_any(storefront.signature, secrets, body, headers):
        raise SignatureError("the signature is missing, or none of the store's secrets made it")
    payload = parse_json_object(body)
    if not storefront.belongs_to_store(payload, store):
        raise SignatureError("it is signed, and speaks of another shop")
    try:
        identity = storefront.identify(headers, payload, body)
    except MalformedWebhookError as error:
        raise InvalidRequestError(str(error)) from error
    recorded = record_event(
        runtime.database,
        store=store.id,
        identity=identity,
        body=body,
        accounts=accounts_for(runtime, store.id, identity),
        traceparent=runtime.tracing.traceparent(),
    )
    status_fields = {"status": recorded.status, "reason": recorded.reason}
    runtime.log.info("webhook", event_id=recorded.event_id, store=store.id, topic=identity.topic, **status_fields)
    return recorded


def parse_json_object(body: bytes) -> Mapping[str, Any]:
    """The body's JSON object. Raises `InvalidRequestError`.

    What orjson does not take may be JSON all the same: half of a surrogate pair is, and a store may send one.
    """
    try:
        try:
            payload = orjson.loads(body)
        except orjson.JSONDecodeError:
            payload = DECODER.decode(body.decode().removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise InvalidRequestError("the body is not JSON") from error
    if not isinstance(payload, dict):
        raise InvalidRequestError("the body is not a JSON object")
    return payload


def reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")  # RFC 8259 §6 knows neither NaN nor Infinity


#: Making one takes as long as reading an order of one line.
DECODER = json.JSONDecoder(parse_constant=reject_constant)


def accounts_for(runtime: Runtime, store_id: str, identity: WebhookIdentity) -> dict[str, str]:
    """Account id to destination name, for every account that a route of the store sends these topics to."""
    settings = runtime.settings
    routes = [route for route in settings.routes_of(store_id) if route.accepts_topics(identity.topics)]
    return {account: settings.accounts[account].destination for route in routes for account in route.accounts}
