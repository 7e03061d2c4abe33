import json
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from marshmallow import ValidationError

from mappings import STOREFRONTS
from mappings.ids import hash_body
from mappings.order import Address, Customer, Line, Order, Payment, Shipping
from mappings.problems import MappingError, Problem, render_problems
from mappings.storefront import MalformedWebhookError, WebhookIdentity
from mappings.storefronts.tiendanube import TiendanubeStore
from tests.support.mapping_cases import (
    CUSTOMER_ID,
    SAMPLES,
    WAREHOUSE_ID,
    build_body,
    build_store,
    mapping_problems,
    parse_order,
    shipping_address,
)

STOREFRONT = STOREFRONTS["tiendanube"]

MX, AR = "tiendanube_mx", "tiendanube_ar"


@pytest.fixture
def payload() -> dict[str, Any]:
    return deepcopy(SAMPLES[MX])


def test_whole_order_is_read() -> None:
    address = Address(
        name="Nayeli Cordero Ruiz",
        phone="+5215512349876",
        street="Calle Tonalá",
        number="78",
        unit="Depto 5",
        district="Roma Norte",
        city="Cuauhtémoc",
        state="Ciudad de México",
        postal_code="06700",
        country="MX",
    )
    assert parse_order("tiendanube", SAMPLES[MX]) == Order(
        storefront="tiendanube",
        order_id="1650301277",
        number="128",
        placed_at=datetime(2026, 11, 20, 17, 0, 41, tzinfo=UTC),
        updated_at=datetime(2026, 11, 20, 17, 1, 12, tzinfo=UTC),
        currency="MXN",
        total=Decimal("899.00"),
        lines=[
            Line(
                line_id="2055001101",
                sku="CAFE-COA-500",
                barcode="7501000612345",
                name="Café de Coatepec (Molido, 500 g)",
                quantity=3,
                total=Decimal("705.88"),
            ),
            Line(line_id="2055001102", sku="FILTRO-1", name="Filtro de tela", quantity=1, total=Decimal("94.12")),
        ],
        shipping=[Shipping(name="Envío a domicilio", code="table_6103303", total=Decimal("99.00"))],
        payments=[
            Payment(gateway="mercadopago", name="Mercado Pago", amount=Decimal("899.00"), transaction_id="88012345671")
        ],
        customer=Customer(name="Nayeli Cordero Ruiz", email="nayeli.cordero@example.mx", phone="+5215512349876"),
        ship_to=address,
        bill_to=Address(
            name="Nayeli",
            phone="+5215512349876",
            street="Calle Tonalá",
            number="78",
            district="Roma Norte",
            city="Cuauhtémoc",
            state="Ciudad de México",
            postal_code="06700",
            country="MX",
        ),
        is_pickup=False,
        email="nayeli.cordero@example.mx",
        phone="+5215512349876",
        document="CORN900312AB1",
        note="Tocar el timbre dos veces",
        is_paid=True,
    )


def test_body_for_rayo() -> None:
    request = build_body(parse_order("tiendanube", SAMPLES[MX]), "rayo")
    assert request.body == {
        "consumidor_destino": {
            "calle": "Calle Tonalá",
            "ciudad": "Cuauhtémoc",
            "codigo_postal": "06700",
            "colonia": "Roma Norte",
            "estado": "Ciudad de México",
            "no_exterior": "78",
            "no_interior": "Depto 5",
            "nombre": "Nayeli Cordero Ruiz",
            "pais": "mexico",
            "telefono": "5512349876",
        },
        "productos": [
            {"cantidad": 3, "identificador": "CAFE-COA-500"},
            {"cantidad": 1, "identificador": "FILTRO-1"},
        ],
        "servicio_rayo": "NACIONAL",
    }
    assert render_problems(request.warnings) == [
        "Tax document: the check digit of RFC CORN900312AB1 is wrong.",
        "Customer note is not sent: Rayo has no field for it.",
    ]


