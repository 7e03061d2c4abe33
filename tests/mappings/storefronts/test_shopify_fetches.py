"""What Shopify's webhooks do not carry: what is fetched for it, and how the order is read with it."""

from collections.abc import Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from mappings import DESTINATIONS, STOREFRONTS
from mappings.order import Payment
from mappings.problems import render_problem
from tests.support.mapping_cases import SAMPLES, make_account, make_store, problems_of, read, write

STOREFRONT = STOREFRONTS["shopify"]

API = {"api_url": "https://tienda.myshopify.com", "api_token": "ficha"}
SEVERAL = {"payment_gateway_names": ["shopify_payments", "gift_card"]}
TRANSACTIONS_PATH = "/admin/api/2026-10/orders/5678901234999/transactions.json?in_shop_currency=true"
PAYMENTS_HINT = (
    "Payments are not told apart where several gateways paid, as a gift card and a bank card do: "
    "with the store's `api_url` and `api_token` set, they would be fetched."
)
BARCODES_HINT = (
    "Barcodes are not in Shopify's webhooks: with the store's `api_url` and `api_token` set, they would be fetched."
)


@pytest.fixture
def payload() -> dict[str, Any]:
    return deepcopy(SAMPLES["shopify_ar"])


def paths(payload: dict[str, Any], *needs: str, **settings: Any) -> list[Any]:
    store = make_store("shopify", **(API | settings))
    return [fetch.path for fetch in STOREFRONT.required_fetches(payload, store, frozenset(needs))]


def fetched(
    payload: dict[str, Any], *replies: dict[str, Any] | list[Any], needs: Sequence[str] = ("payments", "barcodes")
) -> dict[str, Any]:
    """Return the payload with these replies of the API in it."""
    fetches = STOREFRONT.required_fetches(payload, make_store("shopify", **API), frozenset(needs))
    for fetch, reply in zip(fetches, replies, strict=True):
        payload = fetch.merge(payload, reply)
    return payload


def transaction(number: int, kind: str, amount: str | None, **more: Any) -> dict[str, Any]:
    return {"id": number, "kind": kind, "status": "success", "gateway": "shopify_payments", "amount": amount, **more}


def payments_of(payload: dict[str, Any], *transactions: dict[str, Any]) -> list[Payment] | None:
    payload = fetched(payload | SEVERAL, {"transactions": list(transactions)}, needs=["payments"])
    return read("shopify", payload, **API).payments


def in_short(payments: list[Payment] | None) -> list[tuple[str | None, Decimal]]:
    assert payments is not None
    return [(payment.gateway, payment.amount) for payment in payments]


# --- what is fetched ---


def test_token_goes_in_shopifys_own_header() -> None:
    headers = STOREFRONT.api_headers(make_store("shopify", **API))
    assert headers == {"X-Shopify-Access-Token": "ficha", "Accept": "application/json"}


@pytest.mark.parametrize(
    ("changes", "is_fetched"),
    [
        (SEVERAL, True),
        ({"payment_gateway_names": []}, True),
        ({"payment_gateway_names": None}, True),
        ({"financial_status": "partially_refunded", **SEVERAL}, True),
        ({"financial_status": None}, True),
        ({}, False),
        ({"financial_status": "pending", **SEVERAL}, False),
        ({"current_total_price": "0.00", "payment_gateway_names": []}, False),
        ({"cancelled_at": "2026-11-20T12:25:18-06:00", **SEVERAL}, False),
        ({"id": "../shop", **SEVERAL}, False),
    ],
)
def test_transactions_are_fetched_where_the_order_does_not_tell_its_payments(
    payload: dict[str, Any], changes: dict[str, Any], is_fetched: bool
) -> None:
    assert paths(payload | changes, "payments") == ([TRANSACTIONS_PATH] if is_fetched else [])


def test_barcodes_are_fetched_once_for_each_variant_that_is_shipped(payload: dict[str, Any]) -> None:
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
    assert paths(payload, "barcodes") == [
        "/admin/api/2026-10/variants/41.json?fields=id,barcode",
        "/admin/api/2026-10/variants/42.json?fields=id,barcode",
    ]


