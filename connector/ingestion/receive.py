"""Receives a webhook: verifies, identifies and records it. Maps nothing and sends nothing."""

from collections.abc import Mapping
from typing import Any

from connector.core.exceptions import InvalidRequestError, SignatureError
from connector.core.json_body import InvalidJsonError, parse_json
from connector.core.signatures import is_signed_by_any
from connector.database.events import RecordedWebhook, record_event
from connector.runtime import Runtime
from mappings.problems import render_cause
from mappings.settings import Store
from mappings.storefront import MalformedWebhookError


def receive_webhook(runtime: Runtime, store: Store, headers: Mapping[str, str], body: bytes) -> RecordedWebhook | None:
    """Record one webhook of `store`, and return it once it is on disk. None for a ping, which is not recorded.

    Args:
        headers: with lower-case names.

    Raises `SignatureError`, `InvalidRequestError`, `DatabaseUnavailableError`; then nothing was recorded.
    """
    storefront = runtime.settings.storefront(store)
    if storefront.is_ping(body):
        return None
    secrets = [storefront.signing_key(secret) for secret in store.secrets]
    if not is_signed_by_any(storefront.signature, secrets, body, headers):
        is_signed = any(name.lower() in headers for name in storefront.signature.headers)
        raise SignatureError(
            "the signature is missing, or none of the store's secrets made it",
            reason="signature_wrong" if is_signed else "signature_missing",
        )
    payload = parse_json_object(body)
    if not storefront.belongs_to_store(headers, payload, store):
        raise SignatureError(
            "the signature is valid, but the payload is for another shop", reason="signature_of_other_shop"
        )
    try:
        identity = storefront.identify(headers, payload, body)
    except MalformedWebhookError as error:
        raise InvalidRequestError(str(error)) from error
    recorded = record_event(
        runtime.database,
        store=store.id,
        identity=identity,
        body=body,
        accounts=runtime.settings.accounts_for(store.id, identity.topics_for_routes),
        can_undo_cancellation=storefront.can_undo_cancellation,
        traceparent=runtime.tracing.traceparent(),
    )
    status_fields = {"status": recorded.status, "reason": recorded.reason and render_cause(recorded.reason)}
    runtime.log.info("webhook", event_id=recorded.event_id, store=store.id, topic=identity.topic, **status_fields)
    return recorded


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Return the body's JSON object. Raises `InvalidRequestError`."""
    try:
        payload = parse_json(body)
    except InvalidJsonError as error:
        raise InvalidRequestError(str(error)) from None
    if not isinstance(payload, dict):
        raise InvalidRequestError("the body is not a JSON object")
    return payload
