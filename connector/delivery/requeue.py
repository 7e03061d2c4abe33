"""Lets orders go on by themselves that were parked for want of a row in a table, once the row is there.

It reads tables again when their files change, and judges nothing else: whether an order can be mapped is seen when it
is tried.
"""

import json
from dataclasses import replace
from functools import cache
from itertools import islice

from connector.database.orders import row_id
from connector.database.requeue import list_lacking, wake
from connector.runtime import Runtime
from connector.settings import refresh_tables
from mappings.lookup_tables import find_row

#: Deliveries in one transaction, so that webhooks need not wait; and in one go, so that claims need not.
PAGE = 200
MOST = 5_000


def read_tables_again(runtime: Runtime) -> Runtime:
    """Return the runtime with the tables as their files are now; itself where none was changed."""
    settings, faults = refresh_tables(runtime.settings)
    if settings is runtime.settings:
        return runtime
    if faults:
        runtime.log.error("tables_not_read", faults=faults[:5], what="the account keeps the tables that it had")
    else:
        runtime.log.info("tables_read")
    return replace(runtime, settings=settings)


def wake_mappable(runtime: Runtime) -> int:
    """Let wait what lacked rows that are all there now. Returns how many; `MOST`: there may be more."""

    @cache  # many lack the same
    def has_all(account_id: str, missing_rows: str) -> bool:
        account = runtime.settings.accounts.get(account_id)
        return all(find_row(account, table, keys) is not None for table, keys in json.loads(missing_rows))

    lacking = list_lacking(runtime.database)
    found = islice((row_id(one) for one in lacking if has_all(one.account, one.missing_rows or "[]")), MOST)
    count = 0
    while ids := list(islice(found, PAGE)):
        count += wake(runtime.database, ids)
    if count:
        runtime.log.info("woken", deliveries=count, why="rows that they lacked are there")
    return count
