"""Details that Shopify's webhooks lack: required fetches, and parsing with their responses."""

from collections.abc import Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from mappings import DESTINATIONS, STOREFRONTS
from mappings.order import Payment
from mappings.problems import render_problem
from mappings.storefront import Fetch
from tests.support.mapping_cases import SAMPLES, build_account, build_body, build_store, mapping_problems, parse_order

STOREFRONT = STOREFRONTS["shopify"]

API = {"api_url": "https://tienda.myshopify.com", "api_token": "ficha"}
SEVERAL_GATEWAYS = {"payment_gateway_names": ["shopify_payments", "gift_card"]}
TRANSACTIONS_PATH = "/admin/api/2026-10/orders/5678901234999/transactions.json?in_shop_currency=true"
PAYMENTS_HINT = (
    "Payments are not itemized when several gateways were used, such as a gift card and a bank card. "
    "To fetch them, set the store's `client_id` and `client_secret`, or its `api_token`."
)
BARCODES_HINT = (
    "Barcodes are not in Shopify's webhooks. "
    "To fetch them, set the store's `client_id` and `client_secret`, or its `api_token`."
)


@pytest.fixture
def payload() -> dict[str, Any]:
    return deepcopy(SAMPLES["shopify_ar"])


def required_fetches(payload: dict[str, Any], *needs: str) -> Sequence[Fetch]:
    return STOREFRONT.required_fetches(payload, build_store("shopify", **API), frozenset(needs))


def fetch_paths(payload: dict[str, Any], *needs: str) -> list[str]:
    return [fetch.path for fetch in required_fetches(payload, *needs)]


def merge_responses(
    payload: dict[str, Any], *responses: dict[str, Any] | list[Any], needs: Sequence[str] = ("payments", "barcodes")
) -> dict[str, Any]:
    """Return the payload merged with these API responses."""
    fetches = required_fetches(payload, *needs)
    for fetch, response in zip(fetches, responses, strict=True):
        payload = fetch.merge(payload, response)
    return payload


def barcodes_response(*barcodes: tuple[str, str]) -> dict[str, Any]:
    nodes = [{"id": f"gid://shopify/ProductVariant/{variant}", "barcode": barcode} for variant, barcode in barcodes]
    return {"data": {"nodes": nodes}}


def transaction(number: int, kind: str, amount: str | None, **more: Any) -> dict[str, Any]:
    return {"id": number, "kind": kind, "status": "success", "gateway": "shopify_payments", "amount": amount, **more}


def payments_from(payload: dict[str, Any], *transactions: dict[str, Any]) -> list[Payment] | None:
    payload = merge_responses(payload | SEVERAL_GATEWAYS, {"transactions": list(transactions)}, needs=["payments"])
    return parse_order("shopify", payload, **API).payments


def gateway_amounts(payments: list[Payment] | None) -> list[tuple[str | None, Decimal]]:
    assert payments is not None
    return [(payment.gateway, payment.amount) for payment in payments]


# --- fetches ---


def test_token_is_sent_in_the_shopify_header() -> None:
    headers = STOREFRONT.api_headers(build_store("shopify", **API), API["api_token"])
    assert headers == {"X-Shopify-Access-Token": "ficha", "Accept": "application/json"}


@pytest.mark.parametrize(
    ("changes", "is_fetched"),
    [
        (SEVERAL_GATEWAYS, True),
        ({"payment_gateway_names": []}, True),
        ({"payment_gateway_names": None}, True),
        ({"financial_status": "partially_refunded", **SEVERAL_GATEWAYS}, True),
        ({"financial_status": None}, True),
        ({}, False),
        ({"financial_status": "pending", **SEVERAL_GATEWAYS}, False),
        ({"current_total_price": "0.00", "payment_gateway_names": []}, False),
        ({"cancelled_at": "2026-11-20T12:25:18-06:00", **SEVERAL_GATEWAYS}, False),
        ({"id": "../shop", **SEVERAL_GATEWAYS}, False),
    ],
)
def test_transactions_are_fetched_when_payments_are_unknown(
    payload: dict[str, Any], changes: dict[str, Any], is_fetched: bool
) -> None:
    assert fetch_paths(payload | changes, "payments") == ([TRANSACTIONS_PATH] if is_fetched else [])


