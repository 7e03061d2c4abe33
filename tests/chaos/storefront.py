"""Plays the platforms: changes the shops' orders, posts signed webhooks, and records the responses.

A platform that repeats posts what was not answered 200 again. Where none repeats, some webhooks are lost on the way,
some stores' webhooks die, and only the shop's API has what they would have said.
"""

import heapq
import itertools
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connector.core.signatures import sign
from connector.settings import build_store
from tests.chaos.shop_apis import ShopApis
from tests.chaos.shops import SECRET, OrderTimes, PlannedEvent, PlannedOrder

CLIENTS = 8
#: Seconds until what was not answered 200 is sent again, twice as many each time. The platforms take minutes to hours.
REPEAT_FIRST_S, REPEAT_MAX_S = 0.5, 5.0
#: Until what cannot be done yet is tried again.
WAIT_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookResponse:
    """One post of an event and its response. Times are Unix seconds."""

    posted_at: float
    answered_at: float
    status: int | None  # None: no response
    status_text: str | None = None  # "accepted", "duplicate" or "ignored"
    event_id: str | None = None  # of the recorded event


@dataclass(slots=True, kw_only=True)
class PostedEvent:
    """A change of an order, and the responses to its webhook. `open_posts` counts the posts still to be made."""

    order: PlannedOrder
    planned: PlannedEvent
    open_posts: int
    is_repeated: bool = True  # until it is answered 200
    changed_at: float | None = None  # when the shop made the change, in Unix seconds; None: not yet
    is_dead: bool = False  # a post was not made because the store's webhooks were dead
    answers: list[WebhookResponse] = field(default_factory=list)

    @property
    def accepted_at(self) -> float | None:
        """Time of the first 200 response, or None."""
        return min((response.answered_at for response in self.answers if response.status == 200), default=None)


