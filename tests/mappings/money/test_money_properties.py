"""The money of any order, through to each destination: a body adds up to the charge, or a problem shows why not.

Orders are made up by `shops/`, each in its platform's own arithmetic. What a body must come to is reckoned here from
the body alone, by whole numbers and fractions. docs/money.md has the command for a longer run, which counts what came
of the orders.
"""

import re
from collections import Counter
from fractions import Fraction
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from mappings import DESTINATIONS
from mappings.order import Order
from mappings.problems import MappingError, render_problems
from mappings.settings import Account
from tests.support.mapping_cases import SAMPLES, make_account, make_store, read
from tests.support.shops.placed import Placed, cents, half_up, text
from tests.support.shops.shopify import shopify_orders
from tests.support.shops.tiendanube import tiendanube_orders
from tests.support.shops.woocommerce import woocommerce_orders

ORDERS = {"shopify": shopify_orders(), "tiendanube": tiendanube_orders(), "woocommerce": woocommerce_orders()}
#: ARCA's ids of VAT rates, in per mille; and which SKU has which.
PER_MILLE = {3: 0, 4: 105, 5: 210, 6: 270}
RATE_OF = {"SKU-0": 3, "SKU-1": 4, "SKU-2": 6, "ENVIO": 6, "PROPINA": 3}
SKUS = {"tip": "PROPINA", "fee": "RECARGO", "duties": "ADUANA"}
TYPES = dict.fromkeys(["gift_card", "shopify_store_credit", "offline", "paypal"], "promissory")
ARITHMETIC = re.compile(
    r"(Total|Payments): (?P<terms>.+) = (?P<sum>-?\d+\.\d\d), but (?P<charged>-?\d+\.\d\d) was charged\."
)
TERM = re.compile(r"(?P<sign>^|[+−] )(?P<name>[^+−]+?) (?P<amount>-?\d+\.\d\d)(?: |$)")


@lru_cache
def account_for(destination: str, has_rounding_sku: bool, tax_rounding: str, currency: str) -> Account:
    charges = SKUS | ({"rounding": "REDONDEO"} if has_rounding_sku else {})
    settings: dict[str, dict[str, Any]] = {
        "rayo": {},
        "lapyme": {"charges": charges, "tax_rounding": tax_rounding, "tax_rate_id_by_sku": RATE_OF},
        "centelar": {"charges": charges, "payment_types": TYPES, "free_orders": "send", "currency": currency},
    }
    return make_account(destination, **settings[destination])


def order_of(storefront: str, placed: Placed, **changes: Any) -> dict[str, Order]:
    """Return the order on an Argentine sample and on a Mexican one: Rayo goes to Mexico alone."""
    return {
        country: read(storefront, SAMPLES[f"{storefront}_{country}"] | placed.fields | changes, **placed.store)
        for country in ("ar", "mx")
    }


