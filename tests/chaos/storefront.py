"""Plays the platforms: posts signed webhooks, retries as the platform would, and records the responses."""

import heapq
import itertools
import json
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx

from connector.core.signatures import sign
from connector.sandbox.server import SandboxServer
from connector.settings import build_store
from tests.chaos.shops import SECRET, TIENDANUBE_SHOP, PlannedEvent, PlannedOrder

CLIENTS = 8
#: Seconds until what was not answered 200 is sent again, twice as many each time. The platforms take minutes to hours.
REPEAT_FIRST_S, REPEAT_MAX_S = 0.5, 5.0


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
    """An event and the responses to its posts. `open_posts` counts the posts still to be made."""

    order: PlannedOrder
    planned: PlannedEvent
    open_posts: int
    answers: list[WebhookResponse] = field(default_factory=list)

    @property
    def accepted_at(self) -> float | None:
        """Time of the first 200 response, or None."""
        return min((response.answered_at for response in self.answers if response.status == 200), default=None)

    @property
    def posted_at(self) -> float | None:
        return min((response.posted_at for response in self.answers), default=None)


class Storefront:
    """Posts events when they are due, from several clients, until `stop`."""

    def __init__(self, url: str, orders: Iterable[PlannedOrder], sandbox: SandboxServer) -> None:
        self.url = url
        self.sandbox = sandbox
        self.events = [
            PostedEvent(order=order, planned=planned, open_posts=len(planned.due_s))
            for order in orders
            for planned in order.events
        ]
        self._ties = itertools.count()  # events do not compare
        self._queue = [(due_s, next(self._ties), event) for event in self.events for due_s in event.planned.due_s]
        heapq.heapify(self._queue)
        self._newest: dict[int, PlannedEvent] = {}  # the newest event posted, by order number
        self._changed = threading.Condition()
        self._is_stopping = False
        self._started_at = 0.0
        self._pool = ThreadPoolExecutor(CLIENTS, thread_name_prefix="client")
        self._clients: list[Future[None]] = []

    def start(self) -> None:
        self._started_at = time.monotonic()
        self._clients = [self._pool.submit(self._work) for _ in range(CLIENTS)]

    def stop(self) -> None:
        """Stop posting. Raises any error of the client threads themselves."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        for client in self._clients:
            client.result()

    def open_posts(self) -> int:
        """The number of posts still to be made."""
        with self._changed:
            return sum(event.open_posts for event in self.events)

    def _work(self) -> None:
        # No proxy of the environment: none knows the ports of this machine.
        with httpx.Client(trust_env=False) as client:
            while (event := self._take()) is not None:
                response = self._post(client, event)
                platform = event.order.shop.platform
                with self._changed:
                    event.answers.append(response)
                    if response.status == 200 or not platform.repeats:
                        event.open_posts -= 1
                    else:
                        wait_s = min(REPEAT_MAX_S, REPEAT_FIRST_S * 2 ** min(len(event.answers), 10))
                        due_s = time.monotonic() - self._started_at + wait_s
                        heapq.heappush(self._queue, (due_s, next(self._ties), event))
                        self._changed.notify()

    def _take(self) -> PostedEvent | None:
        """Wait for the next due event. Returns None when stopped."""
        with self._changed:
            while not self._is_stopping:
                wait_s = self._queue[0][0] - (time.monotonic() - self._started_at) if self._queue else None
                if wait_s is not None and wait_s <= 0:
                    return heapq.heappop(self._queue)[2]
                self._changed.wait(wait_s)
        return None

    def _post(self, client: httpx.Client, event: PostedEvent) -> WebhookResponse:
        order, planned = event.order, event.planned
        platform = order.shop.platform
        topic = platform.topics[planned.word]
        payload = order.write(planned)
        if platform.is_thin:
            self._put(order, planned)
            payload = {"store_id": TIENDANUBE_SHOP, "event": topic, "id": payload["id"]}
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

    def _put(self, order: PlannedOrder, planned: PlannedEvent) -> None:
        """Store the order's version of this event at the platform's API, unless a later one is there."""
        with self._changed:
            newest = max(
                planned, self._newest.get(order.number, planned), key=lambda planned_event: planned_event.version
            )
            self._newest[order.number] = newest
            self.sandbox.put_order(order.shop.platform.storefront.name, TIENDANUBE_SHOP, order.write(newest))
