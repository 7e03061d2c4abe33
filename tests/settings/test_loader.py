"""Loading the configuration, and reporting every error at once."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from marshmallow import fields, validate
from werkzeug.security import generate_password_hash

from connector.core.exceptions import SettingsError
from connector.core.messages import render_stored
from connector.settings import (
    Environment,
    Route,
    RouteFilter,
    Settings,
    build_account,
    build_pair,
    build_store,
    load_settings,
)
from connector.settings.errors import ConfigErrors, validate_table
from connector.settings.routes import RouteSchema
from mappings import DESTINATIONS, STOREFRONTS, setting_fields
from mappings.destination import Destination
from mappings.destinations.centelar import CentelarAccount, LocationRef
from mappings.destinations.lapyme import LapymeAccount
from mappings.destinations.rayo import RayoAccount
from mappings.lookup_tables import LookupTable
from mappings.order import Address, Order
from mappings.settings import SettingsSchema
from mappings.storefront import Storefront
from mappings.storefronts.shopify import ShopifyStore
from mappings.storefronts.tiendanube import TiendanubeStore
from mappings.storefronts.woocommerce import WooStore

EXAMPLE = Path(__file__).parents[2] / "connector.example.toml"
CUSTOMER_ID = "5d0c8a34-7a0e-4d2e-9a53-3f1f6a2b8c90"
WAREHOUSE_ID = "a1e6b0d7-2c4f-4e8b-8f19-6b7c5d4e3f21"
VARIABLES = {
    "SHOPIFY_SECRET": "secreto-de-shopify",
    "WOOCOMMERCE_SECRET": "secreto-de-woo",
    "TIENDANUBE_SECRET": "secreto-de-nube",
    "TIENDANUBE_STORE_ID": "4410733",
    "TIENDANUBE_TOKEN": "ficha-de-nube",
    "RAYO_API_KEY": "llave-de-rayo",
    "LAPYME_API_KEY": "llave-de-lapyme",
    "LAPYME_CUSTOMER_ID": CUSTOMER_ID,
    "LAPYME_WAREHOUSE_ID": WAREHOUSE_ID,
    "CENTELAR_URL": "https://centelar.example",
    "CENTELAR_TOKEN": "ficha-de-centelar",
}

STORE = """
[stores.tienda-mx]
storefront = "shopify"
secrets = ["secreto"]
"""
ACCOUNT = """
[accounts.bodega]
destination = "rayo"
api_key = "llave"
"""
ROUTE = """
[[routes]]
from = "tienda-mx"
to = ["bodega"]
"""
SMALLEST = STORE + ACCOUNT + ROUTE


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    """Write a configuration and load it."""

    def load(toml: str, environ: dict[str, Any] | None = None) -> Settings | None:
        path = tmp_path / "connector.toml"
        path.write_text(toml, encoding="utf-8")
        return load_settings(path, environ or {})

    return load


@pytest.fixture
def configuration_errors(load: Callable[..., Any]) -> Callable[..., Any]:
    """Write a configuration and return its errors."""

    def faults(toml: str, environ: dict[str, Any] | None = None) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            load(toml, environ)
        return caught.value.errors

    return faults


def make_order(**fields: Any) -> Order:
    order = Order(
        storefront="shopify",
        order_id="1",
        number="#1",
        placed_at=datetime(2026, 11, 21, tzinfo=UTC),
        currency="MXN",
        total=Decimal(100),
        lines=[],
    )
    return replace(order, **fields)


# Loading


def test_minimal_configuration_uses_every_default(load: Callable[..., Any]) -> None:
    settings = load(SMALLEST)
    store = ShopifyStore(name="tienda-mx", id="tienda-mx", storefront="shopify", secrets=["secreto"])
    account = RayoAccount(
        name="bodega", id="bodega", destination="rayo", base_url="https://cerebro.techrayo.com", api_key="llave"
    )
    assert settings.stores == {"tienda-mx": store}
    assert settings.accounts == {"bodega": account}
    assert settings.routes == (Route(store="tienda-mx", accounts=("bodega",), topics=frozenset({"paid"})),)
    assert settings.retired == frozenset()
    assert settings.environment == Environment(
        database_url="sqlite:///connector.db",
        admin_token=None,
        host="127.0.0.1",
        port=8000,
        web_concurrency=2,
        lease_s=60,
        auto_migrate=True,
    )
    assert settings.storefront(store) is STOREFRONTS["shopify"]
    assert settings.destination(account) is DESTINATIONS["rayo"]


def test_example_loads_when_its_variables_are_set() -> None:
    settings = load_settings(EXAMPLE, VARIABLES)
    assert settings.stores == {
        "tienda-mx": ShopifyStore(
            name="tienda-mx", id="tienda-mx", storefront="shopify", secrets=[VARIABLES["SHOPIFY_SECRET"]]
        ),
        "tienda-ar": WooStore(
            name="tienda-ar", id="tienda-ar", storefront="woocommerce", secrets=[VARIABLES["WOOCOMMERCE_SECRET"]]
        ),
        "nube": TiendanubeStore(
            name="nube",
            id="nube",
            storefront="tiendanube",
            secrets=[VARIABLES["TIENDANUBE_SECRET"]],
            api_url="https://api.tiendanube.com/v1",
            api_token=VARIABLES["TIENDANUBE_TOKEN"],
            store_id="4410733",
            user_agent="connector (run by the shop itself)",
        ),
    }
    assert settings.accounts == {
        "bodega": RayoAccount(
            name="bodega",
            id="bodega",
            destination="rayo",
            base_url="https://cerebro.techrayo.com",
            api_key=VARIABLES["RAYO_API_KEY"],
        ),
        "erp": LapymeAccount(
            name="erp",
            id="erp",
            destination="lapyme",
            base_url="https://api.lapyme.com.ar",
            api_key=VARIABLES["LAPYME_API_KEY"],
            customer_id=CUSTOMER_ID,
            assigned_warehouse_id=WAREHOUSE_ID,
        ),
        "hub": CentelarAccount(
            name="hub",
            id="hub",
            destination="centelar",
            base_url=VARIABLES["CENTELAR_URL"],
            headers={"Authorization": f"Bearer {VARIABLES['CENTELAR_TOKEN']}"},
            connection_id=123,
        ),
    }


def test_example_reports_each_missing_variable() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(EXAMPLE, {})
    named = [re.search(r"the environment variable (\w+) is not set\.", fault) for fault in caught.value.errors]
    assert {match[1] for match in named if match} == VARIABLES.keys()
    assert None not in named


def test_example_lists_every_setting() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    every_spoke: list[Storefront[Any] | Destination[Any]] = [*STOREFRONTS.values(), *DESTINATIONS.values()]
    spokes = [spoke for spoke in every_spoke if f'"{spoke.name}"' in text]
    assert len(spokes) >= 6
    settings = {name for spoke in spokes for name in spoke.settings_schema().fields} - {"name"}
    assert {name for name in settings if not re.search(rf"\b{name}\b", text)} == set()


@pytest.mark.parametrize("spoke", [*STOREFRONTS.values(), *DESTINATIONS.values()], ids=lambda spoke: spoke.name)
def test_secret_settings_are_not_in_the_repr(spoke: Destination[Any] | Storefront[Any]) -> None:
    secret_names = {"secrets", "api_key", "access_token", "api_token", "client_secret", "headers"}
    model = spoke.settings_schema.model
    secret = secret_names & spoke.settings_schema().fields.keys()
    assert secret
    assert {name for name in secret if model.__dataclass_fields__[name].repr} == set()


def test_admin_token_is_not_in_the_repr(load: Callable[..., Any]) -> None:
    assert "hush" not in repr(load(SMALLEST, {"ADMIN_TOKEN": 8 * "hush"}))


def test_table_keeps_its_id_when_it_is_renamed(load: Callable[..., Any]) -> None:
    toml = SMALLEST.replace('storefront = "shopify"', 'storefront = "shopify"\nid = "vieja"').replace(
        'destination = "rayo"', 'destination = "rayo"\nid = "deposito"'
    )
    settings = load(toml)
    assert [(name, store.id) for name, store in settings.stores.items()] == [("tienda-mx", "vieja")]
    assert [(id_, account.name) for id_, account in settings.accounts.items()] == [("deposito", "bodega")]
    assert settings.routes == (Route(store="vieja", accounts=("deposito",)),)
    assert settings.store_by_id("vieja").name == "tienda-mx"


def test_removed_store_is_not_found_by_id(load: Callable[..., Any]) -> None:
    with pytest.raises(KeyError):
        load(SMALLEST).store_by_id("vieja")


def test_routes_are_found_by_store_and_account(load: Callable[..., Any]) -> None:
    second_store = STORE.replace("tienda-mx", "outlet").replace("secreto", "otro secreto")
    second_account = ACCOUNT.replace("bodega", "norte")
    second_route = '[[routes]]\nfrom = "tienda-mx"\nto = ["norte", "bodega"]\ntopics = ["created", "orders/edited"]\n'
    settings = load(STORE + second_store + ACCOUNT + second_account + ROUTE + second_route)
    first, second = settings.routes
    assert settings.routes_of("tienda-mx") == [first, second]
    assert settings.routes_of("outlet") == []
    assert settings.routes_between("tienda-mx", "bodega") == [first, second]
    assert settings.routes_between("tienda-mx", "norte") == [second]
    assert settings.routes_between("outlet", "norte") == []


def test_route_matches_events_by_topic() -> None:
    route = Route(store="tienda", accounts=("bodega",), topics=frozenset({"paid", "orders/edited"}))
    assert route.accepts_topics({"orders/paid", "paid"})
    assert route.accepts_topics({"orders/edited"})
    assert not route.accepts_topics({"orders/create", "created"})
    assert not route.accepts_topics(set())


def test_file_is_found_through_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "otra.toml"
    path.write_text(SMALLEST, encoding="utf-8")
    assert list(load_settings(environ={"CONNECTOR_CONFIG": str(path)}).stores) == ["tienda-mx"]


def test_file_is_found_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "connector.toml").write_text(SMALLEST, encoding="utf-8")
    assert list(load_settings(environ={}).stores) == ["tienda-mx"]


# ${VARIABLES}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("${CLAVE}", "abc"),
        ("antes ${CLAVE} y ${OTRA}.", "antes abc y def."),
        ("$${CLAVE}", "${CLAVE}"),
        ("$$${CLAVE}", "$${CLAVE}"),
        ("$CLAVE cuesta $5", "$CLAVE cuesta $5"),
    ],
)
def test_variables_are_substituted(load: Callable[..., Any], text: str, read: str) -> None:
    settings = load(SMALLEST.replace("secreto", text), {"CLAVE": "abc", "OTRA": "def"})
    assert settings.stores["tienda-mx"].secrets == [read]


def test_substitution_is_not_recursive(load: Callable[..., Any]) -> None:
    settings = load(SMALLEST.replace("secreto", "${CLAVE}"), {"CLAVE": "${CLAVE}"})
    assert settings.stores["tienda-mx"].secrets == ["${CLAVE}"]


def test_number_may_come_from_a_variable(load: Callable[..., Any]) -> None:
    settings = load(
        SMALLEST.replace("api_key", 'concurrency = "${N}"\nheaders = { X-N = "${N}" }\napi_key'), {"N": "7"}
    )
    assert settings.accounts["bodega"].concurrency == 7
    assert settings.accounts["bodega"].headers == {"X-N": "7"}


@pytest.mark.parametrize(
    ("text", "environ", "fault"),
    [
        ("${CLAVE}", {}, "the environment variable CLAVE is not set."),
        ("${CLAVE}", {"CLAVE": ""}, "the environment variable CLAVE is not set."),
        ("${CLAVE", {"CLAVE": "a"}, "has ${ without a variable name and }; write $${ for a literal ${."),
        ("${CLA VE}", {}, "has ${ without a variable name and }; write $${ for a literal ${."),
        ("${CLAVE}", {"CLAVE": "a\n"}, "CLAVE contains unprintable characters, such as a line break."),
        ("${CLAVE}", {"CLAVE": "\udcff"}, "CLAVE contains unprintable characters, such as a line break."),
    ],
)
def test_unresolvable_variable_is_an_error(
    configuration_errors: Callable[..., Any], text: str, environ: dict[str, Any], fault: str
) -> None:
    assert configuration_errors(SMALLEST.replace("secreto", text), environ) == [f"stores.tienda-mx.secrets[0]: {fault}"]


def test_every_missing_variable_of_a_value_is_reported(configuration_errors: Callable[..., Any]) -> None:
    assert configuration_errors(SMALLEST.replace("secreto", "${UNA}${OTRA}")) == [
        "stores.tienda-mx.secrets[0]: the environment variable UNA is not set.",
        "stores.tienda-mx.secrets[0]: the environment variable OTRA is not set.",
    ]


def test_error_does_not_show_environment_values(configuration_errors: Callable[..., Any]) -> None:
    toml = (
        SMALLEST.replace('"shopify"', '"${CLAVE}"')
        .replace('to = ["bodega"]', 'to = ["${CLAVE}"]\ntopics = ["${CLAVE}"]')
        .replace('api_key = "llave"', 'api_key = "llave"\nbase_url = "${CLAVE}"\ntotals = "${CLAVE}"')
    )
    texts = configuration_errors('retired = ["${CLAVE}"]\n' + toml, {"CLAVE": "hush"})
    assert len(texts) == 5
    assert "hush" not in "\n".join(texts)


# Errors in the file


def test_all_errors_are_reported_together(configuration_errors: Callable[..., Any]) -> None:
    toml = """
        kolors = 1
        retired = ["tienda-ar", 3]

        [stores.tienda-mx]
        storefront = "shopfy"
        secrets = ["${SHOPIFY_SECRET}"]

        [stores.tienda-ar]
        storefront = "woocommerce"
        secrets = []
        name = "tienda"

        [stores."la tienda"]

        [accounts.erp]
        destination = "lapyme"
        api_key = "${LAPYME_API_KEY}"
        kustomer_id = "x"
        assigned_warehouse_id = "1234"
        retry_first_s = 700
        timeout_s = 50
        headers = { "X-Eñe" = "ñ" }
        tax_rate_id_by_sku = { "LIBRO 1" = "tres" }

        [accounts.bodega]
        destination = "rayo"
        id = "erp"
        api_key = "llave"
        base_url = "http://rayo.example"
        totals = "exactly"
        concurrency = 1.5

        [[routes]]
        from = "tienda"
        to = ["bodega", "bodga"]
        topics = ["payd", "orders/paid"]
        only = { country = ["MEX"], pikup = true, currency = [], state = "Jalisco" }

        [[routes]]
        from = "tienda-ar"
        to = ["bodega", "bodega"]
    """
    environ = {"PORT": "0", "LAPYME_API_KEY": "llave", "DATABASE_URL": "postgres://ana:hush@db.example"}
    assert sorted(configuration_errors(toml, environ)) == sorted(
        [
            "DATABASE_URL: must be postgres://user:password@host:port/database.",
            "PORT: must be a whole number from 1 to 65535.",
            "LEASE_S: must be at least 65, since accounts.erp.timeout_s is 50.",
            "kolors: is not a setting.",
            "retired[0]: “tienda-ar” is in use: it is the id of stores.tienda-ar.",
            "retired[1]: must be text.",
            f"stores.tienda-mx.storefront: “shopfy” is not a storefront; use one of {', '.join(sorted(STOREFRONTS))}.",
            "stores.tienda-mx.secrets[0]: the environment variable SHOPIFY_SECRET is not set.",
            "stores.tienda-ar.secrets: needs at least one secret.",
            "stores.tienda-ar.name: is not a setting: the table's own name is used.",
            'stores."la tienda": the table\'s name must be 1 to 64 letters, digits, dots, dashes or underscores.',
            'stores."la tienda".storefront: is missing.',
            'stores."la tienda".secrets: is missing.',
            "accounts.erp.customer_id: is missing.",
            "accounts.erp.kustomer_id: is not a setting; did you mean “customer_id”?",
            "accounts.erp.assigned_warehouse_id: must be a UUID as LaPyme shows it.",
            "accounts.erp.retry_first_s: must not be above retry_max_s, which is 600.",
            'accounts.erp.headers."X-Eñe": must be printable ASCII text.',
            'accounts.erp.tax_rate_id_by_sku."LIBRO 1": must be a whole number.',
            "accounts.bodega.id: “erp” is also the id of accounts.erp.",
            "accounts.bodega.base_url: must begin with https:// (http:// is only allowed for this machine).",
            "accounts.bodega.totals: must be one of: exact, warn.",
            "accounts.bodega.concurrency: must be a whole number.",
            "routes[0].from: there is no store “tienda”; did you mean “tienda-mx”?",
            "routes[0].to[1]: there is no account “bodga”; did you mean “bodega”?",
            "routes[0].topics[0]: “payd” is not a topic; use one of cancelled, created, paid, updated, or a platform's "
            "own, as orders/paid.",
            "routes[0].only.country[0]: must be a two-letter country code, such as MX.",
            "routes[0].only.pikup: is not a setting; did you mean “pickup”?",
            "routes[0].only.currency: needs at least one.",
            "routes[0].only.state: must be a list.",
            "routes[1].to: names an account twice.",
        ]
    )


def test_typo_suggestion_excludes_internal_settings(configuration_errors: Callable[..., Any]) -> None:
    assert configuration_errors(SMALLEST.replace("api_key", "nam = 1\napi_key")) == [
        "accounts.bodega.nam: is not a setting."
    ]


def test_account_with_an_unknown_destination_is_reported(
    configuration_errors: Callable[..., Any],
) -> None:
    toml = SMALLEST.replace('"rayo"', '"dhl"\nbase_url = "https://dhl.example"') + (STORE + ROUTE).replace(
        "tienda-mx", "otra"
    ).replace("secreto", "otro secreto")
    expected = f"accounts.bodega.destination: “dhl” is not a destination; use one of {', '.join(sorted(DESTINATIONS))}."
    assert configuration_errors(toml) == [expected]


def test_missing_credential_is_reported_with_other_errors(configuration_errors: Callable[..., Any]) -> None:
    assert sorted(configuration_errors(re.sub("api_key = .*", "nam = 1", SMALLEST))) == [
        "accounts.bodega.api_key: is missing: Rayo needs `api_key` or `access_token`.",
        "accounts.bodega.nam: is not a setting.",
    ]


def test_rate_without_a_percentage_is_reported_with_other_errors(configuration_errors: Callable[..., Any]) -> None:
    account = f"""
