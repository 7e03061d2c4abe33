"""Alter a value in a document a little, for experiments that ask what a body is made of. Changes nothing in place."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from typing import Any

from mappings.lookup_tables import Rows
from mappings.preview.dry_run import Path, leaves
from mappings.text import clean_text

#: Of longer lists only so many items are looked into: an order of 500 products would take minutes.
MOST_ITEMS = 10
#: Nothing that is sent stands deeper in an order.
MOST_DEPTH = 12
#: Of tables of more rows only those matter whose keys the order says.
MOST_ROWS = 50
#: What an amount is altered by. In cents it divides by every quantity up to ten, so that a line stays one line.
STEP = Decimal("25.20")
#: Settings that say what to map with; any other is what to map.
CHOSEN = {"storefront", "destination"}
AMOUNT = re.compile(r"-?[0-9]{1,12}\.[0-9]{1,6}")
WORD, DIGITS = re.compile(r"[^\W\d_]+"), re.compile(r"[0-9]+")


def values_in(whole: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value of a payload, or of a store's or account's settings, with its path."""
    if is_dataclass(whole):
        whole = {each.name: getattr(whole, each.name) for each in fields(whole) if each.name not in CHOSEN}
    if len(path) > MOST_DEPTH:
        return
    if isinstance(whole, Mapping):
        for key, value in whole.items():
            yield from values_in(value, (*path, key))
    elif isinstance(whole, list):
        for place, value in enumerate(whole[:MOST_ITEMS]):
            yield from values_in(value, (*path, place))
    else:
        yield path, whole


def objects_in(whole: Any, path: Path = ()) -> Iterator[Path]:
    """Yield where the objects of a payload stand that are in no list."""
    for key, value in whole.items():
        if isinstance(value, Mapping) and len(path) < MOST_DEPTH:
            yield (*path, key)
            yield from objects_in(value, (*path, key))


def put(whole: Any, path: Path, value: Any) -> Any:
    """Return a copy of `whole` with `value` at `path`."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(whole, list):
        return [put(each, rest, value) if place == step else each for place, each in enumerate(whole)]
    if isinstance(whole, Rows):
        return whole.changed({step: put(whole[step], rest, value)})
    if isinstance(whole, Mapping):
        return {**whole, step: put(whole[step], rest, value)}
    return replace(whole, **{str(step): put(getattr(whole, str(step)), rest, value)})


def alter(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield pairs of other values of the same kind, near enough to be taken for what `value` is."""
    if isinstance(value, bool):
        yield not value, not value
    elif isinstance(value, int):
        yield (value * 2, value * 3) if value else (1, 2)
        yield value + 1, value + 2
    elif isinstance(value, float):
        yield value + float(STEP), value + 2 * float(STEP)
    elif isinstance(value, Decimal):
        yield value + STEP, value + 2 * STEP
    elif isinstance(value, str) and AMOUNT.fullmatch(value):
        yield str(Decimal(value) + STEP), str(Decimal(value) + 2 * STEP)
    elif isinstance(value, str):
        words = [match.end() for match in WORD.finditer(value)]
        digits = [match.end() for match in DIGITS.finditer(value)]
        # A line's street is in its words, its number in its digits, and marks such as "Col." have to stay.
        for ends in unique([[*words, *digits], words[-1:], digits, digits[-1:], words]):
            yield edit(value, ends, 1), edit(value, ends, 2)


def unique(choices: Iterable[list[int]]) -> list[list[int]]:
    return [list(each) for each in dict.fromkeys(map(tuple, choices)) if each]


def edit(text: str, ends: Iterable[int], by: int) -> str:
    """Return `text` with a letter more at each word's end, and another last digit at each number's."""
    for end in sorted(ends, reverse=True):
        last = text[end - 1]
        new = str((int(last) + by) % 10) if DIGITS.fullmatch(last) else last + "?qw"[by]
        text = text[: end - 1] + new + text[end:]
    return text


def trim_tables(settings: Any, payload: Any) -> Any:
    """Return the settings without most rows of long tables: those of which the order says no key."""
    long = {
        each.name: table
        for each in fields(settings)
        if isinstance(table := getattr(settings, each.name), Rows) and len(table) > MOST_ROWS
    }
    said = [text for _, value in leaves(payload) if long and (text := clean_text(value))]
    return replace(settings, **{name: table.among(said) for name, table in long.items()})
