"""The rules of docs/money.md, one by one, on orders small enough to calculate by hand."""

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
from tests.support.mapping_cases import (
    SAMPLES,
    build_body,
    build_store,
    line,
    mapping_problems,
    order_payments,
    parse_order,
    with_parts,
)

STOREFRONT = STOREFRONTS["shopify"]

ORDER = parse_order("shopify", SAMPLES["shopify_ar"])


def paid_order(*lines: Line, shipping: Sequence[Shipping] = (), charges: Sequence[Charge] = ()) -> Order:
    """Return an order of these lines, paid with Mercado Pago."""
    order = with_parts(ORDER, *lines, shipping=shipping, charges=charges)
    return replace(order, tax=None, payments=[Payment(gateway="mercadopago", amount=order.total)])


def charge(kind: str, total: str, name: None = None) -> Charge:
    return Charge(kind=kind, name=name, total=Decimal(total))


def shipping(total: str) -> Shipping:
    return Shipping(name="Correo", total=Decimal(total))


def lapyme_lines(order: Order, **account: dict[str, Any]) -> list[tuple[str, int, int]]:
    body = build_body(order, "lapyme", **account).body
    assert body["totals"]["total"] == order.total * 100
    return [(line["sku_snapshot"], line["ordered_quantity"], line["unit_price"]) for line in body["lines"]]


def summarize(order: Order) -> tuple[list[tuple[Any, ...]], list[str], list[Any], str]:
    lines = [(line.sku, line.quantity, str(line.total)) for line in order.lines]
    charges = [(line.kind, str(line.total)) for line in order.charges]
    return lines, [str(line.total) for line in order.shipping], charges, str(order.total)


# --- charges that are not lines ---


def test_negative_fee_is_allocated_to_the_products() -> None:
    order = paid_order(line("300.00", sku="A"), line("100.00", sku="B"), charges=[charge("fee", "-40.00")])
    assert lapyme_lines(order) == [("A", 1, 27000), ("B", 1, 9000)]
    body = build_body(order, "centelar").body
    assert [(item["product_code"], item["price"]) for item in body["items"]] == [("A", 270), ("B", 90)]
    assert body["price"] == 360


@pytest.mark.parametrize(("destination", "vendor"), [("lapyme", "LaPyme"), ("centelar", "Centelar")])
def test_charge_deducted_from_the_products_is_a_warning(destination: str, vendor: str) -> None:
    order = paid_order(line("300.00"), charges=[charge("fee", "-40.00")])
    warning = f"Charges > fee of -40.00 is taken off the products: {vendor} takes no negative lines."
    assert warning in render_problems(build_body(order, destination).warnings)


def test_discount_exceeding_the_products_reduces_the_shipping() -> None:
    order = paid_order(line("30.00"), shipping=[shipping("20.00")], charges=[charge("fee", "-40.00")])
    assert lapyme_lines(order) == [("MATE", 1, 0), ("ENVIO", 1, 1000)]
    assert build_body(order, "centelar").body["shipping_cost"] == 10


@pytest.mark.parametrize(
    ("cents", "charges", "lines"),
    [
        ("0.01", {}, [("MATE", 1, 1001), ("MATE", 1, 1000)]),
        ("-0.01", {}, [("MATE", 1, 1000), ("MATE", 1, 999)]),
        ("0.01", {"rounding": "REDONDEO"}, [("MATE", 2, 1000), ("REDONDEO", 1, 1)]),
        ("-0.01", {"rounding": "REDONDEO"}, [("MATE", 1, 1000), ("MATE", 1, 999)]),
    ],
)
def test_rounding_becomes_a_line_or_is_absorbed_by_the_products(
    cents: str, charges: dict[str, Any], lines: list[tuple[str, int, int]]
) -> None:
    order = paid_order(line("20.00", quantity=2), charges=[charge("rounding", cents)])
    assert lapyme_lines(order, charges=charges) == lines


def test_rounding_of_free_products_is_added_to_shipping_or_a_problem() -> None:
    free = line("0.00")
    rounded = [charge("rounding", "0.01")]
    shipped = paid_order(free, shipping=[shipping("5.00")], charges=rounded)
    assert lapyme_lines(shipped, charges={}) == [("MATE", 1, 0), ("ENVIO", 1, 501)]
    [problem] = mapping_problems(paid_order(free, charges=rounded), "lapyme", charges={})
    assert problem.startswith("Charges > rounding of 0.01 has no SKU: add a row ")


# --- mismatched totals ---


@pytest.mark.parametrize("destination", ["lapyme", "centelar"])
def test_mismatch_shows_every_term(destination: str) -> None:
    charges = [charge("tip", "7.00"), charge("fee", "-9.50")]
    order = replace(paid_order(line("100.00"), shipping=[shipping("20.00")], charges=charges), total=Decimal("117.51"))
    [total, *_] = mapping_problems(order, destination)
    assert total == "Total: products 100.00 + shipping 20.00 + tip 7.00 − fee 9.50 = 117.50, but 117.51 was charged."