class Storefront:
    """Changes orders and posts webhooks when they are due, from several clients, until `stop`.

    Args:
        repeats: whether platforms that repeat their webhooks do.
        deaths: when the webhooks of a store die for good, in seconds after the start.
    """

    def __init__(
        self, url: str, orders: Iterable[PlannedOrder], apis: ShopApis, *, repeats: bool, deaths: Mapping[str, float]
    ) -> None:
        self.url = url
        self._apis = apis
        self._repeats = repeats
        self._deaths = deaths
        self.events = [
            PostedEvent(
                order=order,
                planned=planned,
                open_posts=len(planned.due_s),
                is_repeated=repeats and order.shop.platform.repeats,
            )
            for order in orders
            for planned in order.events
        ]
        self._ties = itertools.count()  # events do not compare
        self._queue = [(due_s, next(self._ties), event) for event in self.events for due_s in event.planned.due_s]
        self._changes = [(event.planned.changed_s, next(self._ties), event) for event in self.events]
        heapq.heapify(self._queue)
        heapq.heapify(self._changes)
        self._times: dict[int, OrderTimes] = {}  # of the order's newest version, by order number
        self._versions = defaultdict(list)  # still to be made, by order number
        for event in self.events:
            self._versions[event.order.number].append(event.planned.version)
        self._failures: Counter[str] = Counter()  # of a store's webhooks, in a row
        self._dead: set[str] = set()  # stores
        self._written: dict[tuple[int, int], dict[str, Any]] = {}  # order number and version -> the order
        self._changed = threading.Condition()
        self._is_stopping = False
        self._started_at = 0.0
        self._pool = ThreadPoolExecutor(CLIENTS + 1, thread_name_prefix="client")
        self._clients: list[Future[None]] = []

    def start(self) -> None:
        self._started_at = time.monotonic()
        self._clients = [
            self._pool.submit(self._change_orders),
            *(self._pool.submit(self._work) for _ in range(CLIENTS)),
        ]

    def stop(self) -> None:
        """Stop posting. Raises any error of the client threads themselves."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        for client in self._clients:
            client.result()

    def is_done(self) -> bool:
        """Return whether every order is as it will stay, and every post has been made."""
        with self._changed:
            return not self._changes and not any(event.open_posts for event in self.events)

    def dead_stores(self) -> list[str]:
        with self._changed:
            return sorted(self._dead)

    # The shops' orders

    def _change_orders(self) -> None:
        with self._changed:
            while not self._is_stopping and self._changes:
                wait_s = self._changes[0][0] - self._elapsed_s()
                if wait_s > 0:
                    self._changed.wait(wait_s)
                    continue
                _, _, event = heapq.heappop(self._changes)
                if not self._change(event):
                    heapq.heappush(self._changes, (self._elapsed_s() + WAIT_S, next(self._ties), event))

    def _change(self, event: PostedEvent) -> bool:
        """Make the change in the shop. Returns False if it is too early: versions follow one another by a second."""
        order, planned = event.order, event.planned
        now = datetime.now(UTC).replace(microsecond=0)
        earlier = self._times.get(order.number)
        waiting = self._versions[order.number]
        if planned.version != min(waiting) or (earlier and now - earlier.changed_at < timedelta(seconds=1)):
            return False
        times = OrderTimes(created_at=earlier.created_at if earlier else now, changed_at=now)
        payload = order.write(planned, times)
        self._written[order.number, planned.version] = payload
        self._apis.put(order.shop, payload)
        self._times[order.number] = times
        waiting.remove(planned.version)
        event.changed_at = time.time()
        return True

    # Webhooks

    def _work(self) -> None:
        # No proxy of the environment: none knows the ports of this machine.
        with httpx.Client(trust_env=False) as client:
            while (event := self._take()) is not None:
                response = self._post(client, event)
                with self._changed:
                    event.answers.append(response)
                    self._count_failures(event.order.shop.store, event, response)
                    if response.status == 200 or not event.is_repeated:
                        event.open_posts -= 1
                    else:
                        wait_s = min(REPEAT_MAX_S, REPEAT_FIRST_S * 2 ** min(len(event.answers), 10))
                        self._put_back(event, wait_s)

    def _count_failures(self, store: str, event: PostedEvent, response: WebhookResponse) -> None:
        limit = event.order.shop.platform.disables_after
        if self._repeats or limit is None:
            return
        # What WooCommerce counts as delivered: seen on 10.0.2 and 10.5.0, 2026-11-30.
        is_delivered = response.status is not None and 200 <= response.status <= 302
        self._failures[store] = 0 if is_delivered else self._failures[store] + 1
        if self._failures[store] >= limit:
            self._dead.add(store)

    def _take(self) -> PostedEvent | None:
        """Wait for the next due event whose webhook is sent. Returns None when stopped."""
        with self._changed:
            while not self._is_stopping:
                wait_s = self._queue[0][0] - self._elapsed_s() if self._queue else None
                if wait_s is not None and wait_s <= 0:
                    _, _, event = heapq.heappop(self._queue)
                    if event.changed_at is None:
                        self._put_back(event, WAIT_S)
                    elif self._is_dead(event.order.shop.store):
                        event.is_dead = True
                        event.open_posts -= 1
                    else:
                        return event
                    continue
                self._changed.wait(wait_s)
        return None

    def _is_dead(self, store: str) -> bool:
        if self._elapsed_s() >= self._deaths.get(store, float("inf")):
            self._dead.add(store)
        return store in self._dead

    def _put_back(self, event: PostedEvent, wait_s: float) -> None:
        heapq.heappush(self._queue, (self._elapsed_s() + wait_s, next(self._ties), event))
        self._changed.notify()

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started_at

    def _post(self, client: httpx.Client, event: PostedEvent) -> WebhookResponse:
        order, planned = event.order, event.planned
        platform = order.shop.platform
        topic = platform.topics[planned.word]
        payload = self._written[order.number, planned.version]
        if platform.is_thin:
            payload = {"store_id": order.shop.api_id, "event": topic, "id": payload["id"]}
        body = json.dumps(payload).encode()  # escapes for all that is not ASCII, as platforms write it
        headers = {
            "Content-Type": "application/json",
            **platform.storefront.sample.build_headers(payload, topic, build_store(platform.storefront.name, {})),
            platform.storefront.signature.headers[0]: sign(
                platform.storefront.signature, platform.storefront.signing_key(f"{SECRET}-{order.shop.store}"), body
            ),
        }
        posted_at = time.time()
        status, verdict, event_id = None, None, None
        try:
            response = client.post(
                f"{self.url}/webhooks/{order.shop.store}",
                content=body,
                headers=headers,
                timeout=platform.answers_within_s,
            )
            status, parsed = response.status_code, response.json()
            verdict, event_id = parsed.get("status"), parsed.get("event")
        except (httpx.HTTPError, ValueError):  # killed while it answered
            pass
        return WebhookResponse(
            posted_at=posted_at, answered_at=time.time(), status=status, status_text=verdict, event_id=event_id
        )
