from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from mappings import STOREFRONTS
from mappings.ids import hash_body
from mappings.order import Charge, Order, Payment, Shipping
from mappings.problems import MappingError, Problem, render_problems
from mappings.storefront import MalformedWebhookError, WebhookIdentity
from tests.support.mapping_cases import SAMPLES, build_store, parse_order, shipping_address

STOREFRONT = STOREFRONTS["shopify"]


@pytest.fixture
def payload() -> dict[str, Any]:
    return deepcopy(SAMPLES["shopify_ar"])


def price_set(amount: str) -> dict[str, Any]:
    return {"shop_money": {"amount": amount, "currency_code": "ARS"}, "presentment_money": {"amount": "1"}}


def line_totals(order: Order) -> list[tuple[str | None, int, Decimal, Decimal | None]]:
    return [(line.sku, line.quantity, line.total, line.tax) for line in order.lines]


def parse_problems(payload: dict[str, Any]) -> list[str]:
    with pytest.raises(MappingError) as caught:
        parse_order("shopify", payload)
    return render_problems(caught.value.problems)


def test_line_total_excludes_discounts_and_includes_tax(payload: dict[str, Any]) -> None:
    order = parse_order("shopify", payload)
    assert line_totals(order) == [
        ("7791234567898", 3, Decimal("11500.01"), Decimal("1995.87")),
        ("MATE-CUERO", 1, Decimal("10500.00"), Decimal("1822.31")),
    ]
    assert order.shipping == [
        Shipping(name="Correo a domicilio", code="correo", total=Decimal("3000.00"), tax=Decimal("520.66"))
    ]
    assert order.parts_total == order.total == Decimal("25000.01")


def test_tax_is_added_to_prices_without_tax(payload: dict[str, Any]) -> None:
    payload["taxes_included"] = False
    order = parse_order("shopify", payload)
    assert line_totals(order)[1] == ("MATE-CUERO", 1, Decimal("12322.31"), Decimal("1822.31"))
    assert order.shipping[0].total == Decimal("3520.66")


def test_old_order_uses_the_line_discount(payload: dict[str, Any]) -> None:
    del payload["line_items"][1]["discount_allocations"]
    payload["line_items"][1]["total_discount"] = "1.00"
    assert line_totals(parse_order("shopify", payload))[1][2] == Decimal("10999.00")


def test_refunded_units_reduce_the_line_by_the_refund(payload: dict[str, Any]) -> None:
    payload["line_items"][0]["current_quantity"] = 2
    payload["current_total_price"] = "21166.68"
    refunded = {"line_item_id": 12001, "quantity": 1, "subtotal": 3833.33, "total_tax": 665.29}
    other = {"line_item_id": 99999, "quantity": 1, "subtotal": 1.00, "total_tax": 0.21}
    payload["refunds"] = [{"refund_line_items": [refunded, other], "order_adjustments": []}]
    order = parse_order("shopify", payload)
    assert line_totals(order)[0] == ("7791234567898", 2, Decimal("7666.68"), Decimal("1330.58"))
    assert order.parts_total == order.total == Decimal("21166.68")


def test_refunded_tax_is_deducted_from_prices_without_tax(payload: dict[str, Any]) -> None:
    payload["taxes_included"] = False
    payload["line_items"][0]["current_quantity"] = 2
    refunded = {"line_item_id": 12001, "quantity": 1, "subtotal": "3833.33", "total_tax": "665.29"}
    payload["refunds"] = [{"refund_line_items": [refunded]}]
    assert line_totals(parse_order("shopify", payload))[0][2:] == (Decimal("8997.26"), Decimal("1330.58"))


def test_units_removed_by_an_edit_reduce_the_line_in_proportion(payload: dict[str, Any]) -> None:
    payload["line_items"][0]["current_quantity"] = 2
    assert line_totals(parse_order("shopify", payload))[0] == (
        "7791234567898",
        2,
        Decimal("7666.67"),
        Decimal("1330.58"),
    )


