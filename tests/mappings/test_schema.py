"""How schemas are walked, on schemas of no vendor; and that no spoke declares what is not served."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import OneOf, Range

from mappings import DESTINATIONS, STOREFRONTS
from mappings.destination import Destination
from mappings.fields import Money, Quantity, StrictInteger, Text
from mappings.problems import FieldError, MappingError, Problem
from mappings.schema import DestinationSchema, StorefrontSchema, WireSchema
from mappings.storefront import Storefront


class ItemIn(StorefrontSchema):
    model = dict

    n = Quantity(attribute="quantity", required=True)
    note = Text()


class OrderIn(StorefrontSchema):
    model = dict

    id = Text(attribute="order_id", required=True)
    items = fields.List(fields.Nested(ItemIn), attribute="lines", required=True)
    buyer = Text(required=True)


@dataclass(frozen=True)
class Person:
    name: str | None = None


@dataclass(frozen=True)
class Parcel:
    count: int
    person: Person | None = None
    code: str | None = None
    reservado: str = "kept"


class PersonOut(DestinationSchema):
    nombre = Text(attribute="name", required=True)


class ParcelOut(DestinationSchema):
    cantidad = StrictInteger(attribute="count", validate=Range(min=1, error="must be positive."), required=True)
    nombre = Text(attribute="person.name")
    persona = fields.Nested(PersonOut, attribute="person")
    codigo = Text(attribute="code", allow_none=True)
    reservado = Text(load_only=True)

    @validates_schema
    def refuse_nobody(self, data: dict[str, Any], **kwargs: Any) -> None:
        if data.get("nombre") == "Nadie":
            raise ValidationError("is nobody.", "nombre")


class BatchOut(DestinationSchema):
    bultos = fields.List(fields.Nested(ParcelOut), required=True)
    tarimas = fields.Nested(ParcelOut, many=True)


def errors_of(schema: Schema, data: Any) -> Any:
    """Return marshmallow's tree of errors, whose leaves are more than texts here."""
    return schema.validate(data)


def problems_in(schema: OrderIn, data: Any) -> dict[str, Any]:
    with pytest.raises(ValidationError) as raised:
        schema.load(data)
    return raised.value.messages_dict


def test_fields_load_under_canonical_names_and_skip_null_blank_and_unknown() -> None:
    payload = {"id": 7, "buyer": "Ximena", "items": [{"n": "2", "note": " ", "x": 1}, {"n": 1, "note": None}], "y": 2}
    assert OrderIn().load(payload) == {"order_id": "7", "buyer": "Ximena", "lines": [{"quantity": 2}, {"quantity": 1}]}


def test_every_error_is_reported_with_its_path() -> None:
    assert problems_in(OrderIn(), {"buyer": None, "items": [{"n": 1}, {"n": 0}, {}, None, 5]}) == {
        "id": [FieldError("missing")],
        "items": {
            1: {"n": [FieldError("not_a_quantity", {"value": "0", "minimum": 1})]},
            2: {"n": [FieldError("missing")]},
            3: [FieldError("missing")],
            4: {"_schema": [FieldError("not_an_object")]},
        },
        "buyer": [FieldError("missing")],
    }


@pytest.mark.parametrize("odd", [True, 1.5, [], {}])
def test_invalid_value_is_absent_only_if_optional(odd: Any) -> None:
    assert OrderIn().load({"id": 1, "buyer": "x", "items": [{"n": 1, "note": odd}]})["lines"] == [{"quantity": 1}]
    assert problems_in(OrderIn(), {"id": odd, "buyer": "x", "items": []}) == {"id": [FieldError("not_text")]}


@pytest.mark.parametrize(("field_class", "value"), [(Text, "a"), (Money, "1.50"), (StrictInteger, 1), (Quantity, 1)])
def test_validators_and_processors_of_a_field_run(field_class: type[fields.Field[Any]], value: Any) -> None:
    def refuse(loaded: Any) -> None:
        raise ValidationError("is refused.")

    class Own(WireSchema):
        refused = field_class(validate=refuse, required=True)
        changed = field_class(pre_load=lambda _: value, post_load=lambda loaded: [loaded])
        defaulted = field_class(load_default="default")
        nullable = field_class(allow_none=True)

    schema = Own()
    assert errors_of(schema, {"refused": value}) == {"refused": ["is refused."]}
    loaded = Own(exclude=["refused"]).load({"changed": "of another type", "nullable": None})
    plain = field_class().deserialize(value)
    assert loaded == {"changed": [plain], "defaulted": "default", "nullable": None}


