"""Reads values of a payload at paths that a merchant wrote. A path that leads nowhere yields None."""

from collections.abc import Iterable, Mapping
from typing import Any

from mappings.text import clean_text, remove_unseen


def pick_text(payload: Any, paths: Iterable[str], *, is_escaped: bool = False) -> str | None:
    """Return the first text found at any of `paths`, each from the payload's root.

    "billing_address.company" goes down by keys; "note_attributes:dni" picks the item so named from a list of
    `{"name": …, "value": …}` or `{"key": …, "value": …}`. A name may hold dots, so it is always the last step.
    `is_escaped`: the platform writes HTML entities.
    """
    for path in paths:
        head, _, name = path.partition(":")
        value = payload
        for step in head.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        if name:
            value = find_named_item(value, name)
        if text := clean_text(value, is_escaped=is_escaped):
            return text
    return None


def find_named_item(items: Any, name: str) -> Any:
    target_name = name.strip().casefold()
    if isinstance(items, Mapping):  # as Shopify wrote such lists in old orders
        items = [{"name": key, "value": value} for key, value in items.items()]
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, Mapping):
            continue
        item_name = item.get("name", item.get("key"))
        if (
            isinstance(item_name, str)
            and remove_unseen(item_name).strip().casefold() == target_name
            and clean_text(item.get("value"))
        ):
            return item["value"]
    return None


def get_path(value: Any, path: str) -> Any:
    """Return the value at a dotted path of objects; None if there is none."""
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
