"""Lookup tables in connector.toml and in CSV files: loading, errors, reloading and use in orders."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.core.exceptions import SettingsError
from connector.settings import Settings, load_settings, refresh_tables
from mappings.destinations.centelar import LocationRef
from mappings.problems import render_problems
from tests.support.mapping_cases import (
    SAMPLES,
    build_account,
    build_body,
    line,
    mapping_problems,
    order_payments,
    parse_order,
    with_parts,
)

ID, OTHER_ID = "0b9f4f0e-6a3c-4f65-8f0e-2f7d1c9a5b11", "1c8e3d1f-5b2d-4e54-9e1f-3a6e2b8b4c22"
CONFIGURATION = """
[stores.tienda]
storefront = "woocommerce"
secrets = ["secreto"]

[accounts.erp]
destination = "lapyme"
api_key = "llave"
customer_id = "0b9f4f0e-6a3c-4f65-8f0e-2f7d1c9a5b11"
assigned_warehouse_id = "0b9f4f0e-6a3c-4f65-8f0e-2f7d1c9a5b11"
product_id_by_sku = "productos.csv"
tax_rate_id_by_sku = "tablas/tasas.csv"

[accounts.hub]
destination = "centelar"
base_url = "https://centelar.example"
connection_id = 1
pickups = "sucursales.csv"

[[routes]]
from = "tienda"
to = ["erp", "hub"]
"""
FILES = {
    "productos.csv": f"key,value\nLIBRO-1,{ID}\n",
    "tablas/tasas.csv": "key,value\nLIBRO-1,3\n",
    "sucursales.csv": "key,id,name\nCentro,12,\nNorte,,El Norte\n",
}


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Settings]:
    """Load the configuration with these files next to it. None stands for a missing file."""

    def load(files: dict[str, str | bytes | None] | None = None) -> Settings:
        (tmp_path / "tablas").mkdir(exist_ok=True)
        for name, content in {**FILES, **(files or {})}.items():
            if content is not None:
                (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        path = tmp_path / "connector.toml"
        path.write_text(CONFIGURATION, "utf-8")
        return load_settings(path, {})

    return load


def configuration_errors(load: Callable[..., Settings], **files: str | bytes | None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load({f"{name}.csv": content for name, content in files.items()})
    return caught.value.errors


def table(settings: Settings, name: str, account: str = "erp") -> Any:
    return getattr(settings.accounts[account], name)


# CSV files


def test_tables_are_loaded_from_files_next_to_the_configuration(load: Callable[..., Settings]) -> None:
    settings = load()
    assert table(settings, "product_id_by_sku") == {"LIBRO-1": ID}
    assert table(settings, "tax_rate_id_by_sku") == {"LIBRO-1": 3}
    assert table(settings, "pickups", "hub") == {"Centro": LocationRef(id=12), "Norte": LocationRef(name="El Norte")}


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeffkey;value\r\nLIBRO-1;{ID}\r\nCAFÉ; {OTHER_ID} \r\n;\r\n",
        f"Key;Value;;\nLIBRO-1;{ID};;\nCAFÉ;{OTHER_ID};;\n",
        f'"key"\t"value"\n"LIBRO-1"\t"{ID}"\n\nCAFÉ\t{OTHER_ID}',
    ],
    ids=["Excel in Spanish", "empty columns", "tabs"],
)
def test_spreadsheet_exports_are_read(load: Callable[..., Settings], content: str) -> None:
    assert table(load({"productos.csv": content}), "product_id_by_sku") == {"LIBRO-1": ID, "CAFÉ": OTHER_ID}


def test_key_may_contain_delimiters_and_newlines(load: Callable[..., Settings]) -> None:
    content = f'key,value\n"A, B",{ID}\n"C\nD",{ID}\n"E ""F""",{ID}\n'
    assert list(table(load({"productos.csv": content}), "product_id_by_sku")) == ["A, B", "C\nD", 'E "F"']


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, ": there is no such file; `connector table set --file` creates it."),
        ("key,value\nCAFÉ,x\n".encode("cp1252"), ": is not UTF-8 text; in Excel, save it as “CSV UTF-8”."),
        ("", ", line 1: must be the header key,value."),
        (f"LIBRO-1,{ID}\n", ", line 1: must be the header key,value."),
        ("key;id\n", ", line 1: must be the header key;value."),
        ("key,value\nLIBRO-1,doce\n", ", line 2: must be a UUID as LaPyme shows it."),
        (f"key,value\nA,{ID}\n\nB,{ID},C\n", ", line 4: has 3 cells; 2 are expected."),
        (f"key,value\nA,{ID}\nB,{ID}\nA,{ID}\n", ", line 4: has the same key as line 2."),
        (f"key,value\n,{ID}\n", ", line 2: must not be empty."),
        ("key,value\nA\n", ", line 2: must be a UUID as LaPyme shows it."),
        (f'key,value\nB,{ID}\n"A,{ID}\n', ", line 3: is not valid CSV: unexpected end of data."),
    ],
)
def test_file_error_names_the_line(load: Callable[..., Settings], content: str | bytes | None, fault: str) -> None:
    assert configuration_errors(load, productos=content) == [f"accounts.erp.product_id_by_sku: productos.csv{fault}"]


