"""The example configuration: it loads, and lists every setting."""

import re
from pathlib import Path
from typing import Any

import pytest

from connector.core.exceptions import SettingsError
from connector.settings import (
    load_settings,
)
from mappings import DESTINATIONS, STOREFRONTS
from mappings.destination import Destination
from mappings.destinations.centelar import CentelarAccount
from mappings.destinations.lapyme import LapymeAccount
from mappings.destinations.rayo import RayoAccount
from mappings.storefront import Storefront
from mappings.storefronts.shopify import ShopifyStore
from mappings.storefronts.tiendanube import TiendanubeStore
from mappings.storefronts.woocommerce import WooStore
from tests.support.configuration import CUSTOMER_ID, VARIABLES, WAREHOUSE_ID

EXAMPLE = Path(__file__).parents[2] / "connector.example.toml"


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
