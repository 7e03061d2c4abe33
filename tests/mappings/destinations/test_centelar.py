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
from tests.support.mapping_cases import SAMPLES, line, make_account, make_store, problems_of, read, with_parts, write

DESTINATION = DESTINATIONS["centelar"]

ORDER = read("shopify", SAMPLES["shopify_ar"], document_from="note_attributes:dni")
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


def paid(amount: Decimal | str, gateway: str | None = "mercadopago", **facts: str | None) -> Payment:
    return Payment(gateway=gateway, amount=Decimal(amount), **facts)


def with_lines(*lines: Line, **changes: Any) -> Order:
    """Return an order of these parts, which was paid at once and goes home unless it is said."""
    parts = {part: changes.pop(part) for part in ("shipping", "charges", "total") if part in changes}
    order = with_parts(ORDER, *lines, **parts)
    return replace(
        order, **{"payments": [paid(order.total)], "ship_to": HOME, "bill_to": HOME, "note": None, **changes}
    )


def bought_by(**people: Any) -> dict[str, Any]:
    order = with_lines(line("10"), **{"customer": None, "document": None, **people})
    customer: dict[str, Any] = write(order, "centelar").body["customer"]
    return customer


def prices(body: dict[str, Any]) -> list[tuple[str, int, float]]:
    return [(each["product_code"], each["quantity"], each["price"]) for each in body["items"]]


def test_shopify_order_becomes_centelars_body() -> None:
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
    written = write(ORDER, "centelar")
    assert written.body == {
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
    assert render_problems(written.warnings) == ["Company is not sent: Centelar has no field for its name."]


def test_woocommerce_order_becomes_centelars_body() -> None:
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
    order = read("woocommerce", SAMPLES["woocommerce_ar"])
    written = write(order, "centelar", charges={"fee": "RECARGO"}, payment_types={"bacs": "promissory"})
    assert written.body == {
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
    assert render_problems(written.warnings) == []


def test_connection_goes_into_the_query_and_payments_are_asked_for() -> None:
    account = make_account("centelar", connection_id=4711)
    assert DESTINATION.query_params(account) == {"connection_id": "4711"}
    assert DESTINATION.required_details(account) == {"payments"}


# Money


def test_line_that_is_not_shipped_is_sold_too() -> None:
    gift_card = Line(sku="REGALO", quantity=1, total=Decimal("50"), is_shippable=False)
    assert prices(write(with_lines(line("10"), gift_card), "centelar").body) == [("MATE", 1, 10), ("REGALO", 1, 50)]


def test_price_that_does_not_divide_is_split_dearer_units_first() -> None:
    body = write(with_lines(line("10.00", quantity=3)), "centelar").body
    assert prices(body) == [("MATE", 1, 3.34), ("MATE", 2, 3.33)]


def test_line_without_sku_is_named_by_the_orders_own_number() -> None:
    order = with_lines(line("10", quantity=3), line("10", sku=None))
    assert problems_of(order, "centelar") == ["Products > line 2 > SKU is missing."]


def test_line_below_zero_is_a_problem() -> None:
    order = with_lines(line("10"), line("-1"))
    assert problems_of(order, "centelar") == ["Products > line 2 > price must not be negative."]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"shipping": [Shipping(total=Decimal("-1"))]}, "Shipping must not be negative."),
        ({"total": "-1", "payments": []}, "Total must not be negative."),
    ],
)
def test_sum_below_zero_is_a_problem(changes: dict[str, Any], problem: str) -> None:
    assert problem in problems_of(with_lines(line("10"), **changes), "centelar")


def test_parts_of_a_cent_are_rounded() -> None:
    body = write(with_lines(line("10.004"), line("5.006")), "centelar").body
    assert prices(body) == [("MATE", 1, 10.00), ("MATE", 1, 5.01)]
    assert (body["price"], body["payments"][0]["amount"]) == (15.01, "15.01")