def test_all_errors_of_all_files_are_reported(load: Callable[..., Settings]) -> None:
    faults = configuration_errors(
        load, productos="key,value\nA,x\nB,y\n", sucursales="key,id,name\nCentro,doce,\nNorte,,\n"
    )
    assert faults == [
        "accounts.erp.product_id_by_sku: productos.csv, line 2: must be a UUID as LaPyme shows it.",
        "accounts.erp.product_id_by_sku: productos.csv, line 3: must be a UUID as LaPyme shows it.",
        "accounts.hub.pickups: sucursales.csv, line 2: id must be a whole number.",
        "accounts.hub.pickups: sucursales.csv, line 3: needs an id or a name.",
    ]


def test_equivalent_keys_are_duplicates(load: Callable[..., Settings]) -> None:
    fault = "accounts.hub.pickups: sucursales.csv, line 3: has the same key as line 2."
    assert configuration_errors(load, sucursales="key,id,name\nSucursal Centro,1,\nSUCURSAL CENTRO,2,\n") == [fault]


def test_value_that_is_neither_table_nor_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "connector.toml"
    path.write_text(CONFIGURATION.replace('"productos.csv"', '"productos.xlsx"'), "utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    assert "accounts.erp.product_id_by_sku: must be a table, or the name of a .csv file." in caught.value.errors


# Changed files


def test_only_the_changed_file_is_reloaded(load: Callable[..., Settings], tmp_path: Path) -> None:
    settings = load()
    assert refresh_tables(settings) == (settings, [])
    (tmp_path / "productos.csv").write_text(f"key,value\nCAFE,{OTHER_ID}\n", "utf-8")
    refreshed, faults = refresh_tables(settings)
    assert faults == []
    expected = replace(settings.accounts["erp"], product_id_by_sku={"CAFE": OTHER_ID})  # type: ignore[call-arg]
    assert refreshed.accounts == {**settings.accounts, "erp": expected}
    assert refresh_tables(refreshed)[0] is refreshed


@pytest.mark.parametrize("content", ["key,value\nCAFE,x\n", None])
def test_account_keeps_its_tables_while_a_file_is_invalid(
    load: Callable[..., Settings], tmp_path: Path, content: str | None
) -> None:
    settings = load()
    (tmp_path / "productos.csv").unlink()
    if content is not None:
        (tmp_path / "productos.csv").write_text(content, "utf-8")
    refreshed, [fault] = refresh_tables(settings)
    assert refreshed.accounts == settings.accounts
    assert fault.startswith("accounts.erp.product_id_by_sku: productos.csv")
    assert refresh_tables(refreshed) == (refreshed, [])


# Lookups by orders

AR = parse_order("shopify", SAMPLES["shopify_ar"])
MX = parse_order("shopify", SAMPLES["shopify_mx"])


def test_rayo_product_identifier_comes_from_the_table() -> None:
    order = replace(MX, lines=[line("10", sku="A"), line("10", sku="B", quantity=2), line("10", sku="C")])
    body = build_body(order, "rayo", identifiers={"A": "750", "B": "750"}).body
    assert body["productos"] == [{"cantidad": 3, "identificador": "750"}, {"cantidad": 1, "identificador": "C"}]


@pytest.mark.parametrize(("row", "expected"), [("envio EXPRESS", "EXPRESS"), ("EXP", "EXPRESS"), ("otro", "NACIONAL")])
def test_rayo_service_follows_the_shipping_method(row: str, expected: str) -> None:
    [method] = MX.shipping
    order = replace(MX, shipping=[replace(method, name="Envío express", code="EXP")])
    assert build_body(order, "rayo", servicio_rayo_by_shipping={row: "EXPRESS"}).body["servicio_rayo"] == expected


def test_lapyme_warehouse_method_and_customer_come_from_tables() -> None:
    tables = {
        "warehouses": {"Depósito 2": ID},
        "delivery_method_by_shipping": {"moto en el dia": "local_delivery"},
        "customer_id_by_document": {"20-12345678-6": OTHER_ID},
    }
    [method] = AR.shipping
    order = replace(
        AR, location="deposito 2", document="CUIT 20123456786", shipping=[replace(method, name="Moto en el día")]
    )
    request = build_body(order, "lapyme", **tables)
    names = ("assigned_warehouse_id", "delivery_method", "customer_id")
    assert [request.body[name] for name in names] == [ID, "local_delivery", OTHER_ID]
    assert not [warning for warning in render_problems(request.warnings) if warning.startswith("Tax document")]


def test_warehouse_may_be_found_by_the_pickup_branch() -> None:
    order = replace(AR, is_pickup=True, pickup_name="Centro")
    assert build_body(order, "lapyme", warehouses={"Centro": ID}).body["assigned_warehouse_id"] == ID


def test_centelar_product_code_comes_from_the_table() -> None:
    order = with_parts(AR, line("10", sku="A"), line("10", sku="B"))
    order = replace(order, payments=None, total=order.parts_total)
    items = build_body(
        replace(order, payments=[replace(order_payments(AR)[0], amount=order.total)]),
        "centelar",
        product_code_by_sku={"A": "1"},
    ).body["items"]
    assert [item["product_code"] for item in items] == ["1", "B"]


def test_location_comes_from_the_configured_path() -> None:
    payload = SAMPLES["shopify_mx"] | {"location_id": 655441491}
    assert parse_order("shopify", payload, location_from="location_id").location == "655441491"
    assert parse_order("shopify", payload).location is None


REQUIRED = [
    ("rayo", "identifiers", "Products > SKU “A b” has no identifier at Rayo", "A b", "IDENTIFICADOR"),
    ("rayo", "servicio_rayo_by_shipping", "Shipping > “Moto” has no service at Rayo", "Moto", "SERVICIO"),
    ("rayo", "states", "Shipping address > state “Jalisco” has no word", "Jalisco", "ESTADO"),
    ("lapyme", "product_id_by_sku", "Products > SKU “A b” has no product at LaPyme", "A b", "PRODUCT_ID"),
    ("lapyme", "tax_rate_id_by_sku", "Products > SKU “A b” has no tax rate at LaPyme", "A b", "TAX_RATE_ID"),
    ("lapyme", "warehouses", "Location “Norte” has no warehouse at LaPyme", "Norte", "WAREHOUSE_ID"),
    (
        "lapyme",
        "delivery_method_by_shipping",
        "Shipping > “Moto” has no delivery method at LaPyme",
        "Moto",
        "DELIVERY_METHOD",
    ),
    (
        "lapyme",
        "customer_id_by_document",
        "Tax document “30123456” has no customer at LaPyme",
        "30123456",
        "CUSTOMER_ID",
    ),
    ("centelar", "product_code_by_sku", "Products > SKU “A b” has no code at Centelar", "A b", "PRODUCT_CODE"),
]


@pytest.mark.parametrize(("destination", "name", "subject", "key", "value"), REQUIRED, ids=[row[1] for row in REQUIRED])
def test_missing_row_problem_shows_the_row_and_the_command(
    destination: str, name: str, subject: str, key: str, value: str
) -> None:
    order = MX if destination == "rayo" else AR
    [method], ship_to = order.shipping, order.ship_to
    assert ship_to
    order = replace(
        order,
        lines=[replace(order.lines[0], sku="A b"), *order.lines[1:]],
        shipping=[replace(method, name="Moto", code=None)],
        ship_to=replace(ship_to, state="Jalisco"),
        location="Norte",
        document="DNI 30.123.456",
    )
    quoted = "'A b'" if key == "A b" else key
    expected = (
        f'{subject}: add a row "{key}" = "{value}" to `{name}`, or run '
        f"`connector table set --account cuenta {name} {quoted} {value}`."
    )
    problems = mapping_problems(order, destination, required_tables=[name])
    assert [problem for problem in problems if problem == expected] == [expected]
    assert expected not in mapping_problems(order, destination)


def test_unknown_required_table_is_an_error() -> None:
    from marshmallow import ValidationError

    with pytest.raises(ValidationError) as caught:
        build_account("rayo", required_tables=["states", "product_id_by_sku"])
    choices = "identifiers, servicio_rayo_by_shipping, states"
    assert caught.value.messages == {
        "required_tables": {1: [f"“product_id_by_sku” is not a table of this account; use one of {choices}."]}
    }
