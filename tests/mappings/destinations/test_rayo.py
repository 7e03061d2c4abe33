from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from marshmallow import ValidationError

from mappings import DESTINATIONS
from mappings.destination import Outcome
from mappings.order import Address, Customer, Line, Order
from mappings.problems import render_problems
from tests.support.mapping_cases import SAMPLES, build_account, build_body, mapping_problems, parse_order

DESTINATION = DESTINATIONS["rayo"]
ONE_PESO = Decimal(1)
SHIPPING_ADDRESS = Address(
    name="Ximena Ocampo",
    phone="55 6532 0691",
    street="Av. Álvaro Obregón",
    number="187",
    district="Roma Norte",
    city="Cuauhtémoc",
    state="Ciudad de México",
    postal_code="06700",
    country="MX",
)


@pytest.fixture
def order() -> Order:
    return parse_order("shopify", SAMPLES["shopify_mx"])


def test_shopify_order_maps_to_a_rayo_body(order: Order) -> None:
    assert build_body(order, "rayo").body == {
        "consumidor_destino": {
            "calle": "Av. Álvaro Obregón",
            "ciudad": "Cuauhtémoc",
            "codigo_postal": "06700",
            "colonia": "Roma Norte",
            "estado": "Ciudad de México",
            "no_exterior": "187-B",
            "no_interior": "Depto 402",
            "nombre": "Ximena Ocampo Ríos",
            "pais": "mexico",
            "telefono": "5565320691",
        },
        "productos": [
            {"cantidad": 2, "identificador": "7503039461000"},
            {"cantidad": 3, "identificador": "CREMA-NOCHE"},
        ],
        "servicio_rayo": "NACIONAL",
    }


def test_woocommerce_order_maps_to_a_rayo_body() -> None:
    assert build_body(parse_order("woocommerce", SAMPLES["woocommerce_mx"]), "rayo").body == {
        "consumidor_destino": {
            "calle": "Calle 5 de Mayo",
            "ciudad": "Coyoacán",
            "codigo_postal": "04100",
            "colonia": "Del Carmen",
            "estado": "Ciudad de México",
            "no_exterior": "123",
            "no_interior": "Depto. 4-B",
            "nombre": "Tomás O’Farrill",
            "pais": "mexico",
            "telefono": "5512345678",
        },
        "productos": [{"cantidad": 2, "identificador": "7503039461000"}],
        "servicio_rayo": "NACIONAL",
    }


def test_data_rayo_cannot_receive_is_a_warning(order: Order) -> None:
    assert render_problems(build_body(order, "rayo").warnings) == [
        "Products > “Curso en línea” is left out: it is not shipped.",
        "Customer note is not sent: Rayo has no field for it.",
    ]


def test_company_is_a_warning(order: Order) -> None:
    order = replace(order, ship_to=replace(SHIPPING_ADDRESS, company="Taller Ocampo"), note=None)
    assert "Shipping address > company is not sent: Rayo has no field for it." in render_problems(
        build_body(order, "rayo").warnings
    )


def test_missing_interior_number_is_sent_as_null(order: Order) -> None:
    body = build_body(replace(order, ship_to=SHIPPING_ADDRESS), "rayo").body
    assert body["consumidor_destino"]["no_interior"] is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"phone": "123"}, "Shipping address > phone has 3 digits; 10 are needed."),
        ({"postal_code": "6700"}, "Shipping address > postcode “6700” is not a postcode of MX."),
        ({"country": "AR"}, "Shipping address > country “AR” is not served; only mexico."),
        ({"country": None}, "Shipping address > country is missing."),
        ({"street": None}, "Shipping address > street is missing."),
        ({"number": None}, "Shipping address > street number is missing."),
        ({"district": None}, "Shipping address > neighbourhood is missing."),
        ({"city": None}, "Shipping address > city is missing."),
        ({"state": None}, "Shipping address > state is missing."),
        ({"postal_code": None}, "Shipping address > postcode is missing."),
    ],
)
def test_problem_uses_the_merchant_field_name(order: Order, changes: dict[str, Any], problem: str) -> None:
    assert mapping_problems(replace(order, ship_to=replace(SHIPPING_ADDRESS, **changes)), "rayo") == [problem]