def test_unexplained_discount_is_shown() -> None:
    payload = deepcopy(SAMPLES["tiendanube_ar"]) | {"total": "27000.01"}
    assert mapping_problems(parse_order("tiendanube", payload), "lapyme") == [
        "Total: products 31000.00 − discount 4000.00 = 27000.00, but 27000.01 was charged."
    ]


# --- Shopify ---


@pytest.fixture
def payload() -> dict[str, Any]:
    """Three of a yerba at 4000.00 less 499.99, a mate at 11000.00 less 500.00, shipping of 3000.00; tax included."""
    return deepcopy(SAMPLES["shopify_ar"])


def shop_money(shop: str, customer: str = "1") -> dict[str, Any]:
    return {"shop_money": {"amount": shop}, "presentment_money": {"amount": customer}}


TIP = {"id": 3, "name": "Tip", "sku": None, "quantity": 1, "price": "350.00", "tip": {"payment_gateway": None}}


def test_tip_line_counts_once_as_a_charge(payload: dict[str, Any]) -> None:
    payload["line_items"].append(TIP)
    order = parse_order("shopify", payload | {"total_tip_received": "350.00", "current_total_price": "25350.01"})
    assert [line.sku for line in order.lines] == ["7791234567898", "MATE-CUERO"]
    assert order.charges == [charge("tip", "350.00")]
    assert mapping_problems(order, "lapyme") == []


@pytest.mark.parametrize(
    "refund",
    [
        {"order_adjustments": [{"kind": "shipping_refund", "amount": "-826.45", "tax_amount": "-173.55"}]},
        {
            "order_adjustments": [
                {
                    "kind": "shipping_refund",
                    "amount_set": shop_money("-826.45"),
                    "tax_amount_set": shop_money("-173.55"),
                }
            ]
        },
        {"refund_shipping_lines": [{"subtotal_amount_set": shop_money("1000.00")}]},
        {
            "order_adjustments": [{"kind": "shipping_refund", "amount": "-826.45", "tax_amount": "-173.55"}],
            "refund_shipping_lines": [{"subtotal_amount_set": shop_money("1000.00")}],
        },
    ],
)
def test_shipping_refund_is_deducted_in_every_api_version(payload: dict[str, Any], refund: dict[str, Any]) -> None:
    order = parse_order("shopify", payload | {"refunds": [refund], "current_total_price": "24000.01"})
    assert [(shipping.total, shipping.tax) for shipping in order.shipping] == [(Decimal("2000.00"), Decimal("347.11"))]
    assert order.parts_total == order.total


@pytest.mark.parametrize("current", ["25000.01", "24000.01"])
def test_refund_without_a_product_reduces_products_and_total(payload: dict[str, Any], current: str) -> None:
    goodwill = {"kind": "refund_discrepancy", "amount": "-1000.00", "tax_amount": "0.00"}
    order = parse_order(
        "shopify", payload | {"refunds": [{"order_adjustments": [goodwill]}], "current_total_price": current}
    )
    assert summarize(order) == (
        [("7791234567898", 3, "10977.28"), ("MATE-CUERO", 1, "10022.73")],
        ["3000.00"],
        [],
        "24000.01",
    )
    assert [payment.amount for payment in order_payments(order)] == [Decimal("24000.01")]


def test_refund_discrepancy_without_effect_on_the_total_is_ignored(payload: dict[str, Any]) -> None:
    less = {"kind": "refund_discrepancy", "amount": "1000.00", "tax_amount": "0.00"}
    order = parse_order("shopify", payload | {"refunds": [{"order_adjustments": [less]}]})
    assert order == parse_order("shopify", payload)


def test_tax_rounded_on_the_total_leaves_a_rounding_charge(payload: dict[str, Any]) -> None:
    taxed = {"taxes_included": False, "current_total_price": "29338.84", "current_total_tax": "4338.83"}
    order = parse_order("shopify", payload | taxed)
    assert (order.charges, order.parts_total) == ([charge("rounding", "-0.01")], order.total)


@pytest.mark.parametrize("changes", [{"current_total_tax": "4338.84"}, {"taxes_included": True}])
def test_cent_not_caused_by_tax_is_not_rounding(payload: dict[str, Any], changes: dict[str, Any]) -> None:
    order = parse_order("shopify", payload | {"taxes_included": False, "current_total_price": "29338.84"} | changes)
    assert order.charges == []
    assert order.parts_total != order.total


