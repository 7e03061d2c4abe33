"""marshmallow's hooks and options work in storefronts' and destinations' schemas, and in a merchant's own class."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from marshmallow import (
    RAISE,
    Schema,
    ValidationError,
    fields,
    post_dump,
    post_load,
    pre_dump,
    pre_load,
    validates,
    validates_schema,
)

from connector.settings import Settings, load_settings
from mappings import DESTINATIONS, STOREFRONTS
from mappings.destination import Destination
from mappings.order import Order
from mappings.problems import FieldError, MappingError, field_error, render_problems
from mappings.storefront import Storefront
from tests.support.mapping_cases import SAMPLES, build_account, build_body, build_store, parse_order, storefront_name


def order_for(destination_name: str) -> Order:
    """Return the order of a Shopify sample that the destination accepts."""
    for name in ("shopify_mx", "shopify_ar"):
        order = parse_order("shopify", SAMPLES[name])
        with suppress(MappingError):
            build_body(order, destination_name)
            return order
    raise AssertionError(f"{destination_name} accepts no sample")


#: A storefront's sample, and a body of a destination, by the name of the integration.
PAYLOADS = {storefront_name(name): payload for name, payload in SAMPLES.items()}
ORDERS = {name: order_for(name) for name in DESTINATIONS}
BODIES = {name: build_body(order, name).body for name, order in ORDERS.items()}
INTEGRATIONS: list[Storefront[Any] | Destination[Any]] = [*STOREFRONTS.values(), *DESTINATIONS.values()]


def schema_class_of(integration: Storefront[Any] | Destination[Any]) -> type[Schema]:
    return type(integration.schema)


def data_of(integration: Storefront[Any] | Destination[Any]) -> dict[str, Any]:
    data: dict[str, Any] = {**PAYLOADS, **BODIES}[integration.name]
    return data


every_integration = pytest.mark.parametrize("integration", INTEGRATIONS, ids=lambda integration: integration.name)
every_destination = pytest.mark.parametrize(
    "destination", DESTINATIONS.values(), ids=lambda destination: destination.name
)


def subclass(integration: Storefront[Any] | Destination[Any], **attributes: Any) -> Schema:
    schema: Schema = type("Own", (schema_class_of(integration),), attributes)()
    return schema


@every_integration
def test_pre_load_changes_the_input(integration: Storefront[Any] | Destination[Any]) -> None:
    @pre_load
    def refuse(self: Schema, data: Any, **kwargs: Any) -> Any:
        raise field_error("invalid")

    errors: Any = subclass(integration, refuse=refuse).validate(data_of(integration))
    assert errors == {"_schema": [FieldError("invalid")]}


@every_integration
def test_post_load_changes_the_result(integration: Storefront[Any] | Destination[Any]) -> None:
    @post_load
    def zzz_wrap(self: Schema, data: Any, **kwargs: Any) -> Any:
        return {"wrapped": data}

    assert subclass(integration, zzz_wrap=zzz_wrap).load(data_of(integration)).keys() == {"wrapped"}


@every_integration
def test_validates_checks_a_field(integration: Storefront[Any] | Destination[Any]) -> None:
    name, field = next((name, field) for name, field in integration.schema.fields.items() if field.required)

    @validates(name)
    def refuse(self: Schema, value: Any, **kwargs: Any) -> None:
        raise ValidationError("is refused.")

    errors = subclass(integration, refuse=refuse).validate(data_of(integration))
    assert errors == {field.data_key or name: ["is refused."]}


@every_destination
def test_validates_checks_a_field_whose_attribute_is_a_path(destination: Destination[Any]) -> None:
    @validates("own")
    def refuse(self: Schema, value: Any, **kwargs: Any) -> None:
        raise ValidationError("is refused.")

    schema: Any = subclass(destination, own=fields.String(attribute="order.number"), refuse=refuse)
    request = destination.make_order_request(
        ORDERS[destination.name], build_account(destination.name), build_store("shopify")
    )
    body = schema.dump(request)
    assert body == {**BODIES[destination.name], "own": request.order.number}
    assert schema.validate(body) == {"own": ["is refused."]}


@every_integration
def test_validates_schema_checks_the_whole_object(integration: Storefront[Any] | Destination[Any]) -> None:
    @validates_schema
    def refuse(self: Schema, data: Any, **kwargs: Any) -> None:
        raise ValidationError("is refused.")

    assert subclass(integration, refuse=refuse).validate(data_of(integration)) == {"_schema": ["is refused."]}


@every_integration
def test_load_default_fills_missing_fields(integration: Storefront[Any] | Destination[Any]) -> None:
    @post_load
    def zzz_own(self: Schema, data: Any, original: Any = None, **kwargs: Any) -> Any:
        return data

    @post_load
    def aaa_keep(self: Any, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        self.loaded = data.pop("own")
        return data

    schema: Any = subclass(integration, own=fields.String(load_default="x"), aaa_keep=aaa_keep, zzz_own=zzz_own)
    schema.load(data_of(integration))
    assert schema.loaded == "x"


@every_integration
def test_many_reads_a_list(integration: Storefront[Any] | Destination[Any]) -> None:
    data = data_of(integration)
    loaded = schema_class_of(integration)(many=True).load([data, data])
    assert loaded == [integration.schema.load(data)] * 2


@every_integration
def test_partial_makes_fields_optional(integration: Storefront[Any] | Destination[Any]) -> None:
    assert integration.schema.validate({})
    assert schema_class_of(integration)(partial=True).validate({}) == {}


@every_integration
def test_only_and_exclude_select_fields(integration: Storefront[Any] | Destination[Any]) -> None:
    schema_class = schema_class_of(integration)
    name = next(iter(integration.schema.fields))
    assert list(schema_class(only=[name]).fields) == [name]
    assert name not in schema_class(exclude=[name]).fields


@every_integration
def test_unknown_fields_follow_meta_or_the_caller(
    integration: Storefront[Any] | Destination[Any],
) -> None:
    data = {**data_of(integration), "nirgends": 1}
    errors: Any = {} if isinstance(integration, Storefront) else {"nirgends": [FieldError("unknown_field")]}
    assert integration.schema.validate(data) == errors
    assert "nirgends" in schema_class_of(integration)(unknown=RAISE).validate(data)


@every_destination
def test_pre_dump_and_post_dump_change_the_body(destination: Destination[Any]) -> None:
    @pre_dump
    def note(self: Any, order_request: Any, **kwargs: Any) -> Any:
        self.dumped = order_request
        return order_request

    @post_dump
    def mark(self: Any, body: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {**body, "own": 1}

    schema: Any = subclass(destination, note=note, mark=mark)
    request = destination.make_order_request(
        ORDERS[destination.name], build_account(destination.name), build_store("shopify")
    )
    assert schema.dump(request) == {**BODIES[destination.name], "own": 1}
    assert schema.dumped is request
    assert schema_class_of(destination)(many=True).dump([request, request]) == [BODIES[destination.name]] * 2


@every_destination
def test_dump_default_fills_missing_fields(destination: Destination[Any]) -> None:
    request = destination.make_order_request(
        ORDERS[destination.name], build_account(destination.name), build_store("shopify")
    )
    own = fields.String(attribute="nirgends", dump_default="x")
    assert subclass(destination, own=own).dump(request) == {**BODIES[destination.name], "own": "x"}


# A merchant's own class, named in connector.toml.

CONFIGURATION = """
[stores.tienda-mx]
storefront = "shopify"
secrets = ["s"]
{store}

