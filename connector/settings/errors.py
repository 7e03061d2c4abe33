"""Collects the errors in the configuration, each as `path: what was expected`."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from marshmallow import Schema, ValidationError, fields

from connector.core.exceptions import SettingsError
from mappings.labels import Sentence

ConfigPath = tuple[str | int, ...]  # a path in the file: ("routes", 0, "to", 1)


class ConfigErrors:
    """The errors found so far, as `path: what was expected`."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self._suppressed: set[ConfigPath] = set()
        self._source_texts: dict[str, str] = {}

    def add(self, path: ConfigPath, text: str) -> None:
        if path in self._suppressed:
            return
        for value, source_text in self._source_texts.items():
            if f"“{value}”" in text:
                text = text.replace(f"“{value}”", f"“{source_text}”")
        error = text if isinstance(text, Sentence) else Sentence(text)
        message = Sentence("%(path)s: %(error)s", path=format_path(path), error=error)
        if message not in self.messages:  # a key and its value may have the same error
            self.messages.append(message)

    def raise_any(self) -> None:
        if self.messages:
            raise SettingsError(self.messages)

    def suppress(self, path: ConfigPath) -> None:
        """Ignore further errors at `path`, whose value could not be read."""
        self._suppressed.add(path)

    def redact(self, value: str, source_text: str) -> None:
        """Quote `source_text`, as it is in the file, wherever an error would quote `value`, which may be a secret."""
        self._source_texts[value] = source_text


def validate_table(schema: Schema, table: Mapping[str, Any], path: ConfigPath, errors: ConfigErrors) -> Any:
    """Load `table` with `schema`. Returns None, and adds the errors, if it is invalid."""
    try:
        return schema.load(table)
    except ValidationError as error:
        for error_path, text in flatten_errors(error.messages_dict, schema, path):
            errors.add(error_path, text)
    return None


#: A field that the file does not set: it is the name of the table.
NOT_IN_FILE = {"name"}


def flatten_errors(
    errors: Any, schema_or_field: Schema | fields.Field[Any] | None, path: ConfigPath
) -> Iterator[tuple[ConfigPath, str]]:
    """Turn marshmallow's nested error dict into paths and sentences.

    `{"secrets": {0: ["must be text."]}}` of a store yields `(("stores", "tienda", "secrets", 0), "must be text.")`.
    """
    if not isinstance(errors, dict):
        for text in errors:
            yield path, text
        return
    if isinstance(schema_or_field, fields.Nested):
        schema_or_field = schema_or_field.schema
    for key, inner_errors in errors.items():
        if key == "_schema":
            yield from flatten_errors(inner_errors, None, path)
        elif isinstance(schema_or_field, Schema):
            fields_by_key = {field.data_key or name: field for name, field in schema_or_field.fields.items()}
            if key not in fields_by_key:
                inner_errors = [add_suggestion(text, key, fields_by_key.keys() - NOT_IN_FILE) for text in inner_errors]
            yield from flatten_errors(inner_errors, fields_by_key.get(key), (*path, key))
        elif isinstance(schema_or_field, fields.Dict):  # {entry: {"key": […], "value": […]}}
            for entry_errors in inner_errors.values():
                yield from flatten_errors(entry_errors, schema_or_field.value_field, (*path, key))
        else:
            yield from flatten_errors(inner_errors, None, (*path, key))


def format_path(path: ConfigPath) -> str:
    """Format a path as in TOML: `stores.tienda.secrets[0]`, with quotes where a key needs them."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            key = step if re.fullmatch(r"[A-Za-z0-9_-]+", step) else json.dumps(step, ensure_ascii=False)
            text += f".{key}" if text else key
    return text


def add_suggestion(sentence: str, word: str, choices: Iterable[str]) -> str:
    """Append the choice that is most similar to a wrong `word`, if there is one, to a sentence about it."""
    similar = find_similar(word, choices)
    return f"{sentence.removesuffix('.')}; did you mean “{similar}”?" if similar else sentence


def find_similar(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that was probably meant by a wrong `word`."""
    return next(iter(get_close_matches(word, choices, n=1)), None)
