from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from mappings import DESTINATIONS
from mappings.destination import Outcome
from mappings.order import Charge, Line, Order, Shipping
from mappings.problems import render_problems
from tests.support.mapping_cases import (
    CUSTOMER_ID,
    SAMPLES,
    WAREHOUSE_ID,
    build_account,
    build_body,
    line,
    mapping_problems,
    parse_order,
    with_parts,
)

DESTINATION = DESTINATIONS["lapyme"]

ORDER = parse_order("shopify", SAMPLES["shopify_ar"])


def with_lines(*lines: Line, **parts: Any) -> Order:
    return replace(with_parts(ORDER, *lines, **parts), tax=None)


def line_prices(body: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(line["sku_snapshot"], line["ordered_quantity"], line["unit_price"]) for line in body["lines"]]


def test_shopify_order_maps_to_a_lapyme_body() -> None:
    assert build_body(ORDER, "lapyme").body == {
        "customer_id": CUSTOMER_ID,
        "assigned_warehouse_id": WAREHOUSE_ID,
        "totals": {"subtotal": 2066117, "tax_amount": 433884, "total": 2500001},
        "lines": [
            {
                "product_name_snapshot": "Yerba mate orgánica - 1 kg",
                "sku_snapshot": "7791234567898",
                "ordered_quantity": 2,
                "unit_price": 383334,
                "tax_rate_id": 5,
            },
            {
                "product_name_snapshot": "Yerba mate orgánica - 1 kg",
                "sku_snapshot": "7791234567898",
                "ordered_quantity": 1,
                "unit_price": 383333,
                "tax_rate_id": 5,
            },
            {
                "product_name_snapshot": "Mate forrado en cuero",
                "sku_snapshot": "MATE-CUERO",
                "ordered_quantity": 1,
                "unit_price": 1050000,
                "tax_rate_id": 5,
            },
            {
                "product_name_snapshot": "Envío",
                "sku_snapshot": "ENVIO",
                "ordered_quantity": 1,
                "unit_price": 300000,
                "tax_rate_id": 5,
            },
        ],
        "delivery_method": "shipping",
        "order_date": "2026-11-20T18:40:18Z",
        "currency": "PES",
        "notes": "shopify #2077",
    }


def test_woocommerce_order_maps_to_a_lapyme_body() -> None:
    order = parse_order("woocommerce", SAMPLES["woocommerce_ar"])
    assert build_body(order, "lapyme", charges={"fee": "RECARGO"}).body == {
        "customer_id": CUSTOMER_ID,
        "assigned_warehouse_id": WAREHOUSE_ID,
        "totals": {"subtotal": 1361983, "tax_amount": 286017, "total": 1648000},
        "lines": [
            {
                "product_name_snapshot": "Yerba mate orgánica",
                "sku_snapshot": "7791234567898",
                "ordered_quantity": 3,
                "unit_price": 300000,
                "tax_rate_id": 5,
            },
            {
                "product_name_snapshot": "Taza & plato",
                "sku_snapshot": "TAZA-01",
                "ordered_quantity": 2,
                "unit_price": 199000,
                "tax_rate_id": 5,
            },
            {
                "product_name_snapshot": "Envío",
                "sku_snapshot": "ENVIO",
                "ordered_quantity": 1,
                "unit_price": 300000,
                "tax_rate_id": 5,
            },
            {
                "product_name_snapshot": "Embalaje para regalo",
                "sku_snapshot": "RECARGO",
                "ordered_quantity": 1,
                "unit_price": 50000,
                "tax_rate_id": 5,
            },
        ],
        "delivery_method": "shipping",
        "order_date": "2026-11-21T16:20:00Z",
        "currency": "PES",
        "notes": "woocommerce 240",
    }


def test_free_shipping_is_no_line() -> None:
    order = with_lines(line("10"), shipping=[Shipping(name="Gratis", total=Decimal(0))])
    assert line_prices(build_body(order, "lapyme").body) == [("MATE", 1, 1000)]


def test_zero_charge_is_ignored() -> None:
    order = with_lines(line("10"), charges=[Charge(kind="tip", total=Decimal(0))])
    assert line_prices(build_body(order, "lapyme").body) == [("MATE", 1, 1000)]


def test_indivisible_price_is_split_with_dearer_units_first() -> None:
    assert line_prices(build_body(with_lines(line("10.00", quantity=3)), "lapyme").body) == [
        ("MATE", 1, 334),
        ("MATE", 2, 333),
    ]


