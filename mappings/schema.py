"""The two kinds of schema: one reads a storefront's payload, one writes a destination's body. Neither does any I/O.

In both, the name on the left is the wire's and `attribute` is the hub's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from functools import cache, cached_property
from operator import attrgetter
from typing import Any, ClassVar

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, missing

from mappings.addresses.postcodes import complete_postal_code
from mappings.addresses.regions import resolve_country_code, resolve_state_name
from mappings.addresses.resolve import resolve_address, resolve_billing_address
from mappings.fields import FastField, LenientField
from mappings.labels import LABELS
from mappings.order import Address, Order
from mappings.order_request import OrderRequest
from mappings.payload_paths import pick_text
from mappings.settings import Store

#: marshmallow's own wording, in ours.
ERROR_MESSAGES = {
    "Missing data for required field.": "is missing.",
    "Field may not be null.": "is missing.",
    "Invalid input type.": "is not an object.",
    "Not a valid integer.": "is not a whole number.",
    "Not a valid list.": "is not a list.",
    "Not a valid string.": "is not text.",
    "Unknown field.": "is not a field of this vendor.",
}


#: A field by its name on the wire, and how its value is had from the hub.
FieldWriter = tuple[str, Callable[[Any], Any], fields.Field[Any]]


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
    ignores_invalid_optional: ClassVar[bool] = False

    @cached_property
    def field_paths(self) -> list[tuple[str, str, fields.Field[Any]]]:
        """Each field by its name on the wire and its path in the hub."""
        return [(field.data_key or name, field.attribute or name, field) for name, field in self.load_fields.items()]

    @cached_property
    def readers(self) -> list[tuple[str, str, fields.Field[Any], Callable[..., Any]]]:
        """As `walk`, and how each is read where it says something: past what only asks whether it does."""
        return [
            (name, path, field, field._deserialize if can_skip_validation(field) else field.deserialize)
            for name, path, field in self.field_paths
        ]

    @cached_property
    def wire_names(self) -> frozenset[str]:
        return frozenset(wire_name for wire_name, _, _ in self.field_paths)

    def load(self, data: Any, **_: Any) -> Any:
        """Return what `build` makes of `data`. Raises `ValidationError` with every field at fault, by wire name."""
        data = self.preprocess(data)
        if not isinstance(data, dict):
            raise ValidationError({"_schema": [self.error_messages["type"]]})
        values: dict[str, Any] = {}
        errors: dict[str | int, Any] = {}
        for wire_name, canonical_path, field, read in self.readers:
            value = data.get(wire_name, missing)
            if value is None or value is missing:
                if field.allow_none if value is None else not field.required:
                    continue
                read = field.deserialize  # it says what is wrong with nothing
            try:
                values[canonical_path] = read(value, wire_name, data)
            except ValidationError as error:
                if not (self.ignores_invalid_optional and isinstance(field, LenientField) and not field.required):
                    errors[wire_name] = error.messages
        if self.unknown == RAISE and not data.keys() <= self.wire_names:
            errors |= {name: [self.error_messages["unknown"]] for name in data.keys() - self.wire_names}
        if errors:
            raise ValidationError(errors)
        try:
            return self.make(values)
        except ValidationError as error:
            raise ValidationError({**error.normalized_messages()}) from None  # type: ignore[no-untyped-call]

    def validate(self, data: Any, **_: Any) -> dict[str, Any]:
        """Return every fault of `data`, by wire name."""
        try:
            self.load(data)
        except ValidationError as error:
            return error.messages_dict
        return {}

    def preprocess(self, data: Any) -> Any:
        """Return `data` as the fields are to find it."""
        return data

    def make(self, data: dict[str, Any]) -> Any:
        """Return what was read, by hub path. Raises `ValidationError` where fields are good and the whole is not."""
        return data


@cache
def schema_instance(schema_class: type[Any]) -> Any:
    """Return the one instance of a schema: to build one costs more than a load."""
    return schema_class()


def can_skip_validation(field: fields.Field[Any]) -> bool:
    """True where nothing but the field's own reading judges a value that is there."""
    return type(field).deserialize is FastField.deserialize and not field.validators


