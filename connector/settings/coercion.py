"""Reads what stands as text where a setting is none, such as a number from the environment or from a CSV file."""

import tomllib
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields


def coerce_settings(schema: Schema, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with their texts read as what each is."""
    settings = {setting.data_key or name: setting for name, setting in schema.fields.items()}
    return {name: coerce_value(settings.get(name), value) for name, value in table.items()}


def coerce_value(setting: fields.Field[Any] | None, value: Any) -> Any:
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