@pytest.mark.parametrize(
    ("rounding", "totals"),
    [
        ("order", {"subtotal": 826, "tax_amount": 173, "total": 999}),
        ("line", {"subtotal": 825, "tax_amount": 174, "total": 999}),
    ],
)
def test_net_amount_is_rounded_per_order_or_per_line(rounding: str, totals: dict[str, Any]) -> None:
    order = with_lines(*[line("3.33") for _ in range(3)])
    assert build_body(order, "lapyme", tax_rounding=rounding).body["totals"] == totals


def test_tax_is_calculated_per_rate() -> None:
    order = with_lines(line("121.00"), line("110.50", sku="LIBRO"), line("50.00", sku="EXENTO"))
    body = build_body(order, "lapyme", tax_rate_id_by_sku={"LIBRO": 4, "EXENTO": 3}).body
    assert [body_line["tax_rate_id"] for body_line in body["lines"]] == [5, 4, 3]
    assert body["totals"] == {"subtotal": 10000 + 10000 + 5000, "tax_amount": 2100 + 1050, "total": 28150}


def test_tax_rates_and_products_follow_the_settings() -> None:
    product = "11111111-2222-4333-8444-555555555555"
    settings = {"tax_rates": {"9": 25}, "tax_rate_id": 9, "product_id_by_sku": {"MATE": product}}
    body = build_body(with_lines(line("125.00")), "lapyme", **settings).body
    assert body["lines"][0]["product_id"] == product
    assert body["lines"][0]["tax_rate_id"] == 9
    assert body["totals"] == {"subtotal": 10000, "tax_amount": 2500, "total": 12500}


def test_shipping_and_notes_follow_the_settings() -> None:
    settings = {
        "shipping_sku": "FLETE",
        "shipping_name": "Flete",
        "notes": "{store}/{storefront}/{order_id}/{number}",
    }
    order = with_lines(line("1"), shipping=[Shipping(total=Decimal("2"))])
    body = build_body(order, "lapyme", **settings).body
    assert line_prices(body) == [("MATE", 1, 100), ("FLETE", 1, 200)]
    assert body["lines"][1]["product_name_snapshot"] == "Flete"
    assert body["notes"] == "tienda/shopify/5678901234999/#2077"


@pytest.mark.parametrize(("is_pickup", "method"), [(True, "pickup"), (False, "shipping"), (None, None)])
def test_delivery_method_is_omitted_when_unknown(is_pickup: bool | None, method: str | None) -> None:
    assert build_body(replace(ORDER, is_pickup=is_pickup), "lapyme").body.get("delivery_method") == method


def test_order_without_an_address_is_no_problem() -> None:
    assert mapping_problems(replace(ORDER, ship_to=None, bill_to=None), "lapyme") == []


def test_unmapped_currency_is_a_problem() -> None:
    assert mapping_problems(replace(ORDER, currency="MXN"), "lapyme") == [
        "Currency “MXN” is not served; only ARS, USD."
    ]


def test_currency_codes_follow_the_settings() -> None:
    assert build_body(ORDER, "lapyme", currencies={"ARS": "ARS"}).body["currency"] == "ARS"


@pytest.mark.parametrize(
    ("charge", "problem"),
    [
        (
            Charge(kind="tip", total=Decimal("50.00")),
            'Charges > tip of 50.00 has no SKU: add a row "tip" = "SKU" to `charges`, or run '
            "`connector table set --account cuenta charges tip SKU`.",
        ),
        (
            Charge(kind="fee", total=Decimal("-100.01")),
            "Charges > fee of -100.01 exceeds the price of the products, and LaPyme accepts no negative lines.",
        ),
    ],
)
def test_charge_without_a_line_code_is_a_problem(charge: Charge, problem: str) -> None:
    assert mapping_problems(with_lines(line("100"), charges=[charge]), "lapyme", charges={}) == [problem]


def test_charge_becomes_a_line_by_the_lookup_table() -> None:
    order = with_lines(line("100"), charges=[Charge(kind="tip", total=Decimal("50.00"))])
    assert line_prices(build_body(order, "lapyme", charges={"tip": "PROPINA"}).body) == [
        ("MATE", 1, 10000),
        ("PROPINA", 1, 5000),
    ]


def test_mismatched_total_is_a_problem_with_its_arithmetic() -> None:
    order = with_lines(line("100"), shipping=[Shipping(total=Decimal("20"))], total="119.99")
    arithmetic = "Total: products 100.00 + shipping 20.00 = 120.00, but 119.99 was charged."
    assert mapping_problems(order, "lapyme") == [arithmetic]
    assert arithmetic in render_problems(build_body(order, "lapyme", totals="warn").warnings)