def test_body_for_lapyme() -> None:
    request = build_body(parse_order("tiendanube", SAMPLES[AR]), "lapyme")
    yerba = {"product_name_snapshot": "Yerba mate barbacuá 1 kg", "sku_snapshot": "YERBA-BAR", "tax_rate_id": 5}
    assert request.body == {
        "customer_id": CUSTOMER_ID,
        "assigned_warehouse_id": WAREHOUSE_ID,
        "totals": {"subtotal": 2231405, "tax_amount": 468595, "total": 2700000},
        "lines": [
            {**yerba, "ordered_quantity": 1, "unit_price": 609678},
            {**yerba, "ordered_quantity": 2, "unit_price": 609677},
            {
                "product_name_snapshot": "Mate imperial",
                "sku_snapshot": "MATE-IMP",
                "ordered_quantity": 1,
                "unit_price": 870968,
                "tax_rate_id": 5,
            },
        ],
        "delivery_method": "shipping",
        "order_date": "2026-11-20T14:19:31Z",
        "currency": "PES",
        "notes": "tiendanube 306",
    }


def test_body_for_centelar() -> None:
    request = build_body(parse_order("tiendanube", SAMPLES[AR]), "centelar", payment_types={"offline": "promissory"})
    address = {
        "disposition": "residential",
        "street": "Av. Rivadavia",
        "number": "4120",
        "complement": "3 B",
        "neighborhood": "Almagro",
        "postal_code": "1205",
        "city": "Capital Federal",
        "state": "Ciudad Autónoma de Buenos Aires",
        "country": "AR",
    }
    assert request.body == {
        "creation_date": "2026-11-20T11:19:31",
        "ext_code": "1650388410",
        "price": 27000.0,
        "customer": {
            "first_name": "Ramiro",
            "last_name": "Sosa",
            "document_type": "dni",
            "document": "28444555",
            "email": "ramiro.sosa@example.com.ar",
            "phone": "+5491155550142",
            "is_corporate": False,
        },
        "items": [
            {"product_code": "YERBA-BAR", "quantity": 1, "price": 6096.78},
            {"product_code": "YERBA-BAR", "quantity": 2, "price": 6096.77},
            {"product_code": "MATE-IMP", "quantity": 1, "price": 8709.68},
        ],
        "payments": [{"type": "promissory", "payment_system": "Transferencia Bancaria", "amount": "27000.00"}],
        "shipping_address": {**address, "receiver_name": "Ramiro Sosa"},
        "billing_address": {**address, "receiver_name": "Ramiro"},
        "shipping_cost": 0.0,
    }
    assert "Customer note is not sent: Centelar has no field for it." in render_problems(request.warnings)


def test_pickup_branch_is_mapped_for_centelar() -> None:
    order = parse_order(
        "tiendanube", SAMPLES[AR] | {"shipping_pickup_type": "pickup", "shipping_store_branch_name": "Centro"}
    )
    types, pickups = {"offline": "promissory"}, {"Centro": {"id": 12}}
    body = build_body(order, "centelar", payment_types=types, pickups=pickups).body
    assert body["shipping_address"] == {"disposition": "pickup", "receiver_name": "Ramiro Sosa", "id": 12}


def test_discounts_are_allocated_exactly_to_the_lines() -> None:
    order = parse_order("tiendanube", SAMPLES[AR])
    assert [line.total for line in order.lines] == [Decimal("18290.32"), Decimal("8709.68")]
    assert order.shipping == [Shipping(name="Correo Argentino - Envío gratis", code="free_1", total=Decimal("0.00"))]
    assert order.parts_total == order.total == Decimal("27000.00")


def test_discount_exceeding_the_products_reduces_the_shipping(payload: dict[str, Any]) -> None:
    order = parse_order("tiendanube", payload | {"discount": "900.00", "total": "49.00"})
    assert [line.total for line in order.lines] == [0, 0]
    assert [shipping.total for shipping in order.shipping] == [Decimal("49.00")]


@pytest.mark.parametrize(
    "changes", [{"discount": None}, {"discount": "-50.00"}, {"discount": "49.00"}, {"shipping_cost_customer": "0.00"}]
)
def test_unexplained_discount_is_kept_as_a_charge(payload: dict[str, Any], changes: dict[str, Any]) -> None:
    order = parse_order("tiendanube", payload | changes)
    assert [line.total for line in order.lines] == [Decimal("750.00"), Decimal("100.00")]
    assert order.parts_total != order.total