[accounts.bodega]
destination = "rayo"
api_key = "k"
{account}

[[routes]]
from = "tienda-mx"
to = ["bodega"]
"""
IMPORTS = """
from dataclasses import replace
from marshmallow import ValidationError, fields, post_dump, post_load, pre_dump, pre_load, validates, validates_schema
from mappings.destinations.rayo import RayoConsigneeSchema, RayoOrderSchema, RayoProductSchema
from mappings.fields import Text
from mappings.storefronts.shopify import ShopifyOrderSchema
from mappings.storefronts.shopify.schema import ShopifyLineSchema
"""


@pytest.fixture
def load(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Settings]:
    """Load a configuration whose store or account uses the class `Own` with this body."""

    def load(*, store: str = "", account: str = "") -> Settings:
        module = f"own_{abs(hash(request.node.name))}"
        order_class = f"class OwnOrder(ShopifyOrderSchema):\n    pass\n{store}\n"
        body_class = f"class OwnBody(RayoOrderSchema):\n    pass\n{account}\n"
        (tmp_path / f"{module}.py").write_text(IMPORTS + order_class + body_class, "utf-8")
        text = CONFIGURATION.format(
            store=f'schema = "{module}:OwnOrder"' if store else "",
            account=f'schema = "{module}:OwnBody"' if account else "",
        )
        (tmp_path / "connector.toml").write_text(text, "utf-8")
        return load_settings(tmp_path / "connector.toml", {})

    return load


def outcome_of(settings: Settings, payload: dict[str, Any] = SAMPLES["shopify_mx"]) -> Any:
    """Return the body, or the problems."""
    store, account = settings.stores["tienda-mx"], settings.accounts["bodega"]
    try:
        order = STOREFRONTS["shopify"].parse_order(payload, store)
        return DESTINATIONS["rayo"].build_request(order, account, store).body
    except MappingError as error:
        return render_problems(error.problems)


@pytest.mark.parametrize(
    ("store", "account", "outcome"),
    [
        (
            "    @pre_load\n    def own(self, data, **kwargs):\n        return {**data, 'currency': None}",
            "",
            ["Currency is missing."],
        ),
        (
            "    @post_load\n    def make(self, data, **kwargs):\n"
            "        return replace(super().make(data, **kwargs), is_draft=True)",
            "",
            ["The order is a draft."],
        ),
        (
            "    @validates('currency')\n    def own(self, value, **kwargs):\n"
            "        raise ValidationError('is not ours.')",
            "",
            ["Currency is not ours."],
        ),
        (
            "    @validates_schema\n    def own(self, data, **kwargs):\n"
            "        raise ValidationError('is not ours.', 'email')",
            "",
            ["E-mail is not ours."],
        ),
        (
            "",
            "    @validates_schema\n    def own(self, data, **kwargs):\n        raise ValidationError('is not ours.')",
            ["The order is not ours."],
        ),
        (
            "",
            "    @validates('servicio_rayo')\n    def own(self, value, **kwargs):\n"
            "        raise ValidationError('is not ours.')",
            ["Servicio_rayo is not ours."],
        ),
        (
            "",
            "    @pre_load\n    def own(self, data, **kwargs):\n        raise ValidationError('is not ours.')",
            ["The order is not ours."],
        ),
        (
            "",
            "    @pre_dump\n    def own(self, order_request, **kwargs):\n"
            "        return replace(order_request, account=replace(order_request.account, servicio_rayo='LOCAL'))",
            {**BODIES["rayo"], "servicio_rayo": "LOCAL"},
        ),
        (
            "",
            "    @post_dump\n    def own(self, body, **kwargs):\n        return {**body, 'servicio_rayo': 'LOCAL'}",
            {**BODIES["rayo"], "servicio_rayo": "LOCAL"},
        ),
        (
            "",
            "    servicio_rayo = Text(attribute='nirgends', dump_default='LOCAL')",
            {**BODIES["rayo"], "servicio_rayo": "LOCAL"},
        ),
    ],
)
def test_hook_of_a_custom_schema_takes_effect(
    load: Callable[..., Settings], store: str, account: str, outcome: Any
) -> None:
    assert outcome_of(load(store=store, account=account)) == outcome


def note_of(settings: Settings, payload: dict[str, Any]) -> Any:
    """Return the note of the order, or the problems."""
    try:
        return STOREFRONTS["shopify"].parse_order(payload, settings.stores["tienda-mx"]).note
    except MappingError as error:
        return render_problems(error.problems)


PARTIAL = """
    own = Text(required=True)

    def __init__(self, **options):
        super().__init__(partial={partial}, **options)
