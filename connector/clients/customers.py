"""Finds an order's customer at a destination, and creates one if the account is configured to.

A search may be repeated freely. Creating a customer has its own idempotency key. No order is sent.
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

from connector.clients.http import Client, RequestFailedError
from connector.clients.tokens import TokenError, TokenProvider
from connector.core.http_result import HttpResult
from mappings.customer_lookup import CustomerApi, CustomerMatch, CustomerQuery
from mappings.order import Order
from mappings.problems import Problem
from mappings.settings import Account

#: How long, and how many, customers are cached.
CACHE_TTL = timedelta(hours=1)
MAX_CACHED = 10_000
#: Pages of one search that are read.
MAX_PAGES = 5


class CustomerLookupError(RequestFailedError):
    """The customer could not be looked up. Worth another attempt."""


@dataclass(frozen=True, kw_only=True)
class CustomerLookup:
    """The customers of one account. Thread-safe."""

    api: CustomerApi[Any]
    client: Client
    tokens: TokenProvider
    idempotency_header: str
    clock: Callable[[], datetime]
    _cache: OrderedDict[CustomerQuery, tuple[datetime, str]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, order: Order, account: Account, *, timeout_s: float) -> CustomerMatch | None:
        """Return the order's customer, created if need be; None if the account does not look customers up.

        Args:
            account: with its current settings.
            timeout_s: for all requests together.

        Raises `CustomerLookupError`.
        """
        queries = self.api.queries_for(order, account)
        if not queries:
            return None
        if cached_id := self._cached_id(queries[0]):  # only the most certain query: people share e-mail addresses
            return CustomerMatch(customer_id=cached_id)
        requests = LookupRequests(self, deadline=monotonic() + timeout_s)
        match = self._search(requests, queries, order)
        if match is None and self.api.may_create(account):
            match = self._create(requests, queries, order)
        return match or CustomerMatch()

    def _search(
        self, requests: "LookupRequests", queries: Sequence[CustomerQuery], order: Order
    ) -> CustomerMatch | None:
        """Return the match of the first query that has one; None if nobody matches."""
        for query in queries:
            ids: set[str] = set()
            for search_term in query.search_terms:
                ids = ids or self._find_ids(requests, query, search_term, order)
            if len(ids) > 1:
                return CustomerMatch(
                    warning=Problem(code="several_customers", path=("customer",), params={"identifier": query.label})
                )
            if ids:
                return CustomerMatch(customer_id=self._remember(queries[0], ids.pop()))
        return None

    def _find_ids(self, requests: "LookupRequests", query: CustomerQuery, search_term: str, order: Order) -> set[str]:
        ids: set[str] = set()
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            result = requests.send("GET", params=self.api.search_params(search_term, cursor))
            page = self.api.parse_page(result.parse_json(), query, order) if result.is_success else None
            if page is None:
                raise lookup_error(result)
            ids.update(page.ids)
            cursor = page.cursor
            if cursor is None:
                break
        return ids

    def _create(self, requests: "LookupRequests", queries: Sequence[CustomerQuery], order: Order) -> CustomerMatch:
        new_customer = self.api.build_request(order)
        if new_customer is None:
            return CustomerMatch(warning=Problem(code="unnamed_customer", path=("customer",)))
        body = json.dumps(new_customer, ensure_ascii=False, separators=(",", ":")).encode()
        result = requests.send("POST", body=body, idempotency_key=customer_idempotency_key(queries[0]))
        if result.is_success and (created_id := self.api.created_id(result.parse_json())):
            return CustomerMatch(customer_id=self._remember(queries[0], created_id))
        status, response_body = result.status, result.parse_json()
        if status is None or not 400 <= status < 500 or status in (401, 403, 408, 425, 429):
            raise lookup_error(result)
        if self.api.is_duplicate(status, response_body) and (match := self._search(requests, queries, order)):
            return match  # created by an earlier attempt, or for another order
        if not self.api.is_in_progress(status, response_body):
            return CustomerMatch(
                warning=Problem(code="customer_not_created", path=("customer",), params={"status": status})
            )
        raise lookup_error(result)

    def _cached_id(self, query: CustomerQuery) -> str | None:
        with self._lock:
            expires_at, customer_id = self._cache.get(query, (None, None))
        return customer_id if expires_at is not None and expires_at > self.clock() else None

    def _remember(self, query: CustomerQuery, customer_id: str) -> str:
        with self._lock:
            self._cache[query] = (self.clock() + CACHE_TTL, customer_id)
            self._cache.move_to_end(query)
            while len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)
        return customer_id


@dataclass(frozen=True, slots=True)
class LookupRequests:
    """The requests for one order, all within one deadline."""

    lookup: CustomerLookup
    deadline: float  # monotonic

    def send(
        self,
        method: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        idempotency_key: str | None = None,
    ) -> HttpResult:
        """Raises `CustomerLookupError` if there is no token to send."""
        try:
            bearer = self.lookup.tokens.bearer()
        except TokenError as error:
            raise lookup_error(error.result) from error
        headers = {
            "Accept": "application/json",
            **({"Authorization": f"Bearer {bearer}"} if bearer else {}),
            **({"Content-Type": "application/json"} if body else {}),
            **({self.lookup.idempotency_header: idempotency_key} if idempotency_key else {}),
        }
        remaining_s = max(0.1, self.deadline - monotonic())
        path, client = self.lookup.api.path, self.lookup.client
        return client.request(method, path, timeout_s=remaining_s, query=params, headers=headers, body=body)


def lookup_error(result: HttpResult) -> CustomerLookupError:
    return CustomerLookupError("the destination could not be asked for the customer", result)


def customer_idempotency_key(query: CustomerQuery) -> str:
    """Return the same ASCII key for every order of a customer and every attempt. It does not reveal the customer."""
    return f"customer:{sha256(f'{query.label}:{query.value}'.encode()).hexdigest()[:40]}"