def test_remaining_units_are_calculated_when_missing(payload: dict[str, Any]) -> None:
    del payload["line_items"][0]["current_quantity"]
    payload["refunds"] = [{"refund_line_items": [{"line_item_id": 12001, "quantity": 1, "subtotal": "3833.33"}]}]
    assert line_totals(parse_order("shopify", payload))[0][:3] == ("7791234567898", 2, Decimal("7666.68"))


def test_refund_without_an_id_matches_no_line(payload: dict[str, Any]) -> None:
    payload["line_items"][0] |= {"id": None, "current_quantity": None}
    payload["refunds"] = [{"refund_line_items": [{"line_item_id": None, "quantity": 1, "subtotal": "3833.33"}]}]
    assert line_totals(parse_order("shopify", payload))[0][1] == 3


@pytest.mark.parametrize("changes", [{"current_quantity": 0}, {"quantity": 0, "current_quantity": 0}])
def test_fully_removed_line_is_dropped(payload: dict[str, Any], changes: dict[str, Any]) -> None:
    payload["line_items"][0] |= changes
    assert [line.sku for line in parse_order("shopify", payload).lines] == ["MATE-CUERO"]


def test_shipping_refund_reduces_the_shipping(payload: dict[str, Any]) -> None:
    payload["refunds"] = [
        {"order_adjustments": [{"kind": "shipping_refund", "amount": "-826.45", "tax_amount": "-173.55"}]}
    ]
    assert parse_order("shopify", payload).shipping == [
        Shipping(name="Correo a domicilio", code="correo", total=Decimal("2000.00"), tax=Decimal("347.11"))
    ]


def test_shipping_refund_is_allocated_to_the_methods(payload: dict[str, Any]) -> None:
    payload["shipping_lines"].append({"title": "Embalaje", "price": "500.00", "tax_lines": None})
    payload["refunds"] = [{"order_adjustments": [{"kind": "shipping_refund", "amount": "-3200.00"}, {"kind": "otro"}]}]
    assert [method.total for method in parse_order("shopify", payload).shipping] == [Decimal("0.00"), Decimal("300.00")]


@pytest.mark.parametrize(
    ("changes", "number"),
    [({}, "#2077"), ({"name": None}, "2077"), ({"name": "", "order_number": None}, "5678901234999")],
)
def test_order_number_is_the_visible_one(payload: dict[str, Any], changes: dict[str, Any], number: str) -> None:
    assert parse_order("shopify", payload | changes).number == number


def test_removed_shipping_is_dropped(payload: dict[str, Any]) -> None:
    payload["shipping_lines"][0]["is_removed"] = True
    assert parse_order("shopify", payload).shipping == []


@pytest.mark.parametrize(
    ("changes", "total"),
    [
        ({"discount_allocations": [{"amount": "3000.00"}]}, Decimal("0.00")),
        ({"discount_allocations": [{"amount": "500.00"}], "discounted_price": "1000.00"}, Decimal("2500.00")),
        ({"discounted_price": "1000.00", "discount_allocations": None}, Decimal("1000.00")),
        ({"discounted_price": "1000.00", "discount_allocations": []}, Decimal("1000.00")),
        ({"discounted_price": None, "discount_allocations": None}, Decimal("3000.00")),
    ],
)
def test_shipping_total_excludes_discounts(payload: dict[str, Any], changes: dict[str, Any], total: Decimal) -> None:
    payload["shipping_lines"][0] |= changes
    assert parse_order("shopify", payload).shipping[0].total == total


def test_tips_duties_and_fees_are_charges(payload: dict[str, Any]) -> None:
    payload["total_tip_received"] = "100.00"
    payload["current_total_duties_set"] = price_set("20.00")
    payload["current_total_additional_fees_set"] = price_set("3.00")
    assert parse_order("shopify", payload).charges == [
        Charge(kind="tip", total=Decimal("100.00")),
        Charge(kind="duties", total=Decimal("20.00")),
        Charge(kind="fee", total=Decimal("3.00")),
    ]


