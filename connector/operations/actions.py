"""What a person may do: retrigger, one or many, and resolve. The API and the command line call these same functions.

With `once`, what was done before for the same `Idempotency-Key` raises `AnsweredError` in place of being done again.
"""

from uuid import uuid4

from connector.core.exceptions import InvalidRequestError, NotFoundError
from connector.database import bulk_retries, circuits, operator_actions
from connector.database.bulk_retries import Choice
from connector.database.idempotency import Once
from connector.database.models import Circuit, Delivery, Job, Reason, State
from connector.database.operator_actions import Asked, Retriggered
from connector.database.queries.lookups import load_delivery, load_event
from connector.runtime import Runtime

RESOLUTIONS = (State.DELIVERED, State.DISCARDED)
#: Of what has no ids: what has ended is sent again one by one, by force.
BULK_STATES = (State.PARKED, State.WAITING)
MOST_IDS = 1_000


def retrigger_event(
    runtime: Runtime,
    event_id: int,
    *,
    who: str,
    force: bool = False,
    note: str | None = None,
    once: Once | None = None,
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
    done = operator_actions.retrigger_event(
        runtime.database, event, asked, accounts=accounts, keyed=runtime.keyed, once=once
    )
    runtime.log.info(
        "retriggered", event_id=event_id, force=force, queued=[one.id for one in done if one.done == "queued"]
    )
    return done


def retrigger_delivery(
    runtime: Runtime,
    delivery_id: int,
    *,
    who: str,
    force: bool = False,
    new_key: bool = False,
    note: str | None = None,
    once: Once | None = None,
) -> Delivery:
    """Queue one delivery again. Raises `NotFoundError`, `ConflictError`."""
    has_key = load_delivery(runtime.database, delivery_id).destination in runtime.keyed
    asked = Asked(who=who, note=note, force=force, new_key=new_key)
    delivery = operator_actions.retrigger_delivery(runtime.database, delivery_id, asked, has_key=has_key, once=once)
    runtime.log.info("retriggered", delivery_id=delivery_id, force=force, new_key=new_key)
    return delivery


def start_retriggers(
    runtime: Runtime,
    choice: Choice,
    *,
    who: str,
    force: bool = False,
    note: str | None = None,
    once: Once | None = None,
) -> Job:
    """Have the forwarder retrigger all that `choice` chooses, as `retrigger_delivery` would one by one.

    `force` needs ids: a doubled parcel a row is nothing to be had by a filter. Raises `InvalidRequestError`.
    """
    if force and choice.ids is None:
        raise InvalidRequestError("`force` needs `ids`: look at each of them at the destination first")
    if choice.ids is None and choice.state not in BULK_STATES:
        raise InvalidRequestError(f"`state` must be one of {', '.join(BULK_STATES)}, unless `ids` are given")
    if choice.ids is not None and not 1 <= len(choice.ids) <= MOST_IDS:
        raise InvalidRequestError(f"`ids` must be from 1 to {MOST_IDS} ids")
    for name, value, words in (("state", choice.state, State), ("reason", choice.reason, Reason)):
        if value is not None and value not in list(words):
            raise InvalidRequestError(f"`{name}` must be one of {', '.join(words)}")
    asked = Asked(who=who, note=note, force=force)
    job = bulk_retries.start_job(runtime.database, choice, asked, token=uuid4().hex, once=once)
    runtime.log.info("job_started", job_id=job.id, total=job.total, force=force)
    return job


def advance_jobs(runtime: Runtime, *, size: int = bulk_retries.PAGE) -> bool:
    """Work off one page of the oldest job, of `size` deliveries. False where there is none."""
    job = bulk_retries.oldest_running(runtime.database)
    if job is None:
        return False
    after = bulk_retries.advance_job(runtime.database, job, keyed=runtime.keyed, size=size)
    if after is not None and after.ended_at is not None:
        runtime.log.info("job_finished", job_id=after.id, queued=after.queued, left=sum(after.left_why.values()))
    return True


def cancel_retriggers(runtime: Runtime, job_id: int, *, who: str, once: Once | None = None) -> Job:
    """Queue no more of it; what is queued stays. Raises `NotFoundError`, `ConflictError`."""
    job = bulk_retries.cancel_job(runtime.database, job_id, once)
    runtime.log.info("job_cancelled", job_id=job_id, who=who)
    return job


def resume_retriggers(runtime: Runtime, job_id: int, *, who: str) -> Job:
    """Go on where a cancelled job stopped: what it has queued is not queued again.

    Raises `NotFoundError`, `ConflictError`.
    """
    job = bulk_retries.resume_job(runtime.database, job_id)
    runtime.log.info("job_resumed", job_id=job_id, who=who)
    return job


def resolve_delivery(
    runtime: Runtime,
    delivery_id: int,
    *,
    who: str,
    as_: str,
    remote_id: str | None = None,
    note: str | None = None,
    once: Once | None = None,
) -> Delivery:
    """Settle a parked delivery by a person's word. Raises `InvalidRequestError`, `NotFoundError`, `ConflictError`."""
    if as_ not in RESOLUTIONS:
        raise InvalidRequestError(f"`as` must be one of {', '.join(RESOLUTIONS)}")
    if remote_id is not None and as_ != State.DELIVERED:
        raise InvalidRequestError("`remote_id` goes with `as` delivered")
    delivery = operator_actions.resolve_delivery(
        runtime.database, delivery_id, as_=as_, remote_id=remote_id, note=note, who=who, once=once
    )
    runtime.log.info("resolved", delivery_id=delivery_id, state=delivery.state)
    return delivery


def pause_account(
    runtime: Runtime, account: str, *, who: str, note: str | None = None, once: Once | None = None
) -> Circuit:
    """Send it nothing more until it is resumed; what is being sent ends. Raises `NotFoundError`."""
    require_account(runtime, account)
    circuit = circuits.pause_account(runtime.database, account, who=who, note=note, once=once)
    runtime.log.info("paused", account=account, who=who)
    return circuit


def resume_account(runtime: Runtime, account: str, *, who: str, once: Once | None = None) -> Circuit:
    """Send to it again at once, whatever kept it from orders. Raises `NotFoundError`."""
    require_account(runtime, account)
    circuit = circuits.resume_account(runtime.database, account, who=who, once=once)
    runtime.log.info("resumed", account=account, who=who)
    return circuit


def require_account(runtime: Runtime, account: str) -> None:
    if account not in runtime.settings.accounts:
        raise NotFoundError("no such account")