def test_barcodes_are_fetched_once_per_shipped_variant(payload: dict[str, Any]) -> None:
    first, second = payload["line_items"]
    first |= {"variant_id": 41, "requires_shipping": True}
    second |= {"variant_id": 42, "requires_shipping": True}
    payload["line_items"] += [
        {**first},
        {**first, "variant_id": 43, "requires_shipping": False},
        {**first, "variant_id": 44, "current_quantity": 0},
        {**first, "variant_id": 45, "barcode": "7791234567898"},
        {**first, "variant_id": None},
        {**first, "variant_id": "../shop"},
    ]
    [fetch] = required_fetches(payload, "barcodes")
    assert (fetch.method, fetch.path) == ("POST", "/admin/api/2026-10/graphql.json")
    assert fetch.data["variables"] == {"ids": ["gid://shopify/ProductVariant/41", "gid://shopify/ProductVariant/42"]}


def test_at_most_250_barcodes_are_fetched_at_once(payload: dict[str, Any]) -> None:
    [line, _] = payload["line_items"]
    payload["line_items"] = [{**line, "variant_id": number, "requires_shipping": True} for number in range(1, 502)]
    ids = [fetch.data["variables"]["ids"] for fetch in required_fetches(payload, "barcodes")]
    assert [len(batch) for batch in ids] == [250, 250, 1]
    assert len({variant_id for batch in ids for variant_id in batch}) == 501


@pytest.mark.parametrize(("needs", "fetches"), [(["payments"], 1), (["barcodes"], 1), ([], 0)])
def test_only_required_details_are_fetched(payload: dict[str, Any], needs: list[Any], fetches: int) -> None:
    assert len(fetch_paths(payload | SEVERAL_GATEWAYS, *needs)) == fetches


@pytest.mark.parametrize("settings", [{"api_token": "ficha"}, {"api_url": "https://tienda.myshopify.com"}])
def test_nothing_is_fetched_without_api_url_and_token(payload: dict[str, Any], settings: dict[str, Any]) -> None:
    store = build_store("shopify", **settings)
    assert STOREFRONT.required_fetches(payload | SEVERAL_GATEWAYS, store, frozenset({"payments", "barcodes"})) == ()


@pytest.mark.parametrize("lines", [None, {}, [None, [], {}, {"variant_id": []}]])
def test_malformed_lines_require_no_fetch(payload: dict[str, Any], lines: dict[str, Any] | list[Any] | None) -> None:
    assert fetch_paths(payload | {"line_items": lines}, "barcodes") == []


@pytest.mark.parametrize(
    ("identifier", "needs"), [({}, frozenset()), ({"identifier": "barcode"}, frozenset({"barcodes"}))]
)
def test_rayo_requires_barcodes_when_configured(identifier: dict[str, Any], needs: Any) -> None:
    assert DESTINATIONS["rayo"].required_details(build_account("rayo", **identifier)) == needs


# --- payments ---


def test_each_successful_transaction_is_a_payment(payload: dict[str, Any]) -> None:
    card = {
        "authorization": "ch_3PruebaTarjeta",
        "payment_id": "c9014.1",
        "payment_details": {"credit_card_number": "•••• •••• •••• 4242", "credit_card_company": "Visa"},
    }
    gift_card = {"gateway": "gift_card", "payment_id": "c9014.2", "receipt": {"gift_card_last_characters": "p7k9"}}
    assert payments_from(
        payload,
        transaction(1, "sale", "20000.01", **card),
        transaction(2, "sale", "4000.00", **gift_card),
        transaction(3, "sale", "1000.00", gateway="shopify_store_credit"),
    ) == [
        Payment(
            gateway="shopify_payments",
            name="shopify_payments",
            amount=Decimal("20000.01"),
            transaction_id="ch_3PruebaTarjeta",
            last_digits="4242",
        ),
        Payment(gateway="gift_card", name="gift_card", amount=Decimal("4000.00"), transaction_id="c9014.2"),
        Payment(gateway="shopify_store_credit", name="shopify_store_credit", amount=Decimal("1000.00")),
    ]


