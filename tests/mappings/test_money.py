"""The money of any order, through to each destination: a body adds up to the charge, or a problem shows why not.

Orders are made up by `shops/`, each in its platform's own arithmetic. What a body must come to is reckoned here from
the body alone, by whole numbers and fractions. For longer, and with counts of what came of it:
`pytest tests/mappings/test_money.py --hypothesis-profile=money --hypothesis-show-statistics --timeout=0`.
"""

import re
from collections import Counter
from fractions import Fraction
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from mappings import DESTINATIONS
from mappings.schema import MappingError
from tests.mappings.cases import SAMPLES, make_account, make_store, read
from tests.mappings.shops.placed import cents, half_up
from tests.mappings.shops.shopify import shopify_orders
from tests.mappings.shops.tiendanube import tiendanube_orders
from tests.mappings.shops.woocommerce import woocommerce_orders

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
def account_for(destination, has_rounding_sku, tax_rounding, currency):
    charges = SKUS | ({"rounding": "REDONDEO"} if has_rounding_sku else {})
    return make_account(
        destination,
        **{
            "rayo": {},
            "lapyme": {"charges": charges, "tax_rounding": tax_rounding, "tax_rate_id_by_sku": RATE_OF},
            "centelar": {"charges": charges, "payment_types": TYPES, "free_orders": "send", "currency": currency},
        }[destination],
    )


def order_of(storefront, placed, **changes):
    """Return the order on an Argentine sample and on a Mexican one: Rayo goes to Mexico alone."""
    return {
        country: read(storefront, SAMPLES[f"{storefront}_{country}"] | placed.fields | changes, **placed.store)
        for country in ("ar", "mx")
    }


def come_to(storefront, orders, destination, *settings):
    """Return the body and no problems, or no body and the problems."""
    order = orders["mx" if destination == "rayo" else "ar"]
    account = account_for(destination, *settings)
    try:
        return DESTINATIONS[destination].write(order, account, make_store(storefront)).body, []
    except MappingError as error:
        return None, error.problems


# --- what a body comes to, by the body alone ---


def check_rayo(body, placed, **_):
    units = Counter()
    for product in body["productos"]:
        units[product["identificador"]] += product["cantidad"]
    assert units == placed.units


def check_lapyme(body, placed, charged, tax_rounding):
    totals, by_rate, units = body["totals"], {}, Counter()
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


def check_centelar(body, placed, charged, **_):
    items = sum((Fraction(str(item["price"])) * item["quantity"] for item in body["items"]), Fraction(0))
    shipping = Fraction(str(body.get("shipping_cost", 0)))
    assert (items + shipping) * 100 == charged
    assert Fraction(str(body["price"])) * 100 == charged
    assert all(item["price"] >= 0 for item in body["items"])
    assert all(re.fullmatch(r"\d+\.\d\d", payment["amount"]) for payment in body["payments"])
    assert sum(cents(payment["amount"]) for payment in body["payments"]) == charged
    units = Counter()
    for item in body["items"]:
        units[item["product_code"]] += item["quantity"]
    assert {sku: count for sku, count in units.items() if sku.startswith("SKU-")} == placed.units


CHECKS = {"rayo": check_rayo, "lapyme": check_lapyme, "centelar": check_centelar}


def check_arithmetic(problem, charged):
    """Check that a problem's own arithmetic holds, and really differs from what was charged."""
    said = ARITHMETIC.fullmatch(problem)
    assert said, problem
    terms = sum((-1 if sign == "− " else 1) * cents(amount) for sign, _, amount in TERM.findall(said["terms"]))
    assert terms == cents(said["sum"]) != cents(said["charged"]) == charged, problem


def exceptions_of(destination, placed):
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
def test_order_that_adds_up_becomes_a_body_that_adds_up_to_what_was_charged(storefront, data):
    placed = data.draw(ORDERS[storefront])
    has_rounding_sku, tax_rounding = data.draw(accounts)
    orders = order_of(storefront, placed)
    assert orders["ar"].total * 100 == placed.charged
    for kind in placed.kinds:
        event(f"kind: {kind}")
    for destination, check in CHECKS.items():
        body, problems = come_to(storefront, orders, destination, has_rounding_sku, tax_rounding, placed.currency)
        event(f"{destination}: {'a body' if body else problems[0].split('-')[0]}")
        if body is None:
            exceptions = exceptions_of(destination, placed)
            assert exceptions, problems
            assert all(problem.startswith(exceptions) for problem in problems), problems
        else:
            check(body, placed, charged=placed.charged, tax_rounding=tax_rounding)
