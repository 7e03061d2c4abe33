"""A dry run of a stored delivery with the current settings. Sends nothing and changes no row.

An order that its webhook only names is fetched again.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connector.clients.storefront_api import FetchError
from connector.core.exceptions import InvalidRequestError, StoreUnavailableError
from connector.core.messages import build_message, render_stored
from connector.database.corrections import load_corrections
from connector.database.models import Delivery, Event
from connector.database.queries.deliveries import load_delivery
from connector.database.queries.events import load_newest_event
from connector.delivery.age import find_doubt, find_old
from connector.delivery.order_source import OrderSource, load_order_source
from connector.delivery.prepare import ensure_not_pruned, find_store, rejections_by_routes
from connector.runtime import Runtime, current_settings, open_store_api
from connector.settings import Settings
from mappings.corrections import Correction
from mappings.order import Order
from mappings.preview.dry_run import DryRunResult, FieldDifference, diff_bodies, dry_run
from mappings.preview.provenance import ExplainedMapping, Origin, Source, explain_mapping
from mappings.problems import MappingError, Problem, load_problems

#: A person is waiting.
FETCH_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    delivery: Delivery
    event_id: int  # the order's newest event
    body: dict[str, Any] | None  # None: it would not be sent, because of `problems`
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    is_partly_explained: bool = False  # of long lists, `origins` has the first `MAX_ITEMS` items
    differences: list[FieldDifference] | None  # from the last attempt's body; None if there is nothing to compare


def preview(runtime: Runtime, delivery_id: int, *, with_origins: bool = True, may_fetch: bool = True) -> Preview:
    """Return what would be sent if the delivery were retriggered now.

    Args:
        with_origins: also find where each field comes from, by mapping the order some hundred times.
        may_fetch: request from the store's API what is missing.

    Raises:
        NotFoundError
        StoreUnavailableError: the order has to be fetched, and the store's API failed or may not be called.
    """
    delivery = load_delivery(runtime.database, delivery_id)
    event = load_newest_event(runtime.database, delivery)
    last_body = json.loads(delivery.body) if delivery.body else None
    explanation: ExplainedMapping | None = None
    if delivery.locked_since is not None and last_body is not None:
        warnings = [*load_problems(delivery.warnings), build_message("same_bytes_again")]
        trial = DryRunResult(body=last_body, warnings=warnings)
    else:
        try:
            trial, explanation = map_delivery(runtime, delivery, event, with_origins=with_origins, may_fetch=may_fetch)
        except MappingError as error:
            trial = DryRunResult(body=None, problems=error.problems)
    return Preview(
        delivery=delivery,
        event_id=event.id,
        body=trial.body,
        problems=trial.problems,
        warnings=trial.warnings,
        origins=explanation.origins if explanation else [],
        is_partly_explained=explanation is not None and explanation.is_partial,
        differences=None if last_body is None or trial.body is None else diff_bodies(last_body, trial.body),
    )


def map_delivery(
    runtime: Runtime, delivery: Delivery, event: Event, *, with_origins: bool, may_fetch: bool
) -> tuple[DryRunResult, ExplainedMapping | None]:
    """Map the order as an attempt would. Raises `MappingError` if an attempt would end before mapping."""
    settings, _ = current_settings(runtime)
    account = settings.accounts.get(delivery.account)
    if account is None:
        raise MappingError([build_message("account_not_configured")])
    store = find_store(runtime, delivery)
    destination = settings.destination(account)
    ensure_not_pruned(delivery, event, destination)
    corrections = load_corrections(runtime.database, delivery.store, delivery.order_id)
    source = load_order_source(settings, event, store, destination.required_details(account), corrections)
    source = fetch_order(runtime, source, may_fetch=may_fetch)
    is_overridden = delivery.is_forced
    if not is_overridden and delivery.override_event_id is None:
        times, since = source.times(), runtime.orders_since(store)
        if reason := find_old(times, since):
            raise MappingError([build_message("would_be_discarded", reason=reason)])
        if doubt := find_doubt(times, since):
            return DryRunResult(body=None, problems=[doubt]), None
    explanation = None
    if with_origins:
        explanation = explain_mapping(
            store, account, source.payload, corrections=corrections, override_cancellation=is_overridden
        )
        explanation = replace(explanation, origins=name_people(explanation.origins, settings, account.id))
        trial = DryRunResult(body=explanation.body, problems=explanation.problems, warnings=explanation.warnings)
    else:
        trial = dry_run(store, account, source.payload, corrections=corrections, override_cancellation=is_overridden)
    if trial.body is not None and not delivery.ignores_routes:
        routes = settings.routes_between(store.id, account.id)
        rejections = rejections_by_routes(routes, source.parse())
        if rejections:
            problems = [build_message("would_be_discarded", reason=rejection) for rejection in rejections]
            return DryRunResult(body=None, problems=problems, warnings=trial.warnings), explanation
    return trial, explanation


def name_people(origins: Iterable[Origin], settings: Settings, account_id: str) -> list[Origin]:
    """Return the origins with the names of those who entered rows of lookup tables that the body depends on."""
    people = {f"{row.table}.{row.key}": row.entered_by for row in settings.entered_rows if row.account == account_id}

    def name_person(source: Source) -> Source:
        if source.part != "account":
            return source
        names = [name for path, name in people.items() if f"{source.path}.".startswith(f"{path}.")]
        return replace(source, entered_by=names[0]) if names else source

    return [
        replace(
            origin,
            sources=[name_person(source) for source in origin.sources],
            depends_on=[name_person(source) for source in origin.depends_on],
        )
        for origin in origins
    ]


def map_with_corrections(
    runtime: Runtime, delivery: Delivery, corrections: Sequence[Correction]
) -> tuple[Order, list[Problem]]:
    """Return the delivery's order before these corrections, and the problems that remain with them.

    Raises:
        InvalidRequestError: the order cannot be read at all, so nothing can be entered for it.
        StoreUnavailableError: it has to be fetched, and the store's API failed.
    """
    settings, _ = current_settings(runtime)
    event = load_newest_event(runtime.database, delivery)
    try:
        account = settings.accounts[delivery.account]
        store = find_store(runtime, delivery)
        destination = settings.destination(account)
        ensure_not_pruned(delivery, event, destination)
        source = load_order_source(settings, event, store, destination.required_details(account))
        source = fetch_order(runtime, source, may_fetch=True)
        order = source.parse()
    except (KeyError, MappingError):
        raise InvalidRequestError("the order cannot be read, so nothing can be entered for it") from None
    trial = dry_run(store, account, source.payload, corrections=corrections, override_cancellation=delivery.is_forced)
    return order, trial.problems


def fetch_order(runtime: Runtime, source: OrderSource, *, may_fetch: bool) -> OrderSource:
    """Return the source with everything that an attempt would fetch. Raises `MappingError`, `StoreUnavailableError`."""
    if not source.missing:
        return source
    if not may_fetch:
        raise StoreUnavailableError("the order has to be fetched from the store's API")
    with open_store_api(runtime, source.store) as api:
        try:
            return source.fetch(api, timeout_s=FETCH_TIMEOUT_S)
        except FetchError as error:
            detail = render_stored(error.result.failure)
            raise StoreUnavailableError(f"could not fetch the order from the store's API: {detail}") from error