@pytest.mark.parametrize(
    ("total", "charges"),
    [("25000.00", [Charge(kind="rounding", total=Decimal("-0.01"))]), ("25000.01", [])],
)
def test_cash_rounding_in_the_total_is_a_charge(payload: dict[str, Any], total: str, charges: list[Any]) -> None:
    payload["current_total_price"] = total
    payload["total_cash_rounding_payment_adjustment_set"] = price_set("-0.01")
    assert parse_order("shopify", payload).charges == charges


@pytest.mark.parametrize(
    ("changes", "payments"),
    [
        ({}, [Payment(gateway="Mercado Pago", name="Mercado Pago", amount=Decimal("25000.01"))]),
        ({"payment_gateway_names": ["Mercado Pago", "gift_card"]}, None),
        ({"payment_gateway_names": []}, None),
        ({"financial_status": "pending"}, []),
        ({"financial_status": None}, None),
    ],
)
def test_single_gateway_paid_the_total_and_several_are_unknown(
    payload: dict[str, Any], changes: dict[str, Any], payments: list[Any] | None
) -> None:
    assert parse_order("shopify", payload | changes).payments == payments


@pytest.mark.parametrize(
    ("status", "is_paid"),
    [
        ("paid", True),
        ("partially_refunded", True),
        ("pending", False),
        ("authorized", False),
        ("partially_paid", False),
        ("voided", False),
        ("otro", None),
        (None, None),
    ],
)
def test_financial_status_determines_whether_it_is_paid(
    payload: dict[str, Any], status: str | None, is_paid: bool | None
) -> None:
    payload["financial_status"] = status
    assert parse_order("shopify", payload).is_paid is is_paid


@pytest.mark.parametrize(
    ("changes", "pickup"),
    [
        ({}, (False, None)),
        ({"shipping_address": None}, (True, "Correo a domicilio")),
        ({"shipping_address": None, "shipping_lines": []}, (None, None)),
        ({"note_attributes": [{"name": "Checkout-Method", "value": "pickup"}]}, (True, "Correo a domicilio")),
        ({"note_attributes": {"Checkout-Method": "pickup"}}, (True, "Correo a domicilio")),
    ],
)
def test_pickup_has_a_location_and_no_shipping_address(
    payload: dict[str, Any], changes: dict[str, Any], pickup: tuple[Any, ...]
) -> None:
    order = parse_order("shopify", payload | changes)
    assert (order.is_pickup, order.pickup_name) == pickup


def test_gift_card_order_is_not_a_pickup(payload: dict[str, Any]) -> None:
    payload["shipping_address"] = None
    for line in payload["line_items"]:
        line |= {"requires_shipping": False, "gift_card": True}
    order = parse_order("shopify", payload)
    assert order.is_pickup is None
    assert [line.is_shippable for line in order.lines] == [False, False]


@pytest.mark.parametrize(
    ("paths", "document"),
    [
        (None, None),
        (["note_attributes:dni"], "30111222"),
        (["note_attributes:DNI "], "30111222"),
        (["note_attributes:vacío"], "lleno"),
        (["note_attributes:cuit", "billing_address.company"], "Ferreyra Hnos. S.R.L."),
        (["customer.nope.nope", "line_items.sku"], None),
    ],
)
def test_tax_document_comes_from_the_configured_path(
    payload: dict[str, Any], paths: list[str] | None, document: str | None
) -> None:
    payload["note_attributes"] += [{"name": "vacío", "value": " "}, {"name": "vacío", "value": "lleno"}]
    settings = {} if paths is None else {"document_from": paths}
    assert parse_order("shopify", payload, **settings).document == document


