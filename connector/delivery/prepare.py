"""Prepares what an attempt sends: the order as it is now, fetched if its webhook is thin, mapped for the destination.

Sends no order and changes no delivery's state, so all of it may be repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from connector.clients.customers import CustomerLookupError
from connector.clients.http import RequestFailedError
from connector.clients.storefront_api import FetchError
from connector.core.exceptions import ConnectorError
from connector.core.http_result import HttpResult
from connector.core.messages import build_message
from connector.core.outcomes import is_unauthorized
from connector.database.circuits import (
    CircuitReport,
    credentials_changed_since,
    next_probe_time,
    record_outcome,
    store_circuit,
)
from connector.database.models import Delivery, Event, Reason
from connector.database.orders import record_order
from connector.delivery.age import find_doubt, find_old, is_older_than_restore
from connector.delivery.order_source import OrderSource, load_order_source
from connector.delivery.order_summary import OrderSummary
from connector.runtime import Runtime, stop_reason
from connector.settings import Route
from mappings.corrections import Correction
from mappings.customer_lookup import CustomerMatch
from mappings.destination import Destination, Outcome
from mappings.order import Order
from mappings.problems import MappingError, Problem, load_problems
from mappings.settings import Account, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The request to send."""

    body: bytes
    idempotency_key: str | None
    warnings: list[Problem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmappable:
    """The order, or the configuration, has problems that a person must correct."""

    problems: list[Problem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarded:
    """The order must not be sent as it is now."""

    reason: Reason
    problems: list[Problem]  # why


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A person must decide whether to send the order."""

    problem: Problem  # why
    may_be_sent: bool = False  # before the database was restored from a backup


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """The store's API is failing and is not called before `until`."""

    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PrerequisiteFailed:
    """A request that the order depends on failed: for the order itself, its customer, or a token."""

    code: str  # of its message: "order_not_fetched", "no_customer", "no_token"
    circuit: str  # the circuit that the failure counts for
    outcome: Outcome  # UNAUTHORIZED or NOT_PROCESSED
    result: HttpResult


#: It may have been sent in the time that a restored backup does not know.
HELD_SINCE_RESTORE = Held(problem=build_message("database_restored"), may_be_sent=True)

#: Why nothing is sent.
NotReady = Unmappable | Discarded | Held | Postponed | PrerequisiteFailed
Prepared = Ready | NotReady


def prepare(runtime: Runtime, delivery: Delivery, event: Event, corrections: Sequence[Correction]) -> Prepared:
    """Return the request to send, or why there is none.

    1. After an ambiguous attempt: the same bytes under the same key, and nothing else. Hold it if it may have been sent
       before the database was restored from a backup, unless the destination recognises its key. A person
       must decide if the account's credentials were replaced since: the destination may know the key only with the old
       ones.
    2. Load the order, and fetch what its webhook lacks.
    3. Discard it if it was cancelled, if no route takes it any more, or if it is from before the store was connected.
       Hold it if a person must decide.
    4. Map it, with what people entered for it.
    5. Look up its customer at destinations that keep some, and map it again with that customer.
    """
    try:
        account = runtime.settings.accounts.get(delivery.account)
        if account is None:  # retired, with open deliveries
            return Unmappable(problems=[build_message("account_not_configured")])
        if delivery.sent_before_restore and not is_key_trusted(delivery, account, runtime.clock()):
            return HELD_SINCE_RESTORE
        if delivery.locked_since is not None and delivery.body is not None:
            if credentials_changed_since(runtime.database, account.id, delivery.locked_since):
                return Unmappable(problems=[build_message("credentials_changed")])
            warnings = load_problems(delivery.warnings)
            return Ready(body=delivery.body, idempotency_key=delivery.idempotency_key, warnings=warnings)
        prepared = prepare_order(runtime, delivery, event, account, corrections)
        return HELD_SINCE_RESTORE if delivery.sent_before_restore and isinstance(prepared, Discarded) else prepared
    except MappingError as error:
        return Unmappable(problems=error.problems)
    except ConnectorError:
        raise
    except Exception as error:  # a bug in the connector: the order is parked until it is fixed
        runtime.log.error("mapping_failed", delivery_id=delivery.id, error=type(error).__name__)
        return Unmappable(problems=[build_message("mapping_failed", exception=type(error).__name__)])


def prepare_order(
    runtime: Runtime, delivery: Delivery, event: Event, account: Account, corrections: Sequence[Correction]
) -> Prepared:
    """Steps 2 to 5 of `prepare`. Raises `MappingError`."""
    settings = runtime.settings
    destination = settings.destination(account)
    ensure_not_pruned(delivery, event, destination)
    store = find_store(runtime, delivery)
    source = load_order_source(settings, event, store, destination.required_details(account), corrections)
    since = runtime.orders_since(store)
    is_old_accepted = delivery.is_forced or delivery.override_event_id is not None
    if not is_old_accepted and (reason := find_old(source.times(), since)):
        return Discarded(reason=Reason.FILTERED, problems=[reason])
    if source.missing:
        fetched = fetch_order(runtime, source, account)
        if not isinstance(fetched, OrderSource):
            return fetched
        source = fetched
        if not is_old_accepted and (reason := find_old(source.times(), since)):
            return Discarded(reason=Reason.FILTERED, problems=[reason])
    if source.storefront.is_customer_erased(source.payload):
        return Held(problem=Problem(code="customer_erased"))
    order = source.parse()
    summary = OrderSummary.from_order(order).to_json() if source.was_fetched else None
    if delivery.order_number is None or summary != delivery.summary:
        record_order(runtime.database, delivery.id, order.number, summary)
    routes = settings.routes_between(store.id, account.id)
    if delivery.sent_before_restore is None and is_older_than_restore(source.times(), runtime.database.generation):
        rejections = [] if delivery.ignores_routes else rejections_by_routes(routes, order)
        was_wanted = not rejections or order.is_cancelled or order.is_refunded
        return HELD_SINCE_RESTORE if was_wanted else Discarded(reason=Reason.FILTERED, problems=rejections)
    if delivery.is_forced:  # a person decided to send it in spite of its state
        order = destination.override_exclusion(order, account, store)
    if order.is_cancelled:
        return Discarded(reason=Reason.CANCELLED, problems=[build_message("cancelled_at_store")])
    if order.is_refunded:
        return Discarded(reason=Reason.FILTERED, problems=[build_message("payment_returned")])
    if not delivery.ignores_routes and (rejections := rejections_by_routes(routes, order)):
        return Discarded(reason=Reason.FILTERED, problems=rejections)
    if not delivery.is_forced and (exclusion := destination.find_exclusion(order, account, store)):
        return Discarded(reason=Reason.FILTERED, problems=[exclusion])
    if not is_old_accepted and (doubt := find_doubt(source.times(), since)):
        return Held(problem=doubt)
    request_body = destination.build_request(order, account, store)
    # Only now, so that no customer is created for an order that cannot be sent.
    try:
        customer_match = find_customer(runtime, order, account)
    except CustomerLookupError as error:
        return prerequisite_failed("no_customer", account.id, error)
    if customer_match:
        request_body = destination.build_request(order, account, store, customer_match=customer_match)
    return Ready(
        body=request_body.bytes, idempotency_key=idempotency_key(delivery, destination), warnings=request_body.warnings
    )


def is_key_trusted(delivery: Delivery, account: Account, now: datetime) -> bool:
    """Whether the destination still says, under the delivery's idempotency key, if it has the order."""
    return delivery.locked_since is not None and now - delivery.locked_since < timedelta(
        seconds=account.ambiguous_for_s
    )


def find_store(runtime: Runtime, delivery: Delivery) -> Store:
    """Raises `MappingError` if the store is no longer configured."""
    try:
        return runtime.settings.stores_by_id[delivery.store]
    except KeyError:
        raise MappingError([build_message("store_not_configured")]) from None


def ensure_not_pruned(delivery: Delivery, event: Event, destination: Destination[Any]) -> None:
    """Raises `MappingError` if what would be sent has been pruned.

    An idempotency key stands for the bytes that were sent with it: no other bytes may be sent with it.
    """
    is_key_used = (
        delivery.body is None
        and delivery.idempotency_key is not None
        and delivery.idempotency_key == idempotency_key(delivery, destination)
    )
    if not event.body and not (is_key_used and delivery.locked_since is not None):
        raise MappingError([build_message("payload_pruned")])
    if is_key_used:
        raise MappingError([build_message("body_pruned")])


def fetch_order(
    runtime: Runtime, source: OrderSource, account: Account
) -> OrderSource | Postponed | PrerequisiteFailed | Held:
    """Fetch what the source lacks, unless the circuit of the store's API is open, or the app does not work there.

    Raises `MappingError`.
    """
    store, lease_s = source.store, runtime.settings.environment.lease_s
    if stop := stop_reason(runtime.database, store):
        return Held(problem=stop)
    circuit = store_circuit(store.id)
    retry_at = next_probe_time(runtime.database, circuit, lease_s=lease_s, probe_after_s=account.breaker_open_s)
    if retry_at is not None:
        return Postponed(until=retry_at)
    try:
        with runtime.tracing.span("fetch", kind="client"):
            fetched = source.fetch(runtime.store_apis.get(store.id), timeout_s=fetch_timeout_s(lease_s, account))
    except FetchError as error:
        # The store's circuit, not the account's: a failing shop must not stop the orders of others.
        return prerequisite_failed("order_not_fetched", circuit, error)
    except MappingError:  # the API works, and says that the order is gone
        close_store_circuit(runtime, store)
        raise
    close_store_circuit(runtime, store)
    return fetched


def prerequisite_failed(code: str, circuit: str, error: RequestFailedError) -> PrerequisiteFailed:
    outcome = Outcome.UNAUTHORIZED if is_unauthorized(error.result) else Outcome.NOT_PROCESSED
    return PrerequisiteFailed(code=code, circuit=circuit, outcome=outcome, result=error.result)


def find_customer(runtime: Runtime, order: Order, account: Account) -> CustomerMatch | None:
    """Return the order's customer at the destination; None if it is not looked up. Raises `CustomerLookupError`."""
    customers = runtime.account_clients[account.id].customers
    if customers is None:
        return None
    return customers.find(order, account, timeout_s=fetch_timeout_s(runtime.settings.environment.lease_s, account))


def fetch_timeout_s(lease_s: float, account: Account) -> float:
    """Return how long fetching may take, so that the token exchange and the attempt still fit in the lease."""
    return min(25.0, max(5.0, lease_s - account.timeout_s - 10.0))


def close_store_circuit(runtime: Runtime, store: Store) -> None:
    report = CircuitReport(
        circuit=store_circuit(store.id), outcome=Outcome.DELIVERED, failure_threshold=1, probe_after_s=0
    )
    record_outcome(runtime.database, report)


def rejections_by_routes(routes: Sequence[Route], order: Order) -> list[Problem]:
    """Return why no route between the order's store and account takes it as it is now; empty if one does."""
    if not routes:
        return [build_message("no_route")]
    reasons = [rejection_by_route(route, order) for route in routes]
    if None in reasons:
        return []
    return list(dict.fromkeys(reason for reason in reasons if reason))


def rejection_by_route(route: Route, order: Order) -> Problem | None:
    """Return why a route does not take an order; None if it does.

    An order with an unknown payment status passes, so that mapping it names the status.
    """
    if route.takes_only_paid and not order.is_paid and order.unknown_payment is None:
        return build_message("newest_version_unpaid")
    return route.only.exclusion_reason(order)


def idempotency_key(delivery: Delivery, destination: Destination[Any]) -> str | None:
    """Return `order:<store id>:<order id>:r<revision>`, the same for every event and attempt of a revision.

    None if the destination takes no key.
    """
    if not destination.supports_idempotency:
        return None
    order_id = delivery.order_id
    if not order_id.isascii() or not order_id.isprintable() or len(order_id) > 150:
        order_id = sha256(order_id.encode()).hexdigest()  # a header takes ASCII, and the key 255 characters
    return f"order:{delivery.store}:{order_id}:r{delivery.revision}"
