"""Of a kit, either the parts or the kit is sent, for what was paid."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from mappings.order import Order
from mappings.problems import render_problems
from tests.support.mapping_cases import SAMPLES, build_body, parse_order


def line(number: int, sku: str, quantity: int, total: str, **relation: Any) -> dict[str, Any]:
    amounts = {"total": total, "subtotal": total, "total_tax": "0.00", "subtotal_tax": "0.00"}
    return {"id": number, "name": sku.title(), "sku": sku, "quantity": quantity, **amounts, "meta_data": [], **relation}


def woo_order(*lines: dict[str, Any]) -> Order:
    payload = deepcopy(SAMPLES["woocommerce_ar"]) | {"line_items": list(lines), "fee_lines": [], "status": "processing"}
    [shipping] = payload["shipping_lines"]
    payload["shipping_lines"] = [shipping | {"total": "0.00", "total_tax": "0.00"}]
    total = sum(Decimal(entry["total"]) for entry in lines)
    return parse_order("woocommerce", payload | {"total": f"{total:.2f}", "total_tax": "0.00"})


def booked(order: Order, **account: Any) -> dict[str, tuple[int, int]]:
    """Return units and centavos of each SKU at LaPyme."""
    result: dict[str, tuple[int, int]] = {}
    for entry in build_body(order, "lapyme", **account).body["lines"]:
        units, cents = result.get(entry["sku_snapshot"], (0, 0))
        quantity = entry["ordered_quantity"]
        result[entry["sku_snapshot"]] = (units + quantity, cents + quantity * entry["unit_price"])
    return result


PRODUCT_BUNDLE = [
    line(1, "KIT", 1, "500.00", bundled_by="", bundled_items=[2, 3]),
    line(2, "SALSA", 2, "0.00", bundled_by=1, bundled_items=[]),
    line(3, "PLATO", 1, "0.00", bundled_by="1", bundled_items=[]),
]
COMPOSITE = [
    line(1, "KIT", 1, "500.00", composite_parent="", composite_children=[2, 3]),
    line(2, "SALSA", 2, "0.00", composite_parent="1", composite_children=[]),
    line(3, "PLATO", 1, "0.00", composite_parent="1", composite_children=[]),
]
MIX_AND_MATCH = [
    line(1, "KIT", 1, "500.00", mnm_child_of="", mnm_child_items=["2", "3"]),
    line(2, "SALSA", 2, "0.00", mnm_child_of="1"),
    line(3, "PLATO", 1, "0.00", mnm_child_of="1"),
]
WPC = [
    line(1, "KIT", 1, "500.00", product_id=70),
    line(2, "SALSA", 2, "0.00", product_id=71, meta_data=[{"key": "_woosb_parent_id", "value": "70"}]),
    line(3, "PLATO", 1, "0.00", product_id=72, meta_data=[{"key": "_woosb_parent_id", "value": "70"}]),
]


@pytest.mark.parametrize("lines", [PRODUCT_BUNDLE, COMPOSITE, MIX_AND_MATCH, WPC])
def test_parts_or_kit_is_sent_for_what_was_paid(lines: list[dict[str, Any]]) -> None:
    order = woo_order(*lines, line(9, "TAZA", 1, "80.00"))
    assert booked(order) == {"SALSA": (2, 33333), "PLATO": (1, 16667), "TAZA": (1, 8000)}
    assert booked(order, bundles="kit") == {"KIT": (1, 50000), "TAZA": (1, 8000)}
    divided = "Products > “Kit” is a kit: its price of 500.00 is divided among its parts."
    assert divided in render_problems(build_body(order, "lapyme").warnings)
    assert divided not in render_problems(build_body(order, "lapyme", bundles="kit").warnings)


def test_price_of_a_kit_goes_to_its_parts_in_proportion_to_theirs() -> None:
    order = woo_order(
        line(1, "KIT", 1, "30.00", bundled_by=""),
        line(2, "SALSA", 2, "100.00", bundled_by=1),
        line(3, "PLATO", 1, "200.00", bundled_by=1),
    )
    assert booked(order) == {"SALSA": (2, 11000), "PLATO": (1, 22000)}
    assert booked(order, bundles="kit") == {"KIT": (1, 33000)}


def test_kit_within_a_kit() -> None:
    order = woo_order(
        line(1, "CANASTA", 1, "90.00", composite_parent=""),
        line(2, "KIT", 1, "0.00", composite_parent="1", bundled_by=""),
        line(3, "SALSA", 3, "0.00", bundled_by="2"),
    )
    assert booked(order) == {"SALSA": (3, 9000)}
    assert booked(order, bundles="kit") == {"CANASTA": (1, 9000)}


def test_part_whose_kit_is_gone_is_a_product() -> None:
    order = woo_order(line(2, "SALSA", 2, "50.00", bundled_by="1"))
    assert booked(order) == booked(order, bundles="kit") == {"SALSA": (2, 5000)}


def test_lines_that_name_each_other_as_kits_end() -> None:
    order = woo_order(line(1, "A", 1, "10.00", bundled_by="2"), line(2, "B", 1, "10.00", bundled_by="1"))
    assert sum(cents for _, cents in booked(order, bundles="kit").values()) == 2000
