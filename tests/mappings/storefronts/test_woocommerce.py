import json
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from mappings import STOREFRONTS
from mappings.order import Address, Charge, Customer, Line, Payment, Shipping
from mappings.problems import MappingError, Problem, render_problems
from mappings.storefront import MalformedWebhookError, StoreError, WebhookIdentity
from tests.support.mapping_cases import SAMPLES, build_store, parse_order, shipping_address

STOREFRONT = STOREFRONTS["woocommerce"]


@pytest.fixture
def payload() -> dict[str, Any]:
    return deepcopy(SAMPLES["woocommerce_ar"])


def test_net_amounts_become_gross_prices(payload: dict[str, Any]) -> None:
    order = parse_order("woocommerce", payload)
    assert order.lines == [
        Line(
            line_id="1",
            sku="7791234567898",
            name="Yerba mate orgánica",
            quantity=3,
            quantity_fulfilled=3,
            total=Decimal("9000.00"),
            tax=Decimal("1561.98"),
        ),
        Line(
            line_id="2",
            sku="TAZA-01",
            name="Taza & plato",
            quantity=2,
            quantity_fulfilled=2,
            total=Decimal("3980.00"),
            tax=Decimal("690.74"),
        ),
    ]
    assert order.shipping == [
        Shipping(
            name="Correo Argentino", code="flat_rate", instance="1", total=Decimal("3000.00"), tax=Decimal("520.66")
        )
    ]
    assert order.charges == [
        Charge(kind="fee", name="Embalaje para regalo", total=Decimal("500.00"), tax=Decimal("86.78"))
    ]
    assert order.parts_total == order.total == Decimal("16480.00")


def test_times_without_a_zone_are_utc(payload: dict[str, Any]) -> None:
    order = parse_order("woocommerce", payload)
    assert order.placed_at == datetime(2026, 11, 21, 16, 20, tzinfo=UTC)
    assert order.updated_at == datetime(2026, 11, 21, 16, 20, 59, tzinfo=UTC)


def test_html_entities_are_decoded() -> None:
    order = parse_order("woocommerce", SAMPLES["woocommerce_mx"])
    assert order.customer == Customer(
        first_name="Tomás", last_name="O’Farrill", email="tomas@example.mx", phone="01 55 1234 5678"
    )
    assert order.note == "Portón verde & timbre 3"


def test_plugin_order_number_and_buyer_email_are_read(payload: dict[str, Any]) -> None:
    order = parse_order("woocommerce", payload | {"number": "W-0240"})
    assert (order.order_id, order.number, order.email) == ("240", "W-0240", "malena@example.com.ar")


def test_order_without_billing_is_read(payload: dict[str, Any]) -> None:
    order = parse_order("woocommerce", payload | {"billing": None, "number": None})
    assert (order.number, order.customer, order.email, order.bill_to) == ("240", None, None, None)


def test_blank_shipping_address_falls_back_to_billing() -> None:
    order = parse_order("woocommerce", SAMPLES["woocommerce_mx"])
    assert (
        order.ship_to
        == order.bill_to
        == Address(
            first_name="Tomás",
            last_name="O’Farrill",
            phone="01 55 1234 5678",
            line1="Calle 5 de Mayo #123",
            line2="Depto. 4-B, Col. Del Carmen",
            street="Calle 5 de Mayo",
            number="123",
            unit="Depto. 4-B",
            district="Del Carmen",
            city="Coyoacán",
            state="Ciudad de México",
            postal_code="04100",
            country="MX",
        )
    )


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        ([], (None, None, False)),
        (["flat_rate"], (False, None, True)),
        (["local_pickup"], (True, "Correo Argentino", False)),
        (["pickup_location"], (True, "Correo Argentino", False)),
        (["local_pickup", "flat_rate"], (False, None, True)),
    ],
)
def test_shipping_method_determines_pickup(
    payload: dict[str, Any], methods: list[Any], expected: tuple[Any, ...]
) -> None:
    payload["shipping"] = dict.fromkeys(payload["shipping"], "")
    [method] = payload["shipping_lines"]
    payload["shipping_lines"] = [method | {"method_id": method_id} for method_id in methods]
    order = parse_order("woocommerce", payload)
    assert (order.is_pickup, order.pickup_name, order.ship_to is not None) == expected


