"""Receives a webhook: verifies, identifies and records it. Maps nothing and sends nothing."""

from collections.abc import Mapping

from connector.core.exceptions import InvalidRequestError
from connector.database.events import RecordedWebhook, record_event
from connector.ingestion.notices import RecordedNotice, record_notice
from connector.ingestion.verification import other_shop_error, parse_json_object, require_signature
from connector.runtime import Runtime
from mappings.problems import render_cause
from mappings.settings import Store
from mappings.storefront import MalformedWebhookError


def receive_webhook(
    runtime: Runtime, store: Store, headers: Mapping[str, str], body: bytes
) -> RecordedWebhook | RecordedNotice | None:
    """Record one webhook of `store`, and return it once it is on disk. None for a ping, which is not recorded.

    A request about personal data, or a notice about the app, is recorded as if it had come to an address for them.

    Args:
        headers: with lower-case names.

    Raises `SignatureError`, `InvalidRequestError`, `DatabaseUnavailableError`; then nothing was recorded.
    """
    storefront = runtime.settings.storefront(store)
    if storefront.is_ping(body):
        return None
    require_signature(storefront, store, headers, body)
    payload = parse_json_object(body)
    try:
        if notice := storefront.read_notice(payload):
            return record_notice(runtime, store, notice, payload, headers, body)
        if not storefront.belongs_to_store(headers, payload, store):
            raise other_shop_error()
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