def test_authorization_counts_only_when_captured(payload: dict[str, Any]) -> None:
    payments = payments_from(
        payload,
        transaction(1, "authorization", "30000.00"),
        transaction(2, "capture", "24000.01", parent_id=1),
        transaction(3, "authorization", "9.00"),
        transaction(4, "void", "9.00", parent_id=3),
        transaction(5, "sale", "1000.00", gateway="gift_card"),
    )
    assert gateway_amounts(payments) == [("shopify_payments", Decimal("24000.01")), ("gift_card", Decimal("1000.00"))]


@pytest.mark.parametrize("status", ["failure", "error", "pending", None])
def test_unsuccessful_transaction_is_ignored(payload: dict[str, Any], status: str | None) -> None:
    payments = payments_from(
        payload,
        transaction(1, "sale", "24000.01", status=status),
        transaction(2, "sale", "25000.01", gateway="paypal"),
    )
    assert gateway_amounts(payments) == [("paypal", Decimal("25000.01"))]


def test_refunds_and_change_reduce_their_parent_payment(payload: dict[str, Any]) -> None:
    payments = payments_from(
        payload,
        transaction(1, "sale", "25000.01"),
        transaction(2, "sale", "1000.00", gateway="gift_card"),
        transaction(3, "sale", "500.00", gateway="cash"),
        transaction(4, "refund", "5000.00", parent_id=1),
        transaction(5, "refund", "1000.00", parent_id=2, gateway="gift_card"),
        transaction(6, "change", "100.00", parent_id=3, gateway="cash"),
        transaction(7, "refund", "1.00", parent_id=1, status="pending"),
    )
    assert gateway_amounts(payments) == [("shopify_payments", Decimal("20000.01")), ("cash", Decimal("400.00"))]


@pytest.mark.parametrize(
    "transactions",
    [
        [],
        [transaction(1, "sale", "5.00", status="failure")],
        [transaction(1, "sale", None)],
        [transaction(1, "sale", "5.00"), transaction(2, "refund", "6.00", parent_id=1)],
    ],
)
def test_inconclusive_transactions_leave_payments_unknown(payload: dict[str, Any], transactions: list[Any]) -> None:
    assert payments_from(payload, *transactions) is None


@pytest.mark.parametrize(
    "number", [None, 4242, "", "Visa", "•••• •••• •••• ••••", "•••• •••• •••• 4242 x", ["4242"], {"x": 1}]
)
def test_invalid_card_number_has_no_last_digits(payload: dict[str, Any], number: Any) -> None:
    payments = payments_from(payload, transaction(1, "sale", "1.00", payment_details={"credit_card_number": number}))
    assert payments is not None
    assert [payment.last_digits for payment in payments] == [None]


@pytest.mark.parametrize("response", [[], {}, {"transactions": None}, {"errors": "x"}])
def test_malformed_response_leaves_payments_unknown(
    payload: dict[str, Any], response: dict[str, Any] | list[Any]
) -> None:
    assert (
        parse_order(
            "shopify", merge_responses(payload | SEVERAL_GATEWAYS, response, needs=["payments"]), **API
        ).payments
        is None
    )


def test_unpaid_order_has_no_payments_whatever_its_transactions(payload: dict[str, Any]) -> None:
    payload |= {"financial_status": "pending", "transactions": [transaction(1, "sale", "1.00")]}
    assert parse_order("shopify", payload).payments == []


# --- barcodes ---


def test_barcode_is_set_on_every_line_of_its_variant(payload: dict[str, Any]) -> None:
    first, second = payload["line_items"]
    first["variant_id"], second["variant_id"] = 41, 42
    payload["line_items"].append({**first, "id": 3})
    response = barcodes_response(("41", "7791234567898"), ("42", ""))
    order = parse_order("shopify", merge_responses(payload, response, needs=["barcodes"]), **API)
    assert [line.barcode for line in order.lines] == ["7791234567898", None, "7791234567898"]