def test_neighbourhood_number_and_unit_come_from_configured_paths(payload: dict[str, Any]) -> None:
    payload["shipping_address"] |= {"address1": "Calle 10", "address2": "Depto 3, Roma Norte"}
    payload["note_attributes"] = [{"name": "Número", "value": "123"}]
    settings = {"district_from": "shipping_address.address2", "number_from": ["note_attributes:Número"]}
    address = shipping_address(parse_order("shopify", payload, **settings))
    assert (address.street, address.number, address.unit, address.district) == (
        "Calle 10",
        "123",
        "Depto 3",
        "Roma Norte",
    )


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "Ciudad Autónoma de Buenos Aires"),
        ({"province_code": "G", "province": "Santiago Del Estero"}, "Santiago del Estero"),
        ({"country_code": "US", "province_code": "AR", "province": "Arkansas"}, "Arkansas"),
        ({"country_code": "MX", "province_code": "MEX", "province": "Estado"}, "México"),
        ({"country_code": "MX", "province_code": "Q ROO", "province": None}, "Quintana Roo"),
        ({"country_code": "MX", "province_code": None, "province": "D.F."}, "Ciudad de México"),
        ({"country_code": "MX", "province_code": None, "province": "Mexico City"}, "Ciudad de México"),
        ({"country_code": None, "country": "México", "province_code": "DF"}, "Ciudad de México"),
        ({"country_code": "MX", "province_code": None, "province": "Anáhuac"}, "Anáhuac"),
        ({"country_code": "US", "province_code": "DC", "province": "D.F."}, "D.F."),
    ],
)
def test_state_code_is_mapped_to_its_official_name(
    payload: dict[str, Any], changes: dict[str, Any], state: str
) -> None:
    payload["shipping_address"] |= changes
    assert shipping_address(parse_order("shopify", payload)).state == state


@pytest.mark.parametrize(
    ("zip_code", "province_code", "expected"),
    [
        ("06700", "DF", "06700"),
        (6700, "DF", "06700"),
        ("0 67 00", "DF", "06700"),
        ("6700", "JAL", "6700"),
        ("670", "DF", "670"),
    ],
)
def test_leading_zero_is_restored_only_in_mexico_city(
    payload: dict[str, Any], zip_code: int | str, province_code: str, expected: str
) -> None:
    payload["shipping_address"] |= {"country_code": "MX", "zip": zip_code, "province_code": province_code}
    assert shipping_address(parse_order("shopify", payload)).postal_code == expected


@pytest.mark.parametrize(("latitude", "read_as"), [(19.4189, "19.4189"), ("-34.5", "-34.5"), ("al norte", None)])
def test_only_numeric_coordinates_are_read(payload: dict[str, Any], latitude: float | str, read_as: str | None) -> None:
    payload["shipping_address"]["latitude"] = latitude
    parsed = shipping_address(parse_order("shopify", payload)).latitude
    assert parsed == (read_as and Decimal(read_as))


def test_word_joiner_is_removed_from_fields(payload: dict[str, Any]) -> None:
    payload["shipping_address"] |= {"address1": "Bahía \u206087", "address2": "\u2060Anzures", "city": "Mi\u2060guel"}
    address = shipping_address(parse_order("shopify", payload))
    assert (address.street, address.number, address.unit, address.district, address.city) == (
        "Bahía",
        "87",
        None,
        "Anzures",
        "Miguel",
    )


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, (False, False)),
        ({"test": True}, (True, False)),
        ({"cancelled_at": "2026-11-20T12:25:18-06:00"}, (False, True)),
    ],
)
def test_test_and_cancelled_orders_are_marked(
    payload: dict[str, Any], changes: dict[str, Any], flags: tuple[bool, bool]
) -> None:
    order = parse_order("shopify", payload | changes)
    assert (order.is_test, order.is_cancelled) == flags