class StorefrontSchema(WireSchema):
    """Reads a storefront's payload. Storefronts add fields without notice, so unknown ones are let by."""

    ignores_invalid_optional = True
    model: ClassVar[type]
    #: Tax documents that a plugin fills in where the customer gave none.
    fake_tax_ids: ClassVar[frozenset[str]] = frozenset()
    is_escaped: ClassVar[bool] = False  # the platform writes HTML entities

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.allow_none = not field_obj.required  # storefronts say "absent" with null

    def make(self, data: dict[str, Any]) -> Any:
        """Make the hub's object of what was read. A spoke whose platform reckons otherwise overrides this."""
        return self.model(**data)

    def make_model(self, data: Mapping[str, Any], **computed: Any) -> Any:
        """Make the hub's object of what was read under its own names, with `reckoned` in the place of some of it."""
        model_data = {name: value for name, value in data.items() if name in self.model_field_names}
        return self.model(**model_data | computed)

    @cached_property
    def model_field_names(self) -> frozenset[str]:
        return frozenset(model_field.name for model_field in fields_of(self.model))

    def parse_order(self, payload: Mapping[str, Any], *, store: Store, document_from: Sequence[str]) -> Order:
        """Return the order in `payload`. Raises `MappingError` naming every field at fault."""
        try:
            order: Order = self.load(payload)
        except ValidationError as error:
            # `from None`: the text of marshmallow's exception quotes the payload.
            raise MappingError(list(format_errors(self, error.messages_dict))) from None

        def pick(paths: Sequence[str]) -> str | None:
            return pick_text(payload, paths, is_escaped=self.is_escaped)

        tax_id = pick(document_from)
        ship_to = order.ship_to and resolve_address(
            order.ship_to,
            number=pick(store.number_from),
            unit=pick(store.unit_from),
            district=pick(store.district_from),
        )
        return replace(
            order,
            document=None if tax_id in self.fake_tax_ids else tax_id,
            ship_to=ship_to,
            location=pick(store.location_from),
            extra={**order.extra, **{name: text for name, paths in store.extra_from.items() if (text := pick(paths))}},
            bill_to=order.bill_to
            and resolve_billing_address(order.bill_to, shipping=order.ship_to, resolved_shipping=ship_to),
        )


class AddressSchema(StorefrontSchema):
    """Reads an address: names its state and country, and completes its postcode.

    Beside the hub's names, `state_code` and `country_name` are understood.
    """

    model = Address
    states: ClassVar[Mapping[str, Mapping[str, str]]]  # the platform's: country, then code, to official name

    def make(self, data: dict[str, Any]) -> Address:
        country = resolve_country_code(data.get("country"), data.get("country_name"))
        state = resolve_state_name(data.get("state"), code=data.get("state_code"), country=country, codes=self.states)
        postal_code = complete_postal_code(data.get("postal_code"), country=country, state=state)
        address: Address = self.make_model(data, state=state, postal_code=postal_code, country=country)
        return address


class DestinationSchema(WireSchema):
    """Writes a destination's request body, then reads it back: writing judges nothing."""

    #: What a merchant's own schema is dumped from, where it reckons more than the destination's does.
    request_class: ClassVar[type[OrderRequest] | None] = None

    class Meta(Schema.Meta):
        unknown = RAISE

    @cached_property
    def writers(self) -> list[FieldWriter]:
        return [(name, attrgetter(path), field) for name, path, field in self.field_paths if not field.load_only]

    def dump(self, obj: Any, *, writers: Sequence[FieldWriter] | None = None, **_: Any) -> dict[str, Any]:
        """Return the body, or what `getters` alone give. Absent is left out, but for fields that may be null."""
        body = {}
        for wire_name, get_value, field in self.writers if writers is None else writers:
            try:
                value = get_value(obj)
            except AttributeError:  # a part of what is absent itself
                value = None
            if value is not None:
                value = field._serialize(value, wire_name, obj)
            if value is not None or field.allow_none:
                body[wire_name] = value
        return body

    def dump_and_validate(self, order_request: OrderRequest) -> tuple[dict[str, Any], list[str]]:
        """Return the body for `dispatch`, and what is wrong with it in a merchant's words."""
        body = self.dump(order_request)
        return body, list(format_errors(self, self.validate(body), order_request=order_request))


def format_errors(
    schema: Schema, errors: Mapping[Any, Any], path: tuple[str, ...] = (), *, order_request: OrderRequest | None = None
) -> Iterator[str]:
    """Turn marshmallow's error tree into sentences that name fields by their `LABELS`.

    `{"consumidor_destino": {"telefono": ["Missing data for required field."]}}`
    becomes "Shipping address > phone is missing."
    """
    labels = {**LABELS, **order_request.labels} if order_request else LABELS
    by_wire_name = {field.data_key or name: field for name, field in schema.fields.items()}
    for name, messages in errors.items():
        field = by_wire_name.get(name)
        if isinstance(name, int):  # place in a list
            field_path = (*path, f"line {order_request.order_line_number(name) if order_request else name + 1}")
        elif name == "_schema":  # the whole is at fault, not one of its fields
            field_path = path or ("The order",)
        else:
            canonical_path = (field.attribute or name) if field else name
            field_path = (*path, label_for(canonical_path, labels, name))
        if isinstance(messages, Mapping):
            inner = field.inner if isinstance(field, fields.List) else field
            inner_schema = inner.schema if isinstance(inner, fields.Nested) else schema
            yield from format_errors(inner_schema, messages, field_path, order_request=order_request)
        else:
            location = " > ".join(field_path)
            text = " ".join(ERROR_MESSAGES.get(message, message) for message in messages)
            yield f"{location[:1].upper()}{location[1:]} {text}"


def label_for(canonical_path: str, labels: Mapping[str, str], wire_name: str) -> str:
    """Return what a merchant calls a part of the hub; the name on the wire where there is no word for it."""
    return labels.get(canonical_path) or labels.get(canonical_path.rpartition(".")[2], wire_name)
