"""Delivered orders with newer versions: which ones to compare with what was sent, and the results."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, select

from connector.database.deliveries import update_delivery
from connector.database.engine import Database, Transaction
from connector.database.models import Delivery, Note, State
from connector.database.orders import add_alert
from mappings.problems import Problem


def deliveries_to_compare(database: Database, *, limit: int) -> Sequence[Delivery]:
    """The delivered orders that are due to be compared, those that wait the longest first."""
    statement = (
        select(Delivery)
        .where(col(Delivery.compare_at) <= database.clock(), Delivery.state == State.DELIVERED)
        .order_by(col(Delivery.compare_at))
        .limit(limit)
    )
    with database.read() as session:
        return session.exec(statement).all()


def record_comparison(database: Database, delivery: Delivery, change: Problem | None) -> None:
    """Record that a delivery was compared, and raise an alert for a change that was not reported yet.

    If something newer came meanwhile, it is compared again.
    """

    def record(transaction: Transaction) -> None:
        current = transaction.load_one(select(Delivery).where(Delivery.id == delivery.id).with_for_update())
        if current is None or current.compare_at is None:
            return  # another worker compared it
        if current.compare_at == delivery.compare_at:
            update_delivery(transaction, delivery.id, {"compare_at": None})
        notes = transaction.load_all(select(Note).where(Note.delivery_id == delivery.id, Note.kind == "alert"))
        reported = [note.message for note in notes if note.message and change and note.message["code"] == change.code]
        if change is not None and change.to_json() not in reported[-1:]:
            add_alert(transaction, delivery.id, change)

    database.transact(record)


def postpone_comparison(database: Database, delivery: Delivery, until: datetime) -> None:
    """Compare a delivery later: the store could not be asked."""
    database.transact(lambda transaction: update_delivery(transaction, delivery.id, {"compare_at": until}))