@pytest.mark.parametrize(
    "changes",
    [
        {"updated_at": "ayer"},
        {"note": ["x"]},
        {"customer": None},
        {"billing_address": None},
        {"phone": 5},
        {"test": "no"},
        {"name": None},
        {"refunds": None},
        {"shipping_lines": None},
        {"total_tax": None, "current_total_tax": None},
        {"note_attributes": "x"},
        {"payment_gateway_names": [None, {}]},
    ],
)
def test_invalid_optional_value_is_ignored(payload: dict[str, Any], changes: dict[str, Any]) -> None:
    assert parse_order("shopify", payload | changes).order_id == "5678901234999"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": None}, "Order id is missing."),
        ({"id": True}, "Order id is not text."),
        ({"currency": ""}, "Currency is missing."),
        ({"total_price": None}, "Total is missing."),
        ({"total_price": "mil"}, "Total is not an amount of money."),
        ({"current_total_price": "NaN"}, "Current total is not an amount of money."),
        ({"line_items": None}, "Products are missing."),
        ({"line_items": {}}, "Products is not a list."),
        ({"line_items": [[]]}, "Products > line 1 is not an object."),
        ({"shipping_address": "Balcarce 78"}, "Shipping address is not an object."),
    ],
)
def test_missing_required_value_is_a_problem(payload: dict[str, Any], changes: dict[str, Any], problem: str) -> None:
    assert parse_problems(payload | changes) == [problem]


@pytest.mark.parametrize(
    "amount", ["NaN", "1e5", "1_000", "١", "1,50", "", True, [], {}, float("nan"), float("inf"), 10**400, 10**12]
)
def test_invalid_amount_is_a_problem(payload: dict[str, Any], amount: Any) -> None:
    assert parse_problems(payload | {"total_price": amount}) == ["Total is not an amount of money."]


@pytest.mark.parametrize("amount", ["25000.01", " 25000.01 ", 25000.01, "+25000.0100"])
def test_amount_may_be_text_or_a_number(payload: dict[str, Any], amount: float | str) -> None:
    assert parse_order("shopify", payload | {"current_total_price": amount}).total == Decimal("25000.01")


@pytest.mark.parametrize("quantity", [1.5, "1.5", -1, "uno", True, [], "1_000", 10**400])
def test_fractional_quantity_is_a_problem(payload: dict[str, Any], quantity: float | list[Any] | str) -> None:
    payload["line_items"][0] |= {"quantity": quantity}
    assert [problem.partition("“")[0] for problem in parse_problems(payload)] == ["Products > line 1 > quantity "]


@pytest.mark.parametrize("quantity", ["3", 3.0, "3.0"])
def test_quantity_may_be_text(payload: dict[str, Any], quantity: float | str) -> None:
    payload["line_items"][0] |= {"quantity": quantity}
    assert parse_order("shopify", payload).lines[0].quantity == 3


def test_invalid_value_is_quoted_abbreviated(payload: dict[str, Any]) -> None:
    payload["line_items"][0] |= {"quantity": "muchas " * 20}
    quoted = "“muchas muchas muchas muchas muchas much…”"
    assert parse_problems(payload) == [f"Products > line 1 > quantity {quoted} is not a whole number of at least 0."]


def test_all_problems_are_reported_and_not_in_the_exception_text(payload: dict[str, Any]) -> None:
    with pytest.raises(MappingError) as caught:
        parse_order("shopify", payload | {"id": None, "currency": None})
    assert render_problems(caught.value.problems) == ["Order id is missing.", "Currency is missing."]
    assert str(caught.value) == "The order has 2 problems."


def test_order_wrapped_by_the_api_is_read(payload: dict[str, Any]) -> None:
    assert parse_order("shopify", {"order": payload}) == parse_order("shopify", payload)


def test_order_with_an_id_is_not_unwrapped(payload: dict[str, Any]) -> None:
    assert parse_order("shopify", payload | {"order": {"id": 1}}) == parse_order("shopify", payload)


# --- webhook identity ---

HEADERS = {"x-shopify-topic": "orders/paid", "x-shopify-event-id": "ev-1", "x-shopify-webhook-id": "wh-1"}


PENDING = {"financial_status": "pending"}


def identify(payload: dict[str, Any], headers: dict[str, Any] = HEADERS) -> WebhookIdentity:
    return STOREFRONT.identify(headers, payload, repr(payload).encode())


def identify_topic(payload: dict[str, Any], topic: str) -> WebhookIdentity:
    return identify(payload, {"x-shopify-topic": topic})


