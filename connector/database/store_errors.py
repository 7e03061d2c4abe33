"""Errors that stores send in place of orders: how many each sent, and whether it sends orders again.

They are signed, and have the same bytes each time, so most of them are duplicates of one event. There is one row for
each store and kind of error.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta

from sqlalchemy import update
from sqlmodel import and_, col, select

from connector.database.engine import Database, Transaction
from connector.database.insert_ignore import insert_ignore
from connector.database.models import StoreErrors
from connector.database.stats.counters import LAST_ORDER, read_counters

#: After this long without another, the count starts again.
QUIET_AFTER = timedelta(days=7)
#: Errors about a single order are shown for this long.
SINGLE_ORDER_FOR = timedelta(hours=24)


def record_store_errors(transaction: Transaction, errors: Iterable[tuple[str, str, bool]]) -> None:
    """Add errors to their counts.

    Args:
        errors: Of each, the store's id, the code of its problem, and whether it is only about one order.
    """
    now = transaction.now
    for (store, code, is_of_one_order), count in sorted(Counter(errors).items()):
        row = {"store": store, "code": code, "count": 0, "is_of_one_order": is_of_one_order}
        row |= {"since": now, "last_at": now}
        insert_ignore(transaction.connection, StoreErrors, [row], unique=("store", "code"))
        is_same = and_(col(StoreErrors.store) == store, col(StoreErrors.code) == code)
        stored = transaction.load_one(select(StoreErrors).where(is_same).with_for_update())
        assert stored is not None  # noqa: S101  # inserted above
        is_new = stored.last_at < now - QUIET_AFTER
        values = {
            "count": count if is_new else stored.count + count,
            "since": now if is_new else stored.since,
            "last_at": now,
        }
        transaction.execute(update(StoreErrors).where(is_same).values(values))


def read_store_errors(
    database: Database, *, settled_after: timedelta = timedelta(0)
) -> Mapping[str, list[StoreErrors]]:
    """By store id, the errors of the stores that have sent no order since.

    Args:
        settled_after: An order settles errors only if none came for this long.
    """
    now = database.clock()
    with database.read() as session:
        rows = session.exec(select(StoreErrors).order_by(col(StoreErrors.store), col(StoreErrors.code))).all()
    if not rows:
        return {}
    last_orders = {
        dict(labels)["store"]: at for (name, labels), at in read_counters(database).items() if name == LAST_ORDER
    }
    errors: dict[str, list[StoreErrors]] = defaultdict(list)
    for row in rows:
        is_settled = last_orders.get(row.store, 0.0) > row.last_at.timestamp() and row.last_at <= now - settled_after
        is_over = row.is_of_one_order and row.last_at < now - SINGLE_ORDER_FOR
        if not (is_settled or is_over):
            errors[row.store].append(row)
    return errors