def test_order_without_shipping_cost_has_no_shipping(payload: dict[str, Any]) -> None:
    order = parse_order("tiendanube", payload | {"shipping_cost_customer": None, "total": "800.00"})
    assert (order.shipping, order.parts_total) == ([], Decimal("800.00"))


def test_fully_removed_line_is_dropped(payload: dict[str, Any]) -> None:
    payload["products"][0]["quantity"] = "0"
    assert [line.sku for line in parse_order("tiendanube", payload).lines] == ["FILTRO-1"]


def test_order_of_unshippable_products_has_nothing_to_ship(payload: dict[str, Any]) -> None:
    order = parse_order("tiendanube", payload | {"has_shippable_products": False})
    assert order.is_all_virtual


def test_customer_and_document_are_read_without_the_customers_scope() -> None:
    order = parse_order("tiendanube", SAMPLES[AR])
    assert order.customer == Customer(name="Ramiro Sosa", email="ramiro.sosa@example.com.ar")
    assert order.document == "28.444.555"


def test_customer_contact_is_the_fallback(payload: dict[str, Any]) -> None:
    contact = {"contact_name": None, "contact_email": "", "contact_phone": None, "contact_identification": None}
    order = parse_order("tiendanube", payload | contact)
    assert order.customer == Customer(
        name="Nayeli Cordero Ruiz", email="nayeli.cordero@example.mx", phone="+5215512349876"
    )
    assert (order.email, order.phone, order.document) == ("nayeli.cordero@example.mx", None, "CORN900312AB1")


def test_billing_company_is_read() -> None:
    assert parse_order("tiendanube", SAMPLES[AR]).bill_to == Address(
        name="Ramiro",
        company="Sosa Hermanos SRL",
        street="Av. Rivadavia",
        number="4120",
        unit="3 B",
        district="Almagro",
        city="Capital Federal",
        state="Ciudad Autónoma de Buenos Aires",
        postal_code="1205",
        country="AR",
    )


def test_email_address_in_the_phone_field_is_ignored() -> None:
    order = parse_order("tiendanube", SAMPLES[AR])
    assert shipping_address(order).phone is None
    assert order.phone_to_call == "+54 9 11 5555-0142"


def test_placeholders_are_ignored(payload: dict[str, Any]) -> None:
    payload["shipping_address"] |= {
        "address": "No informado",
        "number": "No informado",
        "floor": "-",
        "locality": "no informada",
        "city": "Cuauhtémoc",
        "zipcode": "0000",
        "name": "No informado",
    }
    assert parse_order("tiendanube", payload).ship_to == Address(
        phone="+5215512349876", city="Cuauhtémoc", state="Ciudad de México", country="MX"
    )


def test_address_of_placeholders_is_none(payload: dict[str, Any]) -> None:
    nothing = dict.fromkeys(("address", "number", "floor", "locality", "city"), "No informado")
    payload["shipping_address"] |= nothing | {"zipcode": "0000"}
    assert parse_order("tiendanube", payload).ship_to is None


def test_number_after_the_street_is_split_off(payload: dict[str, Any]) -> None:
    payload["shipping_address"] |= {"address": "Calle Tonalá 78", "number": ""}
    address = shipping_address(parse_order("tiendanube", payload))
    assert (address.street, address.number, address.unit) == ("Calle Tonalá", "78", "Depto 5")


def test_numbered_street_name_stays_whole(payload: dict[str, Any]) -> None:
    payload["shipping_address"] |= {"address": "Calle 10", "number": "S/N"}
    address = shipping_address(parse_order("tiendanube", payload))
    assert (address.street, address.number) == ("Calle 10", "S/N")


