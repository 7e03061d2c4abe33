"""WooCommerce refunds: webhooks contain only totals, and the lines are fetched."""

from base64 import b64decode
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from marshmallow import ValidationError

from mappings import STOREFRONTS
from mappings.order import Charge, Order, Payment
from mappings.problems import MappingError, render_problems
from tests.support.mapping_cases import (
    SAMPLES,
    build_body,
    build_store,
    mapping_problems,
    parse_order,
    shipping_address,
)

STOREFRONT = STOREFRONTS["woocommerce"]

API = {"api_url": "https://tienda.example.com.ar", "api_token": "ck_clave:cs_secreto"}
REFUND_LINES_UNKNOWN = "Refunds are not itemized by product: WooCommerce gives only their sum."
REFUND_LINES_UNKNOWN_HINT = f"{REFUND_LINES_UNKNOWN} Set the store's `api_url` and `api_token` to fetch them."


@pytest.fixture
def payload() -> dict[str, Any]:
    """A yerba of 3 at 3000.00 each (line 11), two cups at 1990.00 (12), shipping of 3000.00 (13), a fee of 500.00 (14).

    All with 21 % of tax in it.
    """
    payload: dict[str, Any] = deepcopy(SAMPLES["woocommerce_ar"])
    parts = [*payload["line_items"], *payload["shipping_lines"], *payload["fee_lines"]]
    for number, part in enumerate(parts, start=11):
        part["id"] = number
    return payload | {"status": "processing", "refunds": [{"id": 900, "reason": "", "total": "-3000.00"}]}


def refund_line(line: int | str, total: str, tax: str, *, quantity: int | None = None, **more: Any) -> dict[str, Any]:
    meta = [{"id": 5, "key": "_refunded_item_id", "value": line}]
    fields = {"id": 77, "total": total, "total_tax": tax, "meta_data": meta, **more}
    return fields if quantity is None else fields | {"quantity": quantity}


def refund(amount: str, *line_items: dict[str, Any], number: int = 900, **more: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": number, "amount": amount, "reason": "", "line_items": list(line_items), **more}


YERBA = refund_line("11", "-2479.34", "-520.66", quantity=-1)


def merge_refunds(payload: dict[str, Any], response: dict[str, Any] | list[Any]) -> dict[str, Any]:
    [fetch] = STOREFRONT.required_fetches(payload, build_store("woocommerce", **API), frozenset())
    return fetch.merge(payload, response)


def read_with_refunds(payload: dict[str, Any], *refunds: dict[str, Any] | str | None) -> Order:
    return parse_order("woocommerce", merge_refunds(payload, list(refunds)), **API)


def line_totals(order: Order) -> list[tuple[str | None, int, Decimal]]:
    return [(line.sku, line.quantity, line.total) for line in order.lines]


# --- fetches ---


def test_refunds_are_fetched_when_present(payload: dict[str, Any]) -> None:
    store = build_store("woocommerce", **API)
    fetch_paths = [fetch.path for fetch in STOREFRONT.required_fetches(payload, store, frozenset())]
    assert fetch_paths == ["/wp-json/wc/v3/orders/240/refunds?per_page=100"]


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({"refunds": []}, {}),
        ({"refunds": None}, {}),
        ({"status": "refunded"}, {}),
        ({"status": "cancelled"}, {}),
        ({"id": "240/../1"}, {}),
        ({"id": None}, {}),
        ({}, {"api_token": None}),
        ({}, {"api_url": None}),
    ],
)
def test_nothing_is_fetched_when_it_would_not_help(
    payload: dict[str, Any], changes: dict[str, Any], settings: dict[str, Any]
) -> None:
    store_settings = {name: value for name, value in (API | settings).items() if value is not None}
    assert (
        STOREFRONT.required_fetches(payload | changes, build_store("woocommerce", **store_settings), frozenset()) == ()
    )


def test_key_and_secret_use_http_basic_authentication() -> None:
    headers = STOREFRONT.api_headers(build_store("woocommerce", **API), API["api_token"])
    kind, _, credentials = headers.pop("Authorization").partition(" ")
    assert (kind, b64decode(credentials).decode()) == ("Basic", "ck_clave:cs_secreto")
    assert headers == {"Accept": "application/json"}


@pytest.mark.parametrize("token", ["ck_clave", "ck_clave:", ":cs_secreto", " : ", ":"])
def test_token_without_key_and_secret_is_an_error(token: str) -> None:
    with pytest.raises(ValidationError) as caught:
        build_store("woocommerce", api_token=token)
    assert caught.value.messages == {
        "api_token": ["must be a consumer key and its secret with a colon between: `ck_…:cs_…`."]
    }


# --- remaining lines ---