def test_paid_order_is_identified(payload: dict[str, Any]) -> None:
    assert identify(payload) == WebhookIdentity(
        topic="orders/paid",
        topics=frozenset({"orders/paid", "paid"}),
        event_key=f"orders/paid:{hash_body(repr(payload).encode())}",
        order_id="5678901234999",
        order_number="#2077",
        source_updated_at=datetime(2026, 11, 20, 18, 40, 25, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("topic", "hub_topic"),
    [
        ("orders/create", "created"),
        ("orders/updated", "updated"),
        ("orders/fulfilled", "updated"),
        ("orders/partially_fulfilled", "updated"),
    ],
)
def test_topic_is_mapped_to_its_canonical_topic_and_the_body_says_paid(
    payload: dict[str, Any], topic: str, hub_topic: str
) -> None:
    assert identify_topic(payload, topic).topics == {topic, hub_topic, "paid"}
    assert identify_topic(payload | {"financial_status": "partially_refunded"}, topic).topics >= {"paid"}
    unpaid = identify_topic(payload | PENDING, topic)
    assert (unpaid.topics, unpaid.is_unpaid, unpaid.warnings) == (frozenset({topic, hub_topic}), True, ())


@pytest.mark.parametrize(
    ("topic", "changes", "topics", "warning"),
    [
        ("orders/cancelled", {}, {"updated", "paid"}, "topic_says_cancelled"),
        ("orders/delete", {}, {"updated", "paid"}, "topic_says_deleted"),
        ("orders/paid", PENDING, {"updated"}, "topic_says_paid"),
        ("orders/paid", {"financial_status": "refunded"}, {"updated"}, "topic_says_paid"),
        ("orders/paid", {"financial_status": None}, {"updated"}, "topic_says_paid"),
    ],
)
def test_topic_that_the_body_contradicts_is_a_warning_and_no_fact(
    payload: dict[str, Any], topic: str, changes: dict[str, Any], topics: set[str], warning: str
) -> None:
    identity = identify_topic(payload | changes, topic)
    assert (identity.topic, identity.topics) == (topic, frozenset(topics))
    assert (identity.warnings, identity.has_order) == ((Problem(code=warning),), True)


def test_undocumented_payment_status_takes_the_routes_of_paid_orders_to_be_parked(payload: dict[str, Any]) -> None:
    identity = identify_topic(payload | {"financial_status": "in_mediation"}, "orders/updated")
    assert identity.topics == {"orders/updated", "updated"}
    assert identity.topics_for_routes == {"orders/updated", "updated", "paid"}
    order = parse_order("shopify", payload | {"financial_status": "in_mediation"})
    assert [problem.code for problem in order.blocking_problems] == ["unknown_payment_status"]
    assert order.overridden().blocking_problems == []
    assert order.payments == parse_order("shopify", payload).payments


def test_remains_of_a_deleted_order_under_another_topic_are_no_order() -> None:
    assert identify_topic({"id": 1}, "orders/updated").ignore_reason == Problem(code="not_an_order")


def test_deleted_order_is_cancelled_without_a_payload() -> None:
    payload = {"id": 5678901234999}
    assert identify_topic(payload, "orders/delete") == WebhookIdentity(
        topic="orders/delete",
        topics=frozenset({"orders/delete", "cancelled"}),
        event_key=f"orders/delete:{hash_body(repr(payload).encode())}",
        order_id="5678901234999",
        has_order=False,
    )


def test_cancelled_order_is_cancelled_in_any_topic(payload: dict[str, Any]) -> None:
    payload["cancelled_at"] = "2026-11-20T12:25:18-06:00"
    assert identify(payload).topics == {"orders/paid", "paid", "cancelled"}


def test_event_key_holds_a_known_topic_and_the_body_and_nothing_that_anybody_can_invent(
    payload: dict[str, Any],
) -> None:
    key = identify_topic(payload, "orders/paid").event_key
    assert identify(payload, HEADERS | {"x-shopify-event-id": "e", "x-shopify-webhook-id": "w"}).event_key == key
    assert identify(payload, {"shopify-topic": "orders/paid"}).event_key == key
    assert identify(payload | {"note": "x"}).event_key != key
    assert identify_topic(payload, "orders/updated").event_key != key
    invented = {identify_topic(payload, topic).event_key for topic in ("orders/x", "y", "orders/paid/", "Orders/Paid")}
    assert len(invented) == 1
    assert key not in invented


@pytest.mark.parametrize(
    "topic", ["orders/edited", "refunds/create", "customers/redact", "shop/redact", "app/uninstalled"]
)
def test_other_topics_are_ignored(payload: dict[str, Any], topic: str) -> None:
    identity = identify(payload, {"x-shopify-topic": topic, "x-shopify-event-id": "e"})
    assert (identity.ignore_reason, identity.topics) == (Problem(code="topic_without_whole_order"), frozenset({topic}))


def test_test_notification_is_ignored(payload: dict[str, Any]) -> None:
    identity = identify(payload, HEADERS | {"x-shopify-test": "true"})
    assert identity.ignore_reason == Problem(code="test_notification")
    assert identity.event_key != identify(payload).event_key  # so that nobody makes the order itself a duplicate


@pytest.mark.parametrize("order_id", [None, "", " ", [], {}, 1.5, True])
def test_payload_without_an_id_is_ignored(payload: dict[str, Any], order_id: Any) -> None:
    assert identify(payload | {"id": order_id}).ignore_reason == Problem(code="not_an_order")


def test_missing_topic_is_malformed(payload: dict[str, Any]) -> None:
    with pytest.raises(MalformedWebhookError):
        identify(payload, {})


@pytest.mark.parametrize("key", ["id", "name"])
@pytest.mark.parametrize("value", ["a\x00b", "\ud800", "x" * 201, 10**300])
def test_unstorable_id_is_malformed(payload: dict[str, Any], key: str, value: int | str) -> None:
    with pytest.raises(MalformedWebhookError):
        identify(payload | {key: value})


@pytest.mark.parametrize("updated_at", [None, 5, "ayer", "0001-01-01T00:00:00+14:00", "-0001-11-30T00:00:00+0000"])
def test_invalid_timestamp_is_no_version(payload: dict[str, Any], updated_at: int | str | None) -> None:
    assert identify(payload | {"updated_at": updated_at}).source_updated_at is None


@pytest.mark.parametrize(
    ("status_url", "header", "domains", "is_ours"),
    [
        ("https://norte.myshopify.com/6/orders/5b/authenticate?key=0", "sur.myshopify.com", "norte", True),
        ("https://sur.myshopify.com/6/orders/5b/authenticate?key=0", "norte.myshopify.com", "norte", False),
        ("https://www.tienda.example/6/orders/5b", "norte.myshopify.com", "norte", True),
        ("https://www.tienda.example/6/orders/5b", "sur.myshopify.com", "norte", False),
        ("https://tienda.example/6/orders/5b", "sur.myshopify.com", "norte and primary", True),
        ("https://otra.example/6/orders/5b", "norte.myshopify.com", "norte and primary", False),
        ("https://checkout.shopify.com/6/orders/5b", "norte.myshopify.com", "norte and primary", True),
        (None, "Norte.MyShopify.com", "norte", True),
        (None, "sur.myshopify.com", "norte", False),
        (None, None, "norte", False),
        (["x"], "\x00", "norte", False),
        ("https://sur.myshopify.com/", "sur.myshopify.com", "none", True),
    ],
)
def test_body_names_the_shop_and_else_the_header_does(
    payload: dict[str, Any], status_url: Any, header: str | None, domains: str, is_ours: bool
) -> None:
    shop_domain = {
        "norte": ["norte.myshopify.com"],
        "norte and primary": ["norte.myshopify.com", "www.tienda.example"],
        "none": None,
    }[domains]
    store = build_store("shopify", **({"shop_domain": shop_domain} if shop_domain else {}))
    headers = {"x-shopify-shop-domain": header} if header else {}
    assert STOREFRONT.belongs_to_store(headers, payload | {"order_status_url": status_url}, store) is is_ours