@pytest.mark.parametrize(
    ("country", "text", "state"),
    [
        ("AR", "Capital Federal", "Ciudad Autónoma de Buenos Aires"),
        ("AR", "Gran Buenos Aires", "Buenos Aires"),
        ("AR", "Córdoba", "Córdoba"),
        ("MX", "Distrito Federal", "Ciudad de México"),
        ("MX", "Jalisco", "Jalisco"),
        ("BR", "São Paulo", "São Paulo"),
    ],
)
def test_province_has_its_official_name(payload: dict[str, Any], country: str, text: str, state: str) -> None:
    payload["shipping_address"] |= {"country": country, "province": text}
    assert shipping_address(parse_order("tiendanube", payload)).state == state


def test_leading_zero_of_a_mexican_postcode_is_restored(payload: dict[str, Any]) -> None:
    payload["shipping_address"]["zipcode"] = 6700
    assert shipping_address(parse_order("tiendanube", payload)).postal_code == "06700"


def test_courier_instructions_are_part_of_the_note(payload: dict[str, Any]) -> None:
    payload["shipping_address"]["customs"] = {"reference": "Portón negro", "between_streets": "Durango y Colima"}
    assert parse_order("tiendanube", payload).note == "Tocar el timbre dos veces; Portón negro; Durango y Colima"
    assert parse_order("tiendanube", payload | {"note": ""}).note == "Portón negro; Durango y Colima"


def test_pickup_has_a_branch_and_no_address(payload: dict[str, Any]) -> None:
    order = parse_order(
        "tiendanube", payload | {"shipping_pickup_type": "pickup", "shipping_store_branch_name": " Centro "}
    )
    assert (order.is_pickup, order.pickup_name, order.ship_to) == (True, "Centro", None)
    assert "Shipping address is missing: Rayo does not offer collection in store." in mapping_problems(order, "rayo")


@pytest.mark.parametrize("shipping_type", [None, "drone"])
def test_order_without_a_shipping_type_is_not_a_pickup(payload: dict[str, Any], shipping_type: str | None) -> None:
    order = parse_order(
        "tiendanube", payload | {"shipping_pickup_type": shipping_type, "shipping_store_branch_name": "Centro"}
    )
    assert (order.is_pickup, order.pickup_name, order.ship_to is None) == (None, None, False)


@pytest.mark.parametrize(
    ("status", "is_paid"),
    [
        ("paid", True),
        ("authorized", False),
        ("pending", False),
        ("open", False),
        ("partially_paid", False),
        ("voided", False),
        ("refunded", False),
        ("abandoned", False),
        ("recovered", None),
        (None, None),
    ],
)
def test_payment_status_determines_whether_it_is_paid(
    payload: dict[str, Any], status: str | None, is_paid: bool | None
) -> None:
    order = parse_order("tiendanube", payload | {"payment_status": status})
    assert order.is_paid is is_paid
    assert order.payments == ([] if is_paid is False else None if status is None else order.payments)
    assert order.is_refunded is (status in {"voided", "refunded"})


@pytest.mark.parametrize("status", ["partially_refunded", "recovered", "in_mediation"])
def test_undocumented_payment_status_is_a_problem(payload: dict[str, Any], status: str) -> None:
    order = parse_order("tiendanube", payload | {"payment_status": status})
    assert render_problems(order.blocking_problems) == [
        f"Tiendanube does not document the payment status “{status}”: look there whether the order is paid, and if it "
        "is, retrigger it with `force`."
    ]
    assert order.overridden().blocking_problems == []


@pytest.mark.parametrize(
    ("changes", "payments"),
    [
        (
            {"gateway": "offline", "gateway_name": "Transferencia Bancaria", "gateway_id": None},
            [Payment(gateway="offline", name="Transferencia Bancaria", amount=Decimal("899.00"))],
        ),
        ({"gateway": "not-provided", "gateway_name": None}, None),
        (
            {"gateway": "not-provided", "gateway_name": "A convenir", "gateway_id": None},
            [Payment(name="A convenir", amount=Decimal("899.00"))],
        ),
        ({"gateway": None, "gateway_name": None}, None),
        ({"total": "0.00"}, []),
    ],
)
def test_payment_is_the_total_at_its_gateway(
    payload: dict[str, Any], changes: dict[str, Any], payments: list[Any] | None
) -> None:
    assert parse_order("tiendanube", payload | changes).payments == payments


