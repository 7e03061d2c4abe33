"""Map one order without sending it: the body that it becomes, or why it becomes none; and what two bodies differ in.

It says no more than what reading and writing say, and stops at nothing: a problem is part of the answer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mappings import DESTINATIONS, STOREFRONTS
from mappings.problems import MappingError, Problem
from mappings.settings import Account, Store

#: Where a value stands in a document: keys and places, from the root.
ValuePath = tuple[Any, ...]
#: Deeper documents would need more stack than there is.
MAX_LEVELS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunResult:
    body: dict[str, Any] | None  # None: there are problems
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDifference:
    """One field in which two bodies differ. None: it is not in that body, or null there."""

    field: str  # `consumidor_destino.calle`, `productos[0].cantidad`
    old: Any
    new: Any


def dry_run(
    store: Store, account: Account, payload: Mapping[str, Any], *, override_cancellation: bool = False
) -> DryRunResult:
    """Return what `payload` becomes at `account`. The payload is the order itself, with all that was fetched for it.

    `is_overruled`: a person let it go on though the store cancelled it.
    """
    try:
        order = STOREFRONTS[store.storefront].parse_order(payload, store)
        if override_cancellation:
            order = replace(order, is_cancelled=False)
        request_body = DESTINATIONS[account.destination].build_request(order, account, store)
    except MappingError as error:
        return DryRunResult(body=None, problems=error.problems)
    return DryRunResult(body=request_body.body, warnings=request_body.warnings)


def diff_bodies(old: Any, new: Any) -> list[FieldDifference]:
    """Return each field in which two bodies differ, in the order of the old one, then of the new one."""
    before, after = dict(iter_leaves(old)), dict(iter_leaves(new))
    return [
        FieldDifference(field=format_path(path), old=before.get(path), new=after.get(path))
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    ]


def iter_leaves(value: Any, path: ValuePath = ()) -> Iterator[tuple[ValuePath, Any]]:
    """Yield every value in a document that holds no other, with its path; what is empty, or too deep, is one value."""
    children = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    if children and value and len(path) < MAX_LEVELS:
        for step, child in children:
            yield from iter_leaves(child, (*path, step))
    elif path:
        yield path, value


def format_path(path: ValuePath) -> str:
    """Return `productos[0].cantidad` for `("productos", 0, "cantidad")`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