def test_lenient_field_is_absent_if_its_validator_refuses() -> None:
    class Own(OrderIn):
        color = Text(validate=OneOf(["rojo"]))

    payload = {"id": 1, "buyer": "x", "items": []}
    assert "color" not in Own().load({**payload, "color": "azul"})
    assert Own().load({**payload, "color": "rojo"})["color"] == "rojo"


@pytest.mark.parametrize("data", [None, [], "x", 1])
def test_non_object_is_an_error(data: Any) -> None:
    assert problems_in(OrderIn(), data) == {"_schema": [FieldError("not_an_object")]}


def test_absent_values_are_omitted_unless_null_is_allowed() -> None:
    assert ParcelOut().dump(Parcel(count=2)) == {"cantidad": 2, "codigo": None}
    assert ParcelOut().dump(Parcel(count=2, person=Person(name="Ximena"), code="A")) == {
        "cantidad": 2,
        "nombre": "Ximena",
        "persona": {"nombre": "Ximena"},
        "codigo": "A",
    }


def test_nested_values_are_validated() -> None:
    body = {"bultos": [{"cantidad": 0, "persona": {}, "extra": 1}, {"cantidad": 1, "codigo": None}, {"cantidad": True}]}
    assert errors_of(BatchOut(), body) == {
        "bultos": {
            0: {
                "cantidad": ["must be positive."],
                "persona": {"nombre": [FieldError("missing")]},
                "extra": [FieldError("unknown_field")],
            },
            2: {"cantidad": [FieldError("not_an_integer")]},
        }
    }


def test_errors_in_a_list_name_the_item_however_it_is_declared() -> None:
    items = [{"cantidad": 1}, {"cantidad": 0}, 5]
    errors = {1: {"cantidad": ["must be positive."]}, 2: {"_schema": [FieldError("not_an_object")]}}
    assert errors_of(BatchOut(), {"bultos": items, "tarimas": items}) == {"bultos": errors, "tarimas": errors}
    assert errors_of(BatchOut(), {"bultos": {}, "tarimas": "x"}) == {
        "bultos": [FieldError("not_a_list")],
        "tarimas": [FieldError("not_a_list")],
    }


def test_null_is_an_error_where_not_allowed() -> None:
    assert errors_of(ParcelOut(), {"cantidad": 1, "nombre": None}) == {"nombre": [FieldError("missing")]}


def test_schema_validators_run_only_on_valid_fields() -> None:
    assert errors_of(
        BatchOut(), {"bultos": [{"cantidad": 1, "nombre": "Nadie"}, {"cantidad": 0, "nombre": "Nadie"}]}
    ) == {"bultos": {0: {"nombre": ["is nobody."]}, 1: {"cantidad": ["must be positive."]}}}


def format_parts(schema: Any) -> Iterator[Any]:
    yield schema
    for field in schema.fields.values():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from format_parts(inner.schema)


@pytest.mark.parametrize(
    "integration", [*STOREFRONTS.values(), *DESTINATIONS.values()], ids=lambda integration: integration.name
)
def test_errors_of_every_field_have_codes(integration: Destination[Any] | Storefront[Any]) -> None:
    for schema in format_parts(integration.schema):
        assert isinstance(schema, WireSchema)
        for field in schema.fields.values():
            assert all(isinstance(message, list) for message in field.error_messages.values()), field


def test_mapping_error_text_contains_no_order_data() -> None:
    postcode = Problem(code="not_a_postcode", path=("ship_to", "postal_code"), params={"value": "55 6532"})
    error = MappingError([postcode, Problem(code="missing", path=("email",))])
    assert str(error) == "The order has 2 problems."
