"""How schemas are walked, on schemas of no vendor; and that no spoke declares what is not served."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from marshmallow import ValidationError, fields, missing
from marshmallow.validate import Range

from mappings import DESTINATIONS, STOREFRONTS
from mappings.destination import Destination
from mappings.fields import Nested, Quantity, StrictInteger, Text
from mappings.schema import DestinationSchema, MappingError, StorefrontSchema, WireSchema
from mappings.storefront import Storefront


class ItemIn(StorefrontSchema):
    model = dict

    n = Quantity(attribute="quantity", required=True)
    note = Text()


class OrderIn(StorefrontSchema):
    model = dict

    id = Text(attribute="order_id", required=True)
    items = fields.List(Nested(ItemIn), attribute="lines", required=True)
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
    persona = Nested(PersonOut, attribute="person")
    codigo = Text(attribute="code", allow_none=True)
    reservado = Text(load_only=True)

    def make(self, data: dict[str, Any]) -> dict[str, Any] | None:
        if data.get("person.name") == "Nadie":
            raise ValidationError("is nobody.", "nombre")
        return data


class BatchOut(DestinationSchema):
    bultos = fields.List(Nested(ParcelOut), required=True)


def faults(schema: OrderIn, data: Any) -> dict[str, Any]:
    with pytest.raises(ValidationError) as raised:
        schema.load(data)
    return raised.value.messages_dict


def test_fields_are_read_under_the_hubs_names_and_what_is_null_blank_or_unknown_is_left_out() -> None:
    payload = {"id": 7, "buyer": "Ximena", "items": [{"n": "2", "note": " ", "x": 1}, {"n": 1, "note": None}], "y": 2}
    assert OrderIn().load(payload) == {"order_id": "7", "buyer": "Ximena", "lines": [{"quantity": 2}, {"quantity": 1}]}


def test_every_fault_is_named_by_its_place_at_once() -> None:
    assert faults(OrderIn(), {"buyer": None, "items": [{"n": 1}, {"n": 0}, {}, None, 5]}) == {
        "id": ["Missing data for required field."],
        "items": {
            1: {"n": ["“0” is not a whole number of at least 1."]},
            2: {"n": ["Missing data for required field."]},
            3: ["Field may not be null."],
            4: {"_schema": ["Invalid input type."]},
        },
        "buyer": ["Field may not be null."],
    }


@pytest.mark.parametrize("odd", [True, 1.5, [], {}])
def test_odd_value_counts_as_absent_only_where_the_hub_can_do_without(odd: Any) -> None:
    assert OrderIn().load({"id": 1, "buyer": "x", "items": [{"n": 1, "note": odd}]})["lines"] == [{"quantity": 1}]
    assert faults(OrderIn(), {"id": odd, "buyer": "x", "items": []}) == {"id": ["Not a valid string."]}


@pytest.mark.parametrize("data", [None, [], "x", 1])
def test_what_is_no_object_is_a_fault_of_the_whole(data: Any) -> None:
    assert faults(OrderIn(), data) == {"_schema": ["Invalid input type."]}


def test_absent_is_left_out_of_a_body_unless_the_vendor_takes_null() -> None:
    assert ParcelOut().dump(Parcel(count=2)) == {"cantidad": 2, "codigo": None}
    assert ParcelOut().dump(Parcel(count=2, person=Person(name="Ximena"), code="A")) == {
        "cantidad": 2,
        "nombre": "Ximena",
        "persona": {"nombre": "Ximena"},
        "codigo": "A",
    }


def test_body_is_judged_down_to_its_last_part() -> None:
    body = {"bultos": [{"cantidad": 0, "persona": {}, "extra": 1}, {"cantidad": 1, "codigo": None}, {"cantidad": True}]}
    assert BatchOut().validate(body) == {
        "bultos": {
            0: {
                "cantidad": ["must be positive."],
                "persona": {"nombre": ["Missing data for required field."]},
                "extra": ["Unknown field."],
            },
            2: {"cantidad": ["Not a valid integer."]},
        }
    }


def test_null_is_a_fault_where_the_vendor_does_not_take_it() -> None:
    assert ParcelOut().validate({"cantidad": 1, "nombre": None}) == {"nombre": ["Field may not be null."]}


def test_whole_is_judged_once_its_fields_are_good() -> None:
    assert BatchOut().validate(
        {"bultos": [{"cantidad": 1, "nombre": "Nadie"}, {"cantidad": 0, "nombre": "Nadie"}]}
    ) == {"bultos": {0: {"nombre": ["is nobody."]}, 1: {"cantidad": ["must be positive."]}}}


def parts_of(schema: Any) -> Iterator[Any]:
    yield schema
    for field in schema.fields.values():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from parts_of(inner.schema)


@pytest.mark.parametrize("spoke", [*STOREFRONTS.values(), *DESTINATIONS.values()], ids=lambda spoke: spoke.name)
def test_no_spoke_declares_what_is_not_served(spoke: Destination[Any] | Storefront[Any]) -> None:
    for schema in parts_of(spoke.schema):
        assert isinstance(schema, WireSchema)
        assert not any(schema._hooks.values()), f"{schema} has hooks of marshmallow's"
        for name, field in schema.fields.items():
            assert (field.load_default, field.dump_default, field.dump_only) == (missing, missing, False), name
            assert (list(field.pre_load), list(field.post_load)) == ([], []), name


def test_text_of_a_mapping_error_does_not_quote_the_order() -> None:
    error = MappingError(["Shipping address > phone “55 6532” has 6 digits; 10 are needed.", "E-mail is missing."])
    assert str(error) == "The order has 2 problems."
