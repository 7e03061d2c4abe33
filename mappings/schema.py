"""The two kinds of schema: one reads a storefront's payload, one writes a destination's body. Neither does any I/O.

In both, the name on the left is the wire's and `attribute` is the hub's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from functools import cached_property
from operator import attrgetter
from typing import Any, ClassVar

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, missing

from mappings.addresses.postcodes import complete_postal_code
from mappings.addresses.regions import code_country, name_state
from mappings.addresses.resolve import settle_address, settle_billing
from mappings.fields import Lenient, Plain
from mappings.order import LABELS, Address, Dispatch, Order
from mappings.payload_paths import pick_text
from mappings.settings import Store

#: marshmallow's own wording, in ours.
WORDING = {
    "Missing data for required field.": "is missing.",
    "Field may not be null.": "is missing.",
    "Invalid input type.": "is not an object.",
    "Not a valid integer.": "is not a whole number.",
    "Not a valid list.": "is not a list.",
    "Not a valid string.": "is not text.",
    "Unknown field.": "is not a field of this vendor.",
}


#: A field by its name on the wire, and how its value is had from the hub.
Getter = tuple[str, Callable[[Any], Any], fields.Field[Any]]


class MappingError(Exception):
    """An order cannot be mapped. `problems` are sentences that a merchant can act on.

    They may hold personal data, so the exception's text says only how many there are.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__(f"The order has {len(problems)} problem{'' if len(problems) == 1 else 's'}.")
        self.problems = problems


class WireSchema(Schema):
    """A schema whose fields are walked here: marshmallow's own way to a field takes longer than most fields do.

    What no spoke uses is not served: hooks, defaults, `many`, `only`, `partial`. `prepare` and `build` stand for hooks.
    """

    #: Whether an odd value in a `Lenient` field counts as absent, where the field is not required.
    takes_odd_as_absent: ClassVar[bool] = False

    @cached_property
    def walk(self) -> list[tuple[str, str, fields.Field[Any]]]:
        """Each field by its name on the wire and its path in the hub."""
        return [(field.data_key or name, field.attribute or name, field) for name, field in self.load_fields.items()]

    @cached_property
    def steps(self) -> list[tuple[str, str, fields.Field[Any], Callable[..., Any]]]:
        """As `walk`, and how each is read where it says something: past what only asks whether it does."""
        return [
            (name, path, field, field._deserialize if is_plain(field) else field.deserialize)
            for name, path, field in self.walk
        ]

    @cached_property
    def wire_names(self) -> frozenset[str]:
        return frozenset(wire_name for wire_name, _, _ in self.walk)

    def load(self, data: Any, **_: Any) -> Any:
        """Return what `build` makes of `data`. Raises `ValidationError` with every field at fault, by wire name."""
        data = self.prepare(data)
        if not isinstance(data, dict):
            raise ValidationError({"_schema": [self.error_messages["type"]]})
        said: dict[str, Any] = {}
        errors: dict[str | int, Any] = {}
        for wire_name, hub_path, field, read in self.steps:
            value = data.get(wire_name, missing)
            if value is None or value is missing:
                if field.allow_none if value is None else not field.required:
                    continue
                read = field.deserialize  # it says what is wrong with nothing
            try:
                said[hub_path] = read(value, wire_name, data)
            except ValidationError as error:
                if not (self.takes_odd_as_absent and isinstance(field, Lenient) and not field.required):
                    errors[wire_name] = error.messages
        if self.unknown == RAISE and not data.keys() <= self.wire_names:
            errors |= {name: [self.error_messages["unknown"]] for name in data.keys() - self.wire_names}
        if errors:
            raise ValidationError(errors)
        try:
            return self.build(said)
        except ValidationError as error:
            raise ValidationError({**error.normalized_messages()}) from None  # type: ignore[no-untyped-call]

    def validate(self, data: Any, **_: Any) -> dict[str, Any]:
        """Return every fault of `data`, by wire name."""
        try:
            self.load(data)
        except ValidationError as error:
            return error.messages_dict
        return {}

    def prepare(self, data: Any) -> Any:
        """Return `data` as the fields are to find it."""
        return data

    def build(self, said: dict[str, Any]) -> Any:
        """Return what was read, by hub path. Raises `ValidationError` where fields are good and the whole is not."""
        return said


def is_plain(field: fields.Field[Any]) -> bool:
    """True where nothing but the field's own reading judges a value that is there."""
    return type(field).deserialize is Plain.deserialize and not field.validators


