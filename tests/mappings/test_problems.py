"""Problems as values: JSON, English, and what they say without the order's data."""

import json
from typing import Any

import pytest

from mappings.labels import LABELS, render_path
from mappings.problems import TEMPLATES, Problem, register_templates, render_cause, render_problem

PHONE = Problem(code="wrong_digit_count", path=("ship_to", "phone"), params={"digits": 3, "needed": 10})
ROW = Problem(
    code="lapyme_no_product",
    path=("lines", "sku"),
    params={"value": "MATE", "account": "erp", "placeholder": "PRODUCT_ID"},
    table="product_id_by_sku",
    keys=("MATE",),
)
TOTAL = Problem(
    code="total_mismatch",
    params={"terms": (("products", "100.00"), ("discount", "-5.00")), "sum": "95.00", "charged": "90.00"},
)
AMBIGUOUS = Problem(
    code="ambiguous_address",
    path=("ship_to", "line1"),
    params={
        "line": "Luna 3 B",
        "reason": (("several_meanings", "B"),),
        "readings": (("Luna", "3", "B"), ("Luna 3 B",)),
    },
)


@pytest.mark.parametrize(
    ("problem", "sentence", "cause"),
    [
        (
            PHONE,
            "Shipping address > phone has 3 digits; 10 are needed.",
            "Shipping address > phone has … digits; 10 are needed.",
        ),
        (
            ROW,
            'Products > SKU “MATE” has no product at LaPyme: add a row "MATE" = "PRODUCT_ID" to `product_id_by_sku`, '
            "or run `connector table set --account erp product_id_by_sku MATE PRODUCT_ID`.",
            "Products > SKU “…” has no product at LaPyme: a row is missing in a table.",
        ),
        (
            TOTAL,
            "Total: products 100.00 − discount 5.00 = 95.00, but 90.00 was charged.",
            "Total: … = …, but … was charged.",
        ),
        (
            AMBIGUOUS,
            "Shipping address > address “Luna 3 B” is ambiguous, because “B” may be more than one thing: "
            "street “Luna”, number “3”, then “B”; or street “Luna 3 B” without a number.",
            "Shipping address > address “…” must be checked.",
        ),
        (Problem(code="missing"), "The order is missing.", "The order is missing."),
        (
            Problem(code="contract_broken", params={"destination": "Rayo", "violation": PHONE}),
            "The body breaks Rayo's contract: Shipping address > phone has 3 digits; 10 are needed.",
            "The body breaks Rayo's contract: Shipping address > phone has … digits; 10 are needed.",
        ),
    ],
)
def test_problem_is_rendered_with_and_without_order_data(problem: Problem, sentence: str, cause: str) -> None:
    assert (render_problem(problem), render_cause(problem)) == (sentence, cause)
    assert Problem.from_json(json.loads(json.dumps(problem.to_json()))) == problem


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), "The order"),
        (("lines", 2, "sku"), "Products > line 2 > SKU"),
        (("lines", 2), "Products > line 2"),
        (("refunds", 1, "items", 3, "100% x"), "Refunds > line 1 > items > line 3 > 100% x"),
    ],
)
def test_path_is_rendered_with_labels(path: Any, text: str) -> None:
    assert render_path(path) == text


def test_fingerprint_contains_no_values_or_line_numbers() -> None:
    problem = Problem(code="not_a_quantity", path=("lines", 3, "quantity"), params={"value": "x", "minimum": 1})
    assert problem.fingerprint == "not_a_quantity:lines/quantity"
    assert render_cause(Problem.from_fingerprint(problem.fingerprint)) == (
        "Products > quantity “…” is not a whole number of at least …."
    )


def test_unknown_code_is_refused_but_readable_when_stored() -> None:
    with pytest.raises(ValueError, match="'nope' is not a registered problem code"):
        Problem(code="nope")
    assert render_problem(Problem.from_json({"code": "nope", "path": ["ship_to", "phone"]})) == (
        "Shipping address > phone is not valid."
    )


def test_code_cannot_be_registered_twice() -> None:
    register_templates({"missing": TEMPLATES["missing"]})
    with pytest.raises(ValueError, match="'missing' is registered twice"):
        register_templates({"missing": "%(where)s is gone."})


def test_every_template_uses_only_known_parameters() -> None:
    for code, template in TEMPLATES.items():
        assert render_cause(Problem(code=code, path=("ship_to",))), template
    assert all(LABELS.values())