"""


@pytest.mark.parametrize(
    ("store", "note", "expected"),
    [
        ("    note = Text(load_default='Sin nota')", None, "Sin nota"),
        ("    note = Text(load_default='Sin nota')", "Timbre 4", "Timbre 4"),
        ("    class Meta(ShopifyOrderSchema.Meta):\n        exclude = ['note']", "Timbre 4", None),
        (
            "    def __init__(self, **options):\n"
            "        super().__init__(only=ShopifyOrderSchema().fields.keys() - {'note'}, **options)",
            "Timbre 4",
            None,
        ),
        (PARTIAL.format(partial="['own']"), "Timbre 4", "Timbre 4"),
        (PARTIAL.format(partial="None"), "Timbre 4", ["Own is missing."]),
    ],
    ids=["default", "default-unused", "exclude", "only", "partial", "not-partial"],
)
def test_option_of_a_custom_storefront_schema_takes_effect(
    load: Callable[..., Settings], store: str, note: str | None, expected: Any
) -> None:
    assert note_of(load(store=store), {**SAMPLES["shopify_mx"], "note": note}) == expected


@pytest.mark.parametrize(
    ("account", "change"),
    [
        ("    class Meta(RayoOrderSchema.Meta):\n        exclude = ['servicio_rayo']", {"servicio_rayo"}),
        (
            "    def __init__(self, **options):\n"
            "        super().__init__(only=['consumidor_destino', 'productos'], **options)",
            {"servicio_rayo"},
        ),
        (PARTIAL.format(partial="['own']"), set()),
    ],
    ids=["exclude", "only", "partial"],
)
def test_option_of_a_custom_destination_schema_takes_effect(
    load: Callable[..., Settings], account: str, change: set[str]
) -> None:
    assert outcome_of(load(account=account)) == {
        name: value for name, value in BODIES["rayo"].items() if name not in change
    }


def test_required_field_of_a_custom_destination_schema_is_required(load: Callable[..., Settings]) -> None:
    assert outcome_of(load(account=PARTIAL.format(partial="None"))) == ["Own is missing."]


MANY_LINES = """
    class Line(ShopifyLineSchema):
        @post_load
        def make(self, data, **kwargs):
            return replace(super().make(data, **kwargs), sku=data.get("sku") and f"MX-{data['sku']}")

    line_items = fields.Nested(Line, many=True, attribute="lines", required=True)
"""
MANY_PRODUCTS = """
    class Product(RayoProductSchema):
        @post_dump
        def own(self, body, **kwargs):
            return {**body, "identificador": f"MX-{body['identificador']}"}

    productos = fields.Nested(Product, many=True, attribute="products", required=True)
"""


@pytest.mark.parametrize("classes", [{"store": MANY_LINES}, {"account": MANY_PRODUCTS}], ids=["load", "dump"])
def test_many_of_a_nested_custom_schema_takes_effect(load: Callable[..., Settings], classes: dict[str, str]) -> None:
    products = [{**item, "identificador": f"MX-{item['identificador']}"} for item in BODIES["rayo"]["productos"]]
    assert outcome_of(load(**classes)) == {**BODIES["rayo"], "productos": products}


def test_problem_in_a_nested_custom_schema_with_many_names_its_line(load: Callable[..., Settings]) -> None:
    first, *others = SAMPLES["shopify_mx"]["line_items"]
    payload = {**SAMPLES["shopify_mx"], "line_items": [first, {**first, "price": None}, *others]}
    assert outcome_of(load(store=MANY_LINES), payload) == ["Products > line 2 > price is missing."]
