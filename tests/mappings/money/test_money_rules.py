"""The rules of docs/money.md, one by one, on orders small enough to calculate by hand."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from mappings import STOREFRONTS
from mappings.money.allocation import round_amounts
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
    warning = f"Charges > fee of -40.00 is subtracted from the products: {vendor} accepts no negative lines."
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


def wallet_fee(total: str, tax: str = "0.00", name: str = "Vía billetera", key: str | None = None) -> dict[str, Any]:
    meta = [{"id": 1, "key": "_legacy_fee_key", "value": key}] if key else []
    return {"id": 61, "name": name, "total": total, "total_tax": tax, "tax_status": "none", "meta_data": meta}


@pytest.mark.parametrize(
    ("fee", "total_tax"),
    [
        (wallet_fee("-5000.00", key="_via_wallet_partial_payment"), "2860.16"),
        (wallet_fee("-5000.00", key="via_wallet_partial_payment"), "2860.16"),
        (wallet_fee("-5000.00", name="Via wallet"), "2860.16"),
        (wallet_fee("-4132.23", "-867.77", key="_via_wallet_partial_payment"), "1992.39"),
        (wallet_fee("-5000.00") | {"meta_data": [{"key": "_pos_store_credit", "value": "7"}]}, "2860.16"),
    ],
)
def test_what_a_wallet_paid_is_a_payment_and_the_sale_stays_whole(fee: dict[str, Any], total_tax: str) -> None:
    sample = SAMPLES["woocommerce_ar"]
    whole = parse_order("woocommerce", sample)
    payload = sample | {"fee_lines": [*sample["fee_lines"], fee], "total": "11480.00", "total_tax": total_tax}
    order = parse_order("woocommerce", payload)
    wallet, bank = order_payments(order)
    assert (wallet.amount, bank.amount) == (Decimal("5000.00"), Decimal("11480.00"))
    assert wallet.name == fee["name"]
    assert replace(order, payments=whole.payments) == whole
    assert build_body(order, "lapyme", charges={"fee": "R"}) == build_body(whole, "lapyme", charges={"fee": "R"})


@pytest.mark.parametrize("key", [None, "descuento-por-pagar-con-wallet"])
def test_other_fees_below_zero_are_discounts(key: str | None) -> None:
    sample = SAMPLES["woocommerce_ar"]
    fee = wallet_fee("-1000.00", key=key)
    order = parse_order("woocommerce", sample | {"fee_lines": [*sample["fee_lines"], fee], "total": "15480.00"})
    assert [str(charge.total) for charge in order.charges] == ["500.00", "-1000.00"]
    assert len(order_payments(order)) == 1


def test_refunded_wallet_payment_is_not_booked() -> None:
    sample = SAMPLES["woocommerce_ar"]
    fee = wallet_fee("-5000.00", key="_via_wallet_partial_payment")
    meta = [{"key": "_refunded_item_id", "value": "61"}]
    refund = {"id": 9, "amount": "-3000.00", "line_items": [], "fee_lines": [{"total": "3000.00", "meta_data": meta}]}
    payload = sample | {"fee_lines": [*sample["fee_lines"], fee], "total": "11480.00", "refunds": [refund]}
    order = parse_order("woocommerce", payload)
    assert [str(payment.amount) for payment in order_payments(order)][:1] == ["2000.00"]


def store_credit(discount: str, tax: str = "0.00") -> dict[str, Any]:
    return {"id": 10, "code": "credito-7", "discount": discount, "discount_tax": tax, "discount_type": "smart_coupon"}


@pytest.mark.parametrize("sign", ["", "-"])
def test_store_credit_is_a_payment(sign: str) -> None:
    sample = SAMPLES["woocommerce_ar"]
    whole = parse_order("woocommerce", sample)
    coupons = [*sample["coupon_lines"], store_credit(f"{sign}6480.00")]
    order = parse_order("woocommerce", sample | {"coupon_lines": coupons, "total": "10000.00"})
    assert order.payments == [
        Payment(gateway="smart_coupon", name="Store credit", amount=Decimal("6480.00")),
        Payment(gateway="bacs", name="Transferencia bancaria", amount=Decimal("10000.00")),
    ]
    assert replace(order, payments=whole.payments) == whole


def test_older_woocommerce_has_the_type_of_a_coupon_in_its_meta_data() -> None:
    sample = SAMPLES["woocommerce_ar"]
    meta = [{"id": 1, "key": "coupon_data", "value": {"code": "credito-7", "discount_type": "smart_coupon"}}]
    coupon = {"id": 10, "code": "credito-7", "discount": "6480.00", "discount_tax": "0.00", "meta_data": meta}
    order = parse_order("woocommerce", sample | {"coupon_lines": [coupon], "total": "10000.00"})
    assert [str(payment.amount) for payment in order_payments(order)] == ["6480.00", "10000.00"]


def test_store_credit_applied_before_tax_is_put_back_on_the_lines() -> None:
    sample = deepcopy(SAMPLES["woocommerce_ar"])  # the first line cost 1000.00 more, of which 173.56 was tax
    order = parse_order("woocommerce", sample | {"coupon_lines": [store_credit("826.44", "173.56")]})
    assert [str(line.total) for line in order.lines] == ["10000.00", "3980.00"]
    assert order.parts_total == order.total == Decimal("17480.00")
    assert order.tax == Decimal("3033.72")
    assert [str(payment.amount) for payment in order_payments(order)] == ["1000.00", "16480.00"]


@pytest.mark.parametrize("discount", ["", "x", [], True])
def test_coupon_of_an_odd_amount_stops_no_order(discount: Any) -> None:
    sample = SAMPLES["woocommerce_ar"]
    coupons = [store_credit("0.00") | {"discount": discount}]
    assert parse_order("woocommerce", sample | {"coupon_lines": coupons}) == parse_order("woocommerce", sample)


def test_other_coupons_are_discounts() -> None:
    sample = SAMPLES["woocommerce_ar"]
    coupons = [store_credit("826.44", "173.56") | {"discount_type": "fixed_cart"}]
    assert parse_order("woocommerce", sample | {"coupon_lines": coupons}) == parse_order("woocommerce", sample)


# --- more than two decimals ---

MILLS = st.integers(100, 200_000)  # thousandths


def mills(amount: int) -> str:
    return str(Decimal(amount).scaleb(-3))


@given(
    lines=st.lists(st.tuples(MILLS, MILLS, st.integers(1, 5)), min_size=1, max_size=4),
    shipping_mills=st.integers(0, 9999),
    card=st.integers(0, 100),
)
def test_shop_with_three_decimals_adds_up(lines: list[tuple[int, int, int]], shipping_mills: int, card: int) -> None:
    items = [
        {"id": n, "name": "Resma", "sku": f"R-{n}", "quantity": units, "total": mills(net), "total_tax": mills(tax)}
        for n, (net, tax, units) in enumerate(lines, start=1)
    ]
    sum_mills = sum(net + tax for net, tax, _ in lines) + shipping_mills
    card_mills = sum_mills * card // 200 if card > 10 else 0  # more than rounding may leave
    method = {"id": 90, "method_id": "flat_rate", "method_title": "Correo", "total": mills(shipping_mills)}
    payload = SAMPLES["woocommerce_ar"] | {
        "line_items": items,
        "shipping_lines": [method | {"total_tax": "0.000"}],
        "fee_lines": [],
        "coupon_lines": [],
        "total": mills(sum_mills - card_mills),
        "gift_cards": [{"amount": mills(card_mills)}] if card_mills else [],
    }
    order = parse_order("woocommerce", payload)
    charged = int(Decimal(sum_mills).scaleb(-1).to_integral_value("ROUND_HALF_UP"))
    assert order.total * 100 == order.parts_total * 100 == charged
    assert build_body(order, "lapyme").body["totals"]["total"] == charged
    assert sum(payment.amount for payment in order_payments(order)) * 100 == charged
    assert mapping_problems(order, "centelar", payment_types={"bacs": "promissory", "gift_card": "promissory"}) == []


def test_documented_order_of_three_decimals() -> None:
    items = [
        {"id": 1, "name": "Resma", "sku": "RESMA", "quantity": 1, "total": "33.415", "total_tax": "9.022"},
        {"id": 2, "name": "Lápiz", "sku": "LAPIZ", "quantity": 1, "total": "1.848", "total_tax": "0.499"},
    ]
    parts = {"line_items": items, "shipping_lines": [], "fee_lines": [], "coupon_lines": [], "total": "44.784"}
    order = parse_order("woocommerce", SAMPLES["woocommerce_ar"] | parts)
    assert summarize(order) == (
        [("RESMA", 1, "42.44"), ("LAPIZ", 1, "2.35")],
        [],
        [("rounding", "-0.01")],
        "44.78",
    )
    assert lapyme_lines(order) == [("RESMA", 1, 4243), ("LAPIZ", 1, 235)]


def test_difference_of_exact_amounts_is_no_rounding() -> None:
    order = with_parts(ORDER, line("10.005"), line("10.005"), total="20.05")
    assert round_amounts(order).parts_total == Decimal("20.01")
    [problem] = mapping_problems(round_amounts(order), "lapyme")
    assert problem == "Total: products 20.02 − rounding 0.01 = 20.01, but 20.05 was charged."


@pytest.mark.parametrize(("total", "charges"), [("16481", ["fee", "rounding"]), ("16481.00", ["fee"])])
def test_shop_without_decimals_rounds_to_pesos(total: str, charges: list[str]) -> None:
    order = parse_order("woocommerce", SAMPLES["woocommerce_ar"] | {"total": total})
    assert [charge.kind for charge in order.charges] == charges
