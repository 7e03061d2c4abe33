"""The rules of docs/money.md, one by one, on orders small enough to reckon by hand."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from marshmallow import ValidationError

from mappings import STOREFRONTS
from mappings.order import Charge, Line, Order, Payment, Shipping
from mappings.problems import render_problems
from tests.support.mapping_cases import SAMPLES, line, make_store, order_payments, problems_of, read, with_parts, write

STOREFRONT = STOREFRONTS["shopify"]

ORDER = read("shopify", SAMPLES["shopify_ar"])


def order_of(*lines: Line, shipping: Sequence[Shipping] = (), charges: Sequence[Charge] = ()) -> Order:
    """Return an order of these parts, paid by Mercado Pago."""
    order = with_parts(ORDER, *lines, shipping=shipping, charges=charges)
    return replace(order, tax=None, payments=[Payment(gateway="mercadopago", amount=order.total)])


def charge(kind: str, total: str, name: None = None) -> Charge:
    return Charge(kind=kind, name=name, total=Decimal(total))


def shipping(total: str) -> Shipping:
    return Shipping(name="Correo", total=Decimal(total))


def lines_at_lapyme(order: Order, **account: dict[str, Any]) -> list[tuple[str, int, int]]:
    body = write(order, "lapyme", **account).body
    assert body["totals"]["total"] == order.total * 100
    return [(each["sku_snapshot"], each["ordered_quantity"], each["unit_price"]) for each in body["lines"]]


def in_short(order: Order) -> tuple[list[tuple[Any, ...]], list[str], list[Any], str]:
    lines = [(each.sku, each.quantity, str(each.total)) for each in order.lines]
    charges = [(each.kind, str(each.total)) for each in order.charges]
    return lines, [str(each.total) for each in order.shipping], charges, str(order.total)


# --- charges that are no lines ---


def test_discount_that_is_a_negative_fee_comes_off_the_products_in_proportion() -> None:
    order = order_of(line("300.00", sku="A"), line("100.00", sku="B"), charges=[charge("fee", "-40.00")])
    assert lines_at_lapyme(order) == [("A", 1, 27000), ("B", 1, 9000)]
    body = write(order, "centelar").body
    assert [(item["product_code"], item["price"]) for item in body["items"]] == [("A", 270), ("B", 90)]
    assert body["price"] == 360


@pytest.mark.parametrize(("destination", "vendor"), [("lapyme", "LaPyme"), ("centelar", "Centelar")])
def test_charge_that_comes_off_the_products_is_a_warning(destination: str, vendor: str) -> None:
    order = order_of(line("300.00"), charges=[charge("fee", "-40.00")])
    said = f"Charges > fee of -40.00 is taken off the products: {vendor} takes no negative lines."
    assert said in render_problems(write(order, destination).warnings)


def test_discount_beyond_the_products_comes_off_the_shipping() -> None:
    order = order_of(line("30.00"), shipping=[shipping("20.00")], charges=[charge("fee", "-40.00")])
    assert lines_at_lapyme(order) == [("MATE", 1, 0), ("ENVIO", 1, 1000)]
    assert write(order, "centelar").body["shipping_cost"] == 10


@pytest.mark.parametrize(
    ("cents", "charges", "lines"),
    [
        ("0.01", {}, [("MATE", 1, 1001), ("MATE", 1, 1000)]),
        ("-0.01", {}, [("MATE", 1, 1000), ("MATE", 1, 999)]),
        ("0.01", {"rounding": "REDONDEO"}, [("MATE", 2, 1000), ("REDONDEO", 1, 1)]),
        ("-0.01", {"rounding": "REDONDEO"}, [("MATE", 1, 1000), ("MATE", 1, 999)]),
    ],
)
def test_rounding_is_a_line_by_the_table_and_else_part_of_the_products(
    cents: str, charges: dict[str, Any], lines: list[tuple[str, int, int]]
) -> None:
    order = order_of(line("20.00", quantity=2), charges=[charge("rounding", cents)])
    assert lines_at_lapyme(order, charges=charges) == lines


def test_rounding_of_free_products_goes_on_the_shipping_or_is_a_problem() -> None:
    free = line("0.00")
    rounded = [charge("rounding", "0.01")]
    shipped = order_of(free, shipping=[shipping("5.00")], charges=rounded)
    assert lines_at_lapyme(shipped, charges={}) == [("MATE", 1, 0), ("ENVIO", 1, 501)]
    [problem] = problems_of(order_of(free, charges=rounded), "lapyme", charges={})
    assert problem.startswith("Charges > rounding of 0.01 has no SKU: add a row ")


# --- arithmetic that does not hold ---


@pytest.mark.parametrize("destination", ["lapyme", "centelar"])
def test_every_part_of_the_sum_is_shown(destination: str) -> None:
    charges = [charge("tip", "7.00"), charge("fee", "-9.50")]
    order = replace(order_of(line("100.00"), shipping=[shipping("20.00")], charges=charges), total=Decimal("117.51"))
    [total, *_] = problems_of(order, destination)
    assert total == "Total: products 100.00 + shipping 20.00 + tip 7.00 − fee 9.50 = 117.50, but 117.51 was charged."


def test_discount_that_does_not_explain_the_total_is_shown() -> None:
    payload = deepcopy(SAMPLES["tiendanube_ar"]) | {"total": "27000.01"}
    assert problems_of(read("tiendanube", payload), "lapyme") == [
        "Total: products 31000.00 − discount 4000.00 = 27000.00, but 27000.01 was charged."
    ]


# --- Shopify ---


@pytest.fixture
def payload() -> dict[str, Any]:
    """Three of a yerba at 4000.00 less 499.99, a mate at 11000.00 less 500.00, shipping of 3000.00; tax included."""
    return deepcopy(SAMPLES["shopify_ar"])


def money(shop: str, customer: str = "1") -> dict[str, Any]:
    return {"shop_money": {"amount": shop}, "presentment_money": {"amount": customer}}


TIP = {"id": 3, "name": "Tip", "sku": None, "quantity": 1, "price": "350.00", "tip": {"payment_gateway": None}}


def test_tip_that_is_a_line_is_a_charge_and_counts_once(payload: dict[str, Any]) -> None:
    payload["line_items"].append(TIP)
    order = read("shopify", payload | {"total_tip_received": "350.00", "current_total_price": "25350.01"})
    assert [each.sku for each in order.lines] == ["7791234567898", "MATE-CUERO"]
    assert order.charges == [charge("tip", "350.00")]
    assert problems_of(order, "lapyme") == []


@pytest.mark.parametrize(
    "refund",
    [
        {"order_adjustments": [{"kind": "shipping_refund", "amount": "-826.45", "tax_amount": "-173.55"}]},
        {
            "order_adjustments": [
                {"kind": "shipping_refund", "amount_set": money("-826.45"), "tax_amount_set": money("-173.55")}
            ]
        },
        {"refund_shipping_lines": [{"subtotal_amount_set": money("1000.00")}]},
        {
            "order_adjustments": [{"kind": "shipping_refund", "amount": "-826.45", "tax_amount": "-173.55"}],
            "refund_shipping_lines": [{"subtotal_amount_set": money("1000.00")}],
        },
    ],
)
def test_shipping_refund_comes_off_however_a_version_of_the_api_tells_it(
    payload: dict[str, Any], refund: dict[str, Any]
) -> None:
    order = read("shopify", payload | {"refunds": [refund], "current_total_price": "24000.01"})
    assert [(each.total, each.tax) for each in order.shipping] == [(Decimal("2000.00"), Decimal("347.11"))]
    assert order.parts_total == order.total


@pytest.mark.parametrize("current", ["25000.01", "24000.01"])
def test_money_given_back_for_no_product_comes_off_products_and_total(payload: dict[str, Any], current: str) -> None:
    goodwill = {"kind": "refund_discrepancy", "amount": "-1000.00", "tax_amount": "0.00"}
    order = read("shopify", payload | {"refunds": [{"order_adjustments": [goodwill]}], "current_total_price": current})
    assert in_short(order) == (
        [("7791234567898", 3, "10977.28"), ("MATE-CUERO", 1, "10022.73")],
        ["3000.00"],
        [],
        "24000.01",
    )
    assert [payment.amount for payment in order_payments(order)] == [Decimal("24000.01")]


def test_refund_of_less_than_was_due_changes_nothing_where_the_total_does_not(payload: dict[str, Any]) -> None:
    less = {"kind": "refund_discrepancy", "amount": "1000.00", "tax_amount": "0.00"}
    order = read("shopify", payload | {"refunds": [{"order_adjustments": [less]}]})
    assert order == read("shopify", payload)


def test_tax_on_top_that_was_rounded_in_one_sum_leaves_a_rounding(payload: dict[str, Any]) -> None:
    taxed = {"taxes_included": False, "current_total_price": "29338.84", "current_total_tax": "4338.83"}
    order = read("shopify", payload | taxed)
    assert (order.charges, order.parts_total) == ([charge("rounding", "-0.01")], order.total)


@pytest.mark.parametrize("changes", [{"current_total_tax": "4338.84"}, {"taxes_included": True}])
def test_cent_that_tax_does_not_explain_is_no_rounding(payload: dict[str, Any], changes: dict[str, Any]) -> None:
    order = read("shopify", payload | {"taxes_included": False, "current_total_price": "29338.84"} | changes)
    assert order.charges == []
    assert order.parts_total != order.total


def in_two_currencies(payload: dict[str, Any]) -> dict[str, Any]:
    """Return an order of a shop in dollars that was paid in pesos, at 1000 pesos a dollar."""
    fields = {
        "currency": "USD",
        "presentment_currency": "ARS",
        "current_total_price": "22.00",
        "current_total_price_set": money("22.00", "21999.97"),
        "shipping_lines": [],
    }
    for each, price, off in zip(payload["line_items"], ("4.00", "11.00"), ("0.50", "0.50"), strict=True):
        each |= {"price": price, "price_set": money(price, f"{Decimal(price) * 1000:.2f}")}
        each["discount_allocations"] = [{"amount": off, "amount_set": money(off, f"{Decimal(off) * 1000 + 1:.2f}")}]
    payload["line_items"][0]["discount_allocations"][0]["amount_set"] = money("0.50", "500.03")
    payload["line_items"][1]["discount_allocations"][0]["amount_set"] = money("0.50", "500.00")
    return payload | fields


@pytest.mark.parametrize(
    ("settings", "currency", "totals", "total"),
    [
        ({}, "USD", ["11.50", "10.50"], "22.00"),
        ({"money": "shop"}, "USD", ["11.50", "10.50"], "22.00"),
        ({"money": "presentment"}, "ARS", ["11499.97", "10500.00"], "21999.97"),
    ],
)
def test_store_says_which_of_two_currencies_counts(
    payload: dict[str, Any], settings: dict[str, Any], currency: str, totals: list[str], total: str
) -> None:
    order = read("shopify", in_two_currencies(payload), **settings)
    assert (order.currency, [str(each.total) for each in order.lines], str(order.total)) == (currency, totals, total)
    assert order.payments == [Payment(gateway="Mercado Pago", name="Mercado Pago", amount=Decimal(total))]
    assert order.parts_total == order.total


def test_order_in_one_currency_is_read_alike_whichever_counts(payload: dict[str, Any]) -> None:
    assert read("shopify", payload, money="presentment") == read("shopify", payload)


def test_cents_that_conversion_leaves_are_a_rounding(payload: dict[str, Any]) -> None:
    order = read("shopify", in_two_currencies(payload) | {"current_total_price": "21.99"})
    assert order.charges == [charge("rounding", "-0.01")]


def test_product_that_conversion_leaves_below_zero_is_free(payload: dict[str, Any]) -> None:
    payload = in_two_currencies(payload) | {"current_total_price": "11.50"}
    payload["line_items"][1] |= {"price": "0.48"}
    order = read("shopify", payload)
    assert [each.total for each in order.lines] == [Decimal("11.50"), Decimal("0.00")]
    assert order.parts_total == order.total


def test_transactions_are_fetched_in_the_currency_that_counts(payload: dict[str, Any]) -> None:
    api = {"api_url": "https://tienda.myshopify.com", "api_token": "ficha", "money": "presentment"}
    several = payload | {"payment_gateway_names": ["a", "b"]}
    [fetch] = STOREFRONT.required_fetches(several, make_store("shopify", **api), frozenset({"payments"}))
    assert fetch.path == "/admin/api/2026-10/orders/5678901234999/transactions.json"


def test_money_that_is_neither_of_the_two_is_a_fault() -> None:
    with pytest.raises(ValidationError) as caught:
        make_store("shopify", money="euros")
    assert caught.value.messages == {"money": ["must be one of: shop, presentment."]}


# --- WooCommerce ---


@pytest.mark.parametrize("plugin", ["gift_cards", "pw_gift_cards_redeemed"])
def test_gift_card_is_a_payment_and_the_charge_holds_it(plugin: str) -> None:
    cards = {plugin: [{"code": "A", "amount": "6000.00"}, {"code": "B", "amount": 480}], "total": "10000.00"}
    order = read("woocommerce", SAMPLES["woocommerce_ar"] | cards)
    assert (order.total, order.parts_total) == (Decimal("16480.00"), Decimal("16480.00"))
    assert order.payments == [
        Payment(gateway="gift_card", name="Gift card", amount=Decimal("6480.00")),
        Payment(gateway="bacs", name="Transferencia bancaria", amount=Decimal("10000.00")),
    ]


def test_gift_card_that_paid_all_needs_no_other_payment() -> None:
    cards = {"gift_cards": [{"amount": "16480.00"}], "total": "0.00", "payment_method": "", "payment_method_title": ""}
    order = read("woocommerce", SAMPLES["woocommerce_ar"] | cards)
    assert order.payments == [Payment(gateway="gift_card", name="Gift card", amount=Decimal("16480.00"))]


def test_gift_card_that_the_total_still_holds_is_not_added() -> None:
    order = read("woocommerce", SAMPLES["woocommerce_ar"] | {"gift_cards": [{"amount": "480.00"}]})
    assert order == read("woocommerce", SAMPLES["woocommerce_ar"])


@pytest.mark.parametrize(("total", "charges"), [("16481", ["fee", "rounding"]), ("16481.00", ["fee"])])
def test_shop_without_decimals_is_rounded_to_pesos(total: str, charges: list[str]) -> None:
    order = read("woocommerce", SAMPLES["woocommerce_ar"] | {"total": total})
    assert [each.kind for each in order.charges] == charges
