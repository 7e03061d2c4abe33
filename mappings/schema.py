"""The two kinds of schema: one reads a storefront's payload, one writes a destination's body. Neither does any I/O.

Both are marshmallow schemas: the field's name (or `data_key`) is the name on the wire, `attribute` is the path in the
canonical order. Everything that marshmallow documents works in them and in their subclasses.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from functools import cache, cached_property
from typing import Any, ClassVar

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, post_dump, post_load, pre_load
from marshmallow.exceptions import SCHEMA

from mappings.addresses.postcodes import complete_postal_code
from mappings.addresses.regions import resolve_country_code, resolve_state_name
from mappings.delivery_methods import resolve_delivery
from mappings.fields import LenientField
from mappings.labels import LABELS
from mappings.money.allocation import round_amounts
from mappings.order import Address, Order
from mappings.order_request import OrderRequest
from mappings.payload_paths import pick_text
from mappings.problems import FieldError, MappingError, Problem
from mappings.settings import Store

#: The problem code for each of marshmallow's own messages, by the class that declares the message.
PROBLEM_CODES: Mapping[type[fields.Field[Any]], Mapping[str, str]] = {
    fields.Field: {"required": "missing", "null": "missing", "validator_failed": "invalid"},
    fields.Boolean: {"invalid": "not_a_boolean"},
    fields.Float: {"special": "not_a_number"},
    fields.Integer: {"invalid": "not_an_integer"},
    fields.List: {"invalid": "not_a_list"},
    fields.Mapping: {"invalid": "not_an_object"},
    fields.Nested: {"type": "not_an_object"},
    fields.Number: {"invalid": "not_a_number", "too_large": "not_a_number"},
    fields.String: {"invalid": "not_text", "invalid_utf8": "not_text"},
}


class WireSchema(Schema):
    """A schema whose errors are `FieldError` values, so that they can be shown in the reader's language."""

    error_messages: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # values instead of texts
        "type": FieldError("not_an_object"),
        "unknown": FieldError("unknown_field"),
    }

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        set_problem_codes(field_obj)


def set_problem_codes(field: fields.Field[Any]) -> None:
    """Replace marshmallow's own messages of a field by problem codes. Messages that the field sets itself stay."""
    codes = {
        key: code
        for field_class, codes_by_key in PROBLEM_CODES.items()
        for key, code in codes_by_key.items()
        if isinstance(field, field_class) and field.error_messages[key] == field_class.default_error_messages[key]
    }
    if isinstance(field, fields.Nested) and field.many and "type" in codes:
        codes["type"] = "not_a_list"
    field.error_messages = {**field.error_messages, **{key: [FieldError(code)] for key, code in codes.items()}}
    if isinstance(field, fields.List):
        set_problem_codes(field.inner)


@cache
def schema_instance(schema_class: type[Any]) -> Any:
    """Return the one instance of a schema, which may be shared by threads."""
    return schema_class()


class StorefrontSchema(WireSchema):
    """Reads a storefront's payload into a `model`. Storefronts add fields without notice: unknown ones are ignored.

    An optional `LenientField` whose value cannot be read counts as absent.
    """

    model: ClassVar[type]
    #: Tax ids that a plugin fills in where the customer gave none.
    fake_tax_ids: ClassVar[frozenset[str]] = frozenset()
    is_escaped: ClassVar[bool] = False  # the platform writes HTML entities
    #: Codes of the shipping methods with which the customer collects the order, in lower case.
    pickup_methods: ClassVar[frozenset[str]] = frozenset()
    #: A blank shipping address stands for the billing address.
    falls_back_to_billing: ClassVar[bool] = False

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        super().on_bind_field(field_name, field_obj)
        if isinstance(field_obj, LenientField):
            field_obj.is_lenient = not field_obj.required

    @pre_load
    def preprocess(self, data: Any, **kwargs: Any) -> Any:
        """Leave out null values: storefronts write null for what is absent."""
        return {name: value for name, value in data.items() if value is not None} if is_object(data) else data

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Any:
        """Return the model made of the loaded values, which are named by `attribute`."""
        return self.model(**data)

    def make_model(self, data: Mapping[str, Any], **computed: Any) -> Any:
        """Return the model made of the values that are fields of it, with `computed` in place of some of them."""
        model_data = {name: value for name, value in data.items() if name in self.model_field_names}
        return self.model(**model_data | computed)

    @cached_property
    def model_field_names(self) -> frozenset[str]:
        return frozenset(model_field.name for model_field in fields_of(self.model))

    def parse_order(self, payload: Mapping[str, Any], *, store: Store, document_from: Sequence[str]) -> Order:
        """Return the order in `payload`.

        Raises:
            MappingError: with a problem for each field that cannot be read.
        """
        try:
            order: Order = self.load(payload)
        except ValidationError as error:
            # `from None`: the text of marshmallow's exception quotes the payload.
            raise MappingError(list(iter_problems(self, error.messages_dict))) from None

        # Imported here because it compiles the patterns of addresses, which takes longer than a web process needs to
        # start without them.
        from mappings.addresses.resolve import resolve_address, resolve_billing_address

        order = self.apply_store(order, store)

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
            round_amounts(order),
            document=None if tax_id in self.fake_tax_ids else tax_id,
            ship_to=ship_to,
            location=pick(store.location_from),
            extra={**order.extra, **{name: text for name, paths in store.extra_from.items() if (text := pick(paths))}},
            bill_to=order.bill_to
            and resolve_billing_address(order.bill_to, shipping=order.ship_to, resolved_shipping=ship_to),
        )

    def apply_store(self, order: Order, store: Store) -> Order:
        """Return the order with what the store's settings decide. Its addresses are still as written."""
        return resolve_delivery(
            order, store, pickup_methods=self.pickup_methods, falls_back_to_billing=self.falls_back_to_billing
        )