@pytest.mark.parametrize(("needs", "fetches"), [(["payments"], 1), (["barcodes"], 2), ([], 0)])
def test_only_what_the_destination_needs_is_fetched(payload: dict[str, Any], needs: list[Any], fetches: int) -> None:
    assert len(paths(payload | SEVERAL, *needs)) == fetches


@pytest.mark.parametrize("settings", [{"api_token": "ficha"}, {"api_url": "https://tienda.myshopify.com"}])
def test_nothing_is_fetched_without_an_address_and_a_token(payload: dict[str, Any], settings: dict[str, Any]) -> None:
    store = make_store("shopify", **settings)
    assert STOREFRONT.required_fetches(payload | SEVERAL, store, frozenset({"payments", "barcodes"})) == ()


@pytest.mark.parametrize("lines", [None, {}, [None, [], {}, {"variant_id": []}]])
def test_odd_lines_ask_for_nothing(payload: dict[str, Any], lines: dict[str, Any] | list[Any] | None) -> None:
    assert paths(payload | {"line_items": lines}, "barcodes") == []


@pytest.mark.parametrize(
    ("identifier", "needs"), [({}, frozenset()), ({"identifier": "barcode"}, frozenset({"barcodes"}))]
)
def test_rayo_needs_barcodes_where_the_account_says_so(identifier: dict[str, Any], needs: Any) -> None:
    assert DESTINATIONS["rayo"].required_details(make_account("rayo", **identifier)) == needs


# --- payments ---