def test_all_problems_are_reported_together(order: Order) -> None:
    ship_to = replace(SHIPPING_ADDRESS, district=None, number=None)
    assert mapping_problems(replace(order, ship_to=ship_to, is_test=True, lines=[]), "rayo") == [
        "The order is a test.",
        "Shipping address > neighbourhood is missing.",
        "Shipping address > street number is missing.",
        "Products are missing: nothing is left to ship.",
    ]


@pytest.mark.parametrize("changes", [{"is_pickup": True}, {"ship_to": None}])
def test_pickup_order_is_a_problem(order: Order, changes: dict[str, Any]) -> None:
    assert mapping_problems(replace(order, **changes), "rayo") == [
        "Shipping address is missing: Rayo does not offer collection in store."
    ]


def test_order_with_nothing_to_ship_is_a_problem(order: Order) -> None:
    lines = [replace(line, is_shippable=False) for line in order.lines]
    assert mapping_problems(replace(order, lines=lines), "rayo") == [
        "The order has nothing to ship: none of its products is shipped."
    ]


def test_row_says_that_a_product_is_not_shipped(order: Order) -> None:
    lines = [Line(sku=sku, name=sku, quantity=1, total=ONE_PESO) for sku in ("CURSO-1", "MATE", "YERBA")]
    identifiers = {"CURSO-1": False, "YERBA": "7790001"}
    request = build_body(replace(order, lines=lines), "rayo", identifiers=identifiers, required_tables=[])
    assert [product["identificador"] for product in request.body["productos"]] == ["MATE", "7790001"]
    assert "Products > “CURSO-1” is left out: it is not shipped." in render_problems(request.warnings)
    assert mapping_problems(replace(order, lines=lines[:1]), "rayo", identifiers=identifiers) == [
        "The order has nothing to ship: none of its products is shipped."
    ]
    assert build_account("rayo", identifiers={"CURSO-1": "false"}).identifiers == {"CURSO-1": False}  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", ["", True, 1])
def test_identifier_is_text_or_false(value: Any) -> None:
    with pytest.raises(ValidationError):
        build_account("rayo", identifiers={"CURSO-1": value})


@pytest.mark.parametrize(
    ("address", "receiver"),
    [
        ({"name": "Ximena Ocampo", "company": "Acme"}, "Ximena Ocampo"),
        ({"name": None, "company": "Acme SA de CV"}, "Acme SA de CV"),
        ({"name": None, "company": "27.666.555"}, "Julia Ríos"),  # people write their document there
        ({"name": None, "company": None}, "Julia Ríos"),
    ],
)
def test_parcel_without_a_name_goes_to_the_company_or_the_buyer(
    order: Order, address: dict[str, Any], receiver: str
) -> None:
    order = replace(
        order, ship_to=replace(SHIPPING_ADDRESS, **address), customer=Customer(first_name="Julia", last_name="Ríos")
    )
    request = build_body(order, "rayo")
    assert request.body["consumidor_destino"]["nombre"] == receiver
    is_company_sent = receiver == address["company"]
    assert ("Shipping address > company" in str(render_problems(request.warnings))) is bool(
        address["company"] and not is_company_sent
    )


def test_nobody_receives_an_order_that_names_nobody(order: Order) -> None:
    order = replace(order, ship_to=replace(SHIPPING_ADDRESS, name=None), customer=None, bill_to=None)
    assert mapping_problems(order, "rayo") == ["Shipping address > name is missing."]


@pytest.mark.parametrize(
    ("phones", "expected"),
    [
        ({"ship": "5511111111", "order": "5522222222"}, "5511111111"),
        ({"order": "5522222222", "customer": "5533333333"}, "5522222222"),
        ({"ship": "N/A", "customer": "5533333333", "bill": "5544444444"}, "5533333333"),
        ({"ship": "ximena1@example.mx", "bill": "5544444444"}, "5544444444"),
    ],
)
def test_phone_falls_back_from_address_to_order_customer_and_billing(
    order: Order, phones: dict[str, Any], expected: str
) -> None:
    order = replace(
        order,
        ship_to=replace(SHIPPING_ADDRESS, phone=phones.get("ship")),
        phone=phones.get("order"),
        customer=Customer(phone=phones.get("customer")),
        bill_to=Address(phone=phones.get("bill")),
    )
    assert build_body(order, "rayo").body["consumidor_destino"]["telefono"] == expected


