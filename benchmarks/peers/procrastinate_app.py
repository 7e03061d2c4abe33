"""Procrastinate on PostgreSQL: the event and its job are one transaction, the worker posts.

What a dead worker was doing is found by its heartbeat and tried again, as
https://procrastinate.readthedocs.io/en/stable/howto/production/retry_stalled_jobs.html has it, read 2026-11-21.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from procrastinate import App, JobContext, PsycopgConnector, RetryStrategy
from psycopg_pool import ConnectionPool

from benchmarks.peers.common import Event, NotTakenError, Rayo, RefusedError, Settings
from benchmarks.peers.web import create_app

#: Seconds without a heartbeat after which a worker is taken for dead; Procrastinate's own is 30.
DEAD_AFTER_S = 10

settings = Settings()
rayo = Rayo(settings)
pool = ConnectionPool(settings.server_url, min_size=1, max_size=8, open=False)
posting = ThreadPoolExecutor(settings.concurrency)
tasks = App(
    connector=PsycopgConnector(conninfo=settings.server_url, max_size=settings.concurrency + 2),
    worker_defaults={"update_heartbeat_interval": 2, "stalled_worker_timeout": DEAD_AFTER_S},
)


@tasks.task(queue="orders", retry=RetryStrategy(wait=1, retry_exceptions=[NotTakenError]))
async def forward(order: dict[str, Any]) -> None:
    try:
        await asyncio.get_running_loop().run_in_executor(posting, rayo.post, order)
    except RefusedError:
        return


@tasks.periodic(cron="* * * * * */5")
@tasks.task(queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(context: JobContext, timestamp: int) -> None:
    for job in await tasks.job_manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER_S):
        await tasks.job_manager.retry_job(job)


def take(event: Event) -> None:
    """An event that comes again finds its key there, and makes no job."""
    pool.open()
    with pool.connection() as connection:
        inserted = connection.execute("INSERT INTO events VALUES (%s) ON CONFLICT DO NOTHING", [event.key])
        if inserted.rowcount:
            forward.configure(connection=connection).defer(order=event.order)


app = create_app(settings, take)


def set_up() -> None:
    with tasks.open(), pool, pool.connection() as connection:
        tasks.schema_manager.apply_schema()
        connection.execute("CREATE TABLE events (event_key text PRIMARY KEY)")
