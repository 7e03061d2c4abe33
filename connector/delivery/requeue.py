"""Requeues deliveries that were parked because a lookup table lacked a row, once the row exists.

Nothing else is checked: the next attempt shows whether the order can be mapped.
"""

import json
from functools import cache
from itertools import islice

from connector.database.deliveries import deliveries_missing_rows, requeue_deliveries
from connector.runtime import Runtime
from mappings.lookup_tables import find_row

#: Deliveries per transaction, so that webhooks are not held up, and per run, so that claims are not.
BATCH_SIZE = 200
MAX_PER_RUN = 5_000


def requeue_mappable(runtime: Runtime) -> int:
    """Requeue the deliveries whose missing rows all exist now. Return how many; `MAX_PER_RUN`: there may be more."""

    @cache  # many deliveries lack the same rows
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
        runtime.log.info("requeued", deliveries=count, why="the missing rows were added")
    return count
