"""Stores: their ids, shops and secrets, and what several of them share."""

from collections.abc import Callable
from typing import Any

import pytest

from connector.settings import (
    Route,
)
from tests.support.configuration import ACCOUNT, ROUTE, SMALLEST, STORE

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


def test_account_and_route_errors_are_reported_once(configuration_errors: Callable[..., Any]) -> None:
    toml = TWO_STORES.replace("{ext_code}", 'timezone = "Buenos Aires"').replace('from = "sur"', 'from = "nadie"')
    assert configuration_errors(toml) == [
        "accounts.hub.timezone: “Buenos Aires” is not in the IANA time zone database; "
        "use a name such as America/Argentina/Buenos_Aires.",
        "routes[2].from: there is no store “nadie”.",
    ]
