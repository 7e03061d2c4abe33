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

from connector.clients.http import Client
from connector.clients.tokens import Tokens
from connector.core.retry import Answer
from mappings.customer_lookup import Booked, CustomerBook, Sought
from mappings.order import Order
from mappings.settings import Account

#: How long, and how many, found customers are remembered.
REMEMBER_FOR = timedelta(hours=1)
MOST_REMEMBERED = 10_000
#: How many pages of one search are read.
MOST_PAGES = 5


class CustomerError(Exception):
    """The destination did not say who the customer is: the order is worth another try. `answer` is what it said."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("the destination did not say who the customer is")
        self.answer = answer


@dataclass(frozen=True, kw_only=True)
class Customers:
    """The customers of one account. Threads may share it."""

    book: CustomerBook
    client: Client
    tokens: Tokens
    key_header: str
    clock: Callable[[], datetime]
    _known: OrderedDict[Sought, tuple[datetime, str]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, order: Order, account: Account, *, timeout_s: float) -> Booked | None:
        """Return who the order's customer is, made for it if need be; None where the account has nobody looked for.

        Args:
            account: as its settings are now.
            timeout_s: for all calls together.

        Raises `CustomerError`.
        """
        sought = self.book.seek(order, account)
        if not sought:
            return None
        if known := self._recall(sought[0]):  # by nothing less sure: people share e-mails
            return Booked(customer_id=known)
        call = Call(self, give_up_at=monotonic() + timeout_s)
        booked = self._search(call, sought, order)
        if booked is None and self.book.may_make(account):
            booked = self._make(call, sought, order)
        return booked or Booked()

    def _search(self, call: "Call", sought: Sequence[Sought], order: Order) -> Booked | None:
        """Return whom the destination has; None: nobody."""
        for one in sought:
            ids: set[str] = set()
            for spelling in one.spellings:
                ids = ids or self._find_ids(call, one, spelling, order)
            if len(ids) > 1:
                return Booked(warning=f"Customer: several have this {one.what}; the account's is taken.")
            if ids:
                return Booked(customer_id=self._remember(sought[0], ids.pop()))
        return None

    def _find_ids(self, call: "Call", sought: Sought, spelling: str, order: Order) -> set[str]:
        ids: set[str] = set()
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            answer = call.ask("GET", query=self.book.query(spelling, cursor))
            page = self.book.read_page(answer.parsed(), sought, order) if is_success(answer) else None
            if page is None:
                raise CustomerError(answer)
            ids.update(page.ids)
            cursor = page.cursor
            if cursor is None:
                break
        return ids

    def _make(self, call: "Call", sought: Sequence[Sought], order: Order) -> Booked:
        new = self.book.new(order)
        if new is None:
            return Booked(warning="Customer: the order names nobody to make one of; the account's is taken.")
        body = json.dumps(new, ensure_ascii=False, separators=(",", ":")).encode()
        answer = call.ask("POST", body=body, key=key_of(sought[0]))
        if is_success(answer) and (made := self.book.made_id(answer.parsed())):
            return Booked(customer_id=self._remember(sought[0], made))
        status, reply = answer.status, answer.parsed()
        if status is None or not 400 <= status < 500 or status in (401, 403, 408, 425, 429):
            raise CustomerError(answer)
        if self.book.is_known(status, reply) and (booked := self._search(call, sought, order)):
            return booked  # made by an attempt before, or for another order
        if not self.book.is_being_made(status, reply):
            return Booked(warning=f"Customer: none could be made (status {status}); the account's is taken.")
        raise CustomerError(answer)

    def _recall(self, sought: Sought) -> str | None:
        with self._lock:
            until, known = self._known.get(sought, (None, None))
        return known if until is not None and until > self.clock() else None

    def _remember(self, sought: Sought, customer_id: str) -> str:
        with self._lock:
            self._known[sought] = (self.clock() + REMEMBER_FOR, customer_id)
            self._known.move_to_end(sought)
            while len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return customer_id


@dataclass(frozen=True, slots=True)
class Call:
    """The calls for one order, which together end in time."""

    customers: Customers
    give_up_at: float

    def ask(
        self, method: str, *, query: Mapping[str, str] | None = None, body: bytes | None = None, key: str | None = None
    ) -> Answer:
        """Raises `CustomerError` where there is no token to ask with."""
        bearer = self.customers.tokens.bearer()
        if isinstance(bearer, Answer):
            raise CustomerError(bearer)
        headers = {
            "Accept": "application/json",
            **({"Authorization": f"Bearer {bearer}"} if bearer else {}),
            **({"Content-Type": "application/json"} if body else {}),
            **({self.customers.key_header: key} if key else {}),
        }
        left_s = max(0.1, self.give_up_at - monotonic())
        path, client = self.customers.book.path, self.customers.client
        return client.request(method, path, timeout_s=left_s, query=query, headers=headers, body=body)


def is_success(answer: Answer) -> bool:
    return answer.status is not None and 200 <= answer.status < 300


def key_of(sought: Sought) -> str:
    """The same for every order of a customer and every attempt. ASCII, and nobody reads the customer in it."""
    return f"customer:{sha256(f'{sought.what}:{sought.value}'.encode()).hexdigest()[:40]}"