@pytest.mark.parametrize(
    ("meta", "document"),
    [
        ([], None),
        ([{"key": "_billing_dni", "value": "28.333.444"}], "28.333.444"),
        ([{"key": "billing_dni", "value": 28333444}], "28333444"),
        ([{"key": "ebanx_billing_argentina_document", "value": "20283334441"}], "20283334441"),
        ([{"key": "_billing_dni", "value": ""}, {"key": "_billing_rfc", "value": "OAFT850505XY2"}], "OAFT850505XY2"),
        ([{"key": "_billing_dni", "value": "12123123"}], None),
        ([None, {"key": 5}, {"key": "_billing_dni", "value": []}], None),
        ("x", None),
    ],
)
def test_tax_document_is_read_from_known_plugins(
    payload: dict[str, Any], meta: list[Any] | str, document: str | None
) -> None:
    payload["meta_data"] = meta
    assert parse_order("woocommerce", payload).document == document


def test_settings_override_the_tax_document_path(payload: dict[str, Any]) -> None:
    assert parse_order("woocommerce", payload, document_from="billing.first_name").document == "Malena"


def test_html_entities_are_decoded_at_configured_paths(payload: dict[str, Any]) -> None:
    payload["shipping"]["address_2"] = "Depto 3, San Telmo &amp; Barracas"
    address = shipping_address(parse_order("woocommerce", payload, district_from="shipping.address_2"))
    assert (address.unit, address.district) == ("Depto 3", "San Telmo & Barracas")


@pytest.mark.parametrize(
    ("country", "text", "state"),
    [
        ("MX", "MX", "México"),
        ("MX", "QR", "Quintana Roo"),
        ("MX", "qr", "Quintana Roo"),
        ("AR", "V", "Tierra del Fuego"),
        ("US", "AR", "AR"),
        ("", "X", "X"),
        ("MX", "Jalisco", "Jalisco"),
        ("MX", "CDMX", "Ciudad de México"),
    ],
)
def test_state_code_is_mapped_to_its_official_name(
    payload: dict[str, Any], country: str, text: str, state: str
) -> None:
    payload["shipping"] |= {"country": country, "state": text}
    assert shipping_address(parse_order("woocommerce", payload)).state == state


@pytest.mark.parametrize(
    ("status", "paid_at", "is_paid"),
    [
        ("processing", None, True),
        ("completed", None, True),
        ("enviado", "2026-11-21T16:20:00", True),
        ("enviado", None, False),
        ("on-hold", "2026-11-21T16:20:00", False),
        ("pending", None, False),
        ("failed", "2026-11-21T16:20:00", False),
    ],
)
def test_status_determines_whether_it_is_paid(
    payload: dict[str, Any], status: str, paid_at: str | None, is_paid: bool | None
) -> None:
    assert parse_order("woocommerce", payload | {"status": status, "date_paid_gmt": paid_at}).is_paid is is_paid


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        ("processing", (False, False)),
        ("cancelled", (True, False)),
        ("refunded", (True, False)),
        ("trash", (True, False)),
        ("failed", (False, False)),
        ("checkout-draft", (False, True)),
        ("auto-draft", (False, True)),
    ],
)
def test_cancelled_and_draft_orders_are_marked(payload: dict[str, Any], status: str, flags: tuple[bool, bool]) -> None:
    order = parse_order("woocommerce", payload | {"status": status})
    assert (order.is_cancelled, order.is_draft) == flags


