import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from mappings import DESTINATIONS
from mappings.destination import Outcome
from mappings.order import Address, Charge, Customer, Line, Order, Payment, Shipping
from mappings.problems import FieldError, render_problem, render_problems
from tests.support.mapping_cases import (
    SAMPLES,
    build_account,
    build_body,
    build_store,
    line,
    mapping_problems,
    parse_order,
    with_parts,
)

DESTINATION = DESTINATIONS["centelar"]

ORDER = parse_order("shopify", SAMPLES["shopify_ar"], document_from="note_attributes:dni")
HOME = Address(
    first_name="Abril",
    last_name="Quiroga",
    street="Av. Belgrano",
    number="1520",
    unit="3 B",
    district="Monserrat",
    city="Buenos Aires",
    state="Ciudad Autónoma de Buenos Aires",
    postal_code="C1093AAO",
    country="AR",
)
HOME_BODY = {
    "disposition": "residential",
    "street": "Av. Belgrano",
    "number": "1520",
    "complement": "3 B",
    "neighborhood": "Monserrat",
    "postal_code": "C1093AAO",
    "city": "Buenos Aires",
    "state": "Ciudad Autónoma de Buenos Aires",
    "country": "AR",
    "receiver_name": "Abril Quiroga",
}
PICKUP = {"is_pickup": True, "pickup_name": "Sucursal Centro", "ship_to": None, "bill_to": HOME}
UNKNOWN_GATEWAY = (
    'Payments > “{0}” has no type (mercadopago, creditcard or promissory): add a row "{0}" = "TYPE" to '
    "`payment_types`, or run `connector table set --account cuenta payment_types {0} TYPE`."
)


def payment_of(amount: Decimal | str, gateway: str | None = "mercadopago", **facts: str | None) -> Payment:
    return Payment(gateway=gateway, amount=Decimal(amount), **facts)


def with_lines(*lines: Line, **changes: Any) -> Order:
    """Return an order of these lines with one payment, shipped to `HOME` unless overridden."""
    parts = {part: changes.pop(part) for part in ("shipping", "charges", "total") if part in changes}
    order = with_parts(ORDER, *lines, **parts)
    return replace(
        order, **{"payments": [payment_of(order.total)], "ship_to": HOME, "bill_to": HOME, "note": None, **changes}
    )


def customer_body(**people: Any) -> dict[str, Any]:
    order = with_lines(line("10"), **{"customer": None, "document": None, **people})
    customer: dict[str, Any] = build_body(order, "centelar").body["customer"]
    return customer


def item_prices(body: dict[str, Any]) -> list[tuple[str, int, float]]:
    return [(item["product_code"], item["quantity"], item["price"]) for item in body["items"]]


def test_shopify_order_maps_to_a_centelar_body() -> None:
    home = {
        "disposition": "residential",
        "street": "Av. Cabildo",
        "number": "2040",
        "complement": 'Piso 7 "C"',
        "postal_code": "C1428AAP",
        "city": "Buenos Aires",
        "state": "Ciudad Autónoma de Buenos Aires",
        "country": "AR",
        "receiver_name": "Julieta Ferreyra",
    }
    request = build_body(ORDER, "centelar")
    assert request.body == {
        "creation_date": "2026-11-20T15:40:18",
        "ext_code": "5678901234999",
        "price": 25000.01,
        "customer": {
            "first_name": "Julieta",
            "last_name": "Ferreyra",
            "document_type": "dni",
            "document": "30111222",
            "email": "julieta.ferreyra@example.com.ar",
            "phone": "+5491145678901",
            "is_corporate": False,
        },
        "items": [
            {"product_code": "7791234567898", "quantity": 2, "price": 3833.34},
            {"product_code": "7791234567898", "quantity": 1, "price": 3833.33},
            {"product_code": "MATE-CUERO", "quantity": 1, "price": 10500.00},
        ],
        "payments": [{"type": "mercadopago", "payment_system": "Mercado Pago", "amount": "25000.01"}],
        "shipping_address": home,
        "billing_address": home,
        "shipping_cost": 3000.00,
    }
    assert render_problems(request.warnings) == ["Company is not sent: Centelar has no field for its name."]


