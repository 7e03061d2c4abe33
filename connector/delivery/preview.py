"""What a stored delivery would become with the settings of now. Sends nothing, and changes no row.

An order that its webhook only names is fetched anew, since payloads are kept as they came: a GET changes nothing.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from connector.clients.storefront_api import NotFetchedError, complete
from connector.core.exceptions import StoreUnavailableError
from connector.database.models import Delivery, Event
from connector.database.orders import row_id
from connector.database.queries.lookups import load_delivery, load_newest_event
from connector.delivery.prepare import DiscardedError, require_kept, require_route
from connector.runtime import Runtime, open_store_api
from connector.settings import refresh_tables
from mappings.preview.dry_run import Difference, Trial, compare, try_mapping
from mappings.preview.provenance import Origin, explain
from mappings.schema import MappingError
from mappings.settings import Account, Store

#: A person waits for it.
FETCH_S = 10.0
FROZEN = (
    "An earlier attempt may have arrived: the same bytes would go again under the same key, whatever the settings say."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    delivery: Delivery
    event_id: int  # the newest of the order, which would be sent
    body: dict[str, Any] | None  # None: it would not be sent, for these problems
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    differences: list[Difference] | None  # from the body of the last attempt; None: one of the two is not there


def preview(runtime: Runtime, delivery_id: int, *, is_explained: bool = True) -> Preview:
    """Return what would be sent if the delivery were retriggered now.

    Args:
        is_explained: say where each field comes from, which takes some hundred times as long.

    Raises `NotFoundError`, and `StoreUnavailableError` where the order has to be fetched and is not to be had.
    """
    delivery = load_delivery(runtime.database, delivery_id)
    event = load_newest_event(runtime.database, delivery)
    old = json.loads(delivery.body) if delivery.body else None
    origins: list[Origin] = []
    if delivery.frozen_since is not None and old is not None:
        trial = Trial(body=old, warnings=[*delivery.warnings, FROZEN])
    else:
        try:
            trial, origins = try_delivery(runtime, delivery, event, is_explained=is_explained)
        except MappingError as error:
            trial = Trial(body=None, problems=error.problems)
    return Preview(
        delivery=delivery,
        event_id=row_id(event),
        body=trial.body,
        problems=trial.problems,
        warnings=trial.warnings,
        origins=origins,
        differences=None if old is None or trial.body is None else compare(old, trial.body),
    )


def try_delivery(
    runtime: Runtime, delivery: Delivery, event: Event, *, is_explained: bool
) -> tuple[Trial, list[Origin]]:
    """Map the order as an attempt would. Raises `MappingError` where that stops before mapping."""
    settings, _ = refresh_tables(runtime.settings)
    account = settings.accounts.get(delivery.account)
    if account is None:
        raise MappingError(["Its account is no longer configured."])
    try:
        store = settings.store_by_id(delivery.store)
    except KeyError:
        raise MappingError(["Its store is no longer configured."]) from None
    require_kept(delivery, event, settings.destination(account))
    payload, was_fetched = fetch_payload(runtime, store, account, event)
    is_overruled = delivery.overruled is not None
    if is_explained:
        explained = explain(store, account, payload, is_overruled=is_overruled)
        trial = Trial(body=explained.body, problems=explained.problems, warnings=explained.warnings)
        origins = explained.origins
    else:
        trial, origins = try_mapping(store, account, payload, is_overruled=is_overruled), []
    if trial.body is not None and not is_overruled:
        order = settings.storefront(store).read(payload, store)
        try:
            require_route(settings.routes_between(store.id, account.id), event, order, was_fetched=was_fetched)
        except DiscardedError as error:
            return Trial(body=None, problems=[f"It would be discarded: {error}."], warnings=trial.warnings), origins
    return trial, origins


def fetch_payload(runtime: Runtime, store: Store, account: Account, event: Event) -> tuple[dict[str, Any], bool]:
    """Return the order with all that an attempt would fetch for it, and whether the order itself was fetched."""
    storefront = runtime.settings.storefront(store)
    payload: dict[str, Any] = json.loads(event.body)
    needs = runtime.settings.destination(account).needs(account)
    fetches = storefront.fetches(payload, store, needs)
    if not fetches:
        return payload, False
    with open_store_api(runtime, store) as client:
        try:
            payload = complete(client, storefront, store, payload, needs, timeout_s=FETCH_S)
        except NotFetchedError as error:
            what = error.answer.error or f"status {error.answer.status}"
            raise StoreUnavailableError(f"the order was not to be had from the store's API: {what}") from error
    return payload, any(fetch.is_order for fetch in fetches)
