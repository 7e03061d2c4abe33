"""What a person may do: retrigger and resolve. The API and the command line call these same functions."""

from connector.database import manual
from connector.database.lookups import load_delivery, load_event
from connector.database.manual import Retriggered
from connector.database.tables import Delivery, State
from connector.errors import InvalidRequestError
from connector.runtime import Runtime

RESOLUTIONS = (State.DELIVERED, State.DISCARDED)


def retrigger_event(
    runtime: Runtime, event_id: int, *, force: bool = False, note: str | None = None
) -> list[Retriggered]:
    """Make what the routes want now and queue what may be queued. Raises `NotFoundError`."""
    event = load_event(runtime.database, event_id)
    routes = runtime.settings.routes_of(event.store) if event.carries_order else []
    accounts = {
        account: runtime.settings.accounts[account].destination
        for route in routes
        if route.wants(event.topics)
        for account in route.accounts
    }
    done = manual.retrigger_event(
        runtime.database, event, accounts=accounts, keyed=runtime.keyed, force=force, note=note, now=runtime.clock()
    )
    runtime.log.info(
        "retriggered", event_id=event_id, force=force, queued=[one.id for one in done if one.done == "queued"]
    )
    return done


def retrigger_delivery(
    runtime: Runtime, delivery_id: int, *, force: bool = False, new_key: bool = False, note: str | None = None
) -> Delivery:
    """Queue one delivery again. Raises `NotFoundError`, `ConflictError`."""
    has_key = load_delivery(runtime.database, delivery_id).destination in runtime.keyed
    delivery = manual.retrigger_delivery(
        runtime.database, delivery_id, has_key=has_key, force=force, new_key=new_key, note=note, now=runtime.clock()
    )
    runtime.log.info("retriggered", delivery_id=delivery_id, force=force, new_key=new_key)
    return delivery


def resolve_delivery(
    runtime: Runtime, delivery_id: int, *, as_: str, remote_id: str | None = None, note: str | None = None
) -> Delivery:
    """Settle a parked delivery by a person's word. Raises `InvalidRequestError`, `NotFoundError`, `ConflictError`."""
    if as_ not in RESOLUTIONS:
        raise InvalidRequestError(f"`as` must be one of {', '.join(RESOLUTIONS)}")
    if remote_id is not None and as_ != State.DELIVERED:
        raise InvalidRequestError("`remote_id` goes with `as` delivered")
    delivery = manual.resolve_delivery(
        runtime.database, delivery_id, as_=as_, remote_id=remote_id, note=note, now=runtime.clock()
    )
    runtime.log.info("resolved", delivery_id=delivery_id, state=delivery.state)
    return delivery