def test_woocommerce_order_maps_to_a_centelar_body() -> None:
    home = {
        "disposition": "residential",
        "street": "Bv. San Juan",
        "number": "55",
        "complement": "5° B",
        "postal_code": "5000",
        "city": "Córdoba",
        "state": "Córdoba",
        "country": "AR",
        "receiver_name": "Malena Quiroga",
    }
    order = parse_order("woocommerce", SAMPLES["woocommerce_ar"])
    request = build_body(order, "centelar", charges={"fee": "RECARGO"}, payment_types={"bacs": "promissory"})
    assert request.body == {
        "creation_date": "2026-11-21T13:20:00",
        "ext_code": "240",
        "price": 16480.00,
        "customer": {
            "first_name": "Malena",
            "last_name": "Quiroga",
            "document_type": "dni",
            "document": "28333444",
            "email": "malena@example.com.ar",
            "phone": "+5493514567890",
            "is_corporate": False,
        },
        "items": [
            {"product_code": "7791234567898", "quantity": 3, "price": 3000.00},
            {"product_code": "TAZA-01", "quantity": 2, "price": 1990.00},
            {"product_code": "RECARGO", "quantity": 1, "price": 500.00},
        ],
        "payments": [{"type": "promissory", "payment_system": "Transferencia bancaria", "amount": "16480.00"}],
        "shipping_address": home,
        "billing_address": home,
        "shipping_cost": 3000.00,
    }
    assert render_problems(request.warnings) == []


def test_connection_is_in_the_query_and_payments_are_required() -> None:
    account = build_account("centelar", connection_id=4711)
    assert DESTINATION.query_params(account) == {"connection_id": "4711"}
    assert DESTINATION.required_details(account) == {"payments"}


# Money


def test_line_without_shipping_is_included() -> None:
    gift_card = Line(sku="REGALO", quantity=1, total=Decimal("50"), is_shippable=False)
    assert item_prices(build_body(with_lines(line("10"), gift_card), "centelar").body) == [
        ("MATE", 1, 10),
        ("REGALO", 1, 50),
    ]


def test_indivisible_price_is_split_with_dearer_units_first() -> None:
    body = build_body(with_lines(line("10.00", quantity=3)), "centelar").body
    assert item_prices(body) == [("MATE", 1, 3.34), ("MATE", 2, 3.33)]


def test_line_without_sku_is_reported_by_its_number_in_the_order() -> None:
    order = with_lines(line("10", quantity=3), line("10", sku=None))
    assert mapping_problems(order, "centelar") == ["Products > line 2 > SKU is missing."]


def test_negative_line_is_a_problem() -> None:
    order = with_lines(line("10"), line("-1"))
    assert mapping_problems(order, "centelar") == ["Products > line 2 > price must not be negative."]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"shipping": [Shipping(total=Decimal("-1"))]}, "Shipping must not be negative."),
        ({"total": "-1", "payments": []}, "Total must not be negative."),
    ],
)
def test_negative_total_is_a_problem(changes: dict[str, Any], problem: str) -> None:
    assert problem in mapping_problems(with_lines(line("10"), **changes), "centelar")


def test_fractions_of_a_cent_are_rounded() -> None:
    body = build_body(with_lines(line("10.004"), line("5.006")), "centelar").body
    assert item_prices(body) == [("MATE", 1, 10.00), ("MATE", 1, 5.01)]
    assert (body["price"], body["payments"][0]["amount"]) == (15.01, "15.01")


def test_empty_order_is_a_problem() -> None:
    problems = mapping_problems(with_lines(), "centelar", free_orders="send")
    assert problems == ["Products are missing: nothing was charged."]


