"""Maps one order without sending it, and compares bodies.

Problems are part of the result, not exceptions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mappings import DESTINATIONS, STOREFRONTS
from mappings.corrections import Correction
from mappings.problems import MappingError, Problem
from mappings.settings import Account, Store

#: Path of a value in a document: keys and indexes from the root.
ValuePath = tuple[Any, ...]
#: Deeper documents would exceed the recursion limit.
MAX_LEVELS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunResult:
    body: dict[str, Any] | None  # None if there are problems
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDifference:
    """One field in which two bodies differ. None: the body does not have it, or has null."""

    field: str  # `consumidor_destino.calle`, `productos[0].cantidad`
    old: Any
    new: Any


def dry_run(
    store: Store,
    account: Account,
    payload: Mapping[str, Any],
    *,
    corrections: Sequence[Correction] = (),
    override_cancellation: bool = False,
) -> DryRunResult:
    """Return the body of an order for `account`. The payload is the order itself, with everything fetched for it.

    Args:
        corrections: what a person entered for the order.
        override_cancellation: map it although the store cancelled or refunded it, or nothing is left to ship, as an
            operator decided.
    """
    try:
        order = STOREFRONTS[store.storefront].parse_order(payload, store, corrections)
        destination = DESTINATIONS[account.destination]
        if override_cancellation:
            order = destination.override_exclusion(order, account, store)
        request_body = destination.build_request(order, account, store)
    except MappingError as error:
        return DryRunResult(body=None, problems=error.problems)
    return DryRunResult(body=request_body.body, warnings=request_body.warnings)


def diff_bodies(old: Any, new: Any) -> list[FieldDifference]:
    """Return the fields in which two bodies differ, in the order of the old body, then of the new one."""
    before, after = dict(iter_leaves(old)), dict(iter_leaves(new))
    return [
        FieldDifference(field=format_path(path), old=before.get(path), new=after.get(path))
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    ]


def iter_leaves(value: Any, path: ValuePath = ()) -> Iterator[tuple[ValuePath, Any]]:
    """Yield the leaves of a document with their paths. Empty and too deeply nested values are leaves."""
    children = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    if children and value and len(path) < MAX_LEVELS:
        for step, child in children:
            yield from iter_leaves(child, (*path, step))
    elif path:
        yield path, value


def format_path(path: ValuePath) -> str:
    """Return `productos[0].cantidad` for `("productos", 0, "cantidad")`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