[accounts.erp]
destination = "lapyme"
api_key = "llave"
customer_id = "{CUSTOMER_ID}"
assigned_warehouse_id = "{WAREHOUSE_ID}"
tax_rate_id = 9
tax_rounding = "never"
"""
    assert sorted(configuration_errors(SMALLEST + account)) == [
        "accounts.erp.tax_rate_id: has no percentage in `tax_rates`.",
        "accounts.erp.tax_rounding: must be one of: order, line.",
    ]


def test_typo_in_a_nested_table_gets_a_suggestion() -> None:
    class PickupSchema(SettingsSchema):
        branch = fields.Integer()

    class AccountSchema(SettingsSchema):
        pickups = fields.Dict(values=fields.Nested(PickupSchema))

    faults = ConfigErrors()
    assert (
        validate_table(AccountSchema(), {"pickups": {"Sucursal Centro": {"brunch": 1}}}, ("accounts", "hub"), faults)
        is None
    )
    assert faults.messages == [
        'accounts.hub.pickups."Sucursal Centro".brunch: is not a setting; did you mean “branch”?'
    ]


def settings_schemas(base: type[SettingsSchema] = SettingsSchema) -> Iterator[type[SettingsSchema]]:
    for schema in base.__subclasses__():
        if schema.__module__.startswith(("connector.", "mappings.")):
            yield schema
            yield from settings_schemas(schema)


def inner_fields(field: fields.Field[Any]) -> Iterator[fields.Field[Any]]:
    yield field
    parts = (getattr(field, name, None) for name in ("inner", "key_field", "value_field"))
    for part in parts:
        if part is not None:
            yield from inner_fields(part)


@pytest.mark.parametrize("schema", [*settings_schemas()], ids=lambda schema: schema.__name__)
def test_no_setting_uses_marshmallow_default_messages(schema: type[SettingsSchema]) -> None:
    fields_by_name = (RouteSchema({}) if schema is RouteSchema else schema()).fields
    settings = [field for outer in fields_by_name.values() for field in inner_fields(outer)]
    assert {type(field).__name__ for field in settings if not isinstance(field, setting_fields.Field)} == set()
    plain: set[type[Any]] = {validate.OneOf, validate.Range}
    assert [type(check) for field in settings for check in field.validators if type(check) in plain] == []


def test_exception_text_has_one_line_per_error() -> None:
    assert str(SettingsError(["PORT: must be so.", "stores: is missing."])) == "PORT: must be so.\nstores: is missing."


def test_empty_file_needs_stores_accounts_and_routes(configuration_errors: Callable[..., Any]) -> None:
    assert configuration_errors("") == ["stores: is missing.", "accounts: is missing.", "routes: is missing."]


def test_empty_tables_need_stores_accounts_and_routes(configuration_errors: Callable[..., Any]) -> None:
    assert configuration_errors("routes = []\n[stores]\n[accounts]\n") == [
        "stores: needs at least one table.",
        "accounts: needs at least one table.",
        "routes: needs at least one table.",
    ]


def test_tables_of_the_wrong_type_are_errors(configuration_errors: Callable[..., Any]) -> None:
    toml = 'retired = "vieja"\n[stores]\ntienda = 3\n[accounts]\nbodega = []\n[routes]\nfrom = "tienda"\n'
    assert configuration_errors(toml) == [
        "stores.tienda: must be a table.",
        "accounts.bodega: must be a table.",
        "routes: must be a list of tables, each under [[routes]].",
        "retired: must be a list.",
    ]


def test_route_that_is_not_a_table_is_an_error(configuration_errors: Callable[..., Any]) -> None:
    assert configuration_errors("routes = [1]\n" + STORE + ACCOUNT) == ["routes[0]: must be a table."]


def test_route_without_from_and_to_is_an_error(configuration_errors: Callable[..., Any]) -> None:
    assert configuration_errors(STORE + ACCOUNT + "[[routes]]\n") == [
        "routes[0].from: is missing.",
        "routes[0].to: is missing.",
    ]


def test_route_to_an_unknown_account_is_an_error(configuration_errors: Callable[..., Any]) -> None:
    toml = SMALLEST.replace('["bodega"]', "[]\ntopics = []\nonly = 3")
    assert configuration_errors(toml) == [
        "routes[0].to: needs at least one.",
        "routes[0].topics: needs at least one.",
        "routes[0].only: must be a table.",
    ]


TWO_STORES = """
[stores.norte]
storefront = "shopify"
secrets = ["secreto"]

