"""Receives a storefront's notices: requests about personal data, and news about the app.

A request is on disk as an obligation when the response is sent. Nothing is erased or exported here: a person does that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.core.exceptions import InvalidRequestError, NotFoundError
from connector.database.engine import Transaction
from connector.database.privacy_requests import record_request
from connector.database.stopped_stores import APP_SUSPENDED, APP_UNINSTALLED, end_suspension, stop_store
from connector.ingestion.verification import other_shop_error, parse_json_object, require_signature
from connector.runtime import Runtime
from mappings.ids import hash_body
from mappings.notices import REQUEST_TOPICS, Notice, NoticeTopic
from mappings.settings import Store
from mappings.storefront import MalformedWebhookError

#: Topics after which the shop's API cannot be called -> why. What is erased 48 hours after an app was uninstalled is of
#: a shop that it is not installed in any more.
STOPS = {
    NoticeTopic.APP_UNINSTALLED: APP_UNINSTALLED,
    NoticeTopic.STORE_REDACT: APP_UNINSTALLED,
    NoticeTopic.APP_SUSPENDED: APP_SUSPENDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedNotice:
    status: str  # "accepted", "duplicate" or "ignored"
    request_id: int | None = None  # of the request that was recorded, now or before


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingNotice:
    store: str  # its id
    notice: Notice
    body_digest: str


def receive_notice(
    runtime: Runtime, store: Store, topic: NoticeTopic | None, headers: Mapping[str, str], body: bytes
) -> RecordedNotice:
    """Record a notice that was posted to one of the addresses for them. It is on disk when this returns.

    Args:
        topic: that of the address; None if it names none.
        headers: with lower-case names.

    Raises `NotFoundError`, `SignatureError`, `InvalidRequestError`, `DatabaseUnavailableError`: then nothing was
    recorded.
    """
    storefront = runtime.settings.storefront(store)
    if not storefront.notice_topics or (topic is not None and topic not in storefront.notice_topics):
        raise NotFoundError(f"{storefront.name} has no such notices")
    require_signature(storefront, store, headers, body)
    payload = parse_json_object(body)
    try:
        notice = storefront.read_notice(payload, topic)
    except MalformedWebhookError as error:
        raise InvalidRequestError(str(error)) from error
    if notice is None:
        raise InvalidRequestError(
            "the body is neither a request about personal data nor a notice about the app: nothing was recorded"
        )
    if topic is not None and notice.topic is not topic:
        raise InvalidRequestError(f"this address is for {topic}, but the body is {notice.topic}: nothing was recorded")
    return record_notice(runtime, store, notice, payload, headers, body)


def record_notice(
    runtime: Runtime, store: Store, notice: Notice, payload: Mapping[str, Any], headers: Mapping[str, str], body: bytes
) -> RecordedNotice:
    """Record a notice whose signature was checked with the store's secrets. Raises `SignatureError`."""
    shop = find_shop(runtime, store, payload, headers, body)
    incoming = IncomingNotice(store=shop.id, notice=notice, body_digest=hash_body(body))
    recorded = runtime.database.commit(apply_notices, incoming)
    runtime.log.info(
        "notice", store=shop.id, topic=str(notice.topic), status=recorded.status, request_id=recorded.request_id
    )
    return recorded


def find_shop(
    runtime: Runtime, store: Store, payload: Mapping[str, Any], headers: Mapping[str, str], body: bytes
) -> Store:
    """Return the store that a signed notice names. Raises `SignatureError` if it names none.

    An app has one address for all shops that it is installed in, so it may be another store with the same secret.
    """
    others = [other for other in runtime.settings.stores.values() if other is not store]
    for shop in [store, *(other for other in others if other.storefront == store.storefront)]:
        storefront = runtime.settings.storefront(shop)
        is_named = shop is store or bool(storefront.shop_names(shop))
        if is_named and storefront.is_notice_of_store(payload, shop):
            if shop is not store:
                require_signature(storefront, shop, headers, body)
            return shop
    raise other_shop_error()


def apply_notices(transaction: Transaction, notices: Sequence[IncomingNotice]) -> list[RecordedNotice]:
    return [apply_notice(transaction, incoming) for incoming in notices]


def apply_notice(transaction: Transaction, incoming: IncomingNotice) -> RecordedNotice:
    store, notice = incoming.store, incoming.notice
    if notice.topic is NoticeTopic.APP_RESUMED:
        return RecordedNotice(status="accepted" if end_suspension(transaction, store) else "ignored")
    if notice.topic not in REQUEST_TOPICS:
        has_stopped = stop_store(transaction, store, STOPS[notice.topic])
        return RecordedNotice(status="accepted" if has_stopped else "duplicate")
    request = record_request(transaction, store, notice, body_digest=incoming.body_digest)
    if request.is_new and notice.topic in STOPS:  # a person may have resumed the store before a repeat
        stop_store(transaction, store, STOPS[notice.topic])
    return RecordedNotice(status="accepted" if request.is_new else "duplicate", request_id=request.id)