def test_missing_phone_is_a_problem(order: Order) -> None:
    order = replace(order, ship_to=replace(SHIPPING_ADDRESS, phone=None), phone=None, customer=None, bill_to=None)
    assert mapping_problems(order, "rayo") == ["Shipping address > phone is missing."]


def test_lines_with_the_same_identifier_are_merged(order: Order) -> None:
    lines = [
        Line(sku="A", quantity=1, total=ONE_PESO),
        Line(sku="B", quantity=1, total=ONE_PESO),
        Line(sku="A", quantity=2, total=ONE_PESO),
    ]
    assert build_body(replace(order, lines=lines), "rayo").body["productos"] == [
        {"cantidad": 3, "identificador": "A"},
        {"cantidad": 1, "identificador": "B"},
    ]


def test_problem_numbers_lines_as_in_the_order(order: Order) -> None:
    lines = [
        Line(sku="A", quantity=1, total=ONE_PESO, is_shippable=False),
        Line(sku="B", quantity=1, total=ONE_PESO),
        Line(sku="B", quantity=1, total=ONE_PESO),
        Line(quantity=1, total=ONE_PESO),
        Line(quantity=1, total=ONE_PESO),
    ]
    assert mapping_problems(replace(order, lines=lines), "rayo") == [
        "Products > line 4 > SKU is missing.",
        "Products > line 5 > SKU is missing.",
    ]


def test_barcode_replaces_the_sku_without_fallback(order: Order) -> None:
    lines = [
        Line(sku="A", barcode="7503039461000", quantity=1, total=ONE_PESO),
        Line(sku="B", quantity=1, total=ONE_PESO),
    ]
    order = replace(order, lines=lines, missing_details={})
    assert mapping_problems(order, "rayo", identifier="barcode") == ["Products > line 2 > barcode is missing."]
    body = build_body(replace(order, lines=lines[:1]), "rayo", identifier="barcode").body
    assert body["productos"] == [{"cantidad": 1, "identificador": "7503039461000"}]


def test_service_states_and_missing_number_follow_the_settings(order: Order) -> None:
    settings = {"servicio_rayo": "EXPRESS", "states": {"CIUDAD DE MEXICO": "CDMX"}, "no_exterior_missing": "S/N"}
    body = build_body(replace(order, ship_to=replace(SHIPPING_ADDRESS, number=None)), "rayo", **settings).body
    assert body["servicio_rayo"] == "EXPRESS"
    assert body["consumidor_destino"]["estado"] == "CDMX"
    assert body["consumidor_destino"]["no_exterior"] == "S/N"


def test_account_needs_a_credential() -> None:
    with pytest.raises(ValidationError) as caught:
        build_account("rayo", api_key="")
    assert set(caught.value.messages_dict) == {"api_key"}
    with pytest.raises(ValidationError) as caught:
        DESTINATION.settings_schema().load({"name": "a", "id": "a", "destination": "rayo"})
    assert caught.value.messages_dict == {"api_key": ["is missing: Rayo needs `api_key` or `access_token`."]}


@pytest.mark.parametrize(
    ("settings", "bearer", "key"),
    [({"api_key": "k"}, None, "k"), ({"api_key": "k", "access_token": "t"}, None, "k")],
)
def test_api_key_is_exchanged_for_a_token(settings: dict[str, Any], bearer: None, key: str) -> None:
    account = build_account("rayo", **settings)
    assert (DESTINATION.bearer_token(account), DESTINATION.api_key(account)) == (bearer, key)


def test_static_token_is_used_without_an_api_key() -> None:
    account = DESTINATION.settings_schema().load({"name": "a", "id": "a", "destination": "rayo", "access_token": "t"})
    assert (DESTINATION.bearer_token(account), DESTINATION.api_key(account)) == ("t", None)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, None, Outcome.TOKEN_EXPIRED),
        (400, {"code": "invalid-jwt"}, Outcome.TOKEN_EXPIRED),
        (200, {"code": "invalid-jwt"}, Outcome.TOKEN_EXPIRED),
        (400, {"code": "unexpected"}, Outcome.AMBIGUOUS),
        (400, {"code": "constraint-violation"}, None),
        (400, [], None),
        (500, {"code": "unexpected"}, None),
    ],
)
def test_responses_are_classified_by_rayo_codes(
    status: int, body: dict[str, Any] | list[Any] | None, outcome: Outcome | None
) -> None:
    assert DESTINATION.classify_response(status, body) is outcome
