"""Makes what an attempt sends: the order as it stands now, fetched where the webhook is thin, read, and written.

Sends nothing, and changes no delivery: all of it may be repeated freely.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from connector.clients.customers import CustomerError
from connector.clients.storefront_api import NotFetchedError, complete
from connector.core.exceptions import ConnectorError
from connector.database.circuits import Health, may_probe, tell_health
from connector.database.models import Delivery, Event, Reason
from connector.database.orders import name_order, row_id
from connector.runtime import Runtime
from connector.settings import Route
from mappings.customer_lookup import Booked
from mappings.integration import Destination, Outcome
from mappings.order import Order
from mappings.schema import MappingError
from mappings.settings import Account, Store


class DiscardedError(Exception):
    """The order is not to be sent as it is now. The text says why."""

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


class StoreShutError(Exception):
    """The store's API refuses our credentials or fails, and is left alone until then."""

    def __init__(self, until: datetime) -> None:
        super().__init__("the store's API is left alone for a while")
        self.until = until


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What an attempt sends."""

    body: bytes
    key: str | None
    warnings: list[str]


def pack(runtime: Runtime, delivery: Delivery, event: Event) -> Parcel:
    """Return what to send: the bytes of an attempt that was ambiguous, else the order as it stands now.

    Raises `MappingError`, `DiscardedError`, `StoreShutError`, `NotFetchedError`, `CustomerError`.
    """
    settings = runtime.settings
    account = settings.accounts.get(delivery.account)
    if account is None:  # retired, with orders still on their way
        raise MappingError(["Its account is no longer configured."])
    if delivery.frozen_since is not None and delivery.body is not None:
        return Parcel(body=delivery.body, key=delivery.key, warnings=delivery.warnings)
    require_kept(delivery, event, settings.destination(account))
    try:
        store = settings.store_by_id(delivery.store)
    except KeyError:
        raise MappingError(["Its store is no longer configured."]) from None
    destination = settings.destination(account)
    try:
        order, was_fetched = read_order(runtime, event, store, account)
        if delivery.order_number is None:
            name_order(runtime.database, row_id(delivery), order.number)
        if delivery.overruled is None:
            if order.is_cancelled:
                raise DiscardedError(Reason.CANCELLED, "the store says that it is cancelled")
            require_route(settings.routes_between(store.id, account.id), event, order, was_fetched=was_fetched)
        else:  # a person let it go on all the same
            order = replace(order, is_cancelled=False)
        written = destination.write(order, account, store)  # first: nobody is made for an order that cannot go
        if booked := find_customer(runtime, order, account):
            written = destination.write(order, account, store, booked=booked)
    except (MappingError, DiscardedError, StoreShutError, NotFetchedError, CustomerError, ConnectorError):
        raise
    except Exception as error:  # ours to mend; the order waits for it, and other orders go on
        runtime.log.error("mapping_failed", delivery_id=delivery.id, error=type(error).__name__)
        said = f"The connector failed to map this order ({type(error).__name__}): a fault of ours."
        raise MappingError([said]) from None
    return Parcel(body=written.bytes, key=idempotency_key(delivery, destination), warnings=written.warnings)


def require_kept(delivery: Delivery, event: Event, destination: Destination) -> None:
    """Raises `MappingError` where what there is to send was pruned.

    A key stands for the bytes that went under it: others must not, though a newer version could be written.
    """
    if not event.body:
        raise MappingError(["Its payload was pruned: it goes again when a newer version of the order comes."])
    if delivery.body is None and delivery.key is not None and delivery.key == idempotency_key(delivery, destination):
        what = "What went under its key was pruned"
        raise MappingError([f"{what}: look at the destination, then retrigger with force and a new key."])


def read_order(runtime: Runtime, event: Event, store: Store, account: Account) -> tuple[Order, bool]:
    """Return the order, and whether the storefront was asked for it: then it is newer than what the webhook says."""
    storefront = runtime.settings.storefront(store)
    payload = json.loads(event.body)
    needs = runtime.settings.destination(account).needs(account)
    fetches = storefront.fetches(payload, store, needs)
    if fetches:
        circuit = store_circuit(store.id)
        lease_s, open_s = runtime.settings.environment.lease_s, account.breaker_open_s
        until = may_probe(runtime.database, circuit, lease_s=lease_s, open_s=open_s)
        if until is not None:
            raise StoreShutError(until)
        try:
            client = runtime.apis.get(store.id)
            with runtime.tracing.span("fetch", kind="client"):
                payload = complete(client, storefront, store, payload, needs, timeout_s=fetch_s(lease_s, account))
        except MappingError:  # the order is gone, says a store that answers
            close_store_circuit(runtime, store)
            raise
        close_store_circuit(runtime, store)
    return storefront.read(payload, store), any(fetch.is_order for fetch in fetches)


def find_customer(runtime: Runtime, order: Order, account: Account) -> Booked | None:
    """Return whom the destination says that the order's customer is; None where it is not to be asked."""
    customers = runtime.outbound[account.id].customers
    if customers is None:
        return None
    return customers.find(order, account, timeout_s=fetch_s(runtime.settings.environment.lease_s, account))


def fetch_s(lease_s: float, account: Account) -> float:
    """Seconds that fetching may take: the claim's lease must hold a token's exchange and the attempt's start too."""
    return min(25.0, max(5.0, lease_s - account.timeout_s - 10.0))


def close_store_circuit(runtime: Runtime, store: Store) -> None:
    health = Health(circuit=store_circuit(store.id), outcome=Outcome.DELIVERED, failures=1, open_s=0)
    tell_health(runtime.database, health)


def store_circuit(store_id: str) -> str:
    """The name of a store's circuit. No account's id holds a colon."""
    return f"store:{store_id}"


def require_route(routes: Sequence[Route], event: Event, order: Order, *, was_fetched: bool) -> None:
    """Raises `DiscardedError` unless some route between the order's store and account takes it as it is now."""
    refusals = [why for route in routes if (why := refusal(route, event, order, was_fetched=was_fetched))]
    if len(refusals) == len(routes):
        raise DiscardedError(Reason.FILTERED, "; ".join(dict.fromkeys(refusals)) or "no route leads to the account now")


def refusal(route: Route, event: Event, order: Order, *, was_fetched: bool) -> str | None:
    """Why a route does not take an order; None when it does."""
    is_for_paid = all(topic == "paid" or topic.endswith("/paid") for topic in route.topics)
    says_paid = route.wants(event.topics) and not was_fetched
    if is_for_paid and order.is_paid is False and not says_paid:
        return "its newest version is not paid"
    return route.only.passes(order)


def idempotency_key(delivery: Delivery, destination: Destination) -> str | None:
    """`order:<store id>:<order id>:r<revision>`: the same for every event and attempt of one revision of the order."""
    if not destination.has_key:
        return None
    order_id = delivery.order_id
    if not order_id.isascii() or not order_id.isprintable() or len(order_id) > 150:
        order_id = sha256(order_id.encode()).hexdigest()  # a header takes ASCII, and the key 255 characters
    return f"order:{delivery.store}:{order_id}:r{delivery.revision}"
