"""What an operator can do. The API, the dashboard and the command line all call these functions.

With `idempotency`, a request that was made before under the same `Idempotency-Key` raises `AlreadyProcessedError`.
"""

from collections.abc import Collection

from connector.core.exceptions import ConflictError, InvalidRequestError, NotFoundError
from connector.core.json_body import parse_json
from connector.database import circuits, operator_actions, stopped_stores, store_requests
from connector.database.corrections import load_corrections
from connector.database.idempotency import IdempotentRequest
from connector.database.models import Circuit, Delivery, Event, State, StoreReading, StoreWebhooks
from connector.database.operator_actions import RetriggerRequest, RetriggerResult
from connector.database.queries.deliveries import load_delivery
from connector.database.queries.events import load_event, load_newest_event
from connector.operations.store_status import missing_api_settings
from connector.runtime import Runtime, stop_reason
from mappings.problems import MappingError, Problem, render_problem
from mappings.settings import Store

RESOLUTIONS = (State.DELIVERED, State.DISCARDED)


def retrigger_event(
    runtime: Runtime,
    event_id: int,
    *,
    actor: str,
    force: bool = False,
    account: str | None = None,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> list[RetriggerResult]:
    """Create the deliveries that today's routes call for, and queue those that may be. Raises `NotFoundError`.

    It keeps to the routes and their `only`, also with `force`.

    Args:
        account: do it for this account alone, even if no route leads there.
    """
    event = load_event(runtime.database, event_id)
    if account is not None:
        ensure_account_exists(runtime, account)
        accounts = {account: runtime.settings.accounts[account].destination}
    else:
        accounts = runtime.settings.accounts_for(event.store, event.topics)
    accounts = accounts if event.has_order else {}
    retry_request = RetriggerRequest(actor=actor, note=note, force=force)
    results = operator_actions.retrigger_event(
        runtime.database,
        event,
        retry_request,
        accounts=accounts,
        destinations_with_idempotency=runtime.destinations_with_idempotency,
        excluded={} if account is not None else find_exclusions(runtime, event, accounts),
        named_account=account,
        idempotency=idempotency,
    )
    runtime.log.info(
        "retriggered",
        event_id=event_id,
        force=force,
        queued=[result.id for result in results if result.done == "queued"],
    )
    return results


def find_exclusions(runtime: Runtime, event: Event, accounts: Collection[str]) -> dict[str, Problem]:
    """Return why the routes' `only` excludes the order, by account. Empty if only fetching or correcting it can tell.

    The worker judges it again.
    """
    settings = runtime.settings
    if not accounts or event.order_id is None:
        return {}
    try:
        newest = load_newest_event(runtime.database, event)
        store = settings.stores_by_id[event.store]
        storefront = settings.storefront(store)
        payload = parse_json(newest.body)
        if any(fetch.is_order for fetch in storefront.required_fetches(payload, store, frozenset())):
            return {}
        corrections = load_corrections(runtime.database, event.store, event.order_id)
        order = storefront.parse_order(payload, store, corrections)
    except (KeyError, ValueError, MappingError):
        return {}
    exclusions: dict[str, Problem] = {}
    for account in accounts:
        reasons = [route.only.exclusion_reason(order) for route in settings.routes_between(store.id, account)]
        if reasons and None not in reasons:
            exclusions[account] = next(reason for reason in reasons if reason)
    return exclusions


def retrigger_delivery(
    runtime: Runtime,
    delivery_id: int,
    *,
    actor: str,
    force: bool = False,
    new_key: bool = False,
    looked: bool = False,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> Delivery:
    """Queue one delivery again. Raises `NotFoundError`, `ConflictError`.

    Args:
        looked: the person looked at the destination, where the order is not.
    """
    supports_idempotency = (
        load_delivery(runtime.database, delivery_id).destination in runtime.destinations_with_idempotency
    )
    retry_request = RetriggerRequest(actor=actor, note=note, force=force, new_key=new_key, looked=looked)
    delivery = operator_actions.retrigger_delivery(
        runtime.database, delivery_id, retry_request, supports_idempotency=supports_idempotency, idempotency=idempotency
    )
    runtime.log.info("retriggered", delivery_id=delivery_id, force=force, new_key=new_key)
    return delivery


def resolve_delivery(
    runtime: Runtime,
    delivery_id: int,
    *,
    actor: str,
    resolution: str,
    remote_id: str | None = None,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> Delivery:
    """Mark a parked delivery as delivered or discarded.

    Raises `InvalidRequestError`, `NotFoundError`, `ConflictError`.
    """
    if resolution not in RESOLUTIONS:
        raise InvalidRequestError(f"`as` must be one of {', '.join(RESOLUTIONS)}")
    if remote_id is not None and resolution != State.DELIVERED:
        raise InvalidRequestError("`remote_id` goes with `as` delivered")
    delivery = operator_actions.resolve_delivery(
        runtime.database,
        delivery_id,
        new_state=resolution,
        remote_id=remote_id,
        note=note,
        actor=actor,
        idempotency=idempotency,
    )
    runtime.log.info("resolved", delivery_id=delivery_id, state=delivery.state)
    return delivery


def pause_account(
    runtime: Runtime, account: str, *, actor: str, note: str | None = None, idempotency: IdempotentRequest | None = None
) -> Circuit:
    """Stop sending to an account until it is resumed; attempts under way finish. Raises `NotFoundError`."""
    ensure_account_exists(runtime, account)
    circuit = circuits.pause_account(runtime.database, account, actor=actor, note=note, idempotency=idempotency)
    runtime.log.info("paused", account=account, who=actor)
    return circuit


def resume_account(
    runtime: Runtime, account: str, *, actor: str, idempotency: IdempotentRequest | None = None
) -> Circuit:
    """Resume sending to an account, clearing any pause or open circuit. Raises `NotFoundError`."""
    ensure_account_exists(runtime, account)
    circuit = circuits.resume_account(runtime.database, account, actor=actor, idempotency=idempotency)
    runtime.log.info("resumed", account=account, who=actor)
    return circuit


def request_catch_up(
    runtime: Runtime,
    store_name: str,
    *,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> StoreReading:
    """Have the worker read a store's orders now. Raises `NotFoundError`, `ConflictError`."""
    store = find_store(runtime, store_name)
    require_api(runtime, store)
    if not runtime.settings.can_list_orders(store):
        raise ConflictError(f"the API of {store.storefront} does not list the orders that changed")
    reading = store_requests.request_catch_up(
        runtime.database,
        store.id,
        read_from=runtime.orders_since(store),
        actor=actor,
        note=note,
        idempotency=idempotency,
    )
    runtime.log.info("catch_up_requested", store=store.id, who=actor)
    return reading


def request_webhook_sync(
    runtime: Runtime,
    store_name: str,
    *,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> StoreWebhooks:
    """Have the worker create and repair a store's webhooks now. Raises `NotFoundError`, `ConflictError`."""
    store = find_store(runtime, store_name)
    require_api(runtime, store)
    if runtime.settings.storefront(store).webhook_api is None:
        raise ConflictError(f"the API of {store.storefront} does not manage webhooks")
    if not runtime.settings.public_url:
        raise ConflictError("set `public_url`: webhooks are created with this address")
    webhooks = store_requests.request_webhook_sync(
        runtime.database, store.id, actor=actor, note=note, idempotency=idempotency
    )
    runtime.log.info("webhook_sync_requested", store=store.id, who=actor)
    return webhooks


def resume_store(
    runtime: Runtime,
    store_name: str,
    *,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> bool:
    """Call the API of a store again whose app was uninstalled or suspended, and queue the orders that were held.

    False if it was not stopped. Raises `NotFoundError`.
    """
    store = find_store(runtime, store_name)
    was_stopped = stopped_stores.resume_store(
        runtime.database, store.id, actor=actor, note=note, idempotency=idempotency
    )
    runtime.log.info("store_resumed", store=store.id, who=actor)
    return was_stopped


def require_api(runtime: Runtime, store: Store) -> None:
    """Raises `ConflictError`."""
    if stop := stop_reason(runtime.database, store):
        raise ConflictError(render_problem(stop))
    if missing := missing_api_settings(store):
        names = " and ".join(f"`{name}`" for name in missing)
        raise ConflictError(f"[stores.{store.name}] has no access to the store's API: set {names}")


def find_store(runtime: Runtime, name: str) -> Store:
    """Raises `NotFoundError`."""
    if name not in runtime.settings.stores:
        raise NotFoundError("no such store")
    return runtime.settings.stores[name]


def ensure_account_exists(runtime: Runtime, account: str) -> None:
    if account not in runtime.settings.accounts:
        raise NotFoundError("no such account")