def test_line_without_sku_is_reported_by_its_number_in_the_order() -> None:
    order = with_lines(line("10", quantity=3), line("10", sku=None))
    assert mapping_problems(order, "lapyme") == ["Products > line 2 > SKU is missing."]


def test_empty_order_is_a_problem() -> None:
    assert mapping_problems(with_lines(), "lapyme") == ["Products are missing: nothing was charged."]


@pytest.mark.parametrize(("tax", "is_warned"), [("17.35", False), ("17.37", False), ("17.38", True), ("0", True)])
def test_different_storefront_tax_is_a_warning(tax: str, is_warned: bool) -> None:
    warnings = render_problems(build_body(replace(with_lines(line("100")), tax=Decimal(tax)), "lapyme").warnings)
    warning = f"Tax: the storefront calculated {Decimal(tax):.2f}, the account's rates give 17.36."
    assert (warning in warnings) is is_warned


def test_data_lapyme_cannot_receive_is_a_warning() -> None:
    assert render_problems(build_body(replace(ORDER, document="30111222", note="Timbre 4"), "lapyme").warnings) == [
        "Tax document is not sent: LaPyme books the order on the account's customer.",
        "Company is not sent: LaPyme books the order on the account's customer.",
        "Shipping address is not sent: LaPyme has no field for it.",
        "Customer note is not sent: LaPyme has no field for it.",
    ]


def test_pickup_without_an_address_has_no_warning() -> None:
    assert render_problems(build_body(replace(ORDER, is_pickup=True, bill_to=None), "lapyme").warnings) == []


amounts = st.integers(0, 10**9).map(lambda cents: Decimal(cents).scaleb(-2))


@given(
    st.lists(st.tuples(amounts, st.integers(1, 1000), st.sampled_from(["A", "B", "C"])), min_size=1, max_size=6),
    amounts,
    st.sampled_from(["order", "line"]),
)
def test_totals_always_add_up_to_the_charge(
    lines: list[tuple[Decimal, int, str]], shipping: Decimal, rounding: str
) -> None:
    order = with_lines(
        *[line(total, quantity=quantity, sku=sku) for total, quantity, sku in lines],
        shipping=[Shipping(total=shipping)],
    )
    body = build_body(order, "lapyme", tax_rounding=rounding, tax_rate_id_by_sku={"A": 4, "B": 6}).body
    totals = body["totals"]
    assert (
        sum(body_line["ordered_quantity"] * body_line["unit_price"] for body_line in body["lines"]) == totals["total"]
    )
    assert totals["subtotal"] + totals["tax_amount"] == totals["total"] == int(order.total * 100)


@pytest.mark.parametrize(
    ("settings", "at"),
    [
        ({"customer_id": "1"}, "customer_id"),
        ({"assigned_warehouse_id": "depósito"}, "assigned_warehouse_id"),
        ({"product_id_by_sku": {"MATE": "1"}}, "product_id_by_sku"),
        ({"tax_rate_id": 9}, "tax_rate_id"),
        ({"tax_rates": {"4": 10}}, "tax_rate_id"),
        ({"tax_rates": {"5": 101}}, "tax_rates"),
        ({"tax_rate_id_by_sku": {"MATE": 9}}, "tax_rate_id_by_sku"),
        ({"currencies": {"ARS": "pesos"}}, "currencies"),
        ({"currencies": {"pesos": "PES"}}, "currencies"),
        ({"charges": {"propina": "PROPINA"}}, "charges"),
        ({"notes": "{nombre}"}, "notes"),
        ({"notes": "{number.real}"}, "notes"),
        ({"notes": "{number!r}"}, "notes"),
        ({"notes": "{}"}, "notes"),
        ({"notes": "{number"}, "notes"),
        ({"tax_rounding": "cent"}, "tax_rounding"),
    ],
)
def test_invalid_setting_is_reported(settings: dict[str, Any], at: str) -> None:
    with pytest.raises(ValidationError) as caught:
        build_account("lapyme", **settings)
    assert set(caught.value.messages_dict) == {at}


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (409, {"code": "IDEMPOTENCY_CONFLICT", "retryable": True}, Outcome.CONFLICT),
        (409, {"code": "CONFLICT", "retryable": True}, Outcome.AMBIGUOUS),
        (409, {"code": "CONFLICT", "retryable": False}, Outcome.REFUSED),
        (409, "conflict", Outcome.REFUSED),
        (500, {"code": "IDEMPOTENCY_CONFLICT"}, None),
    ],
)
def test_conflicts_are_classified_by_lapyme_codes(
    status: int, error: dict[str, Any] | str, outcome: Outcome | None
) -> None:
    assert DESTINATION.classify_response(status, {"error": error}) is outcome