class StorefrontSchema(WireSchema):
    """Reads a storefront's payload. Storefronts add fields without notice, so unknown ones are let by."""

    takes_odd_as_absent = True
    model: ClassVar[type]
    #: Tax documents that a plugin fills in where the customer gave none.
    fake_documents: ClassVar[frozenset[str]] = frozenset()
    is_escaped: ClassVar[bool] = False  # the platform writes HTML entities

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.allow_none = not field_obj.required  # storefronts say "absent" with null

    def build(self, said: dict[str, Any]) -> Any:
        """Make the hub's object of what was read. A spoke whose platform reckons otherwise overrides this."""
        return self.model(**said)

    def make_model(self, said: Mapping[str, Any], **reckoned: Any) -> Any:
        """Make the hub's object of what was read under its own names, with `reckoned` in the place of some of it."""
        known = {name: value for name, value in said.items() if name in self.model_names}
        return self.model(**known | reckoned)

    @cached_property
    def model_names(self) -> frozenset[str]:
        return frozenset(each.name for each in fields_of(self.model))

    def read(self, payload: Mapping[str, Any], *, store: Store, document_from: Sequence[str]) -> Order:
        """Return the order in `payload`. Raises `MappingError` naming every field at fault."""
        try:
            order: Order = self.load(payload)
        except ValidationError as error:
            # `from None`: the text of marshmallow's exception quotes the payload.
            raise MappingError(list(explain(self, error.messages_dict))) from None

        def pick(paths: Sequence[str]) -> str | None:
            return pick_text(payload, paths, is_escaped=self.is_escaped)

        document = pick(document_from)
        ship_to = order.ship_to and settle_address(
            order.ship_to,
            number=pick(store.number_from),
            unit=pick(store.unit_from),
            district=pick(store.district_from),
        )
        return replace(
            order,
            document=None if document in self.fake_documents else document,
            ship_to=ship_to,
            location=pick(store.location_from),
            extra={**order.extra, **{name: text for name, paths in store.extra_from.items() if (text := pick(paths))}},
            bill_to=order.bill_to and settle_billing(order.bill_to, shipping=order.ship_to, settled=ship_to),
        )


class AddressSchema(StorefrontSchema):
    """Reads an address: names its state and country, and completes its postcode.

    Beside the hub's names, `state_code` and `country_name` are understood.
    """

    model = Address
    states: ClassVar[Mapping[str, Mapping[str, str]]]  # the platform's: country, then code, to official name

    def build(self, said: dict[str, Any]) -> Address:
        country = code_country(said.get("country"), said.get("country_name"))
        state = name_state(said.get("state"), code=said.get("state_code"), country=country, codes=self.states)
        postal_code = complete_postal_code(said.get("postal_code"), country=country, state=state)
        address: Address = self.make_model(said, state=state, postal_code=postal_code, country=country)
        return address


class DestinationSchema(WireSchema):
    """Writes a destination's request body, then reads it back: writing judges nothing."""

    #: What a merchant's own schema is dumped from, where it reckons more than the destination's does.
    dispatch: ClassVar[type[Dispatch] | None] = None

    class Meta(Schema.Meta):
        unknown = RAISE

    @cached_property
    def getters(self) -> list[Getter]:
        return [(name, attrgetter(path), field) for name, path, field in self.walk if not field.load_only]

    def dump(self, obj: Any, *, getters: Sequence[Getter] | None = None, **_: Any) -> dict[str, Any]:
        """Return the body, or what `getters` alone give. Absent is left out, but for fields that may be null."""
        body = {}
        for wire_name, get, field in self.getters if getters is None else getters:
            try:
                value = get(obj)
            except AttributeError:  # a part of what is absent itself
                value = None
            if value is not None:
                value = field._serialize(value, wire_name, obj)
            if value is not None or field.allow_none:
                body[wire_name] = value
        return body

    def write(self, dispatch: Dispatch) -> tuple[dict[str, Any], list[str]]:
        """Return the body for `dispatch`, and what is wrong with it in a merchant's words."""
        body = self.dump(dispatch)
        return body, list(explain(self, self.validate(body), dispatch=dispatch))


def explain(
    schema: Schema, errors: Mapping[Any, Any], trail: tuple[str, ...] = (), *, dispatch: Dispatch | None = None
) -> Iterator[str]:
    """Turn marshmallow's error tree into sentences that name fields by their `LABELS`.

    `{"consumidor_destino": {"telefono": ["Missing data for required field."]}}`
    becomes "Shipping address > phone is missing."
    """
    labels = {**LABELS, **dispatch.labels} if dispatch else LABELS
    by_wire_name = {field.data_key or name: field for name, field in schema.fields.items()}
    for name, problem in errors.items():
        field = by_wire_name.get(name)
        if isinstance(name, int):  # place in a list
            here = (*trail, f"line {dispatch.number_line(name) if dispatch else name + 1}")
        elif name == "_schema":  # the whole is at fault, not one of its fields
            here = trail or ("The order",)
        else:
            hub_path = (field.attribute or name) if field else name
            here = (*trail, label_of(hub_path, labels, name))
        if isinstance(problem, Mapping):
            inner = field.inner if isinstance(field, fields.List) else field
            inner_schema = inner.schema if isinstance(inner, fields.Nested) else schema
            yield from explain(inner_schema, problem, here, dispatch=dispatch)
        else:
            where = " > ".join(here)
            yield f"{where[:1].upper()}{where[1:]} {' '.join(WORDING.get(text, text) for text in problem)}"


def label_of(hub_path: str, labels: Mapping[str, str], wire_name: str) -> str:
    """Return what a merchant calls a part of the hub; the name on the wire where there is no word for it."""
    return labels.get(hub_path) or labels.get(hub_path.rpartition(".")[2], wire_name)