[stores.sur]
storefront = "shopify"
id = "sur-2"
secrets = ["otro secreto"]

[accounts.hub]
destination = "centelar"
base_url = "https://centelar.example"
connection_id = 1
{ext_code}

[accounts.otra]
destination = "centelar"
base_url = "https://centelar.example"
connection_id = 2

[[routes]]
from = "norte"
to = ["hub", "otra"]

[[routes]]
from = "norte"
to = ["hub"]
topics = ["created"]

[[routes]]
from = "sur"
to = ["hub"]
"""


@pytest.mark.parametrize("ext_code", ["", 'ext_code = "{number}"', 'ext_code = "{{store}}-{order_id}"'])
def test_stores_with_indistinguishable_order_codes_are_an_error(
    configuration_errors: Callable[..., Any], ext_code: str
) -> None:
    assert configuration_errors(TWO_STORES.replace("{ext_code}", ext_code)) == [
        "accounts.hub.ext_code: needs {store}: norte and sur-2 both send orders here."
    ]


def test_stores_with_distinct_order_codes_are_allowed(load: Callable[..., Any]) -> None:
    settings = load(TWO_STORES.replace("{ext_code}", 'ext_code = "{store}-{order_id}"'))
    assert settings.accounts["hub"].ext_code == "{store}-{order_id}"


def name_shops(north: str, south: str) -> str:
    """Return `TWO_STORES` with one secret, and these settings of the shops."""
    toml = TWO_STORES.replace("{ext_code}", 'ext_code = "{store}-{order_id}"').replace("otro secreto", "secreto")
    south_table = f'id = "sur-2"\n{south}'
    return toml.replace('[stores.norte]\nstorefront = "shopify"', f"[stores.norte]\n{north}").replace(
        'storefront = "shopify"\nid = "sur-2"', south_table
    )


SHOPIFY_NORTE = 'storefront = "shopify"\nshop_domain = "Norte.myshopify.com"'
SHOPIFY_SUR = 'storefront = "shopify"\nshop_domain = ["sur.myshopify.com", "https://www.sur.example/"]'
WOO_NORTE = 'storefront = "woocommerce"\nshop_domain = "https://tiendas.example/norte/"'
WOO_SUR = 'storefront = "woocommerce"\nshop_domain = "tiendas.example/sur"'
NUBE_NORTE = 'storefront = "tiendanube"\nstore_id = 1\napi_token = "t"'
NUBE_SUR = 'storefront = "tiendanube"\nstore_id = 2\napi_token = "t"'
HAS_SAME_SECRET = (
    "stores.sur.secrets: has the same secret as stores.norte: both need a `shop_domain`, or a secret of their own."
)
IS_SAME_SHOP = "stores.sur: has the same secret and is the same shop as stores.norte."


@pytest.mark.parametrize(
    ("north", "south"),
    [(SHOPIFY_NORTE, SHOPIFY_SUR), (WOO_NORTE, WOO_SUR), (NUBE_NORTE, NUBE_SUR)],
)
def test_stores_with_one_secret_are_allowed_if_each_names_its_shop(
    load: Callable[..., Any], north: str, south: str
) -> None:
    assert len(load(name_shops(north, south)).stores) == 2


def test_stores_of_two_platforms_may_have_one_secret(load: Callable[..., Any]) -> None:
    assert len(load(name_shops('storefront = "shopify"', 'storefront = "woocommerce"')).stores) == 2


@pytest.mark.parametrize(
    ("north", "south", "error"),
    [
        ('storefront = "shopify"', 'storefront = "shopify"', HAS_SAME_SECRET),
        (SHOPIFY_NORTE, 'storefront = "shopify"', HAS_SAME_SECRET),
        ('storefront = "woocommerce"', WOO_SUR, HAS_SAME_SECRET),
        (SHOPIFY_NORTE, SHOPIFY_NORTE, IS_SAME_SHOP),
        (NUBE_NORTE, NUBE_NORTE, IS_SAME_SHOP),
        (WOO_NORTE.replace("/norte/", ""), WOO_SUR, IS_SAME_SHOP),
    ],
)
def test_stores_that_one_secret_does_not_tell_apart_are_an_error(
    configuration_errors: Callable[..., Any], north: str, south: str, error: str
) -> None:
    assert configuration_errors(name_shops(north, south)) == [error]


@pytest.mark.parametrize(
    ("domain", "error"),
    [
        ('""', "stores.norte.shop_domain"),
        ('"not a domain"', "stores.norte.shop_domain: must be the shop's domain, such as tienda.example.com."),
        ("[]", "stores.norte.shop_domain: must be the shop's domain, such as tienda.example.com."),
        (
            '"norte.example"',
            "stores.norte.shop_domain: must have the shop's permanent domain, such as tienda.myshopify.com.",
        ),
    ],
)
def test_impossible_shop_domain_is_an_error(configuration_errors: Callable[..., Any], domain: str, error: str) -> None:
    [message] = configuration_errors(name_shops(f'storefront = "shopify"\nshop_domain = {domain}', NUBE_SUR))
    assert message.startswith(error)


def test_account_and_route_errors_are_reported_once(configuration_errors: Callable[..., Any]) -> None:
    toml = TWO_STORES.replace("{ext_code}", 'timezone = "Buenos Aires"').replace('from = "sur"', 'from = "nadie"')
    assert configuration_errors(toml) == [
        "accounts.hub.timezone: “Buenos Aires” is not in the IANA time zone database; "
        "use a name such as America/Argentina/Buenos_Aires.",
        "routes[2].from: there is no store “nadie”.",
    ]


def test_stores_with_the_same_id_are_an_error(configuration_errors: Callable[..., Any]) -> None:
    other = STORE.replace("tienda-mx", "outlet").replace('secrets = ["', 'id = "tienda-mx"\nsecrets = ["otro ')
    assert configuration_errors(STORE + other + ACCOUNT + ROUTE) == [
        "stores.outlet.id: “tienda-mx” is also the id of stores.tienda-mx."
    ]


def test_store_and_account_may_share_a_name(load: Callable[..., Any]) -> None:
    toml = SMALLEST.replace("bodega", "tienda-mx")
    assert load(toml).routes == (Route(store="tienda-mx", accounts=("tienda-mx",)),)


def test_unused_retired_id_is_allowed(load: Callable[..., Any]) -> None:
    assert load('retired = ["vieja"]\n' + SMALLEST).retired == frozenset({"vieja"})


@pytest.mark.parametrize("duration", ["true", "inf", "nan", '"pronto"', "-1", "1" + "0" * 400])
def test_invalid_duration_is_one_error(configuration_errors: Callable[..., Any], duration: str) -> None:
    toml = SMALLEST.replace("api_key", f"timeout_s = {duration}\napi_key")
    assert [fault.partition(":")[0] for fault in configuration_errors(toml)] == ["accounts.bodega.timeout_s"]


def test_lease_must_exceed_the_longest_attempt_by_15_seconds(
    load: Callable[..., Any], configuration_errors: Callable[..., Any]
) -> None:
    toml = SMALLEST.replace("api_key", "timeout_s = 50.5\napi_key")
    assert configuration_errors(toml) == ["LEASE_S: must be at least 66, since accounts.bodega.timeout_s is 50.5."]
    assert configuration_errors(toml, {"LEASE_S": "65"}) == [
        "LEASE_S: must be at least 66, since accounts.bodega.timeout_s is 50.5."
    ]
    assert load(toml, {"LEASE_S": "66"}).environment.lease_s == 66


def test_missing_file_error_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "connector.toml", {"PORT": "x"})
    assert caught.value.errors == [
        "PORT: must be a whole number from 1 to 65535.",
        f"{tmp_path}/connector.toml: there is no such file. Copy connector.example.toml, "
        "or set CONNECTOR_CONFIG to another path.",
    ]


def test_directory_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {})
    assert caught.value.errors == [f"{tmp_path}: cannot be read: Is a directory."]


def test_toml_syntax_error_names_the_line(configuration_errors: Callable[..., Any], tmp_path: Path) -> None:
    assert configuration_errors('[stores.tienda]\nstorefront = "shopify\n') == [
        f"{tmp_path}/connector.toml: is not TOML: Illegal character '\\n' (at line 2, column 22)."
    ]


def test_file_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "connector.toml"
    path.write_bytes("# Envíos".encode("latin-1"))
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    assert caught.value.errors == [f"{path}: is not UTF-8 text."]


# The environment


def test_environment_is_read(load: Callable[..., Any]) -> None:
    environ = {
        "DATABASE_URL": "sqlite:////var/lib/connector/pedidos.db",
        "ADMIN_TOKEN": 8 * "ficha",
        "HOST": "127.0.0.1",
        "PORT": "9000",
        "WEB_CONCURRENCY": "4",
        "LEASE_S": "90",
        "AUTO_MIGRATE": "0",
        "PATH": "/usr/bin",
    }
    assert load(SMALLEST, environ).environment == Environment(
        database_url="sqlite:////var/lib/connector/pedidos.db",
        admin_token=8 * "ficha",
        host="127.0.0.1",
        port=9000,
        web_concurrency=4,
        lease_s=90,
        auto_migrate=False,
    )


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({}, "127.0.0.1"),
        ({"PORT": "9000"}, "0.0.0.0"),  # noqa: S104  # as on Heroku, whose router is another machine
        ({"PORT": "9000", "HOST": "127.0.0.1"}, "127.0.0.1"),
        ({"HOST": "0.0.0.0"}, "0.0.0.0"),  # noqa: S104
    ],
)
def test_only_this_machine_can_connect_unless_told_otherwise(
    load: Callable[..., Any], variables: dict[str, str], host: str
) -> None:
    assert load(SMALLEST, variables).environment.host == host


def test_environment_is_printed_without_passwords(load: Callable[..., Any]) -> None:
    variables = {
        "DATABASE_URL": "postgres://ana:hush@db.example/pedidos",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://ana:hush@otel.example/?key=hush",
        "SENTRY_DSN": "https://hush@sentry.example/1",
    }
    assert "hush" not in repr(load(SMALLEST, variables))


@pytest.mark.parametrize(
    "method",
    ["pbkdf2:sha256:1", "pbkdf2:sha256:100000", "pbkdf2:sha1:1000000", "pbkdf2:md5:1000000", "scrypt:8192:8:1", None],
)
def test_password_hash_that_is_quick_to_guess_is_an_error(
    configuration_errors: Callable[..., Any], method: str | None
) -> None:
    cut_off = "scrypt:32768:8:1$aaaaaaaa$00"
    password_hash = generate_password_hash("vidriera-7", method) if method else cut_off
    text = f'{SMALLEST}\n[users.ana]\npassword_hash = "{password_hash}"\n'
    assert configuration_errors(text) == [
        "users.ana.password_hash: is quick to guess; make a new one with `connector user hash`."
    ]


def test_hash_of_an_empty_password_is_an_error(configuration_errors: Callable[..., Any]) -> None:
    text = f'{SMALLEST}\n[users.ana]\npassword_hash = "{generate_password_hash("")}"\n'
    assert configuration_errors(text) == ["users.ana.password_hash: is of an empty password."]


def test_strong_hashes_are_accepted(load: Callable[..., Any]) -> None:
    for method in ("scrypt", "pbkdf2:sha256:600000"):
        text = f'{SMALLEST}\n[users.ana]\npassword_hash = "{generate_password_hash("vidriera-7", method)}"\n'
        assert list(load(text).users) == ["ana"]


def test_empty_variables_count_as_missing(load: Callable[..., Any]) -> None:
    names = ["DATABASE_URL", "ADMIN_TOKEN", "HOST", "PORT", "WEB_CONCURRENCY", "LEASE_S", "AUTO_MIGRATE", "DYNO"]
    assert load(SMALLEST, dict.fromkeys(names, "")).environment == Environment()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *(
            ("PORT", value, "must be a whole number from 1 to 65535.")
            for value in ["65536", "-1", "8_0", " 80", "٨٠", "1.0"]
        ),
        ("WEB_CONCURRENCY", "0", "must be a whole number from 1 to 256."),
        ("LEASE_S", "9" * 5000, "must be a whole number from 1 to 86400."),
        ("AUTO_MIGRATE", "maybe", "must be 0 or 1."),
        ("ALLOW_EPHEMERAL_SQLITE", "2", "must be 0 or 1."),
        ("HOST", "any host", "must be an address to listen on."),
        ("ADMIN_TOKEN", "contraseña" * 4, "must be printable ASCII text."),
        ("ADMIN_TOKEN", "x" * 31, "must be at least 32 characters, made at random: `connector token` prints one."),
    ],
)
def test_invalid_environment_variable_is_an_error(
    configuration_errors: Callable[..., Any], name: str, value: str, expected: str
) -> None:
    assert configuration_errors(SMALLEST, {name: value}) == [f"{name}: {expected}"]


NO_DATABASE = (
    "must be sqlite:/// and the path of a file, such as sqlite:///connector.db,"
    " or postgres://user:password@host:port/database."
)


@pytest.mark.parametrize(
    "url", ["postgres://u:p@db.example:5432/pedidos?sslmode=require", "postgresql:///pedidos?host=/run/postgresql"]
)
def test_heroku_and_driver_url_schemes_are_accepted(load: Callable[..., Any], url: str) -> None:
    assert load(SMALLEST, {"DATABASE_URL": url}).environment.database_url == url


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("postgres://db.example", "must be postgres://user:password@host:port/database."),
        ("postgres://ana:hush@db.example:x/pedidos", "must be postgres://user:password@host:port/database."),
        ("postgresql:///pedidos", "must be postgres://user:password@host:port/database."),
        ("mysql://db.example/p", NO_DATABASE),
        ("connector.db", NO_DATABASE),
        ("sqlite://", NO_DATABASE),
        ("sqlite:///p.db?mode=ro", NO_DATABASE),
        ("sqlite:///p.db\n", NO_DATABASE),
        ("sqlite:///", "must name a file: a database in memory loses every order when the process ends."),
        ("sqlite:///:memory:", "must name a file: a database in memory loses every order when the process ends."),
    ],
)
def test_non_durable_database_is_refused(configuration_errors: Callable[..., Any], value: str, expected: str) -> None:
    assert configuration_errors(SMALLEST, {"DATABASE_URL": value}) == [f"DATABASE_URL: {expected}"]


@pytest.mark.parametrize("environ", [{}, {"ALLOW_EPHEMERAL_SQLITE": "0"}, {"DATABASE_URL": "sqlite:///pedidos.db"}])
def test_sqlite_on_a_dyno_is_refused(configuration_errors: Callable[..., Any], environ: dict[str, Any]) -> None:
    assert configuration_errors(SMALLEST, {"DYNO": "web.1", **environ}) == [
        "DATABASE_URL: SQLite is refused because DYNO is set: a dyno's disk is wiped at least once a day, with every "
        "order on it. Set ALLOW_EPHEMERAL_SQLITE=1 to accept that."
    ]


def test_sqlite_on_a_dyno_is_refused_with_other_errors(configuration_errors: Callable[..., Any]) -> None:
    assert [fault.partition(":")[0] for fault in configuration_errors(SMALLEST, {"DYNO": "web.1", "PORT": "x"})] == [
        "PORT",
        "DATABASE_URL",
    ]


def test_sqlite_on_a_dyno_can_be_allowed_explicitly(load: Callable[..., Any]) -> None:
    assert load(SMALLEST, {"DYNO": "web.1", "ALLOW_EPHEMERAL_SQLITE": "1"}).environment == Environment()


# Filters

MEXICAN_ADDRESS = make_order(ship_to=Address(country="MX", state="Nuevo León"))


@pytest.mark.parametrize(
    ("only", "order"),
    [
        (RouteFilter(), make_order()),
        (RouteFilter(country=("AR", "mx")), MEXICAN_ADDRESS),
        (RouteFilter(country=("MX",)), make_order(bill_to=Address(country="MX"))),
        (RouteFilter(state=("Jalisco", "nuevo leon")), MEXICAN_ADDRESS),
        (RouteFilter(currency=("mxn",)), MEXICAN_ADDRESS),
        (RouteFilter(pickup=True), make_order(is_pickup=True)),
        (RouteFilter(pickup=False), make_order(is_pickup=False)),
    ],
)
def test_order_matching_the_filter_passes(only: RouteFilter, order: Order) -> None:
    assert only.exclusion_reason(order) is None


@pytest.mark.parametrize(
    ("only", "order", "reason"),
    [
        (RouteFilter(country=("MX",)), make_order(ship_to=Address(country="AR")), "country AR is not among MX"),
        (RouteFilter(country=("MX", "CL")), make_order(), "the order names no country, which must be among MX, CL"),
        (RouteFilter(state=("Jalisco",)), MEXICAN_ADDRESS, "state Nuevo León is not among Jalisco"),
        (RouteFilter(state=("Jalisco",)), make_order(), "the order names no state, which must be among Jalisco"),
        (RouteFilter(currency=("ARS", "USD")), MEXICAN_ADDRESS, "currency MXN is not among ARS, USD"),
        (
            RouteFilter(country=("MX",), currency=("USD",)),
            MEXICAN_ADDRESS,
            "currency MXN is not among USD",
        ),
        (RouteFilter(pickup=False), make_order(is_pickup=True), "the order is collected, and pickup must be false"),
        (RouteFilter(pickup=True), make_order(is_pickup=False), "the order is not collected, and pickup must be true"),
        (
            RouteFilter(pickup=False),
            make_order(),
            "the order does not say whether it is collected, and pickup must be false",
        ),
    ],
)
def test_order_not_matching_the_filter_is_held_with_the_reason(only: RouteFilter, order: Order, reason: str) -> None:
    assert render_stored(only.exclusion_reason(order)) == reason


def test_filter_is_loaded_from_the_route(load: Callable[..., Any]) -> None:
    toml = SMALLEST + 'only = { country = ["MX"], state = ["Jalisco"], currency = ["MXN"], pickup = false }\n'
    assert load(toml).routes[0].only == RouteFilter(
        country=("MX",), state=("Jalisco",), currency=("MXN",), pickup=False
    )


# Stores and accounts without a file


def test_account_for_map_needs_only_settings_in_the_body() -> None:
    account = build_account("lapyme", {"customer_id": CUSTOMER_ID, "assigned_warehouse_id": WAREHOUSE_ID})
    assert account == LapymeAccount(
        name="account",
        id="account",
        destination="lapyme",
        base_url="https://nowhere.invalid",
        api_key="none",
        customer_id=CUSTOMER_ID,
        assigned_warehouse_id=WAREHOUSE_ID,
    )


def test_account_for_map_reports_missing_body_settings() -> None:
    with pytest.raises(SettingsError) as caught:
        build_account("lapyme", {"kolor": "1"})
    assert caught.value.errors == [
        "customer_id: is missing.",
        "assigned_warehouse_id: is missing.",
        "kolor: is not a setting.",
    ]


def test_text_values_are_coerced_to_the_setting_type() -> None:
    account = build_account(
        "lapyme",
        {
            "customer_id": CUSTOMER_ID,
            "assigned_warehouse_id": WAREHOUSE_ID,
            "tax_rate_id": "4",
            "tax_rate_id_by_sku": '{ "A" = 3 }',
            "tax_rate_id_by_sku.LIBRO.1": "6",
            "charges.tip": "100",
            "shipping_sku": "0042",
            "timeout_s": 5,
        },
        name="erp",
    )
    assert account == LapymeAccount(
        name="erp",
        id="erp",
        destination="lapyme",
        base_url="https://nowhere.invalid",
        api_key="none",
        customer_id=CUSTOMER_ID,
        assigned_warehouse_id=WAREHOUSE_ID,
        tax_rate_id=4,
        tax_rate_id_by_sku=LookupTable({"A": 3, "LIBRO.1": 6}),
        charges=LookupTable({"tip": "100"}),
        shipping_sku="0042",
        timeout_s=5,
    )


def test_nested_tables_are_coerced_from_text() -> None:
    values = {
        "connection_id": "7",
        "pickups.Sucursal Centro": "{ id = 12 }",
        "locations": '{ "Depósito" = { location_name = "D1" } }',
        "payment_types.bacs": "promissory",
    }
    assert build_account("centelar", values) == CentelarAccount(
        name="account",
        id="account",
        destination="centelar",
        base_url="https://nowhere.invalid",
        connection_id=7,
        pickups=LookupTable({"Sucursal Centro": LocationRef(id=12)}),
        locations=LookupTable({"Depósito": LocationRef(name="D1")}),
        payment_types=LookupTable({"bacs": "promissory"}),
    )


def test_nested_table_error_has_its_path(configuration_errors: Callable[..., Any]) -> None:
    toml = (
        SMALLEST
        + """