class AddressSchema(StorefrontSchema):
    """Reads an address: resolves the names of its state and country, and completes its postcode.

    Fields may have the attributes `state_code` and `country_name` besides those of `Address`.
    """

    model = Address
    states: ClassVar[Mapping[str, Mapping[str, str]]]  # the platform's: country, then code, to official name

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> Address:
        country = resolve_country_code(data.get("country"), data.get("country_name"))
        state = resolve_state_name(data.get("state"), code=data.get("state_code"), country=country, codes=self.states)
        postal_code = complete_postal_code(data.get("postal_code"), country=country, state=state)
        address: Address = self.make_model(data, state=state, postal_code=postal_code, country=country)
        return address


class DestinationSchema(WireSchema):
    """Writes a destination's request body. `dump` does not validate: call `validate` with the body that it returns."""

    #: The class of the object that a merchant's own schema dumps, where it computes more than the destination's does.
    request_class: ClassVar[type[OrderRequest] | None] = None

    class Meta(Schema.Meta):
        unknown = RAISE

    @cached_property
    def attribute_paths(self) -> dict[str, str]:
        """The dotted `attribute` of fields that have one, by the field's name."""
        return {}

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Take over dotted attributes: where a field has one, marshmallow calls no `@validates` of that field.

        When it loads, it nests the value by the dots, and then looks for it by the whole attribute.
        """
        super().on_bind_field(field_name, field_obj)
        if field_obj.attribute is not None and "." in field_obj.attribute:
            self.attribute_paths[field_name] = field_obj.attribute
            field_obj.attribute = None

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj, self.attribute_paths.get(attr, attr), default)

    @post_dump
    def drop_absent(self, body: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Leave out absent values, except in fields that the vendor accepts as null."""
        return {name: value for name, value in body.items() if value is not None or name in self.nullable_names}

    @cached_property
    def nullable_names(self) -> frozenset[str]:
        return frozenset(field.data_key or name for name, field in self.fields.items() if field.allow_none)

    def dump_and_validate(self, order_request: OrderRequest) -> tuple[dict[str, Any], list[Problem]]:
        """Return the body, and what is wrong with it."""
        body: dict[str, Any] = self.dump(order_request)
        return body, list(iter_problems(self, self.validate(body), order_request=order_request))


def is_object(data: Any) -> bool:
    return isinstance(data, Mapping)


def iter_problems(
    schema: Schema,
    errors: Mapping[Any, Any],
    path: tuple[str | int, ...] = (),
    *,
    order_request: OrderRequest | None = None,
) -> Iterator[Problem]:
    """Yield the problems in marshmallow's error tree, whose keys are names on the wire and indexes of lists.

    `{"consumidor_destino": {"telefono": [FieldError("missing")]}}` is the problem "missing" of `("ship_to", "phone")`.
    """
    by_wire_name = {field.data_key or name: field for name, field in schema.fields.items()}
    for name, messages in errors.items():
        field = by_wire_name.get(name)
        if isinstance(name, int):
            field_path = (*path, order_request.order_line_number(name) if order_request else name + 1)
        elif name == SCHEMA:
            field_path = path
        else:
            canonical_path = attribute_path(schema, field) if field else name
            field_path = (*path, label_key(canonical_path, order_request, wire_name=name))
        if isinstance(messages, Mapping):
            inner = field.inner if isinstance(field, fields.List) else field
            inner_schema = inner.schema if isinstance(inner, fields.Nested) else schema
            yield from iter_problems(inner_schema, messages, field_path, order_request=order_request)
        else:
            yield from (build_problem(message, field_path) for message in messages)


def attribute_path(schema: Schema, field: fields.Field[Any]) -> str:
    """Return where a field's value is in the object that is dumped or loaded, as it was declared."""
    name = field.name or ""  # empty only before it is bound
    declared = schema.attribute_paths.get(name) if isinstance(schema, DestinationSchema) else None
    return declared or field.attribute or field.data_key or name


def build_problem(message: Any, path: tuple[str | int, ...]) -> Problem:
    if isinstance(message, FieldError):
        return Problem(code=message.code, path=path, params=message.params)
    return Problem(code="text", path=path, params={"text": str(message)})


def label_key(canonical_path: str, order_request: OrderRequest | None, *, wire_name: str) -> str:
    """Return the key of `LABELS` for a part of the canonical order; the name on the wire where there is none."""
    aliases = order_request.label_keys if order_request else {}
    for part in (canonical_path, canonical_path.rpartition(".")[2]):
        key = aliases.get(part, part)
        if key in LABELS:
            return key
    return wire_name
