"""Faults of the configuration: gathers them, and says each as `path: what was expected`. It judges nothing itself."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from marshmallow import Schema, ValidationError, fields

from connector.core.exceptions import SettingsError

ConfigPath = tuple[str | int, ...]  # a path in the file: ("routes", 0, "to", 1)


class ConfigErrors:
    """What is wrong so far, each as `path: what was expected`."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self._suppressed: set[ConfigPath] = set()
        self._source_texts: dict[str, str] = {}

    def add(self, path: ConfigPath, text: str) -> None:
        if path in self._suppressed:
            return
        for value, source_text in self._source_texts.items():
            text = text.replace(f"“{value}”", f"“{source_text}”")
        if (message := f"{format_path(path)}: {text}") not in self.messages:  # as where a key and its value share one
            self.messages.append(message)

    def raise_any(self) -> None:
        if self.messages:
            raise SettingsError(self.messages)

    def suppress(self, path: ConfigPath) -> None:
        """Take no more faults of `path`: nothing can be said of a value that is not there."""
        self._suppressed.add(path)

    def redact(self, value: str, source_text: str) -> None:
        """Where a fault would quote `value`, which may be a secret, quote `written`: the file's own text."""
        self._source_texts[value] = source_text


def validate_table(schema: Schema, table: Mapping[str, Any], path: ConfigPath, errors: ConfigErrors) -> Any:
    """Return what `schema` builds of `table`, or None after adding its faults."""
    try:
        return schema.load(table)
    except ValidationError as error:
        for error_path, text in flatten_errors(error.messages_dict, schema, path):
            errors.add(error_path, text)
    return None


NOT_IN_FILE = {"name"}  # fields that the file does not set by themselves

#: marshmallow's own wording, in ours.
ERROR_MESSAGES = {
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


def flatten_errors(errors: Any, schema_or_field: Any, path: ConfigPath) -> Iterator[tuple[ConfigPath, str]]:
    """Turn marshmallow's error tree into paths of the file and sentences.

    `{"secrets": {0: ["Not a valid string."]}}` of a store becomes `stores.tienda.secrets[0]`, "must be text."
    """
    if not isinstance(errors, dict):
        for text in errors:
            yield path, ERROR_MESSAGES.get(text, text.replace("Must be ", "must be "))
        return
    if isinstance(schema_or_field, fields.Nested):
        schema_or_field = schema_or_field.schema
    for name, inner_errors in errors.items():
        if name == "_schema":
            yield from flatten_errors(inner_errors, None, path)
        elif isinstance(schema_or_field, Schema):
            fields_by_name = {
                schema_field.data_key or attribute: schema_field
                for attribute, schema_field in schema_or_field.fields.items()
            }
            if name in fields_by_name:
                yield from flatten_errors(inner_errors, fields_by_name[name], (*path, name))
            else:
                yield (*path, name), f"is not a setting{suggest(name, fields_by_name.keys() - NOT_IN_FILE)}"
        elif isinstance(schema_or_field, fields.Dict):  # of which marshmallow tells keys and values apart
            for entry_errors in inner_errors.values():
                yield from flatten_errors(entry_errors, schema_or_field.value_field, (*path, name))
        else:
            yield from flatten_errors(inner_errors, None, (*path, name))


def format_path(path: ConfigPath) -> str:
    """Spell a path as TOML would: `stores.tienda.secrets[0]`, with quotes around what is no bare key."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += "." * bool(text) + (
                step if re.fullmatch(r"[A-Za-z0-9_-]+", step) else json.dumps(step, ensure_ascii=False)
            )
    return text


def suggest(word: str, choices: Iterable[str]) -> str:
    """Return the end of a sentence about a wrong `word`: which of `known` was meant, where one is near."""
    matches = get_close_matches(word, choices, n=1)
    return f"; did you mean “{matches[0]}”?" if matches else "."
