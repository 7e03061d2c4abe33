"""Parses settings that are given as text, such as a number from a `${VARIABLE}`, a CSV file or `--set`."""

import tomllib
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields


def coerce_settings(schema: Schema, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return `table` with texts parsed as the schema's fields require. What cannot be parsed is left as it is."""
    fields_by_key = {field.data_key or name: field for name, field in schema.fields.items()}
    return {key: coerce_value(fields_by_key.get(key), value) for key, value in table.items()}


def coerce_value(setting: fields.Field[Any] | None, value: Any) -> Any:
    """Parse a text as a TOML value, unless the setting is text itself."""
    if isinstance(setting, fields.Dict) and isinstance(value, dict):
        return {name: coerce_value(setting.value_field, item) for name, item in value.items()}
    if isinstance(setting, fields.Nested) and isinstance(value, dict):
        return coerce_settings(setting.schema, value)
    if not isinstance(value, str) or not setting or isinstance(setting, fields.String):
        return value
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return value
    return parsed["value"] if len(parsed) == 1 else value
