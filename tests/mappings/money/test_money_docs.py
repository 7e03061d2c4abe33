"""The worked examples of docs/money.md match what the code computes."""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from mappings.destinations.centelar.payments import PAYMENT_TYPE_BY_GATEWAY
from mappings.money.invoice_lines import CHARGE_KINDS
from mappings.order import Order
from tests.support.mapping_cases import SAMPLES, build_body, line, mapping_problems, parse_order, with_parts

DOCUMENT = (Path(__file__).parents[3] / "docs" / "money.md").read_text("utf-8")


def changed_sample(sample: str, **changes: list[dict[str, Any]] | str) -> dict[str, Any]:
    payload: dict[str, Any] = deepcopy(SAMPLES[sample])
    return payload | changes


def format_pesos(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def describe_lapyme_body(order: Order, **account: str) -> str:
    body = build_body(order, "lapyme", **account).body
    lines = [
        f"{line['ordered_quantity']} × {line['sku_snapshot']} at {format_pesos(line['unit_price'])}"
        for line in body["lines"]
    ]
    totals = body["totals"]
    net, tax, total = (format_pesos(totals[name]) for name in ("subtotal", "tax_amount", "total"))
    return "\n".join([*lines, f"subtotal {net} + tax_amount {tax} = total {total}"])


def describe_centelar_body(order: Order, **account: dict[str, Any]) -> str:
    body = build_body(order, "centelar", **account).body
    items = [f"{item['quantity']} × {item['product_code']} at {item['price']:.2f}" for item in body["items"]]
    payments = [f"{item['type']} {item['amount']}" for item in body["payments"]]
    price = f"shipping_cost {body['shipping_cost']:.2f}, price {body['price']:.2f}"
    return "\n".join([*items, price, f"payments {' + '.join(payments)}"])


def refunded_order() -> Order:
    payload = changed_sample("shopify_ar", current_total_price="20166.68", current_total_tax="3499.99")
    payload["line_items"][0]["current_quantity"] = 2
    refund = {
        "refund_line_items": [{"line_item_id": 12001, "quantity": 1, "subtotal": 3833.33, "total_tax": 665.29}],
        "order_adjustments": [{"kind": "shipping_refund", "amount": "-826.45", "tax_amount": "-173.55"}],
    }
    return parse_order("shopify", payload | {"refunds": [refund]})


def order_paid_by_transfer() -> Order:
    fee = {"id": 5, "name": "10 % por transferencia", "total": "-1072.73", "total_tax": "-225.27"}
    return parse_order("woocommerce", changed_sample("woocommerce_ar", fee_lines=[fee], total="14682.00"))


def order_paid_by_gift_card() -> Order:
    gift_card = {"code": "REGALO-1", "amount": "6480.00"}
    return parse_order("woocommerce", changed_sample("woocommerce_ar", gift_cards=[gift_card], total="10000.00"))


def order_of_three_at_333() -> Order:
    return with_parts(parse_order("shopify", SAMPLES["shopify_ar"]), *[line("3.33") for _ in range(3)])


def order_with_three_decimals() -> Order:
    items = [
        {"id": 1, "name": "Resma", "sku": "RESMA", "quantity": 1, "total": "33.415", "total_tax": "9.022"},
        {"id": 2, "name": "Lápiz", "sku": "LAPIZ", "quantity": 1, "total": "1.848", "total_tax": "0.499"},
    ]
    parts = {"line_items": items, "shipping_lines": [], "fee_lines": [], "coupon_lines": []}
    return parse_order("woocommerce", changed_sample("woocommerce_ar", **parts, total="44.784"))


@pytest.mark.parametrize(
    "figures",
    [
        lambda: describe_lapyme_body(parse_order("shopify", SAMPLES["shopify_ar"])),
        lambda: describe_lapyme_body(refunded_order()),
        lambda: describe_lapyme_body(order_paid_by_transfer()),
        lambda: describe_centelar_body(parse_order("tiendanube", SAMPLES["tiendanube_ar"])),
        lambda: describe_centelar_body(
            order_paid_by_gift_card(), payment_types={"gift_card": "promissory", "bacs": "promissory"}
        ),
        lambda: describe_lapyme_body(order_of_three_at_333()).splitlines()[-1],
        lambda: describe_lapyme_body(order_of_three_at_333(), tax_rounding="line").splitlines()[-1],
        lambda: describe_lapyme_body(order_with_three_decimals()),
        lambda: mapping_problems(
            parse_order("tiendanube", changed_sample("tiendanube_ar", total="27000.01")), "lapyme"
        )[0],
    ],
)
def test_documented_examples_match_the_mapping(figures: Callable[..., Any]) -> None:
    assert f"```\n{figures()}\n```" in DOCUMENT


def test_every_charge_kind_is_documented() -> None:
    assert {kind for kind in CHARGE_KINDS if not re.search(rf"^ *\| `{kind}` \|", DOCUMENT, re.MULTILINE)} == set()


def test_gift_cards_and_store_credit_need_a_configured_type() -> None:
    assert PAYMENT_TYPE_BY_GATEWAY.keys().isdisjoint({"giftcard", "shopifystorecredit"})