@pytest.mark.parametrize(
    "nodes", [[None], [], [{}], [[]], [{"id": "gid://shopify/ProductVariant/41"}], [{"id": None, "barcode": "x"}]]
)
def test_variant_that_does_not_exist_has_no_barcode(payload: dict[str, Any], nodes: list[Any]) -> None:
    payload["line_items"][0]["variant_id"] = 41
    order = parse_order("shopify", merge_responses(payload, {"data": {"nodes": nodes}}, needs=["barcodes"]), **API)
    assert {line.barcode for line in order.lines} == {None}


@pytest.mark.parametrize("response", [[], {}, {"data": None}, {"data": {}}, {"data": {"nodes": None}}])
def test_malformed_response_is_invalid(payload: dict[str, Any], response: Any) -> None:
    [fetch] = required_fetches(payload, "barcodes")
    assert not fetch.is_valid_response(response)


@pytest.mark.parametrize(
    ("errors", "error"),
    [
        ([{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], ("THROTTLED", 429)),
        ([{"message": "Access denied", "extensions": {"code": "ACCESS_DENIED"}}], ("ACCESS_DENIED", 403)),
        ([{"message": "x"}, {"extensions": {"code": "MAX_COST_EXCEEDED"}}], ("MAX_COST_EXCEEDED", None)),
        ([{"extensions": {"code": "gid://shopify/Order/1"}}], ("GRAPHQL_ERROR", None)),
        ({"query": "Required parameter missing or invalid"}, ("GRAPHQL_ERROR", None)),
        ([None], ("GRAPHQL_ERROR", None)),
    ],
)
def test_error_in_a_response_is_found_by_its_code(
    payload: dict[str, Any], errors: Any, error: tuple[str, int | None]
) -> None:
    [fetch] = required_fetches(payload, "barcodes")
    response_error = fetch.find_error({"errors": errors, "data": {"nodes": []}})
    assert response_error is not None
    assert (response_error.code, response_error.status) == error


def test_rayo_body_contains_fetched_barcodes() -> None:
    payload = deepcopy(SAMPLES["shopify_mx"])
    [fetch] = required_fetches(payload, "barcodes")
    variants = [variant_id.rpartition("/")[2] for variant_id in fetch.data["variables"]["ids"]]
    response = barcodes_response(*((variant, f"750000000{variant[-3:]}") for variant in variants))
    order = parse_order("shopify", merge_responses(payload, response, needs=["barcodes"]), **API)
    body = build_body(order, "rayo", identifier="barcode").body
    assert [product["identificador"] for product in body["productos"]] == [
        f"750000000{variant[-3:]}" for variant in variants
    ]


# --- problems and hints ---


def test_missing_barcode_hints_how_to_fetch_it() -> None:
    payload = SAMPLES["shopify_mx"]
    problems = mapping_problems(parse_order("shopify", payload), "rayo", identifier="barcode")
    assert problems[0] == "Products > line 1 > barcode is missing."
    assert problems[-1] == BARCODES_HINT


def test_no_hint_when_the_store_has_an_api(payload: dict[str, Any]) -> None:
    for line in payload["line_items"]:
        line["variant_id"] = None
    assert parse_order("shopify", payload | SEVERAL_GATEWAYS, **API).missing_details == {}


@pytest.mark.parametrize(
    ("changes", "unfetched"),
    [
        ({}, {"barcodes": BARCODES_HINT}),
        (SEVERAL_GATEWAYS, {"payments": PAYMENTS_HINT, "barcodes": BARCODES_HINT}),
    ],
)
def test_order_lists_details_that_were_not_fetched(
    payload: dict[str, Any], changes: dict[str, Any], unfetched: dict[str, Any]
) -> None:
    missing_details = parse_order("shopify", payload | changes).missing_details
    assert {detail: render_problem(problem) for detail, problem in missing_details.items()} == unfetched


def test_unshipped_line_needs_no_barcode_hint(payload: dict[str, Any]) -> None:
    for line in payload["line_items"]:
        line["requires_shipping"] = False
    assert parse_order("shopify", payload).missing_details == {}


def test_destination_without_barcodes_gives_no_barcode_hint(payload: dict[str, Any]) -> None:
    payload["line_items"][0]["sku"] = None
    assert BARCODES_HINT not in mapping_problems(parse_order("shopify", payload), "lapyme")
