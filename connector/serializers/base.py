"""What the schemas share: how texts and bytes are dumped, and which fields a response always has."""

import json
from typing import Any

from marshmallow import Schema, fields

from connector.core.messages import render_code, render_stored
from mappings.problems import render_cause


class JsonBytes(fields.Raw):
    """A JSON document that is stored as bytes."""

    def _serialize(self, value: bytes | None, *args: Any, **kwargs: Any) -> Any:
        return json.loads(value) if value else None


class DecodedBytes(fields.String):
    """Bytes of any content, as text."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.decode(errors="replace")


class ProblemText(fields.String):
    """A problem as an English sentence."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else render_stored(value)


class CodeText(fields.String):
    """A message that is stored as a code, as an English sentence."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else render_code(value)


class CauseText(fields.String):
    """A problem as an English sentence, without what its order says."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else render_cause(value)


class ResponseSchema(Schema):
    """Documents every field as always present, except those whose metadata says `optional`."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = not field_obj.metadata.get("optional", False)


class ExtendedRowSchema(ResponseSchema):
    """Dumps an object with a `row`: fields that the object itself lacks come from the row."""

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj if hasattr(obj, attr) else obj.row, attr, default)
