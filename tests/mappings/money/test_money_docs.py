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
from tests.support.mapping_cases import SAMPLES, line, problems_of, read, with_parts, write

DOCUMENT = (Path(__file__).parents[3] / "docs" / "money.md").read_text("utf-8")


def changed(sample: str, **changes: list[dict[str, Any]] | str) -> dict[str, Any]:
    payload: dict[str, Any] = deepcopy(SAMPLES[sample])
    return payload | changes


def show_pesos(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def show_lapyme(order: Order, **account: str) -> str:
    body = write(order, "lapyme", **account).body
    lines = [
        f"{each['ordered_quantity']} × {each['sku_snapshot']} at {show_pesos(each['unit_price'])}"
        for each in body["lines"]
    ]
    totals = body["totals"]
    net, tax, total = (show_pesos(totals[name]) for name in ("subtotal", "tax_amount", "total"))
    return "\n".join([*lines, f"subtotal {net} + tax_amount {tax} = total {total}"])


def show_centelar(order: Order, **account: dict[str, Any]) -> str:
    body = write(order, "centelar", **account).body
    items = [f"{each['quantity']} × {each['product_code']} at {each['price']:.2f}" for each in body["items"]]
    payments = [f"{each['type']} {each['amount']}" for each in body["payments"]]
    price = f"shipping_cost {body['shipping_cost']:.2f}, price {body['price']:.2f}"
    return "\n".join([*items, price, f"payments {' + '.join(payments)}"])


def refunded() -> Order:
    payload = changed("shopify_ar", current_total_price="20166.68", current_total_tax="3499.99")
    payload["line_items"][0]["current_quantity"] = 2
    refund = {
        "refund_line_items": [{"line_item_id": 12001, "quantity": 1, "subtotal": 3833.33, "total_tax": 665.29}],
        "order_adjustments": [{"kind": "shipping_refund", "amount": "-826.45", "tax_amount": "-173.55"}],
    }
    return read("shopify", payload | {"refunds": [refund]})


def paid_by_transfer() -> Order:
    fee = {"id": 5, "name": "10 % por transferencia", "total": "-1072.73", "total_tax": "-225.27"}
    return read("woocommerce", changed("woocommerce_ar", fee_lines=[fee], total="14682.00"))


def paid_by_gift_card() -> Order:
    gift_card = {"code": "REGALO-1", "amount": "6480.00"}
    return read("woocommerce", changed("woocommerce_ar", gift_cards=[gift_card], total="10000.00"))


def three_at_333() -> Order:
    return with_parts(read("shopify", SAMPLES["shopify_ar"]), *[line("3.33") for _ in range(3)])


@pytest.mark.parametrize(
    "figures",
    [
        lambda: show_lapyme(read("shopify", SAMPLES["shopify_ar"])),
        lambda: show_lapyme(refunded()),
        lambda: show_lapyme(paid_by_transfer()),
        lambda: show_centelar(read("tiendanube", SAMPLES["tiendanube_ar"])),
        lambda: show_centelar(paid_by_gift_card(), payment_types={"gift_card": "promissory", "bacs": "promissory"}),
        lambda: show_lapyme(three_at_333()).splitlines()[-1],
        lambda: show_lapyme(three_at_333(), tax_rounding="line").splitlines()[-1],
        lambda: problems_of(read("tiendanube", changed("tiendanube_ar", total="27000.01")), "lapyme")[0],
    ],
)
def test_figures_of_the_examples_are_what_becomes_of_their_orders(figures: Callable[..., Any]) -> None:
    assert f"```\n{figures()}\n```" in DOCUMENT


def test_every_kind_of_charge_is_explained() -> None:
    assert {kind for kind in CHARGE_KINDS if not re.search(rf"^ *\| `{kind}` \|", DOCUMENT, re.MULTILINE)} == set()


def test_gift_cards_and_store_credit_have_no_type_unless_the_account_gives_one() -> None:
    assert PAYMENT_TYPE_BY_GATEWAY.keys().isdisjoint({"giftcard", "shopifystorecredit"})
