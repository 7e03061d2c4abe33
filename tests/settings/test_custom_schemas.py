"""Custom schema classes: the documented example, and error messages."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.core.exceptions import SettingsError
from connector.settings import Settings, load_settings
from mappings import DESTINATIONS, STOREFRONTS
from mappings.problems import MappingError, render_problems
from tests.support.orders import RAYO_BODY, shopify_order
from tests.support.service import CONFIGURATION, Service

DOCUMENT = (Path(__file__).parents[2] / "docs/extending.md").read_text("utf-8")
[EXAMPLE] = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
[CLASS] = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
[DOCUMENTED_BODY] = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
VARIABLES = {"SHOPIFY_SECRET": "secreto", "RAYO_API_KEY": "llave"}
GIFT_ORDER = shopify_order(note_attributes=[{"name": "Mensaje de regalo", "value": "Feliz cumpleaños"}])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The directory of connector.toml. Modules imported from it are removed at the end."""
    path, modules = list(sys.path), set(sys.modules)
    (tmp_path / "mymappings").mkdir()
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("mymappings"):
            del sys.modules[name]


@pytest.fixture
def load(folder: Path) -> Callable[..., Settings]:
    """Load the example with this code in place of its class."""

    def load(code: str = CLASS, toml: str = EXAMPLE) -> Settings:
        (folder / "mymappings/rayo.py").write_text(code, "utf-8")
        (folder / "connector.toml").write_text(toml, "utf-8")
        return load_settings(folder / "connector.toml", VARIABLES)

    return load


def single_error(load: Callable[..., Settings], **changes: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(**changes)
    [fault] = caught.value.errors
    return fault


def test_documented_example_sends_the_gift_message(load: Callable[..., Settings]) -> None:
    settings = load()
    store, account = settings.stores["tienda-mx"], settings.accounts["bodega"]
    order = STOREFRONTS["shopify"].parse_order(GIFT_ORDER, store)
    body = DESTINATIONS["rayo"].build_request(order, account, store).body
    assert body == {
        **RAYO_BODY,
        "consumidor_destino": {**RAYO_BODY["consumidor_destino"], **json.loads(DOCUMENTED_BODY)},
    }
    plain = STOREFRONTS["shopify"].parse_order(shopify_order(), store)
    assert DESTINATIONS["rayo"].build_request(plain, account, store).body == RAYO_BODY


def test_custom_schema_reads_an_extra_field(load: Callable[..., Settings], folder: Path) -> None:
    code = """
from dataclasses import replace
from marshmallow import post_load
from mappings.fields import Text
from mappings.storefronts.shopify import ShopifyOrderSchema

class MyShopifyOrder(ShopifyOrderSchema):
    source_name = Text()

    @post_load
    def make(self, data, **kwargs):
        return replace(super().make(data, **kwargs), extra={"source": data["source_name"]})
"""
    (folder / "mymappings/shop.py").write_text(code, "utf-8")
    own = 'storefront = "shopify"\nschema = "mymappings.shop:MyShopifyOrder"'
    settings = load(toml=EXAMPLE.replace('storefront = "shopify"', own))
    order = STOREFRONTS["shopify"].parse_order(GIFT_ORDER | {"source_name": "pos"}, settings.stores["tienda-mx"])
    assert order.extra == {"source": "pos", "gift": "Feliz cumpleaños"}


@pytest.mark.sqlite
def test_order_is_delivered_with_the_custom_schema(open_service: Callable[..., Service], folder: Path) -> None:
    (folder / "mymappings/rayo.py").write_text(CLASS, "utf-8")
    own = 'api_key = "rayo-key"\nschema = "mymappings.rayo:MyRayoOrder"'
    gift = 'secrets = ["{shopify}"]\nextra_from = {{ gift = "note_attributes:Mensaje de regalo" }}'
    text = CONFIGURATION.replace('api_key = "rayo-key"', own).replace('secrets = ["{shopify}"]', gift)
    service = open_service(text=text)
    service.post_shopify(GIFT_ORDER)
    service.drain()
    [order] = service.sandbox.orders("rayo")
    assert order.body["consumidor_destino"]["no_interior"] == "Depto 4, Regalo: Feliz cumpleaños"


def test_custom_schema_cannot_violate_the_contract(
    load: Callable[..., Settings],
) -> None:
    code = """
from mappings.destinations.rayo import RayoOrderSchema
from mappings.fields import Text

class MyRayoOrder(RayoOrderSchema):
    productos = Text(attribute="order.number")
"""
    settings = load(code)
    store, account = settings.stores["tienda-mx"], settings.accounts["bodega"]
    order = STOREFRONTS["shopify"].parse_order(GIFT_ORDER, store)
    with pytest.raises(MappingError) as caught:
        DESTINATIONS["rayo"].build_request(order, account, store)
    assert render_problems(caught.value.problems) == [
        'The body breaks rayo\'s contract: $.productos breaks “type: "array"”'
    ]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("x = ", "mymappings.rayo cannot be imported: SyntaxError: invalid syntax (rayo.py, line 1)"),
        ("1 / 0", "mymappings.rayo cannot be imported: ZeroDivisionError: division by zero"),
        ("import nirgends", "there is no module nirgends, which mymappings.rayo imports."),
        ("MyRayoOrders = 1", "mymappings.rayo has no MyRayoOrder; did you mean “MyRayoOrders”?"),
        ("class MyRayoOrder: pass", "must name a subclass of mappings.destinations.rayo.RayoOrderSchema."),
        (
            "from mappings.destinations.lapyme import LapymeOrderSchema as MyRayoOrder",
            "must name a subclass of mappings.destinations.rayo.RayoOrderSchema.",
        ),
        (
            "from mappings.destinations.rayo import RayoOrderSchema\n"
            "class MyRayoOrder(RayoOrderSchema):\n    def __init__(self): raise ValueError('no')",
            "MyRayoOrder cannot be instantiated: ValueError: no",
        ),
        (
            "from mappings.destinations.rayo import RayoOrderSchema\nfrom mappings.order_request import OrderRequest\n"
            "class MyRayoOrder(RayoOrderSchema):\n    request_class = OrderRequest",
            "`request_class` of MyRayoOrder must be a subclass of mappings.destinations.rayo.RayoOrderRequest.",
        ),
    ],
)
def test_schema_class_error_is_reported(load: Callable[..., Settings], code: str, fault: str) -> None:
    assert single_error(load, code=code) == f"accounts.bodega.schema: {fault}"


@pytest.mark.parametrize(
    ("named", "fault"),
    [
        ('"mymappings.rayo"', 'must be "module:Class", such as "mymappings.rayo:MyRayoOrder".'),
        ("7", 'must be "module:Class", such as "mymappings.rayo:MyRayoOrder".'),
        ('"nirgends.rayo:X"', "there is no module nirgends in {folder}, and it is not installed."),
    ],
)
def test_unknown_class_name_is_an_error(load: Callable[..., Settings], folder: Path, named: str, fault: str) -> None:
    toml = EXAMPLE.replace('"mymappings.rayo:MyRayoOrder"', named)
    assert single_error(load, toml=toml) == f"accounts.bodega.schema: {fault.format(folder=folder)}"


def test_schema_class_error_is_reported_with_all_others(load: Callable[..., Settings]) -> None:
    with pytest.raises(SettingsError) as caught:
        load("", EXAMPLE.replace('storefront = "shopify"', 'storefront = "shopify"\nkolor = 1'))
    assert caught.value.errors == [
        "stores.tienda-mx.kolor: is not a setting.",
        "accounts.bodega.schema: mymappings.rayo has no MyRayoOrder.",
    ]
