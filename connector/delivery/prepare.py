"""Makes what an attempt sends: the order as it stands now, fetched where the webhook is thin, read, and written.

Sends nothing, and changes no delivery: all of it may be repeated freely.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from connector.clients.customers import CustomerError
from connector.clients.storefront_api import NotFetchedError, fetch_missing
from connector.core.exceptions import ConnectorError
from connector.database.circuits import CircuitReport, next_probe_time, record_outcome, store_circuit
from connector.database.models import Delivery, Event, Reason
from connector.database.orders import set_order_number
from connector.runtime import Runtime
from connector.settings import Route
from mappings.customer_lookup import CustomerMatch
from mappings.destination import Destination, Outcome
from mappings.order import Order
from mappings.schema import MappingError
from mappings.settings import Account, Store


class DiscardedError(Exception):
    """The order is not to be sent as it is now. The text says why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class StoreCircuitOpenError(Exception):
    """The store's API refuses our credentials or fails, and is left alone until then."""

    def __init__(self, until: datetime) -> None:
        super().__init__("the store's API is left alone for a while")
        self.until = until


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRequest:
    """What an attempt sends."""

    body: bytes
    idempotency_key: str | None
    warnings: list[str]


def prepare(runtime: Runtime, delivery: Delivery, event: Event) -> PreparedRequest:
    """Return what to send: the bytes of an attempt that was ambiguous, else the order as it stands now.

    Raises `MappingError`, `DiscardedError`, `StoreShutError`, `NotFetchedError`, `CustomerError`.
    """
    settings = runtime.settings
    account = settings.accounts.get(delivery.account)
    if account is None:  # retired, with orders still on their way
        raise MappingError(["Its account is no longer configured."])
    if delivery.locked_since is not None and delivery.body is not None:
        return PreparedRequest(body=delivery.body, idempotency_key=delivery.idempotency_key, warnings=delivery.warnings)
    ensure_not_pruned(delivery, event, settings.destination(account))
    try:
        store = settings.store_by_id(delivery.store)
    except KeyError:
        raise MappingError(["Its store is no longer configured."]) from None
    destination = settings.destination(account)
    try:
        order, was_fetched = load_order(runtime, event, store, account)
        if delivery.order_number is None:
            set_order_number(runtime.database, delivery.id, order.number)
        if delivery.override_event_id is None:
            if order.is_cancelled:
                raise DiscardedError(Reason.CANCELLED, "the store says that it is cancelled")
            ensure_routed(settings.routes_between(store.id, account.id), event, order, was_fetched=was_fetched)
        else:  # a person let it go on all the same
            order = replace(order, is_cancelled=False)
        request_body = destination.build_request(
            order, account, store
        )  # first: nobody is made for an order that cannot go
        if customer_match := match_customer(runtime, order, account):
            request_body = destination.build_request(order, account, store, customer_match=customer_match)
    except (MappingError, DiscardedError, StoreCircuitOpenError, NotFetchedError, CustomerError, ConnectorError):
        raise
    except Exception as error:  # ours to mend; the order waits for it, and other orders go on
        runtime.log.error("mapping_failed", delivery_id=delivery.id, error=type(error).__name__)
        message = f"The connector failed to map this order ({type(error).__name__}): a fault of ours."
        raise MappingError([message]) from None
    return PreparedRequest(
        body=request_body.bytes, idempotency_key=idempotency_key(delivery, destination), warnings=request_body.warnings
    )


def ensure_not_pruned(delivery: Delivery, event: Event, destination: Destination[Any]) -> None:
    """Raises `MappingError` where what there is to send was pruned.

    A key stands for the bytes that went under it: others must not, though a newer version could be written.
    """
    if not event.body:
        raise MappingError(["Its payload was pruned: it goes again when a newer version of the order comes."])
    if (
        delivery.body is None
        and delivery.idempotency_key is not None
        and delivery.idempotency_key == idempotency_key(delivery, destination)
    ):
        cause = "What went under its key was pruned"
        raise MappingError([f"{cause}: look at the destination, then retrigger with force and a new key."])


def load_order(runtime: Runtime, event: Event, store: Store, account: Account) -> tuple[Order, bool]:
    """Return the order, and whether the storefront was asked for it: then it is newer than what the webhook says."""
    storefront = runtime.settings.storefront(store)
    payload = json.loads(event.body)
    required_details = runtime.settings.destination(account).required_details(account)
    required_fetches = storefront.required_fetches(payload, store, required_details)
    if required_fetches:
        circuit = store_circuit(store.id)
        lease_s, open_s = runtime.settings.environment.lease_s, account.breaker_open_s
        retry_at = next_probe_time(runtime.database, circuit, lease_s=lease_s, probe_after_s=open_s)
        if retry_at is not None:
            raise StoreCircuitOpenError(retry_at)
        try:
            client = runtime.store_clients.get(store.id)
            with runtime.tracing.span("fetch", kind="client"):
                payload = fetch_missing(
                    client, storefront, store, payload, required_details, timeout_s=fetch_timeout_s(lease_s, account)
                )
        except MappingError:  # the order is gone, says a store that answers
            close_store_circuit(runtime, store)
            raise
        close_store_circuit(runtime, store)
    return storefront.parse_order(payload, store), any(fetch.is_order for fetch in required_fetches)


def match_customer(runtime: Runtime, order: Order, account: Account) -> CustomerMatch | None:
    """Return whom the destination says that the order's customer is; None where it is not to be asked."""
    customers = runtime.account_clients[account.id].customers
    if customers is None:
        return None
    return customers.find(order, account, timeout_s=fetch_timeout_s(runtime.settings.environment.lease_s, account))


def fetch_timeout_s(lease_s: float, account: Account) -> float:
    """Seconds that fetching may take: the claim's lease must hold a token's exchange and the attempt's start too."""
    return min(25.0, max(5.0, lease_s - account.timeout_s - 10.0))


def close_store_circuit(runtime: Runtime, store: Store) -> None:
    report = CircuitReport(
        circuit=store_circuit(store.id), outcome=Outcome.DELIVERED, failure_threshold=1, probe_after_s=0
    )
    record_outcome(runtime.database, report)


def ensure_routed(routes: Sequence[Route], event: Event, order: Order, *, was_fetched: bool) -> None:
    """Raises `DiscardedError` unless some route between the order's store and account takes it as it is now."""
    rejections = [
        reason for route in routes if (reason := rejection_reason(route, event, order, was_fetched=was_fetched))
    ]
    if len(rejections) == len(routes):
        raise DiscardedError(
            Reason.FILTERED, "; ".join(dict.fromkeys(rejections)) or "no route leads to the account now"
        )


def rejection_reason(route: Route, event: Event, order: Order, *, was_fetched: bool) -> str | None:
    """Why a route does not take an order; None when it does."""
    is_paid_route = all(topic == "paid" or topic.endswith("/paid") for topic in route.topics)
    is_paid_event = route.accepts_topics(event.topics) and not was_fetched
    if is_paid_route and order.is_paid is False and not is_paid_event:
        return "its newest version is not paid"
    return route.only.exclusion_reason(order)


def idempotency_key(delivery: Delivery, destination: Destination[Any]) -> str | None:
    """`order:<store id>:<order id>:r<revision>`: the same for every event and attempt of one revision of the order."""
    if not destination.supports_idempotency:
        return None
    order_id = delivery.order_id
    if not order_id.isascii() or not order_id.isprintable() or len(order_id) > 150:
        order_id = sha256(order_id.encode()).hexdigest()  # a header takes ASCII, and the key 255 characters
    return f"order:{delivery.store}:{order_id}:r{delivery.revision}"