@pytest.mark.parametrize(
    ("changes", "payments"),
    [
        ({}, [Payment(gateway="bacs", name="Transferencia bancaria", amount=Decimal("16480.00"))]),
        ({"status": "pending"}, []),
        ({"payment_method": ""}, [Payment(name="Transferencia bancaria", amount=Decimal("16480.00"))]),
        ({"payment_method": "", "payment_method_title": ""}, None),
    ],
)
def test_payment_is_the_total_with_its_method(
    payload: dict[str, Any], changes: dict[str, Any], payments: list[Any] | None
) -> None:
    assert parse_order("woocommerce", payload | changes).payments == payments


def test_rounding_of_up_to_a_cent_per_amount_is_a_charge(payload: dict[str, Any]) -> None:
    order = parse_order("woocommerce", payload | {"total": "16480.03"})
    assert order.charges[1:] == [Charge(kind="rounding", total=Decimal("0.03"))]
    assert order.parts_total == order.total == Decimal("16480.03")


def test_untaxed_amount_counts_once(payload: dict[str, Any]) -> None:
    del payload["fee_lines"][0]["total_tax"]
    payload["fee_lines"][0]["total"] = "500.00"
    assert [charge.kind for charge in parse_order("woocommerce", payload | {"total": "16480.07"}).charges] == [
        "fee",
        "rounding",
    ]
    assert [charge.kind for charge in parse_order("woocommerce", payload | {"total": "16480.08"}).charges] == ["fee"]


def test_larger_difference_is_not_rounding(payload: dict[str, Any]) -> None:
    order = parse_order("woocommerce", payload | {"total": "16480.09"})
    assert [charge.kind for charge in order.charges] == ["fee"]