@pytest.mark.parametrize(
    ("shipping", "cost"),
    [
        ([], None),
        ([Shipping(total=Decimal(0))], 0),
        ([Shipping(total=Decimal("2.5")), Shipping(total=Decimal(1))], 3.5),
    ],
    ids=["not said", "free", "two"],
)
def test_price_includes_paid_shipping(shipping: list[Any], cost: float | None) -> None:
    body = build_body(with_lines(line("10"), shipping=shipping), "centelar").body
    assert body.get("shipping_cost") == cost
    assert body["price"] == 10 + (cost or 0)


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
            "Charges > fee of -100.01 exceeds the price of the products, and Centelar accepts no negative lines.",
        ),
    ],
)
def test_charge_without_an_item_code_is_a_problem(charge: Charge, problem: str) -> None:
    assert problem in mapping_problems(with_lines(line("100"), charges=[charge]), "centelar", charges={})


def test_charge_becomes_an_item_by_the_lookup_table() -> None:
    order = with_lines(line("100"), charges=[Charge(kind="tip", total=Decimal("50.00"))])
    assert item_prices(build_body(order, "centelar", charges={"tip": "PROPINA"}).body) == [
        ("MATE", 1, 100),
        ("PROPINA", 1, 50),
    ]


def test_zero_charge_is_ignored() -> None:
    order = with_lines(line("100"), charges=[Charge(kind="tip", total=Decimal(0))])
    assert item_prices(build_body(order, "centelar", charges={"tip": "PROPINA"}).body) == [("MATE", 1, 100)]


def test_mismatched_total_is_a_problem_with_its_arithmetic() -> None:
    order = with_lines(line("100"), shipping=[Shipping(total=Decimal("20"))], total="119.99")
    arithmetic = "Total: products 100.00 + shipping 20.00 = 120.00, but 119.99 was charged."
    assert mapping_problems(order, "centelar") == [arithmetic]
    request = build_body(order, "centelar", totals="warn")
    assert (request.body["price"], render_problems(request.warnings)) == (119.99, [arithmetic])


def test_mismatched_payments_are_a_problem_with_their_arithmetic() -> None:
    payments = [payment_of("60"), payment_of("30", "stripe"), payment_of("5")]
    order = with_lines(line("100"), payments=payments)
    arithmetic = "Payments: “mercadopago” 65.00 + “stripe” 30.00 = 95.00, but 100.00 was charged."
    assert mapping_problems(order, "centelar") == [arithmetic]
    assert render_problems(build_body(order, "centelar", totals="warn").warnings) == [arithmetic]


def test_currency_follows_the_setting() -> None:
    order = replace(ORDER, currency="USD")
    assert mapping_problems(order, "centelar") == ["Currency “USD” is not served; only ARS."]
    assert mapping_problems(order, "centelar", currency="USD") == []


amounts = st.integers(0, 10**9).map(lambda cents: Decimal(cents).scaleb(-2))


@given(
    st.lists(st.tuples(amounts, st.integers(1, 1000)), min_size=1, max_size=6),
    amounts,
    st.lists(amounts, min_size=1, max_size=3),
)
def test_body_always_adds_up_to_the_charge(
    lines: list[tuple[Decimal, int]], shipping: Decimal, payments: list[Decimal]
) -> None:
    order = with_lines(
        *[line(total, quantity=quantity) for total, quantity in lines], shipping=[Shipping(total=shipping)]
    )
    first = min(payments[0], order.total)
    order = replace(order, payments=[payment_of(first), payment_of(order.total - first, "stripe")])
    request = build_body(order, "centelar", free_orders="send")
    body = json.loads(request.bytes, parse_float=Decimal)  # the digits as sent
    items = sum(item["quantity"] * item["price"] for item in body["items"])
    assert items + body["shipping_cost"] == body["price"] == order.total
    assert sum(Decimal(item["amount"]) for item in body["payments"]) == order.total


def test_largest_amount_keeps_every_digit() -> None:
    body = build_body(with_lines(line("999999999999.99")), "centelar").bytes
    assert b'"price":999999999999.99,' in body


# Payments