def come_to(
    storefront: str,
    orders: dict[str, Order],
    destination: str,
    has_rounding_sku: bool,
    tax_rounding: str,
    currency: str,
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the body and no problems, or no body and the problems."""
    order = orders["mx" if destination == "rayo" else "ar"]
    account = account_for(destination, has_rounding_sku, tax_rounding, currency)
    try:
        return DESTINATIONS[destination].build_request(order, account, make_store(storefront)).body, []
    except MappingError as error:
        return None, render_problems(error.problems)


# --- what a body comes to, by the body alone ---


def check_rayo(body: dict[str, Any], placed: Placed, charged: int, tax_rounding: str) -> None:
    units: Counter[str] = Counter()
    for product in body["productos"]:
        units[product["identificador"]] += product["cantidad"]
    assert units == placed.units


def check_lapyme(body: dict[str, Any], placed: Placed, charged: int, tax_rounding: str) -> None:
    totals = body["totals"]
    by_rate: dict[int, list[int]] = {}
    units: Counter[str] = Counter()
    for line in body["lines"]:
        assert line["unit_price"] >= 0
        by_rate.setdefault(line["tax_rate_id"], []).append(line["ordered_quantity"] * line["unit_price"])
        units[line["sku_snapshot"]] += line["ordered_quantity"]
        assert line["tax_rate_id"] == RATE_OF.get(line["sku_snapshot"], 5)
    assert totals["total"] == sum(sum(amounts) for amounts in by_rate.values()) == charged
    assert totals["subtotal"] + totals["tax_amount"] == totals["total"]
    assert totals["subtotal"] == sum(
        half_up(Fraction(amount * 1000, 1000 + PER_MILLE[rate]))
        for rate, amounts in by_rate.items()
        for amount in (amounts if tax_rounding == "line" else [sum(amounts)])
    )
    assert {sku: count for sku, count in units.items() if sku.startswith("SKU-")} == placed.units


def check_centelar(body: dict[str, Any], placed: Placed, charged: int, tax_rounding: str) -> None:
    items = sum((Fraction(str(item["price"])) * item["quantity"] for item in body["items"]), Fraction(0))
    shipping = Fraction(str(body.get("shipping_cost", 0)))
    assert (items + shipping) * 100 == charged
    assert Fraction(str(body["price"])) * 100 == charged
    assert all(item["price"] >= 0 for item in body["items"])
    assert all(re.fullmatch(r"\d+\.\d\d", payment["amount"]) for payment in body["payments"])
    assert sum(cents(payment["amount"]) for payment in body["payments"]) == charged
    units: Counter[str] = Counter()
    for item in body["items"]:
        units[item["product_code"]] += item["quantity"]
    assert {sku: count for sku, count in units.items() if sku.startswith("SKU-")} == placed.units


CHECKS = {"rayo": check_rayo, "lapyme": check_lapyme, "centelar": check_centelar}


def check_arithmetic(problem: str, charged: int) -> int:
    """Check that a problem's own arithmetic holds. Return by how much it differs from what was charged."""
    said = ARITHMETIC.fullmatch(problem)
    assert said, problem
    terms = sum((-1 if sign == "− " else 1) * cents(amount) for sign, _, amount in TERM.findall(said["terms"]))
    assert terms == cents(said["sum"]) != cents(said["charged"]) == charged, problem
    return terms - charged


def exceptions_of(destination: str, placed: Placed) -> tuple[str, ...]:
    """Return how the problems begin by which a destination turns down an order that adds up: docs/money.md has why."""
    if destination == "rayo":
        return () if placed.units else ("Products are missing: nothing is left to ship.",)
    return (
        *([] if placed.units else ["Products are missing: nothing was charged."]),
        *(["Charges > fee of -"] if placed.off > placed.bears else []),
        *(["Charges > rounding of "] if placed.bears - placed.off <= placed.slack else []),
    )


common = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
accounts = st.tuples(st.booleans(), st.sampled_from(["order", "line"]))


@pytest.mark.parametrize("storefront", ORDERS)
@common
@given(data=st.data())
def test_order_that_adds_up_becomes_a_body_that_adds_up_to_what_was_charged(storefront: str, data: Any) -> None:
    placed = data.draw(ORDERS[storefront])
    has_rounding_sku, tax_rounding = data.draw(accounts)
    orders = order_of(storefront, placed)
    assert orders["ar"].total * 100 == placed.charged
    for kind in placed.kinds:
        event(f"kind: {kind}")
    for destination, check in CHECKS.items():
        body, problems = come_to(storefront, orders, destination, has_rounding_sku, tax_rounding, placed.currency)
        if body is not None:
            event(f"{destination}: a body")
            check(body, placed, charged=placed.charged, tax_rounding=tax_rounding)
            continue
        for problem in problems:
            exceptions = [start for start in exceptions_of(destination, placed) if problem.startswith(start)]
            assert len(exceptions) == 1, problems
            [exception] = exceptions
            event(f"{destination}: {exception}…")


# --- figures that do not add up ---

#: Where each platform says what was charged, the amounts that make it up by line, and the others.
FIGURES = {
    "shopify": ("current_total_price", ("line_items", "price"), ()),
    "tiendanube": ("total", ("products", "price"), ("shipping_cost_customer", "discount")),
    "woocommerce": ("total", ("line_items", "total"), ()),
}
#: Of these the sum decides what is meant, or some of it is reckoned: a cent more may mean something else.
UNSURE = {"goodwill", "gift card", "edited", "two currencies"}


def alter(fields: dict[str, Any], storefront: str, placed: Placed, choice: int, by: int) -> tuple[dict[str, Any], int]:
    """Change one amount by some cents. Return the fields, and by how much their sum now exceeds what was charged."""
    of_charge, (of_lines, of_line), others = FIGURES[storefront]
    places = [of_charge, *others, *(line["sku"] for line in fields[of_lines] if line["sku"] in placed.units)]
    place = places[choice % len(places)]
    if place == of_charge:
        return fields | {place: text(cents(fields[place]) + by)}, -by
    if place == "discount":
        old, new = cents(fields[place]), cents(fields[place]) + by
        return fields | {place: text(new)}, old - max(new, 0)
    if place in fields:
        return fields | {place: text(cents(fields[place]) + by)}, by
    lines = [
        line | {of_line: text(cents(line[of_line]) + by)} if line["sku"] == place else line for line in fields[of_lines]
    ]
    [quantity] = [int(line["quantity"]) for line in fields[of_lines] if line["sku"] == place]
    return fields | {of_lines: lines}, by * (1 if storefront == "woocommerce" else quantity)


@pytest.mark.parametrize("storefront", ORDERS)
@common
@given(
    data=st.data(),
    choice=st.integers(0, 9),
    by=st.one_of(st.integers(-3, 3), st.integers(-100_000, 100_000)).filter(bool),
)
def test_figures_that_do_not_add_up_are_shown_with_their_arithmetic(
    storefront: str, data: Any, choice: int, by: int
) -> None:
    placed = data.draw(ORDERS[storefront].filter(lambda one: one.units and not one.kinds & UNSURE))
    has_rounding_sku, tax_rounding = data.draw(accounts)
    unit = 100 if "no decimals" in placed.kinds else 1
    fields, excess = alter(placed.fields, storefront, placed, choice, by * unit)
    if unit == 100:
        fields = fields | {"total": fields["total"].removesuffix(".00")}
    order = read(storefront, SAMPLES[f"{storefront}_ar"] | fields, **placed.store)
    charged = int(order.total * 100)
    for destination in ("lapyme", "centelar"):
        body, problems = come_to(
            storefront, {"ar": order}, destination, has_rounding_sku, tax_rounding, placed.currency
        )
        faults = [problem for problem in problems if problem.startswith("Total: ")]
        event(f"{destination}: {'a body' if body else 'arithmetic' if faults else 'another problem'}")
        if body is not None:
            CHECKS[destination](body, placed, charged=charged, tax_rounding=tax_rounding)
        assert faults if abs(excess - placed.rounded) > placed.slack else excess or not faults
        for fault in faults:
            assert abs(check_arithmetic(fault, charged) - excess) <= placed.slack