@pytest.mark.parametrize(
    ("changes", "is_cancelled"),
    [
        ({}, False),
        ({"status": "closed"}, False),
        ({"status": "cancelled"}, True),
        ({"cancelled_at": "2026-11-20T18:00:00+0000"}, True),
        ({"cancelled_at": "-0001-11-30T00:00:00+0000"}, False),
    ],
)
def test_cancelled_order_is_marked(payload: dict[str, Any], changes: dict[str, Any], is_cancelled: bool) -> None:
    assert parse_order("tiendanube", payload | changes).is_cancelled is is_cancelled


@pytest.mark.parametrize(
    ("origin", "date", "is_draft"),
    [
        ("form", "-0001-11-30 00:00:00.000000", True),
        ("form", None, True),
        ("form", "2026-11-20 17:00:41.000000", False),
        ("store", None, False),
    ],
)
def test_order_is_a_draft_until_confirmed(
    payload: dict[str, Any], origin: str, date: str | None, is_draft: bool
) -> None:
    completed_at = date and {"date": date, "timezone_type": 3, "timezone": "UTC"}
    order = parse_order("tiendanube", payload | {"storefront": origin, "completed_at": completed_at})
    assert order.is_draft is is_draft


def test_flat_address_of_a_draft_is_read(payload: dict[str, Any]) -> None:
    flat = {
        "shipping_address": "Calle Colima",
        "shipping_number": "9",
        "shipping_city": "Cuauhtémoc",
        "shipping_country": "MX",
    }
    assert parse_order("tiendanube", payload | flat).ship_to == Address(
        street="Calle Colima", number="9", city="Cuauhtémoc", country="MX"
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": None}, "Order id is missing."),
        ({"total": None}, "Total is missing."),
        ({"products": None}, "Products are missing."),
        ({"currency": None}, "Currency is missing."),
    ],
)
def test_missing_required_value_is_a_problem(payload: dict[str, Any], changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_order("tiendanube", payload | changes)
    assert render_problems(caught.value.problems) == [problem]


def test_order_without_a_number_uses_its_id(payload: dict[str, Any]) -> None:
    assert parse_order("tiendanube", payload | {"number": None}).number == "1650301277"


# --- webhook identity ---


def identify(payload: dict[str, Any]) -> WebhookIdentity:
    return STOREFRONT.identify({}, payload, json.dumps(payload).encode())


def thin(event: str, **changes: int | str | None) -> dict[str, Any]:
    return {"store_id": 4410733, "event": event, "id": 1650301277} | changes


def test_paid_order_is_identified() -> None:
    assert identify(thin("order/paid")) == WebhookIdentity(
        topic="order/paid",
        topics=frozenset({"order/paid", "paid"}),
        event_key=f"4410733:order/paid:1650301277:{hash_body(json.dumps(thin('order/paid')).encode())}",
        order_id="1650301277",
        refetch_on_duplicate=True,
    )


@pytest.mark.parametrize(
    ("event", "hub_topic", "repeat_is_news"),
    [
        ("order/created", "created", False),
        ("order/paid", "paid", True),
        ("order/updated", "updated", True),
        ("order/packed", "updated", True),
        ("order/unpacked", "updated", True),
        ("order/fulfilled", "updated", True),
        ("order/edited", "updated", True),
        ("order/pending", "updated", True),
        ("order/voided", "updated", True),
        ("order/custom_fields_updated", "updated", True),
        ("order/cancelled", "cancelled", False),
    ],
)
def test_event_has_its_canonical_topic_and_refetch_flag(event: str, hub_topic: str, repeat_is_news: bool) -> None:
    identity = identify(thin(event))
    assert (identity.topics, identity.refetch_on_duplicate) == (frozenset({event, hub_topic}), repeat_is_news)
    assert (identity.ignore_reason, identity.has_order, identity.source_updated_at) == (None, True, None)


def test_event_key_combines_store_event_and_order() -> None:
    events = [
        thin("order/paid"),
        thin("order/paid", id=2),
        thin("order/paid", store_id=2),
        thin("order/updated"),
    ]
    assert len({identify(event).event_key for event in events}) == 4
    assert identify(thin("order/paid")).event_key == identify(thin("order/paid")).event_key


@pytest.mark.parametrize(
    ("payload", "topic", "reason"),
    [
        (thin("product/updated"), "product/updated", "topic_without_order"),
        (
            thin("fulfillment_order/status_updated", id=None),
            "fulfillment_order/status_updated",
            "topic_without_order",
        ),
        (thin("order/paid", id=None), "order/paid", "order_not_named"),
    ],
)
def test_event_without_an_order_is_ignored_with_a_reason(payload: dict[str, Any], topic: str, reason: str) -> None:
    identity = identify(payload)
    assert (identity.topics, identity.order_id, identity.ignore_reason) == (
        frozenset({topic}),
        None,
        Problem(code=reason),
    )


@pytest.mark.parametrize(
    "payload", [{}, {"id": 1}, thin("x" * 201), thin("order/paid", id="a\x00b"), thin("order/paid", store_id="\ud800")]
)
def test_body_without_usable_ids_is_malformed(payload: dict[str, Any]) -> None:
    with pytest.raises(MalformedWebhookError):
        identify(payload)


@pytest.mark.parametrize(
    ("store_id", "is_ours"),
    [(4410733, True), ("4410733", True), (4410734, False), (None, False), (True, False), ([], False)],
)
def test_webhook_belongs_to_the_store_with_its_id(store_id: Any, is_ours: bool) -> None:
    assert STOREFRONT.belongs_to_store({}, {"store_id": store_id}, build_store("tiendanube")) is is_ours


# --- fetches ---


def test_order_of_a_webhook_is_fetched() -> None:
    [fetch] = STOREFRONT.required_fetches(thin("order/paid"), build_store("tiendanube"), frozenset())
    assert (fetch.path, fetch.is_order) == ("/4410733/orders/1650301277", True)
    assert fetch.merge(thin("order/paid"), {"id": 1650301277, "number": 128}) == {"id": 1650301277, "number": 128}


def test_id_cannot_change_the_fetch_path() -> None:
    [fetch] = STOREFRONT.required_fetches(
        thin("order/paid", id="../../1/orders/2?x"), build_store("tiendanube"), frozenset()
    )
    assert fetch.path == "/4410733/orders/..%2F..%2F1%2Forders%2F2%3Fx"


def test_fetch_sends_both_token_headers_and_a_user_agent() -> None:
    assert STOREFRONT.api_headers(build_store("tiendanube", user_agent="Pedidos (ana@example.com)"), "ficha") == {
        "Authentication": "bearer ficha",
        "Authorization": "Bearer ficha",
        "User-Agent": "Pedidos (ana@example.com)",
    }


def test_api_url_and_user_agent_have_defaults() -> None:
    store = build_store("tiendanube")
    assert isinstance(store, TiendanubeStore)
    assert (store.api_url, store.user_agent) == (
        "https://api.tiendanube.com/v1",
        "connector (run by the shop itself)",
    )
    assert (
        build_store("tiendanube", api_url="https://api.nuvemshop.com.br/v1/").api_url
        == "https://api.nuvemshop.com.br/v1"
    )


@pytest.mark.parametrize("store_id", [4410733, "4410733"])
def test_store_id_may_be_a_number_or_text(store_id: int | str) -> None:
    store = build_store("tiendanube", store_id=store_id)
    assert isinstance(store, TiendanubeStore)
    assert store.store_id == "4410733"


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"store_id": "../1"}, "store_id"),
        ({"store_id": True}, "store_id"),
        ({"store_id": None}, "store_id"),
        ({"api_token": None}, "api_token"),
        ({"api_token": "ficha\nx"}, "api_token"),
        ({"user_agent": "Camión"}, "user_agent"),
    ],
)
def test_invalid_settings_are_reported(changes: dict[str, Any], setting: str) -> None:
    with pytest.raises(ValidationError) as caught:
        build_store("tiendanube", **changes)
    assert list(caught.value.messages_dict) == [setting]


def test_thin_webhook_names_the_order() -> None:
    assert STOREFRONT.sample.build_payload(SAMPLES[MX], "order/updated", build_store("tiendanube")) == thin(
        "order/updated"
    )