def test_payment_contains_every_known_detail() -> None:
    payment = payment_of("10", "stripe", name="Tarjeta", transaction_id="pi_31", last_digits="4242")
    assert build_body(with_lines(line("10"), payments=[payment]), "centelar").body["payments"] == [
        {
            "type": "creditcard",
            "payment_system": "Tarjeta",
            "amount": "10.00",
            "last_digits": "4242",
            "transaction_id": "pi_31",
        }
    ]


@pytest.mark.parametrize(
    ("gateway", "name", "kind"),
    [
        ("Mercado Pago", None, "mercadopago"),
        ("mercado_pago", None, "mercadopago"),
        ("mercadopago", None, "mercadopago"),
        ("woo-mercado-pago-custom", "Tarjeta de crédito", "mercadopago"),
        ("shopify_payments", None, "creditcard"),
        ("woocommerce_payments", None, "creditcard"),
        ("TARJETA DE CREDITO", None, "creditcard"),
        ("custom", "Tarjeta de Débito", "creditcard"),
    ],
)
def test_gateway_is_recognised_in_any_spelling(gateway: str, name: str | None, kind: str) -> None:
    order = with_lines(line("10"), payments=[payment_of("10", gateway, name=name)])
    assert [payment["type"] for payment in build_body(order, "centelar").body["payments"]] == [kind]


def test_account_rows_extend_and_override_known_gateways() -> None:
    payments = [payment_of("4", "stripe"), payment_of("5", "Señal en efectivo"), payment_of("1", "Mercado Pago")]
    order = with_lines(line("10"), payments=payments)
    types = {"Stripe": "promissory", "senal en EFECTIVO": "promissory"}
    body = build_body(order, "centelar", payment_types=types).body
    assert [payment["type"] for payment in body["payments"]] == ["promissory", "promissory", "mercadopago"]


def test_gateway_without_a_row_is_a_problem_naming_it() -> None:
    payments = [payment_of("4", "bacs"), payment_of("5", "bacs"), payment_of("1", "gift_card")]
    order = with_lines(line("10"), payments=payments)
    assert mapping_problems(order, "centelar", payment_types={}) == [
        UNKNOWN_GATEWAY.format("bacs"),
        UNKNOWN_GATEWAY.format("gift_card"),
    ]


def test_payment_without_a_gateway_is_unnamed() -> None:
    order = with_lines(line("10"), payments=[payment_of("10", None)])
    assert mapping_problems(order, "centelar") == [UNKNOWN_GATEWAY.format("unnamed")]
    assert mapping_problems(order, "centelar", payment_types={"unnamed": "promissory"}) == []


def test_unfetched_gateway_amounts_are_a_problem_with_a_hint() -> None:
    order = parse_order("shopify", SAMPLES["shopify_ar"] | {"payment_gateway_names": ["Mercado Pago", "gift_card"]})
    missing = "Payments are missing: the storefront does not say how much was paid in which way."
    assert mapping_problems(order, "centelar") == [missing, render_problem(order.missing_details["payments"])]


def test_gift_card_is_a_payment() -> None:
    order = with_lines(line("10"), payments=[payment_of("4", "gift_card"), payment_of("6")])
    body = build_body(order, "centelar", payment_types={"gift_card": "promissory"}).body
    assert (body["price"], [payment["amount"] for payment in body["payments"]]) == (10, ["4.00", "6.00"])


def test_negative_payment_is_a_problem() -> None:
    order = with_lines(line("10"), payments=[payment_of("12"), payment_of("-2")])
    assert mapping_problems(order, "centelar") == ["Payments > “mercadopago” of -2 is negative."]


@pytest.mark.parametrize(
    ("payments", "problem"),
    [
        (None, "Payments are missing: the storefront does not say how much was paid in which way."),
        ([], "Payments are missing: the order is not paid."),
    ],
)
@pytest.mark.parametrize("free_orders", ["problem", "send"])
def test_unknown_payments_are_a_problem(payments: list[Any] | None, problem: str, free_orders: str) -> None:
    order = with_lines(line("10"), payments=payments)
    assert mapping_problems(order, "centelar", free_orders=free_orders) == [problem]


