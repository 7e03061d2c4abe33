"""Asks a destination for the customer that an order is of, and has one made where the account says so.

A search may be repeated freely; making one has an idempotency key of its own. Nothing of the order itself is sent.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import Any

from connector.clients.http import Client
from connector.clients.tokens import TokenProvider
from connector.core.http_result import HttpResult
from mappings.customer_lookup import CustomerApi, CustomerMatch, CustomerQuery
from mappings.order import Order
from mappings.settings import Account

#: How long, and how many, found customers are remembered.
CACHE_TTL = timedelta(hours=1)
MAX_CACHED = 10_000
#: How many pages of one search are read.
MAX_PAGES = 5


class CustomerError(Exception):
    """The destination did not say who the customer is: the order is worth another try. `answer` is what it said."""

    def __init__(self, result: HttpResult) -> None:
        super().__init__("the destination did not say who the customer is")
        self.result = result


@dataclass(frozen=True, kw_only=True)
class CustomerLookup:
    """The customers of one account. Threads may share it."""

    api: CustomerApi[Any]
    client: Client
    tokens: TokenProvider
    idempotency_header: str
    clock: Callable[[], datetime]
    _cache: OrderedDict[CustomerQuery, tuple[datetime, str]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, order: Order, account: Account, *, timeout_s: float) -> CustomerMatch | None:
        """Return who the order's customer is, made for it if need be; None where the account has nobody looked for.

        Args:
            account: as its settings are now.
            timeout_s: for all calls together.

        Raises `CustomerError`.
        """
        queries = self.api.queries_for(order, account)
        if not queries:
            return None
        if cached_id := self._cached_id(queries[0]):  # by nothing less sure: people share e-mails
            return CustomerMatch(customer_id=cached_id)
        calls = ApiCalls(self, deadline=monotonic() + timeout_s)
        customer_match = self._search(calls, queries, order)
        if customer_match is None and self.api.may_create(account):
            customer_match = self._create(calls, queries, order)
        return customer_match or CustomerMatch()

    def _search(self, calls: "ApiCalls", queries: Sequence[CustomerQuery], order: Order) -> CustomerMatch | None:
        """Return whom the destination has; None: nobody."""
        for customer_query in queries:
            ids: set[str] = set()
            for spelling in customer_query.search_terms:
                ids = ids or self._find_ids(calls, customer_query, spelling, order)
            if len(ids) > 1:
                return CustomerMatch(
                    warning=f"Customer: several have this {customer_query.label}; the account's is taken."
                )
            if ids:
                return CustomerMatch(customer_id=self._remember(queries[0], ids.pop()))
        return None

    def _find_ids(self, calls: "ApiCalls", customer_query: CustomerQuery, spelling: str, order: Order) -> set[str]:
        ids: set[str] = set()
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            result = calls.send("GET", query=self.api.search_params(spelling, cursor))
            page = self.api.parse_page(result.parse_json(), customer_query, order) if is_success(result) else None
            if page is None:
                raise CustomerError(result)
            ids.update(page.ids)
            cursor = page.cursor
            if cursor is None:
                break
        return ids

    def _create(self, calls: "ApiCalls", queries: Sequence[CustomerQuery], order: Order) -> CustomerMatch:
        new_customer = self.api.build_request(order)
        if new_customer is None:
            return CustomerMatch(warning="Customer: the order names nobody to make one of; the account's is taken.")
        body = json.dumps(new_customer, ensure_ascii=False, separators=(",", ":")).encode()
        result = calls.send("POST", body=body, idempotency_key=customer_idempotency_key(queries[0]))
        if is_success(result) and (created_id := self.api.created_id(result.parse_json())):
            return CustomerMatch(customer_id=self._remember(queries[0], created_id))
        status, response_body = result.status, result.parse_json()
        if status is None or not 400 <= status < 500 or status in (401, 403, 408, 425, 429):
            raise CustomerError(result)
        if self.api.is_duplicate(status, response_body) and (customer_match := self._search(calls, queries, order)):
            return customer_match  # made by an attempt before, or for another order
        if not self.api.is_in_progress(status, response_body):
            return CustomerMatch(warning=f"Customer: none could be made (status {status}); the account's is taken.")
        raise CustomerError(result)

    def _cached_id(self, customer_query: CustomerQuery) -> str | None:
        with self._lock:
            until, cached_id = self._cache.get(customer_query, (None, None))
        return cached_id if until is not None and until > self.clock() else None

    def _remember(self, customer_query: CustomerQuery, customer_id: str) -> str:
        with self._lock:
            self._cache[customer_query] = (self.clock() + CACHE_TTL, customer_id)
            self._cache.move_to_end(customer_query)
            while len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)
        return customer_id


@dataclass(frozen=True, slots=True)
class ApiCalls:
    """The calls for one order, which together end in time."""

    customers: CustomerLookup
    deadline: float

    def send(
        self,
        method: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        idempotency_key: str | None = None,
    ) -> HttpResult:
        """Raises `CustomerError` where there is no token to ask with."""
        bearer = self.customers.tokens.bearer()
        if isinstance(bearer, HttpResult):
            raise CustomerError(bearer)
        headers = {
            "Accept": "application/json",
            **({"Authorization": f"Bearer {bearer}"} if bearer else {}),
            **({"Content-Type": "application/json"} if body else {}),
            **({self.customers.idempotency_header: idempotency_key} if idempotency_key else {}),
        }
        remaining_s = max(0.1, self.deadline - monotonic())
        path, client = self.customers.api.path, self.customers.client
        return client.request(method, path, timeout_s=remaining_s, query=query, headers=headers, body=body)


def is_success(result: HttpResult) -> bool:
    return result.status is not None and 200 <= result.status < 300


def customer_idempotency_key(customer_query: CustomerQuery) -> str:
    """The same for every order of a customer and every attempt. ASCII, and nobody reads the customer in it."""
    return f"customer:{sha256(f'{customer_query.label}:{customer_query.value}'.encode()).hexdigest()[:40]}"
