"""Dramatiq on Redis: the request enqueues, the worker's threads post and acknowledge late.

What a dead worker had is enqueued again once its heartbeat is old:
https://redis.io/docs/latest/integrate/dramatiq/, "What happens to a message when a worker is killed", read 2026-11-21.
"""

from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers.common import Event, Rayo, RefusedError, Settings
from benchmarks.peers.done_redis import Done
from benchmarks.peers.web import create_app

settings = Settings()
rayo = Rayo(settings)
done = Done(settings.server_url)
# The heartbeat's own limit is a minute, and maintenance comes with one command in a thousand.
broker = RedisBroker(url=settings.server_url, heartbeat_timeout=10_000, maintenance_chance=100_000)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="orders", max_retries=1_000, min_backoff=500, max_backoff=5_000)
def forward(event_key: str, order: dict[str, Any]) -> None:
    with done.once(event_key) as is_open:
        if not is_open:
            return
        try:
            rayo.post(order)
        except RefusedError:
            return


def take(event: Event) -> None:
    forward.send(event.key, event.order)


app = create_app(settings, take)