@pytest.mark.parametrize("payments", [None, [], [payment_of("0", "free")]])
def test_free_order_is_a_problem_unless_the_account_sends_it(payments: list[Any] | None) -> None:
    order = with_lines(line("0"), payments=payments)
    free = "Payments are missing: the order is free. The account's `free_orders` can be “send”."
    assert mapping_problems(order, "centelar") == [free]
    assert build_body(order, "centelar", free_orders="send").body["payments"] == []


# Date, order code and customer


@pytest.mark.parametrize(
    ("timezone", "local"),
    [
        ("America/Argentina/Buenos_Aires", "2026-12-31T23:30:05"),
        ("UTC", "2027-01-01T02:30:05"),
    ],
)
def test_date_uses_the_account_time_zone(timezone: str, local: str) -> None:
    order = replace(ORDER, placed_at=datetime(2027, 1, 1, 2, 30, 5, 999999, tzinfo=UTC))
    assert build_body(order, "centelar", timezone=timezone).body["creation_date"] == local


def test_unrepresentable_local_date_is_a_problem() -> None:
    order = replace(ORDER, placed_at=datetime(1, 1, 1, tzinfo=UTC))
    assert mapping_problems(order, "centelar") == ["Date of the order is missing."]


def test_order_code_uses_the_template_and_the_stable_store_id() -> None:
    account = build_account("centelar", ext_code="{store}/{storefront}/{order_id}/{number}")
    store = replace(build_store("shopify"), name="nueva")
    assert DESTINATION.build_request(ORDER, account, store).body["ext_code"] == "tienda/shopify/5678901234999/#2077"


@pytest.mark.parametrize(
    ("people", "names"),
    [
        ({"customer": Customer(first_name="Tobías", last_name="Gil")}, ("Tobías", "Gil")),
        ({"customer": Customer(name="Ana María del Valle")}, ("Ana María", "del Valle")),
        ({"customer": Customer(first_name="Ana María", last_name=None)}, ("Ana", "María")),
        ({"customer": Customer(last_name="Ana Gil")}, ("Ana", "Gil")),
        ({"customer": Customer(first_name="Ana")}, ("Abril", "Quiroga")),
        ({"customer": Customer()}, ("Abril", "Quiroga")),
        ({"bill_to": replace(HOME, first_name=None, last_name=None, name="Tobías Gil")}, ("Tobías", "Gil")),
        ({"bill_to": None}, ("Abril", "Quiroga")),
    ],
)
def test_name_comes_from_customer_then_billing_then_receiver(people: dict[str, Any], names: tuple[str, str]) -> None:
    customer = customer_body(**people)
    assert (customer["first_name"], customer["last_name"]) == names


def test_receiver_does_not_complete_the_name_of_the_customer() -> None:
    order = with_lines(line("10"), customer=Customer(first_name="Tobías"), bill_to=None)
    assert mapping_problems(order, "centelar") == ["Customer > last name is missing."]
    body = build_body(order, "centelar", last_name_missing="-").body
    assert (body["customer"]["first_name"], body["customer"]["last_name"]) == ("Tobías", "-")


def test_last_name_alone_leaves_first_name_missing() -> None:
    order = with_lines(line("10"), customer=Customer(last_name="Gil"), bill_to=None)
    assert mapping_problems(order, "centelar") == ["Customer > first name is missing."]


def test_order_without_a_name_reports_both_names() -> None:
    nobody = replace(HOME, first_name=None, last_name=None)
    order = with_lines(line("10"), customer=None, ship_to=nobody, bill_to=nobody)
    assert mapping_problems(order, "centelar") == [
        "Customer > first name is missing.",
        "Customer > last name is missing.",
    ]


