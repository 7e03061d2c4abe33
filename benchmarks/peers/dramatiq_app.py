"""Dramatiq on Redis: the request enqueues, the worker's threads post and acknowledge late.

The messages of a dead worker are enqueued again once its heartbeat has expired:
https://redis.io/docs/latest/integrate/dramatiq/, "What happens to a message when a worker is killed", read 2026-11-21.
"""

from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers.common import Event, Rayo, RefusedError, Settings
from benchmarks.peers.sent_redis import SentEvents
from benchmarks.peers.web import create_app

settings = Settings()
rayo = Rayo(settings)
sent = SentEvents(settings.server_url)
# The defaults are a minute, and maintenance with one command in a thousand.
broker = RedisBroker(url=settings.server_url, heartbeat_timeout=10_000, maintenance_chance=100_000)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="orders", max_retries=1_000, min_backoff=500, max_backoff=5_000)
def send_order(event_key: str, order: dict[str, Any]) -> None:
    with sent.once(event_key) as is_pending:
        if not is_pending:
            return
        try:
            rayo.post(order)
        except RefusedError:
            return


def accept(event: Event) -> None:
    send_order.send(event.key, event.order)


app = create_app(settings, accept)
