"""Destination schemas compared with the vendors' published contracts, and the contract checks."""

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from mappings import DESTINATIONS
from mappings.contracts import Contract
from mappings.destinations.rayo import Rayo, RayoAccount
from mappings.problems import MappingError, render_problems
from tests.support.mapping_cases import SAMPLES, build_account, build_store, parse_order

UUID = "909521d0-e398-4701-b393-ddfd07ce24f9"


def required_paths(schema: Any, body: Any, path: tuple[Any, ...] = (), *, parts: Any = None) -> list[tuple[Any, ...]]:
    """Return the paths in `body` of keys that `schema` requires. `parts` resolves its `$ref`."""
    parts = schema.get("$defs", {}) if parts is None else parts
    schema = parts[schema["$ref"].removeprefix("#/$defs/")] if "$ref" in schema else schema
    paths = [(*path, key) for key in schema.get("required", []) if isinstance(body, dict) and key in body]
    for key, inner in schema.get("properties", {}).items():
        if isinstance(body, dict) and key in body:
            paths += required_paths(inner, body[key], (*path, key), parts=parts)
    if isinstance(body, list) and body and "items" in schema:
        paths += required_paths(schema["items"], body[0], (*path, 0), parts=parts)
    return paths


def without_path(body: Any, path: tuple[Any, ...]) -> Any:
    body = deepcopy(body)
    target = body
    for step in path[:-1]:
        target = target[step]
    del target[path[-1]]
    return body


REQUIRED = [
    (name, path)
    for name, destination in DESTINATIONS.items()
    for path in required_paths(destination.contract.request, destination.contract.request_example)
]


@pytest.mark.parametrize("name", DESTINATIONS)
def test_vendor_example_satisfies_contract_and_schema(name: str) -> None:
    destination = DESTINATIONS[name]
    assert destination.contract.validate_request(destination.contract.request_example) == []
    assert destination.schema.validate(dict(destination.contract.request_example)) == {}


@pytest.mark.parametrize("name", DESTINATIONS)
def test_vendor_response_contains_the_new_order_id(name: str) -> None:
    destination = DESTINATIONS[name]
    assert destination.contract.validate_response(destination.contract.response_example) == []
    assert destination.parse_order_id(destination.contract.response_example)


@pytest.mark.parametrize(("name", "path"), REQUIRED)
def test_required_fields_agree_in_contract_and_schema(name: str, path: tuple[Any, ...]) -> None:
    destination = DESTINATIONS[name]
    body = without_path(destination.contract.request_example, path)
    assert destination.contract.validate_request(body)
    assert destination.schema.validate(body)


def test_body_that_violates_only_the_contract_is_refused() -> None:
    class StricterRayo(Rayo):
        contract = replace(Rayo.contract, request={"required": ["folio"]})

    account = build_account("rayo")
    assert isinstance(account, RayoAccount)
    with pytest.raises(MappingError) as caught:
        StricterRayo().build_request(parse_order("shopify", SAMPLES["shopify_mx"]), account, build_store("shopify"))
    assert render_problems(caught.value.problems) == ["The body breaks rayo's contract: $ 'folio' is missing"]


@pytest.mark.parametrize("name", DESTINATIONS)
@pytest.mark.parametrize("response", [None, [], {}, "ok", 1, {"orden": []}, {"data": {"order": {"id": ""}}}])
def test_response_without_an_id_is_no_success(name: str, response: Any) -> None:
    assert DESTINATIONS[name].parse_order_id(response) is None


@pytest.mark.parametrize("ref", ["", "1", 5, None, UUID[:-1]])
def test_rayo_reference_is_a_uuid(ref: int | str | None) -> None:
    assert DESTINATIONS["rayo"].parse_order_id({"orden": {"ordenRef": ref}}) is None


@pytest.mark.parametrize("extra", [2, "\ud800", float("nan"), 10**400, {"\ud800": []}])
def test_extra_keys_in_a_response_are_ignored(extra: dict[str, Any] | float | str) -> None:
    assert DESTINATIONS["rayo"].parse_order_id({"orden": {"ordenRef": UUID, "otro": extra}, "mas": extra}) == UUID


def test_unencodable_id_in_a_response_is_an_error() -> None:
    response = {"orden": {"ordenRef": "\ud800"}}
    assert DESTINATIONS["rayo"].contract.validate_response(response) == ["$ holds what cannot be judged"]


def test_too_deeply_nested_response_is_an_error() -> None:
    response = json.loads('{"orden":' * 900 + "{}" + "}" * 900)
    assert DESTINATIONS["rayo"].contract.validate_response(response)


def test_error_names_the_list_index_and_the_referenced_rule() -> None:
    body = deepcopy(dict(DESTINATIONS["centelar"].contract.request_example))
    body["items"][0]["quantity"] = "1"
    body["shipping_address"] = {"disposition": "pickup"}
    assert sorted(DESTINATIONS["centelar"].contract.validate_request(body)) == [
        '$.items[0].quantity breaks “type: "integer"”',
        '$.shipping_address breaks “anyOf: [{"required": ["id"]}, {"required": ["name"]}]”',
    ]


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"when": "2026-11-20T10:00:00Z", "id": UUID, "n": 1}, []),
        ({"id": UUID, "n": 1}, ["$ 'when' is missing"]),
        ({"when": "2026-11-20", "id": UUID, "n": 1}, ['$.when breaks “format: "date-time"”']),
        ({"when": "2026-11-20T10:00:00Z", "id": "Ximena", "n": 1}, ['$.id breaks “format: "uuid"”']),
        ({"when": "2026-11-20T10:00:00Z", "id": UUID, "n": 0}, ["$.n breaks “minimum: 1”"]),
        ({"when": "2026-11-20T10:00:00Z", "id": UUID, "n": 1, "Ximena": 1}, ["$ has a key that is not documented"]),
    ],
)
def test_error_names_path_and_rule_but_not_the_value(body: dict[str, Any], faults: list[Any]) -> None:
    schema = {
        "type": "object",
        "required": ["when", "id"],
        "additionalProperties": False,
        "properties": {
            "when": {"type": "string", "format": "date-time"},
            "id": {"type": "string", "format": "uuid"},
            "n": {"type": "integer", "minimum": 1},
        },
    }
    contract = Contract(
        source="-", request=schema, response=schema, error=schema, request_example={}, response_example={}
    )
    assert contract.validate_request(body) == faults
    assert contract.validate_response(body) == faults
    assert contract.validate_error(body) == faults


def test_rayo_error_example_satisfies_its_contract() -> None:
    error = {"error": "internal error", "code": "unexpected", "path": "$"}
    assert DESTINATIONS["rayo"].contract.validate_error(error) == []