def test_refunded_units_reduce_the_line_by_the_refund(payload: dict[str, Any]) -> None:
    order = read_with_refunds(payload, refund("3000.00", YERBA))
    assert line_totals(order) == [("7791234567898", 2, Decimal("6000.00")), ("TAZA-01", 2, Decimal("3980.00"))]
    assert order.lines[0].tax == Decimal("1041.32")
    assert order.total == order.parts_total == Decimal("13480.00")
    assert order.payments == [Payment(gateway="bacs", name="Transferencia bancaria", amount=Decimal("13480.00"))]
    tax_before = parse_order("woocommerce", payload | {"refunds": []}).tax
    assert tax_before is not None
    assert order.tax == tax_before - Decimal("520.66")
    assert order.unreadable_parts == []


def test_fully_refunded_line_is_dropped(payload: dict[str, Any]) -> None:
    order = read_with_refunds(payload, refund("9000.00", refund_line("11", "-7438.02", "-1561.98", quantity=-3)))
    assert line_totals(order) == [("TAZA-01", 2, Decimal("3980.00"))]
    assert order.total == order.parts_total == Decimal("7480.00")


def test_refund_without_units_keeps_the_units(payload: dict[str, Any]) -> None:
    order = read_with_refunds(payload, refund("121.00", refund_line("11", "-100.00", "-21.00", quantity=0)))
    assert line_totals(order)[0] == ("7791234567898", 3, Decimal("8879.00"))
    assert order.total == order.parts_total == Decimal("16359.00")


def test_several_refunds_of_one_line_add_up(payload: dict[str, Any]) -> None:
    order = read_with_refunds(payload, refund("3000.00", YERBA), refund("3000.00", YERBA, number=901))
    assert line_totals(order)[0] == ("7791234567898", 1, Decimal("3000.00"))
    assert order.total == order.parts_total == Decimal("10480.00")


def test_refund_of_more_units_than_bought_leaves_none(payload: dict[str, Any]) -> None:
    order = read_with_refunds(payload, refund("3000.00", YERBA | {"quantity": -4}))
    assert [line.sku for line in order.lines] == ["TAZA-01"]


def test_refunded_shipping_and_fees_are_deducted(payload: dict[str, Any]) -> None:
    order = read_with_refunds(
        payload,
        refund(
            "3500.00",
            shipping_lines=[refund_line("13", "-2479.34", "-520.66")],
            fee_lines=[refund_line(14, "-413.22", "-86.78")],
        ),
    )
    assert [shipping.total for shipping in order.shipping] == [Decimal("0.00")]
    assert order.charges == [
        Charge(kind="fee", name="Embalaje para regalo", total=Decimal("0.00"), tax=Decimal("0.00"))
    ]
    assert order.total == order.parts_total == Decimal("12980.00")


def test_refunded_negative_fee_keeps_its_sign(payload: dict[str, Any]) -> None:
    payload["fee_lines"][0] |= {"total": "-413.22", "total_tax": "-86.78"}
    payload["total"] = "15480.00"
    order = read_with_refunds(payload, refund("2500.00", YERBA, fee_lines=[refund_line("14", "413.22", "86.78")]))
    assert order.charges[0].total == Decimal("0.00")
    assert order.total == order.parts_total == Decimal("12980.00")
    assert render_problems(order.unreadable_parts) == []


def test_rounding_in_a_refund_is_a_charge(payload: dict[str, Any]) -> None:
    order = read_with_refunds(payload, refund("3000.02", YERBA))
    assert order.charges[1:] == [Charge(kind="rounding", total=Decimal("-0.02"))]
    assert (order.total, order.unreadable_parts) == (Decimal("13479.98"), [])


def test_rounding_of_refunded_lines_stays_rounding(payload: dict[str, Any]) -> None:
    payload["total"] = "16480.06"
    cups = refund_line("12", "-3289.26", "-690.74", quantity=-2)
    order = read_with_refunds(payload, refund("12980.00", refund_line("11", "-7438.02", "-1561.98", quantity=-3), cups))
    assert order.lines == []
    assert order.charges[1:] == [Charge(kind="rounding", total=Decimal("0.06"))]
    assert order.total == order.parts_total == Decimal("3500.06")


def test_refunded_units_are_accepted_with_either_sign(payload: dict[str, Any]) -> None:
    order = read_with_refunds(payload, refund("3000.00", YERBA | {"quantity": 1}))
    assert line_totals(order)[0] == ("7791234567898", 2, Decimal("6000.00"))


def test_refund_without_a_line_id_matches_no_line(payload: dict[str, Any]) -> None:
    del payload["line_items"][0]["id"]
    order = read_with_refunds(payload, refund("3000.00", YERBA | {"meta_data": []}))
    assert line_totals(order)[0] == ("7791234567898", 3, Decimal("9000.00"))
    assert render_problems(order.unreadable_parts) == [REFUND_LINES_UNKNOWN]


