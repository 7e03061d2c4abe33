"""DBOS on PostgreSQL: the request enqueues a workflow with the event's key as its id, and the worker's step posts.

A workflow that was running when its process died is recovered when the process restarts, and its step runs again:
https://docs.dbos.dev/python/tutorials/workflow-tutorial, read 2026-11-21.
"""

import threading
from typing import Any

from dbos import DBOS, DBOSClient

from benchmarks.peers.common import Event, Rayo, RefusedError, Settings
from benchmarks.peers.web import create_app

QUEUE = "orders"
POLL_S = 0.1

settings = Settings()
rayo = Rayo(settings)


@DBOS.step(retries_allowed=True, max_attempts=1_000, interval_seconds=1, backoff_rate=1)
def post(order: dict[str, Any]) -> str:
    try:
        return rayo.post(order)
    except RefusedError:
        return "refused"


@DBOS.workflow(name="send_order", max_recovery_attempts=1_000)
def send_order(order: dict[str, Any]) -> str:
    return post(order)


client = DBOSClient(system_database_url=settings.server_url, system_database_pool_size=8, lazy=True)


def accept(event: Event) -> None:
    """Enqueue the workflow. A repeated event has the same id, so it does not run again."""
    client.enqueue({"workflow_name": "send_order", "queue_name": QUEUE, "workflow_id": event.key}, event.order)


app = create_app(settings, accept)


def run_worker() -> None:
    DBOS(
        config={
            "name": "peer",
            "system_database_url": settings.server_url,
            "sys_db_pool_size": settings.concurrency + 4,
            "executor_id": "worker",
            "log_level": "WARNING",
        }
    )
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=settings.concurrency, polling_interval_sec=POLL_S)
    threading.Event().wait()


if __name__ == "__main__":
    run_worker()
