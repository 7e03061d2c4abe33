"""Faults of the configuration: gathers them, and says each as `path: what was expected`. It judges nothing itself."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from marshmallow import Schema, ValidationError, fields

from connector.core.exceptions import SettingsError

Trail = tuple[str | int, ...]  # a path in the file: ("routes", 0, "to", 1)


class Faults:
    """What is wrong so far, each as `path: what was expected`."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._closed: set[Trail] = set()
        self._written: dict[str, str] = {}

    def add(self, path: Trail, text: str) -> None:
        if path in self._closed:
            return
        for value, written in self._written.items():
            text = text.replace(f"“{value}”", f"“{written}”")
        if (fault := f"{spell(path)}: {text}") not in self.texts:  # as where a key and its value share one
            self.texts.append(fault)

    def raise_any(self) -> None:
        if self.texts:
            raise SettingsError(self.texts)

    def close(self, path: Trail) -> None:
        """Take no more faults of `path`: nothing can be said of a value that is not there."""
        self._closed.add(path)

    def quote_as_written(self, value: str, written: str) -> None:
        """Where a fault would quote `value`, which may be a secret, quote `written`: the file's own text."""
        self._written[value] = written


def check(schema: Schema, table: Mapping[str, Any], path: Trail, faults: Faults) -> Any:
    """Return what `schema` builds of `table`, or None after adding its faults."""
    try:
        return schema.load(table)
    except ValidationError as error:
        for place, text in explain(error.messages_dict, schema, path):
            faults.add(place, text)
    return None


NOT_IN_FILE = {"name"}  # fields that the file does not set by themselves

#: marshmallow's own wording, in ours.
WORDING = {
    "Missing data for required field.": "is missing.",
    "Not a valid string.": "must be text.",
    "Not a valid integer.": "must be a whole number.",
    "Not a valid number.": "must be a number.",
    "Not a valid boolean.": "must be true or false.",
    "Not a valid list.": "must be a list.",
    "Not a valid mapping type.": "must be a table.",
    "Invalid input type.": "must be a table.",
    "Not a valid UUID.": "must be a UUID.",
    "Special numeric values (nan or infinity) are not permitted.": "must be a finite number.",
}


def explain(errors: Any, checked: Any, path: Trail) -> Iterator[tuple[Trail, str]]:
    """Turn marshmallow's error tree into paths of the file and sentences.

    `{"secrets": {0: ["Not a valid string."]}}` of a store becomes `stores.tienda.secrets[0]`, "must be text."
    """
    if not isinstance(errors, dict):
        for text in errors:
            yield path, WORDING.get(text, text.replace("Must be ", "must be "))
        return
    if isinstance(checked, fields.Nested):
        checked = checked.schema
    for name, inner in errors.items():
        if name == "_schema":
            yield from explain(inner, None, path)
        elif isinstance(checked, Schema):
            settings = {setting.data_key or own: setting for own, setting in checked.fields.items()}
            if name in settings:
                yield from explain(inner, settings[name], (*path, name))
            else:
                yield (*path, name), f"is not a setting{suggest(name, settings.keys() - NOT_IN_FILE)}"
        elif isinstance(checked, fields.Dict):  # of which marshmallow tells keys and values apart
            for part in inner.values():
                yield from explain(part, checked.value_field, (*path, name))
        else:
            yield from explain(inner, None, (*path, name))


def spell(path: Trail) -> str:
    """Spell a path as TOML would: `stores.tienda.secrets[0]`, with quotes around what is no bare key."""
    spelt = ""
    for step in path:
        if isinstance(step, int):
            spelt += f"[{step}]"
        else:
            spelt += "." * bool(spelt) + (
                step if re.fullmatch(r"[A-Za-z0-9_-]+", step) else json.dumps(step, ensure_ascii=False)
            )
    return spelt


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about a wrong `word`: which of `known` was meant, where one is near."""
    near = get_close_matches(word, known, n=1)
    return f"; did you mean “{near[0]}”?" if near else "."