@pytest.mark.parametrize(
    ("document", "kind", "digits", "is_corporate"),
    [
        ("28.333.444", "dni", "28333444", False),
        ("27-28333444-4", "cuit", "27283334444", False),
        ("30-71234567-1", "cuit", "30712345671", True),
        (None, None, None, None),
    ],
)
def test_document_type_and_holder_are_recognised(
    document: str | None, kind: str | None, digits: str | None, is_corporate: bool | None
) -> None:
    customer = customer_body(document=document)
    document_fields = tuple(customer.get(name) for name in ("document_type", "document", "is_corporate"))
    assert document_fields == (kind, digits, is_corporate)


def test_foreign_document_is_omitted_with_a_warning() -> None:
    request = build_body(with_lines(line("10"), document="A1234567"), "centelar")
    assert request.body["customer"].keys().isdisjoint({"document", "document_type", "is_corporate"})
    assert render_problems(request.warnings) == ["Tax document “A1234567” is not sent: it is neither a CUIT nor a DNI."]


def test_document_with_a_wrong_check_digit_is_sent_with_a_warning() -> None:
    request = build_body(with_lines(line("10"), document="20-30111222-6"), "centelar")
    assert request.body["customer"]["document"] == "20301112226"
    assert render_problems(request.warnings) == [
        "Tax document: the check digit of CUIT 20301112226 is wrong; it is sent as it is."
    ]


@pytest.mark.parametrize(
    ("company", "document", "is_corporate"),
    [("Mates S.R.L.", None, True), ("30.111.222", None, None), ("Mates S.R.L.", "30111222", False)],
)
def test_billing_company_counts_unless_a_document_contradicts_it(
    company: str, document: str | None, is_corporate: bool | None
) -> None:
    customer = customer_body(document=document, bill_to=replace(HOME, company=company))
    assert customer.get("is_corporate") is is_corporate


@pytest.mark.parametrize(
    ("phone", "expected"),
    [("011 15-4321-5678", "+5491143215678"), ("15 4321 5678", "15 4321 5678"), ("N/A", None)],
)
def test_phone_is_international_when_unambiguous(phone: str, expected: str | None) -> None:
    assert customer_body(phone=None, ship_to=replace(HOME, phone=phone)).get("phone") == expected


@pytest.mark.parametrize(("country", "expected"), [("UY", "+59829012345"), (None, "2901 2345")])
def test_phone_is_parsed_for_the_destination_country(country: str | None, expected: str) -> None:
    away = replace(HOME, country=country, phone="2901 2345")
    assert customer_body(phone=None, ship_to=away, bill_to=None)["phone"] == expected


def test_email_comes_from_order_then_customer() -> None:
    customer = Customer(first_name="Ana", last_name="Gil", email="ana@example.com.ar")
    assert customer_body(customer=customer, email="pedidos@example.com.ar")["email"] == "pedidos@example.com.ar"
    assert customer_body(customer=customer, email=None)["email"] == "ana@example.com.ar"


# Addresses


def test_address_contains_every_known_field_with_longitude_first() -> None:
    home = replace(HOME, latitude=Decimal("-34.6131"), longitude=Decimal("-58.3772"))
    body = build_body(with_lines(line("10"), ship_to=home), "centelar").body
    assert body["shipping_address"] == HOME_BODY | {"geo_coordinates": [-58.3772, -34.6131]}
    assert body["billing_address"] == HOME_BODY


@pytest.mark.parametrize("half", [{"latitude": Decimal("-34.6131")}, {"longitude": Decimal("-58.3772")}])
def test_incomplete_coordinates_are_omitted(half: dict[str, Any]) -> None:
    home = replace(HOME, **half)
    assert build_body(with_lines(line("10"), ship_to=home), "centelar").body["shipping_address"] == HOME_BODY


def test_missing_billing_address_falls_back_to_shipping() -> None:
    request = build_body(with_lines(line("10"), bill_to=None), "centelar")
    assert (request.body["billing_address"], render_problems(request.warnings)) == (HOME_BODY, [])


def test_billing_address_without_street_falls_back_to_shipping_with_a_warning() -> None:
    request = build_body(with_lines(line("10"), bill_to=Address(country="AR")), "centelar")
    assert request.body["billing_address"] == HOME_BODY
    assert render_problems(request.warnings) == ["Billing address has no street: the shipping address is sent instead."]


