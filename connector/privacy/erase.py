"""Erases what is kept about a person's orders, on request."""

from dataclasses import dataclass

from connector.core.exceptions import ConflictError, DatabaseUnavailableError
from connector.database import erasure
from connector.database.erasure import ErasureRequest, OrderErasure
from connector.database.queries.personal_data import PersonalRecords, load_rows
from connector.privacy.records import Criterion, find_kept_records, list_mentions
from connector.runtime import Runtime

#: Pending orders that one run of the duty erases.
MAX_PER_RUN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureResult:
    """What was done.

    Args:
        events: how many events that name no order were erased.
        is_clean: nothing of it is left in the database's files. False: a worker tries again.
    """

    orders: tuple[OrderErasure, ...]
    events: int
    is_clean: bool

    @property
    def pending(self) -> tuple[OrderErasure, ...]:
        return tuple(order for order in self.orders if not order.is_erased)


def erase_records(
    runtime: Runtime,
    records: PersonalRecords,
    *,
    actor: str,
    email: str | None = None,
    discards_parked: bool = False,
) -> ErasureResult:
    """Erase what was found. An order with a delivery that has not ended is erased by a worker, once it has.

    Args:
        email: the customer's address, which is erased from notes about other things, too.
        discards_parked: end deliveries that are parked and certainly were not sent.
    """
    erasure.record_request(runtime.database, actor=actor, orders=records.count)
    addresses = {email} if email else set()
    orders = tuple(
        erasure.erase_order(
            runtime.database,
            (store, order_id),
            ErasureRequest(
                actor=actor,
                mentions=addresses | list_mentions(runtime, load_rows(runtime.database, store, order_id)),
                discards_parked=discards_parked,
            ),
        )
        for store, order_id in records.orders
    )
    if records.event_ids:
        erasure.erase_events(runtime.database, records.event_ids, addresses)
    result = ErasureResult(orders=orders, events=len(records.event_ids), is_clean=clean(runtime))
    runtime.log.info(
        "personal_data_erased", who=actor, orders=len(orders), pending=len(result.pending), is_clean=result.is_clean
    )
    return result


def erase(runtime: Runtime, criterion: Criterion, *, actor: str, discards_parked: bool = False) -> ErasureResult:
    """Find and erase what is kept. Raises `InvalidRequestError`, `NotFoundError`, `ConflictError`."""
    records = find_kept_records(runtime, criterion)
    if criterion.order is not None and len(records.orders) > 1:
        raise ConflictError("several orders have this number: name the store")
    return erase_records(runtime, records, actor=actor, email=criterion.email, discards_parked=discards_parked)


def erase_pending(runtime: Runtime) -> bool:
    """Erase orders whose deliveries have ended since that was requested. Return whether there may be more."""
    due = erasure.list_due(runtime.database, limit=MAX_PER_RUN)
    for pending in due:
        rows = load_rows(runtime.database, pending.store, pending.order_id)
        request = ErasureRequest(actor=pending.requested_by, mentions=list_mentions(runtime, rows))
        erasure.erase_order(runtime.database, (pending.store, pending.order_id), request)
        runtime.log.info("pending_erasure_done", store=pending.store)
    if len(due) < MAX_PER_RUN:
        clean(runtime)
    return len(due) == MAX_PER_RUN


def clean(runtime: Runtime) -> bool:
    """Leave nothing of what was erased in the database's files. False if that must be tried again."""
    try:
        return erasure.clean(runtime.database)
    except DatabaseUnavailableError:
        runtime.log.warning("erased_data_left_in_files")
        return False