def test_order_of_nothing_is_a_problem() -> None:
    problems = problems_of(with_lines(), "centelar", free_orders="send")
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
def test_shipping_that_was_paid_is_within_the_price(shipping: list[Any], cost: float | None) -> None:
    body = write(with_lines(line("10"), shipping=shipping), "centelar").body
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
            "Charges > fee of -100.01 is more than the products cost, and Centelar takes no negative lines.",
        ),
    ],
)
def test_charge_that_is_no_item_is_a_problem(charge: Charge, problem: str) -> None:
    assert problem in problems_of(with_lines(line("100"), charges=[charge]), "centelar", charges={})


def test_charge_is_an_item_by_the_table() -> None:
    order = with_lines(line("100"), charges=[Charge(kind="tip", total=Decimal("50.00"))])
    assert prices(write(order, "centelar", charges={"tip": "PROPINA"}).body) == [("MATE", 1, 100), ("PROPINA", 1, 50)]


def test_zero_charge_is_no_item_and_no_problem() -> None:
    order = with_lines(line("100"), charges=[Charge(kind="tip", total=Decimal(0))])
    assert prices(write(order, "centelar", charges={"tip": "PROPINA"}).body) == [("MATE", 1, 100)]


def test_sum_that_differs_from_the_charge_is_a_problem_with_its_arithmetic() -> None:
    order = with_lines(line("100"), shipping=[Shipping(total=Decimal("20"))], total="119.99")
    arithmetic = "Total: products 100.00 + shipping 20.00 = 120.00, but 119.99 was charged."
    assert problems_of(order, "centelar") == [arithmetic]
    written = write(order, "centelar", totals="warn")
    assert (written.body["price"], render_problems(written.warnings)) == (119.99, [arithmetic])


def test_payments_that_differ_from_the_charge_are_a_problem_with_their_arithmetic() -> None:
    payments = [paid("60"), paid("30", "stripe"), paid("5")]
    order = with_lines(line("100"), payments=payments)
    arithmetic = "Payments: “mercadopago” 65.00 + “stripe” 30.00 = 95.00, but 100.00 was charged."
    assert problems_of(order, "centelar") == [arithmetic]
    assert render_problems(write(order, "centelar", totals="warn").warnings) == [arithmetic]


def test_currency_follows_the_setting() -> None:
    order = replace(ORDER, currency="USD")
    assert problems_of(order, "centelar") == ["Currency “USD” is not served; only ARS."]
    assert problems_of(order, "centelar", currency="USD") == []


amounts = st.integers(0, 10**9).map(lambda cents: Decimal(cents).scaleb(-2))


@given(
    st.lists(st.tuples(amounts, st.integers(1, 1000)), min_size=1, max_size=6),
    amounts,
    st.lists(amounts, min_size=1, max_size=3),
)
def test_bytes_always_add_up_to_what_was_charged(
    lines: list[tuple[Decimal, int]], shipping: Decimal, payments: list[Decimal]
) -> None:
    order = with_lines(
        *[line(total, quantity=quantity) for total, quantity in lines], shipping=[Shipping(total=shipping)]
    )
    first = min(payments[0], order.total)
    order = replace(order, payments=[paid(first), paid(order.total - first, "stripe")])
    written = write(order, "centelar", free_orders="send")
    body = json.loads(written.bytes, parse_float=Decimal)  # the digits as they leave
    items = sum(each["quantity"] * each["price"] for each in body["items"])
    assert items + body["shipping_cost"] == body["price"] == order.total
    assert sum(Decimal(each["amount"]) for each in body["payments"]) == order.total


def test_largest_amount_leaves_with_every_digit() -> None:
    body = write(with_lines(line("999999999999.99")), "centelar").bytes
    assert b'"price":999999999999.99,' in body


# Payments


