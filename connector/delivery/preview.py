"""What a stored delivery would become with the settings of now. Sends nothing, and changes no row.

An order that its webhook only names is fetched anew, since payloads are kept as they came: a GET changes nothing.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from connector.clients.storefront_api import NotFetchedError, fetch_missing
from connector.core.exceptions import StoreUnavailableError
from connector.database.models import Delivery, Event
from connector.database.queries.deliveries import load_delivery
from connector.database.queries.events import load_newest_event
from connector.delivery.prepare import DiscardedError, ensure_not_pruned, ensure_routed
from connector.runtime import Runtime, open_store_api
from connector.settings import refresh_tables
from mappings.preview.dry_run import DryRunResult, FieldDifference, diff_bodies, dry_run
from mappings.preview.provenance import Origin, explain_mapping
from mappings.schema import MappingError
from mappings.settings import Account, Store

#: A person waits for it.
FETCH_TIMEOUT_S = 10.0
LOCKED_WARNING = (
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
    differences: list[FieldDifference] | None  # from the body of the last attempt; None: one of the two is not there


def preview(runtime: Runtime, delivery_id: int, *, with_origins: bool = True) -> Preview:
    """Return what would be sent if the delivery were retriggered now.

    Args:
        is_explained: say where each field comes from, which takes some hundred times as long.

    Raises `NotFoundError`, and `StoreUnavailableError` where the order has to be fetched and is not to be had.
    """
    delivery = load_delivery(runtime.database, delivery_id)
    event = load_newest_event(runtime.database, delivery)
    last_body = json.loads(delivery.body) if delivery.body else None
    origins: list[Origin] = []
    if delivery.locked_since is not None and last_body is not None:
        trial = DryRunResult(body=last_body, warnings=[*delivery.warnings, LOCKED_WARNING])
    else:
        try:
            trial, origins = map_delivery(runtime, delivery, event, with_origins=with_origins)
        except MappingError as error:
            trial = DryRunResult(body=None, problems=error.problems)
    return Preview(
        delivery=delivery,
        event_id=event.id,
        body=trial.body,
        problems=trial.problems,
        warnings=trial.warnings,
        origins=origins,
        differences=None if last_body is None or trial.body is None else diff_bodies(last_body, trial.body),
    )


def map_delivery(
    runtime: Runtime, delivery: Delivery, event: Event, *, with_origins: bool
) -> tuple[DryRunResult, list[Origin]]:
    """Map the order as an attempt would. Raises `MappingError` where that stops before mapping."""
    settings, _ = refresh_tables(runtime.settings)
    account = settings.accounts.get(delivery.account)
    if account is None:
        raise MappingError(["Its account is no longer configured."])
    try:
        store = settings.store_by_id(delivery.store)
    except KeyError:
        raise MappingError(["Its store is no longer configured."]) from None
    ensure_not_pruned(delivery, event, settings.destination(account))
    payload, was_fetched = fetch_payload(runtime, store, account, event)
    is_overruled = delivery.override_event_id is not None
    if with_origins:
        explanation = explain_mapping(store, account, payload, override_cancellation=is_overruled)
        trial = DryRunResult(body=explanation.body, problems=explanation.problems, warnings=explanation.warnings)
        origins = explanation.origins
    else:
        trial, origins = dry_run(store, account, payload, override_cancellation=is_overruled), []
    if trial.body is not None and not is_overruled:
        order = settings.storefront(store).parse_order(payload, store)
        try:
            ensure_routed(settings.routes_between(store.id, account.id), event, order, was_fetched=was_fetched)
        except DiscardedError as error:
            return DryRunResult(
                body=None, problems=[f"It would be discarded: {error}."], warnings=trial.warnings
            ), origins
    return trial, origins


def fetch_payload(runtime: Runtime, store: Store, account: Account, event: Event) -> tuple[dict[str, Any], bool]:
    """Return the order with all that an attempt would fetch for it, and whether the order itself was fetched."""
    storefront = runtime.settings.storefront(store)
    payload: dict[str, Any] = json.loads(event.body)
    required_details = runtime.settings.destination(account).required_details(account)
    required_fetches = storefront.required_fetches(payload, store, required_details)
    if not required_fetches:
        return payload, False
    with open_store_api(runtime, store) as client:
        try:
            payload = fetch_missing(client, storefront, store, payload, required_details, timeout_s=FETCH_TIMEOUT_S)
        except NotFetchedError as error:
            cause = error.result.error or f"status {error.result.status}"
            raise StoreUnavailableError(f"the order was not to be had from the store's API: {cause}") from error
    return payload, any(fetch.is_order for fetch in required_fetches)
