"""Lets orders go on by themselves that were parked for want of a row in a table, once the row is there.

It reads tables again when their files change, and judges nothing else: whether an order can be mapped is seen when it
is tried.
"""

import json
from dataclasses import replace
from functools import cache
from itertools import islice

from connector.database.deliveries import deliveries_missing_rows, requeue_deliveries
from connector.runtime import Runtime
from connector.settings import refresh_tables
from mappings.lookup_tables import find_row

#: Deliveries in one transaction, so that webhooks need not wait; and in one go, so that claims need not.
BATCH_SIZE = 200
MAX_PER_RUN = 5_000


def reload_lookup_tables(runtime: Runtime) -> Runtime:
    """Return the runtime with the tables as their files are now; itself where none was changed."""
    settings, errors = refresh_tables(runtime.settings)
    if settings is runtime.settings:
        return runtime
    if errors:
        runtime.log.error("tables_not_read", faults=errors[:5], what="the account keeps the tables that it had")
    else:
        runtime.log.info("tables_read")
    return replace(runtime, settings=settings)


def requeue_mappable(runtime: Runtime) -> int:
    """Let wait what lacked rows that are all there now. Returns how many; `MOST`: there may be more."""

    @cache  # many lack the same
    def has_all_rows(account_id: str, missing_rows: str) -> bool:
        account = runtime.settings.accounts.get(account_id)
        return all(find_row(account, table, keys) is not None for table, keys in json.loads(missing_rows))

    deliveries = deliveries_missing_rows(runtime.database)
    mappable_ids = islice(
        (id_ for id_, account, missing_rows in deliveries if has_all_rows(account, missing_rows)),
        MAX_PER_RUN,
    )
    count = 0
    while ids := list(islice(mappable_ids, BATCH_SIZE)):
        count += requeue_deliveries(runtime.database, ids)
    if count:
        runtime.log.info("woken", deliveries=count, why="rows that they lacked are there")
    return count
