"""Celery on Redis: the request enqueues, the worker's threads post and acknowledge late.

What a dead worker had is delivered again after the visibility timeout:
https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html, read 2026-11-21.
"""

from typing import Any

from celery import Celery

from benchmarks.peers.common import Event, NotTakenError, Rayo, RefusedError, Settings
from benchmarks.peers.done_redis import AtWorkError, Done
from benchmarks.peers.web import create_app

settings = Settings()
rayo = Rayo(settings)
done = Done(settings.server_url)
tasks = Celery("orders", broker=settings.server_url)
tasks.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={  # an hour, and looked for every 100 s, unless it is set
        "visibility_timeout": 20,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 10,
    },
)


@tasks.task(autoretry_for=(NotTakenError, AtWorkError), max_retries=None, retry_backoff=1, retry_backoff_max=5)
def forward(event_key: str, order: dict[str, Any]) -> None:
    with done.once(event_key) as is_open:
        if not is_open:
            return
        try:
            rayo.post(order)
        except RefusedError:
            return


def take(event: Event) -> None:
    forward.delay(event.key, event.order)


app = create_app(settings, take)
