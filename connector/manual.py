"""What a person may do: retrigger and resolve. The API and the command line call these same functions."""

from connector.database import circuits, manual
from connector.database.lookups import load_delivery, load_event
from connector.database.manual import Asked, Retriggered
from connector.database.tables import Delivery, State
from connector.errors import InvalidRequestError, NotFoundError
from connector.runtime import Runtime

RESOLUTIONS = (State.DELIVERED, State.DISCARDED)


def retrigger_event(
    runtime: Runtime, event_id: int, *, who: str, force: bool = False, note: str | None = None
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
    asked = Asked(who=who, note=note, force=force)
    done = manual.retrigger_event(runtime.database, event, asked, accounts=accounts, keyed=runtime.keyed)
    runtime.log.info(
        "retriggered", event_id=event_id, force=force, queued=[one.id for one in done if one.done == "queued"]
    )
    return done


def retrigger_delivery(
    runtime: Runtime, delivery_id: int, *, who: str, force: bool = False, new_key: bool = False, note: str | None = None
) -> Delivery:
    """Queue one delivery again. Raises `NotFoundError`, `ConflictError`."""
    has_key = load_delivery(runtime.database, delivery_id).destination in runtime.keyed
    asked = Asked(who=who, note=note, force=force, new_key=new_key)
    delivery = manual.retrigger_delivery(runtime.database, delivery_id, asked, has_key=has_key)
    runtime.log.info("retriggered", delivery_id=delivery_id, force=force, new_key=new_key)
    return delivery


def resolve_delivery(
    runtime: Runtime, delivery_id: int, *, who: str, as_: str, remote_id: str | None = None, note: str | None = None
) -> Delivery:
    """Settle a parked delivery by a person's word. Raises `InvalidRequestError`, `NotFoundError`, `ConflictError`."""
    if as_ not in RESOLUTIONS:
        raise InvalidRequestError(f"`as` must be one of {', '.join(RESOLUTIONS)}")
    if remote_id is not None and as_ != State.DELIVERED:
        raise InvalidRequestError("`remote_id` goes with `as` delivered")
    delivery = manual.resolve_delivery(runtime.database, delivery_id, as_=as_, remote_id=remote_id, note=note, who=who)
    runtime.log.info("resolved", delivery_id=delivery_id, state=delivery.state)
    return delivery


def pause_account(runtime: Runtime, account: str, *, who: str, note: str | None = None) -> None:
    """Send it nothing more until it is resumed; what is being sent ends. Raises `NotFoundError`."""
    require_account(runtime, account)
    circuits.pause_account(runtime.database, account, f"{who}: {note}" if note else who)
    runtime.log.info("paused", account=account, who=who)


def resume_account(runtime: Runtime, account: str, *, who: str) -> None:
    """Send to it again at once, whatever kept it from orders. Raises `NotFoundError`."""
    require_account(runtime, account)
    circuits.resume_account(runtime.database, account)
    runtime.log.info("resumed", account=account, who=who)


def require_account(runtime: Runtime, account: str) -> None:
    if account not in runtime.settings.accounts:
        raise NotFoundError("no such account")