def test_address_without_a_street_is_a_problem() -> None:
    order = with_lines(line("10"), ship_to=replace(HOME, street=None))
    assert mapping_problems(order, "centelar") == ["Shipping address > street is missing."]


def test_order_without_an_address_is_a_problem() -> None:
    order = with_lines(line("10"), ship_to=None, bill_to=None)
    assert mapping_problems(order, "centelar") == [
        "Shipping address is missing.",
        "Billing address is missing: the storefront gives no address with a street.",
    ]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"id": 12}, {"id": 12}),
        ({"name": "CENTRO"}, {"name": "CENTRO"}),
        ({"id": 12, "name": "CENTRO"}, {"id": 12}),
    ],
)
def test_pickup_branch_comes_from_the_lookup_table(row: dict[str, Any], expected: dict[str, Any]) -> None:
    body = build_body(with_lines(line("10"), **PICKUP), "centelar", pickups={"SUCURSAL céntro": row}).body
    assert body["shipping_address"] == {"disposition": "pickup", "receiver_name": "Julieta Ferreyra", **expected}
    assert body["billing_address"] == HOME_BODY
    assert "location_id" not in body["items"][0]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"location_id": 3}, {"location_id": 3}),
        ({"location_name": "Depósito"}, {"location_name": "Depósito"}),
        ({"location_id": 3, "location_name": "Depósito"}, {"location_id": 3}),
    ],
)
def test_pickup_stock_comes_from_the_branch_location(row: dict[str, Any], expected: dict[str, Any]) -> None:
    tables = {"pickups": {"Sucursal Centro": {"id": 12}}, "locations": {"sucursal centro": row}}
    body = build_body(with_lines(line("10"), **PICKUP), "centelar", **tables).body
    assert body["items"] == [{"product_code": "MATE", "quantity": 1, "price": 10, **expected}]


def test_pickup_without_a_row_is_a_problem_naming_it() -> None:
    order = with_lines(line("10"), **PICKUP)
    assert mapping_problems(order, "centelar") == [
        "Shipping address > branch “Sucursal Centro” is unknown to Centelar: add a row "
        '"Sucursal Centro" = { id = ID } to `pickups`, or run '
        "`connector table set --account cuenta pickups 'Sucursal Centro' id=ID`."
    ]
    nowhere = "Shipping address > branch where the customer collects is missing."
    assert mapping_problems(replace(order, pickup_name=None), "centelar", pickups={"Otra": {"id": 1}}) == [nowhere]


def test_pickup_without_a_customer_reports_only_the_names() -> None:
    nobody = replace(HOME, first_name=None, last_name=None)
    order = with_lines(line("10"), customer=None, **PICKUP | {"bill_to": nobody})
    missing = ["Customer > first name is missing.", "Customer > last name is missing."]
    assert mapping_problems(order, "centelar", pickups={"Sucursal Centro": {"id": 12}}) == missing


def test_pickup_is_billed_to_an_address_with_a_street() -> None:
    order = with_lines(line("10"), **PICKUP | {"bill_to": None})
    pickups = {"Sucursal Centro": {"id": 12}}
    missing = "Billing address is missing: the storefront gives no address with a street."
    assert mapping_problems(order, "centelar", pickups=pickups) == [missing]
    request = build_body(replace(order, ship_to=HOME), "centelar", pickups=pickups)
    assert (request.body["billing_address"], render_problems(request.warnings)) == (HOME_BODY, [])
    assert request.body["shipping_address"] == {"disposition": "pickup", "receiver_name": "Abril Quiroga", "id": 12}


def test_data_centelar_cannot_receive_is_a_warning() -> None:
    order = with_lines(line("10"), **PICKUP | {"ship_to": replace(HOME, company="Mates S.R.L.")})
    request = build_body(replace(order, note="Timbre 4"), "centelar", pickups={"Sucursal Centro": {"id": 12}})
    assert render_problems(request.warnings) == [
        "Company is not sent: Centelar has no field for its name.",
        "Shipping address is not sent: the customer collects the order.",
        "Customer note is not sent: Centelar has no field for it.",
    ]


