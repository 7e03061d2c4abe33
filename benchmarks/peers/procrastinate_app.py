"""Procrastinate on PostgreSQL: one transaction records the event and its job, and the worker posts.

The jobs of a dead worker are found by its heartbeat and retried, as in
https://procrastinate.readthedocs.io/en/stable/howto/production/retry_stalled_jobs.html, read 2026-11-21.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from procrastinate import App, JobContext, PsycopgConnector, RetryStrategy
from psycopg_pool import ConnectionPool

from benchmarks.peers.common import Event, NotAcceptedError, Rayo, RefusedError, Settings
from benchmarks.peers.web import create_app

#: Seconds without a heartbeat after which a worker counts as dead. The default is 30.
DEAD_AFTER_S = 10

settings = Settings()
rayo = Rayo(settings)
pool = ConnectionPool(settings.server_url, min_size=1, max_size=8, open=False)
executor = ThreadPoolExecutor(settings.concurrency)
tasks = App(
    connector=PsycopgConnector(conninfo=settings.server_url, max_size=settings.concurrency + 2),
    worker_defaults={"update_heartbeat_interval": 2, "stalled_worker_timeout": DEAD_AFTER_S},
)


@tasks.task(queue="orders", retry=RetryStrategy(wait=1, retry_exceptions=[NotAcceptedError]))
async def send_order(order: dict[str, Any]) -> None:
    try:
        await asyncio.get_running_loop().run_in_executor(executor, rayo.post, order)
    except RefusedError:
        return


@tasks.periodic(cron="* * * * * */5")
@tasks.task(queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(context: JobContext, timestamp: int) -> None:
    for job in await tasks.job_manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER_S):
        await tasks.job_manager.retry_job(job)


def accept(event: Event) -> None:
    """Record the event and its job. A repeated event creates no job."""
    pool.open()
    with pool.connection() as connection:
        inserted = connection.execute("INSERT INTO events VALUES (%s) ON CONFLICT DO NOTHING", [event.key])
        if inserted.rowcount:
            send_order.configure(connection=connection).defer(order=event.order)


app = create_app(settings, accept)


def set_up() -> None:
    with tasks.open(), pool, pool.connection() as connection:
        tasks.schema_manager.apply_schema()
        connection.execute("CREATE TABLE events (event_key text PRIMARY KEY)")