[accounts.hub]
destination = "centelar"
base_url = "https://centelar.example"
connection_id = 1
pickups = { "Sucursal Centro" = { idd = 12 }, "Norte" = {}, "Sur" = { id = "doce" } }
locations = { "Centro" = { id = 3 } }
"""
    )
    assert configuration_errors(toml) == [
        "accounts.hub.locations.Centro.id: is not a setting.",
        'accounts.hub.pickups."Sucursal Centro".idd: is not a setting; did you mean “id”?',
        "accounts.hub.pickups.Norte: needs an id or a name.",
        "accounts.hub.pickups.Sur.id: must be a whole number.",
    ]


def test_text_with_two_toml_lines_is_not_a_value() -> None:
    with pytest.raises(SettingsError) as caught:
        build_account("rayo", {"concurrency": "3\ntimeout_s = 4"})
    assert caught.value.errors == ["concurrency: must be a whole number."]


def test_value_inside_a_non_table_is_an_error() -> None:
    with pytest.raises(SettingsError) as caught:
        build_account("rayo", {"states": "JAL", "states.Jalisco": "JAL"})
    assert caught.value.errors == [
        "states: must be a table, or the name of a .csv file.",
        '"states.Jalisco": is not a setting; did you mean “states”?',
    ]


def test_store_for_map_needs_no_settings() -> None:
    store = build_store("shopify", {"district_from": "shipping_address.address2", "number_from": '["a", "b"]'})
    assert store == ShopifyStore(
        name="store",
        id="store",
        storefront="shopify",
        secrets=["none"],
        district_from=["shipping_address.address2"],
        number_from=["a", "b"],
    )


def test_values_are_assigned_to_store_or_account_by_name() -> None:
    store, account = build_pair(
        "shopify", "rayo", {"district_from": "a.b", "no_exterior_missing": "S/N", "states.Jalisco": "JAL"}
    )
    assert store == build_store("shopify", {"district_from": "a.b"})
    assert account == build_account("rayo", {"no_exterior_missing": "S/N", "states": {"Jalisco": "JAL"}})


def test_store_and_account_errors_are_reported_together() -> None:
    with pytest.raises(SettingsError) as caught:
        build_pair("shopfy", "lapyme", {"district_from": "[]", "number_from": "3", "kolor": "1"})
    assert caught.value.errors == [
        f"storefront: “shopfy” is not a storefront; use one of {', '.join(sorted(STOREFRONTS))}.",
        "number_from: must be a list.",
        "customer_id: is missing.",
        "assigned_warehouse_id: is missing.",
        "kolor: is not a setting.",
    ]


@pytest.mark.parametrize("storefront", STOREFRONTS)
def test_every_storefront_can_be_mapped_without_a_configuration(storefront: str) -> None:
    assert build_store(storefront, {}).storefront == storefront


@pytest.mark.parametrize(
    "setting", ["retry_max_s = 1e300", "breaker_open_s = 1e12", "retry_for_s = 1e12", "rate_per_s = 1e-20"]
)
def test_out_of_range_number_is_an_error(configuration_errors: Callable[..., Any], setting: str) -> None:
    [fault] = configuration_errors(SMALLEST.replace("api_key", f"{setting}\napi_key"))
    assert fault.startswith(f"accounts.bodega.{setting.split()[0]}: must be")
