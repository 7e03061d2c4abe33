"""Destinations' published API contracts as JSON Schema. Requests and responses are validated against them.

Errors name the path and the rule, never the value, which may be personal data.
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

    def validate_request(self, body: Any) -> list[str]:
        return list(self._request_validator.iter_errors(body))

    def validate_response(self, response: Any) -> list[str]:
        return list(self._response_validator.iter_errors(response))

    def validate_error(self, response: Any) -> list[str]:
        return list(self._error_validator.iter_errors(response))

    @cached_property
    def _request_validator(self) -> "ContractValidator":
        return ContractValidator(self.request)

    @cached_property
    def _response_validator(self) -> "ContractValidator":
        return ContractValidator(self.response)

    @cached_property
    def _error_validator(self) -> "ContractValidator":
        return ContractValidator(self.error)


class ContractValidator:
    """A compiled JSON Schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        # Imported here: the web processes need not load it.
        from jsonschema_rs import Draft202012Validator

        self.schema = schema
        self.validator = Draft202012Validator(dict(schema), validate_formats=True)

    def iter_errors(self, body: Any) -> Iterator[str]:
        try:
            for error in self.validator.iter_errors(body):
                yield f"{format_error_path(error)} {self.describe_error(error)}"
        except ValueError:  # a lone surrogate in a text, or objects nested too deeply
            yield "$ holds what cannot be judged"

    def describe_error(self, error: "ValidationError") -> str:
        rule = error.kind.name
        if rule == "required":
            return f"{error.kind.as_dict()['property']!r} is missing"
        if rule == "additionalProperties":
            return "has a key that is not documented"
        constraint: Any = self.schema
        for step in error.schema_path:
            constraint = constraint[step]
        return f"breaks “{rule}: {json.dumps(constraint, ensure_ascii=False)}”"


def format_error_path(error: "ValidationError") -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)


def load_contract(name: str) -> Contract:
    """Return the contract in `<name>.json` beside this file."""
    content = json.loads((Path(__file__).parent / f"{name}.json").read_text("utf-8"))
    return Contract(**{key: value for key, value in content.items() if key in Contract.__dataclass_fields__})
