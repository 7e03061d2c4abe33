"""Routes: which events and orders they take."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connector.core.messages import render_stored
from connector.settings import (
    Route,
    RouteFilter,
)
from mappings.order import Address, Order
from tests.support.configuration import ACCOUNT, ROUTE, SMALLEST, STORE


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
