"""Changes single values of payloads and settings, for experiments on what a body is made of."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from typing import Any

from mappings.lookup_tables import LookupTable
from mappings.preview.dry_run import ValuePath, iter_leaves
from mappings.text import clean_text

#: Items of a list that are tried: all of an order of 500 products would take minutes.
MAX_ITEMS = 10
#: No value that is sent is nested deeper in an order.
MAX_DEPTH = 12
#: Longer tables are reduced to the rows whose keys the order contains.
MAX_ROWS = 50
#: Change of an amount. In cents it divides by every quantity up to ten, so that a line stays one line.
AMOUNT_STEP = Decimal("25.20")
#: Settings that choose the integration, which are not changed.
SELECTOR_SETTINGS = {"storefront", "destination"}
AMOUNT_TEXT = re.compile(r"-?[0-9]{1,12}\.[0-9]{1,6}")
WORD, DIGITS = re.compile(r"[^\W\d_]+"), re.compile(r"[0-9]+")


def iter_values(node: Any, path: ValuePath = ()) -> Iterator[tuple[ValuePath, Any]]:
    """Yield every value of a payload, or of a store's or account's settings, with its path."""
    if is_dataclass(node):
        node = {
            setting.name: getattr(node, setting.name)
            for setting in fields(node)
            if setting.name not in SELECTOR_SETTINGS
        }
    if len(path) > MAX_DEPTH:
        return
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from iter_values(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node[:MAX_ITEMS]):
            yield from iter_values(value, (*path, index))
    else:
        yield path, node


def iter_object_paths(node: Any, path: ValuePath = ()) -> Iterator[ValuePath]:
    """Yield the paths of a payload's objects, except those in lists."""
    for key, value in node.items():
        if isinstance(value, Mapping) and len(path) < MAX_DEPTH:
            yield (*path, key)
            yield from iter_object_paths(value, (*path, key))


def trim_lists(node: Any, depth: int = 0) -> Any:
    """Return a payload with the items of each list that are tried. Experiments map the order some hundred times.

    Lists of names and values stay whole: a setting may name any of their items.
    """
    if depth > MAX_DEPTH:
        return node
    if isinstance(node, Mapping):
        return {key: trim_lists(value, depth + 1) for key, value in node.items()}
    if isinstance(node, list):
        is_named = any(isinstance(item, Mapping) and "value" in item for item in node)
        return [trim_lists(item, depth + 1) for item in (node if is_named else node[:MAX_ITEMS])]
    return node


def set_path(node: Any, path: ValuePath, value: Any) -> Any:
    """Return a copy of `node` with `value` at `path`."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(node, list):
        return [set_path(item, rest, value) if index == step else item for index, item in enumerate(node)]
    if isinstance(node, LookupTable):
        return node.updated({step: set_path(node[step], rest, value)})
    if isinstance(node, Mapping):
        return {**node, step: set_path(node[step], rest, value)}
    return replace(node, **{str(step): set_path(getattr(node, str(step)), rest, value)})


def perturb(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield pairs of other values of the same kind, similar enough to be parsed like `value`."""
    if isinstance(value, bool):
        yield not value, not value
    elif isinstance(value, int):
        yield (value * 2, value * 3) if value else (1, 2)
        yield value + 1, value + 2
        if value > 2:  # what is left to ship is at most what was sold
            yield value - 1, value - 2
    elif isinstance(value, float):
        yield value + float(AMOUNT_STEP), value + 2 * float(AMOUNT_STEP)
    elif isinstance(value, Decimal):
        yield value + AMOUNT_STEP, value + 2 * AMOUNT_STEP
    elif isinstance(value, str) and AMOUNT_TEXT.fullmatch(value):
        yield str(Decimal(value) + AMOUNT_STEP), str(Decimal(value) + 2 * AMOUNT_STEP)
    elif isinstance(value, str):
        words = [match.end() for match in WORD.finditer(value)]
        digits = [match.end() for match in DIGITS.finditer(value)]
        # A line's street is in its words, its number in its digits, and marks such as "Col." have to stay.
        for ends in unique_nonempty([[*words, *digits], words[-1:], digits, digits[-1:], words]):
            yield perturb_text(value, ends, 1), perturb_text(value, ends, 2)


def unique_nonempty(choices: Iterable[list[int]]) -> list[list[int]]:
    return [list(choice) for choice in dict.fromkeys(map(tuple, choices)) if choice]


def perturb_text(text: str, ends: Iterable[int], offset: int) -> str:
    """Return `text` with one more letter at the end of each word, and another last digit in each number."""
    for end in sorted(ends, reverse=True):
        last = text[end - 1]
        new = str((int(last) + offset) % 10) if DIGITS.fullmatch(last) else last + "?qw"[offset]
        text = text[: end - 1] + new + text[end:]
    return text


def trim_tables(settings: Any, payload: Any) -> Any:
    """Return the settings with long tables reduced to the rows whose keys the order contains."""
    long_tables = {
        setting.name: table
        for setting in fields(settings)
        if isinstance(table := getattr(settings, setting.name), LookupTable) and len(table) > MAX_ROWS
    }
    payload_texts = [text for _, value in iter_leaves(payload) if long_tables and (text := clean_text(value))]
    return replace(settings, **{name: table.subset(payload_texts) for name, table in long_tables.items()})