def test_payment_says_all_that_is_known_of_it() -> None:
    payment = paid("10", "stripe", name="Tarjeta", transaction_id="pi_31", last_digits="4242")
    assert write(with_lines(line("10"), payments=[payment]), "centelar").body["payments"] == [
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
def test_gateway_is_known_however_it_is_written(gateway: str, name: str | None, kind: str) -> None:
    order = with_lines(line("10"), payments=[paid("10", gateway, name=name)])
    assert [each["type"] for each in write(order, "centelar").body["payments"]] == [kind]


def test_rows_of_the_account_add_to_the_known_gateways_and_go_before_them() -> None:
    payments = [paid("4", "stripe"), paid("5", "Señal en efectivo"), paid("1", "Mercado Pago")]
    order = with_lines(line("10"), payments=payments)
    types = {"Stripe": "promissory", "senal en EFECTIVO": "promissory"}
    body = write(order, "centelar", payment_types=types).body
    assert [each["type"] for each in body["payments"]] == ["promissory", "promissory", "mercadopago"]


def test_gateway_without_a_row_is_a_problem_that_names_it() -> None:
    payments = [paid("4", "bacs"), paid("5", "bacs"), paid("1", "gift_card")]
    order = with_lines(line("10"), payments=payments)
    assert problems_of(order, "centelar", payment_types={}) == [
        UNKNOWN_GATEWAY.format("bacs"),
        UNKNOWN_GATEWAY.format("gift_card"),
    ]


def test_payment_that_nobody_names_is_unnamed() -> None:
    order = with_lines(line("10"), payments=[paid("10", None)])
    assert problems_of(order, "centelar") == [UNKNOWN_GATEWAY.format("unnamed")]
    assert problems_of(order, "centelar", payment_types={"unnamed": "promissory"}) == []


def test_amounts_of_several_gateways_that_were_not_fetched_are_a_problem_with_the_way_out() -> None:
    order = read("shopify", SAMPLES["shopify_ar"] | {"payment_gateway_names": ["Mercado Pago", "gift_card"]})
    missing = "Payments are missing: the storefront does not say how much was paid in which way."
    assert problems_of(order, "centelar") == [missing, render_problem(order.missing_details["payments"])]


def test_gift_card_that_paid_is_a_payment() -> None:
    order = with_lines(line("10"), payments=[paid("4", "gift_card"), paid("6")])
    body = write(order, "centelar", payment_types={"gift_card": "promissory"}).body
    assert (body["price"], [each["amount"] for each in body["payments"]]) == (10, ["4.00", "6.00"])


def test_payment_below_zero_is_a_problem() -> None:
    order = with_lines(line("10"), payments=[paid("12"), paid("-2")])
    assert problems_of(order, "centelar") == ["Payments > “mercadopago” of -2 is negative."]


@pytest.mark.parametrize(
    ("payments", "problem"),
    [
        (None, "Payments are missing: the storefront does not say how much was paid in which way."),
        ([], "Payments are missing: the order is not paid."),
    ],
)
@pytest.mark.parametrize("free_orders", ["problem", "send"])
def test_order_whose_payments_are_not_known_is_a_problem(
    payments: list[Any] | None, problem: str, free_orders: str
) -> None:
    order = with_lines(line("10"), payments=payments)
    assert problems_of(order, "centelar", free_orders=free_orders) == [problem]


@pytest.mark.parametrize("payments", [None, [], [paid("0", "free")]])
def test_free_order_is_a_problem_unless_the_account_sends_it(payments: list[Any] | None) -> None:
    order = with_lines(line("0"), payments=payments)
    free = "Payments are missing: the order is free. The account's `free_orders` can be “send”."
    assert problems_of(order, "centelar") == [free]
    assert write(order, "centelar", free_orders="send").body["payments"] == []


# When, which and who


@pytest.mark.parametrize(
    ("timezone", "local"),
    [
        ("America/Argentina/Buenos_Aires", "2026-12-31T23:30:05"),
        ("UTC", "2027-01-01T02:30:05"),
    ],
)
def test_date_is_the_accounts_local_time(timezone: str, local: str) -> None:
    order = replace(ORDER, placed_at=datetime(2027, 1, 1, 2, 30, 5, 999999, tzinfo=UTC))
    assert write(order, "centelar", timezone=timezone).body["creation_date"] == local


def test_date_without_local_time_is_a_problem() -> None:
    order = replace(ORDER, placed_at=datetime(1, 1, 1, tzinfo=UTC))
    assert problems_of(order, "centelar") == ["Date of the order is missing."]


def test_code_follows_the_template_and_keeps_the_stores_id_when_the_store_is_renamed() -> None:
    account = make_account("centelar", ext_code="{store}/{storefront}/{order_id}/{number}")
    store = replace(make_store("shopify"), name="nueva")
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
def test_name_is_the_customers_else_the_bills_else_the_receivers(
    people: dict[str, Any], names: tuple[str, str]
) -> None:
    customer = bought_by(**people)
    assert (customer["first_name"], customer["last_name"]) == names


def test_receiver_does_not_complete_the_name_of_the_customer() -> None:
    order = with_lines(line("10"), customer=Customer(first_name="Tobías"), bill_to=None)
    assert problems_of(order, "centelar") == ["Customer > last name is missing."]
    body = write(order, "centelar", last_name_missing="-").body
    assert (body["customer"]["first_name"], body["customer"]["last_name"]) == ("Tobías", "-")


def test_family_name_alone_is_no_given_name() -> None:
    order = with_lines(line("10"), customer=Customer(last_name="Gil"), bill_to=None)
    assert problems_of(order, "centelar") == ["Customer > first name is missing."]


def test_order_of_nobody_names_both_names() -> None:
    nobody = replace(HOME, first_name=None, last_name=None)
    order = with_lines(line("10"), customer=None, ship_to=nobody, bill_to=nobody)
    assert problems_of(order, "centelar") == ["Customer > first name is missing.", "Customer > last name is missing."]


@pytest.mark.parametrize(
    ("document", "kind", "digits", "is_corporate"),
    [
        ("28.333.444", "dni", "28333444", False),
        ("27-28333444-4", "cuit", "27283334444", False),
        ("30-71234567-1", "cuit", "30712345671", True),
        (None, None, None, None),
    ],
)
def test_document_says_what_it_is_and_whose(
    document: str | None, kind: str | None, digits: str | None, is_corporate: bool | None
) -> None:
    customer = bought_by(document=document)
    found = tuple(customer.get(name) for name in ("document_type", "document", "is_corporate"))
    assert found == (kind, digits, is_corporate)


def test_document_that_is_none_of_argentina_is_left_out_with_a_warning() -> None:
    written = write(with_lines(line("10"), document="A1234567"), "centelar")
    assert written.body["customer"].keys().isdisjoint({"document", "document_type", "is_corporate"})
    assert render_problems(written.warnings) == ["Tax document “A1234567” is not sent: it is neither a CUIT nor a DNI."]


def test_document_with_a_wrong_check_digit_is_sent_with_a_warning() -> None:
    written = write(with_lines(line("10"), document="20-30111222-6"), "centelar")
    assert written.body["customer"]["document"] == "20301112226"
    assert render_problems(written.warnings) == [
        "Tax document: the check digit of CUIT 20301112226 is wrong; it is sent as it is."
    ]


@pytest.mark.parametrize(
    ("company", "document", "is_corporate"),
    [("Mates S.R.L.", None, True), ("30.111.222", None, None), ("Mates S.R.L.", "30111222", False)],
)
def test_company_on_the_bill_counts_where_no_document_says_otherwise(
    company: str, document: str | None, is_corporate: bool | None
) -> None:
    customer = bought_by(document=document, bill_to=replace(HOME, company=company))
    assert customer.get("is_corporate") is is_corporate


@pytest.mark.parametrize(
    ("phone", "sent"),
    [("011 15-4321-5678", "+5491143215678"), ("15 4321 5678", "15 4321 5678"), ("N/A", None)],
)
def test_phone_is_international_where_it_is_sure(phone: str, sent: str | None) -> None:
    assert bought_by(phone=None, ship_to=replace(HOME, phone=phone)).get("phone") == sent


@pytest.mark.parametrize(("country", "sent"), [("UY", "+59829012345"), (None, "2901 2345")])
def test_phone_is_read_as_where_the_order_goes_would(country: str | None, sent: str) -> None:
    away = replace(HOME, country=country, phone="2901 2345")
    assert bought_by(phone=None, ship_to=away, bill_to=None)["phone"] == sent


def test_email_is_the_orders_else_the_customers() -> None:
    customer = Customer(first_name="Ana", last_name="Gil", email="ana@example.com.ar")
    assert bought_by(customer=customer, email="pedidos@example.com.ar")["email"] == "pedidos@example.com.ar"
    assert bought_by(customer=customer, email=None)["email"] == "ana@example.com.ar"


# Addresses


def test_address_says_all_that_is_known_of_it_longitude_first() -> None:
    home = replace(HOME, latitude=Decimal("-34.6131"), longitude=Decimal("-58.3772"))
    body = write(with_lines(line("10"), ship_to=home), "centelar").body
    assert body["shipping_address"] == HOME_BODY | {"geo_coordinates": [-58.3772, -34.6131]}
    assert body["billing_address"] == HOME_BODY


@pytest.mark.parametrize("half", [{"latitude": Decimal("-34.6131")}, {"longitude": Decimal("-58.3772")}])
def test_half_a_coordinate_is_left_out(half: dict[str, Any]) -> None:
    home = replace(HOME, **half)
    assert write(with_lines(line("10"), ship_to=home), "centelar").body["shipping_address"] == HOME_BODY


def test_bill_without_an_address_goes_where_the_order_goes() -> None:
    written = write(with_lines(line("10"), bill_to=None), "centelar")
    assert (written.body["billing_address"], render_problems(written.warnings)) == (HOME_BODY, [])


def test_bill_without_a_street_goes_where_the_order_goes_with_a_warning() -> None:
    written = write(with_lines(line("10"), bill_to=Address(country="AR")), "centelar")
    assert written.body["billing_address"] == HOME_BODY
    assert render_problems(written.warnings) == [
        "Billing address has no street: the shipping address is sent in its place."
    ]


def test_address_without_a_street_is_a_problem() -> None:
    order = with_lines(line("10"), ship_to=replace(HOME, street=None))
    assert problems_of(order, "centelar") == ["Shipping address > street is missing."]


def test_order_that_goes_nowhere_is_a_problem() -> None:
    order = with_lines(line("10"), ship_to=None, bill_to=None)
    assert problems_of(order, "centelar") == [
        "Shipping address is missing.",
        "Billing address is missing: the storefront gives no address with a street.",
    ]


@pytest.mark.parametrize(
    ("row", "sent"),
    [
        ({"id": 12}, {"id": 12}),
        ({"name": "CENTRO"}, {"name": "CENTRO"}),
        ({"id": 12, "name": "CENTRO"}, {"id": 12}),
    ],
)
def test_pickup_is_a_branch_by_the_table(row: dict[str, Any], sent: dict[str, Any]) -> None:
    body = write(with_lines(line("10"), **PICKUP), "centelar", pickups={"SUCURSAL céntro": row}).body
    assert body["shipping_address"] == {"disposition": "pickup", "receiver_name": "Julieta Ferreyra", **sent}
    assert body["billing_address"] == HOME_BODY
    assert "location_id" not in body["items"][0]


@pytest.mark.parametrize(
    ("row", "sent"),
    [
        ({"location_id": 3}, {"location_id": 3}),
        ({"location_name": "Depósito"}, {"location_name": "Depósito"}),
        ({"location_id": 3, "location_name": "Depósito"}, {"location_id": 3}),
    ],
)
def test_stock_of_a_pickup_is_taken_from_the_branchs_location(row: dict[str, Any], sent: dict[str, Any]) -> None:
    tables = {"pickups": {"Sucursal Centro": {"id": 12}}, "locations": {"sucursal centro": row}}
    body = write(with_lines(line("10"), **PICKUP), "centelar", **tables).body
    assert body["items"] == [{"product_code": "MATE", "quantity": 1, "price": 10, **sent}]


def test_pickup_without_a_row_is_a_problem_that_names_it() -> None:
    order = with_lines(line("10"), **PICKUP)
    assert problems_of(order, "centelar") == [
        "Shipping address > branch “Sucursal Centro” is unknown to Centelar: add a row "
        '"Sucursal Centro" = { id = ID } to `pickups`, or run '
        "`connector table set --account cuenta pickups 'Sucursal Centro' id=ID`."
    ]
    nowhere = "Shipping address > branch where the customer collects is missing."
    assert problems_of(replace(order, pickup_name=None), "centelar", pickups={"Otra": {"id": 1}}) == [nowhere]


def test_pickup_by_nobody_lacks_only_the_customers_names() -> None:
    nobody = replace(HOME, first_name=None, last_name=None)
    order = with_lines(line("10"), customer=None, **PICKUP | {"bill_to": nobody})
    missing = ["Customer > first name is missing.", "Customer > last name is missing."]
    assert problems_of(order, "centelar", pickups={"Sucursal Centro": {"id": 12}}) == missing


def test_pickup_is_billed_to_a_street() -> None:
    order = with_lines(line("10"), **PICKUP | {"bill_to": None})
    pickups = {"Sucursal Centro": {"id": 12}}
    missing = "Billing address is missing: the storefront gives no address with a street."
    assert problems_of(order, "centelar", pickups=pickups) == [missing]
    written = write(replace(order, ship_to=HOME), "centelar", pickups=pickups)
    assert (written.body["billing_address"], render_problems(written.warnings)) == (HOME_BODY, [])
    assert written.body["shipping_address"] == {"disposition": "pickup", "receiver_name": "Abril Quiroga", "id": 12}


def test_what_centelar_cannot_be_told_is_listed() -> None:
    order = with_lines(line("10"), **PICKUP | {"ship_to": replace(HOME, company="Mates S.R.L.")})
    written = write(replace(order, note="Timbre 4"), "centelar", pickups={"Sucursal Centro": {"id": 12}})
    assert render_problems(written.warnings) == [
        "Company is not sent: Centelar has no field for its name.",
        "Shipping address is not sent: the customer collects the order.",
        "Customer note is not sent: Centelar has no field for it.",
    ]


# Settings and replies


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
def test_setting_at_fault_is_named(settings: dict[str, Any], at: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make_account("centelar", **settings)
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
def test_no_in_a_good_status_is_a_refusal(
    status: int, body: dict[str, Any] | list[str], outcome: Outcome | None
) -> None:
    assert DESTINATION.classify_response(status, body) is outcome


@pytest.mark.parametrize(
    "reply",
    [
        {"success": True},
        {"order_id": 5},
        {"success": True, "order_id": "5"},
        {"success": True, "order_id": True},
        {"success": False, "order_id": 5},
    ],
)
def test_success_is_true_and_a_whole_number(reply: dict[str, Any]) -> None:
    assert DESTINATION.parse_order_id(reply) is None
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
def test_contract_and_schema_agree_on_what_an_address_needs(change: dict[str, Any], fault: dict[str, Any]) -> None:
    body = dict(DESTINATION.contract.request_example) | {"shipping_address": change}
    errors: Any = DESTINATION.schema.validate(body)
    assert errors == fault
    assert bool(DESTINATION.contract.validate_request(body)) is bool(fault)
