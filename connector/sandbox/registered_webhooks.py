"""The webhooks that are registered at the fake storefronts, and their delivery when an order changes.

Each storefront delivers one after the other, in a thread of its own, and counts failures as the platform does.
"""

import itertools
import json
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any, ClassVar

import httpx

from connector.core.signatures import sign
from mappings import STOREFRONTS

#: What signs the webhooks of apps, until one obtained a token with its own secret or a test sets another.
DEFAULT_APP_SECRET = "secreto-de-la-app-del-sandbox"  # noqa: S105
#: A storefront's job: a delivery or a ping.
Job = Callable[[httpx.Client], None]


@dataclass(slots=True, kw_only=True)
class StoreWebhook:
    """A webhook that was registered by the API."""

    id: int
    storefront: str
    store_id: str  # "" where the sandbox is one shop
    topic: str
    url: str
    name: str = ""
    secret: str | None = field(default=None, repr=False)  # None: the app's
    status: str = "active"
    failures: int = 0  # in a row
    is_ping_pending: bool = False
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """An attempt to deliver a webhook about an order."""

    storefront: str
    topic: str
    order_id: str
    url: str
    status: int | None  # None: there was no response
    is_dropped: bool = False  # it was not sent, as happens


class WebhookPlatform(ABC):
    """How a storefront sends webhooks."""

    storefront: ClassVar[str]
    timeout_s: ClassVar[float]
    #: Whether the body is that of the order when it is sent, and not when it changed.
    sends_current_order: ClassVar[bool] = False

    @abstractmethod
    def topics(self, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Sequence[str]:
        """Return the topics under which a change is sent, in order. `old` is None for a new order."""

    @abstractmethod
    def headers(self, webhook: StoreWebhook, order: Mapping[str, Any]) -> dict[str, str]:
        """Return the headers, except the signature."""

    def body(self, webhook: StoreWebhook, order: Mapping[str, Any]) -> bytes:
        return json.dumps(order, ensure_ascii=False, separators=(",", ":")).encode()

    def is_success(self, status: int) -> bool:
        return 200 <= status < 300

    def count_failure(self, webhook: StoreWebhook) -> bool:
        """Count a failed delivery. Returns False if the platform removes the webhook."""
        webhook.failures += 1
        return True


class WebhookRegistry:
    """The webhooks of all fake storefronts. Thread-safe."""

    def __init__(self, platforms: Sequence[WebhookPlatform] = ()) -> None:
        self.platforms = {platform.storefront: platform for platform in platforms}
        self.app_secrets: dict[str, str] = {}  # by storefront
        self.drop_share = 0.0  # of the webhooks, which are not sent
        self.random = random.Random(0)  # noqa: S311  # reproducible
        self._lock = threading.RLock()
        self._ids = itertools.count(1)
        self._webhooks: dict[int, StoreWebhook] = {}
        self._deliveries: list[WebhookDelivery] = []
        self._waiting: set[tuple[int, str]] = set()  # (webhook, order) that is sent as it will be then
        self._jobs: dict[str, SimpleQueue[Job | None]] = {}
        self._open_jobs = 0
        self._is_idle = threading.Condition(self._lock)

    def add(self, storefront: str, store_id: str, **values: Any) -> StoreWebhook:
        with self._lock:
            webhook = StoreWebhook(id=next(self._ids), storefront=storefront, store_id=store_id, **values)
            self._webhooks[webhook.id] = webhook
            return webhook

    def get(self, storefront: str, id_: int) -> StoreWebhook | None:
        with self._lock:
            webhook = self._webhooks.get(id_)
            return webhook if webhook is not None and webhook.storefront == storefront else None

    def all(self) -> list[StoreWebhook]:
        with self._lock:
            return [*self._webhooks.values()]

    def find_all(self, storefront: str, store_id: str = "") -> list[StoreWebhook]:
        with self._lock:
            return [
                item for item in self._webhooks.values() if (item.storefront, item.store_id) == (storefront, store_id)
            ]

    def remove(self, webhook: StoreWebhook) -> None:
        with self._lock:
            self._webhooks.pop(webhook.id, None)

    def clear(self) -> None:
        """Forget all webhooks, deliveries and secrets, and lose none any more."""
        with self._lock:
            self._webhooks.clear()
            self._deliveries.clear()
            self.app_secrets.clear()
            self.drop_share = 0.0

    def deliveries(self) -> list[WebhookDelivery]:
        """Return every attempt, oldest first."""
        with self._lock:
            return [*self._deliveries]

    def order_changed(
        self, storefront: str, store_id: str, old: Mapping[str, Any] | None, read_order: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Send what is registered for the change of an order.

        Args:
            old: the order before; None if it is new.
            read_order: returns the order as it is.
        """
        platform = self.platforms.get(storefront)
        if platform is None:
            return
        order = read_order()
        registered = [*self.find_all(storefront, store_id), *(self.find_all(storefront) if store_id else ())]
        for topic in platform.topics(old, order):
            for webhook in registered:
                if webhook.topic == topic and webhook.status == "active":
                    self._enqueue_delivery(platform, webhook, order, read_order)

    def wait_until_idle(self, timeout_s: float = 30.0) -> bool:
        """Wait until everything was sent. Returns False if it was not."""
        with self._is_idle:
            return self._is_idle.wait_for(lambda: self._open_jobs == 0, timeout_s)

    def close(self) -> None:
        with self._lock:
            queues = [*self._jobs.values()]
        for queue in queues:
            queue.put(None)

    def _enqueue_delivery(
        self,
        platform: WebhookPlatform,
        webhook: StoreWebhook,
        order: Mapping[str, Any],
        read_order: Callable[[], Mapping[str, Any]],
    ) -> None:
        key = (webhook.id, str(order["id"]))
        with self._lock:
            is_lost = self.random.random() < self.drop_share
            if platform.sends_current_order and key in self._waiting:
                return
            if is_lost:
                self._record(webhook, order, None, is_dropped=True)
                return
            if platform.sends_current_order:
                self._waiting.add(key)

        def job(client: httpx.Client) -> None:
            with self._lock:
                self._waiting.discard(key)
            self._deliver(client, platform, webhook, read_order() if platform.sends_current_order else order)

        self._enqueue(platform.storefront, job)

    def _enqueue(self, storefront: str, job: Job) -> None:
        with self._lock:
            self._open_jobs += 1
            if storefront not in self._jobs:
                self._jobs[storefront] = SimpleQueue()
                threading.Thread(
                    target=self._run_jobs, args=(self._jobs[storefront],), name=f"webhooks-{storefront}", daemon=True
                ).start()
            self._jobs[storefront].put(job)

    def _run_jobs(self, queue: "SimpleQueue[Job | None]") -> None:
        with httpx.Client(trust_env=False) as client:
            while (job := queue.get()) is not None:
                try:
                    job(client)
                finally:
                    with self._is_idle:
                        self._open_jobs -= 1
                        self._is_idle.notify_all()

    def _deliver(
        self, client: httpx.Client, platform: WebhookPlatform, webhook: StoreWebhook, order: Mapping[str, Any]
    ) -> None:
        if webhook.status != "active" or webhook.id not in self._webhooks:
            return
        storefront = STOREFRONTS[platform.storefront]
        secret = webhook.secret or self.app_secrets.get(platform.storefront, DEFAULT_APP_SECRET)
        body = platform.body(webhook, order)
        headers = {
            "Content-Type": "application/json",
            **platform.headers(webhook, order),
            storefront.signature.headers[0]: sign(storefront.signature, storefront.signing_key(secret), body),
        }
        try:
            status = client.post(
                webhook.url, content=body, headers=headers, timeout=platform.timeout_s, follow_redirects=False
            ).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            status = None
        with self._lock:
            self._record(webhook, order, status)
            if status is not None and platform.is_success(status):
                webhook.failures = 0
            elif not platform.count_failure(webhook):
                self.remove(webhook)
        if webhook.is_ping_pending:
            send_ping(client, webhook)

    def _record(
        self, webhook: StoreWebhook, order: Mapping[str, Any], status: int | None, *, is_dropped: bool = False
    ) -> None:
        self._deliveries.append(
            WebhookDelivery(
                storefront=webhook.storefront,
                topic=webhook.topic,
                order_id=str(order["id"]),
                url=webhook.url,
                status=status,
                is_dropped=is_dropped,
            )
        )


def send_ping(client: httpx.Client, webhook: StoreWebhook) -> None:
    """Call a webhook's address as WooCommerce does to test it; it is pending until it succeeds.

    Only a 200 counts, redirects are followed, and it waits for 5 s. Seen on WooCommerce 10.0.2 and 10.5.0, 2026-11-30.
    """
    try:
        status = client.post(
            webhook.url, data={"webhook_id": str(webhook.id)}, timeout=5.0, follow_redirects=True
        ).status_code
    except (httpx.HTTPError, httpx.InvalidURL):
        status = None
    webhook.is_ping_pending = status != 200
