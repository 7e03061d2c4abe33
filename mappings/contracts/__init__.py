"""What each destination publishes, as JSON Schema: a body that breaks it never leaves, a reply that does is no success.

Faults name the place and the rule, never the value, which may be personal data.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError


@dataclass(frozen=True, kw_only=True)
class Contract:
    source: str  # the vendor's public page, and when it was read
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    error: Mapping[str, Any] = field(default_factory=dict)
    request_example: Mapping[str, Any]  # the vendor's own
    response_example: Mapping[str, Any]

    def request_faults(self, body: Any) -> list[str]:
        return list(self._request.find_faults(body))

    def response_faults(self, reply: Any) -> list[str]:
        return list(self._response.find_faults(reply))

    def error_faults(self, reply: Any) -> list[str]:
        return list(self._error.find_faults(reply))

    @cached_property
    def _request(self) -> "Rules":
        return Rules(self.request)

    @cached_property
    def _response(self) -> "Rules":
        return Rules(self.response)

    @cached_property
    def _error(self) -> "Rules":
        return Rules(self.error)


class Rules:
    """A JSON Schema, ready to judge by."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        # Here, since whoever only takes webhooks never judges by a contract, and keeps the memory.
        from jsonschema_rs import Draft202012Validator

        self.schema = schema
        self.validator = Draft202012Validator(dict(schema), validate_formats=True)

    def find_faults(self, body: Any) -> Iterator[str]:
        try:
            for fault in self.validator.iter_errors(body):
                yield f"{show_place(fault)} {self.describe(fault)}"
        except ValueError:  # half of a pair of surrogates in a judged text, or too many objects in each other
            yield "$ holds what cannot be judged"

    def describe(self, fault: "ValidationError") -> str:
        rule = fault.kind.name
        if rule == "required":
            return f"{fault.kind.as_dict()['property']!r} is missing"
        if rule == "additionalProperties":
            return "has a key that is not documented"
        broken: Any = self.schema
        for step in fault.schema_path:
            broken = broken[step]
        return f"breaks “{rule}: {json.dumps(broken, ensure_ascii=False)}”"


def show_place(fault: "ValidationError") -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault.instance_path)


def load_contract(name: str) -> Contract:
    """Return the contract in `<name>.json` beside this file."""
    table = json.loads((Path(__file__).parent / f"{name}.json").read_text("utf-8"))
    return Contract(**{key: value for key, value in table.items() if key in Contract.__dataclass_fields__})