# Settings and responses


@pytest.mark.parametrize(
    ("settings", "at"),
    [
        ({"base_url": "http://centelar.example"}, "base_url"),
        ({"connection_id": "uno"}, "connection_id"),
        ({"connection_id": 1.5}, "connection_id"),
        ({"currency": "pesos"}, "currency"),
        ({"timezone": "Buenos Aires"}, "timezone"),
        ({"timezone": "America"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"ext_code": "{nombre}"}, "ext_code"),
        ({"ext_code": "{store}"}, "ext_code"),
        ({"ext_code": "{{order_id}}"}, "ext_code"),
        ({"payment_types": {"stripe": "card"}}, "payment_types"),
        ({"payment_types": {" -": "creditcard"}}, "payment_types"),
        ({"free_orders": "skip"}, "free_orders"),
        ({"locations": {"Depósito": {}}}, "locations"),
        ({"locations": {"Depósito": {"id": 3}}}, "locations"),
        ({"pickups": {"Centro": {}}}, "pickups"),
        ({"pickups": {"Centro": 12}}, "pickups"),
        ({"pickups": {"Centro": {"id": "doce"}}}, "pickups"),
        ({"pickups": {"Centro": {"name": ""}}}, "pickups"),
        ({"last_name_missing": ""}, "last_name_missing"),
        ({"charges": {"propina": "PROPINA"}}, "charges"),
    ],
)
def test_invalid_setting_is_reported(settings: dict[str, Any], at: str) -> None:
    with pytest.raises(ValidationError) as caught:
        build_account("centelar", **settings)
    assert set(caught.value.messages_dict) == {at}


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, {"success": False}, Outcome.REFUSED),
        (201, {"success": False, "order_id": 5}, Outcome.REFUSED),
        (200, {"success": True, "order_id": 5}, None),
        (200, {"success": 0}, None),
        (200, ["success"], None),
        (500, {"success": False}, None),
    ],
)
def test_failure_in_a_2xx_response_is_a_refusal(
    status: int, body: dict[str, Any] | list[str], outcome: Outcome | None
) -> None:
    assert DESTINATION.classify_response(status, body) is outcome


@pytest.mark.parametrize(
    "response",
    [
        {"success": True},
        {"order_id": 5},
        {"success": True, "order_id": "5"},
        {"success": True, "order_id": True},
        {"success": False, "order_id": 5},
    ],
)
def test_success_requires_true_and_an_integer_id(response: dict[str, Any]) -> None:
    assert DESTINATION.parse_order_id(response) is None
    assert DESTINATION.parse_order_id({"success": True, "order_id": 5, "more": 1}) == "5"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"disposition": "pickup"}, {"shipping_address": {"id": [FieldError("missing")]}}),
        ({"disposition": "pickup", "id": 12}, {}),
        ({"disposition": "pickup", "name": "Centro"}, {}),
        ({"disposition": "residential"}, {"shipping_address": {"street": [FieldError("missing")]}}),
        ({}, {"shipping_address": {"street": [FieldError("missing")]}}),
    ],
)
def test_contract_and_schema_require_the_same_address_fields(change: dict[str, Any], fault: dict[str, Any]) -> None:
    body = dict(DESTINATION.contract.request_example) | {"shipping_address": change}
    errors: Any = DESTINATION.schema.validate(body)
    assert errors == fault
    assert bool(DESTINATION.contract.validate_request(body)) is bool(fault)


def test_company_that_receives_the_parcel_is_sent() -> None:
    company = replace(HOME, name=None, first_name=None, last_name=None, company="Papelería Nevado SA")
    order = replace(ORDER, ship_to=company, bill_to=HOME)
    request = build_body(order, "centelar")
    assert request.body["shipping_address"]["receiver_name"] == "Papelería Nevado SA"
    assert "Company is not sent: Centelar has no field for its name." not in render_problems(request.warnings)
