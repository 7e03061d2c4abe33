"""What each destination publishes, as JSON Schema: a body that breaks it never leaves, a reply that does is no success.

Faults name the place and the rule, never the value, which may be personal data.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator


@dataclass(frozen=True, kw_only=True)
class Contract:
    source: str  # the vendor's public page, and when it was read
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    error: Mapping[str, Any] = field(default_factory=dict)
    request_example: Mapping[str, Any]  # the vendor's own
    response_example: Mapping[str, Any]

    def request_faults(self, body: Any) -> list[str]:
        return find_faults(self._request, body)

    def response_faults(self, reply: Any) -> list[str]:
        return find_faults(self._response, reply)

    def error_faults(self, reply: Any) -> list[str]:
        return find_faults(self._error, reply)

    @cached_property
    def _request(self) -> Validator:
        return compile_schema(self.request)

    @cached_property
    def _response(self) -> Validator:
        return compile_schema(self.response)

    @cached_property
    def _error(self) -> Validator:
        return compile_schema(self.error)


def load_contract(name: str) -> Contract:
    """Return the contract in `<name>.json` beside this file."""
    table = json.loads((Path(__file__).parent / f"{name}.json").read_text("utf-8"))
    return Contract(**{key: value for key, value in table.items() if key in Contract.__dataclass_fields__})


def compile_schema(schema: Mapping[str, Any]) -> Validator:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def find_faults(validator: Validator, body: Any) -> list[str]:
    return [f"{fault.json_path} {describe_fault(fault)}" for fault in validator.iter_errors(body)]


def describe_fault(fault: ValidationError) -> str:
    rule, wanted = str(fault.validator), fault.validator_value
    if rule == "required":
        return fault.message.replace(" is a required property", " is missing")  # names a key of the schema
    if rule == "additionalProperties":
        return "has a key that is not documented"
    return f"breaks “{rule}: {json.dumps(wanted, ensure_ascii=False)}”"
