"""Loading the configuration file, and reporting every error at once."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from marshmallow import fields, validate

from connector.core.exceptions import SettingsError
from connector.settings import (
    Environment,
    Route,
    load_settings,
)
from connector.settings.errors import ConfigErrors, validate_table
from connector.settings.routes import RouteSchema
from mappings import DESTINATIONS, STOREFRONTS, setting_fields
from mappings.destination import Destination
from mappings.destinations.rayo import RayoAccount
from mappings.settings import SettingsSchema
from mappings.storefront import Storefront
from mappings.storefronts.shopify import ShopifyStore
from tests.support.configuration import CUSTOMER_ID, ROUTE, SMALLEST, STORE, WAREHOUSE_ID

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
    assert settings.stores_by_id["vieja"].name == "tienda-mx"


def test_file_is_found_through_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "otra.toml"
    path.write_text(SMALLEST, encoding="utf-8")
    assert list(load_settings(environ={"CONNECTOR_CONFIG": str(path)}).stores) == ["tienda-mx"]


def test_file_is_found_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "connector.toml").write_text(SMALLEST, encoding="utf-8")
    assert list(load_settings(environ={}).stores) == ["tienda-mx"]


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
        f"{tmp_path}/connector.toml: there is no such file. Write one with `connector init`, set CONNECTOR_CONFIG to "
        "another path, or set CONNECTOR_TOML to the text of the file.",
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


@pytest.mark.parametrize(
    "setting", ["retry_max_s = 1e300", "breaker_open_s = 1e12", "retry_for_s = 1e12", "rate_per_s = 1e-20"]
)
def test_out_of_range_number_is_an_error(configuration_errors: Callable[..., Any], setting: str) -> None:
    [fault] = configuration_errors(SMALLEST.replace("api_key", f"{setting}\napi_key"))
    assert fault.startswith(f"accounts.bodega.{setting.split()[0]}: must be")
