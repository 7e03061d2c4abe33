"""Map one order without sending it: the body that it becomes, or why it becomes none; and what two bodies differ in.

It says no more than what reading and writing say, and stops at nothing: a problem is part of the answer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mappings import DESTINATIONS, STOREFRONTS
from mappings.schema import MappingError
from mappings.settings import Account, Store

#: Where a value stands in a document: keys and places, from the root.
Path = tuple[Any, ...]
#: Deeper documents would need more stack than there is.
MOST_LEVELS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    body: dict[str, Any] | None  # None: there are problems
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field in which two bodies differ. None: it is not in that body, or null there."""

    field: str  # `consumidor_destino.calle`, `productos[0].cantidad`
    old: Any
    new: Any


def try_mapping(store: Store, account: Account, payload: Mapping[str, Any], *, is_overruled: bool = False) -> Trial:
    """Return what `payload` becomes at `account`. The payload is the order itself, with all that was fetched for it.

    `is_overruled`: a person let it go on though the store cancelled it.
    """
    try:
        order = STOREFRONTS[store.storefront].read(payload, store)
        if is_overruled:
            order = replace(order, is_cancelled=False)
        written = DESTINATIONS[account.destination].write(order, account, store)
    except MappingError as error:
        return Trial(body=None, problems=error.problems)
    return Trial(body=written.body, warnings=written.warnings)


def compare(old: Any, new: Any) -> list[Difference]:
    """Return each field in which two bodies differ, in the order of the old one, then of the new one."""
    before, after = dict(leaves(old)), dict(leaves(new))
    return [
        Difference(field=show_path(path), old=before.get(path), new=after.get(path))
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    ]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value in a document that holds no other, with its path; what is empty, or too deep, is one value."""
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    if inner and value and len(path) < MOST_LEVELS:
        for step, each in inner:
            yield from leaves(each, (*path, step))
    elif path:
        yield path, value


def show_path(path: Path) -> str:
    """Return `productos[0].cantidad` for `("productos", 0, "cantidad")`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
