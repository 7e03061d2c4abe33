"""Settings given one by one, as `connector map` takes them."""

from collections.abc import Callable
from typing import Any

import pytest

from connector.core.exceptions import SettingsError
from connector.settings import (
    build_account,
    build_pair,
    build_store,
)
from mappings import STOREFRONTS
from mappings.destinations.centelar import CentelarAccount, LocationRef
from mappings.destinations.lapyme import LapymeAccount
from mappings.lookup_tables import LookupTable
from mappings.storefronts.shopify import ShopifyStore
from tests.support.configuration import CUSTOMER_ID, SMALLEST, WAREHOUSE_ID


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
