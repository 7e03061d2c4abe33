"""The state of the fake services: orders, requests, tokens and injected faults.

It is in memory only, is shared by the server's threads, and does not depend on HTTP.
"""

import secrets
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

import jwt

from connector.sandbox.fault_injection import Fault, FaultKind, FaultSchema
from connector.sandbox.leaky_bucket import LeakyBucket
from connector.sandbox.registered_webhooks import WebhookPlatform, WebhookRegistry
from connector.sandbox.store_tokens import IssuedStoreTokens
from mappings import DESTINATIONS
from mappings.destination import Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedOrder:
    """An order that a destination has."""

    destination: str
    remote_id: str | int
    key: str | None  # idempotency key
    body: dict[str, Any]
    headers: dict[str, str]  # without secrets
    received_at: datetime


#: "served" is of a storefront's API and of LaPyme's customers; the others are of a destination.
RequestOutcome = Literal["accepted", "replayed", "refused", "dropped", "token", "served"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRequest:
    """A request, and its outcome."""

    destination: str  # or the storefront, for a request to its API
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # without secrets
    body: str | None  # None: not read
    key: str | None
    received_at: datetime
    outcome: RequestOutcome
    why: str | None = None  # the fault that was injected, or what is wrong with the request
    remote_id: str | int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOrder:
    """An order that a storefront's API returns."""

    storefront: str
    store_id: str
    order_id: str
    order: Mapping[str, Any]
    is_webhook_lost: bool = False  # only the API tells of this version


@dataclass(slots=True, kw_only=True)
class ShopConditions:
    """How the shops are set up."""

    woocommerce_zone: tzinfo = UTC
    #: WooCommerce's orders that the API's key may not read.
    hidden_order_ids: set[str] = field(default_factory=set)
    #: The limit of each storefront whose API refuses more requests.
    buckets: dict[str, LeakyBucket] = field(default_factory=dict)


class KeyConflictError(Exception):
    """The idempotency key was used with another body."""


class Sandbox:
    """The state of all fake services."""

    def __init__(
        self,
        *,
        destinations: Mapping[str, Destination[Any]] = DESTINATIONS,
        storefronts: Collection[str] = (),  # those that have a fake API
        services: Collection[str] = (),  # names of other fakes into which faults can be injected
        webhook_platforms: Sequence[WebhookPlatform] = (),
        token_life_s: float = 300.0,
        store_token_life_s: float = 86_399.0,
    ) -> None:
        self.destinations = destinations
        self.store_tokens = IssuedStoreTokens(life_s=store_token_life_s)
        self.storefronts = storefronts
        self.stopping = threading.Event()
        self.webhooks = WebhookRegistry(webhook_platforms)
        #: What a key of WooCommerce's API may do: "read", "write" or "no_manager"; otherwise it may read and write.
        self.key_permissions: dict[str, str] = {}
        self.shop_conditions = ShopConditions()
        self._token_life = timedelta(seconds=token_life_s)
        self._token_secret = secrets.token_bytes(32)
        self._fault_schema = FaultSchema([*destinations, *storefronts, *services])
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._token_generation: Counter[str] = Counter()
        self._orders: list[AcceptedOrder] = []
        self._requests: list[SeenRequest] = []
        self._orders_by_key: dict[tuple[str, str, str], tuple[bytes, AcceptedOrder]] = {}
        self._store_orders: dict[tuple[str, str, str], StoreOrder] = {}
        self._customers: list[dict[str, Any]] = []
        #: Idempotency key -> request body and the customer that it created.
        self._customers_by_key: dict[str, tuple[str, dict[str, Any]]] = {}

    def orders(self, destination: str | None = None) -> list[AcceptedOrder]:
        """Return the orders of `destination`, oldest first; None: of every destination."""
        with self._lock:
            return [order for order in self._orders if destination in {None, order.destination}]

    def requests(self, destination: str | None = None) -> list[SeenRequest]:
        """Return all requests, including refused and dropped ones, oldest first."""
        with self._lock:
            return [request for request in self._requests if destination in {None, request.destination}]

    def put_order(
        self, storefront: str, store_id: str | int, order: Mapping[str, Any], *, is_webhook_lost: bool = False
    ) -> StoreOrder:
        """Store an order for the API of `storefront` to return. It replaces an order of the same id.

        The webhooks that are registered at the storefront are sent in the background, unless they are to be lost.

        Raises `ValueError` if the storefront has no fake API, or the order has no id.
        """
        order_id = order.get("id")
        if storefront not in self.storefronts:
            raise ValueError(f"the sandbox has no API of “{storefront}”")
        if order_id is None:
            raise ValueError("the order has no id")
        store_order = StoreOrder(
            storefront=storefront,
            store_id=str(store_id),
            order_id=str(order_id),
            order=order,
            is_webhook_lost=is_webhook_lost,
        )
        key = (store_order.storefront, store_order.store_id, store_order.order_id)
        with self._lock:
            old = self._store_orders.get(key)
            self._store_orders[key] = store_order
        if not is_webhook_lost:
            self.webhooks.order_changed(
                storefront, store_order.store_id, old.order if old else None, lambda: self._store_orders[key].order
            )
        return store_order

    def remove_order(self, storefront: str, store_id: str | int, order_id: str) -> None:
        """Have the API of `storefront` no longer return the order, as if the shop had deleted it."""
        with self._lock:
            self._store_orders.pop((storefront, str(store_id), order_id), None)

    def store_order(self, storefront: str, store_id: str, order_id: str) -> Mapping[str, Any]:
        """Return an order that was put there. Raises `KeyError` if there is none."""
        with self._lock:
            return self._store_orders[storefront, store_id, order_id].order

    def store_orders(self) -> list[StoreOrder]:
        with self._lock:
            return list(self._store_orders.values())

    def customers(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._customers)

    def add_customer(self, **values: Any) -> dict[str, Any]:
        """Add a customer to LaPyme, as if somebody had created it there."""
        customer = {"object": "customer", "id": str(uuid.uuid4()), **values}
        with self._lock:
            self._customers.append(customer)
        return customer

    def create_customer(self, values: Mapping[str, Any], *, key: str, content: str) -> tuple[dict[str, Any], bool]:
        """Return the customer, and whether an earlier request with the same key created it.

        Raises `KeyConflictError` if that request had another body, and `ValueError` if the tax document is another
        customer's.
        """
        with self._lock:
            if key in self._customers_by_key:
                earlier, customer = self._customers_by_key[key]
                if earlier != content:
                    raise KeyConflictError
                return customer, True
            tax_id = str(values.get("tax_id") or "").replace("-", "")
            if tax_id and any(
                str(existing.get("tax_id") or "").replace("-", "") == tax_id for existing in self._customers
            ):
                raise ValueError("a customer with this document exists")
            customer = {"object": "customer", "id": str(uuid.uuid4()), **values}
            self._customers.append(customer)
            self._customers_by_key[key] = (content, customer)
            return customer, False

    def faults(self) -> list[Fault]:
        """Return the faults that may still apply."""
        with self._lock:
            return [fault for fault in self._faults if fault.times_left != 0]

    def inject_fault(self, destination: str, fault: str, **options: Any) -> Fault:
        """Inject a fault, with the fields of `FaultSchema` as arguments."""
        return self.add_fault({"destination": destination, "fault": fault, **options})

    def add_fault(self, data: Mapping[str, Any]) -> Fault:
        """Inject the fault that `FaultSchema` loads from `data`. Raises `marshmallow.ValidationError`."""
        fault: Fault = self._fault_schema.load(data)
        with self._lock:
            if fault.kind is FaultKind.EXPIRE_TOKENS:
                self._token_generation[fault.destination] += 1
                self.store_tokens.revoke(fault.destination)
            else:
                self._faults.append(fault)
        return fault

    def clear_faults(self) -> None:
        """Clear every fault."""
        with self._lock:
            self._faults.clear()

    def clear_orders(self) -> None:
        """Delete all orders, customers and requests."""
        with self._lock:
            self._orders.clear()
            self._requests.clear()
            self._orders_by_key.clear()
            self._store_orders.clear()
            self._customers.clear()
            self._customers_by_key.clear()

    def reset(self) -> None:
        """Delete everything, and the shops' conditions. Tokens stay valid."""
        self.shop_conditions = ShopConditions()
        self.webhooks.clear()
        self.key_permissions.clear()
        self.clear_faults()
        self.clear_orders()

    def consume_fault(self, destination: str, kinds: Collection[FaultKind], text: str = "") -> Fault | None:
        """Return the oldest fault of `kinds` that matches `text`, and count it down."""
        with self._lock:
            for fault in self._faults:
                if fault.destination == destination and fault.kind in kinds and fault.matches(text):
                    if fault.times_left is not None:
                        fault.times_left -= 1
                    return fault
        return None

    def restore_fault(self, fault: Fault) -> None:
        """Undo `consume_fault` for a fault that was not applied."""
        with self._lock:
            if fault.times_left is not None:
                fault.times_left += 1

    def record_request(self, request: SeenRequest) -> None:
        with self._lock:
            self._requests.append(request)

    def accept_order(
        self, destination: str, *, owner: str, content: bytes, key: str | None, build: Callable[[int], AcceptedOrder]
    ) -> tuple[AcceptedOrder, bool]:
        """Store the order that `build` makes from its number, and return it and False.

        If `owner` used `key` before, return the order of that request and True. Raises `KeyConflictError` if that
        request had another body.
        """
        with self._lock:
            if key is not None and (earlier := self._orders_by_key.get((destination, owner, key))):
                if earlier[0] != content:
                    raise KeyConflictError
                return earlier[1], True
            order = build(len(self._orders) + 1)
            self._orders.append(order)
            if key is not None:
                self._orders_by_key[destination, owner, key] = (content, order)
            return order, False

    def issue_token(self, destination: str) -> str:
        now = datetime.now(UTC)
        claims = {
            "aud": destination,
            "iat": now,
            "exp": now + self._token_life,
            "generation": self._token_generation[destination],
        }
        return jwt.encode(claims, self._token_secret, algorithm="HS256")

    def is_valid_token(self, destination: str, token: str) -> bool:
        try:
            claims = jwt.decode(
                token, self._token_secret, algorithms=["HS256"], audience=destination, options={"require": ["exp"]}
            )
        except jwt.InvalidTokenError:
            return False
        return bool(claims.get("generation") == self._token_generation[destination])