@pytest.mark.parametrize(
    "refunds",
    [
        [refund("3000.00", YERBA | {"meta_data": []})],
        [refund("3000.00", YERBA | {"meta_data": None})],
        [refund("3000.00", refund_line("99", "-2479.34", "-520.66", quantity=-1))],
        [refund("3000.00", refund_line("11", "2479.34", "520.66", quantity=1))],
        [],
        [refund("3000.00", YERBA, number=901)],
        [None, "x", {"amount": "3000.00"}],
    ],
)
def test_refund_not_explained_by_products_is_a_problem(payload: dict[str, Any], refunds: list[Any]) -> None:
    order = read_with_refunds(payload, *refunds)
    assert render_problems(order.unreadable_parts) == [REFUND_LINES_UNKNOWN]
    assert REFUND_LINES_UNKNOWN in mapping_problems(order, "lapyme")
    assert REFUND_LINES_UNKNOWN in mapping_problems(order, "rayo")


REFUND_OF_NO_PRODUCT = "Refunds of %s name no product: every unit is sent, and amounts are reduced in proportion."


@pytest.mark.parametrize(
    ("refunds", "totals", "total", "named"),
    [
        ([refund("1298.00")], ["8100.00", "3582.00"], "15182.00", "1298.00"),
        ([refund("0.01")], ["8999.99", "3980.00"], "16479.99", "0.01"),
        ([refund("3000.03", YERBA)], ["5999.98", "3979.99"], "13479.97", "0.03"),
        ([refund("3000.00", YERBA), refund("998.00", number=901)], ["5400.00", "3582.00"], "12482.00", "998.00"),
        ([refund("1298.00", refund_line("99", "-1298.00", "0.00"))], ["8100.00", "3582.00"], "15182.00", "1298.00"),
    ],
)
def test_refund_of_no_product_is_subtracted_from_all_in_proportion(
    payload: dict[str, Any], refunds: list[Any], totals: list[str], total: str, named: str
) -> None:
    order = read_with_refunds(payload, *refunds)
    assert [str(line.total) for line in order.lines] == totals
    assert order.parts_total == order.total == Decimal(total)
    assert mapping_problems(order, "lapyme", charges={"fee": "RECARGO"}) == []
    for destination in ("lapyme", "rayo"):
        account = {"charges": {"fee": "RECARGO"}} if destination == "lapyme" else {}
        address = replace(shipping_address(order), country="MX", postal_code="06700", phone="5551234567")
        shipped = replace(order, ship_to=replace(address, district="Roma Norte", state="Ciudad de México"))
        assert REFUND_OF_NO_PRODUCT % named in render_problems(build_body(shipped, destination, **account).warnings)


def test_refund_of_no_product_reduces_the_tax_in_proportion(payload: dict[str, Any]) -> None:
    order = read_with_refunds(payload, refund("1648.00"))  # a tenth
    assert order.tax == Decimal("2574.14")


def test_refund_of_less_than_its_products_shows_the_arithmetic_and_ships(payload: dict[str, Any]) -> None:
    order = read_with_refunds(payload, refund("2500.00", YERBA))
    assert order.unreadable_parts == []
    assert mapping_problems(order, "lapyme", charges={"fee": "RECARGO"}) == [
        "Total: products 9980.00 + shipping 3000.00 + fee 500.00 = 13480.00, but 13980.00 was charged."
    ]


def test_refund_made_after_the_webhook_counts(payload: dict[str, Any]) -> None:
    order = read_with_refunds(payload, refund("3000.00", YERBA), refund("3000.00", YERBA, number=901))
    assert line_totals(order)[0][1] == 1


@pytest.mark.parametrize("response", [{}, {"code": "x"}, [[]]])
def test_malformed_response_leaves_the_refunds_unchanged(
    payload: dict[str, Any], response: dict[str, Any] | list[list[Any]]
) -> None:
    assert merge_refunds(payload, response) == payload


def test_refund_without_an_amount_is_a_problem(payload: dict[str, Any]) -> None:
    with pytest.raises(MappingError) as caught:
        parse_order("woocommerce", payload | {"refunds": [{"id": 900}]})
    assert render_problems(caught.value.problems) == ["Refunds > line 1 does not say how much was refunded."]


def test_lapyme_body_contains_what_remains_after_refunds(payload: dict[str, Any]) -> None:
    body = build_body(read_with_refunds(payload, refund("3000.00", YERBA)), "lapyme", charges={"fee": "RECARGO"}).body
    assert [(line["sku_snapshot"], line["ordered_quantity"], line["unit_price"]) for line in body["lines"]] == [
        ("7791234567898", 2, 300000),
        ("TAZA-01", 2, 199000),
        ("ENVIO", 1, 300000),
        ("RECARGO", 1, 50000),
    ]
    assert body["totals"]["total"] == 1348000


# --- without the API ---


def test_refund_totals_without_lines_are_a_problem(payload: dict[str, Any]) -> None:
    order = parse_order("woocommerce", payload)
    assert order.total == Decimal("13480.00")
    assert render_problems(order.unreadable_parts) == [REFUND_LINES_UNKNOWN_HINT]
    assert REFUND_LINES_UNKNOWN_HINT in mapping_problems(order, "lapyme")