def test_each_transaction_that_brought_money_is_a_payment(payload: dict[str, Any]) -> None:
    card = {
        "authorization": "ch_3PruebaTarjeta",
        "payment_id": "c9014.1",
        "payment_details": {"credit_card_number": "•••• •••• •••• 4242", "credit_card_company": "Visa"},
    }
    gift_card = {"gateway": "gift_card", "payment_id": "c9014.2", "receipt": {"gift_card_last_characters": "p7k9"}}
    assert payments_of(
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


def test_authorization_counts_only_by_its_capture(payload: dict[str, Any]) -> None:
    payments = payments_of(
        payload,
        transaction(1, "authorization", "30000.00"),
        transaction(2, "capture", "24000.01", parent_id=1),
        transaction(3, "authorization", "9.00"),
        transaction(4, "void", "9.00", parent_id=3),
        transaction(5, "sale", "1000.00", gateway="gift_card"),
    )
    assert in_short(payments) == [("shopify_payments", Decimal("24000.01")), ("gift_card", Decimal("1000.00"))]


@pytest.mark.parametrize("status", ["failure", "error", "pending", None])
def test_transaction_that_did_not_succeed_moved_no_money(payload: dict[str, Any], status: str | None) -> None:
    payments = payments_of(
        payload,
        transaction(1, "sale", "24000.01", status=status),
        transaction(2, "sale", "25000.01", gateway="paypal"),
    )
    assert in_short(payments) == [("paypal", Decimal("25000.01"))]


def test_refunds_and_change_come_off_the_payment_that_they_give_back(payload: dict[str, Any]) -> None:
    payments = payments_of(
        payload,
        transaction(1, "sale", "25000.01"),
        transaction(2, "sale", "1000.00", gateway="gift_card"),
        transaction(3, "sale", "500.00", gateway="cash"),
        transaction(4, "refund", "5000.00", parent_id=1),
        transaction(5, "refund", "1000.00", parent_id=2, gateway="gift_card"),
        transaction(6, "change", "100.00", parent_id=3, gateway="cash"),
        transaction(7, "refund", "1.00", parent_id=1, status="pending"),
    )
    assert in_short(payments) == [("shopify_payments", Decimal("20000.01")), ("cash", Decimal("400.00"))]


@pytest.mark.parametrize(
    "transactions",
    [
        [],
        [transaction(1, "sale", "5.00", status="failure")],
        [transaction(1, "sale", None)],
        [transaction(1, "sale", "5.00"), transaction(2, "refund", "6.00", parent_id=1)],
    ],
)
def test_payments_are_not_told_by_transactions_that_do_not_tell_them(
    payload: dict[str, Any], transactions: list[Any]
) -> None:
    assert payments_of(payload, *transactions) is None


@pytest.mark.parametrize(
    "number", [None, 4242, "", "Visa", "•••• •••• •••• ••••", "•••• •••• •••• 4242 x", ["4242"], {"x": 1}]
)
def test_odd_card_number_has_no_last_digits(payload: dict[str, Any], number: Any) -> None:
    payments = payments_of(payload, transaction(1, "sale", "1.00", payment_details={"credit_card_number": number}))
    assert payments is not None
    assert [payment.last_digits for payment in payments] == [None]


@pytest.mark.parametrize("reply", [[], {}, {"transactions": None}, {"errors": "x"}])
def test_odd_reply_leaves_the_payments_untold(payload: dict[str, Any], reply: dict[str, Any] | list[Any]) -> None:
    assert read("shopify", fetched(payload | SEVERAL, reply, needs=["payments"]), **API).payments is None


def test_unpaid_order_has_no_payments_whatever_its_transactions(payload: dict[str, Any]) -> None:
    payload |= {"financial_status": "pending", "transactions": [transaction(1, "sale", "1.00")]}
    assert read("shopify", payload).payments == []


# --- barcodes ---


def test_barcode_goes_to_every_line_of_its_variant(payload: dict[str, Any]) -> None:
    first, second = payload["line_items"]
    first["variant_id"], second["variant_id"] = 41, 42
    payload["line_items"].append({**first, "id": 3})
    replies = [{"variant": {"id": 41, "barcode": "7791234567898"}}, {"variant": {"id": 42, "barcode": ""}}]
    order = read("shopify", fetched(payload, *replies, needs=["barcodes"]), **API)
    assert [line.barcode for line in order.lines] == ["7791234567898", None, "7791234567898"]


@pytest.mark.parametrize("reply", [[], {}, {"variant": None}, {"variant": {}}, {"variant": {"barcode": []}}])
def test_odd_reply_leaves_the_barcode_missing(payload: dict[str, Any], reply: dict[str, Any] | list[Any]) -> None:
    order = read("shopify", fetched(payload, reply, reply, needs=["barcodes"]), **API)
    assert {line.barcode for line in order.lines} == {None}


def test_rayo_is_sent_the_barcodes_that_were_fetched() -> None:
    payload = deepcopy(SAMPLES["shopify_mx"])
    variants = [path.rpartition("/")[2].partition(".")[0] for path in paths(payload, "barcodes")]
    replies = [{"variant": {"barcode": f"750000000{variant[-3:]}"}} for variant in variants]
    order = read("shopify", fetched(payload, *replies, needs=["barcodes"]), **API)
    body = write(order, "rayo", identifier="barcode").body
    assert [product["identificador"] for product in body["productos"]] == [
        f"750000000{variant[-3:]}" for variant in variants
    ]


# --- what a merchant is told ---


def test_rayo_says_how_a_barcode_would_be_fetched() -> None:
    payload = SAMPLES["shopify_mx"]
    problems = problems_of(read("shopify", payload), "rayo", identifier="barcode")
    assert problems[0] == "Products > line 1 > barcode is missing."
    assert problems[-1] == BARCODES_HINT


def test_nothing_is_said_of_fetching_where_the_store_could(payload: dict[str, Any]) -> None:
    for line in payload["line_items"]:
        line["variant_id"] = None
    assert read("shopify", payload | SEVERAL, **API).missing_details == {}


@pytest.mark.parametrize(
    ("changes", "unfetched"),
    [
        ({}, {"barcodes": BARCODES_HINT}),
        (SEVERAL, {"payments": PAYMENTS_HINT, "barcodes": BARCODES_HINT}),
    ],
)
def test_order_says_what_was_not_fetched(
    payload: dict[str, Any], changes: dict[str, Any], unfetched: dict[str, Any]
) -> None:
    missing_details = read("shopify", payload | changes).missing_details
    assert {detail: render_problem(problem) for detail, problem in missing_details.items()} == unfetched


def test_nothing_is_said_of_the_barcode_of_what_is_not_shipped(payload: dict[str, Any]) -> None:
    for line in payload["line_items"]:
        line["requires_shipping"] = False
    assert read("shopify", payload).missing_details == {}


def test_destination_that_needs_no_barcodes_does_not_speak_of_them(payload: dict[str, Any]) -> None:
    payload["line_items"][0]["sku"] = None
    assert BARCODES_HINT not in problems_of(read("shopify", payload), "lapyme")
