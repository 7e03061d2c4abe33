"""Huey on SQLite: the request enqueues, the consumer's threads post.

The queue is fsynced, failures are retried, and tasks that a shutdown interrupts are enqueued again. But a task is
removed from the queue before it runs: "A task interrupted by SIGKILL (or a power loss) is lost.",
https://huey.readthedocs.io/en/latest/deployment.html, read 2026-11-21.
"""

from pathlib import Path
from typing import Any

from huey import SqliteHuey
from huey.signals import SIGNAL_INTERRUPTED

from benchmarks.peers.common import Event, Rayo, RefusedError, Settings
from benchmarks.peers.sent import SentEvents
from benchmarks.peers.web import create_app

settings = Settings()
rayo = Rayo(settings)
sent = SentEvents(settings.folder)
huey = SqliteHuey("orders", filename=str(Path(settings.folder) / "huey.db"), fsync=True, timeout=10, results=False)


@huey.task(retries=1_000, retry_delay=1)
def send_order(event_key: str, order: dict[str, Any]) -> None:
    with huey.lock_task(event_key):  # a repeated event is never sent concurrently
        if sent.contains(event_key):
            return
        try:
            remote_id = rayo.post(order)
        except RefusedError:
            remote_id = "refused"
        sent.add(event_key, remote_id)


@huey.signal(SIGNAL_INTERRUPTED)
def enqueue_again(signal: str, task: Any) -> None:
    """https://huey.readthedocs.io/en/latest/deployment.html, "Shutdown Signals"."""
    huey.enqueue(task)


def accept(event: Event) -> None:
    send_order(event.key, event.order)


app = create_app(settings, accept)