def test_fully_removed_line_is_dropped(payload: dict[str, Any]) -> None:
    payload["line_items"][1]["quantity"] = 0
    assert [line.sku for line in parse_order("woocommerce", payload).lines] == ["7791234567898"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": None}, "Order id is missing."),
        ({"total": ""}, "Total is not an amount of money."),
        ({"billing": []}, "Billing address is not an object."),
    ],
)
def test_missing_required_value_is_a_problem(payload: dict[str, Any], changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_order("woocommerce", payload | changes)
    assert problem in render_problems(caught.value.problems)


# --- webhook identity ---


def store_error(code: str) -> dict[str, Any]:
    return {"code": code, "message": "No", "data": {"status": 401}}


def identify(payload: dict[str, Any], topic: str = "order.updated", **headers: str) -> WebhookIdentity:
    body = json.dumps(payload).encode()
    return STOREFRONT.identify({"x-wc-webhook-topic": topic, **headers}, payload, body)


def test_paid_order_is_identified(payload: dict[str, Any]) -> None:
    identity = identify(payload)
    assert identity == WebhookIdentity(
        topic="order.updated",
        topics=frozenset({"order.updated", "updated", "paid"}),
        event_key=identity.event_key,
        order_id="240",
        order_number="240",
        source_updated_at=datetime(2026, 11, 21, 16, 20, 59, tzinfo=UTC),
    )
    assert identity.event_key.startswith("order.updated:240:")


@pytest.mark.parametrize(
    ("topic", "status", "hub_topics"),
    [
        ("order.updated", "pago-aprobado", {"updated", "paid"}),
        ("order.created", "preparando", {"created", "paid"}),
        ("order.created", "pending", {"created"}),
        ("order.created", "processing", {"created", "paid"}),
        ("order.updated", "completed", {"updated", "paid"}),
        ("order.restored", "processing", {"updated", "paid"}),
        ("order.updated", "failed", {"updated"}),
        ("order.updated", "on-hold", {"updated"}),
        ("order.updated", "cancelled", {"updated", "cancelled"}),
        ("order.updated", "refunded", {"updated", "cancelled"}),
        ("order.updated", "trash", {"updated", "cancelled"}),
        ("order.updated", "checkout-draft", {"updated"}),
    ],
)
def test_status_adds_its_canonical_topic(
    payload: dict[str, Any], topic: str, status: list[Any] | str, hub_topics: set[str]
) -> None:
    assert identify(payload | {"status": status}, topic).topics == {topic, *hub_topics}


def test_deleted_order_is_cancelled_without_a_payload() -> None:
    identity = identify({"id": 240}, "order.deleted")
    assert identity.warnings == ()
    assert (identity.topics, identity.has_order) == (frozenset({"order.deleted", "cancelled"}), False)
    assert (identity.order_id, identity.source_updated_at) == ("240", None)


def test_deletion_topic_over_a_whole_order_deletes_nothing(payload: dict[str, Any]) -> None:
    identity = identify(payload | {"status": "processing"}, "order.deleted")
    assert (identity.topics, identity.has_order) == (frozenset({"updated", "paid"}), True)
    assert identity.warnings == (Problem(code="topic_says_deleted"),)


def test_status_without_a_payment_is_unpaid(payload: dict[str, Any]) -> None:
    identity = identify(payload | {"status": "preparando", "date_paid_gmt": None})
    assert (identity.topics, identity.is_unpaid) == (frozenset({"order.updated", "updated"}), True)


def test_invented_topics_share_one_event_key(payload: dict[str, Any]) -> None:
    keys = {identify(payload, topic).event_key for topic in ("order.paid", "x", "order.updated ", "order.updated")}
    assert len(keys) == 2


def test_event_key_changes_only_with_the_order_state(payload: dict[str, Any]) -> None:
    repeat = identify(payload, **{"x-wc-webhook-delivery-id": "b"})
    assert identify(payload, **{"x-wc-webhook-delivery-id": "a"}).event_key == repeat.event_key
    assert identify(payload | {"status": "processing"}).event_key != repeat.event_key


def test_orders_sharing_a_delivery_id_have_distinct_event_keys(payload: dict[str, Any]) -> None:
    shared = {"x-wc-webhook-delivery-id": "a"}
    assert identify(payload, **shared).event_key != identify(payload | {"id": 241}, **shared).event_key


@pytest.mark.parametrize(
    ("payload", "topic", "reason"),
    [
        ({"id": 1, "status": "checkout-draft"}, "order.created", "draft_order"),
        ({"id": 1, "status": "auto-draft"}, "order.created", "draft_order"),
        (
            {"code": "woocommerce_rest_cannot_view", "message": "No", "data": {"status": 401}},
            "order.created",
            "woocommerce_cannot_view",
        ),
        (store_error("woocommerce_rest_invalid_shop_order_id"), "order.created", "woocommerce_api_v1"),
        (store_error("woocommerce_rest_shop_order_invalid_id"), "order.updated", "woocommerce_order_gone"),
        (store_error("rest_no_route"), "order.updated", "woocommerce_error"),
        (store_error("woocommerce_rest_cannot_view"), "product.updated", "topic_without_order"),
        ({"action": "woocommerce_x", "arg": 5}, "action.woocommerce_x", "topic_without_order"),
        ({"id": 5}, "product.updated", "topic_without_order"),
        ({"action": "woocommerce_x", "arg": 5}, "order.updated", "not_an_order"),
        ({"id": None}, "order.updated", "not_an_order"),
        ({"id": 5}, "order.updated", "not_an_order"),
        ({"id": []}, "order.updated", "not_an_order"),
    ],
)
def test_payload_that_is_no_order_is_ignored_with_a_reason(payload: dict[str, Any], topic: str, reason: str) -> None:
    assert identify(payload, topic).ignore_reason == Problem(code=reason)


@pytest.mark.parametrize(
    ("code", "topic", "is_of_one_order"),
    [
        ("woocommerce_rest_cannot_view", "order.created", False),
        ("woocommerce_rest_invalid_shop_order_id", "order.updated", False),
        ("woocommerce_rest_shop_order_invalid_id", "order.created", True),
        ("woocommerce_rest_authentication_error", "order.restored", False),
    ],
)
def test_signed_error_is_one_of_the_store(code: str, topic: str, is_of_one_order: bool) -> None:
    identity = identify(store_error(code), topic)
    assert identity.store_error == StoreError(
        reason=identity.ignore_reason or Problem(code="invalid"), is_of_one_order=is_of_one_order
    )


@pytest.mark.parametrize(
    ("payload", "topic"),
    [
        (store_error("woocommerce_rest_cannot_view"), "product.updated"),
        (store_error("woocommerce_rest_cannot_view") | {"id": 5}, "order.updated"),
        ({"code": ["woocommerce_rest_cannot_view"]}, "order.updated"),
        ({"code": "CUPON"}, "order.updated"),
    ],
)
def test_other_payload_is_no_error_of_the_store(payload: dict[str, Any], topic: str) -> None:
    assert identify(payload, topic).store_error is None


@pytest.mark.parametrize("topic", ["", " "])
def test_missing_topic_is_malformed(payload: dict[str, Any], topic: str) -> None:
    with pytest.raises(MalformedWebhookError):
        identify(payload, topic)


@pytest.mark.parametrize("key", ["id", "number"])
@pytest.mark.parametrize("value", ["a\x00b", "\ud800", "x" * 201])
def test_unstorable_id_is_malformed(payload: dict[str, Any], key: str, value: str) -> None:
    with pytest.raises(MalformedWebhookError):
        identify(payload | {key: value})


@pytest.mark.parametrize(
    ("body", "is_ping"),
    [
        (b"webhook_id=12", True),
        (b"webhook_id=", False),
        (b"webhook_id=1a", False),
        (b"webhook_id=12&x=1", False),
        (b"webhook_id=12\n", False),
        (b'{"webhook_id": 12}', False),
    ],
)
def test_ping_is_exactly_a_webhook_id(body: bytes, is_ping: bool) -> None:
    assert STOREFRONT.is_ping(body) is is_ping


@pytest.mark.parametrize(
    ("displayed", "signed"),
    [
        ("sin nada", "sin nada"),
        ("a&amp;b", "a&b"),
        ("a&b", "a&b"),
        ("&lt;&gt;&quot;&#039;&#39;&#x27;", "<>\"'''"),
        ("&amp;lt;", "&lt;"),
        ("&copy;=1&notit", "&copy;=1&notit"),
        ("&AMP;", "&AMP;"),
    ],
)
def test_secret_is_decoded_like_wordpress(displayed: str, signed: str) -> None:
    assert STOREFRONT.signing_key(displayed) == signed


@pytest.mark.parametrize(
    ("href", "source", "domain", "is_ours"),
    [
        ("https://tienda.example/wp-json/wc/v3/orders/1", "https://otra.example/", "tienda.example", True),
        ("https://otra.example/wp-json/wc/v3/orders/1", "https://tienda.example/", "tienda.example", False),
        ("https://www.tienda.example/es/wp-json/wc/v3/orders/1", None, "tienda.example", True),
        ("https://tienda.example/sur/wp-json/wc/v3/orders/1", None, "tienda.example/norte", False),
        ("https://tienda.example/?rest_route=/wc/v3/orders/1", None, "tienda.example", True),
        ("https://otra.example/index.php/wp-json/wc/v3/orders/1", None, "tienda.example", False),
        ("https://otra.example/api/wc/v3/orders/1", "https://tienda.example/", "tienda.example", True),
        (None, "https://Tienda.example/", "tienda.example", True),
        (None, "https://tienda.example:8080/", "tienda.example", False),
        (None, "https://otra.example/", "tienda.example", False),
        (5, None, "tienda.example", False),
        (None, None, None, True),
    ],
)
def test_body_names_the_shop_and_else_the_header_does(
    payload: dict[str, Any], href: Any, source: str | None, domain: str | None, is_ours: bool
) -> None:
    store = build_store("woocommerce", **({"shop_domain": domain} if domain else {}))
    headers = {"x-wc-webhook-source": source} if source else {}
    payload["_links"] = {"self": [{"href": href}]}
    assert STOREFRONT.belongs_to_store(headers, payload, store) is is_ours
    assert STOREFRONT.belongs_to_store(headers, payload | {"_links": []}, build_store("woocommerce"))