def two_currency_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """Return an order of a shop in dollars that was paid in pesos, at 1000 pesos a dollar."""
    fields = {
        "currency": "USD",
        "presentment_currency": "ARS",
        "current_total_price": "22.00",
        "current_total_price_set": shop_money("22.00", "21999.97"),
        "shipping_lines": [],
    }
    for product, price, off in zip(payload["line_items"], ("4.00", "11.00"), ("0.50", "0.50"), strict=True):
        product |= {"price": price, "price_set": shop_money(price, f"{Decimal(price) * 1000:.2f}")}
        product["discount_allocations"] = [
            {"amount": off, "amount_set": shop_money(off, f"{Decimal(off) * 1000 + 1:.2f}")}
        ]
    payload["line_items"][0]["discount_allocations"][0]["amount_set"] = shop_money("0.50", "500.03")
    payload["line_items"][1]["discount_allocations"][0]["amount_set"] = shop_money("0.50", "500.00")
    return payload | fields


@pytest.mark.parametrize(
    ("settings", "currency", "totals", "total"),
    [
        ({}, "USD", ["11.50", "10.50"], "22.00"),
        ({"money": "shop"}, "USD", ["11.50", "10.50"], "22.00"),
        ({"money": "presentment"}, "ARS", ["11499.97", "10500.00"], "21999.97"),
    ],
)
def test_store_setting_selects_the_currency(
    payload: dict[str, Any], settings: dict[str, Any], currency: str, totals: list[str], total: str
) -> None:
    order = parse_order("shopify", two_currency_payload(payload), **settings)
    assert (order.currency, [str(line.total) for line in order.lines], str(order.total)) == (currency, totals, total)
    assert order.payments == [Payment(gateway="Mercado Pago", name="Mercado Pago", amount=Decimal(total))]
    assert order.parts_total == order.total


def test_single_currency_order_is_the_same_for_either_setting(payload: dict[str, Any]) -> None:
    assert parse_order("shopify", payload, money="presentment") == parse_order("shopify", payload)


def test_cents_left_by_conversion_are_a_rounding_charge(payload: dict[str, Any]) -> None:
    order = parse_order("shopify", two_currency_payload(payload) | {"current_total_price": "21.99"})
    assert order.charges == [charge("rounding", "-0.01")]


def test_product_made_negative_by_conversion_is_free(payload: dict[str, Any]) -> None:
    payload = two_currency_payload(payload) | {"current_total_price": "11.50"}
    payload["line_items"][1] |= {"price": "0.48"}
    order = parse_order("shopify", payload)
    assert [line.total for line in order.lines] == [Decimal("11.50"), Decimal("0.00")]
    assert order.parts_total == order.total


def test_transactions_are_fetched_in_the_selected_currency(payload: dict[str, Any]) -> None:
    api = {"api_url": "https://tienda.myshopify.com", "api_token": "ficha", "money": "presentment"}
    several = payload | {"payment_gateway_names": ["a", "b"]}
    [fetch] = STOREFRONT.required_fetches(several, build_store("shopify", **api), frozenset({"payments"}))
    assert fetch.path == "/admin/api/2026-10/orders/5678901234999/transactions.json"


def test_invalid_money_setting_is_an_error() -> None:
    with pytest.raises(ValidationError) as caught:
        build_store("shopify", money="euros")
    assert caught.value.messages == {"money": ["must be one of: shop, presentment."]}


# --- WooCommerce ---


@pytest.mark.parametrize("plugin", ["gift_cards", "pw_gift_cards_redeemed"])
def test_gift_card_is_a_payment_included_in_the_charge(plugin: str) -> None:
    cards = {plugin: [{"code": "A", "amount": "6000.00"}, {"code": "B", "amount": 480}], "total": "10000.00"}
    order = parse_order("woocommerce", SAMPLES["woocommerce_ar"] | cards)
    assert (order.total, order.parts_total) == (Decimal("16480.00"), Decimal("16480.00"))
    assert order.payments == [
        Payment(gateway="gift_card", name="Gift card", amount=Decimal("6480.00")),
        Payment(gateway="bacs", name="Transferencia bancaria", amount=Decimal("10000.00")),
    ]


def test_gift_card_may_pay_the_whole_order() -> None:
    cards = {"gift_cards": [{"amount": "16480.00"}], "total": "0.00", "payment_method": "", "payment_method_title": ""}
    order = parse_order("woocommerce", SAMPLES["woocommerce_ar"] | cards)
    assert order.payments == [Payment(gateway="gift_card", name="Gift card", amount=Decimal("16480.00"))]


def test_gift_card_included_in_the_total_is_not_added() -> None:
    order = parse_order("woocommerce", SAMPLES["woocommerce_ar"] | {"gift_cards": [{"amount": "480.00"}]})
    assert order == parse_order("woocommerce", SAMPLES["woocommerce_ar"])


@pytest.mark.parametrize(("total", "charges"), [("16481", ["fee", "rounding"]), ("16481.00", ["fee"])])
def test_shop_without_decimals_rounds_to_pesos(total: str, charges: list[str]) -> None:
    order = parse_order("woocommerce", SAMPLES["woocommerce_ar"] | {"total": total})
    assert [charge.kind for charge in order.charges] == charges
