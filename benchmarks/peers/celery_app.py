"""Celery on Redis: the request enqueues, the worker's threads post and acknowledge late.

The tasks of a dead worker are delivered again after the visibility timeout:
https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html, read 2026-11-21.
"""

from typing import Any

from celery import Celery

from benchmarks.peers.common import Event, NotAcceptedError, Rayo, RefusedError, Settings
from benchmarks.peers.sent_redis import InProgressError, SentEvents
from benchmarks.peers.web import create_app

settings = Settings()
rayo = Rayo(settings)
sent = SentEvents(settings.server_url)
tasks = Celery("orders", broker=settings.server_url)
tasks.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={  # the defaults are an hour, checked every 100 s
        "visibility_timeout": 20,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 10,
    },
)


@tasks.task(autoretry_for=(NotAcceptedError, InProgressError), max_retries=None, retry_backoff=1, retry_backoff_max=5)
def send_order(event_key: str, order: dict[str, Any]) -> None:
    with sent.once(event_key) as is_pending:
        if not is_pending:
            return
        try:
            rayo.post(order)
        except RefusedError:
            return


def accept(event: Event) -> None:
    send_order.delay(event.key, event.order)


app = create_app(settings, accept)
